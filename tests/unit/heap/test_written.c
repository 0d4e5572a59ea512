/* Hardened: whatever is written to a block after it was freed is found before anybody else gets it,
   wherever in the block and however large, and the next owner gets zeroes. */
#include <errno.h>

#include <pthread.h>
#include <sys/resource.h>

#include "api_test.h"

enum { MOST = 4096, OFFSETS = 6 };

static unsigned told;

static void tell(int error, void *arg)
{
    (void)arg;
    told += error == EFAULT;
}

static bool is_clear(const unsigned char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != 0) return false;
    return true;
}

/* Others are kept until the block was looked at: when it is handed out again, or a large one also
   when others push it out. It is clear when it comes back. */
static bool is_found(unsigned char *freed, size_t bytes)
{
    static void *kept[MOST];
    size_t count = 0;
    told = 0;
    while (told == 0 && count < MOST) {
        unsigned char *const p = mi_malloc(bytes);
        assert_non_null(p);
        kept[count++] = p;
        if (p == freed) break;
    }
    if (kept[count - 1] == freed) assert_true(is_clear(freed, mi_usable_size(freed)));
    for (size_t i = 0; i < count; i++) mi_free(kept[i]);
    return told == 1;
}

static size_t offset_of(size_t usable, size_t i)
{
    const size_t hidden = usable > 512 * 1024 ? 16 * 1024 : 0; /* faults there */
    const size_t at[OFFSETS] = {
        0, 1, (usable - hidden) / 2, (usable - hidden) / 3, usable / 7, usable - hidden - 1};
    return hidden + at[i];
}

static void write_to_freed(size_t bytes, size_t used)
{
    for (size_t i = 0; i < OFFSETS; i++) {
        unsigned char *const p = mi_malloc(bytes), *const next = mi_malloc(bytes);
        const size_t usable = mi_usable_size(p);
        memset(p, 0x5a, usable < used ? usable : used);
        mi_free(p);
        mi_free(next); /* the one that was freed last waits longest */
        p[offset_of(usable, i)] = 1;
        assert_true(is_found(p, bytes));
        mi_collect(true);
    }
}

static void every_byte_is_looked_at(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,     24,    40,    56,     72,     120,    200,    250,
                                   270,   400,   500,   600,    1000,   4000,   5000,   9000,
                                   30000, 60000, 90000, 150000, 300000, 500000, 700000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_to_freed(sizes[i], SIZE_MAX);
        write_to_freed(sizes[i], 1); /* hardly any memory of a large one is there */
    }
}

/* 8 MiB, all of which is hidden when it gave its memory back, or kept and cleared. */
static void large_spans_are_clear(void **state)
{
    (void)state;
    static unsigned char *p[24];
    const size_t bytes = 8 << 20;
    told = 0;
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < 24; i++) {
            p[i] = mi_malloc(bytes);
            assert_true(is_clear(p[i], bytes));
            memset(p[i], 0xa5, i % 3 == 0 ? 1 : bytes);
        }
        for (size_t i = 0; i < 24; i++) mi_free(p[i]);
    }
    assert_int_equal(told, 0);
}

static size_t faults(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_minflt;
}

/* Memory that nobody had is not looked at: that would be a page fault more for each OS page. */
static void fresh_blocks_are_left_alone(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static const size_t sizes[] = {6000, 14000, 30000, 60000, 100000, 200000};
    static unsigned char *p[COUNT];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_t before = faults();
        for (size_t k = 0; k < COUNT; k++) {
            p[k] = mi_malloc(sizes[i]);
            assert_non_null(p[k]);
            memset(p[k], 1, sizes[i]);
        }
        const size_t pages = COUNT * (sizes[i] / 4096 + 1);
        assert_true(faults() - before < pages + pages / 4);
        for (size_t k = 0; k < COUNT; k++) mi_free(p[k]);
        mi_collect(true);
    }
}

/* A thread whose record is handed over already, and a handler that allocates. */
static pthread_key_t late_key;
static bool late_found;

static void tell_and_allocate(int error, void *arg)
{
    tell(error, arg);
    mi_free(mi_malloc(50));
}

static void late(void *round)
{
    if ((uintptr_t)round < 4) { /* the library's own destructor has run before the last round */
        assert_int_equal(pthread_setspecific(late_key, (char *)round + 1), 0);
        return;
    }
    unsigned char *const p = mi_malloc(50), *const next = mi_malloc(50);
    mi_free(p);
    p[7] = 1;
    late_found = is_found(p, 50);
    mi_free(next); /* till then its page stays */
}

static void *ends_late(void *arg)
{
    mi_free(mi_malloc(50));
    (void)pthread_setspecific(late_key, (void *)1);
    return arg;
}

static void late_threads_report_without_a_lock(void **state)
{
    (void)state;
    pthread_t thread;
    mi_register_error(tell_and_allocate, NULL);
    assert_int_equal(pthread_key_create(&late_key, late), 0);
    assert_int_equal(pthread_create(&thread, NULL, ends_late, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(late_found);
    mi_register_error(tell, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_looked_at),
        cmocka_unit_test(large_spans_are_clear),
        cmocka_unit_test(fresh_blocks_are_left_alone),
        cmocka_unit_test(late_threads_report_without_a_lock),
    };
    if (!CFG_HARDENED) return 77;
    mi_register_error(tell, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
