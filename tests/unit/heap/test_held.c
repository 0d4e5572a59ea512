/* Blocks above 512 KiB that were freed are held back in secure and hardened builds: their addresses
   come back late, cost no mappings meanwhile, and all of them come back when memory is collected. */
#include <pthread.h>
#include <signal.h>

#include "api_test.h"
#include "heap/held.h"
#include "mappings.h"

enum { BYTES = 700000, ROUNDS = 400, THREADS = 3 };

static void the_next_one_is_another(void **state)
{
    (void)state;
    static const size_t sizes[] = {BYTES, 2000000, 4000000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (int i = 0; i < ROUNDS; i++) {
            void *const p = mi_malloc(sizes[s]);
            memset(p, 1, sizes[s]);
            mi_free(p);
            void *const q = mi_malloc(sizes[s]);
            assert_ptr_not_equal(p, q);
            mi_free(q);
        }
    }
}

static void write_first(void *p)
{
    signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with the tests */
    *(volatile char *)p = 1;
}

/* Nobody gets it while some others are made, and hardened builds hide it. */
static void it_stays_away(void **state)
{
    (void)state;
    void *others[8];
    mi_collect(true);
    char *const p = mi_malloc(BYTES);
    memset(p, 1, BYTES);
    mi_free(p);
    for (size_t i = 0; i < 8; i++) {
        others[i] = mi_malloc(BYTES);
        assert_ptr_not_equal(others[i], p);
    }
    assert_true(mic_held_bytes() >= BYTES);
    if (CFG_HARDENED) {
        char text[100];
        const int status = api_run_child(write_first, p, text, sizeof text);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
    for (size_t i = 0; i < 8; i++) mi_free(others[i]);
    /* after a collection addresses count from the lowest one again */
    mi_collect(true);
    assert_int_equal(mic_held_bytes(), 0);
    bool back = false;
    for (size_t i = 0; i < 8; i++) {
        others[i] = mi_malloc(BYTES);
        memset(others[i], 1, BYTES);
        back = back || others[i] == p;
    }
    assert_true(back);
    for (size_t i = 0; i < 8; i++) mi_free(others[i]);
}

static void zeroes_are_zeroes(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS / 4; i++) {
        char *const p = mi_zalloc(BYTES);
        for (size_t k = 0; k < BYTES; k += 509) assert_int_equal(p[k], 0);
        assert_int_equal(p[BYTES - 1], 0);
        memset(p, 0x5a, BYTES);
        mi_free(p);
    }
}

static void mappings_do_not_pile_up(void **state)
{
    (void)state;
    size_t before = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char *const p = mi_malloc_aligned((size_t)(1 + i % 9) * BYTES, i % 5 == 0 ? 1 << 20 : 16);
        p[0] = 1;
        mi_free(p);
        assert_true(mic_held_bytes() <= (size_t)300 << 20);
        if (i == ROUNDS / 4) before = mappings();
    }
    assert_true(mappings() <= before + 4);
}

/* What two threads have at a time is never the same. */
static void *churn(void *arg)
{
    const uintptr_t mark = (uintptr_t)arg;
    uintptr_t *kept[4] = {NULL};
    for (size_t i = 0; i < ROUNDS; i++) {
        uintptr_t **const place = &kept[i * mark % 4];
        if (*place != NULL && **place != mark) return arg;
        mi_free(*place);
        *place = mi_malloc(BYTES + (i % 3) * 100000);
        **place = mark;
    }
    for (size_t i = 0; i < 4; i++) mi_free(kept[i]);
    return NULL;
}

static void threads_share_them(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(2 * i + 1)), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_one_is_another), cmocka_unit_test(it_stays_away),
        cmocka_unit_test(zeroes_are_zeroes),       cmocka_unit_test(mappings_do_not_pile_up),
        cmocka_unit_test(threads_share_them),
    };
    if (!CFG_SECURE) return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
