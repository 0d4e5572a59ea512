/** @file mimalloc-arena.h
    Arenas: contiguous ranges of memory that blocks are taken from, reserved here or given by the
    program; included by mimalloc.h, whose general rules hold here.

    An arena belongs to the calling thread's sub-process and lives as long as that. An *exclusive*
    arena serves only heaps made by mi_heap_new_in_arena(); the others serve every heap. None of
    these functions changes errno; errors are returned. Any thread may call them. */
#ifndef MIMALLOC_ARENA_H
#define MIMALLOC_ARENA_H

#include "mimalloc-types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Reserving memory of the system
    `arena_id`, where there is one, may be NULL; it is set to NULL when the call fails. @{ */

/** Reserves an arena.
    @param size        bytes, rounded up to mi_arena_min_alignment(), at least mi_arena_min_size()
    @param commit      true: the memory is committed at once; false: as it is used
    @param allow_large true: use large OS pages if there are any
    @return 0; ENOMEM */
mi_decl_export int mi_reserve_os_memory(size_t size, bool commit,
                                        bool allow_large) mi_attr_noexcept;
/** mi_reserve_os_memory() that tells which arena it made.
    @param size        bytes
    @param commit      true: the memory is committed at once
    @param allow_large true: use large OS pages if there are any
    @param exclusive   true: only for heaps made for this arena
    @param arena_id    out: the arena
    @return 0; ENOMEM */
mi_decl_export int mi_reserve_os_memory_ex(size_t size, bool commit, bool allow_large,
                                           bool exclusive,
                                           mi_arena_id_t *arena_id) mi_attr_noexcept;
/** Reserves huge OS pages of 1 GiB as an arena. They are never given back.
    @param pages         number of 1 GiB pages
    @param numa_node     where; negative: anywhere
    @param timeout_msecs milliseconds after which no further page is asked for; 0: no limit
    @return 0 if there was at least one page; ENOMEM if there was none */
mi_decl_export int mi_reserve_huge_os_pages_at(size_t pages, int numa_node,
                                               size_t timeout_msecs) mi_attr_noexcept;
/** mi_reserve_huge_os_pages_at() that tells which arena it made.
    @param pages         number of 1 GiB pages
    @param numa_node     where; negative: anywhere
    @param timeout_msecs milliseconds; 0: no limit
    @param exclusive     true: only for heaps made for this arena
    @param arena_id      out: the arena
    @return 0 if there was at least one page; ENOMEM if there was none */
mi_decl_export int mi_reserve_huge_os_pages_at_ex(size_t pages, int numa_node, size_t timeout_msecs,
                                                  bool exclusive,
                                                  mi_arena_id_t *arena_id) mi_attr_noexcept;
/** mi_reserve_huge_os_pages_at() on several nodes, the pages being spread evenly.
    @param pages         number of 1 GiB pages in all
    @param numa_nodes    number of nodes; 0: all there are
    @param timeout_msecs milliseconds in all; 0: no limit
    @return 0; ENOMEM if a node had no page for its share */
mi_decl_export int mi_reserve_huge_os_pages_interleave(size_t pages, size_t numa_nodes,
                                                       size_t timeout_msecs) mi_attr_noexcept;
/** mi_reserve_huge_os_pages_interleave() on all nodes. @deprecated use that.
    @param pages          number of 1 GiB pages
    @param max_secs       seconds; 0: no limit
    @param pages_reserved out: pages that were had; may be NULL
    @return 0; ENOMEM */
mi_decl_export int mi_reserve_huge_os_pages(size_t pages, double max_secs,
                                            size_t *pages_reserved) mi_attr_noexcept;
/** @} */

/** @name Memory of the program
    It must stay mapped, and must not be used otherwise, as long as the process lives. At its ends,
    what does not fill mi_arena_min_alignment() is left out. @{ */

/** Makes an arena of a range of memory.
    @param start        first byte
    @param size         bytes
    @param is_committed true: it can be read and written now
    @param is_pinned    true: it must not be committed, given back or advised (huge pages)
    @param is_zero      true: it reads as zero
    @param numa_node    where it is; negative: unknown
    @return false: too small, of no use, or no memory to describe it */
mi_decl_export bool mi_manage_os_memory(void *start, size_t size, bool is_committed, bool is_pinned,
                                        bool is_zero, int numa_node) mi_attr_noexcept;
/** mi_manage_os_memory() that tells which arena it made.
    @param start        first byte
    @param size         bytes
    @param is_committed true: it can be read and written now
    @param is_pinned    true: it must not be committed, given back or advised
    @param is_zero      true: it reads as zero
    @param numa_node    where it is; negative: unknown
    @param exclusive    true: only for heaps made for this arena
    @param arena_id     out: the arena, NULL on failure; may be NULL
    @return false: too small, of no use, or no memory to describe it */
mi_decl_export bool mi_manage_os_memory_ex(void *start, size_t size, bool is_committed,
                                           bool is_pinned, bool is_zero, int numa_node,
                                           bool exclusive,
                                           mi_arena_id_t *arena_id) mi_attr_noexcept;
/** mi_manage_os_memory_ex() for memory that is committed and given back by the program: every such
    change, guard pages included, goes through the callback, which must not use this library.
    @param start          first byte
    @param size           bytes
    @param is_committed   true: it can be read and written now
    @param is_pinned      true: never call commit_fun
    @param is_zero        true: it reads as zero
    @param numa_node      where it is; negative: unknown
    @param exclusive      true: only for heaps made for this arena
    @param commit_fun     commits and gives back; NULL: the same as mi_manage_os_memory_ex()
    @param commit_fun_arg is passed to it
    @param arena_id       out: the arena, NULL on failure; may be NULL
    @return false: too small, of no use, or no memory to describe it */
mi_decl_export bool mi_manage_memory(void *start, size_t size, bool is_committed, bool is_pinned,
                                     bool is_zero, int numa_node, bool exclusive,
                                     mi_commit_fun_t *commit_fun, void *commit_fun_arg,
                                     mi_arena_id_t *arena_id) mi_attr_noexcept;
/** @} */

/** @name Looking at arenas
    @{ */

/** Start and size of an arena.
    @param arena_id the arena
    @param size     out: bytes, 0 if there is no such arena; may be NULL
    @return its first byte; NULL if there is no such arena */
mi_decl_nodiscard mi_decl_export void *mi_arena_area(mi_arena_id_t arena_id,
                                                     size_t *size) mi_attr_noexcept;
/** True if an address, any address, lies in an arena. False for arena NULL. */
mi_decl_nodiscard mi_decl_export bool mi_arena_contains(mi_arena_id_t arena_id,
                                                        const void *p) mi_attr_noexcept;
/** Bytes that start and size of an arena are a multiple of: 64 KiB. */
mi_decl_nodiscard mi_decl_export size_t mi_arena_min_alignment(void) mi_attr_noexcept;
/** Bytes that a reserved arena has at least: 32 MiB. Memory of the program may be smaller, down to
    mi_arena_min_alignment(). */
mi_decl_nodiscard mi_decl_export size_t mi_arena_min_size(void) mi_attr_noexcept;
/** Prints all arenas to where messages go (mi_register_output()). */
mi_decl_export void mi_arenas_print(void) mi_attr_noexcept;
/** mi_arenas_print() under its old name. @deprecated use that */
mi_decl_export void mi_debug_show_arenas(void) mi_attr_noexcept;
/** @} */

#ifdef __cplusplus
}
#endif

#endif
