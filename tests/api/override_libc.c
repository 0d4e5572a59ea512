/* override */
/* The process's own malloc and free are ours: C, POSIX, BSD and glibc's internal names. */
#include <malloc.h>
#include <unistd.h>

#include "api_test.h"

/* what no header declares any more, or yet */
void cfree(void *p);
void vfree(void *p);
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);
int reallocarr(void *ptrp, size_t count, size_t size);
void *reallocf(void *p, size_t size);
size_t malloc_size(const void *p);
size_t malloc_good_size(size_t size);
void *_aligned_malloc(size_t alignment, size_t size);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
void __libc_free(void *p);
void __libc_cfree(void *p);
int __posix_memalign(void **p, size_t alignment, size_t size);

#define assert_ours(p) assert_true(mi_any_heap_contains(p))

static void everything_is_ours(void **state)
{
    (void)state;
    void *const blocks[] = {
        malloc(100),         calloc(10, 10),
        realloc(NULL, 100),  reallocarray(NULL, 10, 10),
        reallocf(NULL, 100), aligned_alloc(64, 100),
        memalign(64, 100),   _aligned_malloc(64, 100),
        valloc(100),         pvalloc(100),
        strdup("text"),      strndup("text", 2),
        __libc_malloc(100),  __libc_calloc(10, 10),
        __libc_valloc(100),  __libc_realloc(NULL, 100),
        __libc_pvalloc(100), __libc_memalign(64, 100),
    };
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        assert_non_null(blocks[i]);
        assert_ours(blocks[i]);
        free(blocks[i]);
    }
    char *const path = realpath("/", NULL); /* allocated inside the C library */
    assert_string_equal(path, "/");
    assert_ours(path);
    free(path);
}

static void every_way_to_free(void **state)
{
    (void)state;
    errno = 41;
    free(NULL);
    free(malloc(10));
    cfree(malloc(10));
    vfree(valloc(10));
    free_sized(malloc(10), 10);
    free_aligned_sized(aligned_alloc(64, 10), 64, 10);
    __libc_free(malloc(10));
    __libc_cfree(malloc(10));
    mi_free(malloc(10));
    free(mi_malloc(10));
    assert_int_equal(errno, 41);
}

static void errno_is_enomem(void **state)
{
    (void)state;
    char *const p = malloc(100);
    api_fill(p, 100, 1);
    const size_t all = api_opaque(SIZE_MAX);
    api_assert_fails(malloc(API_HUGE), ENOMEM);
    api_assert_fails(calloc(API_HUGE, 4), ENOMEM);
    api_assert_fails(calloc(1, API_HUGE), ENOMEM);
    api_assert_fails(realloc(api_opaque_pointer(p), API_HUGE), ENOMEM);
    api_assert_fails(reallocarray(api_opaque_pointer(p), all, 2), ENOMEM);
    api_assert_fails(reallocarray(api_opaque_pointer(p), API_HUGE, 1), ENOMEM);
    api_assert_fails(aligned_alloc(64, API_HUGE), ENOMEM);
    api_assert_fails(memalign(64, API_HUGE), ENOMEM);
    api_assert_fails(valloc(API_HUGE), ENOMEM);
    api_assert_fails(pvalloc(API_HUGE), ENOMEM);
    api_assert_fails(pvalloc(all), ENOMEM);
    assert_true(api_is_filled(p, 100, 1));
    free(p);
}

static void realloc_corner_cases(void **state)
{
    (void)state;
    char *p;
    api_assert_works(p, realloc(NULL, api_opaque(0)));
    api_assert_works(p, realloc(p, 50));
    api_fill(p, 50, 1);
    api_assert_works(p, realloc(p, 5000000));
    assert_true(api_is_filled(p, 50, 1));
    api_assert_works(p, realloc(p, 10));
    assert_true(api_is_filled(p, 10, 1));
    api_assert_works(p, realloc(p, api_opaque(0))); /* not NULL: p is not freed twice */
    assert_int_equal(p[api_opaque(0)], 0);
    free(p);
}

static void reallocarr_and_reallocf(void **state)
{
    (void)state;
    char *p = NULL;
    assert_int_equal(reallocarr(&p, 10, 10), 0);
    api_fill(p, 100, 1);
    assert_int_equal(reallocarr(&p, api_opaque(SIZE_MAX), 2), EOVERFLOW);
    assert_int_equal(reallocarr(&p, 1, 0), EINVAL);
    assert_true(api_is_filled(p, 100, 1));
    assert_int_equal(reallocarr(&p, 0, 1), 0);
    assert_null(p);
    p = malloc(10);
    api_assert_fails(reallocf(p, API_HUGE), ENOMEM);
}

static void posix_memalign_contract(void **state)
{
    (void)state;
    void *p = &p;
    errno = 42;
    assert_int_equal(posix_memalign(&p, api_opaque(3), 10), EINVAL);
    assert_int_equal(posix_memalign(&p, api_opaque(4), 10), EINVAL);
    assert_int_equal(posix_memalign(&p, 16, API_HUGE), ENOMEM);
    assert_ptr_equal(p, &p);
    assert_int_equal(errno, 42);
    assert_int_equal(posix_memalign(&p, 65536, 10), 0);
    api_assert_aligned(p, 65536);
    free(p);
    assert_int_equal(__posix_memalign(&p, 32, 10), 0);
    api_assert_aligned(p, 32);
    free(p);
}

static void pages(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *const p = pvalloc(page + 1);
    api_assert_aligned(p, page);
    assert_true(malloc_usable_size(p) >= 2 * page);
    free(p);
    void *const q = valloc(1);
    api_assert_aligned(q, page);
    free(q);
}

static void usable_size(void **state)
{
    (void)state;
    for (size_t size = 0; size < 1000000; size = size * 2 + 1) {
        void *const p = malloc(size);
        assert_true(malloc_usable_size(p) >= size);
        assert_int_equal(malloc_usable_size(p), mi_usable_size(p));
        assert_int_equal(malloc_size(p), mi_usable_size(p));
        assert_int_equal(malloc_good_size(size), mi_usable_size(p));
        api_use_all(p);
        free(p);
    }
    assert_int_equal(malloc_usable_size(NULL), 0);
    api_record_start(); /* builds that check report it */
    assert_int_equal(malloc_usable_size(api_opaque_pointer(&state)), 0);
    api_record_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_ours),
        cmocka_unit_test(every_way_to_free),
        cmocka_unit_test(errno_is_enomem),
        cmocka_unit_test(realloc_corner_cases),
        cmocka_unit_test(reallocarr_and_reallocf),
        cmocka_unit_test(posix_memalign_contract),
        cmocka_unit_test(pages),
        cmocka_unit_test(usable_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
