/*
 * pipe SHAPE (1:1, n:1 or 1:n, n being 4): producers allocate messages, consumers check and free
 * them; messages of 16 bytes, 64 bytes and 1 KiB, one size after the other.
 *
 * Stands for message passing: every block is freed by a thread that did not allocate it. Messages
 * travel in chunks of 256 through a bounded queue, so that the queue itself costs little.
 */
#include "threads.h"

enum { MANY = 4, CHUNK = 256, QUEUE = 32 };

static const struct {
    const char *name;
    size_t size;
    uint64_t chunks;
} CASES[] = {{"16", 16, 60000}, {"64", 64, 60000}, {"1k", 1024, 30000}};

typedef struct {
    void *messages[CHUNK];
} chunk;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t not_full, not_empty;
    chunk *chunks[QUEUE];
    unsigned first, count;
} queue = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, {NULL}, 0, 0};

static void queue_push(chunk *c)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == QUEUE) pthread_cond_wait(&queue.not_full, &queue.lock);
    queue.chunks[(queue.first + queue.count++) % QUEUE] = c;
    pthread_cond_signal(&queue.not_empty);
    pthread_mutex_unlock(&queue.lock);
}

static chunk *queue_pop(void)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == 0) pthread_cond_wait(&queue.not_empty, &queue.lock);
    chunk *c = queue.chunks[queue.first];
    queue.first = (queue.first + 1) % QUEUE;
    queue.count--;
    pthread_cond_signal(&queue.not_full);
    pthread_mutex_unlock(&queue.lock);
    return c;
}

static size_t message_bytes;

typedef struct {
    bool produces;
    uint64_t chunks;
    uint64_t sum;
} task;

static void produce(task *t)
{
    for (uint64_t n = 0; n < t->chunks; n++) {
        chunk *c = bench_need(malloc(sizeof *c));
        for (unsigned i = 0; i < CHUNK; i++) {
            c->messages[i] = bench_need(malloc(message_bytes));
            bench_stamp(c->messages[i], message_bytes, n + i);
            t->sum += n + i;
        }
        queue_push(c);
    }
}

static void consume(task *t)
{
    for (uint64_t n = 0; n < t->chunks; n++) {
        chunk *c = queue_pop();
        uint64_t first = 0;
        memcpy(&first, c->messages[0], sizeof first - 1);
        for (unsigned i = 0; i < CHUNK; i++) {
            bench_verify(c->messages[i], message_bytes, first + i);
            t->sum += first + i;
            free(c->messages[i]);
        }
        free(c);
    }
}

static void *work(void *argument)
{
    task *t = argument;
    if (t->produces)
        produce(t);
    else
        consume(t);
    return NULL;
}

static uint64_t run(unsigned producers, unsigned consumers, uint64_t chunks)
{
    task tasks[2 * MANY] = {0};
    uint64_t made = 0, taken = 0;
    for (unsigned i = 0; i < producers + consumers; i++) {
        tasks[i].produces = i < producers;
        tasks[i].chunks = chunks / (i < producers ? producers : consumers);
    }
    bench_run_threads(producers + consumers, work, tasks, sizeof(task));
    for (unsigned i = 0; i < producers + consumers; i++)
        *(tasks[i].produces ? &made : &taken) += tasks[i].sum;
    bench_check(made == taken && queue.count == 0);
    return made;
}

int main(int argc, char **argv)
{
    unsigned scale = bench_scale(argc, argv);
    bench_check(argc == 3);
    unsigned producers = argv[1][0] == 'n' ? MANY : 1;
    unsigned consumers = argv[1][2] == 'n' ? MANY : 1;
    uint64_t checksum = 0;
    double since = bench_seconds();
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        message_bytes = CASES[i].size;
        uint64_t chunks = (bench_scaled(CASES[i].chunks, scale) / MANY + 1) * MANY;
        checksum = bench_fold(checksum, run(producers, consumers, chunks));
        since = bench_lap(CASES[i].name, since);
    }
    return bench_done(checksum);
}
