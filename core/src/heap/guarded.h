/* Guarded blocks: one in so many allocations gets OS pages of its own, between inaccessible ones,
   and when it is freed all of it becomes inaccessible, until its slot is needed again. Where it was
   allocated and freed is kept, and told with every fault and every misuse. In all builds; alloc/
   sample.c decides which allocation it is.

       |guard    |....block|guard ....|    or    |guard    |block....|guard ....|
                      ^ the end of the block, or its start, lies at a guard, by chance

   What is left of its OS pages has a pattern, which is looked at when the block is freed. A guarded
   block is a span with tags SAMPLED and INNER, so frees, resizes, heaps and walks find it as they
   find others. There are MIC_GUARDED_SLOTS, of live blocks and of freed ones; if all of them live,
   no more are made. */
#ifndef MIC_HEAP_GUARDED_H
#define MIC_HEAP_GUARDED_H

#include "heap/theap.h"
#include "os/trace.h"

#define MIC_GUARDED_SLOTS 512u
/* Hiding a freed block takes time by its size: larger ones are never guarded. */
#define MIC_GUARDED_BYTES_MAX (64 * MIC_MIB)

/* Gets ready, once; false: no memory. Not inside an allocation. */
bool mic_guarded_start(void);
/* A block, zeroed if asked; (result + offset) is a multiple of alignment, a slice at most. NULL: no
   slot or no memory, take another. The caller has authority over the record, and no lock. */
void *mic_guarded_alloc(mic_theap_t *theap, size_t bytes, size_t alignment, size_t offset,
                        bool zero);

mic_inline bool mic_page_is_sampled(const mic_page_t *page)
{
    return mic_unlikely((mic_page_owner(page) & MIC_OWNER_SAMPLED) != 0);
}

/* ---- of a page with that tag, whose block the caller may free ---- */

/* The pointer that the program has, and the bytes it asked for. */
char *mic_guarded_block(const mic_page_t *page);
size_t mic_guarded_bytes(const mic_page_t *page);
/* False: bytes beside the block were written to. */
bool mic_guarded_is_whole(const mic_page_t *page);
/* Before the page is released: this is where. */
void mic_guarded_note_free(const mic_page_t *page);
/* The page is to be released and in no list: its run stays hidden. [lock: record] */
void mic_guarded_put(mic_page_t *page);

/* ---- any thread ---- */

/* Whether p is the start of a freed guarded block; *bytes and *heap: of it. */
bool mic_guarded_was(const void *p, size_t *bytes, uint64_t *heap);
/* Where the guarded block at p, live or freed, came from and went: printed. */
void mic_guarded_tell(const void *p);
/* Slots of freed blocks are given back: memory is short. No locks. */
void mic_guarded_flush(void);

void mic_guarded_lock_for_fork(void);
void mic_guarded_unlock_after_fork(bool child);

#endif
