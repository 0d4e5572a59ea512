/*
 * big: thirty-two live blocks of 256 KiB to 32 MiB; a random one is replaced, and every 512th byte
 * of the new one is written.
 *
 * Stands for image and matrix work. An allocator that gives big blocks back at once pays for every
 * page again; one that never does, or that cuts them badly, holds far more than is live.
 */
#include "common.h"

enum { LIVE = 32, REPLACEMENTS = 1500, STRIDE = 512 };

static struct {
    unsigned char *bytes;
    size_t size;
} blocks[LIVE];

static void fill(unsigned at, bench_rng *rng)
{
    size_t size = bench_rng_log_size(rng, 256 * KIB, 32 * MIB);
    unsigned char *bytes = bench_need(malloc(size));
    for (size_t i = 0; i < size; i += STRIDE) bytes[i] = (unsigned char)(i / STRIDE + at);
    blocks[at].bytes = bytes;
    blocks[at].size = size;
}

static uint64_t drop(unsigned at)
{
    for (size_t i = 0; i < blocks[at].size; i += 8 * STRIDE)
        bench_check(blocks[at].bytes[i] == (unsigned char)(i / STRIDE + at));
    free(blocks[at].bytes);
    return blocks[at].size;
}

int main(int argc, char **argv)
{
    uint64_t count = bench_scaled(REPLACEMENTS, bench_scale(argc, argv));
    bench_rng rng = bench_rng_seed(12);
    uint64_t checksum = 0;
    for (unsigned i = 0; i < LIVE; i++) fill(i, &rng);
    for (uint64_t n = 0; n < count; n++) {
        unsigned at = bench_rng_below(&rng, LIVE);
        checksum = bench_fold(checksum, drop(at));
        fill(at, &rng);
    }
    for (unsigned i = 0; i < LIVE; i++) checksum = bench_fold(checksum, drop(i));
    return bench_done(checksum);
}
