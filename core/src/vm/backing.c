/* How claimed slices get memory and give it back, in the way of their arena: by the system's calls,
   by the program's callback, or not at all (huge pages). Called by whoever claimed the slices.
   Purging holds its lock meanwhile, and with a delay of 0 perhaps that of a record: a callback must
   neither use this library nor wait for a thread that does. */
#include <errno.h>

#include "base/check.h"
#include "os/os.h"
#include "rt/counters.h"
#include "rt/options.h"
#include "vm/vm_internal.h"

static bool backing_bit(mic_atomic(uint64_t) *words, size_t at)
{
    return (mic_load_relaxed(&words[at >> 6]) >> (at & 63) & 1) != 0;
}

/* first + *count is the end of the run of equal bits that starts at first; returns the bit */
static bool backing_run(mic_atomic(uint64_t) *words, size_t first, size_t end, size_t *count)
{
    const bool bit = backing_bit(words, first);
    size_t at = first;
    while (at < end && backing_bit(words, at) == bit) at++;
    *count = at - first;
    return bit;
}

static void backing_set(mic_atomic(uint64_t) *words, size_t first, size_t count, bool bit)
{
    for (size_t i = first; i < first + count; i++) {
        const uint64_t mask = (uint64_t)1 << (i & 63);
        if (bit)
            mic_fetch_or_relaxed(&words[i >> 6], mask);
        else
            mic_fetch_and_relaxed(&words[i >> 6], ~mask);
    }
}

static char *backing_start(const mic_arena_t *a, size_t segment, size_t first)
{
    return (char *)a->base + segment * MIC_SEGMENT_BYTES + (first << MIC_SLICE_SHIFT);
}

/* Holes are filled by the callback. */
static bool backing_fill(const mic_arena_t *a, size_t segment, size_t first, size_t count)
{
    mic_segment_t *const s = &a->segments[segment];
    for (size_t at = first, n; at < first + count; at += n) {
        if (!backing_run(s->holes, at, first + count, &n)) continue;
        bool zero = false;
        const size_t bytes = n << MIC_SLICE_SHIFT;
        if (!a->commit_fun(true, backing_start(a, segment, at), bytes, &zero, a->commit_arg))
            return false;
        if (!zero) mic_store_relaxed(&s->unknown, 1);
        backing_set(s->holes, at, n, false);
        mic_count_committed(bytes);
    }
    return true;
}

/* Marks as handed out; true if all of it was purged or never used. */
static bool backing_mark_dirty(mic_segment_t *s, size_t first, size_t count)
{
    const size_t all = count;
    size_t clean = 0;
    while (count > 0) {
        const unsigned at = (unsigned)(first & 63);
        const unsigned n = (unsigned)mic_min(count, 64 - at);
        const uint64_t mask = mic_bit_mask(at, n);
        const uint64_t was = mic_fetch_or_relaxed(&s->dirty[first >> 6], mask) & mask;
        clean += was == 0 ? n : n - mic_bit_count(was);
        first += n;
        count -= n;
    }
    if (clean != 0) mic_fetch_add_relaxed(&mic_vm_counts.dirty_slices, clean);
    return clean == all;
}

bool mic_slices_use(unsigned arena, size_t segment, size_t first, size_t count, bool *zero)
{
    const mic_arena_t *const a = &mic_arenas[arena];
    mic_segment_t *const s = &a->segments[segment];
    if (!mic_segment_commit(arena, segment, first + count)) return false;
    if (a->commit_fun != NULL && !backing_fill(a, segment, first, count)) return false;
    *zero = backing_mark_dirty(s, first, count) && mic_load_relaxed(&s->unknown) == 0;
    return true;
}

/* Slices that the callback committed go back to it. */
static bool backing_drain(const mic_arena_t *a, size_t segment, size_t first, size_t count)
{
    mic_segment_t *const s = &a->segments[segment];
    bool all = true;
    for (size_t at = first, n; at < first + count; at += n) {
        if (backing_run(s->holes, at, first + count, &n)) continue;
        const size_t bytes = n << MIC_SLICE_SHIFT;
        if (!a->commit_fun(false, backing_start(a, segment, at), bytes, NULL, a->commit_arg)) {
            all = false;
            continue;
        }
        mic_fetch_add_relaxed(&mic_vm_counts.purge_calls, 1);
        backing_set(s->holes, at, n, true);
        mic_uncount_committed(bytes);
    }
    return all;
}

bool mic_slices_give_back(const mic_arena_t *a, size_t segment, size_t first, size_t count)
{
    const unsigned kind = mic_arena_kind(a);
    if ((kind & MIC_ARENA_PINNED) != 0) return false;
    if (a->commit_fun != NULL) return backing_drain(a, segment, first, count);
    char *const p = backing_start(a, segment, first);
    const size_t bytes = count << MIC_SLICE_SHIFT;
    /* what a file or shared memory reads as when it comes back is its own affair */
    if ((kind & MIC_ARENA_GIVEN) != 0) mic_store_relaxed(&a->segments[segment].unknown, 1);
    if (mic_option(MIC_OPTION_PURGE_DECOMMITS) == 0) {
        if (mic_os_purge_lazy(p, bytes) != 0) return false;
        mic_count(MIC_COUNT_RESET_CALLS, 1);
        mic_count(MIC_COUNT_RESET_BYTES, bytes);
        return false; /* contents unknown: it stays dirty */
    }
    mic_fetch_add_relaxed(&mic_vm_counts.purge_calls, 1);
    const int error = mic_os_purge(p, bytes);
    if (error != 0 && error != EINVAL) mic_purge_when_forced(&a->segments[segment]);
    return error == 0; /* EINVAL: locked by the program; no retry */
}

bool mic_arena_is_ordinary(unsigned arena)
{
    return (mic_arena_kind(&mic_arenas[arena]) & (MIC_ARENA_GIVEN | MIC_ARENA_PINNED)) == 0;
}

bool mic_arena_zero(void *start, size_t bytes)
{
    unsigned arena;
    size_t slice;
    if (!mic_arena_find(start, &arena, &slice)) return false;
    const mic_arena_t *const a = &mic_arenas[arena];
    const uint32_t owner = mic_segment_owner(&a->segments[slice / MIC_SEGMENT_SLICES]);
    if ((owner & MIC_OWNER_ARENA) != 0) arena = owner & ~MIC_OWNER_ARENA; /* part of arena 0 */
    return mic_arena_is_ordinary(arena) && mic_os_purge(start, bytes) == 0;
}
