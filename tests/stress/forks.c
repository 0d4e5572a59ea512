/* Forks while threads allocate, free each other's blocks, are created and end. Each child
   allocates, frees blocks of every thread of its parent, makes a thread and forks again. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mimalloc.h"
#include "stress.h"

#define THREADS 3
#define SLOTS 256
#define SLOT_BYTES_MAX 3000

/* a slot is taken by exchange, so that in the child every pointer in a slot is a whole live block */
static _Atomic(void *) slots[SLOTS];
static atomic_bool stop;

typedef struct head {
    size_t bytes;
    uint64_t mark;
} head_t;

static void *make_block(stress_random_t *r)
{
    const size_t bytes =
        sizeof(head_t) +
        (stress_below(r, 100) == 0 ? stress_below(r, 900000) : stress_below(r, SLOT_BYTES_MAX));
    head_t *const h = mi_malloc(bytes);
    stress_require(h != NULL);
    h->bytes = bytes - sizeof *h;
    h->mark = stress_next(r);
    stress_fill(h + 1, h->bytes, h->mark);
    return h;
}

static void free_block(void *p)
{
    head_t *const h = p;
    if (h == NULL) return;
    stress_check(h + 1, h->bytes, h->mark);
    mi_free(h);
}

static void exchange_some(stress_random_t *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free_block(atomic_exchange(&slots[stress_below(r, SLOTS)], make_block(r)));
}

static void *worker(void *arg)
{
    stress_random_t r = stress_random((uint64_t)(uintptr_t)arg);
    while (!atomic_load(&stop)) exchange_some(&r, 100);
    return NULL;
}

static void *short_thread(void *arg)
{
    stress_random_t r = stress_random(1000 + (uint64_t)(uintptr_t)arg);
    exchange_some(&r, 50);
    return NULL;
}

static void *spawner(void *arg)
{
    for (uintptr_t i = 0; !atomic_load(&stop); i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, short_thread, (void *)i) == 0) pthread_join(t, NULL);
    }
    return arg;
}

static _Noreturn void child(uint64_t stream, int depth)
{
    stress_limit_seconds(600);
    stress_random_t r = stress_random(stream);
    if (stream % 2 == 0) free_block(atomic_exchange(&slots[stream % SLOTS], NULL));
    exchange_some(&r, 200);
    pthread_t t;
    stress_require(pthread_create(&t, NULL, short_thread, (void *)(uintptr_t)stream) == 0);
    exchange_some(&r, 200);
    pthread_join(t, NULL);
    for (; depth > 0; depth--) {
        const pid_t pid = fork();
        stress_require(pid >= 0);
        if (pid == 0) {
            exchange_some(&r, 200);
            mi_collect(true);
            _exit(0);
        }
        int status;
        stress_require(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
                       WEXITSTATUS(status) == 0);
    }
    for (size_t i = 0; i < SLOTS; i++) free_block(atomic_exchange(&slots[i], NULL));
    mi_collect(true);
    exchange_some(&r, 100);
    _exit(0);
}

int main(void)
{
    stress_begin("forks");
    if (stress_under_sanitizer()) return STRESS_SKIPPED;
    stress_limit_seconds(1800);
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS - 1; i++) pthread_create(&t[i], NULL, worker, (void *)i);
    pthread_create(&t[THREADS - 1], NULL, spawner, NULL);
    const size_t forks = stress_scaled(6000, 300);
    stress_random_t r = stress_random(77);
    size_t failed = 0;
    for (size_t i = 0; i < forks; i++) {
        exchange_some(&r, 20);
        const pid_t pid = fork();
        stress_require(pid >= 0);
        if (pid == 0) child(10000 + i, 1);
        int status;
        stress_require(waitpid(pid, &status, 0) == pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            printf("child %zu: status %#x\n", i, status);
            failed++;
        }
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    for (size_t i = 0; i < SLOTS; i++) free_block(atomic_exchange(&slots[i], NULL));
    printf("%zu of %zu children failed, %.1f s\n", failed, forks, stress_seconds());
    return failed != 0;
}
