/* Thread heaps: what a thread owns of a heap, and which one its plain functions use. */
#include <pthread.h>

#include "api_test.h"

static const size_t sizes[] = {0, 1, 100, 1024, 1025, 8192, 50000, 300000, 600000, 40000000};
#define SIZES (sizeof sizes / sizeof sizes[0])

static void on_thread(void *(*work)(void *), void *arg)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void the_default_is_that_of_the_main_heap(void **state)
{
    (void)state;
    mi_theap_t *theap;
    api_assert_works(theap, mi_theap_get_default());
    assert_ptr_equal(theap, mi_heap_theap(mi_heap_main()));
}

static void each_heap_has_one_for_a_thread(void **state)
{
    (void)state;
    mi_heap_t *const a = mi_heap_new(), *const b = mi_heap_new();
    mi_theap_t *in_a, *in_b;
    api_assert_works(in_a, mi_heap_theap(a));
    api_assert_works(in_b, mi_heap_theap(b));
    assert_ptr_not_equal(in_a, in_b);
    assert_ptr_equal(mi_heap_theap(a), in_a);
    assert_ptr_equal(mi_theap_get_default(), mi_heap_theap(mi_heap_main())); /* as before */
    mi_heap_destroy(a);
    mi_heap_destroy(b);
}

static void *find_theap(void *arg)
{
    mi_heap_t **const heap = (mi_heap_t **)arg;
    mi_theap_t *const theap = mi_heap_theap(*heap);
    void *const p = mi_theap_malloc(theap, 100);
    assert_ptr_equal(mi_heap_of(p), *heap);
    return *(mi_theap_t **)arg = theap;
}

static void threads_have_their_own(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_t *const mine = mi_heap_theap(heap);
    void *slot = heap;
    on_thread(find_theap, &slot);
    assert_ptr_not_equal(slot, mine);
    mi_heap_destroy(heap);
}

/* ---- allocating ---- */

static void every_function_serves_its_heap(void **state)
{
    (void)state;
    api_soil();
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_t *const theap = mi_heap_theap(heap);
    for (size_t s = 0; s < SIZES; s++) {
        const size_t n = sizes[s];
        char *p[6];
        api_assert_works(p[0], mi_theap_malloc(theap, n));
        api_assert_works(p[1], mi_theap_zalloc(theap, n));
        assert_true(api_is_zero(p[1], n));
        api_assert_works(p[2], mi_theap_calloc(theap, n, 1));
        assert_true(api_is_zero(p[2], n));
        api_assert_works(p[3], mi_theap_malloc_small(theap, n < 1024 ? n : 1024));
        api_assert_works(p[4], mi_theap_zalloc_small(theap, n < 1024 ? n : 1024));
        assert_true(api_is_zero(p[4], n < 1024 ? n : 1024));
        api_assert_works(p[5], mi_theap_malloc_aligned(theap, n, 4096));
        api_assert_aligned(p[5], 4096);
        for (int i = 0; i < 6; i++) {
            assert_ptr_equal(mi_heap_of(p[i]), heap);
            api_use_all(p[i]);
        }
        for (int i = 0; i < 6; i++) mi_free(p[i]);
    }
    mi_heap_destroy(heap);
}

static void the_impossible_is_enomem(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_t *const theap = mi_heap_theap(heap);
    char *const p = mi_theap_malloc(theap, 100);
    api_fill(p, 100, 1);
    api_assert_fails(mi_theap_malloc(theap, API_HUGE), ENOMEM);
    api_assert_fails(mi_theap_zalloc(theap, API_HUGE), ENOMEM);
    api_assert_fails(mi_theap_calloc(theap, api_opaque(SIZE_MAX / 2 + 2), 2), ENOMEM);
    api_assert_fails(mi_theap_malloc_aligned(theap, API_HUGE, 64), ENOMEM);
    api_assert_fails(mi_theap_malloc_aligned(theap, 10, api_opaque(24)), EINVAL);
    api_assert_fails(mi_theap_realloc(theap, p, API_HUGE), ENOMEM);
    assert_true(api_is_filled(p, 100, 1));
    mi_heap_destroy(heap);
}

static void resizing_moves_into_the_heap(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_t *const theap = mi_heap_theap(heap);
    for (size_t s = 1; s < SIZES; s++) {
        char *p = mi_malloc(sizes[s]);
        api_fill(p, sizes[s], 2);
        api_assert_works(p, mi_theap_realloc(theap, p, sizes[s])); /* the same size */
        assert_ptr_equal(mi_heap_of(p), heap);
        api_assert_works(p, mi_theap_realloc(theap, p, sizes[s] * 3));
        assert_ptr_equal(mi_heap_of(p), heap);
        assert_true(api_is_filled(p, sizes[s], 2));
        api_use_all(p);
    }
    assert_ptr_equal(mi_heap_of(mi_theap_realloc(theap, NULL, 10)), heap);
    mi_heap_destroy(heap);
}

/* ---- the default ---- */

static void *is_main(void *arg)
{
    void *const p = mi_malloc(100);
    *(bool *)arg = mi_heap_of(p) == mi_heap_main();
    mi_free(p);
    return NULL;
}

static void plain_functions_use_the_default(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_t *const before = mi_theap_get_default();
    assert_ptr_equal(mi_theap_set_default(mi_heap_theap(heap)), before);
    assert_ptr_equal(mi_theap_get_default(), mi_heap_theap(heap));
    for (size_t s = 0; s < SIZES; s++) {
        const size_t n = sizes[s];
        void *const p[] = {
            mi_malloc(n),
            mi_zalloc(n),
            mi_calloc(n, 1),
            mi_realloc(NULL, n),
            mi_mallocn(n, 1),
            mi_malloc_aligned(n, 64),
            mi_umalloc(n, NULL),
            mi_memalign(64, n),
            mi_new_nothrow(n),
            mi_malloc_aligned_at(n, 64, 8),
            mi_malloc_aligned(n, 256 * MIC_KIB),
        };
        for (size_t i = 0; i < sizeof p / sizeof p[0]; i++) {
            if (mi_heap_of(p[i]) != heap) fail_msg("way %zu, %zu bytes: elsewhere", i, n);
            mi_free(p[i]);
        }
    }
    char *const copy = mi_strdup("text");
    assert_ptr_equal(mi_heap_of(copy), heap);
    assert_ptr_not_equal(mi_heap_main(), heap); /* the main heap is what it was */
    bool others_have_theirs = false;
    on_thread(is_main, &others_have_theirs);
    assert_true(others_have_theirs);

    assert_ptr_equal(mi_theap_set_default(before), mi_heap_theap(heap));
    void *const p = mi_malloc(100);
    assert_ptr_equal(mi_heap_of(p), mi_heap_main());
    mi_free(p);
    mi_heap_destroy(heap);
}

static void no_theap_changes_no_default(void **state)
{
    (void)state;
    mi_theap_t *const before = mi_theap_get_default();
    assert_ptr_equal(mi_theap_set_default(NULL), before);
    assert_ptr_equal(mi_theap_get_default(), before);
}

/* Ending the heap that is the default leaves the main heap as the default. */
static void the_default_may_end(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        mi_heap_t *const heap = mi_heap_new();
        mi_theap_set_default(mi_heap_theap(heap));
        void *const p = mi_malloc(100);
        if (i == 0) {
            mi_heap_delete(heap);
            mi_free(p);
        } else {
            mi_heap_destroy(heap);
        }
        void *const q = mi_malloc(100);
        assert_ptr_equal(mi_heap_of(q), mi_heap_main());
        assert_ptr_equal(mi_theap_get_default(), mi_heap_theap(mi_heap_main()));
        mi_free(q);
    }
}

static void *set_and_end(void *arg)
{
    mi_theap_set_default(mi_heap_theap((mi_heap_t *)arg));
    void *const p = mi_malloc(100);
    assert_ptr_equal(mi_heap_of(p), (mi_heap_t *)arg);
    return NULL;
}

static void the_default_ends_with_its_thread(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    for (int i = 0; i < 10; i++) {
        on_thread(set_and_end, heap);
        bool main_again = false;
        on_thread(is_main, &main_again); /* likely with what the other one left */
        assert_true(main_again);
    }
    mi_heap_destroy(heap);
}

/* ---- the rest ---- */

static void collecting_frees_what_is_empty(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_t *const theap = mi_heap_theap(heap);
    void *p[100];
    for (int i = 0; i < 100; i++) p[i] = mi_theap_malloc(theap, 4000);
    for (int i = 0; i < 100; i++) mi_free(p[i]);
    mi_theap_collect(theap, false);
    mi_theap_collect(theap, true);
    for (int i = 0; i < 100; i++) assert_null(mi_heap_of(p[i]));
    void *const q = mi_theap_malloc(theap, 4000);
    assert_ptr_equal(mi_heap_of(q), heap);
    mi_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_that_of_the_main_heap),
        cmocka_unit_test(each_heap_has_one_for_a_thread),
        cmocka_unit_test(threads_have_their_own),
        cmocka_unit_test(every_function_serves_its_heap),
        cmocka_unit_test(the_impossible_is_enomem),
        cmocka_unit_test(resizing_moves_into_the_heap),
        cmocka_unit_test(plain_functions_use_the_default),
        cmocka_unit_test(no_theap_changes_no_default),
        cmocka_unit_test(the_default_may_end),
        cmocka_unit_test(the_default_ends_with_its_thread),
        cmocka_unit_test(collecting_frees_what_is_empty),
    };
    return cmocka_run_group_tests_name("thread heaps", tests, NULL, NULL);
}
