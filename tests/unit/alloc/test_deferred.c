/* The deferred-free callback may do what a program may do anywhere: end the thread's record, which
   another thread then has. The slow path that called it must leave that record alone. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "base/check.h"
#include "heap/thread.h"
#include "mimalloc-arena.h"
#include "rt/report.h"
#include "vm/program.h"

#define BYTES 100

/* the thread that adopts the record, and waits there */
static struct {
    pthread_t thread;
    sem_t has_it, may_go;
    mic_record_t *record;
    void *block, *freed;
} adopter;

static int calls;
static mic_record_t *ended; /* by the callback; NULL: not yet */

static void *adopter_work(void *arg)
{
    (void)arg;
    adopter.block = mic_malloc(BYTES);
    adopter.freed = mic_malloc(BYTES);
    adopter.record = mic_tls.record;
    sem_post(&adopter.has_it);
    sem_wait(&adopter.may_go);
    mic_free(adopter.block);
    return NULL;
}

static void end_and_hand_over(bool force, unsigned long long heartbeat, void *arg)
{
    (void)force;
    (void)heartbeat;
    (void)arg;
    calls++;
    if (ended != NULL) return;
    ended = mic_tls.record;
    mic_thread_detach(false);
    if (pthread_create(&adopter.thread, NULL, adopter_work, NULL) != 0) abort();
    sem_wait(&adopter.has_it);
    mic_free(adopter.freed); /* into the inbox, for the adopter to take out */
}

static int setup(void **state)
{
    (void)state;
    mic_deep_enabled = true;
    mic_free(mic_malloc(1));
    calls = 0;
    ended = NULL;
    sem_init(&adopter.has_it, 0, 0);
    sem_init(&adopter.may_go, 0, 0);
    mic_register_deferred(end_and_hand_over, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mic_register_deferred(NULL, NULL);
    return 0;
}

/* The adopter stands still, so its record must be as it left it. */
static void check_and_finish(void)
{
    const unsigned cls = mic_class_of(BYTES);
    assert_non_null(ended);
    assert_ptr_equal(adopter.record, ended);
    assert_ptr_not_equal(mic_tls.record, ended);
    assert_int_equal(mic_load_relaxed(&ended->state), MIC_RECORD_LIVE);
    assert_int_equal(mic_load_relaxed(&ended->busy), 0);
    assert_int_equal(ended->callback_frame, 0);
    assert_ptr_equal(ended->theap.active[cls], mic_page_of(adopter.block));
    assert_false(mic_inbox_is_empty(&ended->inbox));
    sem_post(&adopter.may_go);
    assert_int_equal(pthread_join(adopter.thread, NULL), 0);
}

static void collect_leaves_it(void **state)
{
    (void)state;
    mic_collect(false);
    assert_int_equal(calls, 1);
    check_and_finish();
}

static void collecting_a_heap_leaves_it(void **state)
{
    (void)state;
    mic_heap_collect(&mic_subproc_main.main, false);
    assert_int_equal(calls, 1);
    check_and_finish();
}

#define PAIRS_CALLS 500000

static mic_atomic(uint32_t) wrong, pairs_seen, pairs_stop;
static char first_arg, second_arg;

static void first_fun(bool force, unsigned long long heartbeat, void *arg)
{
    (void)force, (void)heartbeat;
    if (arg != &first_arg) mic_store_relaxed(&wrong, 1);
    mic_fetch_add_relaxed(&pairs_seen, 1);
}

static void second_fun(bool force, unsigned long long heartbeat, void *arg)
{
    (void)force, (void)heartbeat;
    if (arg != &second_arg) mic_store_relaxed(&wrong, 1);
}

static void *call_all_the_time(void *arg)
{
    mic_free(mic_malloc(1));
    while (mic_load_relaxed(&pairs_stop) == 0) mic_collect(false);
    return arg;
}

/* While it is replaced, or taken back, no function gets another one's argument. */
static void each_gets_its_own_argument(void **state)
{
    (void)state;
    pthread_t thread;
    mic_store_relaxed(&pairs_stop, 0);
    assert_int_equal(pthread_create(&thread, NULL, call_all_the_time, NULL), 0);
    while (mic_load_relaxed(&pairs_seen) < PAIRS_CALLS && mic_load_relaxed(&wrong) == 0) {
        mic_register_deferred(first_fun, &first_arg);
        mic_register_deferred(second_fun, &second_arg);
        mic_register_deferred(NULL, NULL);
    }
    mic_store_relaxed(&pairs_stop, 1);
    pthread_join(thread, NULL);
    assert_int_equal(mic_load_relaxed(&wrong), 0);
}

/* big blocks take the slow path each time */
static void slow_paths_leave_it(void **state)
{
    (void)state;
    mic_heap_t *const heap = mic_heap_new(&mic_subproc_main, 0);
    void *p = NULL;
    while (ended == NULL) {
        mic_free(p);
        p = mic_zalloc_in(mic_heap_theap(heap), 600000);
        assert_non_null(p);
    }
    assert_ptr_equal(mic_heap_of(p), heap);
    const mic_record_t *const owner = mic_record_of_owner(mic_page_owner(mic_page_of(p)));
    assert_ptr_equal(owner, mic_tls.record); /* a new one */
    check_and_finish();
    mic_heap_destroy(heap);
}

/* Out of memory: what is collected before the second attempt calls back too. */
static void second_attempts_leave_it(void **state)
{
    (void)state;
    mi_arena_id_t id;
    unsigned arena;
    assert_int_equal(mi_reserve_os_memory_ex((size_t)32 << 20, false, false, true, &id), 0);
    assert_true(mic_arena_from_id(id, &arena));
    mic_heap_t *const heap = mic_heap_new(&mic_subproc_main, (uint16_t)(arena + 1));
    assert_null(mic_heap_malloc(heap, (size_t)64 << 20));
    assert_non_null(mic_heap_malloc(heap, 1000));
    check_and_finish();
    mic_heap_destroy(heap);
}

/* The callback is for the next thread of the record too. */
static void the_next_thread_calls_it(void **state)
{
    (void)state;
    mic_collect(false);
    check_and_finish();
    const int before = calls;
    mic_free(mic_malloc(1)); /* the adopter's record, and it has ended */
    assert_ptr_equal(mic_tls.record, ended);
    mic_collect(false);
    assert_int_equal(calls, before + 1);
}

/* ---- callbacks that do not return ---- */

static jmp_buf back;

static void leave(bool force, unsigned long long heartbeat, void *arg)
{
    (void)force, (void)heartbeat, (void)arg;
    calls++;
    longjmp(back, 1);
}

/* Who left it is not inside any more: it is called again. */
static void it_may_be_left(void **state)
{
    (void)state;
    mic_register_deferred(leave, NULL);
    for (int i = 0; i < 3; i++) {
        if (setjmp(back) == 0) mic_collect(false);
        assert_int_equal(calls, i + 1);
    }
}

static void collect_inside(bool force, unsigned long long heartbeat, void *arg)
{
    (void)force, (void)heartbeat, (void)arg;
    calls++;
    mic_collect(true);
}

static void it_is_not_called_from_within(void **state)
{
    (void)state;
    mic_register_deferred(collect_inside, NULL);
    mic_collect(false);
    assert_int_equal(calls, 1);
    mic_collect(false);
    assert_int_equal(calls, 2);
}

static uint32_t busy_in_error;

static void leave_error(int error, void *arg)
{
    (void)error, (void)arg;
    calls++;
    busy_in_error = mic_load_relaxed(&mic_tls.record->busy);
    longjmp(back, 1);
}

#define DAMAGED 64

static mic_noinline void take_many(size_t bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) (void)mic_malloc(bytes);
}

static mic_noinline void damage_some(size_t bytes, size_t count)
{
    static void *blocks[DAMAGED];
    for (size_t i = 0; i < count; i++) blocks[i] = mic_malloc(bytes);
    for (size_t i = 0; i < count; i++) mic_free(blocks[i]);
    for (size_t i = 0; i < count; i++) *(volatile char *)blocks[i] = 1;
}

static mic_noinline void take_until_told(size_t bytes, size_t count)
{
    if (setjmp(back) == 0) take_many(bytes, count);
}

/* A block that was written to after it was freed is told of when no slow path is under way: one
   that was left for good would make each child give up the thread's record. */
static void errors_come_outside(void **state)
{
    (void)state;
    if (!CFG_HARDENED) skip();
    static const size_t sizes[] = {40, 300, 2000, 30000, 100000};
    mic_report_set_error(leave_error, NULL);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t n = sizes[s] > 10000 ? 8 : DAMAGED;
        calls = 0;
        for (int round = 0; round < 200 && calls < 20; round++) {
            damage_some(sizes[s], n);
            take_until_told(sizes[s], 40 * n);
            assert_int_equal(busy_in_error, 0);
            assert_int_equal(mic_load_relaxed(&mic_tls.record->busy), 0);
        }
        assert_true(calls > 0);
    }
    mic_report_set_error(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(collect_leaves_it, setup, teardown),
        cmocka_unit_test_setup_teardown(collecting_a_heap_leaves_it, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_paths_leave_it, setup, teardown),
        cmocka_unit_test_setup_teardown(second_attempts_leave_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_thread_calls_it, setup, teardown),
        cmocka_unit_test_setup_teardown(it_may_be_left, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_not_called_from_within, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_come_outside, setup, teardown),
        cmocka_unit_test(each_gets_its_own_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
