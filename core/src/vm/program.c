/* Making arenas of the program, and letting them go; see program.h.

   An arena is made in state MAKING by one thread, which alone touches it, and published by its
   `use`. Slow calls, those of the program among them, are made without the lock. */
#include "vm/program.h"

#include <errno.h>

#include "base/check.h"
#include "os/os.h"
#include "rt/counters.h"
#include "vm/vm_internal.h"

#define LARGE_PAGE_BYTES ((size_t)2 * MIC_MIB)
#define HUGE_PAGE_BYTES MIC_GIB
#define HUGE_PAGE_SEGMENTS (HUGE_PAGE_BYTES / MIC_SEGMENT_BYTES)

static mic_atomic(uint32_t) program_dying; /* [lock: arena] arenas in state DYING */

static void program_set_use(unsigned index, mic_arena_state_t state, unsigned kind,
                            const mic_arena_for_t *whom)
{
    mic_arena_t *const a = &mic_arenas[index];
    const unsigned generation = mic_use_generation(mic_load_relaxed(&a->use));
    if (whom->exclusive) kind |= MIC_ARENA_EXCLUSIVE;
    const int numa = whom->numa < 0 || whom->numa >= INT16_MAX ? -1 : whom->numa;
    const uint64_t use = mic_use_make(state, kind, whom->subproc, numa, generation);
    if (state == MIC_ARENA_READY) mic_fetch_add_relaxed(&mic_arena_programs, 1);
    mic_store_release(&a->use, use);
}

/* ---- parts of arena 0 ---- */

/* All slices of segments [from, from + count); none if some are in use. */
static bool program_claim_segments(const mic_arena_t *a, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        if (mic_slices_claim(&a->segments[i], 0, mic_segment_slices(a, i))) continue;
        while (i-- > from) mic_slices_unclaim(&a->segments[i], 0, mic_segment_slices(a, i));
        return false;
    }
    return true;
}

static void program_unclaim_segments(const mic_arena_t *a, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        mic_slices_unclaim(&a->segments[i], 0, mic_segment_slices(a, i));
}

/* Idle segments of arena 0, where its address is a multiple of `alignment`, become the arena's.
   Their slices stay claimed until it is ready. */
static bool program_carve_locked(unsigned index, size_t slices, size_t alignment)
{
    mic_arena_t *const a = &mic_arenas[index];
    const mic_arena_t *const region = &mic_arenas[0];
    const size_t need = mic_divide_up(slices, MIC_SEGMENT_SLICES);
    const uint32_t owner = MIC_OWNER_ARENA | index;
    /* half of what there is stays for others; strict overcommit charges descriptors when they are
       opened, which an arena of its own does as it is used */
    if (need > (region->segment_count - mic_load_relaxed(&region->opened)) / 2) return false;
    if (mic_os_strict_overcommit()) return false;
    for (size_t from = 0; from + need <= region->slice_count / MIC_SEGMENT_SLICES; from++) {
        const uintptr_t base = region->base + from * MIC_SEGMENT_BYTES;
        size_t in_the_way;
        if ((base & (alignment - 1)) != 0) continue;
        if (!mic_segments_idle_locked(0, from, need, owner, false, &in_the_way)) {
            from = in_the_way;
            continue;
        }
        if (!program_claim_segments(region, from, need)) continue;
        mic_arena_set_locked(index, base, slices);
        a->is_part = true;
        a->segments = &region->segments[from];
        a->descriptors = region->descriptors + from * MIC_SEGMENT_SLICES * MIC_DESCRIPTOR_BYTES;
        a->remote = region->remote + from * MIC_SEGMENT_SLICES * MIC_SLICE_BITMAPS_BYTES;
        for (size_t i = 0; i < need; i++) {
            mic_slices_end(0, from + i, 0, MIC_SEGMENT_SLICES, false);
            mic_store_relaxed(&a->segments[i].tag, owner << MIC_TAG_OWNER_SHIFT);
        }
        return true;
    }
    return false;
}

/* Segments of a part, whose slices are claimed, are arena 0's again. */
static void program_uncarve(const mic_arena_t *a, size_t from, size_t end)
{
    mic_lock_acquire(&mic_arena_lock);
    for (size_t i = from; i < end; i++) {
        mic_store_relaxed(&a->segments[i].tag, 0);
        mic_slices_unclaim(&a->segments[i], 0, MIC_SEGMENT_SLICES);
    }
    mic_lock_release(&mic_arena_lock);
    for (size_t i = from; i < end; i++) mic_purge_note_freed(&mic_arenas[0], &a->segments[i]);
}

/* ---- reserving ---- */

/* A slot in state MAKING with this much address space. */
static bool program_reserve(size_t slices, size_t alignment, const mic_arena_for_t *whom,
                            unsigned *index)
{
    mic_lock_acquire(&mic_arena_lock);
    bool ok = mic_arena_slot_locked(0, index);
    if (ok && !program_carve_locked(*index, slices, alignment)) {
        mic_arena_slot_drop_locked(*index);
        ok = mic_arena_reserve_locked(slices, alignment, index);
    }
    if (ok) program_set_use(*index, MIC_ARENA_MAKING, 0, whom);
    mic_lock_release(&mic_arena_lock);
    return ok;
}

/* Descriptors of all segments are readable. */
static bool program_open(unsigned index)
{
    const mic_arena_t *const a = &mic_arenas[index];
    mic_lock_acquire(&mic_arena_lock);
    const size_t usable = mic_arena_usable(a);
    const bool ok =
        usable == a->segment_count || mic_segment_open_locked(index, a->segment_count - usable);
    mic_lock_release(&mic_arena_lock);
    return ok;
}

static bool program_commit(unsigned index)
{
    const mic_arena_t *const a = &mic_arenas[index];
    if (!program_open(index)) return false;
    (void)mic_segments_commit(index, 0, a->slice_count / MIC_SEGMENT_SLICES); /* faster if it can */
    for (size_t i = 0; i < a->segment_count; i++)
        if (!mic_segment_commit(index, i, mic_segment_slices(a, i))) return false;
    return true;
}

/* Bytes of a segment that count as committed. */
static size_t program_committed(const mic_segment_t *s)
{
    size_t slices = mic_load_relaxed(&s->committed);
    for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++)
        slices -= mic_bit_count(mic_load_relaxed(&s->holes[w]));
    return slices << MIC_SLICE_SHIFT;
}

static void program_uncount(const mic_arena_t *a)
{
    size_t bytes = 0;
    for (size_t i = 0; i < mic_arena_usable(a); i++) bytes += program_committed(&a->segments[i]);
    mic_uncount_committed(bytes);
}

/* What is behind a segment was replaced: fresh pages, all of it or nothing. */
static void program_refresh(const mic_arena_t *a, size_t from, size_t end, bool committed)
{
    for (size_t i = from; i < end; i++) {
        mic_segment_t *const s = &a->segments[i];
        const size_t slices = mic_segment_slices(a, i);
        mic_uncount_committed(program_committed(s));
        if (committed) mic_count_committed(slices << MIC_SLICE_SHIFT);
        for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++) {
            mic_slices_clean(s, w, ~(uint64_t)0);
            mic_store_relaxed(&s->holes[w], 0);
        }
        mic_store_relaxed(&s->purge_at_ms, 0);
        mic_store_relaxed(&s->unknown, 0);
        mic_store_release(&s->committed, committed ? (uint32_t)slices : 0);
    }
}

/* ---- letting go ---- */

static void program_uncount_reserved(size_t bytes)
{
    mic_fetch_sub_relaxed(&mic_vm_counts.reserved_bytes, bytes);
    mic_count(MIC_COUNT_UNRESERVED_BYTES, bytes);
}

/* Memory goes where it came from. False: a part could not be given back, it stays as it is. */
static bool program_return_memory(const mic_arena_t *a)
{
    const size_t bytes = a->slice_count << MIC_SLICE_SHIFT;
    const unsigned kind = mic_arena_kind(a);
    if (a->commit_fun != NULL && !a->starts_committed)
        for (size_t i = 0; i < mic_arena_usable(a); i++)
            (void)mic_slices_give_back(a, i, 0, mic_segment_slices(a, i));
    if (!a->is_part) {
        program_uncount(a);
        if (a->reserved_bytes != 0)
            mic_os_unreserve((void *)a->base, a->reserved_bytes);
        else if ((kind & MIC_ARENA_GIVEN) == 0)
            (void)mic_os_decommit((void *)a->base, bytes); /* next to lost addresses, which stay */
        program_uncount_reserved(mic_max(bytes, a->reserved_bytes));
        return true;
    }
    if ((kind & MIC_ARENA_PINNED) != 0) {
        if (mic_os_decommit((void *)a->base, bytes) != 0) return false;
        mic_arena_advise((void *)a->base, bytes);
        program_refresh(a, 0, a->segment_count, false);
    }
    program_uncarve(a, 0, a->segment_count);
    return true;
}

/* An arena in state MAKING goes; of a part all slices are claimed. */
static void program_dissolve(unsigned index)
{
    if (!program_return_memory(&mic_arenas[index])) return;
    mic_lock_acquire(&mic_arena_lock);
    mic_arena_unset_locked(index);
    mic_arena_slot_drop_locked(index);
    mic_lock_release(&mic_arena_lock);
}

static bool program_may_bury_locked(mic_arena_t *a)
{
    const uint64_t use = mic_load_relaxed(&a->use);
    if (mic_use_state(use) != MIC_ARENA_DYING) return false;
    if (!program_claim_segments(a, 0, mic_arena_usable(a))) return false;
    mic_store_relaxed(&a->use, mic_use_with_state(use, MIC_ARENA_MAKING));
    mic_fetch_sub_relaxed(&program_dying, 1);
    mic_fetch_sub_relaxed(&mic_arena_programs, 1);
    return true;
}

void mic_program_bury(void)
{
    if (mic_load_relaxed(&program_dying) == 0 || mic_lock_passes()) return;
    mic_purge_pause(); /* it may hold slices that are free */
    for (unsigned i = 0; i < mic_load_acquire(&mic_arena_count); i++) {
        mic_lock_acquire(&mic_arena_lock);
        const bool ok = program_may_bury_locked(&mic_arenas[i]);
        mic_lock_release(&mic_arena_lock);
        if (ok) program_dissolve(i);
    }
    mic_purge_resume();
}

void mic_arena_subproc_release(unsigned subproc)
{
    mic_lock_acquire(&mic_arena_lock);
    for (unsigned i = 0; i < mic_load_relaxed(&mic_arena_count); i++) {
        mic_arena_t *const a = &mic_arenas[i];
        const uint64_t use = mic_load_relaxed(&a->use);
        if (mic_use_state(use) != MIC_ARENA_READY || mic_use_subproc(use) != subproc) continue;
        if ((mic_use_kind(use) & MIC_ARENA_SYSTEM) != 0) continue;
        mic_store_release(&a->use, mic_use_with_state(use, MIC_ARENA_DYING));
        mic_fetch_add_relaxed(&program_dying, 1);
    }
    mic_lock_release(&mic_arena_lock);
    mic_program_bury();
}

/* ---- what the program asks for ---- */

/* Large pages in the whole of an arena that is being made. EFAULT: its addresses are lost. */
static int program_map_large(unsigned index, int numa)
{
    const mic_arena_t *const a = &mic_arenas[index];
    const size_t bytes = a->slice_count << MIC_SLICE_SHIFT;
    if (!program_open(index)) return ENOMEM;
    const int error = mic_os_map_huge((void *)a->base, bytes, LARGE_PAGE_BYTES, numa);
    if (error == 0) program_refresh(a, 0, a->segment_count, true);
    return error;
}

int mic_program_reserve(size_t bytes, bool committed, bool large, const mic_arena_for_t *whom,
                        unsigned *arena)
{
    if (bytes > MIC_REQUEST_MAX) return ENOMEM;
    mic_program_bury();
    bytes = mic_align_up(mic_max(bytes, MIC_SEGMENT_BYTES),
                         large ? LARGE_PAGE_BYTES : MIC_ARENA_ALIGN_BYTES);
    unsigned kind = 0;
    if (!program_reserve(bytes >> MIC_SLICE_SHIFT, MIC_SEGMENT_BYTES, whom, arena)) return ENOMEM;
    if (large) {
        const int error = program_map_large(*arena, whom->numa);
        /* the slot and its addresses are not used any more */
        if (error == EFAULT) return mic_program_reserve(bytes, committed, false, whom, arena);
        if (error == 0) kind = MIC_ARENA_PINNED;
    }
    if (kind == 0 && committed && !program_commit(*arena)) {
        program_dissolve(*arena);
        return ENOMEM;
    }
    const mic_arena_t *const a = &mic_arenas[*arena];
    if (a->is_part) program_unclaim_segments(a, 0, a->segment_count);
    program_set_use(*arena, MIC_ARENA_READY, kind, whom);
    return 0;
}

/* One more page of an arena that is being made. */
static int program_map_page(char *at, int numa)
{
    const int error = mic_os_map_huge(at, HUGE_PAGE_BYTES, HUGE_PAGE_BYTES, numa);
    if (error == 0 || error == EFAULT) return error;
    return mic_os_map_huge(at, HUGE_PAGE_BYTES, LARGE_PAGE_BYTES, numa);
}

size_t mic_program_reserve_huge(size_t pages, uint64_t timeout_ms, const mic_arena_for_t *whom,
                                unsigned *arena)
{
    if (pages == 0 || pages > MIC_REQUEST_MAX / HUGE_PAGE_BYTES) return 0;
    const uint64_t start = mic_os_clock_ns();
    mic_program_bury();
    const size_t slices = pages * (HUGE_PAGE_BYTES >> MIC_SLICE_SHIFT);
    if (!program_reserve(slices, HUGE_PAGE_BYTES, whom, arena)) return 0;
    mic_arena_t *const a = &mic_arenas[*arena];
    size_t n = 0;
    int error = program_open(*arena) ? 0 : ENOMEM;
    while (error == 0 && n < pages) {
        if (timeout_ms != 0 && (mic_os_clock_ns() - start) / 1000000u >= timeout_ms) break;
        error = program_map_page((char *)a->base + n * HUGE_PAGE_BYTES, whom->numa);
        if (error != 0) break;
        program_refresh(a, n * HUGE_PAGE_SEGMENTS, (n + 1) * HUGE_PAGE_SEGMENTS, true);
        n++;
    }
    if (n == 0 && error != EFAULT) {
        program_dissolve(*arena);
        return 0;
    }
    /* a page whose addresses are lost stays claimed; of an arena of its own, the rest is unused */
    const size_t rest = (n + (error == EFAULT)) * HUGE_PAGE_SEGMENTS;
    if (a->is_part) program_uncarve(a, mic_min(rest, a->segment_count), a->segment_count);
    if (error == EFAULT) a->reserved_bytes = 0; /* not to be given back as a whole */
    if (n == 0) return 0;
    mic_lock_acquire(&mic_arena_lock);
    a->segment_count = n * HUGE_PAGE_SEGMENTS;
    a->slice_count = a->segment_count * MIC_SEGMENT_SLICES;
    mic_lock_release(&mic_arena_lock);
    if (a->is_part)
        program_unclaim_segments(a, 0, a->segment_count);
    else
        mic_store_release(&a->opened, a->segment_count);
    program_set_use(*arena, MIC_ARENA_READY, MIC_ARENA_PINNED, whom);
    return n;
}

size_t mic_program_interleave_huge(size_t pages, size_t nodes, uint64_t timeout_ms,
                                   const mic_arena_for_t *whom, bool *all)
{
    const uint64_t start = mic_os_clock_ns();
    size_t reserved = 0;
    *all = true;
    /* more than there may be would only take long to fail */
    nodes = nodes == 0 ? mic_numa_nodes() : mic_min(nodes, MIC_NUMA_NODES_MAX);
    for (size_t i = 0; i < nodes && i < pages; i++) {
        mic_arena_for_t here = *whom;
        unsigned arena;
        here.numa = (int)i;
        const size_t share = pages / nodes + (i < pages % nodes);
        const uint64_t gone = (mic_os_clock_ns() - start) / 1000000u;
        const bool late = timeout_ms != 0 && gone >= timeout_ms;
        const uint64_t left = timeout_ms == 0 ? 0 : timeout_ms - gone;
        const size_t n = late ? 0 : mic_program_reserve_huge(share, left, &here, &arena);
        if (n == 0) *all = false;
        reserved += n;
    }
    return reserved;
}

/* ---- what the program gives ---- */

static bool program_overlaps_locked(uintptr_t first, uintptr_t end)
{
    for (unsigned i = 0; i < mic_load_relaxed(&mic_arena_count); i++) {
        const mic_arena_t *const a = &mic_arenas[i];
        if (mic_use_state(mic_load_relaxed(&a->use)) == MIC_ARENA_UNUSED) continue;
        const size_t bytes = mic_max(a->slice_count << MIC_SLICE_SHIFT, a->reserved_bytes);
        if (first < a->base + bytes && a->base < end) return true;
    }
    return false;
}

/* A slot in state MAKING whose first segment is open. */
static bool program_give_locked(const mic_given_t *given, uintptr_t first, size_t slices,
                                const mic_arena_for_t *whom, unsigned kind, unsigned *index)
{
    if (!mic_arena_slot_locked(slices, index)) return false;
    mic_arena_set_locked(*index, first, slices);
    mic_arena_t *const a = &mic_arenas[*index];
    program_set_use(*index, MIC_ARENA_MAKING, kind, whom);
    a->starts_committed = given->is_committed || given->is_pinned;
    a->starts_zero = given->is_zero;
    a->commit_fun = given->is_pinned ? NULL : given->commit_fun;
    a->commit_arg = given->commit_arg;
    if (mic_segment_open_locked(*index, 1)) return true;
    mic_arena_unset_locked(*index);
    mic_arena_slot_drop_locked(*index);
    return false;
}

bool mic_program_manage(const mic_given_t *given, const mic_arena_for_t *whom, unsigned *arena)
{
    const uintptr_t start = (uintptr_t)given->start;
    if (start == 0 || given->bytes > MIC_REQUEST_MAX || start > UINTPTR_MAX - MIC_REQUEST_MAX)
        return false;
    mic_program_bury();
    const uintptr_t first = mic_align_up(start, MIC_ARENA_ALIGN_BYTES);
    const uintptr_t end = mic_align_down(start + given->bytes, MIC_ARENA_ALIGN_BYTES);
    if (end <= first) return false;
    const unsigned kind = MIC_ARENA_GIVEN | (given->is_pinned ? MIC_ARENA_PINNED : 0);
    mic_lock_acquire(&mic_arena_lock);
    const bool ok =
        !program_overlaps_locked(first, end) &&
        program_give_locked(given, first, (end - first) >> MIC_SLICE_SHIFT, whom, kind, arena);
    mic_lock_release(&mic_arena_lock);
    if (!ok) return false;
    mic_fetch_add_relaxed(&mic_vm_counts.reserved_bytes, end - first);
    program_set_use(*arena, MIC_ARENA_READY, kind, whom);
    return true;
}
