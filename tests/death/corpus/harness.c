/* See corpus.h: the side of the case. */
#include "corpus.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_LIVE 16384
#define WINDOW 512 /* bytes at each end of a big object that are filled and checked */
#define WHOLE 32768

static death_shared_t *shared;
static bool few_blocks;

/* ---- telling ---- */

static void tell(uint32_t harm, const char *why)
{
    snprintf(shared->why, sizeof shared->why, "%s", why);
    shared->harm = harm;
}

void death_misuse(const void *p)
{
    death_require(lseek(2, 0, SEEK_CUR) == 0); /* nobody complained of the honest part */
    shared->address = (uintptr_t)p;
    shared->phase = DEATH_MISUSE;
}

void death_after(void)
{
    shared->text_bytes = lseek(2, 0, SEEK_CUR);
    shared->phase = DEATH_AFTER;
}

void death_harmed(const char *why)
{
    tell(DEATH_HARMED, why);
    _exit(0);
}

void death_changed(const char *why) { tell(DEATH_CHANGED, why); }

void death_skip(const char *why)
{
    tell(DEATH_SKIPPED, why);
    _exit(0);
}

void death_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: the case is broken: %s\n", file, line, what);
    _exit(3);
}

/* ---- the heap ---- */

void *death_hide(const void *p)
{
    uintptr_t u = (uintptr_t)p;
    __asm__ volatile("" : "+r"(u));
    return (void *)u;
}

void *death_malloc(size_t bytes) { return death_hide(malloc(bytes)); }
void *death_calloc(size_t count, size_t bytes) { return death_hide(calloc(count, bytes)); }
void *death_realloc(void *p, size_t bytes) { return death_hide(realloc(death_hide(p), bytes)); }
void death_free(void *p) { free(death_hide(p)); }
size_t death_usable(void *p) { return malloc_usable_size(death_hide(p)); }

void *death_aligned(size_t alignment, size_t bytes)
{
    void *p = NULL;
    return posix_memalign(&p, alignment, bytes) == 0 ? death_hide(p) : NULL;
}

/* ---- live objects ---- */

typedef struct object {
    unsigned char *start;
    size_t bytes;
    unsigned char tag;
    bool chosen; /* nobody's memory: must not be handed out */
} object_t;

static object_t live[MAX_LIVE];
static size_t live_count;

static unsigned char mark_at(const object_t *o, size_t i)
{
    return (unsigned char)((o->tag + i * 7) | 1);
}

/* [from, to): the first or the second part of an object that is filled and checked */
static void part_of(const object_t *o, int part, size_t *from, size_t *to)
{
    const bool whole = o->bytes <= WHOLE;
    *from = part == 0 ? 0 : o->bytes - WINDOW;
    *to = part == 0 ? (whole ? o->bytes : WINDOW) : o->bytes;
    if (part == 1 && whole) *from = *to;
}

static void fill(const object_t *o)
{
    size_t from, to;
    for (int part = 0; part < 2; part++) {
        part_of(o, part, &from, &to);
        for (size_t i = from; i < to; i++) o->start[i] = mark_at(o, i);
    }
}

static bool is_intact(const object_t *o)
{
    size_t from, to;
    for (int part = 0; part < 2; part++) {
        part_of(o, part, &from, &to);
        for (size_t i = from; i < to; i++)
            if (o->start[i] != mark_at(o, i)) return false;
    }
    return true;
}

static object_t *register_object(void *p, size_t bytes, bool chosen)
{
    death_require(live_count < MAX_LIVE);
    object_t *const o = &live[live_count];
    *o = (object_t){p, bytes, (unsigned char)(live_count * 37 + 11), chosen};
    live_count++;
    return o;
}

void death_live(void *p, size_t bytes) { fill(register_object(p, bytes, false)); }
void death_chosen(const void *p, size_t bytes) { register_object(death_hide(p), bytes, true); }

void death_dead(const void *p)
{
    for (size_t i = live_count; i-- > 0;)
        if (live[i].start == p) {
            memmove(&live[i], &live[i + 1], (live_count - i - 1) * sizeof live[0]);
            live_count--;
            return;
        }
}

bool death_is_intact(void)
{
    for (size_t i = 0; i < live_count; i++)
        if (!live[i].chosen && !is_intact(&live[i])) return false;
    return true;
}

void death_check_live(void)
{
    if (!death_is_intact()) death_harmed("a live object changed");
}

/* Shell's sort: the library's may allocate. */
static void sort_objects(object_t *a, size_t n)
{
    for (size_t gap = n / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < n; i++) {
            const object_t o = a[i];
            size_t j = i;
            for (; j >= gap && a[j - gap].start > o.start; j -= gap) a[j] = a[j - gap];
            a[j] = o;
        }
}

static void check_overlap(void)
{
    static object_t sorted[MAX_LIVE];
    memcpy(sorted, live, live_count * sizeof live[0]);
    sort_objects(sorted, live_count);
    for (size_t i = 1; i < live_count; i++) {
        const object_t *const a = &sorted[i - 1], *const b = &sorted[i];
        if (a->start + (a->bytes > 0 ? a->bytes : 1) <= b->start) continue;
        if (a->chosen || b->chosen) death_harmed("malloc returned a chosen address");
        death_harmed("two live objects overlap");
    }
}

void death_spray(death_path_t path, size_t count, size_t bytes)
{
    const size_t first = live_count;
    for (size_t i = 0; i < count; i++) {
        void *const p = death_owner_malloc(path, bytes);
        if (p == NULL) break; /* not handing out is no harm */
        register_object(p, bytes, false);
    }
    check_overlap();
    for (size_t i = first; i < live_count; i++) fill(&live[i]);
    death_check_live();
}

/* ---- threads ---- */

typedef struct job {
    void (*run)(void *arg);
    void *arg;
} job_t;

static void *job_main(void *arg)
{
    const job_t *const job = arg;
    job->run(job->arg);
    return NULL;
}

void death_in_thread(void (*run)(void *arg), void *arg)
{
    pthread_t thread;
    job_t job = {run, arg};
    death_require(pthread_create(&thread, NULL, job_main, &job) == 0);
    pthread_join(thread, NULL);
}

/* The thread that adopts: lives to the end of the process and takes jobs. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started, busy;
    job_t job;
} adopter = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *adopter_main(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&adopter.lock);
    for (;;) {
        while (!adopter.busy) pthread_cond_wait(&adopter.changed, &adopter.lock);
        adopter.job.run(adopter.job.arg);
        adopter.busy = false;
        pthread_cond_broadcast(&adopter.changed);
    }
    return NULL;
}

static void in_adopter(void (*run)(void *arg), void *arg)
{
    pthread_t thread;
    pthread_mutex_lock(&adopter.lock);
    if (!adopter.started) {
        adopter.started = true;
        death_require(pthread_create(&thread, NULL, adopter_main, NULL) == 0);
    }
    adopter.job = (job_t){run, arg};
    adopter.busy = true;
    pthread_cond_broadcast(&adopter.changed);
    while (adopter.busy) pthread_cond_wait(&adopter.changed, &adopter.lock);
    pthread_mutex_unlock(&adopter.lock);
}

/* ---- blocks ---- */

const size_t death_bytes[4] = {64, 20000, 200000, 3 << 20};

bool death_few(void) { return few_blocks; }

size_t death_many(death_kind_t kind)
{
    static const size_t counts[4] = {2500, 80, 48, 12}, few_counts[4] = {48, 24, 12, 6};
    return few_blocks ? few_counts[kind] : counts[kind];
}

void *death_heap(void)
{
    static void *heap;
    if (mi_heap_new == NULL || mi_heap_malloc == NULL) death_skip("no first-class heaps");
    if (heap == NULL) heap = mi_heap_new();
    death_require(heap != NULL);
    return heap;
}

typedef struct request {
    size_t bytes;
    void *result;
} request_t;

static void run_malloc(void *arg)
{
    request_t *const r = arg;
    r->result = death_malloc(r->bytes);
}

void *death_owner_malloc(death_path_t path, size_t bytes)
{
    request_t r = {bytes, NULL};
    if (path == HEAP) return death_hide(mi_heap_malloc(death_heap(), bytes));
    if (path == ADOPTED)
        in_adopter(run_malloc, &r);
    else
        run_malloc(&r);
    return r.result;
}

void death_release(death_path_t path, void *p)
{
    if (path == REMOTE)
        death_in_thread(death_free, p);
    else
        death_free(p);
}

void death_release_all(death_path_t path)
{
    sort_objects(live, live_count);
    for (size_t i = 0; i < live_count; i++)
        if (!live[i].chosen)
            death_release(path == REMOTE && i % 64 == 0 ? REMOTE : LOCAL, live[i].start);
    live_count = 0;
}

typedef struct batch {
    death_kind_t kind;
    death_path_t path;
    size_t count;
} batch_t;

static void run_batch(void *arg)
{
    const batch_t *const b = arg;
    for (size_t i = 0; i < b->count; i++) {
        void *const p = b->path == HEAP ? mi_heap_malloc(death_heap(), death_bytes[b->kind])
                                        : death_malloc(death_bytes[b->kind]);
        death_require(p != NULL);
        death_live(p, death_usable(p));
    }
}

/* `count` live blocks, made as the path says */
static void make_blocks(death_kind_t kind, death_path_t path, size_t count)
{
    static const size_t full[4] = {2100, 70, 40, 2};
    batch_t b = {kind, path, count};
    if (path == HEAP) death_heap();
    if (path == FULL && !few_blocks) b.count = full[kind];
    if (path == ORPHAN || path == ADOPTED)
        death_in_thread(run_batch, &b);
    else
        run_batch(&b);
    if (path == ADOPTED) (void)!death_owner_malloc(path, 16); /* starts it */
}

char *death_block(death_kind_t kind, death_path_t path)
{
    static const size_t neighbours[4] = {40, 18, 6, 4}; /* the middle one begins no page */
    make_blocks(kind, path, few_blocks ? 4 : neighbours[kind]);
    char *const p = (char *)live[live_count / 2].start;
    death_dead(p);
    return p;
}

void death_pair(death_kind_t kind, death_path_t path, char **low, char **high)
{
    static const size_t blocks[4] = {600, 60, 24, 6};
    static object_t sorted[MAX_LIVE];
    make_blocks(kind, path, few_blocks ? 5 : blocks[kind]);
    memcpy(sorted, live, live_count * sizeof live[0]);
    sort_objects(sorted, live_count);
    size_t best = 1;
    for (size_t i = 1; i < live_count; i++)
        if (sorted[i].start - sorted[i - 1].start < sorted[best].start - sorted[best - 1].start)
            best = i;
    *low = (char *)sorted[best - 1].start;
    *high = (char *)sorted[best].start;
}

/* ---- accesses ---- */

void death_write(void *p, unsigned char byte, size_t bytes)
{
    volatile unsigned char *const to = p;
    shared->access = 1;
    for (size_t i = 0; i < bytes; i++) to[i] = byte;
    shared->access = 0;
}

void death_alter(void *p)
{
    volatile unsigned char *const to = p;
    shared->access = 1;
    *to ^= 0x41;
    shared->access = 0;
}

void death_write_word(void *p, uintptr_t word)
{
    shared->access = 1;
    *(volatile uintptr_t *)p = word;
    shared->access = 0;
}

uintptr_t death_read_word(const void *p)
{
    shared->access = 1;
    const uintptr_t word = *(const volatile uintptr_t *)p;
    shared->access = 0;
    return word;
}

bool death_find(const void *p, size_t bytes, uint64_t secret)
{
    bool found = false;
    const uintptr_t end = (uintptr_t)p + bytes;
    shared->access = 1;
    for (uintptr_t at = ((uintptr_t)p + 7) & ~(uintptr_t)7; at + 8 <= end; at += 8)
        if (*(const volatile uint64_t *)at == secret) found = true; /* and reads on */
    shared->access = 0;
    return found;
}

void death_fill_secret(void *p, size_t bytes)
{
    volatile uint64_t *const words = p;
    for (size_t i = 0; i < bytes / 8; i++) words[i] = DEATH_SECRET;
}

/* ---- running ---- */

static void run_in_thread(void *arg)
{
    const death_case_t *const c = arg;
    c->run(c);
}

int death_run_case(const death_case_t *c, int shared_fd, bool few, bool thread)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
    if (shared == MAP_FAILED) return 3;
    few_blocks = few;
    if (thread)
        death_in_thread(run_in_thread, death_hide(c));
    else
        c->run(c);
    if (shared->phase != DEATH_AFTER) return 3;
    shared->phase = DEATH_DONE;
    return 0;
}
