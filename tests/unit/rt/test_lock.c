/* core/src/rt/lock.c: exclusion under contention, try, rank order, and what fork needs. */
/* fake-os */
#include "rt/lock.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "fake_os.h"

#define THREADS 8
#define ROUNDS 20000

static mic_lock_t lock = MIC_LOCK_INIT(MIC_RANK_POOL);
static uint64_t counter; /* guarded by lock, on purpose not atomic */
static mic_atomic(uint32_t) inside;
static mic_atomic(uint32_t) turn;

static void *count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        mic_lock_acquire(&lock);
        if (mic_fetch_add_relaxed(&inside, 1) != 0) mic_store_relaxed(&turn, 99);
        counter++;
        if (i % 1000 == 0) sched_yield(); /* let others find it taken */
        mic_fetch_sub_relaxed(&inside, 1);
        mic_lock_release(&lock);
    }
    return NULL;
}

static void threads_exclude_each_other(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    counter = 0;
    mic_store_relaxed(&turn, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(counter, (uint64_t)THREADS * ROUNDS);
    assert_int_equal(mic_load_relaxed(&turn), 0);
    assert_int_equal(mic_load_relaxed(&lock.word), 0);
}

static void *try_once(void *arg)
{
    *(bool *)arg = mic_lock_try(&lock);
    if (*(bool *)arg) mic_lock_release(&lock);
    return NULL;
}

static bool another_thread_can_take_it(void)
{
    pthread_t thread;
    bool taken = false;
    assert_int_equal(pthread_create(&thread, NULL, try_once, &taken), 0);
    pthread_join(thread, NULL);
    return taken;
}

static void try_takes_only_what_is_free(void **state)
{
    (void)state;
    assert_true(another_thread_can_take_it());
    assert_true(mic_lock_try(&lock));
    assert_false(another_thread_can_take_it());
    assert_false(mic_lock_try(&lock));
    mic_lock_release(&lock);
    assert_true(another_thread_can_take_it());
}

static void *release_when_told(void *arg)
{
    mic_lock_acquire(&lock);
    mic_store_release((mic_atomic(uint32_t) *)arg, 1);
    while (mic_load_acquire((mic_atomic(uint32_t) *)arg) != 2) sched_yield();
    usleep(2000); /* long enough for the other thread to sleep on it */
    mic_lock_release(&lock);
    return NULL;
}

static void a_waiting_thread_is_woken(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        mic_atomic(uint32_t) step = 0;
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, release_when_told, (void *)&step), 0);
        while (mic_load_acquire(&step) != 1) sched_yield();
        mic_store_release(&step, 2);
        mic_lock_acquire(&lock);
        mic_lock_release(&lock);
        pthread_join(thread, NULL);
    }
}

static void *own_identity(void *arg)
{
    *(uintptr_t *)arg = mic_thread_self();
    return NULL;
}

static void identities_differ(void **state)
{
    (void)state;
    uintptr_t other = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, own_identity, &other), 0);
    pthread_join(thread, NULL);
    assert_true(other != 0 && other != mic_thread_self());
    assert_int_equal(mic_thread_self(), mic_thread_self());
}

/* Between prepare and release the forking thread goes through every lock; others do not. */
static void the_forking_thread_passes(void **state)
{
    (void)state;
    mic_lock_acquire_for_fork(&lock);
    mic_lock_pass_begin();
    mic_lock_acquire(&lock);
    assert_true(mic_lock_try(&lock));
    mic_lock_release(&lock);
    assert_int_not_equal(mic_load_relaxed(&lock.word), 0);
    assert_false(another_thread_can_take_it());
    mic_lock_pass_end();
    assert_false(mic_lock_try(&lock));
    mic_lock_release(&lock);
    assert_true(another_thread_can_take_it());
}

static mic_lock_t other_lock = MIC_LOCK_INIT(MIC_RANK_ARENA);

static void all_locks(void)
{
    mic_lock_acquire_for_fork(&lock);
    mic_lock_acquire_for_fork(&other_lock);
}

static void *holds_none(void *arg)
{
    *(bool *)arg = mic_lock_holds_any(all_locks);
    return NULL;
}

/* Looking takes none, and tells one's own from others'. */
static void a_thread_knows_whether_it_holds_one(void **state)
{
    (void)state;
    assert_false(mic_lock_holds_any(all_locks));
    mic_lock_acquire(&other_lock);
    assert_true(mic_lock_holds_any(all_locks));
    bool of_another = true;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, holds_none, &of_another), 0);
    pthread_join(thread, NULL);
    assert_false(of_another);
    assert_true(another_thread_can_take_it());
    mic_lock_release(&other_lock);
    assert_false(mic_lock_holds_any(all_locks));
    all_locks();
    assert_int_not_equal(mic_load_relaxed(&lock.word), 0);
    mic_lock_release(&other_lock);
    mic_lock_release(&lock);
}

static mic_atomic(uint32_t) holding;

static void *hold_for_a_while(void *arg)
{
    (void)arg;
    mic_lock_acquire(&lock);
    mic_store_release(&holding, 1);
    while (mic_load_acquire(&holding) == 1) sched_yield();
    mic_lock_release(&lock);
    return NULL;
}

/* A lock that was copied while another thread held it is free after a reset. */
static void a_child_resets_what_others_held(void **state)
{
    (void)state;
    pthread_t thread;
    mic_store_relaxed(&holding, 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_for_a_while, NULL), 0);
    while (mic_load_acquire(&holding) != 1) sched_yield();
    const pid_t child = fork();
    if (child == 0) {
        if (mic_lock_try(&lock)) _exit(1);
        mic_lock_reset(&lock);
        mic_lock_acquire(&lock);
        mic_lock_release(&lock);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    mic_store_release(&holding, 2);
    pthread_join(thread, NULL);
}

static mic_lock_t pair_lock = MIC_LOCK_INIT(MIC_RANK_POOL);
static mic_atomic(uint32_t) pair_waiter; /* its thread id */

static void *take_pair(void *arg)
{
    mic_store_release(&pair_waiter, (uint32_t)syscall(SYS_gettid));
    if (arg == NULL)
        mic_lock_acquire_pair(&lock, &pair_lock);
    else
        mic_lock_acquire_pair(&pair_lock, &lock);
    counter++;
    mic_lock_release_pair(&lock, &pair_lock);
    return NULL;
}

static bool pair_waiter_sleeps(void)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%u/stat", mic_load_acquire(&pair_waiter));
    FILE *const f = fopen(path, "r");
    if (f == NULL) return false;
    const size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    const char *const name_end = n == 0 ? NULL : strrchr(text, ')');
    return name_end != NULL && name_end[2] == 'S';
}

/* Whichever of the two is taken: it sleeps, so that who has it can run, and does not have the other
   one meanwhile. */
static void who_waits_for_a_pair_sleeps(void **state)
{
    (void)state;
    alarm(300);
    counter = 0;
    for (uintptr_t i = 0; i < 4; i++) {
        mic_lock_t *const taken = i < 2 ? &lock : &pair_lock;
        mic_lock_t *const other = i < 2 ? &pair_lock : &lock;
        pthread_t thread;
        mic_store_relaxed(&pair_waiter, 0);
        mic_lock_acquire(taken);
        assert_int_equal(pthread_create(&thread, NULL, take_pair, (void *)(i & 1)), 0);
        while (!pair_waiter_sleeps()) sched_yield();
        assert_int_equal(mic_load_relaxed(&other->word), 0);
        mic_lock_release(taken);
        pthread_join(thread, NULL);
    }
    alarm(0);
    assert_int_equal(counter, 4);
    assert_int_equal(mic_load_relaxed(&lock.word) | mic_load_relaxed(&pair_lock.word), 0);
}

static void ranks_are_checked_in_debug_builds(void **state)
{
    (void)state;
    static mic_lock_t low = MIC_LOCK_INIT(MIC_RANK_HEAPS), high = MIC_LOCK_INIT(MIC_RANK_REPORT);
    mic_lock_acquire(&low);
    mic_lock_acquire(&lock);
    mic_lock_acquire(&high);
    mic_lock_release(&high);
    mic_lock_release(&lock);
    mic_lock_release(&low);
    if (!CFG_DEBUG) return;
    fake_os_reset();
    mic_lock_acquire(&lock);
    fake_os_expect_abort(mic_lock_acquire(&low));
    assert_non_null(strstr(fake_os_stderr(), "lock rank order"));
    mic_lock_reset(&low);
    mic_lock_release(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_exclude_each_other),
        cmocka_unit_test(try_takes_only_what_is_free),
        cmocka_unit_test(a_waiting_thread_is_woken),
        cmocka_unit_test(identities_differ),
        cmocka_unit_test(the_forking_thread_passes),
        cmocka_unit_test(a_thread_knows_whether_it_holds_one),
        cmocka_unit_test(a_child_resets_what_others_held),
        cmocka_unit_test(who_waits_for_a_pair_sleeps),
        cmocka_unit_test(ranks_are_checked_in_debug_builds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
