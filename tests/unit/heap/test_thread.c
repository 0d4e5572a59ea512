/* fake-os */
/* Records and threads: what owner words rely on, attaching and handing over. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "base/compiler.h"
#include "fake_os.h"
#include "heap/thread.h"

/* The low bits of an owner word are tags: no record may have any of them in its address. */
static void test_alignment(void **state)
{
    (void)state;
    assert_int_equal((uintptr_t)&mic_record_late & MIC_OWNER_TAGS, 0);
    assert_int_equal((uintptr_t)MIC_RECORD_BOOT & MIC_OWNER_TAGS, 0);
    assert_int_equal((uintptr_t)MIC_RECORD_GONE & MIC_OWNER_TAGS, 0);
    assert_true(mic_thread_attach());
    for (const mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        assert_int_equal((uintptr_t)r & MIC_OWNER_TAGS, 0);
}

static void *attach(void *arg)
{
    assert_true(mic_tls.record == MIC_RECORD_BOOT);
    mic_free(NULL);
    assert_true(mic_tls.record == MIC_RECORD_BOOT); /* freeing never makes a thread ready */
    mic_free(mic_malloc(10));
    *(mic_record_t **)arg = mic_tls.record;
    return NULL;
}

/* The record of a thread that ended serves the next one. */
static void test_reuse(void **state)
{
    (void)state;
    mic_record_t *first = NULL, *second = NULL;
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, attach, &first), 0);
    pthread_join(t, NULL);
    assert_true(first->in_pool);
    assert_int_equal(first->state, MIC_RECORD_ORPHAN);
    assert_int_equal(pthread_create(&t, NULL, attach, &second), 0);
    pthread_join(t, NULL);
    assert_ptr_equal(first, second);
}

static void *end_inside(void *arg)
{
    (void)attach(arg);
    mic_record_enter(mic_tls.record);
    pthread_exit(NULL); /* as a function that gets messages may */
}

/* A thread that ended inside of the allocator is not inside any more: a child would give it up. */
static void test_end_inside(void **state)
{
    (void)state;
    mic_record_t *record = NULL;
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, end_inside, &record), 0);
    pthread_join(t, NULL);
    assert_true(record->in_pool);
    assert_int_equal(mic_load_relaxed(&record->busy), 0);
}

static void test_detach(void **state)
{
    (void)state;
    void *const p = mic_malloc(10);
    mic_record_t *const record = mic_tls.record;
    mic_thread_detach(false);
    assert_false(mic_thread_is_ready());
    assert_true(record->in_pool);
    mic_free(p); /* a remote free, by now */
    assert_false(mic_thread_is_ready());
    mic_free(mic_malloc(10));
    assert_ptr_equal(mic_tls.record, record);
    assert_true(mic_theap_is_valid(&record->theap));
}

/* the race detector takes a thread apart in the last pass itself */
#define END_PASSES (MIC_TSAN ? 2 : 4)

static pthread_key_t end_key;
static int end_passes;     /* of our destructor */
static int end_late_calls; /* of those, after the record had gone for good */

/* The thread, while it ends, ends its record and begins again. */
static void end_and_begin(void *arg)
{
    const bool late = mic_tls.record == MIC_RECORD_GONE;
    end_late_calls += late;
    mic_thread_detach(false);
    assert_false(mic_thread_is_ready());
    mic_free(mic_malloc(10));
    assert_true(mic_thread_is_ready() == !late); /* gone for good stays so */
    if (++end_passes < END_PASSES) pthread_setspecific(end_key, arg);
}

static void *begin(void *arg)
{
    pthread_setspecific(end_key, arg);
    mic_free(mic_malloc(10));
    return NULL;
}

static void end_in_each_pass(void)
{
    pthread_t t;
    end_passes = end_late_calls = 0;
    assert_int_equal(pthread_key_create(&end_key, end_and_begin), 0);
    assert_int_equal(pthread_create(&t, NULL, begin, &end_passes), 0);
    pthread_join(t, NULL);
    assert_int_equal(pthread_key_delete(end_key), 0);
    assert_int_equal(end_passes, END_PASSES);
    for (const mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        assert_true(r == mic_tls.record || r->in_pool);
}

/* No record stays behind with a thread that is dead, whatever the thread did in its last moments.
   The key of this test is younger than the library's: it comes after it in each pass. */
static void test_end_in_destructors(void **state)
{
    (void)state;
    mic_free(mic_malloc(10));
    end_in_each_pass();
    assert_int_equal(end_late_calls, MIC_TSAN ? 0 : 1);
}

/* ---- a thread whose end nobody heard of ---- */

typedef struct unheard {
    mic_subproc_t *subproc;
    uint64_t id;
    void *block;
} unheard_t;

static void *unheard_work(void *arg)
{
    unheard_t *const u = arg;
    if (!mic_subproc_join(u->subproc)) abort();
    u->id = mic_os_thread_id();
    u->block = mic_malloc(1000);
    return NULL;
}

static void test_unheard_end(void **state)
{
    (void)state;
    mic_free(mic_malloc(10));
    for (int i = 0; i < 3; i++) {
        unheard_t u = {.subproc = mic_subproc_new()};
        pthread_t t;
        assert_non_null(u.subproc);
        fake_os_fail(FAKE_OS_THREAD_ARM, 1, EAGAIN, true);
        assert_int_equal(pthread_create(&t, NULL, unheard_work, &u), 0);
        pthread_join(t, NULL);
        fake_os_fail(FAKE_OS_THREAD_ARM, 0, 0, false);
        const mic_record_t *const record = mic_page_theap(mic_page_of(u.block))->record;
        assert_int_equal(mic_load_relaxed(&record->thread_id), u.id);
        assert_int_equal(mic_load_relaxed(&record->state), MIC_RECORD_LIVE);
        fake_os_settings.dead_thread = u.id;
        assert_true(mic_record_is_deserted(record));
        mic_subproc_destroy(u.subproc);
        assert_false(u.subproc->live);
        assert_null(mic_page_of(u.block));
        assert_true(record->in_pool);
        assert_int_equal(mic_load_relaxed(&record->thread_id), 0);
        assert_ptr_equal(mic_record_subproc(record), &mic_subproc_main);
        fake_os_settings.dead_thread = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment),          cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_end_inside),         cmocka_unit_test(test_detach),
        cmocka_unit_test(test_end_in_destructors), cmocka_unit_test(test_unheard_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
