/*
 * What every workload shares: seeded random numbers, stamped blocks that are checked before they
 * are freed, laps, and the last line of the output. The runner compares that line between
 * allocators, so a checksum may depend on neither addresses nor the order in which threads ran.
 *
 * Every workload takes `scale` as its last argument, in percent. It changes how long the workload
 * runs and never how much it holds, so that memory is the same at every scale.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define PAGE_BYTES ((size_t)4096)

/* Ends the program: a workload whose data is wrong has no time worth reporting. */
#define bench_check(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: wrong: %s\n", __FILE__, __LINE__, #condition);                 \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* ---- random numbers (xorshift64*), the same on every machine ---- */

typedef struct {
    uint64_t state;
} bench_rng;

static inline uint64_t bench_mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

static inline bench_rng bench_rng_seed(uint64_t seed)
{
    bench_rng rng = {bench_mix(seed + 1) | 1};
    return rng;
}

static inline uint64_t bench_rng_next(bench_rng *rng)
{
    uint64_t x = rng->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    rng->state = x;
    return x * UINT64_C(2685821657736338717);
}

/* 0 … limit - 1 */
static inline uint32_t bench_rng_below(bench_rng *rng, uint32_t limit)
{
    return (uint32_t)(((bench_rng_next(rng) >> 32) * limit) >> 32);
}

/*
 * A size from a power law: each doubling of the size is half as likely, so that every power of two
 * between `least` and `most` holds about the same number of bytes. That is close to what the heaps
 * of long-lived programs look like.
 */
static inline size_t bench_rng_power_size(bench_rng *rng, size_t least, size_t most)
{
    uint64_t bits = bench_rng_next(rng);
    size_t low = least;
    while (2 * low < most && (bits & 1) != 0) {
        bits >>= 1;
        low *= 2;
    }
    return low + bench_rng_below(rng, (uint32_t)low);
}

/* A size whose logarithm is uniform: every power of two is as likely as the next. */
static inline size_t bench_rng_log_size(bench_rng *rng, size_t least, size_t most)
{
    uint32_t doublings = 0;
    for (size_t s = least; 2 * s <= most; s *= 2) doublings++;
    size_t low = least << bench_rng_below(rng, doublings);
    return low + (size_t)(bench_rng_next(rng) % low);
}

/* ---- stamped blocks ---- */

/* Writes a mark at both ends and in every page of a block of at least 8 bytes. */
static inline void bench_stamp(void *block, size_t size, uint64_t mark)
{
    char *bytes = (char *)block;
    for (size_t i = PAGE_BYTES; i < size; i += PAGE_BYTES) bytes[i] = (char)mark;
    bytes[size - 1] = (char)(mark >> 8);
    memcpy(bytes, &mark, sizeof mark - 1);
}

static inline void bench_verify(const void *block, size_t size, uint64_t mark)
{
    const char *bytes = (const char *)block;
    bench_check(memcmp(bytes, &mark, sizeof mark - 1) == 0);
    bench_check(bytes[size - 1] == (char)(mark >> 8));
    for (size_t i = PAGE_BYTES; i + 1 < size; i += PAGE_BYTES) bench_check(bytes[i] == (char)mark);
}

static inline void *bench_need(void *block)
{
    bench_check(block != NULL);
    return block;
}

/* ---- arguments, time, output ---- */

/* The last argument: percent of the full length. */
static inline unsigned bench_scale(int argc, char **argv)
{
    int percent = argc > 1 ? atoi(argv[argc - 1]) : 100;
    bench_check(percent > 0 && percent <= 10000);
    return (unsigned)percent;
}

/* `count` at this scale, at least 1. */
static inline uint64_t bench_scaled(uint64_t count, unsigned scale)
{
    uint64_t scaled = count * scale / 100;
    return scaled > 0 ? scaled : 1;
}

static inline double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* `lap NAME SECONDS`: the parts of a workload, for reading; the runner stores them. */
static inline double bench_lap(const char *name, double since)
{
    double now = bench_seconds();
    printf("lap %s %.6f\n", name, now - since);
    return now;
}

static inline uint64_t bench_fold(uint64_t checksum, uint64_t value)
{
    return bench_mix(checksum ^ (value + UINT64_C(0x9e3779b97f4a7c15)));
}

static inline int bench_done(uint64_t checksum)
{
    printf("check %016" PRIx64 "\n", checksum);
    return fflush(stdout) == 0 ? 0 : 1;
}

#endif
