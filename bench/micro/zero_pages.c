/*
 * zero_pages: calloc of 1 GiB with one byte written in every page, beside mmap of the same size
 * with the same done to it. Laps `calloc` and `mmap`: the difference is what the allocator costs.
 */
#include "../workloads/common.h"

#include <sys/mman.h>

static uint64_t touch(unsigned char *bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < GIB; i += PAGE_BYTES) sum += bytes[i] += 3;
    return sum;
}

int main(int argc, char **argv)
{
    uint64_t rounds = bench_scaled(4, bench_scale(argc, argv)), checksum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        double since = bench_seconds();
        void *block = bench_need(calloc(GIB, 1));
        checksum = bench_fold(checksum, touch(block));
        free(block);
        since = bench_lap("calloc", since);
        void *mapping = mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bench_check(mapping != MAP_FAILED);
        checksum = bench_fold(checksum, touch(mapping));
        munmap(mapping, GIB);
        bench_lap("mmap", since);
    }
    return bench_done(checksum);
}
