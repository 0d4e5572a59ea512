/*
 * batch: n allocations, then n frees, in the order of allocation, in reverse, and at random, with
 * n from 10 to 100,000 and sizes from 8 to 512 bytes.
 *
 * Stands for working sets that fit a cache and working sets that do not: a request, a document, a
 * compilation unit that is built and then dropped.
 */
#include "common.h"

enum { MOST = 100000, BLOCKS_PER_LAP = 6000000 };

static void *blocks[MOST];
static uint16_t sizes[MOST];
static uint32_t order[MOST];

static void order_random(uint32_t n, bench_rng *rng)
{
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = bench_rng_below(rng, i);
        uint32_t swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
}

static uint64_t run(uint32_t n, uint64_t rounds)
{
    uint64_t sum = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < n; i++) {
            blocks[i] = bench_need(malloc(sizes[i]));
            bench_stamp(blocks[i], sizes[i], round + i);
        }
        for (uint32_t i = 0; i < n; i++) {
            uint32_t at = order[i];
            bench_verify(blocks[at], sizes[at], round + at);
            sum += sizes[at];
            free(blocks[at]);
        }
    }
    return sum;
}

int main(int argc, char **argv)
{
    unsigned scale = bench_scale(argc, argv);
    bench_rng rng = bench_rng_seed(2);
    for (uint32_t i = 0; i < MOST; i++) sizes[i] = (uint16_t)bench_rng_power_size(&rng, 8, 512);

    uint64_t checksum = 0;
    double since = bench_seconds();
    for (uint32_t n = 10; n <= MOST; n *= 10) {
        uint64_t rounds = bench_scaled(BLOCKS_PER_LAP, scale) / n;
        if (rounds == 0) rounds = 1;
        char name[32];

        for (uint32_t i = 0; i < n; i++) order[i] = i;
        checksum = bench_fold(checksum, run(n, rounds));
        snprintf(name, sizeof name, "fifo-%u", n);
        since = bench_lap(name, since);

        for (uint32_t i = 0; i < n; i++) order[i] = n - 1 - i;
        checksum = bench_fold(checksum, run(n, rounds));
        snprintf(name, sizeof name, "lifo-%u", n);
        since = bench_lap(name, since);

        order_random(n, &rng);
        checksum = bench_fold(checksum, run(n, rounds));
        snprintf(name, sizeof name, "random-%u", n);
        since = bench_lap(name, since);
    }
    return bench_done(checksum);
}
