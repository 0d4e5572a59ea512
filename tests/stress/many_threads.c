/* A thousand threads at once, each with blocks of its own and of its neighbour; many thousand
   threads one after the other. Neither leaves anything behind. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "mimalloc.h"
#include "stress.h"
#include "vm/arena.h"

#define AT_ONCE 1000
#define BLOCKS 20

static void *blocks[AT_ONCE][BLOCKS];
static pthread_barrier_t all;

static size_t bytes_of(size_t thread, size_t i) { return 1 + (thread * 131 + i * 977) % 3000; }

static void *at_once(void *arg)
{
    const size_t me = (size_t)(uintptr_t)arg, next = (me + 1) % AT_ONCE;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[me][i] = mi_malloc(bytes_of(me, i));
        stress_require(blocks[me][i] != NULL);
        stress_fill(blocks[me][i], bytes_of(me, i), me * BLOCKS + i);
    }
    pthread_barrier_wait(&all);
    for (size_t i = 0; i < BLOCKS; i++) {
        stress_check(blocks[next][i], bytes_of(next, i), next * BLOCKS + i);
        mi_free(blocks[next][i]);
    }
    return NULL;
}

static void *one(void *arg)
{
    stress_random_t r = stress_random((uint64_t)(uintptr_t)arg);
    void *p[10];
    for (size_t i = 0; i < 10; i++) p[i] = mi_malloc(stress_size(&r, 600000));
    for (size_t i = 0; i < 9; i++) mi_free(p[i]);
    return p[9];
}

int main(void)
{
    stress_begin("many_threads");
    stress_limit_seconds(1800);
    mi_free(mi_malloc(1));
    static pthread_t t[AT_ONCE];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    for (size_t round = 0; round < stress_scaled(40, 2); round++) {
        pthread_barrier_init(&all, NULL, AT_ONCE);
        for (uintptr_t i = 0; i < AT_ONCE; i++)
            stress_require(pthread_create(&t[i], &small, at_once, (void *)i) == 0);
        for (size_t i = 0; i < AT_ONCE; i++) pthread_join(t[i], NULL);
        pthread_barrier_destroy(&all);
        mi_collect(true);
        const uint64_t left = mic_load_relaxed(&mic_vm_counts.used_slices);
        printf("%d at once: %llu slices left, resident %zu KiB\n", AT_ONCE,
               (unsigned long long)left, stress_rss_kib());
        stress_require(left <= 64);
    }
    const size_t threads = stress_scaled(400000, 2000);
    size_t rss = 0;
    uint64_t slices = 0;
    for (uintptr_t i = 0; i < threads; i++) {
        pthread_t single;
        void *p;
        stress_require(pthread_create(&single, NULL, one, (void *)i) == 0);
        pthread_join(single, &p);
        mi_free(p);
        if (i == threads / 2) {
            rss = stress_rss_kib();
            slices = mic_load_relaxed(&mic_vm_counts.used_slices);
        }
    }
    const uint64_t slices_after = mic_load_relaxed(&mic_vm_counts.used_slices);
    printf("%zu in sequence: slices %llu -> %llu, resident %zu -> %zu KiB\n", threads,
           (unsigned long long)slices, (unsigned long long)slices_after, rss, stress_rss_kib());
    stress_require(slices_after <= slices + 100);
    return 0;
}
