/* What holds for every function that allocates, over a table of all of them: size 0, sizes that
   cannot be, errno, natural alignment. */
#include "api_test.h"

/* ---- the table: each row allocates `size` bytes one way or other ---- */

static void *by_malloc(size_t n) { return mi_malloc(n); }
static void *by_zalloc(size_t n) { return mi_zalloc(n); }
static void *by_calloc(size_t n) { return mi_calloc(1, n); }
static void *by_calloc_count(size_t n) { return mi_calloc(n, 1); }
static void *by_mallocn(size_t n) { return mi_mallocn(n, 1); }
static void *by_malloc_small(size_t n) { return mi_malloc_small(n); }
static void *by_zalloc_small(size_t n) { return mi_zalloc_small(n); }
static void *by_realloc(size_t n) { return mi_realloc(NULL, n); }
static void *by_reallocn(size_t n) { return mi_reallocn(NULL, n, 1); }
static void *by_reallocf(size_t n) { return mi_reallocf(NULL, n); }
static void *by_reallocarray(size_t n) { return mi_reallocarray(NULL, n, 1); }
static void *by_rezalloc(size_t n) { return mi_rezalloc(NULL, n); }
static void *by_recalloc(size_t n) { return mi_recalloc(NULL, n, 1); }
static void *by_malloc_aligned(size_t n) { return mi_malloc_aligned(n, 64); }
static void *by_malloc_aligned_at(size_t n) { return mi_malloc_aligned_at(n, 64, 24); }
static void *by_malloc_aligned_far(size_t n) { return mi_malloc_aligned(n, 256 * MIC_KIB); }
static void *by_zalloc_aligned(size_t n) { return mi_zalloc_aligned(n, 256); }
static void *by_zalloc_aligned_at(size_t n) { return mi_zalloc_aligned_at(n, 32, 8); }
static void *by_calloc_aligned(size_t n) { return mi_calloc_aligned(n, 1, 128); }
static void *by_calloc_aligned_at(size_t n) { return mi_calloc_aligned_at(1, n, 128, 16); }
static void *by_realloc_aligned(size_t n) { return mi_realloc_aligned(NULL, n, 64); }
static void *by_rezalloc_aligned(size_t n) { return mi_rezalloc_aligned(NULL, n, 64); }
static void *by_recalloc_aligned(size_t n) { return mi_recalloc_aligned(NULL, n, 1, 64); }
static void *by_aligned_recalloc(size_t n) { return mi_aligned_recalloc(NULL, n, 1, 64); }
static void *by_umalloc(size_t n) { return mi_umalloc(n, NULL); }
static void *by_ucalloc(size_t n) { return mi_ucalloc(1, n, NULL); }
static void *by_urealloc(size_t n) { return mi_urealloc(NULL, n, NULL, NULL); }
static void *by_umalloc_aligned(size_t n) { return mi_umalloc_aligned(n, 32, NULL); }
static void *by_uzalloc_aligned(size_t n) { return mi_uzalloc_aligned(n, 32, NULL); }
static void *by_umalloc_small(size_t n) { return mi_umalloc_small(n, NULL); }
static void *by_uzalloc_small(size_t n) { return mi_uzalloc_small(n, NULL); }
static void *by_memalign(size_t n) { return mi_memalign(64, n); }
static void *by_aligned_alloc(size_t n) { return mi_aligned_alloc(64, n); }
static void *by_valloc(size_t n) { return mi_valloc(n); }
static void *by_pvalloc(size_t n) { return mi_pvalloc(n); }
static void *by_new_nothrow(size_t n) { return mi_new_nothrow(n); }
static void *by_new_aligned_nothrow(size_t n) { return mi_new_aligned_nothrow(n, 64); }

typedef void *allocate_fun(size_t size);
typedef struct row {
    const char *name;
    allocate_fun *allocate;
    bool zero;
} row_t;
#define ROW(name, zero)                                                                            \
    {                                                                                              \
#name, by_##name, zero                                                                     \
    }

static const row_t rows[] = {
    ROW(malloc, false),
    ROW(zalloc, true),
    ROW(calloc, true),
    ROW(calloc_count, true),
    ROW(mallocn, false),
    ROW(malloc_small, false),
    ROW(zalloc_small, true),
    ROW(realloc, false),
    ROW(reallocn, false),
    ROW(reallocf, false),
    ROW(reallocarray, false),
    ROW(rezalloc, true),
    ROW(recalloc, true),
    ROW(malloc_aligned, false),
    ROW(malloc_aligned_at, false),
    ROW(malloc_aligned_far, false),
    ROW(zalloc_aligned, true),
    ROW(zalloc_aligned_at, true),
    ROW(calloc_aligned, true),
    ROW(calloc_aligned_at, true),
    ROW(realloc_aligned, false),
    ROW(rezalloc_aligned, true),
    ROW(recalloc_aligned, true),
    ROW(aligned_recalloc, true),
    ROW(umalloc, false),
    ROW(ucalloc, true),
    ROW(urealloc, false),
    ROW(umalloc_aligned, false),
    ROW(uzalloc_aligned, true),
    ROW(umalloc_small, false),
    ROW(uzalloc_small, true),
    ROW(memalign, false),
    ROW(aligned_alloc, false),
    ROW(valloc, false),
    ROW(pvalloc, false),
    ROW(new_nothrow, false),
    ROW(new_aligned_nothrow, false),
};
#define ROWS (sizeof rows / sizeof rows[0])

static void nothing_is_a_block_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        void *a, *b;
        api_assert_works(a, rows[i].allocate(0));
        api_assert_works(b, rows[i].allocate(0));
        if (a == b) fail_msg("%s: the same block twice", rows[i].name);
        api_use_all(a);
        mi_free(a);
        mi_free(b);
    }
}

static void success_does_not_touch_errno(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, 1024, 1025, 8192, 50000, 300000, 600000, 40000000};
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            char *p;
            api_assert_works(p, rows[i].allocate(sizes[s]));
            p[0] = p[sizes[s] - 1] = 1;
            errno = 815;
            mi_free(p);
            assert_int_equal(errno, 815);
        }
    }
}

static void the_impossible_is_enomem(void **state)
{
    (void)state;
    static const size_t sizes[] = {(size_t)PTRDIFF_MAX,
                                   (size_t)PTRDIFF_MAX - 1,
                                   (size_t)PTRDIFF_MAX + 1,
                                   SIZE_MAX - 1,
                                   SIZE_MAX,
                                   SIZE_MAX - 4096,
                                   SIZE_MAX / 2 - MIC_SEGMENT_BYTES};
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            errno = 0;
            void *const p = rows[i].allocate(api_opaque(sizes[s]));
            if (p != NULL || errno != ENOMEM)
                fail_msg("%s of %zx: %p, errno %d", rows[i].name, sizes[s], p, errno);
        }
    }
}

static void overflowing_counts_are_enomem(void **state)
{
    (void)state;
    const size_t half = api_opaque(SIZE_MAX / 2 + 1), all = api_opaque(SIZE_MAX);
    const size_t root = api_opaque((size_t)1 << 32);
    void *const p = mi_malloc(10);
    assert_non_null(p);
    const size_t pairs[][2] = {{half, 2}, {2, half}, {all, all}, {root, root}, {all, 2}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const size_t c = pairs[i][0], n = pairs[i][1];
        api_assert_fails(mi_calloc(c, n), ENOMEM);
        api_assert_fails(mi_mallocn(c, n), ENOMEM);
        api_assert_fails(mi_reallocn(NULL, c, n), ENOMEM);
        api_assert_fails(mi_reallocn(p, c, n), ENOMEM);
        api_assert_fails(mi_recalloc(p, c, n), ENOMEM);
        api_assert_fails(mi_reallocarray(p, c, n), ENOMEM);
        api_assert_fails(mi_calloc_aligned(c, n, 64), ENOMEM);
        api_assert_fails(mi_calloc_aligned_at(c, n, 64, 8), ENOMEM);
        api_assert_fails(mi_recalloc_aligned(p, c, n, 64), ENOMEM);
        api_assert_fails(mi_recalloc_aligned_at(p, c, n, 64, 8), ENOMEM);
        api_assert_fails(mi_aligned_recalloc(p, c, n, 64), ENOMEM);
        api_assert_fails(mi_aligned_offset_recalloc(p, c, n, 64, 8), ENOMEM);
        size_t size = 1;
        api_assert_fails(mi_ucalloc(c, n, &size), ENOMEM);
        assert_int_equal(size, 0);
    }
    mi_free(p);
}

static void zeroed_is_zero_whatever_was_there(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 7, 16, 100, 1000, 1025, 4000, 9000, 70000, 600000, 3000000};
    for (size_t i = 0; i < ROWS; i++) {
        if (!rows[i].zero) continue;
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            for (int again = 0; again < 3; again++) {
                void *const p = rows[i].allocate(sizes[s]);
                assert_non_null(p);
                if (!api_is_zero(p, sizes[s])) fail_msg("%s of %zu", rows[i].name, sizes[s]);
                api_use_all(p);
                mi_free(p);
            }
        }
    }
}

static void natural_alignment(void **state)
{
    (void)state;
    enum { BLOCKS = 40 };
    for (size_t size = 1; size <= 70000;
         size += size < 5000 ? API_TIMES(1u, 1 + size / 8) : API_TIMES(997u, 9970u)) {
        size_t alignment = 16;
        if (!API_CANARY && (size & (size - 1)) == 0 && size <= 4096 && size > 16) alignment = size;
        if (!API_CANARY && size % 4096 == 0) alignment = 4096;
        void *blocks[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = mi_malloc(size);
            assert_non_null(blocks[i]);
            if ((uintptr_t)blocks[i] % alignment != 0) fail_msg("%zu bytes at %p", size, blocks[i]);
        }
        for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
    }
    for (size_t size = 4096; size <= 8 * MIC_MIB;
         size += API_TIMES(1u, 16u) * (size < MIC_MIB ? 4096 : 16 * 4096 + 4096)) {
        void *const p = mi_malloc(size);
        api_assert_aligned(p, API_CANARY ? 16u : 4096u);
        mi_free(p);
    }
}

static void free_of_null_is_nothing(void **state)
{
    (void)state;
    errno = 7;
    mi_free(NULL);
    mi_free_small(NULL);
    mi_free_size(NULL, 10);
    mi_free_size_aligned(NULL, 10, 16);
    mi_free_aligned(NULL, 16);
    mi_cfree(NULL);
    mi_ufree(NULL, NULL);
    assert_int_equal(errno, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_a_block_of_its_own),
        cmocka_unit_test(success_does_not_touch_errno),
        cmocka_unit_test(the_impossible_is_enomem),
        cmocka_unit_test(overflowing_counts_are_enomem),
        cmocka_unit_test(zeroed_is_zero_whatever_was_there),
        cmocka_unit_test(natural_alignment),
        cmocka_unit_test(free_of_null_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
