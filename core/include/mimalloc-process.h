/** @file mimalloc-process.h
    Process, threads, callbacks, giving memory back, numbers; included by mimalloc.h, whose general
    rules hold here. Nothing here changes errno. */
#ifndef MIMALLOC_PROCESS_H
#define MIMALLOC_PROCESS_H

#include "mimalloc-types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Life of the process and of threads
    All of this happens by itself; calling these functions is never necessary, and calling them
    again does nothing. @{ */

/** Makes the library ready, as the first allocation would. */
mi_decl_export void mi_process_init(void) mi_attr_noexcept;
/** What is done at exit: prints statistics if option show_stats is on; destroys all heaps but the
    main one if destroy_on_exit is (no other thread may use them any more). Memory stays usable. */
mi_decl_export void mi_process_done(void) mi_attr_noexcept;
/** Makes the calling thread ready, as its first allocation would. */
mi_decl_export void mi_thread_init(void) mi_attr_noexcept;
/** Hands the calling thread's memory over to others, as its end would. A later allocation on this
    thread makes it ready again. */
mi_decl_export void mi_thread_done(void) mi_attr_noexcept;
/** Tells that the calling thread belongs to a pool. Accepted as a hint; it changes nothing here. */
mi_decl_export void mi_thread_set_in_threadpool(void) mi_attr_noexcept;
/** @} */

/** @name Callbacks
    Each replaces the one before; NULL restores the initial state. The function may be called on any
    thread, and once more on another thread just after it was replaced. @{ */

/** Registers a function that is called on slow paths of allocation and on every collection, so that
    a program with deferred frees can free some. It may allocate and free; calls do not nest. */
mi_decl_export void mi_register_deferred_free(mi_deferred_free_fun *deferred_free,
                                              void *arg) mi_attr_noexcept;
/** Registers where messages go; NULL: to standard error. What was written before the library was
    ready is handed to the first function registered. */
mi_decl_export void mi_register_output(mi_output_fun *out, void *arg) mi_attr_noexcept;
/** Registers what is called on errors, in place of the default: message only; in debug
    and secure builds abort on misuse (EAGAIN, EINVAL, EFAULT), and with MI_XMALLOC abort without
    memory (ENOMEM, EOVERFLOW). If the function returns, the call that was wrong is ignored. */
mi_decl_export void mi_register_error(mi_error_fun *fun, void *arg) mi_attr_noexcept;
/** @} */

/** @name Giving memory back
    @{ */

/** Frees what is empty.
    @param force false: what the calling thread has, and memory whose purge delay has passed; true:
                 of the whole process, at once. Other running threads collect at their next slow
                 path. Takes time linear in the number of pages. */
mi_decl_export void mi_collect(bool force) mi_attr_noexcept;
/** mi_collect() to bring what the calling thread holds down to a target.
    @param target_thread_owned bytes; a hint: as much as possible is given back */
mi_decl_export void mi_collect_reduce(size_t target_thread_owned) mi_attr_noexcept;
/** @} */

/** @name Is it ours?
    For any address, valid or not. @{ */

/** True if p lies in memory that holds blocks of this library, be the block free or in use. */
mi_decl_nodiscard mi_decl_export bool mi_is_in_heap_region(const void *p) mi_attr_noexcept;
/** The same as mi_is_in_heap_region(): p belongs to a heap, whichever. */
mi_decl_nodiscard mi_decl_export bool mi_any_heap_contains(const void *p) mi_attr_noexcept;
/** The same as mi_any_heap_contains(). @deprecated use that. */
mi_decl_nodiscard mi_decl_export bool mi_check_owned(const void *p) mi_attr_noexcept;
/** @} */

/** @name Numbers and printing
    `out` NULL: where messages go (mi_register_output()). @{ */

/** MI_MALLOC_VERSION of the library, not of the header. */
mi_decl_nodiscard mi_decl_export int mi_version(void) mi_attr_noexcept;
/** True if the C library was patched at run time to use this one, which only Windows needs. */
mi_decl_nodiscard mi_decl_export bool mi_is_redirected(void) mi_attr_noexcept;

/** Times and memory of the process; each pointer may be NULL.
    @param elapsed_msecs  milliseconds since the library was loaded
    @param user_msecs     milliseconds of processor time in the program
    @param system_msecs   milliseconds of processor time in the kernel
    @param current_rss    bytes resident now
    @param peak_rss       bytes resident at most so far
    @param current_commit bytes the library has committed
    @param peak_commit    the same, at most so far
    @param page_faults    number so far, minor ones included */
mi_decl_export void mi_process_info(size_t *elapsed_msecs, size_t *user_msecs, size_t *system_msecs,
                                    size_t *current_rss, size_t *peak_rss, size_t *current_commit,
                                    size_t *peak_commit, size_t *page_faults) mi_attr_noexcept;
/** Prints mi_process_info(). */
mi_decl_export void mi_process_info_print(void) mi_attr_noexcept;
/** Prints mi_process_info() through a function. */
mi_decl_export void mi_process_info_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept;

/** Prints version, build and all options. */
mi_decl_export void mi_options_print(void) mi_attr_noexcept;
/** Prints version, build and all options through a function. */
mi_decl_export void mi_options_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept;

/** Prints statistics. @param out not used; @deprecated use mi_stats_print_out() */
mi_decl_export void mi_stats_print(void *out) mi_attr_noexcept;
/** Prints statistics of the process through a function. Linear in the number of pages. */
mi_decl_export void mi_stats_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept;
/** Prints what the calling thread has, its part of every heap, through a function.
    @deprecated use mi_stats_print_out() */
mi_decl_export void mi_thread_stats_print_out(mi_output_fun *out, void *arg) mi_attr_noexcept;
/** Lets totals and peaks start from what there is now, and counters from 0, for the whole process.
    What there is now does not change. @deprecated compare two mi_stats_get() instead */
mi_decl_export void mi_stats_reset(void) mi_attr_noexcept;
/** Does nothing: threads have no counts of their own to merge. @deprecated */
mi_decl_export void mi_stats_merge(void) mi_attr_noexcept;
/** @} */

#ifdef __cplusplus
}
#endif

#endif
