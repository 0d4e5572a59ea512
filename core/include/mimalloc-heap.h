/** @file mimalloc-heap.h
    First-class heaps, the parts of them that threads own, walking over blocks, and sub-processes;
    included by mimalloc.h, whose general rules hold here.

    Rules for every function here, unless its own text says otherwise:
    - A heap may be used by any thread, and by many at once. What a thread allocates comes from its
      own pages, so threads that share a heap do not wait for each other.
    - A block is freed and resized by the functions for any block, by any thread.
    - A NULL heap is the main heap of the calling thread's sub-process.
    - A heap must not be used during or after mi_heap_delete() and mi_heap_destroy(). Debug and
      secure builds report a handle that is not one (EINVAL), and the call fails or does nothing. */
#ifndef MIMALLOC_HEAP_H
#define MIMALLOC_HEAP_H

#include "mimalloc-types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Life of a heap
    No thread may use the heap while it is deleted or destroyed; freeing its blocks while it is
    deleted is allowed. @{ */

/** Makes a heap in the calling thread's sub-process. It takes no memory for blocks until the first
    allocation. Making and destroying heaps is cheap enough for one heap per request.
    @return the heap, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_heap_t *mi_heap_new(void) mi_attr_noexcept;
/** Makes a heap whose blocks all come from one arena. When the arena is full, allocating from the
    heap fails with ENOMEM: nothing is taken from elsewhere.
    @param arena_id the arena; NULL: the same as mi_heap_new()
    @return the heap; NULL with ENOMEM, or with EINVAL if there is no such arena */
mi_decl_nodiscard mi_decl_export mi_heap_t *
mi_heap_new_in_arena(mi_arena_id_t arena_id) mi_attr_noexcept;
/** Ends a heap; its live blocks stay valid and belong to the main heap of its sub-process from now
    on. Linear in the number of its pages.
    @param heap NULL: nothing happens. A main heap: a warning, and nothing else happens */
mi_decl_export void mi_heap_delete(mi_heap_t *heap) mi_attr_noexcept;
/** Ends a heap and frees all its blocks at once, of every thread, without looking at them. Its
    arena can be used again. Linear in the number of its pages.
    @param heap NULL: nothing happens. A main heap: a warning, and nothing else happens */
mi_decl_export void mi_heap_destroy(mi_heap_t *heap) mi_attr_noexcept;
/** Says near which memory a heap should allocate from now on. A hint, taken when arenas are chosen.
    @param heap      the heap
    @param numa_node of the machine, taken modulo the number of nodes; negative: wherever */
mi_decl_export void mi_heap_set_numa_affinity(mi_heap_t *heap, int numa_node) mi_attr_noexcept;
/** Frees what is empty in a heap.
    @param heap  the heap
    @param force false: what the calling thread has in it, and memory of the process whose purge
                 delay has passed; true: of all threads, and all free memory of the process is given
                 back at once. Other running threads collect at their next slow path. Linear in the
                 number of pages */
mi_decl_export void mi_heap_collect(mi_heap_t *heap, bool force) mi_attr_noexcept;
/** @} */

/** @name Which heap?
    For any address, valid or not. A freed block is still in its heap as long as its page is. @{ */

/** The main heap of the calling thread's sub-process, where mi_malloc() allocates unless
    mi_theap_set_default() said otherwise. It lives as long as the sub-process. */
mi_decl_nodiscard mi_decl_export mi_heap_t *mi_heap_main(void) mi_attr_noexcept;
/** The heap that an address lies in.
    @return the heap; NULL if p is not in memory of this library. Blocks of a heap that was deleted
            are in the main heap */
mi_decl_nodiscard mi_decl_export mi_heap_t *mi_heap_of(const void *p) mi_attr_noexcept;
/** True if p lies in the heap: mi_heap_of(p) is this heap. */
mi_decl_nodiscard mi_decl_export bool mi_heap_contains(const mi_heap_t *heap,
                                                       const void *p) mi_attr_noexcept;
/** True if the page of a block is so little used that moving its blocks elsewhere could free it,
    for programs that defragment. To be called only while no other thread uses the heap.
    @param heap           the heap of p
    @param p              a block
    @param perc_threshold percent, 0 to 100
    @return the page is not the one its thread allocates from, is not full, and at most this share
            of its blocks is in use; false if p is not in the heap */
mi_decl_nodiscard mi_decl_export bool
mi_unsafe_heap_page_is_under_utilized(mi_heap_t *heap, void *p,
                                      size_t perc_threshold) mi_attr_noexcept;
/** @} */

/** @name Allocating from a heap
    As the functions of the same name without `heap`, from the pages of this heap. @{ */

/** mi_malloc() in a heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_malloc(mi_heap_t *heap, size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
/** mi_zalloc() in a heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_zalloc(mi_heap_t *heap, size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
/** mi_calloc() in a heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_calloc(mi_heap_t *heap, size_t count, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size2(2, 3);
/** mi_mallocn() in a heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_mallocn(mi_heap_t *heap, size_t count, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size2(2, 3);
/** mi_malloc_small() in a heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_malloc_small(mi_heap_t *heap, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(2);
/** mi_zalloc_small() in a heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_zalloc_small(mi_heap_t *heap, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(2);
/** mi_strdup() in a heap. @return the copy; NULL if s is NULL; NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict char *
mi_heap_strdup(mi_heap_t *heap, const char *s) mi_attr_noexcept mi_attr_malloc;
/** mi_strndup() in a heap. @return the copy; NULL if s is NULL; NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict char *
mi_heap_strndup(mi_heap_t *heap, const char *s, size_t n) mi_attr_noexcept mi_attr_malloc;
/** mi_realpath() in a heap.
    @param heap          where the result is allocated if resolved_name is NULL
    @param fname         a path
    @param resolved_name PATH_MAX bytes for the result, or NULL
    @return the result; NULL with ENOMEM or what realpath() of the C library sets */
mi_decl_nodiscard mi_decl_export char *mi_heap_realpath(mi_heap_t *heap, const char *fname,
                                                        char *resolved_name) mi_attr_noexcept;
/** mi_malloc_aligned() in a heap. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_malloc_aligned(mi_heap_t *heap, size_t size,
                       size_t alignment) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2)
    mi_attr_alloc_align(3);
/** mi_malloc_aligned_at() in a heap. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_malloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment,
                          size_t offset) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
/** mi_zalloc_aligned() in a heap. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_zalloc_aligned(mi_heap_t *heap, size_t size,
                       size_t alignment) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2)
    mi_attr_alloc_align(3);
/** mi_zalloc_aligned_at() in a heap. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_zalloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment,
                          size_t offset) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
/** mi_calloc_aligned() in a heap. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_calloc_aligned(mi_heap_t *heap, size_t count, size_t size,
                       size_t alignment) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(2, 3)
    mi_attr_alloc_align(4);
/** mi_calloc_aligned_at() in a heap. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_calloc_aligned_at(mi_heap_t *heap, size_t count, size_t size, size_t alignment,
                          size_t offset) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(2, 3);
/** mi_new() in a heap: throws, never NULL. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_alloc_new(mi_heap_t *heap, size_t size) mi_attr_malloc mi_attr_alloc_size(2);
/** mi_new_n() in a heap: throws, never NULL. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_heap_alloc_new_n(mi_heap_t *heap, size_t count, size_t size) mi_attr_malloc
    mi_attr_alloc_size2(2, 3);
/** @} */

/** @name Resizing into a heap
    As the functions of the same name without `heap`. A block that is in another heap moves into
    this one, whatever its size; p NULL allocates in it. @{ */

/** mi_realloc() into a heap.
    @return the block; NULL with ENOMEM, or with EINVAL if p is not a block of this library */
mi_decl_nodiscard mi_decl_export void *mi_heap_realloc(mi_heap_t *heap, void *p,
                                                       size_t newsize) mi_attr_noexcept
    mi_attr_alloc_size(3);
/** mi_reallocn() into a heap. */
mi_decl_nodiscard mi_decl_export void *mi_heap_reallocn(mi_heap_t *heap, void *p, size_t count,
                                                        size_t size) mi_attr_noexcept
    mi_attr_alloc_size2(3, 4);
/** mi_reallocf() into a heap: p is freed when it fails. */
mi_decl_nodiscard mi_decl_export void *mi_heap_reallocf(mi_heap_t *heap, void *p,
                                                        size_t newsize) mi_attr_noexcept
    mi_attr_alloc_size(3);
/** mi_realloc_aligned() into a heap. */
mi_decl_nodiscard mi_decl_export void *
mi_heap_realloc_aligned(mi_heap_t *heap, void *p, size_t newsize, size_t alignment) mi_attr_noexcept
    mi_attr_alloc_size(3) mi_attr_alloc_align(4);
/** mi_realloc_aligned_at() into a heap. */
mi_decl_nodiscard mi_decl_export void *mi_heap_realloc_aligned_at(mi_heap_t *heap, void *p,
                                                                  size_t newsize, size_t alignment,
                                                                  size_t offset) mi_attr_noexcept
    mi_attr_alloc_size(3);
/** mi_rezalloc() into a heap. */
mi_decl_nodiscard mi_decl_export void *mi_heap_rezalloc(mi_heap_t *heap, void *p,
                                                        size_t newsize) mi_attr_noexcept
    mi_attr_alloc_size(3);
/** mi_recalloc() into a heap. */
mi_decl_nodiscard mi_decl_export void *mi_heap_recalloc(mi_heap_t *heap, void *p, size_t newcount,
                                                        size_t size) mi_attr_noexcept
    mi_attr_alloc_size2(3, 4);
/** mi_rezalloc_aligned() into a heap. */
mi_decl_nodiscard mi_decl_export void *mi_heap_rezalloc_aligned(mi_heap_t *heap, void *p,
                                                                size_t newsize,
                                                                size_t alignment) mi_attr_noexcept
    mi_attr_alloc_size(3) mi_attr_alloc_align(4);
/** mi_rezalloc_aligned_at() into a heap. */
mi_decl_nodiscard mi_decl_export void *mi_heap_rezalloc_aligned_at(mi_heap_t *heap, void *p,
                                                                   size_t newsize, size_t alignment,
                                                                   size_t offset) mi_attr_noexcept
    mi_attr_alloc_size(3);
/** mi_recalloc_aligned() into a heap. */
mi_decl_nodiscard mi_decl_export void *mi_heap_recalloc_aligned(mi_heap_t *heap, void *p,
                                                                size_t newcount, size_t size,
                                                                size_t alignment) mi_attr_noexcept
    mi_attr_alloc_size2(3, 4) mi_attr_alloc_align(5);
/** mi_recalloc_aligned_at() into a heap. */
mi_decl_nodiscard mi_decl_export void *
mi_heap_recalloc_aligned_at(mi_heap_t *heap, void *p, size_t newcount, size_t size,
                            size_t alignment, size_t offset) mi_attr_noexcept
    mi_attr_alloc_size2(3, 4);
/** @} */

/** @name Thread heaps
    What one thread owns of a heap. A thread that allocates much from one heap saves finding it each
    time. Only the thread that got a thread heap may use it, until the thread ends or the heap is
    deleted or destroyed. It must not be NULL except where told. @{ */

/** The calling thread's part of a heap, made if there is none yet.
    @return the thread heap, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_theap_t *mi_heap_theap(mi_heap_t *heap) mi_attr_noexcept;
/** Makes mi_malloc() and all functions without `heap` of the calling thread allocate from another
    heap.
    @param theap of the calling thread; NULL, or a thread heap of another thread: nothing changes
    @return the one before */
mi_decl_export mi_theap_t *mi_theap_set_default(mi_theap_t *theap) mi_attr_noexcept;
/** The thread heap that mi_malloc() of the calling thread allocates from.
    @return never NULL. Where there is no memory for what a thread needs, and in a thread that is past
            its end, one that belongs to nobody: allocating from it fails, as default it is ignored */
mi_decl_nodiscard mi_decl_export mi_theap_t *mi_theap_get_default(void) mi_attr_noexcept;
/** mi_heap_collect() for what the calling thread has in a heap. */
mi_decl_export void mi_theap_collect(mi_theap_t *theap, bool force) mi_attr_noexcept;
/** mi_malloc() in a thread heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_theap_malloc(mi_theap_t *theap, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(2);
/** mi_zalloc() in a thread heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_theap_zalloc(mi_theap_t *theap, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(2);
/** mi_calloc() in a thread heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_theap_calloc(mi_theap_t *theap, size_t count, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size2(2, 3);
/** mi_malloc_small() in a thread heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_theap_malloc_small(mi_theap_t *theap, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(2);
/** mi_zalloc_small() in a thread heap. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_theap_zalloc_small(mi_theap_t *theap, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(2);
/** mi_malloc_aligned() in a thread heap. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_theap_malloc_aligned(mi_theap_t *theap, size_t size,
                        size_t alignment) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2)
    mi_attr_alloc_align(3);
/** mi_heap_realloc() into a thread heap. */
mi_decl_nodiscard mi_decl_export void *mi_theap_realloc(mi_theap_t *theap, void *p,
                                                        size_t newsize) mi_attr_noexcept
    mi_attr_alloc_size(3);
/** Sets how many objects of a thread heap are put between inaccessible pages, in place of option
    guarded_sample_rate. The first call of a process looks for the stack unwinder and takes memory
    for 512 such objects; where that fails nothing is sampled. Takes some microseconds.
    @param theap       of the calling thread
    @param sample_rate guard one in this many objects; 0: none
    @param seed        where sampling starts; 0: anywhere */
mi_decl_export void mi_theap_guarded_set_sample_rate(mi_theap_t *theap, size_t sample_rate,
                                                     size_t seed) mi_attr_noexcept;
/** Sets which sizes are guarded, in place of options guarded_min and guarded_max. Nothing above
    64 MiB is.
    @param theap of the calling thread
    @param min   bytes of the smallest object that is guarded
    @param max   bytes of the largest one; less than min: min */
mi_decl_export void mi_theap_guarded_set_size_bound(mi_theap_t *theap, size_t min,
                                                    size_t max) mi_attr_noexcept;
/** @} */

/** @name Walking
    The visitor is called for each area (a page of blocks of one size) with block NULL, then, if
    asked for, for each block in use of it, until it returns false. It is called with no lock held:
    it may allocate and free, the blocks it visits included. It must not throw, nor delete or
    destroy the heap. What it allocates may or may not be visited.

    Other threads may go on allocating and freeing meanwhile: walking is safe, but tells of blocks
    of another running thread what was so at its last slow path: some that it has freed since are
    visited, and some that it has allocated since are not. It is exact for blocks of the calling
    thread, and for threads that have ended or wait, having called mi_thread_idle(). Linear in the
    number of pages and blocks. @{ */

/** Visits all areas of a heap, those of every thread and of ended threads.
    @param heap         the heap
    @param visit_blocks false: areas only
    @param visitor      is called for each
    @param arg          is passed to it
    @return the visitor never returned false. False with ENOMEM if memory to walk was not there */
mi_decl_export bool mi_heap_visit_blocks(mi_heap_t *heap, bool visit_blocks,
                                         mi_block_visit_fun *visitor, void *arg);
/** mi_heap_visit_blocks() for those areas only whose thread has ended. */
mi_decl_export bool mi_heap_visit_abandoned_blocks(mi_heap_t *heap, bool visit_blocks,
                                                   mi_block_visit_fun *visitor, void *arg);
/** mi_heap_visit_blocks() for those areas only that the calling thread owns. */
mi_decl_export bool mi_theap_visit_blocks(const mi_theap_t *theap, bool visit_blocks,
                                          mi_block_visit_fun *visitor, void *arg);
/** @} */

/** @name Sub-processes
    Isolated sets of heaps, arenas and threads in one process: no page moves from one to another. A
    thread belongs to the main sub-process unless it says otherwise, and cannot leave the other one
    again. Any thread may free a block of any sub-process. @{ */

/** The sub-process that threads belong to by default. */
mi_decl_nodiscard mi_decl_export mi_subproc_id_t mi_subproc_main(void) mi_attr_noexcept;
/** The sub-process of the calling thread. */
mi_decl_nodiscard mi_decl_export mi_subproc_id_t mi_subproc_current(void) mi_attr_noexcept;
/** Makes a sub-process with a main heap of its own.
    @return the sub-process; a NULL id with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_subproc_id_t mi_subproc_new(void) mi_attr_noexcept;
/** Ends a sub-process: destroys its heaps, and frees all their blocks. All its threads must have
    ended, and none of its heaps and blocks may be used by then. Linear in the number of its pages.
    @param subproc NULL id: nothing happens. The main one, or one with live threads: a warning, and
                   nothing else happens */
mi_decl_export void mi_subproc_destroy(mi_subproc_id_t subproc) mi_attr_noexcept;
/** Makes the calling thread belong to a sub-process until it ends. To be called before the thread
    allocates for the first time; blocks from before stay in the sub-process they are in. Without
    memory for that an error is reported, errno is ENOMEM, and the thread stays in the main one.
    @param subproc NULL id: nothing happens */
mi_decl_export void mi_subproc_add_current_thread(mi_subproc_id_t subproc) mi_attr_noexcept;
/** Visits the heaps of a sub-process, its main heap first, until the visitor returns false. It is
    called with no lock held: it may allocate and walk, but neither it nor another thread may delete
    or destroy heaps of the sub-process meanwhile. Heaps that are made meanwhile may be missed.
    @return the visitor never returned false */
mi_decl_export bool mi_subproc_visit_heaps(mi_subproc_id_t subproc, mi_heap_visit_fun *visitor,
                                           void *arg);
/** @} */

#ifdef __cplusplus
}
#endif

/** @name Allocation by type in a heap
    tp is a type, hp a heap, n a count, p a block of that type. @{ */
/** A block for one object. */
#define mi_heap_malloc_tp(tp, hp) ((tp *)mi_heap_malloc(hp, sizeof(tp)))
/** A block of zeroes for one object. */
#define mi_heap_zalloc_tp(tp, hp) ((tp *)mi_heap_zalloc(hp, sizeof(tp)))
/** A block of zeroes for n objects. */
#define mi_heap_calloc_tp(tp, hp, n) ((tp *)mi_heap_calloc(hp, n, sizeof(tp)))
/** A block for n objects. */
#define mi_heap_mallocn_tp(tp, hp, n) ((tp *)mi_heap_mallocn(hp, n, sizeof(tp)))
/** Resizes p to n objects. */
#define mi_heap_reallocn_tp(tp, hp, p, n) ((tp *)mi_heap_reallocn(hp, p, n, sizeof(tp)))
/** Resizes p to n objects and zeroes what is gained. */
#define mi_heap_recalloc_tp(tp, hp, p, n) ((tp *)mi_heap_recalloc(hp, p, n, sizeof(tp)))
/** @} */

#endif
