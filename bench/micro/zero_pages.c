/*
 * zero_pages: calloc of 1 GiB with one byte written in every page, beside mmap of the same size
 * with the same done to it. Laps `calloc` and `mmap`, in seconds of processor time, user and system:
 * the difference is what the allocator costs.
 */
#include "../workloads/common.h"

#include <sys/mman.h>

static uint64_t touch(unsigned char *bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < GIB; i += PAGE_BYTES) sum += bytes[i] += 3;
    return sum;
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double lap(const char *name, double since)
{
    double now = cpu_seconds();
    printf("lap %s %.6f\n", name, now - since);
    return now;
}

int main(int argc, char **argv)
{
    uint64_t rounds = bench_scaled(4, bench_scale(argc, argv)), checksum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        double since = cpu_seconds();
        void *block = bench_need(calloc(GIB, 1));
        checksum = bench_fold(checksum, touch(block));
        free(block);
        since = lap("calloc", since);
        void *mapping = mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bench_check(mapping != MAP_FAILED);
        checksum = bench_fold(checksum, touch(mapping));
        munmap(mapping, GIB);
        lap("mmap", since);
    }
    return bench_done(checksum);
}
