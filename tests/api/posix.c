/* The names of POSIX, BSD, macOS, glibc and Windows. */
#include <unistd.h>

#include "api_test.h"

static void posix_memalign_contract(void **state)
{
    (void)state;
    for (size_t alignment = sizeof(void *); alignment <= 4 * MIC_MIB; alignment *= 2) {
        void *p = NULL;
        errno = 11;
        assert_int_equal(mi_posix_memalign(&p, alignment, 100), 0);
        assert_int_equal(errno, 11);
        api_assert_aligned(p, alignment);
        api_use_all(p);
        mi_free(p);
    }
    int mark;
    static const size_t bad[] = {0, 1, 2, 4, 12, 24, 40, 100, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        void *p = &mark;
        assert_int_equal(mi_posix_memalign(&p, bad[i], 100), EINVAL);
        assert_ptr_equal(p, &mark);
    }
    assert_int_equal(mi_posix_memalign(NULL, 16, 100), EINVAL);
    void *p = &mark;
    errno = 12;
    assert_int_equal(mi_posix_memalign(&p, 16, API_HUGE), ENOMEM);
    assert_int_equal(mi_posix_memalign(&p, 64, api_opaque(SIZE_MAX)), ENOMEM);
    assert_ptr_equal(p, &mark);
    assert_int_equal(errno, 12);
    assert_int_equal(mi_posix_memalign(&p, 4096, 0), 0);
    api_assert_aligned(p, 4096);
    mi_free(p);
}

static void memalign_and_aligned_alloc(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= MIC_MIB; alignment *= 2) {
        void *p, *q;
        api_assert_works(p, mi_memalign(alignment, 33)); /* no multiple of the alignment */
        api_assert_works(q, mi_aligned_alloc(alignment, 33));
        api_assert_aligned(p, alignment);
        api_assert_aligned(q, alignment);
        mi_free_aligned(p, alignment);
        mi_free_size_aligned(q, 33, alignment);
    }
    api_assert_fails(mi_memalign(api_opaque(0), 10), EINVAL);
    api_assert_fails(mi_memalign(api_opaque(24), 10), EINVAL);
    api_assert_fails(mi_aligned_alloc(api_opaque(24), 10), EINVAL);
}

static void valloc_and_pvalloc(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    static const size_t sizes[] = {1, 100, 4095, 4096, 4097, 100000, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *p, *q;
        api_assert_works(p, mi_valloc(sizes[i]));
        api_assert_works(q, mi_pvalloc(sizes[i]));
        api_assert_aligned(p, page);
        api_assert_aligned(q, page);
        assert_true(mi_usable_size(p) >= sizes[i]);
        assert_true(mi_usable_size(q) >= (sizes[i] + page - 1) / page * page);
        mi_free(p);
        mi_free(q);
    }
    api_assert_fails(mi_pvalloc(api_opaque((size_t)PTRDIFF_MAX - 5)), ENOMEM);
    api_assert_fails(mi_pvalloc(api_opaque(SIZE_MAX - 5)), ENOMEM);
}

static void usable_size_by_all_names(void **state)
{
    (void)state;
    void *const p = mi_malloc(77);
    assert_int_equal(mi_malloc_size(p), mi_usable_size(p));
    assert_int_equal(mi_malloc_usable_size(p), mi_usable_size(p));
    assert_int_equal(mi_malloc_good_size(77), mi_good_size(77));
    mi_free_size(p, 77);

    static char area[64];
    const void *const foreign[] = {
        NULL,  area, &area[1], &p, (void *)16, (void *)~(uintptr_t)0, (void *)((uintptr_t)1 << 63),
        stdout};
    api_record_start(); /* builds that check report it */
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_int_equal(mi_malloc_size(foreign[i]), 0);
        assert_int_equal(mi_malloc_usable_size(foreign[i]), 0);
        assert_int_equal(mi_usable_size(foreign[i]), 0);
    }
    api_record_stop();
    assert_int_equal(api_record.errors, API_CHECKED ? 3 * 7 : 0);
}

static void cfree_ignores_what_is_not_ours(void **state)
{
    (void)state;
    static char area[64];
    api_record_start();
    mi_cfree(mi_malloc(10));
    mi_cfree(NULL);
    mi_cfree(area);
    mi_cfree(&state);
    api_record_stop();
    assert_int_equal(api_record.errors, 0);
    assert_string_equal(api_record.text, "");
}

static void expand_by_its_windows_name(void **state)
{
    (void)state;
    void *const p = mi_malloc(100);
    void *q;
    api_assert_works(q, mi__expand(p, 90));
    assert_ptr_equal(p, q);
    api_assert_fails(mi__expand(p, 100000), ENOMEM);
    mi_free(p);
}

static void reallocarray_is_reallocn(void **state)
{
    (void)state;
    char *p;
    api_assert_works(p, mi_reallocarray(NULL, 10, 10));
    api_fill(p, 100, 1);
    api_assert_works(p, mi_reallocarray(p, 100, 100));
    assert_true(api_is_filled(p, 100, 1));
    api_assert_fails(mi_reallocarray(p, api_opaque(SIZE_MAX / 2), 3), ENOMEM);
    assert_true(api_is_filled(p, 100, 1));
    api_assert_works(p, mi_reallocarray(p, api_opaque(0), 10)); /* a minimal block */
    mi_free(p);
}

static void reallocarr_contract(void **state)
{
    (void)state;
    char *p = NULL;
    errno = 3;
    assert_int_equal(mi_reallocarr(&p, 10, 10), 0);
    assert_int_equal(errno, 3);
    assert_non_null(p);
    api_fill(p, 100, 2);
    char *const before = p;

    assert_int_equal(mi_reallocarr(NULL, 10, 10), EINVAL);
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_int_equal(mi_reallocarr(&p, 10, 0), EINVAL);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(mi_reallocarr(&p, api_opaque(SIZE_MAX), 2), EOVERFLOW);
    assert_int_equal(errno, EOVERFLOW);
    assert_int_equal(mi_reallocarr(&p, API_HUGE, 1), ENOMEM);
    assert_int_equal(errno, ENOMEM);
    assert_ptr_equal(p, before);
    assert_true(api_is_filled(p, 100, 2));

    assert_int_equal(mi_reallocarr(&p, 1000, 10), 0);
    assert_true(api_is_filled(p, 100, 2));
    assert_int_equal(mi_reallocarr(&p, 0, 10), 0);
    assert_null(p);
    assert_int_equal(mi_reallocarr(&p, 0, 10), 0);
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posix_memalign_contract),
        cmocka_unit_test(memalign_and_aligned_alloc),
        cmocka_unit_test(valloc_and_pvalloc),
        cmocka_unit_test(usable_size_by_all_names),
        cmocka_unit_test(cfree_ignores_what_is_not_ours),
        cmocka_unit_test(expand_by_its_windows_name),
        cmocka_unit_test(reallocarray_is_reallocn),
        cmocka_unit_test(reallocarr_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
