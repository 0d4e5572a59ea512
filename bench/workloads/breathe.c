/*
 * breathe: the load of eight threads rises and falls in waves; between two waves they idle with a
 * tenth of it. Every other time a thread drops what its neighbour allocated.
 *
 * Stands for servers by day and by night: what counts is the memory between the waves (the average
 * resident memory more than the peak), and what giving it back and taking it again costs.
 */
#include "threads.h"

enum { THREADS = 8, BLOCKS = 50000, LEFT = BLOCKS / 10, WAVES = 6, IDLES = 6, IDLE_MS = 50 };

typedef struct {
    bench_rng rng;
    unsigned index;
    uint32_t live;
    uint64_t checksum;
    void *blocks[BLOCKS];
    uint32_t sizes[BLOCKS];
} load;

static load loads[THREADS];
static pthread_barrier_t barrier;
static uint64_t waves;

static void load_add(load *l, uint32_t at)
{
    l->sizes[at] = (uint32_t)bench_rng_power_size(&l->rng, 16, 16 * KIB);
    l->blocks[at] = bench_need(malloc(l->sizes[at]));
    bench_stamp(l->blocks[at], l->sizes[at], at);
}

static void load_drop(load *l, uint32_t at)
{
    bench_verify(l->blocks[at], l->sizes[at], at);
    l->checksum += l->sizes[at];
    free(l->blocks[at]);
}

static void load_replace(load *l, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++) {
        uint32_t at = bench_rng_below(&l->rng, l->live);
        load_drop(l, at);
        load_add(l, at);
    }
}

/* Drops blocks at random: the last one moves to the place of the dropped one. */
static void load_fall(load *l, uint32_t left)
{
    while (l->live > left) {
        uint32_t at = bench_rng_below(&l->rng, l->live);
        uint32_t last = --l->live;
        bench_verify(l->blocks[at], l->sizes[at], at);
        l->checksum += l->sizes[at];
        free(l->blocks[at]);
        if (at == last) continue;
        bench_verify(l->blocks[last], l->sizes[last], last);
        l->blocks[at] = l->blocks[last];
        l->sizes[at] = l->sizes[last];
        bench_stamp(l->blocks[at], l->sizes[at], at);
    }
}

static void *work(void *argument)
{
    load *own = argument;
    const struct timespec pause = {0, IDLE_MS * 1000000};
    for (uint64_t wave = 0; wave < waves; wave++) {
        while (own->live < BLOCKS) load_add(own, own->live++);
        load_replace(own, BLOCKS / 2);
        pthread_barrier_wait(&barrier);
        load_fall(&loads[(own->index + wave) % THREADS], LEFT);
        pthread_barrier_wait(&barrier);
        for (unsigned i = 0; i < IDLES; i++) {
            nanosleep(&pause, NULL);
            load_replace(own, 200);
        }
        pthread_barrier_wait(&barrier);
    }
    load_fall(own, 0);
    return NULL;
}

int main(int argc, char **argv)
{
    waves = bench_scaled(WAVES, bench_scale(argc, argv));
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        loads[i].rng = bench_rng_seed(1000 + i);
        loads[i].index = i;
    }
    bench_run_threads(THREADS, work, loads, sizeof(load));
    uint64_t checksum = 0;
    for (unsigned i = 0; i < THREADS; i++) checksum = bench_fold(checksum, loads[i].checksum);
    return bench_done(checksum);
}
