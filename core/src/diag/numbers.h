/* Statistics as the public struct, and that struct as JSON. For the api layer. Any thread; takes
   time linear in the number of pages. Only mic_stats_json allocates.

   What `total`, `peak` and `current` of a count are worth:

       current   of everything: exact for the calling thread and for ended ones, for another running
                 thread as of its last slow path
       total     exact in the same way: what came is counted where it comes in bulk, on slow paths
       peak      of pages, bytes in pages, committed bytes, threads, heaps and blocks with a page of
                 their own: exact. Of smaller blocks: the most that any call here has seen, or that
                 a thread had when it needed one more page of the class (those counted with it that
                 others were just freeing), since a free is not counted when it happens. Of a heap:
                 what there is now */
#ifndef MIC_DIAG_NUMBERS_H
#define MIC_DIAG_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "alloc/alloc.h"
#include "mimalloc-stats.h"

/* Elements of malloc_bins and page_bins: 0 is not used, 1 + the size class, and the last one for
   spans, which have no one size. */
#define MIC_STATS_BIN_OF_CLASS(cls) ((cls) == MIC_CLASS_SPAN ? MI_STAT_BIN_COUNT - 1u : 1u + (cls))
_Static_assert(MIC_CLASS_COUNT + 2 <= MI_STAT_BIN_COUNT, "all classes and spans fit");

/* Bytes of the blocks in a bin; 0 where there are none, or none of one size. */
size_t mic_stats_bin_bytes(size_t bin);

/* The caller's struct is one of ours: may be filled and read. */
bool mic_stats_is_ours(const mi_stats_t *stats);

/* A sub-process, all its heaps together. With the main one come the numbers that are the process's:
   memory, segments, calls, the peaks of pages, and what threads left behind. */
void mic_stats_of_subproc(const mic_subproc_t *subproc, mi_stats_t *stats);
/* The same without its heaps, but with what heaps did that are no more. */
void mic_stats_outside_heaps(const mic_subproc_t *subproc, mi_stats_t *stats);
void mic_stats_of_heap(mic_heap_t *heap, mi_stats_t *stats);
/* Of the main sub-process: totals and peaks start from what there is now, counters from 0. */
void mic_stats_reset(void);

/* Text in `buffer`, cut to `size` bytes with its terminating zero; or, with buffer NULL or size 0,
   in a block of its own: NULL with ENOMEM without memory. */
char *mic_stats_json(const mi_stats_t *stats, size_t size, char *buffer);

/* Every field of the struct, in its order: a function for each kind. Arrays are left out. */
#define MIC_STATS_FIELDS(COUNT, COUNTER)                                                           \
    COUNT(pages)                                                                                   \
    COUNT(reserved)                                                                                \
    COUNT(committed)                                                                               \
    COUNTER(reset)                                                                                 \
    COUNTER(purged)                                                                                \
    COUNT(page_committed)                                                                          \
    COUNT(pages_abandoned)                                                                         \
    COUNT(threads)                                                                                 \
    COUNT(malloc_normal)                                                                           \
    COUNT(malloc_huge)                                                                             \
    COUNT(malloc_requested)                                                                        \
    COUNTER(mmap_calls)                                                                            \
    COUNTER(commit_calls)                                                                          \
    COUNTER(reset_calls)                                                                           \
    COUNTER(purge_calls)                                                                           \
    COUNTER(arena_count)                                                                           \
    COUNTER(malloc_normal_count)                                                                   \
    COUNTER(malloc_huge_count)                                                                     \
    COUNTER(malloc_guarded_count)                                                                  \
    COUNTER(arena_rollback_count)                                                                  \
    COUNTER(arena_purges)                                                                          \
    COUNTER(pages_extended)                                                                        \
    COUNTER(pages_retire)                                                                          \
    COUNTER(page_searches)                                                                         \
    COUNTER(page_searches_count)                                                                   \
    COUNT(segments)                                                                                \
    COUNT(segments_abandoned)                                                                      \
    COUNT(segments_cache)                                                                          \
    COUNT(_segments_reserved)                                                                      \
    COUNT(heaps)                                                                                   \
    COUNT(theaps)                                                                                  \
    COUNTER(pages_reclaim_on_alloc)                                                                \
    COUNTER(pages_reclaim_on_free)                                                                 \
    COUNTER(pages_reabandon_full)                                                                  \
    COUNTER(pages_unabandon_busy_wait)                                                             \
    COUNTER(heaps_delete_wait)

#endif
