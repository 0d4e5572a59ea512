/* The thread that gives memory back while all others are idle. Each test is a process of its own,
   since what is tested is a thread of the process; they wait for what has to happen, however long,
   and look for some time at what must not. Nobody calls the allocator meanwhile. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>

#include <cmocka.h>

#include "base/config.h"
#include "fresh_process.h"
#include "heap/thread.h"
#include "mimalloc-options.h"
#include "mimalloc.h"
#include "os/os.h"
#include "vm/arena.h"

#define BLOCKS 4096
#define BLOCK_BYTES ((size_t)2000)
#define HELD_BYTES (BLOCKS * BLOCK_BYTES)
#define LONG_MS 300000
#define DELAY_MS 30

static void *blocks[BLOCKS];

static void nap(long milliseconds)
{
    const struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&t, NULL);
}

#define wait_until(x)                                                                              \
    do {                                                                                           \
        long waited = 0;                                                                           \
        for (; !(x) && waited < LONG_MS; waited += 5) nap(5);                                      \
        fresh_require(x);                                                                          \
    } while (0)

static uint64_t purged(void) { return mic_load_relaxed(&mic_vm_counts.purged_bytes); }
static uint64_t used_bytes(void)
{
    return mic_load_relaxed(&mic_vm_counts.used_slices) << MIC_SLICE_SHIFT;
}

static void fill(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = mi_malloc(BLOCK_BYTES);
        fresh_require(blocks[i] != NULL);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
}

static void empty(void)
{
    for (size_t i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
}

static void turn_on(void)
{
    mi_option_set(mi_option_purge_delay, DELAY_MS);
    mi_option_enable(mi_option_purge_thread);
}

/* ---- /proc ---- */

static bool line_of(const char *task, const char *key, char *value, size_t size)
{
    char path[300], line[256];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
    FILE *const f = fopen(path, "r");
    if (f == NULL) return false;
    bool found = false;
    while (!found && fgets(line, sizeof line, f) != NULL) {
        found = strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':';
        if (found) snprintf(value, size, "%.40s", line + strlen(key) + 2);
    }
    fclose(f);
    value[strcspn(value, "\n")] = 0;
    return found;
}

static size_t tasks(void)
{
    size_t n = 0;
    DIR *const d = opendir("/proc/self/task");
    fresh_require(d != NULL);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static bool find_purger(char *task, size_t size)
{
    bool found = false;
    DIR *const d = opendir("/proc/self/task");
    fresh_require(d != NULL);
    for (const struct dirent *e; !found && (e = readdir(d)) != NULL;) {
        char name[64];
        found = e->d_name[0] != '.' && line_of(e->d_name, "Name", name, sizeof name) &&
                strcmp(name, "mi-purge") == 0;
        if (found) snprintf(task, size, "%.20s", e->d_name);
    }
    closedir(d);
    return found;
}

static bool has_purger(void)
{
    char task[64];
    return find_purger(task, sizeof task);
}

/* ---- cases ---- */

static size_t threads_before;

/* race checkers make a thread of their own, some time */
static bool more_threads(size_t n) { return MIC_TSAN || tasks() == threads_before + n; }

static void case_gives_back(long unused)
{
    (void)unused;
    turn_on();
    fill();
    empty();
    wait_until(purged() >= HELD_BYTES / 2);
    /* again, from its sleep */
    const uint64_t before = purged();
    fill();
    empty();
    wait_until(purged() >= before + HELD_BYTES / 2);
}

static void case_one_block(long unused)
{
    (void)unused;
    if (CFG_HARDENED) return; /* it is held back, and keeps its memory */
    turn_on();
    char *const p = mi_malloc(20 * MIC_MIB);
    fresh_require(p != NULL);
    memset(p, 1, 20 * MIC_MIB);
    mi_free(p);
    wait_until(purged() >= 20 * MIC_MIB);
}

static void case_off(long unused)
{
    (void)unused;
    mi_option_set(mi_option_purge_delay, DELAY_MS);
    fill();
    empty();
    const uint64_t before = purged();
    nap(10 * DELAY_MS);
    fresh_require(purged() == before);
    fresh_require(more_threads(0));
}

static void case_only_when_needed(long unused)
{
    (void)unused;
    turn_on();
    for (int i = 0; i < 1000; i++) mi_free(mi_malloc(100));
    void *some[100];
    for (int i = 0; i < 100; i++) some[i] = mi_malloc(100);
    for (int i = 0; i < 100; i++) mi_free(some[i]);
    fresh_require(more_threads(0));
    fill();
    fresh_require(more_threads(1));
    wait_until(has_purger());
    mi_option_disable(mi_option_purge_thread);
    wait_until(!has_purger() && more_threads(0));
    empty();
    const uint64_t before = purged();
    nap(5 * DELAY_MS);
    fresh_require(purged() == before);
    mi_option_enable(mi_option_purge_thread); /* what is held already is reason enough */
    wait_until(purged() >= before + HELD_BYTES / 2);
}

static void case_signals(long unused)
{
    (void)unused;
    turn_on();
    fill();
    wait_until(has_purger());
    char task[64], blocked[64];
    fresh_require(find_purger(task, sizeof task));
    fresh_require(line_of(task, "SigBlk", blocked, sizeof blocked));
    const unsigned long mask = strtoul(blocked, NULL, 16);
    for (int s = 1; s < 32; s++)
        if (s != SIGKILL && s != SIGSTOP) fresh_require((mask >> (s - 1) & 1) != 0);
    sigset_t mine; /* ours is as it was */
    fresh_require(pthread_sigmask(SIG_BLOCK, NULL, &mine) == 0);
    fresh_require(sigismember(&mine, SIGUSR1) == 0);
    /* of the process, and nobody but the thread could take it: it stays */
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    fresh_require(pthread_sigmask(SIG_BLOCK, &mine, NULL) == 0);
    kill(getpid(), SIGUSR1); /* its default would end the process */
    empty();
    wait_until(purged() >= HELD_BYTES / 2);
    fresh_require(sigpending(&mine) == 0 && sigismember(&mine, SIGUSR1) == 1);
}

static long switches(void)
{
    char task[64], first[64], second[64];
    fresh_require(find_purger(task, sizeof task));
    fresh_require(line_of(task, "voluntary_ctxt_switches", first, sizeof first));
    fresh_require(line_of(task, "nonvoluntary_ctxt_switches", second, sizeof second));
    return atol(first) + atol(second);
}

/* A thread that looked from time to time would never be found without a switch for so long. */
#define QUIET_MS 1500
static void case_sleeps(long unused)
{
    (void)unused;
    turn_on();
    fill();
    empty();
    wait_until(purged() >= HELD_BYTES / 2);
    long before = -1, after = switches();
    for (int i = 0; i < LONG_MS / QUIET_MS && after != before; i++) {
        before = after;
        nap(QUIET_MS);
        after = switches();
    }
    fresh_require(after == before);
}

static pthread_barrier_t turn;

static void *own(void *arg)
{
    fill();
    for (size_t i = 0; i < BLOCKS; i += 4) mi_free(blocks[i]); /* all its pages are queued */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return arg;
}

/* A thread owns pages and sleeps; all blocks in them are freed by another one, which sleeps too. */
static void case_pages_of_others(long unused)
{
    (void)unused;
    if (CFG_HARDENED || MIC_TSAN || !MIC_STORES_IN_ORDER || mic_os_barrier() != 0) return;
    pthread_t thread;
    turn_on();
    fresh_require(pthread_barrier_init(&turn, NULL, 2) == 0);
    fresh_require(pthread_create(&thread, NULL, own, NULL) == 0);
    pthread_barrier_wait(&turn);
    for (size_t i = 0; i < BLOCKS; i++)
        if (i % 4 != 0) mi_free(blocks[i]);
    wait_until(used_bytes() < HELD_BYTES / 4);
    wait_until(purged() >= HELD_BYTES / 2);
    pthread_barrier_wait(&turn);
    fresh_require(pthread_join(thread, NULL) == 0);
}

static void check_child(pid_t pid)
{
    int status = -1;
    fresh_require(pid > 0);
    fresh_require(waitpid(pid, &status, 0) == pid && status == 0);
}

static void case_fork(long unused)
{
    (void)unused;
    turn_on();
    fill();
    wait_until(has_purger());
    for (int i = 0; i < 20; i++) {
        empty();
        fill();
        const pid_t pid = fork();
        if (pid == 0) {
            if (has_purger()) _exit(1);
            if (i % 4 != 0 || MIC_TSAN) exit(0); /* as most do; race checkers cannot go on */
            empty();
            const uint64_t before = purged();
            fill();
            wait_until(has_purger());
            empty();
            wait_until(purged() >= before + HELD_BYTES / 4);
            exit(0);
        }
        check_child(pid);
    }
    fresh_require(has_purger());
}

static void *grow(void *arg)
{
    fill();
    empty();
    return arg;
}

/* main ends like any other thread: the process does when nobody is left, and this one does not
   count. */
static void case_last_thread_ends(long unused)
{
    (void)unused;
    pthread_t thread;
    turn_on();
    fill();
    wait_until(has_purger());
    mi_thread_done();
    wait_until(!has_purger());
    fresh_require(pthread_create(&thread, NULL, grow, NULL) == 0); /* starts it again */
    fresh_require(pthread_join(thread, NULL) == 0);
    wait_until(!has_purger());
    if (MIC_TSAN) return; /* its run-time has threads of its own */
    fill();
    wait_until(has_purger());
    pthread_exit(NULL);
}

static pid_t raw_fork(void) { return (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L); }

/* No handler tells the child that it has no thread: its destructor must not wait for one. */
static void case_raw_fork(long unused)
{
    (void)unused;
    if (MIC_TSAN) return;
    turn_on();
    fill();
    empty();
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        const uint64_t before = mic_os_clock_ms();
        const pid_t pid = raw_fork();
        if (pid == 0) {
            mic_process_destructed();
            _exit(0);
        }
        check_child(pid);
        const uint64_t took = mic_os_clock_ms() - before;
        if (took < least) least = took;
    }
    fresh_require(least < 2000);
}

/* Ends at every moment of what the thread does, the libraries' destructors first. */
static void case_exit(long unused)
{
    (void)unused;
    for (int i = 0; i < 40; i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            mi_option_set(mi_option_purge_delay, i % 2);
            mi_option_enable(mi_option_purge_thread);
            fill();
            empty();
            nap(i % 20 * 2);
            exit(0);
        }
        check_child(pid);
    }
}

const fresh_case_t fresh_cases[] = {{"gives_back", NULL, case_gives_back},
                                    {"one_block", NULL, case_one_block},
                                    {"off", NULL, case_off},
                                    {"only_when_needed", NULL, case_only_when_needed},
                                    {"signals", NULL, case_signals},
                                    {"sleeps", NULL, case_sleeps},
                                    {"pages_of_others", NULL, case_pages_of_others},
                                    {"fork", NULL, case_fork},
                                    {"last_thread_ends", NULL, case_last_thread_ends},
                                    {"raw_fork", NULL, case_raw_fork},
                                    {"exit", NULL, case_exit},
                                    {NULL, NULL, NULL}};

#define TEST(name)                                                                                 \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        assert_int_equal(fresh_run(#name, 0), 0);                                                  \
    }
TEST(gives_back)
TEST(one_block)
TEST(off)
TEST(only_when_needed)
TEST(signals)
TEST(sleeps)
TEST(pages_of_others)
TEST(fork)
TEST(last_thread_ends)
TEST(raw_fork)
TEST(exit)

int main(int argc, char **argv)
{
    threads_before = tasks();
    if (argc > 1) return fresh_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_back),
        cmocka_unit_test(test_one_block),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_only_when_needed),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_sleeps),
        cmocka_unit_test(test_pages_of_others),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_last_thread_ends),
        cmocka_unit_test(test_raw_fork),
        cmocka_unit_test(test_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
