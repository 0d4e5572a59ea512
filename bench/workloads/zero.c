/*
 * zero: calloc of 64 bytes to 1 GiB, touched sparsely; small ones are dirtied before they are
 * freed, so that the next one really has to be zeroed.
 *
 * Stands for numerical arrays, hash tables and page caches: big tables of which little is used.
 * Clearing what the system has just cleared costs time, and memory that nobody asked for.
 */
#include "common.h"

enum { SMALL_LIVE = 2000, MEDIUM_LIVE = 24 };

static void check_zero(const unsigned char *bytes, size_t size, size_t stride)
{
    for (size_t i = 0; i < size; i += stride) bench_check(bytes[i] == 0);
    bench_check(bytes[size - 1] == 0);
}

/* 64 bytes … 32 KiB, all of it checked and dirtied at every eighth byte. */
static uint64_t run_small(bench_rng *rng, uint64_t count)
{
    static unsigned char *blocks[SMALL_LIVE];
    uint64_t sum = 0;
    for (uint64_t n = 0; n < count; n++) {
        unsigned at = bench_rng_below(rng, SMALL_LIVE);
        free(blocks[at]);
        size_t size = bench_rng_power_size(rng, 64, 32 * KIB);
        blocks[at] = bench_need(calloc(size / 8, 8));
        check_zero(blocks[at], size / 8 * 8, 64);
        for (size_t i = 0; i < size / 8 * 8; i += 64) blocks[at][i] = 0xa5;
        sum += size;
    }
    for (unsigned at = 0; at < SMALL_LIVE; at++) {
        free(blocks[at]);
        blocks[at] = NULL;
    }
    return sum;
}

/* 64 KiB … 16 MiB, one page in eight used. */
static uint64_t run_medium(bench_rng *rng, uint64_t count)
{
    static unsigned char *blocks[MEDIUM_LIVE];
    uint64_t sum = 0;
    for (uint64_t n = 0; n < count; n++) {
        unsigned at = bench_rng_below(rng, MEDIUM_LIVE);
        free(blocks[at]);
        size_t size = bench_rng_log_size(rng, 64 * KIB, 16 * MIB);
        blocks[at] = bench_need(calloc(size, 1));
        for (size_t i = 0; i < size; i += 8 * PAGE_BYTES) {
            bench_check(blocks[at][i] == 0);
            blocks[at][i] = 0x5a;
        }
        sum += size;
    }
    for (unsigned at = 0; at < MEDIUM_LIVE; at++) {
        free(blocks[at]);
        blocks[at] = NULL;
    }
    return sum;
}

/* 64 MiB … 1 GiB, one page in 64 used. */
static uint64_t run_large(uint64_t count)
{
    uint64_t sum = 0;
    for (uint64_t n = 0; n < count; n++)
        for (size_t size = 64 * MIB; size <= GIB; size *= 4) {
            unsigned char *block = bench_need(calloc(1, size));
            for (size_t i = 0; i < size; i += 64 * PAGE_BYTES) {
                bench_check(block[i] == 0);
                block[i] = 1;
                sum++;
            }
            check_zero(block + 1, size - 1, 64 * PAGE_BYTES);
            free(block);
        }
    return sum;
}

int main(int argc, char **argv)
{
    unsigned scale = bench_scale(argc, argv);
    bench_rng rng = bench_rng_seed(13);
    uint64_t checksum = 0;
    double since = bench_seconds();
    checksum = bench_fold(checksum, run_small(&rng, bench_scaled(6000000, scale)));
    since = bench_lap("small", since);
    checksum = bench_fold(checksum, run_medium(&rng, bench_scaled(1500, scale)));
    since = bench_lap("medium", since);
    checksum = bench_fold(checksum, run_large(2));
    bench_lap("large", since);
    return bench_done(checksum);
}
