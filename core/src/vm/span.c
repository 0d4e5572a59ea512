/* Runs of any length for pages with one block: found under the arena lock, grown and shrunk in
   place, placed with room behind when they are known to grow. Address space is plentiful, so a
   growing span gets segments of its own; their kind keeps others out while there is anything
   else. */
#include "base/check.h"
#include "os/os.h"
#include "rt/counters.h"
#include "vm/vm_internal.h"

typedef enum run_what { RUN_FREE, RUN_FREE_DIRTY } run_what_t;

/* first position >= from that is so, or is not, at most `end` */
static size_t run_next(const mic_segment_t *s, size_t from, size_t end, run_what_t what, bool set)
{
    while (from < end) {
        uint64_t word = mic_load_relaxed(&s->free[from >> 6]);
        if (what == RUN_FREE_DIRTY) word &= mic_load_relaxed(&s->dirty[from >> 6]);
        if (!set) word = ~word;
        word >>= from & 63;
        if (word != 0) return mic_min(end, from + mic_bit_lowest(word));
        from = (from | 63) + 1;
    }
    return end;
}

/* Claims slices, at most a segment's, inside one segment. */
static bool run_span_in_segment(mic_arena_t *a, size_t segment, size_t count, size_t align,
                                size_t *at)
{
    mic_segment_t *const s = &a->segments[segment];
    const size_t slices = mic_segment_slices(a, segment);
    /* a short arena's base is aligned to a slice only: aligned are addresses */
    const size_t phase = (a->base >> MIC_SLICE_SHIFT) & (align - 1);
    size_t first = 0;
    while (first + count <= slices) {
        first = mic_align_up(run_next(s, first, slices, RUN_FREE, true) + phase, align) - phase;
        if (first + count > slices) return false;
        const size_t end = run_next(s, first, slices, RUN_FREE, false);
        if (end - first >= count && mic_slices_claim(s, first, count)) {
            *at = first;
            return true;
        }
        first = mic_max(end, first + 1);
    }
    return false;
}

/* False: nobody has it yet, and it is not to be begun now, or cannot be. */
static bool span_segment_is_begun_locked(const mic_arena_t *a, size_t segment, bool begin)
{
    return !mic_segment_is_spare(&a->segments[segment]) ||
           (begin && mic_segment_begin_locked(a, segment, 0, 0));
}

/* Wholly free, nobody's room and of no range unless that does not matter any more, and not another
   arena's. */
static bool span_segment_is_idle(const mic_arena_t *a, size_t segment, uint32_t owner, bool any)
{
    const mic_segment_t *const s = &a->segments[segment];
    return (any || mic_segment_kind(s) < MIC_SEGMENT_ROOM) && mic_segment_may_take(s, owner) &&
           mic_segment_is_free(s, mic_segment_slices(a, segment));
}

/* What a span may go into: its own segments, wholly free ones, or if `any` all of its owner's and
   all that are wholly free. */
typedef struct span_want {
    size_t count, align;
    uint32_t owner;
    bool any;
} span_want_t;

/* The first segment that is looked at: those of ranges are many. */
static size_t span_from_locked(const mic_arena_t *a, const span_want_t *want)
{
    return MIC_CLASSES_HAVE_RANGES && !want->any ? mic_ranges_of(a)->spans_from : 0;
}

static bool span_try_segment_locked(mic_arena_t *a, size_t i, const span_want_t *want, bool idle,
                                    mic_run_t *run)
{
    const mic_segment_t *const s = &a->segments[i];
    const uint32_t tag = mic_tag_make(want->owner, MIC_SPAN_KIND);
    if (idle) {
        if (mic_segment_tag(s) == tag || !span_segment_is_begun_locked(a, i, want->any) ||
            !span_segment_is_idle(a, i, want->owner, want->any) ||
            !mic_segment_take_locked(a, i, tag))
            return false;
    } else if (want->any ? mic_segment_owner(s) != want->owner : mic_segment_tag(s) != tag) {
        return false;
    }
    size_t first;
    if (!run_span_in_segment(a, i, want->count, want->align, &first)) return false;
    run->slice = (uint32_t)(i * MIC_SEGMENT_SLICES + first);
    return true;
}

/* Segments that are looked at for the best place; more take longer than they save. */
#define SPAN_BEST_SEGMENTS 64

/* The shortest run of free slices that were used before and suffices: they are in memory already,
   and longer ones stay for longer blocks. */
static bool span_best_locked(mic_arena_t *a, const span_want_t *want, mic_run_t *run)
{
    const uint32_t tag = mic_tag_make(want->owner, MIC_SPAN_KIND);
    const size_t usable = mic_arena_usable(a);
    size_t best = SIZE_MAX, seen = 0;
    for (size_t i = span_from_locked(a, want);
         i < usable && seen < SPAN_BEST_SEGMENTS && best != want->count; i++) {
        const mic_segment_t *const s = &a->segments[i];
        if (mic_segment_tag(s) != tag) continue;
        seen++;
        const size_t slices = mic_segment_slices(a, i);
        for (size_t first = 0, end; first < slices; first = end) {
            first = run_next(s, first, slices, RUN_FREE_DIRTY, true);
            end = run_next(s, first, slices, RUN_FREE_DIRTY, false);
            if (end - first < want->count || end - first >= best) continue;
            best = end - first;
            run->slice = (uint32_t)(i * MIC_SEGMENT_SLICES + first);
        }
    }
    if (best == SIZE_MAX) return false;
    return mic_slices_claim(&a->segments[run->slice / MIC_SEGMENT_SLICES],
                            run->slice % MIC_SEGMENT_SLICES, want->count);
}

static bool span_short_locked(unsigned arena, const span_want_t *want, mic_run_t *run)
{
    mic_arena_t *const a = &mic_arenas[arena];
    const size_t usable = mic_arena_usable(a);
    if (want->align == 1 && !want->any && span_best_locked(a, want, run)) return true;
    for (int idle = 0; idle < 2; idle++)
        for (size_t i = span_from_locked(a, want); i < usable; i++)
            if (span_try_segment_locked(a, i, want, idle != 0, run)) return true;
    return !want->any && usable < a->segment_count &&
           mic_segment_slices(a, usable) >= want->count && mic_segment_open_locked(arena, 1) &&
           span_try_segment_locked(a, usable, want, true, run);
}

bool mic_segments_idle_locked(unsigned arena, size_t from, size_t need, uint32_t owner, bool any,
                              size_t *in_the_way)
{
    mic_arena_t *const a = &mic_arenas[arena];
    for (size_t i = from + need; i-- > from;) {
        *in_the_way = i;
        if (i < mic_arena_usable(a) &&
            (!span_segment_is_begun_locked(a, i, any) || !span_segment_is_idle(a, i, owner, any)))
            return false;
    }
    const size_t opened = mic_arena_usable(a);
    if (opened >= from + need) return true;
    *in_the_way = a->segment_count;
    return mic_segment_open_locked(arena, from + need - opened);
}

static void span_unclaim(const mic_arena_t *a, size_t first, size_t count)
{
    while (count > 0) {
        const size_t at = first % MIC_SEGMENT_SLICES;
        const size_t n = mic_min(count, MIC_SEGMENT_SLICES - at);
        mic_slices_unclaim(&a->segments[first / MIC_SEGMENT_SLICES], at, n);
        first += n;
        count -= n;
    }
}

/* Claims slices [first, first + count) of the arena, whose segments are open and the owner's. */
static bool span_claim(const mic_arena_t *a, size_t first, size_t count, uint32_t owner)
{
    for (size_t done = 0; done < count;) {
        const size_t at = (first + done) % MIC_SEGMENT_SLICES;
        const size_t n = mic_min(count - done, MIC_SEGMENT_SLICES - at);
        mic_segment_t *const s = &a->segments[(first + done) / MIC_SEGMENT_SLICES];
        const bool claimed = mic_slices_claim(s, at, n);
        if (!claimed || mic_segment_owner(s) != owner) {
            span_unclaim(a, first, done + (claimed ? n : 0));
            return false;
        }
        done += n;
    }
    return true;
}

/* Segments [from, from + need) become the owner's; they are idle. */
static bool span_take_locked(mic_arena_t *a, size_t from, size_t need, uint32_t tag)
{
    for (size_t i = from; i < from + need; i++)
        if (!mic_segment_take_locked(a, i, tag)) return false;
    return true;
}

/* A run that starts `phase` slices into a wholly free segment, at the first multiple of the
   alignment from there; `room` segments, at least those it needs, become its kind's. */
static bool span_long_locked(unsigned arena, size_t phase, size_t room, uint32_t kind,
                             const span_want_t *want, mic_run_t *run)
{
    mic_arena_t *const a = &mic_arenas[arena];
    const uint32_t tag = mic_tag_make(want->owner, kind - 1);
    for (size_t from = span_from_locked(a, want); from < a->segment_count; from++) {
        const size_t at = (a->base >> MIC_SLICE_SHIFT) + from * MIC_SEGMENT_SLICES;
        const size_t into = mic_align_up(at + phase, want->align) - at;
        if (into >= MIC_SEGMENT_SLICES) continue; /* a later segment is nearer */
        const size_t first = from * MIC_SEGMENT_SLICES + into;
        const size_t need = mic_max(room, mic_divide_up(into + want->count, MIC_SEGMENT_SLICES));
        if (first + want->count > a->slice_count || from + need > a->segment_count) return false;
        if (room > 0 && (from + need) * MIC_SEGMENT_SLICES > a->slice_count) return false;
        size_t in_the_way;
        if (!mic_segments_idle_locked(arena, from, need, want->owner, want->any, &in_the_way)) {
            from = in_the_way;
            continue;
        }
        if (!span_take_locked(a, from, need, tag)) continue;
        if (!span_claim(a, first, want->count, want->owner)) continue;
        run->slice = (uint32_t)first;
        run->arena = (uint8_t)arena;
        return true;
    }
    return false;
}

static bool span_find_in(unsigned arena, span_want_t *want, const mic_place_t *place,
                         mic_run_t *run)
{
    run->arena = (uint8_t)arena;
    want->owner = mic_owner_in(arena, place);
    mic_lock_acquire(&mic_arena_lock);
    const bool ok = want->count <= MIC_SEGMENT_SLICES && want->align <= MIC_SEGMENT_SLICES &&
                            span_short_locked(arena, want, run)
                        ? true
                        : span_long_locked(arena, 0, 0, MIC_SPAN_KIND + 1, want, run);
    mic_lock_release(&mic_arena_lock);
    return ok;
}

static bool span_find(size_t count, size_t align, const mic_place_t *place, mic_run_t *run)
{
    span_want_t want = {.count = count, .align = align, .any = false};
    mic_search_t search = mic_search_start(place, count + (align > 1 ? align : 0));
    unsigned i;
    while (mic_search_next(&search, &i))
        if (span_find_in(i, &want, place, run)) return true;
    want.any = true; /* what is set aside, or of another kind, will do */
    search = mic_search_start(place, 0);
    while (mic_search_next(&search, &i))
        if (span_find_in(i, &want, place, run)) return true;
    return false;
}

/* Commits the slices of a claimed run and marks them handed out; *zero: they read as zero. */
static bool span_commit(unsigned arena, size_t first, size_t count, bool *zero)
{
    *zero = true;
    if (first + count > (first / MIC_SEGMENT_SLICES + 2) * MIC_SEGMENT_SLICES)
        (void)mic_segments_commit(arena, first / MIC_SEGMENT_SLICES + 1,
                                  (first + count) / MIC_SEGMENT_SLICES);
    for (size_t done = 0; done < count;) {
        const size_t segment = (first + done) / MIC_SEGMENT_SLICES;
        const size_t at = (first + done) % MIC_SEGMENT_SLICES;
        const size_t n = mic_min(count - done, MIC_SEGMENT_SLICES - at);
        bool clean;
        if (!mic_slices_use(arena, segment, at, n, &clean)) return false;
        mic_slices_end(arena, segment, at, n, false);
        *zero = *zero && clean;
        done += n;
    }
    return true;
}

/* The run was claimed: it becomes usable, or is given back. */
static bool span_finish(size_t count, mic_run_t *run)
{
    run->count = (uint32_t)count;
    mic_slices_count_claimed(count);
    if (span_commit(run->arena, run->slice, count, &run->zero)) {
        mic_purge_compensate(MIC_SPAN_KIND, count, run->zero);
        return true;
    }
    mic_count(MIC_COUNT_CLAIM_ROLLBACKS, 1);
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
    span_want_t want = {.count = count, .align = 1, .any = false};
    mic_search_t search = mic_search_start(place, 0);
    bool ok = false;
    for (unsigned i; !ok && mic_search_next(&search, &i);) {
        if (!mic_arena_is_ordinary(i)) continue; /* its memory is not for setting aside */
        want.owner = mic_owner_in(i, place);
        mic_lock_acquire(&mic_arena_lock);
        ok = span_long_locked(i, phase, room / MIC_SEGMENT_SLICES, MIC_SEGMENT_ROOM, &want, run);
        mic_lock_release(&mic_arena_lock);
    }
    /* the last segment as a whole, so that its mapping merges with its neighbours' */
    if (ok && !mic_os_strict_overcommit())
        (void)mic_segment_commit(run->arena, (run->slice + count - 1) / MIC_SEGMENT_SLICES,
                                 MIC_SEGMENT_SLICES);
    return ok && span_finish(count, run);
}

/* Some of the segments, both ends included, are a range's and not the tag's. */
static bool span_meets_range(const mic_arena_t *a, uint32_t tag, size_t segment, size_t last)
{
    if (!MIC_CLASSES_HAVE_RANGES) return false;
    for (; segment <= last; segment++) {
        const uint32_t now = mic_segment_tag(&a->segments[segment]);
        if (now != tag && mic_tag_kind(now) > MIC_SEGMENT_ROOM) return true;
    }
    return false;
}

bool mic_run_grow(mic_run_t run, size_t count, bool *zero)
{
    mic_arena_t *const a = &mic_arenas[run.arena];
    const size_t first = run.slice + run.count;
    const size_t more = count - run.count;
    if (first + more > a->slice_count) return false;
    const size_t last_segment = (first + more - 1) / MIC_SEGMENT_SLICES;
    if (last_segment >= mic_arena_usable(a)) {
        bool ok = true;
        mic_lock_acquire(&mic_arena_lock);
        const size_t opened = mic_arena_usable(a);
        if (last_segment >= opened)
            ok = mic_segment_open_locked(run.arena, last_segment + 1 - opened);
        mic_lock_release(&mic_arena_lock);
        if (!ok) return false;
    }
    const uint32_t tag = mic_segment_tag(&a->segments[run.slice / MIC_SEGMENT_SLICES]);
    if (span_meets_range(a, tag, first / MIC_SEGMENT_SLICES, last_segment)) return false;
    if (!span_claim(a, first, more, mic_tag_owner(tag))) return false;
    for (size_t i = first / MIC_SEGMENT_SLICES; i <= last_segment; i++)
        mic_store_relaxed(&a->segments[i].tag, tag); /* the owner is the same */
    mic_slices_count_claimed(more);
    if (span_commit(run.arena, first, more, zero)) {
        mic_purge_compensate(MIC_SPAN_KIND, more, *zero);
        return true;
    }
    run.slice = (uint32_t)first;
    run.count = (uint32_t)more;
    mic_run_free(run);
    return false;
}
