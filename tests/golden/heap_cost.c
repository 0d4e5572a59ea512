/* A heap for each request against plain allocation, in one process.
 *
 *     heap_cost ROUNDS REQUESTS
 *
 * A request allocates 100 blocks of 16 to 216 bytes, touches each, and frees them: one by one, or
 * with their heap. Prints the best time of a request over all rounds, in nanoseconds: "plain heap".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mimalloc.h"

enum { BLOCKS = 100 };

static size_t block_size(int i) { return 16 + (size_t)(i * 37) % 201; }

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void plain(void)
{
    char *block[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = mi_malloc(block_size(i));
        *block[i] = (char)i;
    }
    for (int i = 0; i < BLOCKS; i++) mi_free(block[i]);
}

static void with_heap(void)
{
    mi_heap_t *heap = mi_heap_new();
    for (int i = 0; i < BLOCKS; i++) *(char *)mi_heap_malloc(heap, block_size(i)) = (char)i;
    mi_heap_destroy(heap);
}

static double best_of(double best, void (*request)(void), int requests)
{
    double start = seconds();
    for (int i = 0; i < requests; i++) request();
    double took = (seconds() - start) / requests * 1e9;
    return took < best ? took : best;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    double best_plain = 1e18, best_heap = 1e18;
    for (int i = atoi(argv[1]); i > 0; i--) { /* by turns */
        best_plain = best_of(best_plain, plain, atoi(argv[2]));
        best_heap = best_of(best_heap, with_heap, atoi(argv[2]));
    }
    printf("%.1f %.1f\n", best_plain, best_heap);
    return 0;
}
