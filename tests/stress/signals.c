/* Signals at 5 kHz, without SA_RESTART, while several threads allocate and wait for each other's
   locks. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "mimalloc.h"
#include "stress.h"

static atomic_ulong signals;
static _Atomic(void *) slots[512];
static atomic_bool stop;

static void handler(int number)
{
    (void)number;
    atomic_fetch_add(&signals, 1);
}

static void *worker(void *arg)
{
    stress_random_t r = stress_random((uint64_t)(uintptr_t)arg);
    while (!atomic_load(&stop)) {
        const size_t bytes = 8 + stress_size(&r, 900000);
        unsigned char *const p = mi_malloc(bytes);
        stress_require(p != NULL);
        memcpy(p, &bytes, 8);
        stress_fill(p + 8, bytes - 8, bytes);
        unsigned char *const old = atomic_exchange(&slots[stress_below(&r, 512)], p);
        if (old == NULL) continue;
        size_t n;
        memcpy(&n, old, 8);
        stress_check(old + 8, n - 8, n);
        mi_free(old);
        if (stress_below(&r, 3000) == 0) mi_collect(true);
    }
    return NULL;
}

int main(void)
{
    stress_begin("signals");
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval timer = {{0, 200}, {0, 200}};
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++)
        stress_require(pthread_create(&t[i], NULL, worker, (void *)i) == 0);
    setitimer(ITIMER_REAL, &timer, NULL);
    const double seconds = (double)stress_scaled(60000, 1500) / 1000;
    while (stress_seconds() < seconds) mi_free(mi_malloc(100));
    atomic_store(&stop, true);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    const struct itimerval off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &off, NULL);
    printf("%lu signals in %.1f s\n", (unsigned long)signals, stress_seconds());
    stress_require(signals > 100);
    return 0;
}
