/* Arenas of the program: reserved, of huge pages, or of its own memory. */
#include "api/api.h"
#include "diag/diag.h"
#include "heap/heap.h"
#include "heap/thread.h"
#include "vm/program.h"

/* For the calling thread's sub-process. */
static mic_arena_for_t arena_for(bool exclusive, int numa_node)
{
    const uint16_t subproc = mic_subproc_current()->index;
    return (mic_arena_for_t){.subproc = subproc, .exclusive = exclusive, .numa = numa_node};
}

/* The result of a function that makes an arena; `id` may be NULL. */
static bool arena_result(bool made, unsigned arena, mi_arena_id_t *id)
{
    if (id != NULL) *id = made ? mic_arena_id(arena) : NULL;
    return made;
}

/* ---- reserving ---- */

int mi_reserve_os_memory_ex(size_t size, bool commit, bool allow_large, bool exclusive,
                            mi_arena_id_t *arena_id)
{
    const mic_arena_for_t whom = arena_for(exclusive, -1);
    unsigned arena = 0;
    const bool made =
        mic_process_start() && mic_program_reserve(size, commit, allow_large, &whom, &arena) == 0;
    return arena_result(made, arena, arena_id) ? 0 : ENOMEM;
}

int mi_reserve_os_memory(size_t size, bool commit, bool allow_large)
{
    return mi_reserve_os_memory_ex(size, commit, allow_large, false, NULL);
}

int mi_reserve_huge_os_pages_at_ex(size_t pages, int numa_node, size_t timeout_msecs,
                                   bool exclusive, mi_arena_id_t *arena_id)
{
    const mic_arena_for_t whom = arena_for(exclusive, numa_node);
    unsigned arena = 0;
    const bool made = pages != 0 && mic_process_start() &&
                      mic_program_reserve_huge(pages, timeout_msecs, &whom, &arena) != 0;
    return arena_result(made, arena, arena_id) || pages == 0 ? 0 : ENOMEM;
}

int mi_reserve_huge_os_pages_at(size_t pages, int numa_node, size_t timeout_msecs)
{
    return mi_reserve_huge_os_pages_at_ex(pages, numa_node, timeout_msecs, false, NULL);
}

static bool arena_interleave(size_t pages, size_t numa_nodes, uint64_t timeout_ms, size_t *reserved)
{
    const mic_arena_for_t whom = arena_for(false, -1);
    bool all = mic_process_start();
    *reserved = 0;
    if (all) *reserved = mic_program_interleave_huge(pages, numa_nodes, timeout_ms, &whom, &all);
    return all;
}

int mi_reserve_huge_os_pages_interleave(size_t pages, size_t numa_nodes, size_t timeout_msecs)
{
    size_t reserved;
    return arena_interleave(pages, numa_nodes, timeout_msecs, &reserved) ? 0 : ENOMEM;
}

int mi_reserve_huge_os_pages(size_t pages, double max_secs, size_t *pages_reserved)
{
    /* no limit: nothing that a clock would reach; a short one is one, and not none */
    const double ms = max_secs * 1000;
    const uint64_t timeout_ms = !(ms > 0) || ms > 1e15 ? 0 : (uint64_t)ms + 1;
    size_t reserved;
    const bool all = arena_interleave(pages, 0, timeout_ms, &reserved);
    if (pages_reserved != NULL) *pages_reserved = reserved;
    return all ? 0 : ENOMEM;
}

/* ---- memory of the program ---- */

bool mi_manage_memory(void *start, size_t size, bool is_committed, bool is_pinned, bool is_zero,
                      int numa_node, bool exclusive, mi_commit_fun_t *commit_fun,
                      void *commit_fun_arg, mi_arena_id_t *arena_id)
{
    const mic_given_t given = {
        .start = start,
        .bytes = size,
        .is_committed = is_committed,
        .is_pinned = is_pinned,
        .is_zero = is_zero,
        .commit_fun = commit_fun,
        .commit_arg = commit_fun_arg,
    };
    const mic_arena_for_t whom = arena_for(exclusive, numa_node);
    unsigned arena = 0;
    const bool made = mic_process_start() && mic_program_manage(&given, &whom, &arena);
    return arena_result(made, arena, arena_id);
}

bool mi_manage_os_memory_ex(void *start, size_t size, bool is_committed, bool is_pinned,
                            bool is_zero, int numa_node, bool exclusive, mi_arena_id_t *arena_id)
{
    return mi_manage_memory(start, size, is_committed, is_pinned, is_zero, numa_node, exclusive,
                            NULL, NULL, arena_id);
}

bool mi_manage_os_memory(void *start, size_t size, bool is_committed, bool is_pinned, bool is_zero,
                         int numa_node)
{
    return mi_manage_os_memory_ex(start, size, is_committed, is_pinned, is_zero, numa_node, false,
                                  NULL);
}

/* ---- looking ---- */

void *mi_arena_area(mi_arena_id_t arena_id, size_t *size)
{
    mic_arena_area_t area = {.start = NULL, .bytes = 0};
    unsigned arena;
    if (mic_arena_from_id(arena_id, &arena)) area = mic_arena_area(arena);
    if (size != NULL) *size = area.bytes;
    return area.start;
}

bool mi_arena_contains(mi_arena_id_t arena_id, const void *p)
{
    unsigned arena;
    if (!mic_arena_from_id(arena_id, &arena)) return false;
    const mic_arena_area_t area = mic_arena_area(arena);
    return (uintptr_t)p - (uintptr_t)area.start < area.bytes;
}

size_t mi_arena_min_alignment(void) { return MIC_ARENA_ALIGN_BYTES; }

size_t mi_arena_min_size(void) { return MIC_SEGMENT_BYTES; }

static const char *arena_source(const mic_arena_info_t *info)
{
    if (info->is_given) return info->is_pinned ? "given, pinned" : "given";
    if (info->is_system) return "the library's";
    return info->is_pinned ? "huge pages" : "reserved";
}

static void arena_print(unsigned i, const mic_arena_info_t *info)
{
    char size[MIC_DIAG_TEXT_BYTES], used[MIC_DIAG_TEXT_BYTES], committed[MIC_DIAG_TEXT_BYTES];
    mic_report_to(NULL, NULL, "arena %u  %s at %p, %s%s\n", i, mic_diag_bytes(info->bytes, size),
                  (void *)info->start, arena_source(info), info->is_exclusive ? ", exclusive" : "");
    mic_report_to(NULL, NULL, "  in use %s, committed %s, segments %zu of which %zu are free\n",
                  mic_diag_bytes(info->used_slices << MIC_SLICE_SHIFT, used),
                  mic_diag_bytes(info->committed_slices << MIC_SLICE_SHIFT, committed),
                  info->segments, info->free_segments);
    if (info->subproc != 0) mic_report_to(NULL, NULL, "  sub-process %u\n", info->subproc);
    if (info->numa >= 0) mic_report_to(NULL, NULL, "  node %d\n", info->numa);
}

void mi_arenas_print(void)
{
    mic_arena_info_t info;
    for (unsigned i = 0; i < mic_load_acquire(&mic_arena_count); i++)
        if (mic_arena_info(i, &info)) arena_print(i, &info);
}

void mi_debug_show_arenas(void) { mi_arenas_print(); }
