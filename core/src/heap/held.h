/* Spans that were freed and are held back, in secure and hardened builds: nobody gets their
   addresses for a while, so that a dangling pointer meets no new owner, and a second free is told
   from a legal one. One list for the process, oldest first, bounded in number and in bytes; a
   collection empties it, which is what happens before malloc fails.

   A held span keeps the guards on both sides. One of the same size, and none but that, may take it
   over as it is, without a call to the system:

       guard |block                    | guard      secure: as the program left it
       guard |guard|0 ...              | guard      hardened: clear, its start inaccessible; looked
                                                    at before anybody else gets it

   It is in no thread heap, and its descriptor has no owner. */
#ifndef MIC_HEAP_HELD_H
#define MIC_HEAP_HELD_H

#include "heap/theap.h"

/* What is to be known of a held span whose address is used. */
typedef struct mic_held {
    size_t block_bytes;
    uint64_t heap; /* number of its heap */
} mic_held_t;

/* A span is to be freed, and in no list any more; a guarded block's goes to its slot. True: it is
   held, its owner word is 0, and its run is not the caller's any more. Older ones may be freed
   instead. [lock: record] */
bool mic_held_put(mic_page_t *page);
/* Hardened: the span may keep its memory while it is held. */
bool mic_held_keeps(const mic_page_t *page);
/* A held span of this geometry that was held long enough: its run, with guards in place. *zero: it
   reads as zero. */
bool mic_held_take(mic_theap_t *theap, size_t block_bytes, size_t align_slices, mic_run_t *run);
/* p is the start of a held span. Any thread, without locks. */
bool mic_held_find(const void *p, mic_held_t *held);
/* All go back to their arenas. Without locks above the arena's. */
void mic_held_flush(void);
/* Bytes of address space that are held. */
size_t mic_held_bytes(void);

void mic_held_lock_for_fork(void);
void mic_held_unlock_after_fork(bool child);

#endif
