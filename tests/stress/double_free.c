/* A block that is freed twice by other threads than its owner's, before the owner collected it, is
   reported and not handed out twice. By two threads at the same time: nothing is handed out twice. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "mimalloc.h"
#include "stress.h"

#define BLOCKS 500

static void *blocks[BLOCKS];
static size_t bytes;
static atomic_size_t reports;

static void on_error(int error, void *arg)
{
    (void)arg;
    /* EINVAL: the block was the last of its page, which was released at once */
    stress_require(error == EAGAIN || error == EINVAL);
    atomic_fetch_add(&reports, 1);
}

static void *free_all(void *arg)
{
    for (size_t i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
    return arg;
}

static void run(bool together)
{
    atomic_store(&reports, 0);
    for (size_t i = 0; i < BLOCKS; i++) stress_require((blocks[i] = mi_malloc(bytes)) != NULL);
    pthread_t t[2];
    for (int i = 0; i < 2; i++) {
        stress_require(pthread_create(&t[i], NULL, free_all, NULL) == 0);
        if (!together) pthread_join(t[i], NULL);
    }
    for (int i = 0; i < 2 && together; i++) pthread_join(t[i], NULL);
    /* at the same time: a page whose last block is freed is released at once, and what comes after
       that may find nothing to compare with */
    if (together)
        stress_require(atomic_load(&reports) > 0);
    else
        stress_require(atomic_load(&reports) == BLOCKS);
    void *again[BLOCKS * 2];
    for (size_t i = 0; i < BLOCKS * 2; i++) {
        again[i] = mi_malloc(bytes);
        stress_fill(again[i], bytes, i);
    }
    for (size_t i = 0; i < BLOCKS * 2; i++) stress_check(again[i], bytes, i);
    for (size_t i = 0; i < BLOCKS * 2; i++) mi_free(again[i]);
}

/* Blocks of their own slices, by two threads at the same time: every second free is found. */
#define SPANS 40

static void *spans[SPANS];
static pthread_barrier_t spans_there;

static void *free_spans(void *arg)
{
    for (size_t i = 0; i < SPANS; i++) {
        pthread_barrier_wait(&spans_there);
        mi_free(spans[i]);
    }
    return arg;
}

static void run_spans(size_t rounds)
{
    pthread_barrier_init(&spans_there, NULL, 2);
    for (size_t round = 0; round < rounds; round++) {
        atomic_store(&reports, 0);
        for (size_t i = 0; i < SPANS; i++) stress_require((spans[i] = mi_malloc(600000)) != NULL);
        pthread_t t[2];
        for (int i = 0; i < 2; i++)
            stress_require(pthread_create(&t[i], NULL, free_spans, NULL) == 0);
        for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
        stress_require(atomic_load(&reports) == SPANS);
    }
    pthread_barrier_destroy(&spans_there);
}

int main(void)
{
    stress_begin("double_free");
    mi_option_set(mi_option_show_errors, 0);
    mi_register_error(on_error, NULL);
    stress_random_t r = stress_random(0);
    for (size_t i = 0; i < stress_scaled(1000, 20); i++) {
        bytes = 1 + stress_below(&r, i % 4 == 0 ? 20000 : 1000);
        run(i % 2 == 0);
    }
    run_spans(stress_scaled(10000, 20));
    return 0;
}
