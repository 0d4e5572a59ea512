/* The handler of a signal forks while the thread it interrupted is anywhere in the library, locks
   held too. With one thread the child goes on where its parent was; with several it ends, as only
   what is safe in a handler may follow. Nobody waits for itself. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mimalloc.h"
#include "stress.h"

#define SLOTS 500
#define STEPS_OF_A_CHILD 300
#define TIME_LIMIT_S 1800

static atomic_bool stop, alone = true, is_child;
static atomic_size_t forks, wrong;

static void handler(int number)
{
    (void)number;
    const int saved = errno;
    const pid_t pid = fork();
    if (pid == 0) {
        const struct itimerval none = {{0, 0}, {0, 0}};
        setitimer(ITIMER_PROF, &none, NULL);
        if (!atomic_load(&alone)) _exit(0);
        atomic_store(&is_child, true);
        alarm(TIME_LIMIT_S);
    } else if (pid > 0) {
        int status = -1;
        const bool ok = waitpid(pid, &status, 0) == pid && status == 0;
        if (!ok) atomic_fetch_add(&wrong, 1);
        atomic_fetch_add(&forks, 1);
    }
    errno = saved;
}

static void *slots[SLOTS];
static size_t bytes_of[SLOTS];

static void step(stress_random_t *r)
{
    const size_t i = stress_below(r, SLOTS);
    if (slots[i] != NULL) stress_check(slots[i], bytes_of[i], i);
    mi_free(slots[i]);
    bytes_of[i] = 16 + stress_size(r, stress_below(r, 2) == 0 ? 300 : 600000);
    slots[i] = mi_malloc(bytes_of[i]);
    stress_require(slots[i] != NULL);
    stress_fill(slots[i], bytes_of[i], i);
    if (stress_below(r, 50) == 0) mi_heap_destroy(mi_heap_new());
    if (stress_below(r, 300) == 0) mi_collect(true);
}

static void run_until(stress_random_t *r, size_t enough)
{
    size_t left = STEPS_OF_A_CHILD;
    while (atomic_load(&forks) < enough) {
        step(r);
        if (atomic_load(&is_child) && left-- == 0) _exit(0);
    }
}

static void *worker(void *arg)
{
    stress_random_t r = stress_random(7);
    while (!atomic_load(&stop)) mi_free(mi_malloc(stress_size(&r, 600000)));
    return arg;
}

int main(void)
{
    stress_begin("fork_in_handler");
    if (stress_under_sanitizer()) return STRESS_SKIPPED; /* its own locks */
    stress_limit_seconds(TIME_LIMIT_S);
    stress_random_t r = stress_random(1);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(SIGPROF, &action, NULL);
    /* of processor time: it comes while the library works, not while it waits */
    const struct itimerval often = {{0, 1000}, {0, 1000}}, none = {{0, 0}, {0, 0}};
    const size_t enough = stress_scaled(3000, 60);
    setitimer(ITIMER_PROF, &often, NULL);
    run_until(&r, enough);
    setitimer(ITIMER_PROF, &none, NULL);

    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGPROF);
    pthread_sigmask(SIG_BLOCK, &mine, NULL);
    pthread_t thread;
    atomic_store(&alone, false);
    stress_require(pthread_create(&thread, NULL, worker, NULL) == 0);
    pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
    run_until(&r, 2 * enough);
    setitimer(ITIMER_PROF, &none, NULL);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    stress_require(atomic_load(&wrong) == 0);
    printf("fork_in_handler: %zu forks\n", atomic_load(&forks));
    return 0;
}
