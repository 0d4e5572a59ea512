/* What holds for every function that allocates from a heap, over tables of all of them: the heap,
   size 0, sizes that cannot be, errno, zeroes, alignment, moving between heaps. */
#include <limits.h>

#include "api_test.h"

/* ---- each row allocates `size` bytes one way or other ---- */

static void *by_malloc(mi_heap_t *h, size_t n) { return mi_heap_malloc(h, n); }
static void *by_zalloc(mi_heap_t *h, size_t n) { return mi_heap_zalloc(h, n); }
static void *by_calloc(mi_heap_t *h, size_t n) { return mi_heap_calloc(h, 1, n); }
static void *by_mallocn(mi_heap_t *h, size_t n) { return mi_heap_mallocn(h, n, 1); }
static void *by_malloc_small(mi_heap_t *h, size_t n) { return mi_heap_malloc_small(h, n); }
static void *by_zalloc_small(mi_heap_t *h, size_t n) { return mi_heap_zalloc_small(h, n); }
static void *by_realloc(mi_heap_t *h, size_t n) { return mi_heap_realloc(h, NULL, n); }
static void *by_reallocn(mi_heap_t *h, size_t n) { return mi_heap_reallocn(h, NULL, n, 1); }
static void *by_reallocf(mi_heap_t *h, size_t n) { return mi_heap_reallocf(h, NULL, n); }
static void *by_rezalloc(mi_heap_t *h, size_t n) { return mi_heap_rezalloc(h, NULL, n); }
static void *by_recalloc(mi_heap_t *h, size_t n) { return mi_heap_recalloc(h, NULL, 1, n); }
static void *by_malloc_aligned(mi_heap_t *h, size_t n) { return mi_heap_malloc_aligned(h, n, 64); }
static void *by_zalloc_aligned(mi_heap_t *h, size_t n) { return mi_heap_zalloc_aligned(h, n, 64); }
static void *by_calloc_aligned(mi_heap_t *h, size_t n)
{
    return mi_heap_calloc_aligned(h, n, 1, 64);
}
static void *by_malloc_aligned_far(mi_heap_t *h, size_t n)
{
    return mi_heap_malloc_aligned(h, n, 256 * MIC_KIB);
}
static void *by_malloc_at(mi_heap_t *h, size_t n)
{
    return mi_heap_malloc_aligned_at(h, n, 64, 24);
}
static void *by_zalloc_at(mi_heap_t *h, size_t n)
{
    return mi_heap_zalloc_aligned_at(h, n, 64, 24);
}
static void *by_calloc_at(mi_heap_t *h, size_t n)
{
    return mi_heap_calloc_aligned_at(h, 1, n, 64, 24);
}
static void *by_realloc_aligned(mi_heap_t *h, size_t n)
{
    return mi_heap_realloc_aligned(h, NULL, n, 64);
}
static void *by_realloc_at(mi_heap_t *h, size_t n)
{
    return mi_heap_realloc_aligned_at(h, NULL, n, 64, 24);
}
static void *by_rezalloc_aligned(mi_heap_t *h, size_t n)
{
    return mi_heap_rezalloc_aligned(h, NULL, n, 64);
}
static void *by_rezalloc_at(mi_heap_t *h, size_t n)
{
    return mi_heap_rezalloc_aligned_at(h, NULL, n, 64, 24);
}
static void *by_recalloc_aligned(mi_heap_t *h, size_t n)
{
    return mi_heap_recalloc_aligned(h, NULL, n, 1, 64);
}
static void *by_recalloc_at(mi_heap_t *h, size_t n)
{
    return mi_heap_recalloc_aligned_at(h, NULL, 1, n, 64, 24);
}

typedef void *allocate_fun(mi_heap_t *heap, size_t size);
typedef struct row {
    const char *name;
    allocate_fun *allocate;
    bool zero;
    size_t alignment, offset;
} row_t;

static const row_t rows[] = {
    {"malloc", by_malloc, false, 16, 0},
    {"zalloc", by_zalloc, true, 16, 0},
    {"calloc", by_calloc, true, 16, 0},
    {"mallocn", by_mallocn, false, 16, 0},
    {"malloc_small", by_malloc_small, false, 16, 0},
    {"zalloc_small", by_zalloc_small, true, 16, 0},
    {"realloc", by_realloc, false, 16, 0},
    {"reallocn", by_reallocn, false, 16, 0},
    {"reallocf", by_reallocf, false, 16, 0},
    {"rezalloc", by_rezalloc, true, 16, 0},
    {"recalloc", by_recalloc, true, 16, 0},
    {"malloc_aligned", by_malloc_aligned, false, 64, 0},
    {"zalloc_aligned", by_zalloc_aligned, true, 64, 0},
    {"calloc_aligned", by_calloc_aligned, true, 64, 0},
    {"malloc_aligned_far", by_malloc_aligned_far, false, 256 * 1024, 0},
    {"malloc_aligned_at", by_malloc_at, false, 64, 24},
    {"zalloc_aligned_at", by_zalloc_at, true, 64, 24},
    {"calloc_aligned_at", by_calloc_at, true, 64, 24},
    {"realloc_aligned", by_realloc_aligned, false, 64, 0},
    {"realloc_aligned_at", by_realloc_at, false, 64, 24},
    {"rezalloc_aligned", by_rezalloc_aligned, true, 64, 0},
    {"rezalloc_aligned_at", by_rezalloc_at, true, 64, 24},
    {"recalloc_aligned", by_recalloc_aligned, true, 64, 0},
    {"recalloc_aligned_at", by_recalloc_at, true, 64, 24},
};
#define ROWS (sizeof rows / sizeof rows[0])

static const size_t sizes[] = {0, 1, 100, 1024, 1025, 8192, 50000, 300000, 600000, 40000000};
#define SIZES (sizeof sizes / sizeof sizes[0])

static void every_function_serves_its_heap(void **state)
{
    (void)state;
    api_soil();
    mi_heap_t *const heap = mi_heap_new();
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t s = 0; s < SIZES; s++) {
            char *p;
            api_assert_works(p, rows[i].allocate(heap, sizes[s]));
            if (mi_heap_of(p) != heap) fail_msg("%s: %zu: elsewhere", rows[i].name, sizes[s]);
            assert_true(mi_usable_size(p) >= sizes[s]);
            if (sizes[s] >= 16) api_assert_aligned(p + rows[i].offset, rows[i].alignment);
            if (rows[i].zero && !api_is_zero(p, sizes[s])) fail_msg("%s: dirt", rows[i].name);
            api_use_all(p);
            api_set(p, 0xdd, mi_usable_size(p)); /* for who finds it next */
            mi_free(p);
        }
    }
    mi_heap_destroy(heap);
}

static void two_of_nothing_differ(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    for (size_t i = 0; i < ROWS; i++) {
        void *const a = rows[i].allocate(heap, 0), *const b = rows[i].allocate(heap, 0);
        assert_ptr_not_equal(a, b);
    }
    mi_heap_destroy(heap);
}

static void the_impossible_is_enomem(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    const size_t impossible[] = {API_HUGE, api_opaque(SIZE_MAX), api_opaque(PTRDIFF_MAX),
                                 api_opaque(SIZE_MAX - 64)};
    for (size_t i = 0; i < ROWS; i++)
        for (size_t s = 0; s < sizeof impossible / sizeof impossible[0]; s++)
            api_assert_fails(rows[i].allocate(heap, impossible[s]), ENOMEM);
    const size_t much = api_opaque(SIZE_MAX / 2 + 2);
    char *p = mi_heap_malloc(heap, 100);
    api_fill(p, 100, 1);
    api_assert_fails(mi_heap_calloc(heap, much, 2), ENOMEM);
    api_assert_fails(mi_heap_mallocn(heap, 2, much), ENOMEM);
    api_assert_fails(mi_heap_calloc_aligned(heap, much, 2, 64), ENOMEM);
    api_assert_fails(mi_heap_calloc_aligned_at(heap, much, 2, 64, 8), ENOMEM);
    api_assert_fails(mi_heap_reallocn(heap, p, much, 2), ENOMEM);
    api_assert_fails(mi_heap_recalloc(heap, p, much, 2), ENOMEM);
    api_assert_fails(mi_heap_recalloc_aligned(heap, p, much, 2, 64), ENOMEM);
    api_assert_fails(mi_heap_recalloc_aligned_at(heap, p, much, 2, 64, 8), ENOMEM);
    api_assert_fails(mi_heap_realloc(heap, p, API_HUGE), ENOMEM);
    assert_true(api_is_filled(p, 100, 1));                         /* as it was */
    api_assert_fails(mi_heap_reallocf(heap, p, API_HUGE), ENOMEM); /* frees it */
    mi_heap_destroy(heap);
}

static void bad_alignments_are_einval(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    const size_t bad[] = {api_opaque(0), api_opaque(3), api_opaque(24), api_opaque(SIZE_MAX)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        api_assert_fails(mi_heap_malloc_aligned(heap, 100, bad[i]), EINVAL);
        api_assert_fails(mi_heap_zalloc_aligned_at(heap, 100, bad[i], 8), EINVAL);
        api_assert_fails(mi_heap_calloc_aligned(heap, 100, 1, bad[i]), EINVAL);
    }
    mi_heap_destroy(heap);
}

/* ---- resizing ---- */

static void *re_realloc(mi_heap_t *h, void *p, size_t n) { return mi_heap_realloc(h, p, n); }
static void *re_reallocn(mi_heap_t *h, void *p, size_t n) { return mi_heap_reallocn(h, p, n, 1); }
static void *re_reallocf(mi_heap_t *h, void *p, size_t n) { return mi_heap_reallocf(h, p, n); }
static void *re_rezalloc(mi_heap_t *h, void *p, size_t n) { return mi_heap_rezalloc(h, p, n); }
static void *re_recalloc(mi_heap_t *h, void *p, size_t n) { return mi_heap_recalloc(h, p, n, 1); }
static void *re_aligned(mi_heap_t *h, void *p, size_t n)
{
    return mi_heap_realloc_aligned(h, p, n, 64);
}
static void *re_at(mi_heap_t *h, void *p, size_t n)
{
    return mi_heap_realloc_aligned_at(h, p, n, 64, 8);
}
static void *re_rezalloc_aligned(mi_heap_t *h, void *p, size_t n)
{
    return mi_heap_rezalloc_aligned(h, p, n, 64);
}
static void *re_rezalloc_at(mi_heap_t *h, void *p, size_t n)
{
    return mi_heap_rezalloc_aligned_at(h, p, n, 64, 8);
}
static void *re_recalloc_aligned(mi_heap_t *h, void *p, size_t n)
{
    return mi_heap_recalloc_aligned(h, p, 1, n, 64);
}
static void *re_recalloc_at(mi_heap_t *h, void *p, size_t n)
{
    return mi_heap_recalloc_aligned_at(h, p, 1, n, 64, 8);
}

typedef void *resize_fun(mi_heap_t *heap, void *p, size_t size);
typedef struct resize {
    resize_fun *run;
    bool zero;
    size_t alignment, offset;
} resize_t;
static const resize_t resizes[] = {
    {re_realloc, false, 16, 0},    {re_reallocn, false, 16, 0},
    {re_reallocf, false, 16, 0},   {re_rezalloc, true, 16, 0},
    {re_recalloc, true, 16, 0},    {re_aligned, false, 64, 0},
    {re_at, false, 64, 8},         {re_rezalloc_aligned, true, 64, 0},
    {re_rezalloc_at, true, 64, 8}, {re_recalloc_aligned, true, 64, 0},
    {re_recalloc_at, true, 64, 8},
};
#define RESIZES (sizeof resizes / sizeof resizes[0])

static const size_t steps[][2] = {{100, 100},    {100, 60},         {100, 3000},
                                  {3000, 100},   {20000, 19000},    {20000, 90000},
                                  {90000, 100},  {300000, 700000},  {700000, 1500000},
                                  {5000000, 64}, {3000000, 2900000}};

/* From its own heap, from another one, from the main heap, of any size and by any function. */
static void resizing_ends_in_the_heap_asked_for(void **state)
{
    (void)state;
    api_soil();
    mi_heap_t *const heap = mi_heap_new(), *const other = mi_heap_new();
    mi_heap_t *const from[] = {heap, other, mi_heap_main()};
    for (size_t i = 0; i < RESIZES * 3; i++) {
        const resize_t *const resize = &resizes[i / 3];
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            const size_t before = steps[s][0], after = steps[s][1];
            char *const p = mi_heap_zalloc(from[i % 3], before);
            api_fill(p, before, 7);
            char *q;
            api_assert_works(q, resize->run(heap, p, after));
            if (mi_heap_of(q) != heap)
                fail_msg("resize %zu from heap %zu, %zu to %zu: elsewhere", i / 3, i % 3, before,
                         after);
            assert_true(api_is_filled(q, before < after ? before : after, 7));
            if (resize->zero && after > before)
                assert_true(api_is_zero(q + before, after - before));
            api_assert_aligned(q + resize->offset, resize->alignment);
            api_use_all(q);
            mi_free(q);
        }
    }
    mi_heap_destroy(other);
    mi_heap_destroy(heap);
}

static void resizing_to_nothing_is_a_minimal_block(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    for (size_t i = 0; i < RESIZES; i++) {
        char *const p = mi_heap_zalloc(heap, 1000);
        memset(p, 1, 1000);
        char *q;
        api_assert_works(q, resizes[i].run(heap, p, 0));
        assert_int_equal(q[0], 0);
        assert_ptr_equal(mi_heap_of(q), heap);
        mi_free(q);
    }
    mi_heap_destroy(heap);
}

/* ---- strings, C++ ---- */

static void strings_are_copied_into_the_heap(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    char *p;
    api_assert_works(p, mi_heap_strdup(heap, "a string"));
    assert_string_equal(p, "a string");
    assert_ptr_equal(mi_heap_of(p), heap);
    api_assert_works(p, mi_heap_strndup(heap, "a string", 3));
    assert_string_equal(p, "a s");
    assert_ptr_equal(mi_heap_of(p), heap);
    api_assert_works(p, mi_heap_strndup(heap, "a string", 300));
    assert_string_equal(p, "a string");
    assert_null(mi_heap_strdup(heap, NULL));
    assert_null(mi_heap_strndup(heap, NULL, 3));
    assert_non_null(p = mi_heap_realpath(heap, "/usr/../usr/.", NULL));
    assert_string_equal(p, "/usr");
    assert_ptr_equal(mi_heap_of(p), heap);
    char path[PATH_MAX];
    assert_ptr_equal(mi_heap_realpath(heap, "/usr/..", path), path);
    assert_string_equal(path, "/");
    api_assert_fails(mi_heap_realpath(heap, "/does/not/exist", NULL), ENOENT);
    mi_heap_destroy(heap);
}

static void new_allocates_from_the_heap(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    for (size_t s = 0; s < SIZES; s++) {
        void *p;
        api_assert_works(p, mi_heap_alloc_new(heap, sizes[s]));
        assert_ptr_equal(mi_heap_of(p), heap);
        assert_true(mi_usable_size(p) >= sizes[s]);
        api_assert_works(p, mi_heap_alloc_new_n(heap, sizes[s], 2));
        assert_ptr_equal(mi_heap_of(p), heap);
        assert_true(mi_usable_size(p) >= sizes[s] * 2);
    }
    mi_heap_destroy(heap);
}

static void by_type(void **state)
{
    (void)state;
    typedef struct thing {
        double numbers[7];
    } thing_t;
    mi_heap_t *const heap = mi_heap_new();
    thing_t *const one = mi_heap_malloc_tp(thing_t, heap);
    thing_t *const clear = mi_heap_zalloc_tp(thing_t, heap);
    thing_t *many = mi_heap_calloc_tp(thing_t, heap, 10);
    thing_t *more = mi_heap_mallocn_tp(thing_t, heap, 10);
    assert_true(mi_usable_size(one) >= sizeof *one);
    assert_true(api_is_zero(clear, sizeof *clear));
    assert_true(api_is_zero(many, 10 * sizeof *many));
    many = mi_heap_recalloc_tp(thing_t, heap, many, 30);
    assert_true(api_is_zero(many, 30 * sizeof *many));
    api_fill(more, 10 * sizeof *more, 3);
    more = mi_heap_reallocn_tp(thing_t, heap, more, 30);
    assert_true(api_is_filled(more, 10 * sizeof *more, 3));
    assert_ptr_equal(mi_heap_of(more), heap);
    mi_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_serves_its_heap),
        cmocka_unit_test(two_of_nothing_differ),
        cmocka_unit_test(the_impossible_is_enomem),
        cmocka_unit_test(bad_alignments_are_einval),
        cmocka_unit_test(resizing_ends_in_the_heap_asked_for),
        cmocka_unit_test(resizing_to_nothing_is_a_minimal_block),
        cmocka_unit_test(strings_are_copied_into_the_heap),
        cmocka_unit_test(new_allocates_from_the_heap),
        cmocka_unit_test(by_type),
    };
    return cmocka_run_group_tests_name("heap functions", tests, NULL, NULL);
}
