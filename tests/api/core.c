/* The standard functions and their near relations (mimalloc.h, first two groups). */
#include "api_test.h"

static void malloc_gives_memory_of_its_own(void **state)
{
    (void)state;
    enum { BLOCKS = 1000 };
    static unsigned char *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = mi_malloc(i);
        assert_non_null(blocks[i]);
        api_fill(blocks[i], i, i);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        assert_true(api_is_filled(blocks[i], i, i));
        mi_free(blocks[i]);
    }
}

static void malloc_of_any_size_is_usable(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 64 * 1024 * 1024; size = size * 3 / 2 + 1) {
        void *p;
        api_assert_works(p, mi_malloc(size));
        assert_true(mi_usable_size(p) >= size);
        api_use_all(p);
        mi_free(p);
    }
}

static void zeroing_functions_zero(void **state)
{
    (void)state;
    api_soil();
    for (size_t size = 1; size <= 8 * 1024 * 1024; size = size * 3 / 2 + 1) {
        void *a, *b;
        api_assert_works(a, mi_zalloc(size));
        assert_true(api_is_zero(a, size));
        api_assert_works(b, mi_calloc(1, size));
        assert_true(api_is_zero(b, size));
        memset(a, 1, size);
        memset(b, 1, size);
        mi_free(a);
        mi_free(b);
        api_assert_works(a, mi_calloc(size, 1));
        assert_true(api_is_zero(a, size));
        mi_free(a);
    }
}

static void small_functions(void **state)
{
    (void)state;
    for (size_t size = 0; size <= MI_SMALL_SIZE_MAX; size++) {
        void *a, *b;
        api_assert_works(a, mi_malloc_small(size));
        assert_true(mi_usable_size(a) >= size);
        api_use_all(a);
        mi_free_small(a);
        api_assert_works(b, mi_zalloc_small(size));
        assert_true(api_is_zero(b, size));
        mi_free_small(b);
    }
    mi_free_small(NULL);
}

static void realloc_keeps_contents(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 17, 100, 1000, 1024, 1025, 5000, 70000, 600000, 9000000};
    const size_t count = sizeof sizes / sizeof sizes[0];
    for (size_t from = 0; from < count; from++) {
        for (size_t to = 0; to < count; to++) {
            unsigned char *p = mi_malloc(sizes[from]);
            assert_non_null(p);
            api_fill(p, sizes[from], 3);
            api_assert_works(p, mi_realloc(p, sizes[to]));
            assert_true(mi_usable_size(p) >= sizes[to]);
            assert_true(api_is_filled(p, sizes[from] < sizes[to] ? sizes[from] : sizes[to], 3));
            mi_free(p);
        }
    }
}

static void realloc_of_null_allocates(void **state)
{
    (void)state;
    void *p;
    api_assert_works(p, mi_realloc(NULL, 100));
    api_use_all(p);
    mi_free(p);
    api_assert_works(p, mi_realloc(NULL, 0));
    mi_free(p);
}

static void realloc_to_nothing_is_a_minimal_block(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 100, 5000, 700000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = mi_malloc(sizes[i]);
        assert_non_null(p);
        memset(p, 0x55, sizes[i]);
        api_assert_works(p, mi_realloc(p, api_opaque(0)));
        assert_int_equal(p[0], 0);
        assert_true(mi_usable_size(p) <= mi_good_size(1));
        mi_free(p);
    }
}

static void failing_realloc_keeps_the_block(void **state)
{
    (void)state;
    char *const p = mi_malloc(100);
    assert_non_null(p);
    api_fill(p, 100, 9);
    api_assert_fails(mi_realloc(p, API_HUGE), ENOMEM);
    api_assert_fails(mi_realloc(p, api_opaque(SIZE_MAX)), ENOMEM);
    api_assert_fails(mi_reallocn(p, api_opaque(SIZE_MAX), 2), ENOMEM);
    assert_true(api_is_filled(p, 100, 9));
    mi_free(p);
}

static void reallocf_frees_when_it_fails(void **state)
{
    (void)state;
    void *p = mi_malloc(50);
    assert_non_null(p);
    api_assert_works(p, mi_reallocf(p, 500));
    api_record_start();
    api_assert_fails(mi_reallocf(p, API_HUGE), ENOMEM);
    assert_int_equal(api_record.last_error, EOVERFLOW);
    api_record_stop();
    api_assert_fails(mi_reallocf(NULL, API_HUGE), ENOMEM);
    /* freed blocks come back: this would need 50 MB of address space, not 50 KB, otherwise */
    for (int i = 0; i < 1000; i++) {
        p = mi_malloc(50000);
        assert_non_null(p);
        api_assert_fails(mi_reallocf(p, API_HUGE), ENOMEM);
    }
    size_t commit;
    mi_process_info(NULL, NULL, NULL, NULL, NULL, &commit, NULL, NULL);
    assert_true(commit < 512 * MIC_MIB); /* hardened mode holds up to 256 MiB of spans */
}

static void counted_functions(void **state)
{
    (void)state;
    int *p;
    api_assert_works(p, mi_mallocn_tp(int, 25));
    assert_true(mi_usable_size(p) >= 25 * sizeof(int));
    api_fill(p, 25 * sizeof(int), 1);
    api_assert_works(p, mi_reallocn_tp(p, int, 100));
    assert_true(api_is_filled(p, 25 * sizeof(int), 1));
    mi_free(p);
    api_assert_works(p, mi_calloc_tp(int, 25));
    assert_true(api_is_zero(p, 25 * sizeof(int)));
    api_assert_works(p, mi_recalloc_tp(p, int, 5000));
    assert_true(api_is_zero(p, 5000 * sizeof(int)));
    mi_free(p);
    api_assert_works(p, mi_malloc_tp(int));
    mi_free(p);
    api_assert_works(p, mi_zalloc_tp(int));
    assert_int_equal(*p, 0);
    mi_free(p);
}

static void expand_never_moves(void **state)
{
    (void)state;
    char *const p = mi_malloc(100);
    assert_non_null(p);
    void *q;
    api_assert_works(q, mi_expand(p, 100));
    assert_ptr_equal(q, p);
    api_assert_works(q, mi_expand(p, mi_usable_size(p)));
    assert_ptr_equal(q, p);
    api_assert_works(q, mi_expand(p, 1));
    assert_ptr_equal(q, p);
    api_assert_fails(mi_expand(p, API_HUGE), ENOMEM);
    api_assert_fails(mi_expand(NULL, 1), ENOMEM);
    mi_free(p);
}

static void good_size_is_usable_size(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 4 * 1024 * 1024; size = size < 2000 ? size + 1 : size * 9 / 8) {
        void *const p = mi_malloc(size);
        assert_non_null(p);
        assert_true(mi_good_size(size) >= size);
        assert_int_equal(mi_usable_size(p), mi_good_size(size));
        mi_free(p);
    }
    assert_int_equal(mi_good_size(SIZE_MAX), SIZE_MAX);
    assert_int_equal(mi_usable_size(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malloc_gives_memory_of_its_own),
        cmocka_unit_test(malloc_of_any_size_is_usable),
        cmocka_unit_test(zeroing_functions_zero),
        cmocka_unit_test(small_functions),
        cmocka_unit_test(realloc_keeps_contents),
        cmocka_unit_test(realloc_of_null_allocates),
        cmocka_unit_test(realloc_to_nothing_is_a_minimal_block),
        cmocka_unit_test(failing_realloc_keeps_the_block),
        cmocka_unit_test(reallocf_frees_when_it_fails),
        cmocka_unit_test(counted_functions),
        cmocka_unit_test(expand_never_moves),
        cmocka_unit_test(good_size_is_usable_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
