/* override */
/* Operators new and delete by the names that C++ compilers call. */
#include "api_test.h"

void *plain_new(size_t) __asm__("_Znwm");
void *plain_new_array(size_t) __asm__("_Znam");
void *nothrow_new(size_t, const void *) __asm__("_ZnwmRKSt9nothrow_t");
void *nothrow_new_array(size_t, const void *) __asm__("_ZnamRKSt9nothrow_t");
void *aligned_new(size_t, size_t) __asm__("_ZnwmSt11align_val_t");
void *aligned_new_array(size_t, size_t) __asm__("_ZnamSt11align_val_t");
void *aligned_nothrow_new(size_t, size_t,
                          const void *) __asm__("_ZnwmSt11align_val_tRKSt9nothrow_t");
void *aligned_nothrow_new_array(size_t, size_t,
                                const void *) __asm__("_ZnamSt11align_val_tRKSt9nothrow_t");

void plain_delete(void *) __asm__("_ZdlPv");
void plain_delete_array(void *) __asm__("_ZdaPv");
void sized_delete(void *, size_t) __asm__("_ZdlPvm");
void sized_delete_array(void *, size_t) __asm__("_ZdaPvm");
void nothrow_delete(void *, const void *) __asm__("_ZdlPvRKSt9nothrow_t");
void nothrow_delete_array(void *, const void *) __asm__("_ZdaPvRKSt9nothrow_t");
void aligned_delete(void *, size_t) __asm__("_ZdlPvSt11align_val_t");
void aligned_delete_array(void *, size_t) __asm__("_ZdaPvSt11align_val_t");
void sized_aligned_delete(void *, size_t, size_t) __asm__("_ZdlPvmSt11align_val_t");
void sized_aligned_delete_array(void *, size_t, size_t) __asm__("_ZdaPvmSt11align_val_t");
void aligned_nothrow_delete(void *, size_t,
                            const void *) __asm__("_ZdlPvSt11align_val_tRKSt9nothrow_t");
void aligned_nothrow_delete_array(void *, size_t,
                                  const void *) __asm__("_ZdaPvSt11align_val_tRKSt9nothrow_t");

static void *use(void *p, size_t size, size_t alignment)
{
    assert_non_null(p);
    assert_true(mi_any_heap_contains(p));
    assert_true(mi_usable_size(p) >= size);
    api_assert_aligned(p, alignment);
    api_use_all(p);
    return p;
}

static void every_operator(void **state)
{
    (void)state;
    const char tag = 0;
    for (size_t n = 0; n < 3000000; n = n * 3 / 2 + 1) {
        errno = 61;
        plain_delete(use(plain_new(n), n, 8));
        plain_delete_array(use(plain_new_array(n), n, 8));
        sized_delete(use(plain_new(n), n, 8), n);
        sized_delete_array(use(plain_new_array(n), n, 8), n);
        nothrow_delete(use(nothrow_new(n, &tag), n, 8), &tag);
        nothrow_delete_array(use(nothrow_new_array(n, &tag), n, 8), &tag);
        aligned_delete(use(aligned_new(n, 256), n, 256), 256);
        aligned_delete_array(use(aligned_new_array(n, 256), n, 256), 256);
        sized_aligned_delete(use(aligned_new(n, 32), n, 32), n, 32);
        sized_aligned_delete_array(use(aligned_new_array(n, 32), n, 32), n, 32);
        aligned_nothrow_delete(use(aligned_nothrow_new(n, 64, &tag), n, 64), 64, &tag);
        aligned_nothrow_delete_array(use(aligned_nothrow_new_array(n, 64, &tag), n, 64), 64, &tag);
        assert_int_equal(errno, 61);
    }
    plain_delete(NULL);
    plain_delete_array(NULL);
    sized_delete(NULL, 1);
}

static void nothrow_is_null(void **state)
{
    (void)state;
    const char tag = 0;
    api_assert_fails(nothrow_new(API_HUGE, &tag), ENOMEM);
    api_assert_fails(nothrow_new_array(API_HUGE, &tag), ENOMEM);
    api_assert_fails(aligned_nothrow_new(API_HUGE, 64, &tag), ENOMEM);
    api_assert_fails(aligned_nothrow_new_array(API_HUGE, 64, &tag), ENOMEM);
}

static void delete_wrongly(void (*run)(void *), void *p)
{
    api_record_start();
    run(p);
    api_record_stop();
    assert_int_equal(api_record.errors, 1);
    assert_int_equal(api_record.last_error, EINVAL);
}

static void too_large(void *p) { sized_delete(p, 2000); }
static void too_small(void *p) { sized_delete_array(p, 100); }
static void little_too_small(void *p) { sized_delete(p, 800); }
static void not_aligned(void *p) { aligned_delete(p, (size_t)1 << 40); }
static void too_large_aligned(void *p) { sized_aligned_delete(p, 100000, 32); }

/* An object deleted as one of another type, in builds that look. */
static void wrong_sizes_are_reported(void **state)
{
    (void)state;
    if (!API_CHECKED) skip();
    delete_wrongly(too_large, plain_new(1000));
    delete_wrongly(too_small, plain_new_array(1000));
    delete_wrongly(little_too_small, plain_new(1000));
    delete_wrongly(not_aligned, aligned_new(1000, 32));
    delete_wrongly(too_large_aligned, aligned_new(1000, 32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator),
        cmocka_unit_test(nothrow_is_null),
        cmocka_unit_test(wrong_sizes_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
