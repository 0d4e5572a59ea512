/* Arenas of the program as others see them: ids, numbers, and what options ask for at start. */
#include "os/os.h"
#include "rt/options.h"
#include "rt/report.h"
#include "vm/program.h"
#include "vm/vm_internal.h"

/* An id: generation of the slot, then 1 + its index. */
#define ID_INDEX_BITS 8
_Static_assert(MIC_ARENA_MAX < 1 << ID_INDEX_BITS, "an index fits");

void *mic_arena_id(unsigned arena)
{
    const uint64_t use = mic_load_acquire(&mic_arenas[arena].use);
    return (void *)((uintptr_t)mic_use_generation(use) << ID_INDEX_BITS | (arena + 1));
}

bool mic_arena_from_id(const void *id, unsigned *arena)
{
    const uintptr_t value = (uintptr_t)id;
    const unsigned index = (unsigned)(value & ((1u << ID_INDEX_BITS) - 1)) - 1u;
    if (index >= mic_load_acquire(&mic_arena_count)) return false;
    const uint64_t use = mic_load_acquire(&mic_arenas[index].use);
    if (mic_use_state(use) != MIC_ARENA_READY || (mic_use_kind(use) & MIC_ARENA_SYSTEM) != 0 ||
        mic_use_generation(use) != value >> ID_INDEX_BITS)
        return false;
    *arena = index;
    return true;
}

unsigned mic_arena_subproc(unsigned arena)
{
    return mic_use_subproc(mic_load_acquire(&mic_arenas[arena].use));
}

mic_arena_area_t mic_arena_area(unsigned arena)
{
    const mic_arena_t *const a = &mic_arenas[arena];
    return (mic_arena_area_t){(void *)a->base, a->slice_count << MIC_SLICE_SHIFT};
}

static void info_add_segment(const mic_arena_t *a, size_t i, mic_arena_info_t *info)
{
    const mic_segment_t *const s = &a->segments[i];
    size_t idle = 0, holes = mic_segment_first(s);
    if (mic_segment_is_spare(s)) return;
    for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++) {
        idle += mic_bit_count(mic_load_relaxed(&s->free[w]));
        holes += mic_bit_count(mic_load_relaxed(&s->holes[w]));
    }
    const size_t slices = mic_segment_slices(a, i);
    const size_t usable = slices - mic_segment_first(s);
    info->segments++;
    info->free_segments += idle == usable;
    info->used_slices += usable - idle;
    info->committed_slices += mic_min(slices, mic_load_relaxed(&s->committed)) - holes;
}

bool mic_arena_info(unsigned arena, mic_arena_info_t *info)
{
    if (arena >= mic_load_acquire(&mic_arena_count)) return false;
    const mic_arena_t *const a = &mic_arenas[arena];
    const uint64_t use = mic_load_acquire(&a->use);
    const unsigned kind = mic_use_kind(use);
    if (mic_use_state(use) != MIC_ARENA_READY && mic_use_state(use) != MIC_ARENA_DYING)
        return false;
    *info = (mic_arena_info_t){
        .start = (char *)a->base,
        .bytes = a->slice_count << MIC_SLICE_SHIFT,
        .subproc = mic_use_subproc(use),
        .numa = mic_use_numa(use),
        .is_system = (kind & MIC_ARENA_SYSTEM) != 0,
        .is_exclusive = (kind & MIC_ARENA_EXCLUSIVE) != 0,
        .is_pinned = (kind & MIC_ARENA_PINNED) != 0,
        .is_given = (kind & MIC_ARENA_GIVEN) != 0,
        .is_part = a->is_part,
    };
    for (size_t i = 0; i < mic_arena_usable(a); i++) {
        const uint32_t owner = mic_segment_owner(&a->segments[i]);
        if ((owner & MIC_OWNER_ARENA) == 0 || owner == (MIC_OWNER_ARENA | arena))
            info_add_segment(a, i, info);
    }
    return true;
}

unsigned mic_numa_nodes(void)
{
    const long nodes = mic_option(MIC_OPTION_USE_NUMA_NODES);
    return nodes > 0 ? (unsigned)mic_min((size_t)nodes, MIC_NUMA_NODES_MAX) : mic_os_numa_nodes();
}

/* Huge pages take half a second each at most, as upstream has it: a start should end. */
#define START_HUGE_PAGE_MS 500u

/* [const from start] what could not be had; told when the process can allocate, since the function
   that the program registered for messages may do so */
static size_t start_huge_wanted, start_huge_got, start_kib_missing;

void mic_program_start(void)
{
    const mic_arena_for_t whom = {.subproc = 0, .exclusive = false, .numa = -1};
    const long pages = mic_option(MIC_OPTION_RESERVE_HUGE_OS_PAGES);
    const long node = mic_option(MIC_OPTION_RESERVE_HUGE_OS_PAGES_AT);
    const long kib = mic_option(MIC_OPTION_RESERVE_OS_MEMORY);
    unsigned arena;
    if (pages > 0) {
        const size_t wanted = (size_t)pages;
        const uint64_t timeout_ms = wanted * START_HUGE_PAGE_MS;
        mic_arena_for_t there = whom;
        there.numa = node < 0 ? -1 : (int)mic_min((size_t)node, INT16_MAX);
        bool all;
        start_huge_wanted = wanted;
        start_huge_got = node < 0 ? mic_program_interleave_huge(wanted, 0, timeout_ms, &whom, &all)
                                  : mic_program_reserve_huge(wanted, timeout_ms, &there, &arena);
    }
    if (kib <= 0) return;
    const bool large = mic_option(MIC_OPTION_ALLOW_LARGE_OS_PAGES) > 0;
    if (mic_program_reserve((size_t)kib * MIC_KIB, false, large, &whom, &arena) != 0)
        start_kib_missing = (size_t)kib;
}

void mic_arena_start_tell(void)
{
    if (start_huge_got < start_huge_wanted)
        mic_report_warning(false, "only %zu of %zu huge pages could be reserved", start_huge_got,
                           start_huge_wanted);
    if (start_kib_missing != 0)
        mic_report_warning(false, "%zu KiB of memory could not be reserved", start_kib_missing);
}
