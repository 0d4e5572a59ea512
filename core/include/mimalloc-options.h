/** @file mimalloc-options.h
    Run-time options; included by mimalloc.h. Each can be set by an environment variable
    MIMALLOC_<NAME>. What an option does here, or why it does nothing, is told in docs/OPTIONS.md.

    Any thread may call these functions; an option that is set late may not have an effect on what
    was done before. A number that is no option reads as 0 and cannot be set. */
#ifndef MIMALLOC_OPTIONS_H
#define MIMALLOC_OPTIONS_H

#include "mimalloc-types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The options. Numbers are part of the binary interface. */
typedef enum mi_option_e {
    mi_option_show_errors = 0,               /**< print error messages */
    mi_option_show_stats = 1,                /**< print statistics at exit */
    mi_option_verbose = 2,                   /**< print what the library does; 2: all options */
    mi_option_deprecated_eager_commit = 3,   /**< accepted, without effect */
    mi_option_arena_eager_commit = 4,        /**< commit arenas at once */
    mi_option_purge_decommits = 5,           /**< 1: purging gives back at once; 0: when needed */
    mi_option_allow_large_os_pages = 6,      /**< use explicit huge pages */
    mi_option_reserve_huge_os_pages = 7,     /**< number of 1 GiB pages to reserve at start */
    mi_option_reserve_huge_os_pages_at = 8,  /**< NUMA node to reserve them on */
    mi_option_reserve_os_memory = 9,         /**< KiB to reserve at start */
    mi_option_deprecated_segment_cache = 10, /**< accepted, without effect */
    mi_option_deprecated_page_reset = 11,    /**< accepted, without effect */
    mi_option_deprecated_abandoned_page_purge = 12, /**< accepted, without effect */
    mi_option_deprecated_segment_reset = 13,        /**< accepted, without effect */
    mi_option_deprecated_eager_commit_delay = 14,   /**< accepted, without effect */
    mi_option_purge_delay = 15,       /**< milliseconds until free memory is given back; -1 never */
    mi_option_use_numa_nodes = 16,    /**< number of NUMA nodes to use; 0 as found */
    mi_option_disallow_os_alloc = 17, /**< use reserved memory only */
    mi_option_os_tag = 18,            /**< tag of mappings (macOS) */
    mi_option_max_errors = 19,        /**< error messages to print at most */
    mi_option_max_warnings = 20,      /**< warnings to print at most */
    mi_option_deprecated_max_segment_reclaim = 21, /**< accepted, without effect */
    mi_option_destroy_on_exit = 22,                /**< free all memory at exit */
    mi_option_arena_reserve = 23,                  /**< KiB of a new arena */
    mi_option_arena_purge_mult = 24,               /**< purge delay of arenas, a factor */
    mi_option_deprecated_purge_extend_delay = 25,  /**< accepted, without effect */
    mi_option_disallow_arena_alloc = 26,           /**< take every page from the system */
    mi_option_retry_on_oom = 27,                   /**< milliseconds to try again for, on Windows */
    mi_option_visit_abandoned = 28,                /**< allow visiting blocks of ended threads */
    mi_option_guarded_min = 29,                    /**< smallest object to guard, bytes */
    mi_option_guarded_max = 30,                    /**< largest object to guard, bytes */
    mi_option_guarded_precise = 31,       /**< put guarded objects right before their guard page */
    mi_option_guarded_sample_rate = 32,   /**< guard one in this many objects */
    mi_option_guarded_sample_seed = 33,   /**< where sampling starts */
    mi_option_generic_collect = 34,       /**< slow paths between two collections */
    mi_option_page_reclaim_on_free = 35,  /**< take over a page of an ended thread on free */
    mi_option_page_full_retain = 36,      /**< full pages to keep for each size */
    mi_option_page_max_candidates = 37,   /**< pages to look at for the best one */
    mi_option_max_vabits = 38,            /**< bits of addresses */
    mi_option_pagemap_commit = 39,        /**< commit the page map at once */
    mi_option_page_commit_on_demand = 40, /**< commit pages as they are used */
    mi_option_page_max_reclaim = 41,      /**< pages of a size to take over from ended threads */
    mi_option_page_cross_thread_max_reclaim = 42, /**< the same, from other threads */
    mi_option_allow_thp = 43,                     /**< allow transparent huge pages */
    mi_option_minimal_purge_size = 44,            /**< KiB to purge at least */
    mi_option_arena_max_object_size = 45,         /**< KiB of the largest object in an arena */
    mi_option_arena_is_numa_local = 46,           /**< use arenas of the own NUMA node only */
    mi_option_region_size = 47,                   /**< KiB of address space to reserve; 0 as fits */
    mi_option_debug_deep = 48,   /**< debug builds: check everything after slow paths */
    mi_option_purge_thread = 49, /**< a thread that purges while the process is idle */
    _mi_option_last = 50,
    /* older names */
    mi_option_large_os_pages = mi_option_allow_large_os_pages,
    mi_option_eager_region_commit = mi_option_arena_eager_commit,
    mi_option_reset_decommits = mi_option_purge_decommits,
    mi_option_reset_delay = mi_option_purge_delay,
    mi_option_limit_os_alloc = mi_option_disallow_os_alloc
} mi_option_t;

/** True if the value is not 0. */
mi_decl_nodiscard mi_decl_export bool mi_option_is_enabled(mi_option_t option) mi_attr_noexcept;
/** Sets the value to 1. */
mi_decl_export void mi_option_enable(mi_option_t option) mi_attr_noexcept;
/** Sets the value to 0. */
mi_decl_export void mi_option_disable(mi_option_t option) mi_attr_noexcept;
/** Sets the value to 1 or 0. */
mi_decl_export void mi_option_set_enabled(mi_option_t option, bool enable) mi_attr_noexcept;
/** Sets the value to 1 or 0 unless environment or program have set it. */
mi_decl_export void mi_option_set_enabled_default(mi_option_t option, bool enable) mi_attr_noexcept;

/** The value, as set: KiB for options that are sizes. */
mi_decl_nodiscard mi_decl_export long mi_option_get(mi_option_t option) mi_attr_noexcept;
/** The value, but at least min and at most max. */
mi_decl_nodiscard mi_decl_export long mi_option_get_clamp(mi_option_t option, long min,
                                                          long max) mi_attr_noexcept;
/** The value in bytes if the option is a size, else the value; 0 if it is negative. */
mi_decl_nodiscard mi_decl_export size_t mi_option_get_size(mi_option_t option) mi_attr_noexcept;
/** Sets the value. Options of the start (region_size, the reserve_ ones) have no effect afterwards;
    the guarded_ ones take effect in each thread with its next slow path, but for thread heaps with
    a rate or bounds of their own. Setting guarded_sample_rate above 0 starts the library if nothing
    was allocated yet, looks for the stack unwinder and takes memory for 512 objects; where that
    fails nothing is sampled. purge_thread may be set at any time: the thread starts, at once or in an
    allocation, when the process holds 1 MiB or has a block above 256 KiB, is not there where the
    system refuses it, and ends soon after the option was set to 0. Neither for callbacks that get
    messages. */
mi_decl_export void mi_option_set(mi_option_t option, long value) mi_attr_noexcept;
/** Sets the value unless environment or program have set it. */
mi_decl_export void mi_option_set_default(mi_option_t option, long value) mi_attr_noexcept;

#ifdef __cplusplus
}
#endif

#endif
