/* mimalloc-ext.h, and asking whether an address is ours. */
#include <pthread.h>
#include <unistd.h>

#include "api_test.h"

static char area[64];

static size_t live_commit(void)
{
    size_t commit;
    mi_process_info(NULL, NULL, NULL, NULL, NULL, &commit, NULL, NULL);
    return commit;
}

static void ours_is_ours(void **state)
{
    (void)state;
    for (size_t size = 0; size < 100 * MIC_MIB; size = size * 2 + 1) {
        char *const p = mi_malloc(size);
        assert_non_null(p);
        assert_true(mi_any_heap_contains(p));
        assert_true(mi_is_in_heap_region(p));
        assert_true(mi_check_owned(p));
        if (size > 1) assert_true(mi_any_heap_contains(p + size - 1));
        mi_free(p);
    }
}

static void others_are_not(void **state)
{
    (void)state;
    const void *const foreign[] = {NULL,
                                   area,
                                   &state,
                                   (void *)1,
                                   (void *)16,
                                   (void *)4096,
                                   (void *)~(uintptr_t)0,
                                   (void *)((uintptr_t)1 << 63),
                                   (void *)((uintptr_t)1 << 47),
                                   stdout};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_false(mi_any_heap_contains(foreign[i]));
        assert_false(mi_is_in_heap_region(foreign[i]));
        assert_false(mi_check_owned(foreign[i]));
    }
}

static void free_if_owned(void **state)
{
    (void)state;
    api_record_start();
    errno = 21;
    for (size_t size = 0; size < 10 * MIC_MIB; size = size * 2 + 1)
        assert_true(mi_free_if_owned(mi_malloc(size)));
    assert_true(mi_free_if_owned(mi_malloc_aligned_at(100, 64, 8)));
    void *const foreign[] = {NULL, area, &state, (void *)16, (void *)~(uintptr_t)0, stdout};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_false(mi_free_if_owned(foreign[i]));
    assert_int_equal(errno, 21);
    api_record_stop();
    assert_int_equal(api_record.errors, 0);
    assert_string_equal(api_record.text, "");
    assert_true(api_is_zero(area, sizeof area));

    const size_t before = live_commit();
    for (int i = 0; i < 1000; i++) assert_true(mi_free_if_owned(mi_malloc(MIC_MIB)));
    assert_true(live_commit() < before + 300 * MIC_MIB); /* freed indeed */
}

static void realloc_if_owned(void **state)
{
    (void)state;
    char *p = mi_malloc(100);
    api_fill(p, 100, 3);
    void *result = NULL;
    errno = 22;
    assert_true(mi_realloc_if_owned(p, 100000, &result));
    assert_int_equal(errno, 22);
    p = result;
    assert_true(api_is_filled(p, 100, 3));
    assert_true(mi_usable_size(p) >= 100000);

    assert_true(mi_realloc_if_owned(p, API_HUGE, &result));
    assert_null(result);
    assert_int_equal(errno, ENOMEM);
    assert_true(api_is_filled(p, 100, 3));
    mi_free(p);

    api_record_start();
    void *const foreign[] = {NULL, area, &state, (void *)16, (void *)~(uintptr_t)0, stdout};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        result = area;
        assert_false(mi_realloc_if_owned(foreign[i], 10, &result));
        assert_ptr_equal(result, area);
    }
    api_record_stop();
    assert_int_equal(api_record.errors, 0);
}

static void *free_it(void *p) { return mi_free_if_owned(p) ? p : NULL; }

static void *resize_it(void *p)
{
    void *result = NULL;
    return mi_realloc_if_owned(p, 5000, &result) ? result : NULL;
}

static void blocks_of_other_threads(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        void *result;
        void *const p = mi_malloc(i % 2 == 0 ? 100 : 100000);
        assert_int_equal(pthread_create(&thread, NULL, free_it, p), 0);
        pthread_join(thread, &result);
        assert_ptr_equal(result, p);

        char *q = mi_malloc(200);
        api_fill(q, 200, 5);
        assert_int_equal(pthread_create(&thread, NULL, resize_it, q), 0);
        pthread_join(thread, &result);
        assert_non_null(result);
        assert_true(api_is_filled(result, 200, 5)); /* its thread has ended */
        assert_true(mi_free_if_owned(result));
    }
}

static void idle_gives_memory_back(void **state)
{
    (void)state;
    const long delay = mi_option_get(mi_option_purge_delay);
    mi_option_set(mi_option_purge_delay, 0);
    mi_thread_idle(); /* nothing to do is fine */
    void *const p = mi_malloc(64 * MIC_MIB);
    assert_non_null(p);
    memset(p, 1, 64 * MIC_MIB);
    size_t full, after;
    mi_process_info(NULL, NULL, NULL, &full, NULL, NULL, NULL, NULL);
    mi_free(p);
    errno = 23;
    mi_thread_idle();
    assert_int_equal(errno, 23);
    mi_process_info(NULL, NULL, NULL, &after, NULL, NULL, NULL, NULL);
    assert_true(after + 48 * MIC_MIB < full);
    mi_option_set(mi_option_purge_delay, delay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_is_ours),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(free_if_owned),
        cmocka_unit_test(realloc_if_owned),
        cmocka_unit_test(blocks_of_other_threads),
        cmocka_unit_test(idle_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
