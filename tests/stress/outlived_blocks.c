/* Threads end, their blocks stay, other threads free them. The memory comes back: at the latest
   with mi_collect(true), whatever classes the threads used. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "mimalloc.h"
#include "stress.h"
#include "vm/arena.h"

#define BLOCKS 64
#define THREADS_AT_ONCE 16

typedef struct batch {
    size_t bytes[BLOCKS];
    void *block[BLOCKS];
    uint64_t stream;
    size_t most;
} batch_t;

static void *make(void *arg)
{
    batch_t *const b = arg;
    stress_random_t r = stress_random(b->stream);
    for (size_t i = 0; i < BLOCKS; i++) {
        b->bytes[i] = b->most <= 1024 ? 1 + stress_below(&r, b->most) : stress_size(&r, b->most);
        b->block[i] = mi_malloc(b->bytes[i]);
        stress_require(b->block[i] != NULL);
        stress_fill(b->block[i], b->bytes[i], b->stream + i);
    }
    return NULL;
}

static void *unmake(void *arg)
{
    batch_t *const b = arg;
    for (size_t i = 0; i < BLOCKS; i++) {
        stress_check(b->block[i], b->bytes[i], b->stream + i);
        mi_free(b->block[i]);
    }
    return NULL;
}

static batch_t batches[THREADS_AT_ONCE * 8];

static void run(void *(*f)(void *), size_t first, size_t count)
{
    pthread_t t[THREADS_AT_ONCE];
    for (size_t i = 0; i < count; i++)
        stress_require(pthread_create(&t[i], NULL, f, &batches[first + i]) == 0);
    for (size_t i = 0; i < count; i++) pthread_join(t[i], NULL);
}

static void round_trip(size_t most, bool by_main)
{
    const size_t count = sizeof batches / sizeof batches[0];
    for (size_t first = 0; first < count; first += THREADS_AT_ONCE) {
        for (size_t i = 0; i < THREADS_AT_ONCE; i++) {
            batches[first + i].stream = (first + i) * 1000;
            batches[first + i].most = most;
        }
        run(make, first, THREADS_AT_ONCE);
    }
    for (size_t first = 0; first < count; first += THREADS_AT_ONCE) {
        if (by_main)
            for (size_t i = 0; i < THREADS_AT_ONCE; i++) unmake(&batches[first + i]);
        else
            run(unmake, (first + THREADS_AT_ONCE) % count, THREADS_AT_ONCE);
    }
}

int main(void)
{
    stress_begin("outlived_blocks");
    stress_limit_seconds(600);
    const size_t rounds = stress_scaled(200, 6);
    mi_free(mi_malloc(1));
    for (size_t i = 0; i < rounds; i++) {
        const size_t most = i % 3 == 0 ? 1024 : i % 3 == 1 ? 100000 : 2000000;
        round_trip(most, i % 2 == 0);
    }
    mi_collect(true);
    const uint64_t left = mic_load_relaxed(&mic_vm_counts.used_slices);
    printf("%zu rounds, %llu slices left, resident %zu KiB\n", rounds, (unsigned long long)left,
           stress_rss_kib());
    stress_require(left <= 16); /* main's pages; nothing of the threads' */
    return 0;
}
