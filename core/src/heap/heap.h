/* First-class heaps and sub-processes.

   A heap is a set of thread heaps, one for each record that used it. It is usable from every
   thread; the calling thread's thread heap is found through a small cache in its record. The main
   heap of a sub-process consists of the thread heaps that the sub-process's records have embedded.

   A sub-process is a set of heaps and records that shares nothing with others: records are adopted,
   and pages stolen, within one sub-process only, and so are slices (vm/arena.h).

   Both kinds of objects are type-stable: they are reused, never unmapped. In builds that check,
   handles carry a generation: a stale handle is found out.

   Lock order: heaps lock < late lock < record lock. */
#ifndef MIC_HEAP_HEAP_H
#define MIC_HEAP_HEAP_H

#include "heap/record.h"

struct mic_subproc;

typedef enum mic_heap_state {
    MIC_HEAP_DEAD = 0, /* waits for reuse */
    MIC_HEAP_LIVE,
    MIC_HEAP_MAIN /* of its sub-process; cannot be deleted */
} mic_heap_state_t;

typedef struct mic_heap {
    struct mic_subproc *subproc;      /* [lock: heaps] */
    mic_atomic(uint32_t) state;       /* [lock: heaps; read by anyone] mic_heap_state_t */
    uint32_t generation;              /* [lock: heaps] */
    mic_place_t place;                /* [const from new, but for numa] where its pages are */
    mic_atomic(uint32_t) theap_count; /* [lock: heaps; read by anyone] */
    mic_theap_t *theaps;              /* [lock: heaps] by heap_next; not the main heap's */
    struct mic_heap *next, *prev;     /* [lock: heaps] live heaps of the sub-process */
    uint64_t number;                  /* [const from new] for people; 0 = main */
} mic_aligned(1 << MIC_HEAP_SHIFT) mic_heap_t;

typedef struct mic_subproc {
    mic_heap_t main;
    mic_heap_t *heaps;        /* [lock: heaps] first-class ones */
    size_t heap_count;        /* [lock: heaps] */
    struct mic_subproc *next; /* [lock: heaps] live ones, or waiting for reuse */
    uint16_t index;           /* [const] 0 = main */
    bool live;                /* [lock: heaps] */
} mic_subproc_t;

extern mic_subproc_t mic_subproc_main;

/* Where pages of a thread heap come from. */
mic_inline const mic_place_t *mic_theap_place(const mic_theap_t *theap)
{
    const mic_heap_t *const heap = mic_theap_heap(theap);
    return heap == NULL ? &mic_place_any : &heap->place;
}

/* ---- heaps ---- */

/* A heap whose pages come from the place. NULL with ENOMEM. */
mic_heap_t *mic_heap_new(mic_subproc_t *subproc, uint16_t arena);
/* Live blocks stay, as the main heap's. Nobody else uses the heap meanwhile. */
void mic_heap_delete(mic_heap_t *heap);
/* RF.19: everything at once. Nobody else uses the heap or its blocks meanwhile. */
void mic_heap_destroy(mic_heap_t *heap);
/* Collects the calling thread's part; forced, those of orphans too, and running threads are asked
   to collect at their next slow path. */
void mic_heap_collect_theaps(mic_heap_t *heap, bool force);

/* The calling thread's thread heap of the heap, made if there is none; NULL with no error reported
   when memory is out. A thread whose record is gone gets the late record's. */
mic_theap_t *mic_heap_theap(mic_heap_t *heap);
/* The heap that holds the live page of an address; NULL: none. */
mic_heap_t *mic_heap_of(const void *p);

/* An orphan of the heap's sub-process with a thread heap of this heap that may have pages with room
   of the class: the caller has authority over its record then. NULL: none. */
mic_theap_t *mic_heap_take_orphan(mic_heap_t *heap, unsigned cls);

/* Calls for each thread heap of the heap, holding its record's lock. False: stopped. */
typedef bool mic_theap_fun(mic_theap_t *theap, void *arg);
bool mic_heap_each_theap(mic_heap_t *heap, mic_theap_fun *fun, void *arg);

/* The main heap of a fresh sub-process. */
void mic_heap_init_main(mic_subproc_t *subproc);
/* What records have of the main heap of a sub-process beside the thread heap that is embedded in
   those of its own: thread heaps of heaps that were deleted, and those of other sub-processes'
   threads. All that lives in them is released. */
void mic_heap_drop_main(mic_subproc_t *subproc);

/* ---- sub-processes ---- */

mic_subproc_t *mic_subproc_new(void);
/* All heaps, main heap included. No thread is in it any more, nobody uses its blocks. */
void mic_subproc_destroy(mic_subproc_t *subproc);
/* The calling thread's; the main one for threads that have no record. */
mic_subproc_t *mic_subproc_current(void);
/* Before the thread's first allocation. False: no memory for that, which was reported. */
bool mic_subproc_join(mic_subproc_t *subproc);

/* A walk over the live heaps; starts as {0}. */
typedef struct mic_heap_cursor {
    mic_heap_t *heap; /* of the last step; may be gone by now */
    uint64_t number;  /* its number then */
} mic_heap_cursor_t;

/* Steps on; the main heap comes first. False: no more. Each heap that lives all the time is met
   once, whatever becomes of the others; those made later are not met. */
bool mic_subproc_next_heap(mic_subproc_t *subproc, mic_heap_cursor_t *cursor);
/* Destroys all of them but the main heap, which nobody else uses any more. */
void mic_subproc_destroy_heaps(mic_subproc_t *subproc);

/* ---- fork ---- */
void mic_subprocs_lock_for_fork(void);
void mic_subprocs_unlock_after_fork(bool child);
void mic_heaps_lock_for_fork(void);
void mic_heaps_unlock_after_fork(bool child);

#endif
