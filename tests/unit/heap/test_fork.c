/* fake-os */
/* Fork: what the child finds of the records of threads that it does not have, of tokens and inboxes,
   and that the parent goes on as before. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "fake_os.h"
#include "fresh_process.h"
#include "heap/thread.h"
#include "os/os.h"

const fresh_case_t fresh_cases[1]; /* for fresh_require only */

/* Runs `check` in a forked child, which fails by fresh_require. */
static void in_child(void (*check)(void *), void *arg)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(300);
        check(arg);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void works(void)
{
    for (size_t bytes = 1; bytes < 4 * MIC_MIB; bytes = bytes * 3 + 1) {
        char *const p = mic_malloc(bytes);
        fresh_require(p != NULL);
        p[0] = p[bytes - 1] = 1;
        mic_free(p);
    }
    mic_collect(true);
    fresh_require(mic_theap_is_valid(mic_tls.theap));
}

static void check_alone(void *block)
{
    mic_record_t *const record = mic_tls.record;
    fresh_require(mic_load_relaxed(&record->thread_id) == mic_os_thread_id());
    fresh_require(mic_load_relaxed(&record->process_id) == mic_os_process_id());
    fresh_require(mic_load_relaxed(&record->state) == MIC_RECORD_LIVE);
    mic_free(block);
    works();
}

/* A process with one thread: its record is the child's. */
static void test_alone(void **state)
{
    (void)state;
    void *const p = mic_malloc(100);
    in_child(check_alone, p);
    assert_int_equal(mic_load_relaxed(&mic_tls.record->process_id), mic_os_process_id());
    mic_free(p);
}

/* ---- a second thread that waits, outside of the allocator or as if inside ---- */

typedef struct other {
    pthread_barrier_t there, go_on;
    mic_record_t *record;
    void *blocks[2];
    bool busy;
} other_t;

static void *other_main(void *arg)
{
    other_t *const other = arg;
    for (int i = 0; i < 2; i++) other->blocks[i] = mic_malloc(500);
    other->record = mic_tls.record;
    if (other->busy) {
        mic_record_enter(mic_tls.record);
        mic_free(mic_malloc(50000)); /* what it calls meanwhile has slow paths of its own */
        mic_free(mic_malloc(500000));
    }
    pthread_barrier_wait(&other->there);
    pthread_barrier_wait(&other->go_on);
    if (other->busy) mic_record_leave(mic_tls.record);
    return NULL;
}

static void with_other(bool busy, void (*check)(void *))
{
    other_t other = {.busy = busy};
    pthread_t thread;
    pthread_barrier_init(&other.there, NULL, 2);
    pthread_barrier_init(&other.go_on, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, other_main, &other), 0);
    pthread_barrier_wait(&other.there);
    mic_free(other.blocks[0]); /* remotely: a bit, a token and an entry in the inbox */
    assert_false(mic_inbox_is_empty(&other.record->inbox));
    in_child(check, &other);
    /* the parent's thread is as it was */
    assert_int_equal(mic_load_relaxed(&other.record->state), MIC_RECORD_LIVE);
    assert_false(mic_inbox_is_empty(&other.record->inbox));
    pthread_barrier_wait(&other.go_on);
    pthread_join(thread, NULL);
    mic_free(other.blocks[1]);
}

static void check_orphan(void *arg)
{
    other_t *const other = arg;
    mic_page_t *const page = mic_page_of(other->blocks[1]);
    fresh_require(mic_load_relaxed(&other->record->state) == MIC_RECORD_ORPHAN);
    fresh_require(other->record->in_pool);
    fresh_require(mic_load_relaxed(&page->pending) == 0); /* no token, no bit */
    fresh_require(!mic_remote_any(page));
    mic_free(other->blocks[1]);
    works();
}

/* The child's: its pages are there for everybody. */
static void test_orphan(void **state)
{
    (void)state;
    with_other(false, check_orphan);
}

static void check_frozen(void *arg)
{
    other_t *const other = arg;
    fresh_require(mic_load_relaxed(&other->record->state) == MIC_RECORD_FROZEN);
    fresh_require(!other->record->in_pool);
    mic_free(other->blocks[1]); /* safe, and of no use */
    works();
    fresh_require(mic_load_relaxed(&other->record->state) == MIC_RECORD_FROZEN);
    /* a child of the child leaves it alone too */
    const pid_t pid = fork();
    if (pid == 0) {
        works();
        _exit(mic_load_relaxed(&other->record->state) != MIC_RECORD_FROZEN);
    }
    int status = -1;
    fresh_require(waitpid(pid, &status, 0) == pid && status == 0);
}

/* Caught in the middle of something: never used again. */
static void test_frozen(void **state)
{
    (void)state;
    with_other(true, check_frozen);
}

/* The handler of a signal forks while its thread keeps pages where they are: the child ends what its
   parent began, and pages may move again. */
static void check_moves(void *hold)
{
    fresh_require(!mic_theap_moves_are_held());
    const uint32_t other = mic_theap_moves_hold();
    mic_theap_moves_release(*(uint32_t *)hold);
    fresh_require(mic_theap_moves_are_held());
    mic_theap_moves_release(other);
    fresh_require(!mic_theap_moves_are_held());
    const pid_t pid = fork();
    if (pid == 0) _exit(mic_theap_moves_are_held());
    int status = -1;
    fresh_require(waitpid(pid, &status, 0) == pid && status == 0);
}

static void test_moves_are_held(void **state)
{
    (void)state;
    assert_false(mic_theap_moves_are_held());
    uint32_t hold = mic_theap_moves_hold();
    assert_true(mic_theap_moves_are_held());
    in_child(check_moves, &hold);
    assert_true(mic_theap_moves_are_held());
    mic_theap_moves_release(hold);
    assert_false(mic_theap_moves_are_held());
}

static void *attach_and_fork(void *arg)
{
    void *const p = mic_malloc(100);
    in_child(check_alone, p);
    mic_free(p);
    return arg;
}

/* The forking thread is not the first: the first one's record is an orphan in the child. */
static void check_first(void *arg)
{
    fresh_require(mic_tls.record != arg);
    fresh_require(((mic_record_t *)arg)->in_pool);
    works();
}

static void *fork_from_here(void *first)
{
    mic_free(mic_malloc(10));
    in_child(check_first, first);
    return NULL;
}

static void test_from_a_thread(void **state)
{
    (void)state;
    pthread_t thread;
    mic_free(mic_malloc(10));
    assert_int_equal(pthread_create(&thread, NULL, attach_and_fork, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(pthread_create(&thread, NULL, fork_from_here, mic_tls.record), 0);
    pthread_join(thread, NULL);
    assert_int_equal(mic_load_relaxed(&mic_tls.record->state), MIC_RECORD_LIVE);
}

/* ---- a thread whose first allocation is made by a fork handler of the program ---- */

/* The handler runs while the library holds all locks for the fork: registered before its own. */
static struct {
    bool wanted, is_new;
    mic_record_t *record;
    mic_atomic(uint32_t) step; /* 1: another thread may look, 2: it has */
    bool taken;                /* it could lock the record */
} handler;

static void handle_prepare(void)
{
    if (!handler.wanted) return;
    mic_free(mic_malloc(100));
    handler.record = mic_tls.record;
    handler.is_new = mic_record_first() == handler.record;
    mic_store_release(&handler.step, 1);
    while (mic_load_acquire(&handler.step) != 2) mic_os_yield();
}

__attribute__((constructor(101))) static void handler_register(void)
{
    if (pthread_atfork(handle_prepare, NULL, NULL) != 0) _exit(1);
}

static void *handler_look(void *arg)
{
    while (mic_load_acquire(&handler.step) != 1) mic_os_yield();
    handler.taken = mic_lock_try(&handler.record->lock);
    mic_store_release(&handler.step, 2);
    return arg;
}

static void *handler_fork(void *arg)
{
    assert_true(mic_tls.record == MIC_RECORD_BOOT);
    handler.wanted = true;
    in_child(check_alone, NULL);
    handler.wanted = false;
    assert_true(mic_lock_try(&handler.record->lock)); /* released with all others */
    mic_lock_release(&handler.record->lock);
    return arg;
}

/* Its record is locked as all others are, or a thread that looks at others' pages would meet the
   forking thread there, which passes all locks. */
static void test_record_of_a_handler(void **state)
{
    (void)state;
    pthread_t forks, looks;
    mic_free(mic_malloc(1));
    assert_int_equal(pthread_create(&looks, NULL, handler_look, NULL), 0);
    assert_int_equal(pthread_create(&forks, NULL, handler_fork, NULL), 0);
    pthread_join(looks, NULL);
    pthread_join(forks, NULL);
    assert_true(handler.is_new);
    assert_false(handler.taken);
}

/* The handler of a signal forks while its thread is about to fork, and the process has not started:
   it does not wait for itself, and leaves the hold to the fork that it interrupted. */
static void test_hold_is_taken_once(void **state)
{
    (void)state;
    alarm(300);
    assert_true(mic_process_hold_for_fork());
    assert_false(mic_process_hold_for_fork());
    mic_process_unhold_after_fork();
    assert_true(mic_process_hold_for_fork());
    mic_process_unhold_after_fork();
    alarm(0);
}

int main(void)
{
    (void)fresh_run;
    (void)fresh_main;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold_is_taken_once), /* nothing was allocated before */
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_record_of_a_handler), /* before there are orphans */
        cmocka_unit_test(test_orphan),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_moves_are_held),
        cmocka_unit_test(test_from_a_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
