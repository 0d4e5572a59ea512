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

typedef enum mic_record_state {
    MIC_RECORD_LIVE = 0, /* has a thread */
    MIC_RECORD_ORPHAN,   /* in the pool, or in a reaper's hand */
    MIC_RECORD_FROZEN    /* forked child: its thread was inside the allocator; never used again */
} mic_record_state_t;

typedef struct mic_record {
    mic_inbox_t inbox; /* must be first: an owner word is also a record's address */
    char others_end[MIC_CACHE_LINE - sizeof(mic_inbox_t)]; /* freers write the inbox, we the rest */
    mic_lock_t lock;
    mic_atomic(uint32_t) busy;      /* [owner] inside a slow path; read by the forked child only */
    mic_atomic(uint32_t) collect;   /* [atomic: relaxed] somebody asks for a forced collection */
    uint32_t state;                 /* [authority] mic_record_state_t */
    mic_atomic(uint64_t) thread_id; /* [atomic: claim] system id of its thread, 0 = none */
    uint64_t process_id;            /* [owner] where thread_id means something */
    bool in_pool;                   /* [lock: pool] */
    struct mic_record *pool_next, *pool_prev; /* [lock: pool] */
    struct mic_record *all_next;              /* [const] every record ever made */
    struct mic_record *work_next;             /* [authority] reaper's worklist */
    uint64_t heartbeat;                       /* [owner] slow paths since start */
    bool in_callback;                         /* [owner] inside the deferred-free callback */
    mic_theap_t theap;                        /* [owner] the default thread heap */
} mic_record_t;

_Static_assert(offsetof(mic_record_t, inbox) == 0, "owner word = record address");
/* of every record, static ones too: the low bits of an owner word are tags */
#define MIC_RECORD_ALIGN 128

mic_inline mic_record_t *mic_record_of_owner(uintptr_t owner)
{
    return (mic_record_t *)(owner & ~MIC_OWNER_TAGS);
}

#endif
