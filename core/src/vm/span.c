/* Runs of any length for pages with one block: found under the arena lock, grown and shrunk in
   place, placed with room behind when they are known to grow. Address space is plentiful, so a
   growing span gets segments of its own; their kind keeps others out while there is anything
   else. */
#include "base/check.h"
#include "os/os.h"
#include "vm/vm_internal.h"

/* first position >= from whose bit equals `set`, at most `end` */
static size_t run_next(const mic_segment_t *s, size_t from, size_t end, bool set)
{
    while (from < end) {
        uint64_t word = mic_load_relaxed(&s->free[from >> 6]);
        if (!set) word = ~word;
        word >>= from & 63;
        if (word != 0) return mic_min(end, from + mic_bit_lowest(word));
        from = (from | 63) + 1;
    }
    return end;
}

/* Claims count <= 512 slices inside one segment. */
static bool run_span_in_segment(mic_arena_t *a, size_t segment, size_t count, size_t align,
                                size_t *at)
{
    mic_segment_t *const s = &a->segments[segment];
    const size_t slices = mic_segment_slices(a, segment);
    /* a short arena's base is aligned to a slice only: aligned are addresses */
    const size_t phase = (a->base >> MIC_SLICE_SHIFT) & (align - 1);
    size_t first = 0;
    while (first + count <= slices) {
        first = mic_align_up(run_next(s, first, slices, true) + phase, align) - phase;
        if (first + count > slices) return false;
        const size_t end = run_next(s, first, slices, false);
        if (end - first >= count && mic_slices_claim(s, first, count)) {
            *at = first;
            return true;
        }
        first = mic_max(end, first + 1);
    }
    return false;
}

/* Wholly free, and nobody's room unless that does not matter any more. */
static bool span_segment_is_idle(const mic_arena_t *a, size_t segment, bool any)
{
    const mic_segment_t *const s = &a->segments[segment];
    return (any || mic_load_relaxed(&s->kind) != MIC_SEGMENT_ROOM) &&
           mic_segment_is_free(s, mic_segment_slices(a, segment));
}

static bool run_span_short_locked(unsigned arena, size_t count, size_t align, bool any,
                                  mic_run_t *run)
{
    mic_arena_t *const a = &mic_arenas[arena];
    const uint32_t kind = MIC_SPAN_KIND + 1;
    /* its own segments first, then wholly free ones, then a new one */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < mic_load_relaxed(&a->opened); i++) {
            mic_segment_t *const s = &a->segments[i];
            const bool own = mic_load_relaxed(&s->kind) == kind;
            if (!any && own != (pass == 0)) continue;
            if (!any && !own && !span_segment_is_idle(a, i, false)) continue;
            size_t first;
            if (!run_span_in_segment(a, i, count, align, &first)) continue;
            if (!any) mic_store_relaxed(&s->kind, kind);
            run->slice = (uint32_t)(i * MIC_SEGMENT_SLICES + first);
            return true;
        }
    }
    if (any) return false;
    const size_t opened = mic_load_relaxed(&a->opened);
    if (opened >= a->segment_count || mic_segment_slices(a, opened) < count) return false;
    size_t first;
    if (!mic_segment_open_locked(arena, 1)) return false;
    mic_store_relaxed(&a->segments[opened].kind, kind);
    if (!run_span_in_segment(a, opened, count, align, &first)) return false;
    run->slice = (uint32_t)(opened * MIC_SEGMENT_SLICES + first);
    return true;
}

/* Segments [from, from + need) of the arena are idle; those not opened yet are being opened.
   False: *in_the_way is the last one that is not, or the end when none can be opened. */
static bool span_open_segments_locked(unsigned arena, size_t from, size_t need, size_t *in_the_way,
                                      bool any)
{
    mic_arena_t *const a = &mic_arenas[arena];
    for (size_t i = from + need; i-- > from;) {
        *in_the_way = i;
        if (i < mic_load_relaxed(&a->opened) && !span_segment_is_idle(a, i, any)) return false;
    }
    const size_t opened = mic_load_relaxed(&a->opened);
    if (opened >= from + need) return true;
    *in_the_way = a->segment_count;
    return mic_segment_open_locked(arena, from + need - opened);
}

/* Claims slices [first, first + count) of the arena, whose segments are open. */
static bool span_claim(const mic_arena_t *a, size_t first, size_t count)
{
    for (size_t done = 0; done < count;) {
        const size_t at = (first + done) % MIC_SEGMENT_SLICES;
        const size_t n = mic_min(count - done, MIC_SEGMENT_SLICES - at);
        if (!mic_slices_claim(&a->segments[(first + done) / MIC_SEGMENT_SLICES], at, n)) {
            while (done > 0) { /* whole parts, backwards */
                const size_t end = first + done;
                const size_t part = mic_min(done, (end - 1) % MIC_SEGMENT_SLICES + 1);
                mic_slices_unclaim(&a->segments[(end - 1) / MIC_SEGMENT_SLICES],
                                   (end - part) % MIC_SEGMENT_SLICES, part);
                done -= part;
            }
            return false;
        }
        done += n;
    }
    return true;
}

/* A run that starts `phase` slices into a wholly free segment, whose address is a multiple of
   `align` slices; `room` segments, at least those it needs, become its kind's. */
static bool span_long_locked(unsigned arena, size_t phase, size_t count, size_t room, size_t align,
                             uint32_t kind, bool any, mic_run_t *run)
{
    mic_arena_t *const a = &mic_arenas[arena];
    const size_t need = mic_max(room, mic_divide_up(phase + count, MIC_SEGMENT_SLICES));
    const size_t slices = mic_max(need * MIC_SEGMENT_SLICES, phase + count);
    for (size_t from = 0; from + need <= a->segment_count; from++) {
        const uintptr_t address = a->base + from * MIC_SEGMENT_BYTES;
        if ((address & ((align << MIC_SLICE_SHIFT) - 1)) != 0) continue;
        if (from * MIC_SEGMENT_SLICES + slices > a->slice_count && room > 0) return false;
        if (from * MIC_SEGMENT_SLICES + phase + count > a->slice_count) return false;
        size_t in_the_way;
        if (!span_open_segments_locked(arena, from, need, &in_the_way, any)) {
            from = in_the_way;
            continue;
        }
        const size_t first = from * MIC_SEGMENT_SLICES + phase;
        if (!span_claim(a, first, count)) continue;
        for (size_t i = from; i < from + need; i++) mic_store_relaxed(&a->segments[i].kind, kind);
        run->slice = (uint32_t)first;
        run->arena = (uint8_t)arena;
        return true;
    }
    return false;
}

static bool span_find(size_t count, size_t align, const mic_place_t *place, mic_run_t *run)
{
    const bool is_short = count <= MIC_SEGMENT_SLICES && align <= MIC_SEGMENT_SLICES;
    for (uint32_t i = 0; mic_arena_exists(i, count + (align > 1 ? align : 0), place); i++) {
        if (!mic_place_has(place, i)) continue;
        mic_lock_acquire(&mic_arena_lock);
        run->arena = (uint8_t)i;
        const bool ok =
            is_short ? run_span_short_locked(i, count, align, false, run)
                     : span_long_locked(i, 0, count, 0, align, MIC_SPAN_KIND + 1, false, run);
        mic_lock_release(&mic_arena_lock);
        if (ok) return true;
    }
    bool ok = false; /* what is set aside, or of another kind, will do */
    mic_lock_acquire(&mic_arena_lock);
    for (uint32_t i = 0; !ok && i < mic_load_relaxed(&mic_arena_count); i++) {
        if (!mic_place_has(place, i)) continue;
        run->arena = (uint8_t)i;
        ok = is_short ? run_span_short_locked(i, count, align, true, run)
                      : span_long_locked(i, 0, count, 0, align, MIC_SPAN_KIND + 1, true, run);
    }
    mic_lock_release(&mic_arena_lock);
    return ok;
}

/* Commits the slices of a claimed run and marks them handed out; *zero: they read as zero. */
static bool span_commit(unsigned arena, size_t first, size_t count, bool *zero)
{
    const mic_arena_t *const a = &mic_arenas[arena];
    *zero = true;
    if (first + count > (first / MIC_SEGMENT_SLICES + 2) * MIC_SEGMENT_SLICES)
        (void)mic_segments_commit(arena, first / MIC_SEGMENT_SLICES + 1,
                                  (first + count) / MIC_SEGMENT_SLICES);
    for (size_t done = 0; done < count;) {
        const size_t segment = (first + done) / MIC_SEGMENT_SLICES;
        const size_t at = (first + done) % MIC_SEGMENT_SLICES;
        const size_t n = mic_min(count - done, MIC_SEGMENT_SLICES - at);
        if (!mic_segment_commit(arena, segment, at + n)) return false;
        if (!mic_slices_mark_dirty(&a->segments[segment], at, n)) *zero = false;
        done += n;
    }
    return true;
}

/* The run was claimed: it becomes usable, or is given back. */
static bool span_finish(size_t count, mic_run_t *run)
{
    run->count = (uint32_t)count;
    mic_slices_count_claimed(count);
    if (span_commit(run->arena, run->slice, count, &run->zero)) return true;
    run->zero = false; /* slices behind the failure were not looked at */
    mic_run_free(*run);
    return false;
}

bool mic_span_alloc(size_t count, size_t align, const mic_place_t *place, mic_run_t *run)
{
    return span_find(count, align, place, run) && span_finish(count, run);
}

bool mic_run_alloc_room(size_t count, size_t phase, const mic_place_t *place, mic_run_t *run)
{
    /* four to eight times its length, so that a vector is moved three times on its way from
       32 MiB to 16 GiB */
    size_t room = MIC_SEGMENT_SLICES;
    if (phase + count > room / 2)
        while (room < phase + 4 * count) room *= 2;
    bool ok = false;
    mic_lock_acquire(&mic_arena_lock);
    for (uint32_t i = 0; !ok && i < mic_load_relaxed(&mic_arena_count); i++)
        ok = mic_place_has(place, i) && span_long_locked(i, phase, count, room / MIC_SEGMENT_SLICES,
                                                         1, MIC_SEGMENT_ROOM, false, run);
    mic_lock_release(&mic_arena_lock);
    /* the last segment as a whole, so that its mapping merges with its neighbours' */
    if (ok && !mic_os_strict_overcommit())
        (void)mic_segment_commit(run->arena, (run->slice + count - 1) / MIC_SEGMENT_SLICES,
                                 MIC_SEGMENT_SLICES);
    return ok && span_finish(count, run);
}

bool mic_run_grow(mic_run_t run, size_t count, bool *zero)
{
    mic_arena_t *const a = &mic_arenas[run.arena];
    const size_t first = run.slice + run.count;
    const size_t more = count - run.count;
    if (first + more > a->slice_count) return false;
    const size_t last_segment = (first + more - 1) / MIC_SEGMENT_SLICES;
    if (last_segment >= mic_load_acquire(&a->opened)) {
        bool ok = true;
        mic_lock_acquire(&mic_arena_lock);
        const size_t opened = mic_load_relaxed(&a->opened);
        if (last_segment >= opened)
            ok = mic_segment_open_locked(run.arena, last_segment + 1 - opened);
        mic_lock_release(&mic_arena_lock);
        if (!ok) return false;
    }
    if (!span_claim(a, first, more)) return false;
    const uint32_t kind = mic_load_relaxed(&a->segments[run.slice / MIC_SEGMENT_SLICES].kind);
    for (size_t i = first / MIC_SEGMENT_SLICES; i <= last_segment; i++)
        mic_store_relaxed(&a->segments[i].kind, kind);
    mic_slices_count_claimed(more);
    if (span_commit(run.arena, first, more, zero)) return true;
    run.slice = (uint32_t)first;
    run.count = (uint32_t)more;
    mic_run_free(run);
    return false;
}
