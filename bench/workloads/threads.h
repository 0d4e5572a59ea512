/* Threads for the workloads that use more than one: start a number of them, wait for all. */
#ifndef BENCH_THREADS_H
#define BENCH_THREADS_H

#include "common.h"

#include <pthread.h>
#include <stdatomic.h>

enum { BENCH_THREADS_MOST = 64 };

/* Runs work(argument + i * step) on `count` threads at once; returns when all have ended. */
static inline void bench_run_threads(unsigned count, void *(*work)(void *), void *argument,
                                     size_t step)
{
    pthread_t threads[BENCH_THREADS_MOST];
    bench_check(count <= BENCH_THREADS_MOST);
    for (unsigned i = 0; i < count; i++)
        bench_check(pthread_create(&threads[i], NULL, work, (char *)argument + i * step) == 0);
    for (unsigned i = 0; i < count; i++) bench_check(pthread_join(threads[i], NULL) == 0);
}

/* The number before the scale: how many threads. */
static inline unsigned bench_thread_count(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[1]) : 2;
    bench_check(count > 0 && count <= BENCH_THREADS_MOST);
    return (unsigned)count;
}

#endif
