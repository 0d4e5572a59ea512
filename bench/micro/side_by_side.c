/*
 * side_by_side: two vectors grow by half at a time, in turns, to 256 MiB each.
 *
 * In turns, neither can grow in place into what lies behind it; whoever moves pages instead of
 * bytes has it easy. Prints the time for each of `scale` percent of four rounds.
 */
#include "../workloads/common.h"

static uint64_t run_once(void)
{
    uint64_t *vectors[2] = {NULL, NULL};
    size_t words = 8, filled = 0;
    while (words * sizeof(uint64_t) < 256 * MIB) {
        words += words / 2;
        for (unsigned v = 0; v < 2; v++) {
            vectors[v] = bench_need(realloc(vectors[v], words * sizeof(uint64_t)));
            for (size_t i = filled; i < words; i += 64) vectors[v][i] = i ^ v;
        }
        filled = (words + 63) / 64 * 64;
    }
    for (unsigned v = 0; v < 2; v++) {
        bench_check(vectors[v][0] == v && vectors[v][4096] == (4096 ^ v));
        free(vectors[v]);
    }
    return words;
}

int main(int argc, char **argv)
{
    uint64_t rounds = bench_scaled(4, bench_scale(argc, argv)), checksum = 0;
    double since = bench_seconds();
    for (uint64_t i = 0; i < rounds; i++) {
        checksum = bench_fold(checksum, run_once());
        since = bench_lap("round", since);
    }
    return bench_done(checksum);
}
