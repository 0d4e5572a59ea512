/*
 * handover THREADS: each worker replaces random blocks of its set, then starts a fresh thread,
 * passes the whole set to it and ends.
 *
 * Stands for servers whose threads come and go while their data stays: what a thread leaves behind
 * is freed by others, and the memory of ended threads must find a new owner.
 */
#include "threads.h"

enum { BLOCKS = 32000, REPLACEMENTS = 12000000, PER_GENERATION = 20000 };

typedef struct {
    bench_rng rng;
    uint32_t live;
    uint64_t generations;
    uint64_t checksum;
    void **blocks;
    uint16_t *sizes;
} set;

static void set_fill(set *s, uint32_t at)
{
    s->sizes[at] = (uint16_t)bench_rng_power_size(&s->rng, 16, 2048);
    s->blocks[at] = bench_need(malloc(s->sizes[at]));
    bench_stamp(s->blocks[at], s->sizes[at], at);
}

static void set_drop(set *s, uint32_t at)
{
    bench_verify(s->blocks[at], s->sizes[at], at);
    s->checksum += s->sizes[at];
    free(s->blocks[at]);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static unsigned running;

static void *generation(void *argument)
{
    set *s = argument;
    for (uint32_t n = 0; n < PER_GENERATION; n++) {
        uint32_t at = bench_rng_below(&s->rng, s->live);
        set_drop(s, at);
        set_fill(s, at);
    }
    if (--s->generations > 0) {
        pthread_t next;
        bench_check(pthread_create(&next, NULL, generation, s) == 0);
        bench_check(pthread_detach(next) == 0);
        return NULL;
    }
    pthread_mutex_lock(&lock);
    running--;
    pthread_cond_signal(&ended);
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned threads = bench_thread_count(argc, argv);
    uint64_t replacements = bench_scaled(REPLACEMENTS, bench_scale(argc, argv));
    set *sets = bench_need(calloc(threads, sizeof(set)));
    uint64_t checksum = 0;

    running = threads;
    for (unsigned i = 0; i < threads; i++) {
        set *s = &sets[i];
        s->rng = bench_rng_seed(800 + i);
        s->live = BLOCKS / threads;
        s->generations = replacements / PER_GENERATION / threads;
        if (s->generations == 0) s->generations = 1;
        s->blocks = bench_need(malloc(s->live * sizeof *s->blocks));
        s->sizes = bench_need(malloc(s->live * sizeof *s->sizes));
        for (uint32_t at = 0; at < s->live; at++) set_fill(s, at);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_t first;
        bench_check(pthread_create(&first, NULL, generation, &sets[i]) == 0);
        bench_check(pthread_detach(first) == 0);
    }
    pthread_mutex_lock(&lock);
    while (running > 0) pthread_cond_wait(&ended, &lock);
    pthread_mutex_unlock(&lock);

    for (unsigned i = 0; i < threads; i++) {
        for (uint32_t at = 0; at < sets[i].live; at++) set_drop(&sets[i], at);
        free(sets[i].blocks);
        free(sets[i].sizes);
        checksum = bench_fold(checksum, sets[i].checksum);
    }
    free(sets);
    return bench_done(checksum);
}
