/*
 * pairs: allocate one block, write to it, free it; twelve sizes from 8 bytes to 1 MiB.
 *
 * Stands for the floor: what an allocation costs when everything about it is in the cache. No
 * program behaves like this for long, but no program gets below it either.
 */
#include "common.h"

static const struct {
    const char *name;
    size_t size;
    uint64_t count;
} CASES[] = {
    {"8", 8, 12000000},      {"16", 16, 12000000},         {"32", 32, 12000000},
    {"64", 64, 12000000},    {"128", 128, 12000000},       {"256", 256, 12000000},
    {"1k", 1024, 12000000},  {"4k", 4096, 8000000},        {"16k", 16 * 1024, 4000000},
    {"64k", 65536, 1000000}, {"256k", 256 * 1024, 200000}, {"1m", 1024 * 1024, 100000},
};

int main(int argc, char **argv)
{
    unsigned scale = bench_scale(argc, argv);
    uint64_t checksum = 0;
    double since = bench_seconds();
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        uint64_t count = bench_scaled(CASES[i].count, scale);
        uint64_t sum = 0;
        for (uint64_t n = 0; n < count; n++) {
            volatile uint32_t *block = bench_need(malloc(CASES[i].size));
            *block = (uint32_t)n;
            sum += *block;
            free((void *)block);
        }
        checksum = bench_fold(checksum, sum);
        since = bench_lap(CASES[i].name, since);
    }
    return bench_done(checksum);
}
