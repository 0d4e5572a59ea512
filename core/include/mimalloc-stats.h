/** @file mimalloc-stats.h
    Statistics as a struct, as JSON and as text; included by mimalloc.h, and may be included alone.

    Numbers are counted when asked for, from the pages as they are: exact for the calling thread and
    for threads that have ended; for another running thread as of its last slow path. Only the peak
    of blocks that share their page is a lower bound: the most that was seen when somebody asked, or
    when a thread needed one more page.

    Any thread may call these functions; all are linear in the number of pages. NULL for a heap is
    the main heap of the calling thread's sub-process. errno changes only where it is told. */
#ifndef MIMALLOC_STATS_H
#define MIMALLOC_STATS_H

#include <stdint.h>
#include <string.h>

#include "mimalloc.h"

/** Version of mi_stats_t. */
#define MI_STAT_VERSION 5
/** Size classes that statistics are kept of; the last one: blocks with a page of their own. */
#define MI_STAT_BIN_COUNT 74
/** Kinds of segments that statistics are kept of. */
#define MI_STAT_CHUNK_BIN_COUNT 6

#ifdef __cplusplus
extern "C" {
#endif

/** Something that there is an amount of. */
typedef struct mi_stat_count_s {
    int64_t total;   /**< all that ever came */
    int64_t peak;    /**< the most there was at a time */
    int64_t current; /**< what there is now */
} mi_stat_count_t;

/** Something that happens. */
typedef struct mi_stat_counter_s {
    int64_t total; /**< how often, or how many bytes in all */
} mi_stat_counter_t;

/** Statistics of a heap or of a sub-process. Before it is passed to a function its first two fields
    must be set: mi_stats_t_decl() or mi_stats_init(). Part of the binary interface. Fields of which
    no meaning is told here are 0; docs/GUIDE.md has more. */
typedef struct mi_stats_s {
    size_t size;    /**< bytes of this struct */
    size_t version; /**< MI_STAT_VERSION */

    mi_stat_count_t pages;                 /**< pages, a count */
    mi_stat_count_t reserved;              /**< bytes of address space reserved for blocks */
    mi_stat_count_t committed;             /**< bytes that can be used without asking the system */
    mi_stat_counter_t reset;               /**< bytes that the system may take when it needs them */
    mi_stat_counter_t purged;              /**< bytes given back to the system */
    mi_stat_count_t page_committed;        /**< bytes committed in pages that are in use */
    mi_stat_count_t pages_abandoned;       /**< pages of ended threads, a count */
    mi_stat_count_t threads;               /**< threads */
    mi_stat_count_t malloc_normal;         /**< bytes of blocks that share their page */
    mi_stat_count_t malloc_huge;           /**< bytes of blocks that have a page of their own */
    mi_stat_count_t malloc_requested;      /**< bytes of all blocks */
    mi_stat_counter_t mmap_calls;          /**< calls that reserve memory */
    mi_stat_counter_t commit_calls;        /**< calls that commit memory */
    mi_stat_counter_t reset_calls;         /**< calls that offer memory to the system */
    mi_stat_counter_t purge_calls;         /**< calls that give memory back */
    mi_stat_counter_t arena_count;         /**< arenas */
    mi_stat_counter_t malloc_normal_count; /**< blocks that share their page */
    mi_stat_counter_t malloc_huge_count;   /**< blocks that have a page of their own */
    mi_stat_counter_t malloc_guarded_count; /**< blocks in front of a guard page */
    mi_stat_counter_t arena_rollback_count; /**< claims of memory that had to be undone */
    mi_stat_counter_t arena_purges;         /**< rounds of giving memory back */
    mi_stat_counter_t pages_extended;       /**< times that untouched blocks were taken in a page */
    mi_stat_counter_t pages_retire;         /**< empty pages that were kept for a while */
    mi_stat_counter_t page_searches;        /**< pages looked at to find room */
    mi_stat_counter_t page_searches_count;  /**< searches for a page with room */
    mi_stat_count_t segments;               /**< segments, a count */
    mi_stat_count_t segments_abandoned;     /**< not used since version 3 */
    mi_stat_count_t segments_cache;         /**< not used since version 3 */
    mi_stat_count_t _segments_reserved;     /**< not used since version 3 */
    mi_stat_count_t heaps;                  /**< heaps */
    mi_stat_count_t theaps;                 /**< thread heaps */
    mi_stat_counter_t pages_reclaim_on_alloc;    /**< pages of ended threads taken to allocate */
    mi_stat_counter_t pages_reclaim_on_free;     /**< pages of ended threads taken to free */
    mi_stat_counter_t pages_reabandon_full;      /**< pages of ended threads left: full */
    mi_stat_counter_t pages_unabandon_busy_wait; /**< waits to take a page over */
    mi_stat_counter_t heaps_delete_wait;         /**< waits to delete a heap */

    mi_stat_count_t _stat_reserved[4];      /**< not used yet */
    mi_stat_counter_t _counter_reserved[4]; /**< not used yet */

    mi_stat_count_t malloc_bins[MI_STAT_BIN_COUNT];      /**< blocks of each size class */
    mi_stat_count_t page_bins[MI_STAT_BIN_COUNT];        /**< pages of each size class */
    mi_stat_count_t chunk_bins[MI_STAT_CHUNK_BIN_COUNT]; /**< segments of each kind */
} mi_stats_t;

/** Makes a struct ready to be filled: all zero but size and version. */
static inline void mi_stats_init(mi_stats_t *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->size = sizeof *stats;
    stats->version = MI_STAT_VERSION;
}

/** @name The whole sub-process
    The functions without an id are for the calling thread's. @{ */

/** Fills in the statistics of the calling thread's sub-process, all its heaps together.
    @param stats out; size and version must be set
    @return false: stats is NULL, or its size or version is not that of the library: untouched */
mi_decl_export bool mi_stats_get(mi_stats_t *stats) mi_attr_noexcept;
/** mi_stats_get() as JSON.
    @param buf_size bytes of buf
    @param buf      for the text, cut to fit, terminated; NULL: the text is a block
    @return the text, to be freed with mi_free() if buf was NULL; NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export char *mi_stats_get_json(size_t buf_size,
                                                         char *buf) mi_attr_noexcept;
/** Writes statistics as JSON.
    @param stats    the numbers; size and version must be set
    @param buf_size bytes of buf
    @param buf      for the text, cut to fit, terminated; NULL: the text is a block
    @return the text, to be freed with mi_free() if buf was NULL; NULL with ENOMEM, or if size or
            version are not those of the library */
mi_decl_nodiscard mi_decl_export char *mi_stats_as_json(mi_stats_t *stats, size_t buf_size,
                                                        char *buf) mi_attr_noexcept;
/** Bytes of the blocks that an element of malloc_bins counts.
    @param bin index of the element
    @return bytes; 0 if no block is counted there: the last one, those not used, and beyond */
mi_decl_nodiscard mi_decl_export size_t mi_stats_get_bin_size(size_t bin) mi_attr_noexcept;

/** mi_stats_get() of a sub-process: all its heaps together. */
mi_decl_export bool mi_subproc_stats_get(mi_subproc_id_t subproc_id,
                                         mi_stats_t *stats) mi_attr_noexcept;
/** mi_stats_get() of what a sub-process has outside of its heaps: arenas, threads, calls. */
mi_decl_export bool mi_subproc_stats_get_exclusive(mi_subproc_id_t subproc_id,
                                                   mi_stats_t *stats) mi_attr_noexcept;
/** mi_stats_get_json() of a sub-process. */
mi_decl_nodiscard mi_decl_export char *
mi_subproc_stats_get_json(mi_subproc_id_t subproc_id, size_t buf_size, char *buf) mi_attr_noexcept;
/** Prints the statistics of a sub-process through a function; NULL: to where messages go. */
mi_decl_export void mi_subproc_stats_print_out(mi_subproc_id_t subproc_id, mi_output_fun *out,
                                               void *arg) mi_attr_noexcept;
/** mi_subproc_stats_print_out(), and then the same for each of its heaps. */
mi_decl_export void mi_subproc_heap_stats_print_out(mi_subproc_id_t subproc_id, mi_output_fun *out,
                                                    void *arg) mi_attr_noexcept;
/** @} */

/** @name One heap
    @{ */

/** Fills in the statistics of a heap: its pages and blocks.
    @param heap  the heap
    @param stats out; size and version must be set
    @return false: stats is NULL, or its size or version is not that of the library: untouched */
mi_decl_export bool mi_heap_stats_get(mi_heap_t *heap, mi_stats_t *stats) mi_attr_noexcept;
/** mi_stats_get_json() of a heap. */
mi_decl_nodiscard mi_decl_export char *mi_heap_stats_get_json(mi_heap_t *heap, size_t buf_size,
                                                              char *buf) mi_attr_noexcept;
/** Prints the statistics of a heap through a function; NULL: to where messages go. */
mi_decl_export void mi_heap_stats_print_out(mi_heap_t *heap, mi_output_fun *out,
                                            void *arg) mi_attr_noexcept;
/** Does nothing that can be seen: the numbers of a sub-process are always those of all its heaps,
    and those of the heap stay readable. */
mi_decl_export void mi_heap_stats_merge_to_subproc(mi_heap_t *heap) mi_attr_noexcept;
/** @} */

#ifdef __cplusplus
}

/** Declares a variable that is ready to be filled. */
#define mi_stats_t_decl(name) mi_stats_t name = mi_stats_initial()
/** What mi_stats_t_decl() starts with. */
inline mi_stats_t mi_stats_initial()
{
    mi_stats_t stats;
    mi_stats_init(&stats);
    return stats;
}
#else
/** Declares a variable that is ready to be filled. */
#define mi_stats_t_decl(name) mi_stats_t name = {.size = sizeof name, .version = MI_STAT_VERSION}
#endif

#endif
