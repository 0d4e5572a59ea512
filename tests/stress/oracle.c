/* Random actions, with an oracle that knows every live byte: a table with one entry for each 16
   bytes of address space says which block is there, and every byte of a block has a value that
   only that block has. Two live blocks never overlap, no live byte changes, calloc gives zeroes,
   and what is asked for is what is there. All of what mi_usable_size promises is used.

   First threads that come and go act on their own blocks and free each other's. Then one thread
   makes mistakes among its correct calls, where the build detects all of them: each mistake is
   reported once, nothing else is, and the oracle still holds. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/config.h"
#include "mimalloc.h"
#include "stress.h"

/* ---- the oracle ---- */

#define GRANULE 16
#define LEAF_SHIFT 16 /* one leaf for 64 KiB */
#define LEAF_ENTRIES ((1u << LEAF_SHIFT) / GRANULE)
#define LEAVES (1u << 16)

typedef struct leaf {
    uintptr_t key; /* address >> LEAF_SHIFT; 0: none yet */
    uint32_t *owner;
} leaf_t;

static leaf_t leaves[LEAVES];
static pthread_mutex_t oracle_lock = PTHREAD_MUTEX_INITIALIZER;

/* NULL: nothing was ever there, and `make` is false. */
static uint32_t *leaf_of(uintptr_t address, bool make)
{
    const uintptr_t key = address >> LEAF_SHIFT;
    for (uint32_t i = (uint32_t)(key * 0x9e3779b1u) % LEAVES, n = 0; n < LEAVES; n++) {
        leaf_t *const leaf = &leaves[(i + n) % LEAVES];
        if (leaf->key == key) return leaf->owner;
        if (leaf->key != 0) continue;
        if (!make) return NULL;
        leaf->owner = mmap(NULL, LEAF_ENTRIES * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        stress_require(leaf->owner != MAP_FAILED);
        leaf->key = key;
        return leaf->owner;
    }
    stress_require(false); /* no room in the table */
    return NULL;
}

/* All granules of the block pass from one owner to another. */
static void oracle_pass(const void *p, size_t bytes, uint32_t from, uint32_t to)
{
    const uintptr_t first = (uintptr_t)p & ~(uintptr_t)(GRANULE - 1), end = (uintptr_t)p + bytes;
    pthread_mutex_lock(&oracle_lock);
    for (uintptr_t at = first; at < end;) {
        uint32_t *const owner = leaf_of(at, true);
        for (size_t i = (at & ((1u << LEAF_SHIFT) - 1)) / GRANULE; i < LEAF_ENTRIES && at < end;
             i++, at += GRANULE) {
            stress_require(owner[i] == from);
            owner[i] = to;
        }
    }
    pthread_mutex_unlock(&oracle_lock);
}

/* ---- blocks ---- */

typedef struct block {
    unsigned char *start; /* NULL: none */
    size_t bytes;         /* that are ours: the usable size */
    uint32_t mark;        /* not 0; also the owner in the table */
    uint8_t heap;         /* 1 + index of its heap; 0: the thread's */
} block_t;

static atomic_uint next_mark = 1;

static uint64_t word_at(const block_t *b, size_t i)
{
    return ((uint64_t)b->mark + i) * 0x9e3779b97f4a7c15u;
}

static void block_fill(const block_t *b)
{
    for (size_t i = 0; i < b->bytes; i += 8) {
        const uint64_t word = word_at(b, i);
        memcpy(b->start + i, &word, b->bytes - i < 8 ? b->bytes - i : 8);
    }
}

static void block_check(const block_t *b, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 8) {
        const uint64_t word = word_at(b, i);
        stress_require(memcmp(b->start + i, &word, bytes - i < 8 ? bytes - i : 8) == 0);
    }
}

/* p is a new block of at least `asked` bytes. */
static void block_arrives(block_t *b, void *p, size_t asked, uint8_t heap)
{
    stress_require(p != NULL);
    *b = (block_t){p, mi_usable_size(p), atomic_fetch_add(&next_mark, 1), heap};
    stress_require(b->bytes >= asked);
    oracle_pass(p, b->bytes, 0, b->mark);
    block_fill(b);
}

/* It is about to be freed. */
static void block_leaves(const block_t *b)
{
    block_check(b, b->bytes);
    oracle_pass(b->start, b->bytes, b->mark, 0);
}

/* ---- correct actions ---- */

#define SLOTS 500
#define HEAPS 3
#define BIG 1500000
#define MAILBOXES 64

typedef struct actor {
    stress_random_t random;
    block_t blocks[SLOTS];
    mi_heap_t *heaps[HEAPS]; /* the first is destroyed with its blocks, the others deleted */
} actor_t;

static _Atomic(void *) mailbox[MAILBOXES]; /* blocks to be freed by whoever finds them */
static bool keeps_book;                    /* one thread: blocks are freed at once, and noted */
static void *gone[256];                    /* freed blocks; most are free still */
static size_t gone_count;

static void *free_there(void *p)
{
    mi_free(p);
    return NULL;
}

static void free_by_anybody(actor_t *a, void *p)
{
    pthread_t thread;
    if (stress_below(&a->random, 8) != 0) {
        mi_free(p);
        return;
    }
    stress_require(pthread_create(&thread, NULL, free_there, p) == 0);
    pthread_join(thread, NULL);
}

static size_t any_size(actor_t *a)
{
    return stress_size(&a->random, stress_below(&a->random, 40) == 0 ? BIG : 40000);
}

static void make_zeroed(actor_t *a, block_t *b, size_t bytes)
{
    unsigned char *const p = mi_calloc(bytes / 7 + 1, 7);
    stress_require(p != NULL);
    for (size_t i = 0; i < bytes; i++) stress_require(p[i] == 0);
    block_arrives(b, p, bytes, 0);
    (void)a;
}

static void make_aligned(actor_t *a, block_t *b, size_t bytes)
{
    const size_t alignment = (size_t)16 << stress_below(&a->random, 13);
    const size_t offset = stress_below(&a->random, 4) == 0 ? 8 * stress_below(&a->random, 20) : 0;
    unsigned char *const p = mi_malloc_aligned_at(bytes + offset, alignment, offset);
    stress_require(p != NULL && ((uintptr_t)p + offset) % alignment == 0);
    block_arrives(b, p, bytes + offset, 0);
}

static void make_in_heap(actor_t *a, block_t *b, size_t bytes)
{
    const size_t at = stress_below(&a->random, HEAPS);
    if (a->heaps[at] == NULL) a->heaps[at] = mi_heap_new();
    stress_require(a->heaps[at] != NULL);
    block_arrives(b, mi_heap_malloc(a->heaps[at], bytes), bytes, (uint8_t)(1 + at));
}

static void make(actor_t *a, block_t *b)
{
    const size_t bytes = any_size(a), dice = stress_below(&a->random, 20);
    if (dice < 2)
        make_zeroed(a, b, bytes);
    else if (dice == 2)
        make_aligned(a, b, bytes);
    else if (dice < 7)
        make_in_heap(a, b, bytes);
    else
        block_arrives(b, mi_malloc(bytes), bytes, 0);
    if (dice != 2) stress_require((uintptr_t)b->start % 16 == 0);
}

static void drop(actor_t *a, block_t *b)
{
    block_leaves(b);
    void *p = b->start;
    b->start = NULL;
    if (keeps_book) {
        gone[gone_count++ % 256] = p;
        free_by_anybody(a, p);
        return;
    }
    /* A heap that is destroyed must have no block that somebody else is about to free. */
    if (b->heap != 1 && stress_below(&a->random, 3) == 0)
        p = atomic_exchange(&mailbox[stress_below(&a->random, MAILBOXES)], p);
    mi_free(p);
}

static void resize(actor_t *a, block_t *b)
{
    const size_t bytes = any_size(a) + 1;
    block_t const old = *b;
    block_leaves(b);
    unsigned char *const p = mi_realloc(b->start, bytes);
    stress_require(p != NULL);
    /* moved out of its heap or not: only its own heap is ever destroyed with blocks in it */
    const uint8_t heap = p == old.start ? old.heap : 0;
    *b = (block_t){p, old.bytes < bytes ? old.bytes : bytes, old.mark, heap};
    block_check(b, b->bytes);
    block_arrives(b, p, bytes, heap);
}

static void end_heap(actor_t *a)
{
    const size_t at = stress_below(&a->random, HEAPS);
    if (a->heaps[at] == NULL) return;
    for (size_t i = 0; i < SLOTS; i++) {
        block_t *const b = &a->blocks[i];
        if (b->start == NULL || b->heap != 1 + at) continue;
        b->heap = 0;
        if (at != 0) continue;
        block_leaves(b);
        b->start = NULL;
    }
    if (at == 0)
        mi_heap_destroy(a->heaps[at]);
    else
        mi_heap_delete(a->heaps[at]);
    a->heaps[at] = NULL;
}

static void act(actor_t *a)
{
    block_t *const b = &a->blocks[stress_below(&a->random, SLOTS)];
    const size_t dice = stress_below(&a->random, 4000);
    if (dice == 0)
        end_heap(a);
    else if (dice == 1)
        mi_collect(stress_below(&a->random, 4) == 0);
    else if (b->start == NULL)
        make(a, b);
    else if (dice < 600 && b->heap != 1)
        resize(a, b);
    else if (dice < 900)
        block_check(b, b->bytes);
    else
        drop(a, b);
}

static void check_all(const actor_t *a)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (a->blocks[i].start != NULL) block_check(&a->blocks[i], a->blocks[i].bytes);
}

static void drop_all(actor_t *a)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (a->blocks[i].start != NULL) drop(a, &a->blocks[i]);
    for (size_t i = 0; i < HEAPS; i++)
        if (a->heaps[i] != NULL) mi_heap_delete(a->heaps[i]);
}

/* ---- threads that come and go ---- */

#define ACTORS 3
#define STEPS_OF_A_THREAD 4000

static actor_t actors[ACTORS];

static void *act_for_a_while(void *arg)
{
    for (int i = 0; i < STEPS_OF_A_THREAD; i++) act(arg);
    check_all(arg);
    return NULL;
}

/* A thread leaves its blocks and heaps to the next one. */
static void run_threads(size_t rounds)
{
    for (size_t i = 0; i < ACTORS; i++) actors[i].random = stress_random(i + 1);
    for (size_t round = 0; round < rounds; round++) {
        pthread_t threads[ACTORS];
        for (size_t i = 0; i < ACTORS; i++)
            stress_require(pthread_create(&threads[i], NULL, act_for_a_while, &actors[i]) == 0);
        for (size_t i = 0; i < ACTORS; i++) pthread_join(threads[i], NULL);
        for (size_t i = 0; i < ACTORS; i++) check_all(&actors[i]); /* and by nobody else's doing */
    }
    for (size_t i = 0; i < ACTORS; i++) drop_all(&actors[i]);
    for (size_t i = 0; i < MAILBOXES; i++) mi_free(atomic_exchange(&mailbox[i], NULL));
}

/* ---- mistakes among correct actions ---- */

static size_t errors; /* what was reported since the last mistake; which one is for tests/death */

static void note_error(int error, void *arg)
{
    (void)error, (void)arg;
    errors++;
}

/* true: no block of ours has this byte */
static bool is_nobodys(const void *p)
{
    const uintptr_t at = (uintptr_t)p;
    const uint32_t *const owner = leaf_of(at, false);
    return owner == NULL || owner[(at & ((1u << LEAF_SHIFT) - 1)) / GRANULE] == 0;
}

static void free_again(actor_t *a)
{
    void *const p = gone[stress_below(&a->random, 256)];
    if (p == NULL || !is_nobodys(p)) return;
    free_by_anybody(a, p);
    stress_require(errors == 1);
}

static void free_inside(actor_t *a)
{
    const block_t *const b = &a->blocks[stress_below(&a->random, SLOTS)];
    if (b->start == NULL || b->bytes < 2) return;
    free_by_anybody(a, b->start + 1 + stress_below(&a->random, b->bytes - 1));
    stress_require(errors == 1);
}

static void resize_free(actor_t *a)
{
    void *const p = gone[stress_below(&a->random, 256)];
    if (p == NULL || !is_nobodys(p)) return;
    stress_require(mi_realloc(p, any_size(a) + 1) == NULL);
    stress_require(errors == 1);
}

static void free_elsewhere(actor_t *a)
{
    static char area[64];
    uintptr_t p = (uintptr_t)stress_next(&a->random) >> stress_below(&a->random, 40);
    if (stress_below(&a->random, 2) == 0) p = (uintptr_t)area + stress_below(&a->random, 64);
    if (p == 0 || (p >> 47 == 0 && !is_nobodys((void *)p))) return;
    free_by_anybody(a, (void *)p);
    stress_require(errors == 1);
}

static void make_a_mistake(actor_t *a)
{
    errors = 0;
    const size_t dice = stress_below(&a->random, 10);
    if (dice < 4)
        free_again(a);
    else if (dice < 7)
        free_inside(a);
    else if (dice < 8)
        resize_free(a);
    else
        free_elsewhere(a);
    errors = 0;
}

static void run_mistakes(size_t steps)
{
    static actor_t a;
    a.random = stress_random(77);
    keeps_book = true;
    mi_register_error(note_error, NULL);
    for (size_t step = 0; step < steps; step++) {
        if (stress_below(&a.random, 4) == 0) make_a_mistake(&a);
        act(&a);
        stress_require(errors == 0); /* none for what is correct */
        if (step % 5000 == 0) check_all(&a);
    }
    check_all(&a);
    drop_all(&a);
    stress_require(errors == 0);
    mi_register_error(NULL, NULL);
}

int main(void)
{
    stress_begin("oracle");
    stress_limit_seconds(3000);
    run_threads(stress_scaled(300, 4));
    if (CFG_BITS) run_mistakes(stress_scaled(2000000, 20000));
    return 0;
}
