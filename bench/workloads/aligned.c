/*
 * aligned: 10,000 live blocks aligned to 32 … 4096 bytes; a random one is replaced. Half come from
 * posix_memalign, half from aligned_alloc.
 *
 * Stands for SIMD code and for buffers of devices: how much memory alignment wastes, and whether
 * it leaves the fast path. A block that is not aligned as asked is counted and reported: libmimalloc
 * 2.0.9 of Debian has some (aligned_alloc(256, 256), for one).
 */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

enum { LIVE = 10000, REPLACEMENTS = 15000000 };

static struct {
    void *block;
    size_t size;
} slots[LIVE];

static uint64_t misaligned;

static void fill(uint32_t at, bench_rng *rng)
{
    size_t alignment = (size_t)32 << bench_rng_below(rng, 8);
    size_t size = bench_rng_power_size(rng, 32, 16 * KIB);
    void *block = NULL;
    if ((bench_rng_next(rng) >> 63) != 0)
        bench_check(posix_memalign(&block, alignment, size) == 0);
    else
        block = bench_need(aligned_alloc(alignment, size = (size + alignment - 1) & -alignment));
    misaligned += (uintptr_t)block % alignment != 0;
    bench_stamp(block, size, at);
    slots[at].block = block;
    slots[at].size = size;
}

static uint64_t drop(uint32_t at)
{
    bench_verify(slots[at].block, slots[at].size, at);
    free(slots[at].block);
    return slots[at].size;
}

int main(int argc, char **argv)
{
    uint64_t count = bench_scaled(REPLACEMENTS, bench_scale(argc, argv));
    bench_rng rng = bench_rng_seed(14);
    uint64_t checksum = 0;
    for (uint32_t i = 0; i < LIVE; i++) fill(i, &rng);
    for (uint64_t n = 0; n < count; n++) {
        uint32_t at = bench_rng_below(&rng, LIVE);
        checksum += drop(at);
        fill(at, &rng);
    }
    for (uint32_t i = 0; i < LIVE; i++) checksum = bench_fold(checksum, drop(i));
    if (misaligned > 0) printf("note %" PRIu64 " blocks not aligned as asked\n", misaligned);
    return bench_done(checksum);
}
