/*
 * storm THREADS: each thread allocates a block, puts it into a random slot that all threads share,
 * and frees the block that was there.
 *
 * Stands for contention at its worst: nearly every block is freed by another thread than the one
 * that allocated it, and with 16 and 64 threads the owner is usually not running just then.
 */
#include "threads.h"

enum { SLOTS = 16384, EXCHANGES = 16000000 };

typedef struct {
    uint32_t size;
    uint32_t mark;
} block;

static _Atomic(block *) slots[SLOTS];
static uint64_t exchanges_per_thread;

typedef struct {
    bench_rng rng;
    uint64_t allocated, freed;
} task;

static uint64_t block_drop(block *b)
{
    if (b == NULL) return 0;
    uint32_t size = b->size;
    bench_check(b->mark == (uint32_t)bench_mix(size));
    bench_check(((char *)b)[size - 1] == (char)size);
    free(b);
    return size;
}

static void *work(void *argument)
{
    task *t = argument;
    for (uint64_t n = 0; n < exchanges_per_thread; n++) {
        uint32_t size = (uint32_t)bench_rng_power_size(&t->rng, 16, 4096);
        block *b = bench_need(malloc(size));
        ((char *)b)[size - 1] = (char)size;
        b->size = size;
        b->mark = (uint32_t)bench_mix(size);
        t->allocated += size;
        uint32_t at = bench_rng_below(&t->rng, SLOTS);
        t->freed += block_drop(atomic_exchange_explicit(&slots[at], b, memory_order_acq_rel));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned threads = bench_thread_count(argc, argv);
    exchanges_per_thread = bench_scaled(EXCHANGES, bench_scale(argc, argv)) / threads;
    static task tasks[BENCH_THREADS_MOST];
    for (unsigned i = 0; i < threads; i++) tasks[i].rng = bench_rng_seed(900 + i);
    bench_run_threads(threads, work, tasks, sizeof(task));

    uint64_t allocated = 0, freed = 0;
    for (unsigned i = 0; i < threads; i++) {
        allocated += tasks[i].allocated;
        freed += tasks[i].freed;
    }
    for (uint32_t at = 0; at < SLOTS; at++) freed += block_drop(slots[at]);
    bench_check(allocated == freed);
    return bench_done(allocated);
}
