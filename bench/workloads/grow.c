/*
 * grow: blocks grow with realloc, doubled (to 1 GiB), by half, and by constant steps; and a
 * thousand small vectors grow side by side.
 *
 * Stands for vectors, string builders and readers of big files of unknown length. Whether growing
 * copies, and whether old and new are resident at once, is decided here.
 */
#include "common.h"

enum { VECTORS = 1000 };

/* One word in every page that is new, and all of them checked at the end. */
static uint64_t mark_pages(char *block, size_t from, size_t to)
{
    uint64_t sum = 0;
    for (size_t at = (from + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES; at + 8 <= to;
         at += PAGE_BYTES) {
        uint64_t mark = bench_mix(at);
        memcpy(block + at, &mark, sizeof mark);
        sum += mark;
    }
    return sum;
}

static uint64_t sum_pages(const char *block, size_t size)
{
    uint64_t sum = 0;
    for (size_t at = 0; at + 8 <= size; at += PAGE_BYTES) {
        uint64_t mark;
        memcpy(&mark, block + at, sizeof mark);
        sum += mark;
    }
    return sum;
}

/* Sizes go from `size` to size * multiplier / divisor + step, until `most`. */
static uint64_t grow(size_t size, size_t most, size_t multiplier, size_t divisor, size_t step)
{
    char *block = bench_need(malloc(size));
    uint64_t sum = mark_pages(block, 0, size);
    while (size < most) {
        size_t next = size * multiplier / divisor + step;
        if (next > most) next = most;
        block = bench_need(realloc(block, next));
        sum += mark_pages(block, size, next);
        size = next;
    }
    bench_check(sum_pages(block, size) == sum);
    free(block);
    return sum;
}

static uint64_t grow_vectors(bench_rng *rng)
{
    static struct {
        uint64_t *words;
        size_t count, capacity;
    } vectors[VECTORS];
    uint64_t sum = 0;
    for (unsigned n = 0; n < 2500000; n++) {
        unsigned at = bench_rng_below(rng, VECTORS);
        if (vectors[at].count == vectors[at].capacity) {
            vectors[at].capacity = vectors[at].capacity * 3 / 2 + 2;
            vectors[at].words =
                bench_need(realloc(vectors[at].words, vectors[at].capacity * sizeof(uint64_t)));
        }
        vectors[at].words[vectors[at].count++] = at;
        if (vectors[at].count == 6000) {
            free(vectors[at].words);
            vectors[at].words = NULL;
            vectors[at].count = vectors[at].capacity = 0;
        }
    }
    for (unsigned at = 0; at < VECTORS; at++) {
        for (size_t i = 0; i < vectors[at].count; i++) bench_check(vectors[at].words[i] == at);
        sum = bench_fold(sum, vectors[at].count);
        free(vectors[at].words);
        vectors[at].words = NULL;
        vectors[at].count = vectors[at].capacity = 0;
    }
    return sum;
}

int main(int argc, char **argv)
{
    uint64_t rounds = bench_scaled(4, bench_scale(argc, argv));
    bench_rng rng = bench_rng_seed(11);
    uint64_t checksum = 0;
    double since = bench_seconds();
    checksum = bench_fold(checksum, grow(16, GIB, 2, 1, 0));
    since = bench_lap("double", since);
    checksum = bench_fold(checksum, grow(16, 128 * MIB, 3, 2, 0));
    since = bench_lap("half", since);
    checksum = bench_fold(checksum, grow(32 * MIB, 256 * MIB, 1, 1, 32 * MIB));
    since = bench_lap("step-32m", since);
    for (uint64_t i = 0; i < rounds; i++) {
        checksum = bench_fold(checksum, grow(64 * KIB, 8 * MIB, 1, 1, 64 * KIB));
        since = bench_lap("step-64k", since);
        checksum = bench_fold(checksum, grow(4096, MIB, 1, 1, 4096));
        since = bench_lap("step-4k", since);
        checksum = bench_fold(checksum, grow_vectors(&rng));
        since = bench_lap("vectors", since);
    }
    return bench_done(checksum);
}
