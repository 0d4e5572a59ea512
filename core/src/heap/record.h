/* Thread record: everything a thread owns. Never unmapped, so that any thread may look at it at any
   time. When its thread ends the whole record, pages included, goes to the pool of orphans; a new
   thread adopts one in O(1).

   Authority over a record: its live thread, or whoever took it out of the pool. Whoever drains,
   collects, releases or destroys pages also holds record->lock. Lists of pages (all_next/all_prev)
   change under the lock only; queues and active pages belong to the authority alone. */
#ifndef MIC_HEAP_RECORD_H
#define MIC_HEAP_RECORD_H

#include "heap/theap.h"
#include "page/remote.h"
#include "rt/lock.h"

#define MIC_ASKED_COLLECT 1u /* a forced collection */
#define MIC_ASKED_MERGE 2u   /* thread heaps of deleted heaps go to the default one */
#define MIC_ASKED_PURGER 4u  /* to start the purging thread, heap/purger.h */

typedef enum mic_record_state {
    MIC_RECORD_LIVE = 0, /* has a thread */
    MIC_RECORD_ORPHAN,   /* in the pool, or in a reaper's hand */
    MIC_RECORD_FROZEN    /* forked child: its thread was inside the allocator; never used again */
} mic_record_state_t;

/* Thread heaps of first-class heaps are looked up by the heap's address. */
#define MIC_THEAP_CACHE ((size_t)64)

/* What the fast paths touch of a record; the dummies of threads that have none consist of it. */
typedef struct mic_record_front {
    mic_inbox_t inbox; /* must be first: an owner word is also a record's address */
    char others_end[MIC_CACHE_LINE - sizeof(mic_inbox_t)]; /* freers write the inbox, we the rest */
    mic_theap_t *theap_cache[MIC_THEAP_CACHE]; /* [owner] never NULL; see mic_record_cached */
} mic_record_front_t;

typedef struct mic_record {
    union {
        mic_record_front_t front;
        mic_inbox_t inbox;
    };
    mic_lock_t lock;
    mic_atomic(uintptr_t) subproc;   /* [authority; read by anyone] mic_subproc_t */
    mic_theap_t *theaps;             /* [lock: record] of first-class heaps, by record_next */
    mic_theap_t *theap_free;         /* [lock: record] for first-class heaps to come */
    uint32_t theap_warm;             /* [lock: record] how many of them kept pages */
    uint32_t theap_made;             /* [lock: record] how many there are, in use or not */
    mic_theap_t **theap_table;       /* [owner] see heap/table.h */
    size_t theap_table_slots;        /* [owner] */
    mic_atomic(uint32_t) busy;       /* [owner] slow paths it is inside of; read by children only */
    mic_atomic(uint32_t) asked;      /* [atomic: relaxed] MIC_ASKED_*, at its next slow path */
    mic_atomic(uint32_t) state;      /* [authority; read by anyone] mic_record_state_t */
    mic_atomic(uint64_t) thread_id;  /* [atomic: claim] system id of its thread, 0 = none */
    mic_atomic(uint64_t) process_id; /* [owner; read by anyone] where thread_id means something */
    bool in_pool;                    /* [lock: pool] */
    struct mic_record *pool_next, *pool_prev; /* [lock: pool] */
    struct mic_record *all_next;              /* [const] every record ever made */
    struct mic_record *work_next;             /* [authority] reaper's worklist */
    uint64_t heartbeat;                       /* [owner] slow paths since start */
    uintptr_t callback_frame;                 /* [owner] of who called the deferred-free callback */
    bool in_sample;                           /* [owner] making a guarded block */
    mic_theap_t theap;                        /* [owner] the default thread heap */
    mic_theap_totals_t gone;                  /* [lock: record] of heaps that are no more */
} mic_record_t;

_Static_assert(offsetof(mic_record_t, inbox) == 0, "owner word = record address");
/* the first record starts an OS page: a program without heaps of its own touches no other for it */
_Static_assert(MIC_SLICE_SHIFT != 15 || offsetof(mic_record_t, gone) <= 4096, "one OS page");

/* heaps are aligned to this, so that neighbours have different places in the cache */
#define MIC_HEAP_SHIFT 7
mic_inline struct mic_subproc *mic_record_subproc(const mic_record_t *record)
{
    return (struct mic_subproc *)mic_load_relaxed(&record->subproc);
}

/* of every record, static ones too: the low bits of an owner word are tags */
#define MIC_RECORD_ALIGN 128

/* The thread heap that a record may have of a heap: direct-mapped by the heap's address. The entry
   is right if theap->heap == heap; else it is anything, perhaps the empty thread heap. */
mic_inline size_t mic_theap_cache_slot(const struct mic_heap *heap)
{
    return ((uintptr_t)heap >> MIC_HEAP_SHIFT) % MIC_THEAP_CACHE;
}

/* Of a locked record, or of the calling thread's own: its thread heap of the heap, NULL if none. */
mic_theap_t *mic_record_find_theap(mic_record_t *record, const struct mic_heap *heap);
/* Does what others asked of the calling thread's record; inside a slow path that has not begun its
   own work. */
void mic_record_attend(mic_record_t *record);
/* Collects all thread heaps of the record. The caller has authority and is inside a slow path. */
void mic_record_collect(mic_record_t *record);

mic_inline mic_record_t *mic_record_of_owner(uintptr_t owner)
{
    return (mic_record_t *)(owner & ~MIC_OWNER_TAGS);
}

#endif
