/* Blocks are made by some threads and freed by others: one to one, many to one, one to many, each
   to each. Contents are checked by the thread that frees. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "mimalloc.h"
#include "stress.h"
#include "vm/arena.h"

#define RING 1024
#define SIDE_MAX 4

typedef struct item {
    size_t bytes;
    uint64_t mark;
} item_t;

static _Atomic(item_t *) ring[RING];
static atomic_size_t left_to_make, left_to_take;

static void *producer(void *arg)
{
    stress_random_t r = stress_random((uint64_t)(uintptr_t)arg);
    while ((ptrdiff_t)atomic_fetch_sub(&left_to_make, 1) > 0) {
        const size_t bytes = sizeof(item_t) + stress_size(&r, 1200000);
        item_t *const item = stress_below(&r, 8) == 0
                                 ? mi_malloc_aligned_at(bytes, 64, 8 * stress_below(&r, 8))
                                 : mi_malloc(bytes);
        stress_require(item != NULL);
        item->bytes = bytes - sizeof *item;
        item->mark = stress_next(&r);
        stress_fill(item + 1, item->bytes, item->mark);
        for (size_t at = stress_below(&r, RING);; at = (at + 1) % RING) {
            item_t *empty = NULL;
            if (atomic_compare_exchange_strong(&ring[at], &empty, item)) break;
            if (at % 64 == 0) sched_yield();
        }
        if (stress_below(&r, 5000) == 0) mi_collect(stress_below(&r, 4) == 0);
    }
    return NULL;
}

static void *consumer(void *arg)
{
    stress_random_t r = stress_random(100 + (uint64_t)(uintptr_t)arg);
    for (size_t at = stress_below(&r, RING); (ptrdiff_t)atomic_load(&left_to_take) > 0;
         at = (at + 1) % RING) {
        if (at % 64 == 0) sched_yield();
        if (atomic_load_explicit(&ring[at], memory_order_relaxed) == NULL) continue;
        item_t *item = atomic_exchange(&ring[at], NULL);
        if (item == NULL) continue;
        stress_check(item + 1, item->bytes, item->mark);
        mi_free(item);
        atomic_fetch_sub(&left_to_take, 1);
    }
    return NULL;
}

static void *both(void *arg)
{
    producer(arg);
    return consumer(arg);
}

static void run(size_t producers, size_t consumers, size_t items)
{
    const double start = stress_seconds();
    pthread_t t[2 * SIDE_MAX];
    atomic_store(&left_to_make, items);
    atomic_store(&left_to_take, items);
    size_t n = 0;
    for (uintptr_t i = 0; i < producers; i++)
        stress_require(pthread_create(&t[n++], NULL, producer, (void *)i) == 0);
    for (uintptr_t i = 0; i < consumers; i++)
        stress_require(pthread_create(&t[n++], NULL, consumer, (void *)i) == 0);
    for (size_t i = 0; i < n; i++) pthread_join(t[i], NULL);
    mi_collect(true);
    printf("%zu -> %zu: %zu items, %.2f s, %llu slices left\n", producers, consumers, items,
           stress_seconds() - start,
           (unsigned long long)mic_load_relaxed(&mic_vm_counts.used_slices));
}

static void run_mixed(size_t threads, size_t items)
{
    pthread_t t[2 * SIDE_MAX];
    /* few enough items that the ring never blocks those who only make */
    for (size_t round = 0; round < items / (RING / 2); round++) {
        atomic_store(&left_to_make, RING / 2);
        atomic_store(&left_to_take, RING / 2);
        for (uintptr_t i = 0; i < threads; i++)
            stress_require(pthread_create(&t[i], NULL, both, (void *)(i + round * 16)) == 0);
        for (size_t i = 0; i < threads; i++) pthread_join(t[i], NULL);
    }
}

int main(void)
{
    stress_begin("hand_over");
    stress_limit_seconds(1800);
    const size_t items = stress_scaled(4000000, 10000);
    run(1, 1, items);
    run(SIDE_MAX, 1, items);
    run(1, SIDE_MAX, items);
    run(SIDE_MAX, SIDE_MAX, items);
    run_mixed(SIDE_MAX, items / 4);
    return 0;
}
