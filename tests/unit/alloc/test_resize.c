/* fake-os */
/* Growing and shrinking: what stays where it is, what moves and how, and what a refusal leaves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/slow.h"
#include "fake_os.h"
#include "rt/report.h"
#include "vm/arena.h"

static int setup(void **state)
{
    (void)state;
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fake_os_forget();
    return 0;
}

static uint64_t used(void)
{
    mic_collect(true);
    return mic_load_relaxed(&mic_vm_counts.used_slices);
}

static void fill(char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 61) p[i] = (char)(i / 61 + 1);
}
static void check(const char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 61) assert_int_equal(p[i], (char)(i / 61 + 1));
}

static void test_good_size(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes < 8 * MIC_MIB; bytes += 1 + bytes / 7) {
        void *const p = mic_malloc(bytes);
        assert_int_equal(mic_usable_size(p), mic_good_size(bytes));
        mic_free(p);
    }
    assert_int_equal(mic_good_size(SIZE_MAX), SIZE_MAX);
}

/* At least half of the block stays in use: it stays. */
static void test_in_place(void **state)
{
    (void)state;
    for (size_t bytes = 16; bytes <= MIC_LARGE_BLOCK_MAX; bytes *= 4) {
        char *const p = mic_malloc(bytes);
        const size_t usable = mic_usable_size(p);
        fill(p, bytes);
        assert_ptr_equal(mic_realloc(p, usable, false), p);
        assert_ptr_equal(mic_realloc(p, (usable + 1) / 2, false), p);
        assert_ptr_equal(mic_expand(p, usable), p);
        assert_null(mic_expand(p, usable + 1));
        char *const q = mic_realloc(p, usable / 2 - 1, false);
        assert_ptr_not_equal(q, p);
        check(q, usable / 2 - 1);
        mic_free(q);
    }
    assert_null(mic_expand(NULL, 1));
}

/* A span gives its tail back, and takes it again while it is free. */
static void test_span_in_place(void **state)
{
    (void)state;
    const uint64_t before = used();
    char *const p = mic_malloc(20 * MIC_MIB);
    fill(p, 20 * MIC_MIB);
    assert_ptr_equal(mic_realloc(p, 5 * MIC_MIB, false), p);
    /* where big blocks have guards, two slices more */
    assert_int_equal(mic_load_relaxed(&mic_vm_counts.used_slices) - before,
                     (5 * MIC_MIB >> MIC_SLICE_SHIFT) + (CFG_BITS ? 2 : 0));
    assert_int_equal(mic_usable_size(p), 5 * MIC_MIB);
    assert_ptr_equal(mic_realloc(p, 10 * MIC_MIB, true), p);
    check(p, 5 * MIC_MIB);
    for (size_t i = 5 * MIC_MIB; i < 10 * MIC_MIB; i += 61) assert_int_equal(p[i], 0);
    assert_int_equal(fake_os_count(FAKE_OS_MOVE), 0);
    mic_free(p);
    assert_int_equal(used(), before);
}

/* With something behind it, it moves by page tables, once, to where it can grow. */
static void test_span_moves(void **state)
{
    (void)state;
    const uint64_t before = used();
    char *p = mic_malloc(2 * MIC_MIB);
    void *const behind = mic_malloc(2 * MIC_MIB);
    fill(p, 2 * MIC_MIB);
    size_t moves = 0;
    for (size_t bytes = 3 * MIC_MIB; bytes < 16 * MIC_MIB; bytes += MIC_MIB) {
        char *const q = mic_realloc(p, bytes, true);
        assert_non_null(q);
        moves += q != p;
        p = q;
        check(p, 2 * MIC_MIB);
        for (size_t i = 2 * MIC_MIB; i < bytes; i += 4099) assert_int_equal(p[i], 0);
    }
    assert_int_equal(moves, 1);
    assert_int_equal(fake_os_count(FAKE_OS_MOVE), 1);
    mic_free(p);
    assert_int_equal(fake_os_count(FAKE_OS_REFRESH), 1); /* one mapping again */
    mic_free(behind);
    assert_int_equal(used(), before);
}

/* A move that the system refuses is a copy. */
static void test_move_refused(void **state)
{
    (void)state;
    char *const p = mic_malloc(4 * MIC_MIB);
    void *const behind = mic_malloc(4 * MIC_MIB);
    fill(p, 4 * MIC_MIB);
    fake_os_fail(FAKE_OS_MOVE, 1, ENOMEM, true);
    errno = 5;
    char *const q = mic_realloc(p, 9 * MIC_MIB, false);
    assert_int_equal(errno, 5);
    assert_ptr_not_equal(q, p);
    assert_int_equal(fake_os_failures(), 1);
    check(q, 4 * MIC_MIB);
    mic_free(q);
    mic_free(behind);
}

/* Kinds of pages: contents and gained zeroes, from each to each. */
static void test_all_kinds(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, 5000, 60000, 300000, 700000, 3000000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    const uint64_t before = used();
    for (size_t from = 0; from < COUNT; from++) {
        for (size_t to = 0; to < COUNT; to++) {
            char *p = mic_zalloc(sizes[from]);
            fill(p, sizes[from]);
            p = mic_realloc(p, sizes[to], true);
            assert_non_null(p);
            check(p, sizes[from] < sizes[to] ? sizes[from] : sizes[to]);
            for (size_t i = sizes[from]; i < sizes[to]; i++) assert_int_equal(p[i], 0);
            mic_free(p);
        }
    }
    assert_int_equal(used(), before);
}

static void test_to_nothing_and_from_nothing(void **state)
{
    (void)state;
    char *p = mic_realloc(NULL, 0, false);
    assert_non_null(p);
    assert_int_equal(p[0], 0);
    p[0] = 1;
    p = mic_realloc(p, 3 * MIC_MIB, false);
    assert_int_equal(p[0], 1);
    p = mic_realloc(p, 0, false);
    assert_int_equal(p[0], 0);
    assert_int_equal(mic_usable_size(p), mic_good_size(1));
    mic_free(p);
}

static void test_aligned(void **state)
{
    (void)state;
    char *p = mic_malloc(1000);
    fill(p, 1000);
    for (size_t alignment = 16; alignment <= MIC_MIB; alignment *= 2) {
        char *const q = mic_realloc_aligned(p, 1000, alignment, 8, false);
        assert_non_null(q);
        assert_int_equal(((uintptr_t)q + 8) % alignment, 0);
        check(q, 1000);
        p = q;
    }
    errno = 0;
    assert_null(mic_realloc_aligned(p, 1000, 24, 0, false));
    assert_int_equal(errno, EINVAL);
    check(p, 1000);
    mic_free(p);
}

static int misuses;

static void count_misuse(int error, void *arg)
{
    (void)arg;
    if (error == EINVAL) misuses++;
}

static void test_refusals(void **state)
{
    (void)state;
    misuses = 0;
    mic_report_set_error(count_misuse, NULL); /* builds that check would stop */
    static const size_t sizes[] = {100, 5000, 700000, 3000000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        char *const p = mic_malloc(sizes[s]);
        fill(p, sizes[s]);
        static const size_t impossible[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 70000};
        for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
            errno = 0;
            assert_null(mic_realloc(p, impossible[i], true));
            assert_int_equal(errno, ENOMEM);
        }
        check(p, sizes[s]);
        mic_free(p);
    }
    char here[32] = "not a block";
    errno = 0;
    assert_null(mic_realloc(here, 10, false));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null(mic_realloc_aligned(here, 10, 64, 0, false));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(misuses, 2);
    mic_report_set_error(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good_size, setup),
        cmocka_unit_test_setup(test_in_place, setup),
        cmocka_unit_test_setup(test_span_in_place, setup),
        cmocka_unit_test_setup(test_span_moves, setup),
        cmocka_unit_test_setup(test_move_refused, setup),
        cmocka_unit_test_setup(test_all_kinds, setup),
        cmocka_unit_test_setup(test_to_nothing_and_from_nothing, setup),
        cmocka_unit_test_setup(test_aligned, setup),
        cmocka_unit_test_setup(test_refusals, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
