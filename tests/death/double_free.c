/* A block freed twice by other threads is reported (EAGAIN), whatever its size, and the second free
   does nothing. */
#include <pthread.h>

#include "api_test.h"

static void *free_there(void *p)
{
    mi_free(p);
    return NULL;
}

static void free_in_a_thread(void *p)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, free_there, p), 0);
    pthread_join(thread, NULL);
}

/* This thread does nothing between the two: the first free is not collected before the second. */
static void remote_double_free_is_reported(void **state)
{
    (void)state;
    static const size_t sizes[] = {16, 100, 1000, 8000, 30000, 100000};
    static const size_t class_bytes[] = {API_CANARY ? 32 : 16, 112, 1024, 8192, 32768, 114688};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        /* a block beside it keeps the page alive */
        char *const keep = mi_malloc(sizes[s]), *const p = mi_malloc(sizes[s]);
        assert_true(keep != NULL && p != NULL);
        api_fill(keep, sizes[s], 3);
        free_in_a_thread(p);
        api_record_start();
        free_in_a_thread(p);
        api_record_stop();
        char expected[200];
        snprintf(expected, sizeof expected,
                 "mimalloc: error: double free of %p (%zu bytes, heap 0)\n", (void *)p,
                 class_bytes[s]);
        assert_string_equal(api_record.text, expected);
        assert_int_equal(api_record.errors, 1);
        assert_int_equal(api_record.last_error, EAGAIN);
        assert_true(api_is_filled(keep, sizes[s], 3));

        /* handed out once only */
        enum { MORE = 64 };
        void *more[MORE];
        for (int i = 0; i < MORE; i++) {
            more[i] = mi_malloc(sizes[s]);
            assert_non_null(more[i]);
            for (int j = 0; j < i; j++) assert_ptr_not_equal(more[i], more[j]);
            assert_ptr_not_equal(more[i], keep);
        }
        for (int i = 0; i < MORE; i++) mi_free(more[i]);
        mi_free(keep);
    }
}

/* A span is given back at once, so its second free is that of a foreign address; builds that hold it
   back know it. */
static const int big_error = CFG_SECURE ? EAGAIN : EINVAL;

static void second_free_of_a_big_block_is_reported(void **state)
{
    (void)state;
    char *const p = mi_malloc(3 * MIC_MIB);
    assert_non_null(p);
    free_in_a_thread(p);
    api_record_start();
    free_in_a_thread(p);
    mi_free(p);
    api_record_stop();
    assert_int_equal(api_record.errors, 2);
    assert_int_equal(api_record.last_error, big_error);

    char *const q = mi_malloc(3 * MIC_MIB);
    assert_non_null(q);
    mi_free(q);
    api_record_start();
    mi_free(api_opaque_pointer(q));
    api_record_stop();
    assert_int_equal(api_record.errors, 1);
    assert_int_equal(api_record.last_error, big_error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_double_free_is_reported),
        cmocka_unit_test(second_free_of_a_big_block_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
