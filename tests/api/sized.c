/* The functions that return the size of the block as well. */
#include "api_test.h"

static void sizes_are_those_of_the_block(void **state)
{
    (void)state;
    for (size_t size = 0; size < 3000000; size = size * 3 / 2 + 1) {
        size_t bytes = 1, freed = 1;
        void *p;
        api_assert_works(p, mi_umalloc(size, &bytes));
        assert_true(bytes >= size && bytes > 0);
        assert_int_equal(bytes, mi_usable_size(p));
        memset(api_opaque_pointer(p), 1, bytes);
        mi_ufree(p, &freed);
        assert_int_equal(freed, bytes);

        api_assert_works(p, mi_ucalloc(size, 1, &bytes));
        assert_int_equal(bytes, mi_usable_size(p));
        assert_true(api_is_zero(p, size));
        mi_ufree(p, NULL);

        api_assert_works(p, mi_umalloc_aligned(size, 512, &bytes));
        assert_int_equal(bytes, mi_usable_size(p));
        api_assert_aligned(p, 512);
        memset(api_opaque_pointer(p), 1, bytes);
        mi_ufree(p, &freed);
        assert_int_equal(freed, bytes);

        api_assert_works(p, mi_uzalloc_aligned(size, 512, &bytes));
        assert_int_equal(bytes, mi_usable_size(p));
        assert_true(api_is_zero(p, size));
        mi_free(p);
    }
}

static void small_ones(void **state)
{
    (void)state;
    for (size_t size = 0; size <= MI_SMALL_SIZE_MAX; size += 3) {
        size_t bytes = 0;
        void *p;
        api_assert_works(p, mi_umalloc_small(size, &bytes));
        assert_int_equal(bytes, mi_usable_size(p));
        memset(api_opaque_pointer(p), 1, bytes);
        mi_free_small(p);
        api_assert_works(p, mi_uzalloc_small(size, &bytes));
        assert_int_equal(bytes, mi_usable_size(p));
        assert_true(api_is_zero(p, size));
        mi_free_small(p);
    }
}

static void resizing_tells_both(void **state)
{
    (void)state;
    size_t before = 1, after = 1;
    char *p;
    api_assert_works(p, mi_urealloc(NULL, 100, &before, &after));
    assert_int_equal(before, 0);
    assert_int_equal(after, mi_usable_size(p));
    api_fill(p, 100, 1);
    const size_t first = after;
    api_assert_works(p, mi_urealloc(p, 10000, &before, &after));
    assert_int_equal(before, first);
    assert_int_equal(after, mi_usable_size(p));
    assert_true(api_is_filled(p, 100, 1));
    api_assert_works(p, mi_urealloc(p, 50, NULL, NULL));
    mi_free(p);
}

static void failure_is_size_zero(void **state)
{
    (void)state;
    size_t bytes = 1, before = 1;
    api_assert_fails(mi_umalloc(API_HUGE, &bytes), ENOMEM);
    assert_int_equal(bytes, 0);
    bytes = 1;
    api_assert_fails(mi_umalloc_aligned(API_HUGE, 64, &bytes), ENOMEM);
    assert_int_equal(bytes, 0);
    bytes = 1;
    api_assert_fails(mi_uzalloc_aligned(100, api_opaque(24), &bytes), EINVAL);
    assert_int_equal(bytes, 0);

    void *const p = mi_malloc(100);
    assert_non_null(p);
    bytes = 1;
    api_assert_fails(mi_urealloc(p, API_HUGE, &before, &bytes), ENOMEM);
    assert_int_equal(before, mi_usable_size(p));
    assert_int_equal(bytes, 0);
    mi_free(p);
    mi_ufree(NULL, &bytes);
    assert_int_equal(bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_the_block),
        cmocka_unit_test(small_ones),
        cmocka_unit_test(resizing_tells_both),
        cmocka_unit_test(failure_is_size_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
