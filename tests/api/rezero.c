/* Blocks of zeroes stay blocks of zeroes however they are resized. */
#include "api_test.h"

static const size_t steps[] = {1,    10,    100,    40,      1000,   1010, 3000, 2000,
                               9000, 60000, 700000, 1000000, 500000, 10,   5000, 5001};
#define STEPS (sizeof steps / sizeof steps[0])

typedef void *resize_fun(void *p, size_t size);

static void *by_rezalloc(void *p, size_t n) { return mi_rezalloc(p, n); }
static void *by_recalloc(void *p, size_t n) { return mi_recalloc(p, n, 1); }
static void *by_recalloc_one(void *p, size_t n) { return mi_recalloc(p, 1, n); }
static void *by_rezalloc_aligned(void *p, size_t n) { return mi_rezalloc_aligned(p, n, 64); }
static void *by_recalloc_aligned(void *p, size_t n) { return mi_recalloc_aligned(p, n, 1, 64); }
static void *by_aligned_recalloc(void *p, size_t n) { return mi_aligned_recalloc(p, 1, n, 64); }
static void *by_rezalloc_at(void *p, size_t n) { return mi_rezalloc_aligned_at(p, n, 64, 8); }
static void *by_recalloc_at(void *p, size_t n) { return mi_recalloc_aligned_at(p, n, 1, 64, 8); }
static void *by_offset_recalloc(void *p, size_t n)
{
    return mi_aligned_offset_recalloc(p, n, 1, 64, 8);
}

static const struct {
    const char *name;
    resize_fun *resize;
    size_t alignment, offset;
} rows[] = {
    {"rezalloc", by_rezalloc, 1, 0},
    {"recalloc", by_recalloc, 1, 0},
    {"recalloc of one", by_recalloc_one, 1, 0},
    {"rezalloc_aligned", by_rezalloc_aligned, 64, 0},
    {"recalloc_aligned", by_recalloc_aligned, 64, 0},
    {"aligned_recalloc", by_aligned_recalloc, 64, 0},
    {"rezalloc_aligned_at", by_rezalloc_at, 64, 8},
    {"recalloc_aligned_at", by_recalloc_at, 64, 8},
    {"aligned_offset_recalloc", by_offset_recalloc, 64, 8},
};

static void gained_bytes_are_zero(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        api_soil();
        char *p = rows[r].resize(NULL, 1);
        assert_non_null(p);
        assert_true(api_is_zero(p, 1));
        for (size_t i = 1; i < STEPS; i++) {
            const size_t before = steps[i - 1], now = steps[i];
            api_fill(p, before < now ? before : now, (unsigned)i);
            /* what is lost is left zero, so that regaining it in place gives zeroes */
            if (before > now) memset(p + now, 0, before - now);
            api_assert_works(p, rows[r].resize(p, now));
            api_assert_aligned((uintptr_t)p + rows[r].offset, rows[r].alignment);
            assert_true(api_is_filled(p, before < now ? before : now, (unsigned)i));
            if (now > before && !api_is_zero(p + before, now - before))
                fail_msg("%s from %zu to %zu", rows[r].name, before, now);
        }
        mi_free(p);
    }
}

static void growing_within_the_usable_size(void **state)
{
    (void)state;
    api_soil();
    for (size_t size = 1; size < 3000; size += 7) {
        char *p = mi_zalloc(size);
        assert_non_null(p);
        for (size_t to = size; to < 4 * size + 100; to += 1 + to / 9) {
            p = mi_rezalloc(p, to);
            assert_non_null(p);
            assert_true(api_is_zero(p, to));
        }
        mi_free(p);
    }
}

static void failing_keeps_the_block(void **state)
{
    (void)state;
    char *const p = mi_zalloc(100);
    assert_non_null(p);
    api_assert_fails(mi_rezalloc(p, API_HUGE), ENOMEM);
    api_assert_fails(mi_rezalloc_aligned(p, API_HUGE, 64), ENOMEM);
    api_assert_fails(mi_rezalloc_aligned_at(p, API_HUGE, 64, 8), ENOMEM);
    api_assert_fails(mi_rezalloc_aligned(p, 1000, api_opaque(24)), EINVAL);
    assert_true(api_is_zero(p, 100));
    mi_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gained_bytes_are_zero),
        cmocka_unit_test(growing_within_the_usable_size),
        cmocka_unit_test(failing_keeps_the_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
