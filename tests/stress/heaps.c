/* Eight threads make heaps, fill them, share them, delete and destroy them, end and come back; blocks
   of deleted heaps are freed by whoever meets them, and now and then the process forks. At the end
   nothing is left. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/walk.h"
#include "base/check.h"
#include "heap/thread.h"
#include "mimalloc.h"
#include "stress.h"

#define THREADS 8
#define HEAPS 12
#define SLOTS 64
#define SURVIVORS 512

typedef struct head {
    size_t bytes;
    uint64_t mark;
} head_t;

/* readers use the heap, the writer ends it: what the interface asks of programs */
typedef struct shared {
    pthread_rwlock_t lock;
    mi_heap_t *heap;
    _Atomic(void *) slot[SLOTS];
} shared_t;

static shared_t shared[HEAPS];
static _Atomic(void *) survivor[SURVIVORS]; /* blocks of heaps that were deleted */
static atomic_bool stop;
static atomic_size_t destroyed, deleted, threads_made, visited, forks;

static void *make_block(mi_heap_t *heap, stress_random_t *r)
{
    const size_t kind = stress_below(r, 200);
    const size_t bytes = sizeof(head_t) + (kind == 0   ? stress_below(r, 3000000)
                                           : kind < 20 ? stress_below(r, 100000)
                                                       : stress_below(r, 700));
    head_t *const h = stress_below(r, 8) == 0 ? mi_heap_malloc_aligned(heap, bytes, 64)
                                              : mi_heap_malloc(heap, bytes);
    stress_require(h != NULL);
    h->bytes = bytes - sizeof *h;
    h->mark = stress_next(r);
    stress_fill(h + 1, h->bytes, h->mark);
    return h;
}

static void check_block(const void *p)
{
    const head_t *const h = p;
    if (h != NULL) stress_check(h + 1, h->bytes, h->mark);
}

static void free_block(void *p)
{
    check_block(p);
    mi_free(p);
}

static void *grow_block(mi_heap_t *heap, void *p, stress_random_t *r)
{
    head_t *h = p;
    const size_t was = h->bytes, bytes = stress_below(r, 20000);
    stress_check(h + 1, was, h->mark);
    h = mi_heap_realloc(heap, h, sizeof *h + bytes);
    stress_require(h != NULL && mi_heap_of(h) == heap);
    stress_check_kept(h + 1, was, bytes < was ? bytes : was, h->mark);
    h->bytes = bytes;
    stress_fill(h + 1, bytes, h->mark);
    return h;
}

static bool see_block(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                      void *arg)
{
    stress_require(heap == arg);
    stress_require(area->used <= area->reserved / area->full_block_size);
    stress_require(block == NULL ||
                   ((char *)block >= (char *)area->blocks &&
                    (char *)block + size <= (char *)area->blocks + area->reserved));
    atomic_fetch_add_explicit(&visited, 1, memory_order_relaxed);
    return true;
}

static void use(shared_t *s, stress_random_t *r)
{
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = stress_below(r, 200); i > 0; i--) {
        _Atomic(void *) *const slot = &s->slot[stress_below(r, SLOTS)];
        void *p = NULL;
        if (stress_below(r, 3) != 0) p = make_block(s->heap, r);
        if (p != NULL && stress_below(r, 10) == 0) p = grow_block(s->heap, p, r);
        free_block(atomic_exchange(slot, p));
    }
    if (stress_below(r, 50) == 0) (void)mi_heap_visit_blocks(s->heap, true, see_block, s->heap);
    if (stress_below(r, 50) == 0) mi_heap_collect(s->heap, stress_below(r, 2) == 0);
    pthread_rwlock_unlock(&s->lock);
}

static void end(shared_t *s, bool destroy, stress_random_t *r)
{
    pthread_rwlock_wrlock(&s->lock);
    for (int i = 0; i < SLOTS; i++) {
        void *const p = atomic_exchange(&s->slot[i], NULL);
        check_block(p);
        stress_require(p == NULL || mi_heap_contains(s->heap, p));
        if (!destroy) free_block(atomic_exchange(&survivor[stress_below(r, SURVIVORS)], p));
    }
    (destroy ? mi_heap_destroy : mi_heap_delete)(s->heap);
    atomic_fetch_add(destroy ? &destroyed : &deleted, 1);
    s->heap = mi_heap_new();
    stress_require(s->heap != NULL);
    pthread_rwlock_unlock(&s->lock);
}

static void *worker(void *arg)
{
    stress_random_t r = stress_random((uint64_t)(uintptr_t)arg);
    for (size_t steps = 200 + stress_below(&r, 2000); steps > 0 && !atomic_load(&stop); steps--) {
        shared_t *const s = &shared[stress_below(&r, HEAPS)];
        const size_t dice = stress_below(&r, 100);
        if (dice < 8)
            end(s, dice < 4, &r);
        else if (dice < 9)
            mi_collect(stress_below(&r, 4) == 0);
        else if (dice < 40)
            free_block(atomic_exchange(&survivor[stress_below(&r, SURVIVORS)], NULL));
        else
            use(s, &r);
    }
    return NULL;
}

/* one that ends is followed by another */
static void *keeper(void *arg)
{
    for (uintptr_t n = (uintptr_t)arg; !atomic_load(&stop); n += THREADS) {
        pthread_t t;
        stress_require(pthread_create(&t, NULL, worker, (void *)n) == 0);
        pthread_join(t, NULL);
        atomic_fetch_add(&threads_made, 1);
    }
    return NULL;
}

/* What was shared may be locked by a thread that is not here: the child makes heaps of its own, and
   frees what lies about. */
static void child(void)
{
    alarm(300);
    stress_random_t r = stress_random(77);
    for (int i = 0; i < 20; i++) {
        mi_heap_t *const heap = mi_heap_new();
        void *p[50];
        for (int k = 0; k < 50; k++) p[k] = make_block(heap, &r);
        for (int k = 0; k < 50; k += 2) free_block(p[k]);
        if (i % 2 == 0) {
            mi_heap_destroy(heap);
        } else {
            mi_heap_delete(heap);
            for (int k = 1; k < 50; k += 2) free_block(p[k]);
        }
        free_block(atomic_exchange(&survivor[stress_below(&r, SURVIVORS)], NULL));
    }
    mi_collect(true);
    _exit(0);
}

static void fork_one(void)
{
    const pid_t pid = fork();
    stress_require(pid >= 0);
    if (pid == 0) child();
    int status;
    stress_require(waitpid(pid, &status, 0) == pid);
    stress_require(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    atomic_fetch_add(&forks, 1);
}

static size_t live_blocks(void)
{
    mic_heap_counts_t counts;
    mi_collect(true);
    mic_heap_count(&counts);
    return counts.live;
}

int main(void)
{
    stress_begin("heaps");
    stress_limit_seconds(1800);
    mic_deep_enabled = true;
    const double seconds = (double)stress_scaled(60, 2);
    stress_random_t r = stress_random(1000);
    mi_free(mi_malloc(1));
    const size_t before = live_blocks();
    for (int i = 0; i < HEAPS; i++) {
        pthread_rwlock_init(&shared[i].lock, NULL);
        shared[i].heap = mi_heap_new();
    }
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        stress_require(pthread_create(&t[i], NULL, keeper, (void *)(i + 1)) == 0);
    while (stress_seconds() < seconds) {
        usleep(20000);
        if (!stress_under_sanitizer()) fork_one();
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < HEAPS; i++) {
        end(&shared[i], i % 2 == 0, &r);
        mi_heap_destroy(shared[i].heap);
    }
    for (int i = 0; i < SURVIVORS; i++) free_block(atomic_exchange(&survivor[i], NULL));
    const size_t after = live_blocks();
    printf("%zu destroyed, %zu deleted, %zu threads, %zu forks, %zu visits, %zu blocks left\n",
           atomic_load(&destroyed), atomic_load(&deleted), atomic_load(&threads_made),
           atomic_load(&forks), atomic_load(&visited), after - before);
    stress_require(after == before);
    return 0;
}
