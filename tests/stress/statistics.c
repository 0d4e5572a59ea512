/* Statistics are asked for while threads allocate, free each other's blocks, end, and make and
   destroy heaps. Numbers never contradict each other, and when all is at rest they are exact. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mimalloc-stats.h"
#include "stress.h"

enum { WORKERS = 3, SLOTS = 256 };

static _Atomic(void *) slots[SLOTS];
static atomic_size_t made, running;
static size_t steps;

static void step(stress_random_t *r)
{
    void *const p = mi_malloc(1 + stress_size(r, 800000));
    stress_require(p != NULL);
    atomic_fetch_add(&made, 1);
    mi_free(atomic_exchange(&slots[stress_below(r, SLOTS)], p));
    if (stress_below(r, 100) != 0) return;
    mi_heap_t *const heap = mi_heap_new();
    stress_require(heap != NULL);
    for (size_t n = 1 + stress_below(r, 40); n > 0; n--) {
        stress_require(mi_heap_malloc(heap, stress_size(r, 100000)) != NULL);
        atomic_fetch_add(&made, 1);
    }
    mi_heap_destroy(heap);
}

static void *life(void *arg)
{
    stress_random_t r = stress_random((uint64_t)(uintptr_t)arg);
    for (size_t i = 0; i < 200; i++) step(&r);
    return NULL;
}

/* lives of other threads, one after the other, and work of its own */
static void *worker(void *arg)
{
    stress_random_t r = stress_random(100 + (uint64_t)(uintptr_t)arg);
    for (size_t i = 0; i < steps; i += 400) {
        pthread_t thread;
        stress_require(pthread_create(&thread, NULL, life, (void *)(uintptr_t)stress_next(&r)) ==
                       0);
        for (size_t k = 0; k < 200; k++) step(&r);
        pthread_join(thread, NULL);
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void check(const mi_stat_count_t *count)
{
    stress_require(count->current >= 0 && count->peak >= count->current &&
                   count->total >= count->peak);
}

static mi_stats_t get(void)
{
    mi_stats_t_decl(stats);
    stress_require(mi_stats_get(&stats));
    check(&stats.pages);
    check(&stats.committed);
    check(&stats.threads);
    check(&stats.heaps);
    check(&stats.theaps);
    check(&stats.malloc_normal);
    check(&stats.malloc_huge);
    for (int i = 0; i < MI_STAT_BIN_COUNT; i++) {
        check(&stats.malloc_bins[i]);
        check(&stats.page_bins[i]);
    }
    return stats;
}

static void ignore(const char *text, void *arg)
{
    (void)text;
    (void)arg;
}

static void *watcher(void *arg)
{
    (void)arg;
    for (size_t n = 0; atomic_load(&running) > 0; n++) {
        (void)get();
        char buffer[200];
        stress_require(strlen(mi_stats_get_json(sizeof buffer, buffer)) == sizeof buffer - 1);
        mi_subproc_heap_stats_print_out(mi_subproc_main(), ignore, NULL);
        mi_stats_t_decl(stats);
        stress_require(mi_subproc_stats_get_exclusive(mi_subproc_main(), &stats));
        if (n % 16 == 15) mi_collect(true);
    }
    return NULL;
}

static int64_t allocated(const mi_stats_t *stats)
{
    return stats->malloc_normal_count.total + stats->malloc_huge_count.total;
}

static int64_t in_use(const mi_stats_t *stats)
{
    int64_t blocks = 0;
    for (int i = 0; i < MI_STAT_BIN_COUNT; i++) blocks += stats->malloc_bins[i].current;
    return blocks;
}

int main(void)
{
    stress_begin("statistics");
    stress_limit_seconds(1800);
    steps = stress_scaled(2000000, 2000);
    const mi_stats_t before = get();
    pthread_t threads[WORKERS + 1];
    atomic_store(&running, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        stress_require(pthread_create(&threads[i], NULL, worker, (void *)(uintptr_t)i) == 0);
    stress_require(pthread_create(&threads[WORKERS], NULL, watcher, NULL) == 0);
    for (int i = 0; i <= WORKERS; i++) pthread_join(threads[i], NULL);

    /* what is left are the slots' blocks; the library's own allocations are none */
    int64_t left = 0;
    for (int i = 0; i < SLOTS; i++) left += atomic_load(&slots[i]) != NULL;
    mi_stats_t after = get();
    stress_require(in_use(&after) - in_use(&before) == left);
    stress_require(allocated(&after) - allocated(&before) == (int64_t)atomic_load(&made));
    stress_require(after.threads.current == before.threads.current);
    stress_require(after.heaps.current == before.heaps.current);
    for (int i = 0; i < SLOTS; i++) mi_free(atomic_load(&slots[i]));
    after = get();
    stress_require(in_use(&after) == in_use(&before));
    mi_stats_reset();
    after = get();
    stress_require(allocated(&after) == 0);
    return 0;
}
