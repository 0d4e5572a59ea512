/* Life of process and threads, callbacks, collecting, numbers, printing. */
#include <pthread.h>
#include <sys/resource.h>

#include "api_test.h"

static void version_is_that_of_the_header(void **state)
{
    (void)state;
    assert_int_equal(mi_version(), 30403);
    assert_int_equal(MI_MALLOC_VERSION, 30403);
    assert_int_equal(MI_SMALL_SIZE_MAX, 1024);
    assert_false(mi_is_redirected());
}

static void init_and_done_can_be_repeated(void **state)
{
    (void)state;
    errno = 31;
    for (int i = 0; i < 3; i++) {
        mi_process_init();
        mi_thread_init();
        mi_thread_set_in_threadpool();
    }
    char *const p = mi_malloc(100);
    api_fill(p, 100, 1);
    for (int i = 0; i < 3; i++) mi_thread_done();
    assert_int_equal(errno, 31);
    char *const q = mi_malloc(100); /* ready again */
    assert_non_null(q);
    api_fill(q, 100, 2);
    assert_true(api_is_filled(p, 100, 1));
    mi_free(p); /* of the record handed over, or adopted again */
    assert_true(api_is_filled(q, 100, 2));
    mi_free(q);
    mi_process_done();
    mi_process_done();
    void *const r = mi_malloc(10); /* memory stays usable */
    assert_non_null(r);
    mi_free(r);
}

static void *thread_work(void *arg)
{
    char *const p = mi_malloc(300);
    api_fill(p, 300, 7);
    if (arg != NULL) mi_thread_done();
    return p;
}

static void blocks_outlive_their_thread(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        void *p;
        assert_int_equal(pthread_create(&thread, NULL, thread_work, i % 2 ? &thread : NULL), 0);
        assert_int_equal(pthread_join(thread, &p), 0);
        assert_non_null(p);
        assert_true(api_is_filled(p, 300, 7));
        mi_free(p);
    }
}

/* ---- deferred free ---- */

static struct {
    int calls, forced, depth, nested;
    unsigned long long last;
    bool monotone;
    void *arg;
} deferred;

static void deferred_callback(bool force, unsigned long long heartbeat, void *arg)
{
    if (deferred.depth++ > 0) deferred.nested++;
    deferred.calls++;
    deferred.forced += force;
    if (deferred.calls > 1 && heartbeat <= deferred.last) deferred.monotone = false;
    deferred.last = heartbeat;
    deferred.arg = arg;
    for (size_t i = 0; i < 20; i++) mi_free(mi_malloc(i * 5000)); /* allowed */
    deferred.depth--;
}

static void deferred_free_is_called(void **state)
{
    (void)state;
    memset(&deferred, 0, sizeof deferred);
    deferred.monotone = true;
    mi_register_deferred_free(deferred_callback, &deferred);
    mi_collect(true);
    assert_true(deferred.forced > 0);
    assert_ptr_equal(deferred.arg, &deferred);
    const int before = deferred.calls;
    enum { BLOCKS = API_TIMES(20000, 4000) };
    static void *blocks[BLOCKS];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mi_malloc(1 + i % 2000);
        for (size_t i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
    }
    assert_true(deferred.calls > before);
    assert_int_equal(deferred.nested, 0);
    for (int i = 0; i < 3; i++) mi_collect(false);
    mi_thread_done(); /* what comes then grows on */
    mi_free(mi_malloc(1));
    for (int i = 0; i < 3; i++) mi_collect(false);
    assert_true(deferred.monotone);
    mi_register_deferred_free(NULL, NULL);
    const int last = deferred.calls;
    mi_collect(true);
    assert_int_equal(deferred.calls, last);
}

/* ---- output and errors ---- */

static void output_goes_where_it_is_told(void **state)
{
    (void)state;
    api_record_start();
    mi_process_info_print();
    assert_true(api_record.length > 0);
    mi_stats_print(NULL);
    assert_true(api_record.length > 0);
    api_record_stop();
}

static void printing_through_a_function(void **state)
{
    (void)state;
    memset(&api_record, 0, sizeof api_record);
    mi_process_info_print_out(api_record_out, NULL);
    const size_t process = api_record.length;
    assert_true(process > 0);
    mi_stats_print_out(api_record_out, NULL);
    const size_t stats = api_record.length;
    assert_true(stats > process);
    mi_thread_stats_print_out(api_record_out, NULL);
    assert_true(api_record.length > stats);
    mi_stats_reset();
    mi_stats_merge();
}

static void errors_are_reported_by_code(void **state)
{
    (void)state;
    api_record_start();
    api_assert_fails(mi_malloc(API_HUGE), ENOMEM);
    assert_int_equal(api_record.errors, 1);
    assert_int_equal(api_record.last_error, EOVERFLOW);
    api_assert_fails(mi_calloc(API_HUGE, 2), ENOMEM);
    assert_int_equal(api_record.last_error, EOVERFLOW);
    api_assert_fails(mi_malloc(api_opaque((size_t)1 << 60)), ENOMEM);
    assert_int_equal(api_record.last_error, ENOMEM);
    assert_int_equal(api_record.errors, 3);
    assert_non_null(strstr(api_record.text, "mimalloc: error: "));
    api_record_stop();
}

/* ---- numbers ---- */

static void process_info_tells_the_truth(void **state)
{
    (void)state;
    size_t elapsed, user, system_time, rss, peak_rss, commit, peak_commit, faults;
    errno = 32;
    mi_process_info(&elapsed, &user, &system_time, &rss, &peak_rss, &commit, &peak_commit, &faults);
    mi_process_info(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    assert_int_equal(errno, 32);
    usleep(30000);
    size_t later;
    mi_process_info(&later, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    assert_true(later >= elapsed + 20 && later < 600 * 1000); /* the constructor set the clock */
    assert_true(rss > 0 && rss <= peak_rss);
    assert_true(commit > 0 && commit <= peak_commit);
    assert_true(faults > 0);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    assert_true(faults <= (size_t)(usage.ru_majflt + usage.ru_minflt));
    assert_true(user <= (size_t)usage.ru_utime.tv_sec * 1000 + 1000);

    const size_t bytes = 80 * MIC_MIB;
    void *const p = mi_malloc(bytes);
    assert_non_null(p);
    memset(p, 1, bytes);
    size_t rss_full, commit_full;
    mi_process_info(NULL, NULL, NULL, &rss_full, NULL, &commit_full, NULL, NULL);
    assert_true(rss_full >= rss + bytes * 9 / 10);
    assert_true(commit_full >= bytes);
    mi_free(p);
}

static void forced_collection_gives_memory_back(void **state)
{
    (void)state;
    enum { BLOCKS = API_TIMES(20000, 2000) };
    static void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = mi_malloc(4000);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 4000);
    }
    size_t full, after;
    mi_process_info(NULL, NULL, NULL, &full, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
    errno = 33;
    mi_collect(false);
    mi_collect(true);
    mi_collect_reduce(0);
    assert_int_equal(errno, 33);
    mi_process_info(NULL, NULL, NULL, &after, NULL, NULL, NULL, NULL);
    assert_true(after + BLOCKS * (size_t)3000 < full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_that_of_the_header),
        cmocka_unit_test(init_and_done_can_be_repeated),
        cmocka_unit_test(blocks_outlive_their_thread),
        cmocka_unit_test(deferred_free_is_called),
        cmocka_unit_test(output_goes_where_it_is_told),
        cmocka_unit_test(printing_through_a_function),
        cmocka_unit_test(errors_are_reported_by_code),
        cmocka_unit_test(process_info_tells_the_truth),
        cmocka_unit_test(forced_collection_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
