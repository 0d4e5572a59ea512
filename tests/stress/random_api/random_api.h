/* What the parts of random_api share: what is known of blocks, heaps and arenas, the actors that
   act on them, and the actions. random_api.c, which chooses the actions, says what all of it is
   for. */
#ifndef RANDOM_API_H
#define RANDOM_API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "functions.h"
#include "mimalloc-ext.h"
#include "stress.h"

#define SLOTS 240
#define HEAPS 4
#define SHARED 3
#define ACTORS 4
#define MAILS 64
#define STASH 16
#define ARENAS 4
#define BUDGET ((size_t)48 << 20) /* bytes in live blocks of an actor, about */
#define OTHER_ERRNO 4242

typedef struct block {
    unsigned char *p; /* NULL: none */
    size_t size;      /* as asked for */
    size_t filled;    /* of a block of zeroes the size, else all that is usable */
    size_t had;       /* the most it was asked for, of a block of zeroes */
    size_t align;     /* of its start */
    mi_heap_t *heap;
    uint32_t mark;
    bool zero, small;
    bool offset;  /* only start + some offset is aligned */
    bool stays;   /* its heap will be destroyed, so nobody else may have it */
    bool foreign; /* of a heap that another actor may delete at any time */
} block_t;

typedef struct heap {
    mi_heap_t *heap;
    mi_arena_id_t arena;
    bool dies; /* it will be destroyed, not deleted */
} heap_t;

/* Acts on one thread at a time, and may continue on another. */
typedef struct actor {
    stress_random_t r;
    block_t blocks[SLOTS];
    heap_t heaps[HEAPS];
    mi_heap_t *main; /* of its sub-process */
    mi_heap_t *def;  /* where functions without heap allocate */
    size_t bytes;
    bool member; /* of another sub-process: shares nothing */
    bool late;   /* its thread has ended */
} actor_t;

typedef struct arena {
    mi_arena_id_t id;
    bool exclusive;
    unsigned char *start;
    size_t bytes;
} arena_t;

/* ---- random_api.c ---- */

extern actor_t actors[ACTORS + 1]; /* the last is a sub-process's */
extern bool alone;                 /* no other thread runs */
extern bool may_fail;              /* memory is short */
extern bool mixed;                 /* options change */
extern bool guarded;               /* some blocks may be guarded */
extern bool precise;               /* and those not aligned */

/* of all rounds, in memory that they share: functions that allocate, that resize, actions */
extern atomic_size_t *counts;

static inline void counted(size_t i)
{
    atomic_fetch_add_explicit(&counts[i], 1, memory_order_relaxed);
}

static inline size_t below(actor_t *a, size_t n) { return stress_below(&a->r, n); }
static inline bool chance(actor_t *a, size_t n) { return below(a, n) == 0; }

/* Any action, or something with any block. */
void act(actor_t *a);

/* ---- requests.c ---- */

void prepare_texts(void);
size_t any_size(actor_t *a);
heap_t *any_heap(actor_t *a);
/* NULL: neither the actor made it nor is it shared */
const heap_t *known_heap(const actor_t *a, const mi_heap_t *heap);
void take_size(request_t *r, size_t bytes, unsigned flags, actor_t *a);
/* false: without memory for a thread heap there is nothing to ask for */
bool any_request(actor_t *a, unsigned flags, request_t *r);
/* The heap that the request allocates in. */
mi_heap_t *target_of(const actor_t *a, const request_t *r, unsigned flags);
bool arena_may_be_full(const actor_t *a, const mi_heap_t *target);

/* ---- blocks.c ---- */

extern block_t mails[MAILS]; /* for whoever takes them; with a lock, while other threads run */

/* make() is for a slot without block, the others for one with a block */
void make(actor_t *a, block_t *b);
void resize(actor_t *a, block_t *b);
void expand(actor_t *a, block_t *b);
void look(actor_t *a, block_t *b);
void drop(actor_t *a, block_t *b);
/* The block is not known any more; return_unchanged(): it is again, as it was. */
void leave(actor_t *a, block_t *b);
void return_unchanged(actor_t *a, const block_t *b);
/* Frees what this thread left to the deferred function: all of it, or from a place on. */
void free_stash(void);
void free_stash_from(size_t first);
void drop_mails(void);
/* actions */
void mail(actor_t *a);
void free_elsewhere(actor_t *a);

/* ---- heaps.c ---- */

extern heap_t shared[SHARED]; /* by all threads */

/* What actor b has of the heap goes, or is in the main heap from now on. */
void forget_heap(actor_t *b, const heap_t *h);
void end_this_heap(heap_t *h);
/* Makes the shared ones, or ends them. */
void share_heaps(bool make_them);
/* actions */
void make_heap(actor_t *a);
void end_heap(actor_t *a);
void set_default(actor_t *a);
void collect(actor_t *a);

/* ---- accounts.c: an action, and what is only for when no other thread runs ---- */

void walk(actor_t *a);
void check_quiet(void);
void drop_all(void);
/* All is freed: so the library says, and the system. */
void check_empty(void);

/* ---- contracts.c: actions ---- */

extern _Thread_local bool expects_error; /* what is asked for must fail */

void ask_too_much(actor_t *a);
void ask_about_anything(actor_t *a);
void ask_good_size(actor_t *a);
void copy_names(actor_t *a);

/* ---- settings.c: callbacks, actions ---- */

void take_output(const char *message, void *arg);
void take_error(int error, void *arg);
void set_options(actor_t *a);
void set_callbacks(actor_t *a);
void ask_numbers(actor_t *a);

/* ---- processes.c: actions ---- */

extern arena_t arenas[ARENAS];
extern size_t arena_count;
extern bool in_child; /* of a fork */

void done_for_now(actor_t *a);
void fork_once(actor_t *a);
void make_arena(actor_t *a);
void run_subproc(actor_t *from);

#endif
