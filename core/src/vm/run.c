/* Claiming and freeing runs of slices. Runs of 1 to 8 slices, and of 64 aligned ones, lie in one
   word and are claimed by one compare-and-swap on a segment of their kind; longer ones under the
   arena lock.
   A segment's kind is a hint that keeps kinds apart; a claim that races with a change of kind only
   puts a page next to another kind. Where classes have ranges (vm/ranges.c) the same code keeps
   these apart, and segments do not change. Lowest addresses first, so that 2 MiB ranges
   fill up or empty completely. */
#include "base/check.h"
#include "os/os.h"
#include "rt/counters.h"
#include "vm/vm_internal.h"

void mic_slices_count_claimed(size_t count)
{
    const uint64_t now = mic_fetch_add_relaxed(&mic_vm_counts.used_slices, count) + count;
    if (now > mic_load_relaxed(&mic_vm_counts.used_slices_peak))
        mic_store_relaxed(&mic_vm_counts.used_slices_peak, now);
}

/* Lowest group of n set bits, or 64; one of 8 is aligned. */
static unsigned run_find_group(uint64_t word, unsigned n)
{
    for (unsigned have = 1; have < n;) { /* a bit stays if `have` bits from it on are set */
        const unsigned more = have <= n - have ? have : n - have;
        word &= word >> more;
        have += more;
    }
    if (n == 8) word &= 0x0101010101010101u;
    return word == 0 ? 64 : mic_bit_lowest(word);
}

static bool run_claim_in_word(mic_atomic(uint64_t) *word, unsigned n, unsigned *at)
{
    uint64_t seen = mic_load_relaxed(word);
    for (;;) {
        *at = run_find_group(seen, n);
        if (*at >= 64) return false;
        if (mic_cas_acquire(word, &seen, seen & ~mic_bit_mask(*at, n))) return true;
    }
}

void mic_slices_unclaim(mic_segment_t *s, size_t first, size_t count)
{
    while (count > 0) {
        const unsigned at = (unsigned)(first & 63);
        const unsigned n = (unsigned)mic_min(count, 64 - at);
        mic_fetch_or_release(&s->free[first >> 6], mic_bit_mask(at, n));
        first += n;
        count -= n;
    }
}

/* All of the bits or none. */
bool mic_slices_claim(mic_segment_t *s, size_t first, size_t count)
{
    size_t done = 0;
    while (done < count) {
        const unsigned at = (unsigned)((first + done) & 63);
        const unsigned n = (unsigned)mic_min(count - done, 64 - at);
        const uint64_t mask = mic_bit_mask(at, n);
        mic_atomic(uint64_t) *const word = &s->free[(first + done) >> 6];
        uint64_t seen = mic_load_relaxed(word);
        do {
            if ((seen & mask) != mask) {
                mic_slices_unclaim(s, first, done);
                return false;
            }
        } while (!mic_cas_acquire(word, &seen, seen & ~mask));
        done += n;
    }
    return true;
}

void mic_slices_clean(mic_segment_t *s, size_t word, uint64_t bits)
{
    if ((mic_load_relaxed(&s->dirty[word]) & bits) == 0) return;
    const uint64_t were = mic_fetch_and_relaxed(&s->dirty[word], ~bits) & bits;
    mic_fetch_sub_relaxed(&mic_vm_counts.dirty_slices, (uint64_t)mic_bit_count(were));
}

static void slices_mark_clean(mic_segment_t *s, size_t first, size_t count)
{
    while (count > 0) {
        const unsigned at = (unsigned)(first & 63);
        const unsigned n = (unsigned)mic_min(count, 64 - at);
        mic_slices_clean(s, first >> 6, mic_bit_mask(at, n));
        first += n;
        count -= n;
    }
}

#define RUN_LARGE 64 /* slices of a page whose blocks have guards of their own */

/* A claimed run of one word becomes usable, or is given back. */
static bool run_finish(unsigned arena, size_t segment, size_t first, size_t count, mic_run_t *run)
{
    mic_segment_t *const s = &mic_arenas[arena].segments[segment];
    if (!mic_slices_use(arena, segment, first, count, &run->zero)) {
        mic_slices_unclaim(s, first, count);
        mic_purge_note_freed(&mic_arenas[arena], s); /* who purged meanwhile passed them by */
        mic_count(MIC_COUNT_CLAIM_ROLLBACKS, 1);
        return false;
    }
    mic_slices_end(arena, segment, first, count, count < RUN_LARGE);
    if (mic_load_relaxed(&s->paged) == 0) mic_store_relaxed(&s->paged, 1);
    run->arena = (uint8_t)arena;
    run->slice = (uint32_t)(segment * MIC_SEGMENT_SLICES + first);
    run->count = (uint32_t)count;
    mic_slices_count_claimed(count);
    mic_purge_compensate(mic_segment_kind(s) - 1, count, run->zero);
    return true;
}

/* ---- one-word runs ---- */

typedef enum run_result { RUN_OK, RUN_NONE, RUN_NO_MEMORY } run_result_t;

static run_result_t run_try_segment(unsigned arena, size_t segment, uint32_t owner, unsigned n,
                                    mic_run_t *run)
{
    mic_segment_t *const s = &mic_arenas[arena].segments[segment];
    for (size_t w = 0; w < MIC_SEGMENT_WORDS && mic_segment_owner(s) == owner; w++) {
        unsigned at;
        if (!run_claim_in_word(&s->free[w], n, &at)) continue;
        if (mic_segment_owner(s) != owner) { /* it changed hands since we looked */
            mic_slices_unclaim(s, w * 64 + at, n);
            return RUN_NONE;
        }
        return run_finish(arena, segment, w * 64 + at, n, run) ? RUN_OK : RUN_NO_MEMORY;
    }
    return RUN_NONE;
}

static run_result_t run_scan(unsigned arena, uint32_t tag, size_t from, unsigned n, mic_run_t *run)
{
    mic_arena_t *const a = &mic_arenas[arena];
    const size_t opened = mic_arena_usable(a);
    for (size_t i = from; i < opened; i++) {
        if (mic_segment_tag(&a->segments[i]) != tag) continue;
        const run_result_t result = run_try_segment(arena, i, mic_tag_owner(tag), n, run);
        if (result == RUN_NONE) continue;
        mic_store_relaxed(&a->hint[mic_tag_kind(tag) - 1], i);
        return result;
    }
    return RUN_NONE;
}

size_t mic_segment_slices(const mic_arena_t *a, size_t segment)
{
    return mic_min(MIC_SEGMENT_SLICES, a->slice_count - segment * MIC_SEGMENT_SLICES);
}

bool mic_segment_is_free(const mic_segment_t *s, size_t slices)
{
    const size_t first = mic_segment_first(s);
    if (mic_segment_is_spare(s)) return false;
    for (size_t i = first / 64; i < MIC_SEGMENT_WORDS && i * 64 < slices; i++) {
        const unsigned at = i == first / 64 ? (unsigned)(first % 64) : 0;
        const unsigned n = (unsigned)mic_min(64, slices - i * 64);
        const uint64_t mask = mic_bit_mask(at, n - at);
        if ((mic_load_relaxed(&s->free[i]) & mask) != mask) return false;
    }
    return true;
}

/* Room behind growing spans, and what is a range's, serve others only if nothing else is left. */
static bool run_may_take(uint32_t now, uint32_t tag, bool any)
{
    const uint32_t kind = mic_tag_kind(now);
    if (now == tag) return false;
    if (any || !MIC_CLASSES_HAVE_RANGES) return any || kind != MIC_SEGMENT_ROOM;
    return kind == mic_tag_kind(tag) ||
           (kind < MIC_SEGMENT_ROOM && mic_tag_kind(tag) < MIC_SEGMENT_ROOM);
}

/* The lowest wholly free segment of another lane or owner becomes the tag's. */
static bool run_take_idle_locked(mic_arena_t *a, uint32_t tag, bool any, size_t *at)
{
    for (size_t i = 0; i < mic_arena_usable(a); i++) {
        const mic_segment_t *const s = &a->segments[i];
        if (!run_may_take(mic_segment_tag(s), tag, any)) continue;
        if (!mic_segment_is_free(s, mic_segment_slices(a, i))) continue;
        if (!mic_segment_take_locked(a, i, tag)) continue;
        *at = i;
        return true;
    }
    return false;
}

static bool run_take_new_locked(unsigned arena, uint32_t tag, size_t *at)
{
    mic_arena_t *const a = &mic_arenas[arena];
    *at = mic_arena_usable(a);
    return mic_segment_open_locked(arena, 1) && mic_segment_take_locked(a, *at, tag);
}

/* Gives a wholly free or a new segment to the tag; nothing to do when another thread opened one
   since the caller looked. */
static bool run_new_segment(unsigned arena, uint32_t tag, size_t opened_before)
{
    mic_arena_t *const a = &mic_arenas[arena];
    mic_atomic(uint64_t) *const hint = &a->hint[mic_tag_kind(tag) - 1];
    mic_lock_acquire(&mic_arena_lock);
    size_t i = mic_arena_usable(a);
    const bool ok = i != opened_before || run_take_idle_locked(a, tag, false, &i) ||
                    run_take_new_locked(arena, tag, &i) || run_take_idle_locked(a, tag, true, &i);
    if (ok) mic_store_relaxed(hint, mic_min(i, mic_load_relaxed(hint)));
    mic_lock_release(&mic_arena_lock);
    return ok;
}

/* The same for a range; another thread may have got one since the caller looked at the hint. What
   others have, or had, only if `any`. */
static bool run_new_range_segment(unsigned arena, uint32_t tag, unsigned n, uint64_t hint_before,
                                  bool any)
{
    mic_arena_t *const a = &mic_arenas[arena];
    mic_atomic(uint64_t) *const hint = &a->hint[mic_tag_kind(tag) - 1];
    mic_lock_acquire(&mic_arena_lock);
    size_t i;
    bool ok = mic_load_relaxed(hint) != hint_before;
    if (!ok) {
        ok = (hint_before != MIC_HINT_NONE && run_take_idle_locked(a, tag, false, &i)) ||
             mic_range_take_locked(arena, tag, n, &i) ||
             (any && run_take_idle_locked(a, tag, true, &i));
        if (ok) mic_store_relaxed(hint, i);
    }
    mic_lock_release(&mic_arena_lock);
    return ok;
}

/* When nothing else is left: a segment of any kind will do, as long as its owner is the same. */
static bool run_alloc_word_anywhere(unsigned n, const mic_place_t *place, mic_run_t *run)
{
    mic_search_t search = mic_search_start(place, 0);
    for (unsigned i; mic_search_next(&search, &i);) {
        const uint32_t owner = mic_owner_in(i, place);
        for (size_t s = 0; s < mic_arena_usable(&mic_arenas[i]); s++)
            if (run_try_segment(i, s, owner, n, run) == RUN_OK) return true;
    }
    return false;
}

/* Looking through an arena of the program that is full takes long: not again before something in
   it was freed. */
static bool run_alloc_word_in(unsigned arena, unsigned lane, unsigned n, uint32_t owner,
                              mic_run_t *run)
{
    mic_arena_t *const a = &mic_arenas[arena];
    const uint32_t tag = mic_tag_make(owner, lane);
    const uint32_t freed = mic_load_relaxed(&a->freed) + 1;
    if ((owner & MIC_OWNER_ARENA) != 0 && mic_load_relaxed(&a->full_at[lane]) == freed)
        return false;
    const size_t opened = mic_arena_usable(a);
    const size_t hint = mic_load_relaxed(&a->hint[lane]);
    run_result_t result = run_scan(arena, tag, hint, n, run);
    if (result != RUN_OK && hint > 0) result = run_scan(arena, tag, 0, n, run);
    if (result != RUN_OK && run_new_segment(arena, tag, opened))
        result = run_scan(arena, tag, 0, n, run);
    if (result == RUN_NONE) mic_store_relaxed(&a->full_at[lane], freed);
    return result == RUN_OK;
}

static run_result_t run_scan_range(unsigned arena, uint32_t tag, unsigned n, mic_run_t *run)
{
    const uint64_t hint = mic_load_relaxed(&mic_arenas[arena].hint[mic_tag_kind(tag) - 1]);
    if (hint == MIC_HINT_NONE) return RUN_NONE;
    const run_result_t result = run_scan(arena, tag, hint, n, run);
    return result != RUN_NONE || hint == 0 ? result : run_scan(arena, tag, 0, n, run);
}

/* No memory for a page of one's own segments: nor is there for more segments. */
static bool run_alloc_range_in(unsigned arena, uint32_t tag, unsigned n, bool any, mic_run_t *run)
{
    const uint64_t hint = mic_load_relaxed(&mic_arenas[arena].hint[mic_tag_kind(tag) - 1]);
    run_result_t result = run_scan_range(arena, tag, n, run);
    if (result == RUN_NONE && run_new_range_segment(arena, tag, n, hint, any))
        result = run_scan_range(arena, tag, n, run);
    return result == RUN_OK;
}

static bool run_search_word(unsigned kind, unsigned n, const mic_place_t *place, bool extend,
                            bool any, mic_run_t *run)
{
    mic_search_t search = mic_search_start(place, extend ? n : 0);
    for (unsigned i; mic_search_next(&search, &i);) {
        const uint32_t owner = mic_owner_in(i, place);
        const unsigned lane = mic_lane_of(&mic_arenas[i], kind);
        if (mic_lane_is_range(lane) ? run_alloc_range_in(i, mic_tag_make(owner, lane), n, any, run)
                                    : run_alloc_word_in(i, lane, n, owner, run))
            return true;
    }
    return false;
}

static bool run_alloc_word(unsigned kind, unsigned n, const mic_place_t *place, mic_run_t *run)
{
    /* classes share segments when there are no others; under a limit before more address space is
       reserved, which then others lack */
    const bool extend = mic_os_info.address_limit == SIZE_MAX;
    if (MIC_CLASSES_HAVE_RANGES && run_search_word(kind, n, place, extend, false, run)) return true;
    return run_search_word(kind, n, place, true, true, run) ||
           run_alloc_word_anywhere(n, place, run);
}

bool mic_run_alloc(unsigned kind, size_t count, size_t align_slices, const mic_place_t *place,
                   mic_run_t *run)
{
    if (kind != MIC_SPAN_KIND) return run_alloc_word(kind, (unsigned)count, place, run);
    return mic_span_alloc(count, align_slices, place, run);
}

/* Room that nobody grows into any more: the segments behind the last of a freed run. */
static void run_release_room(mic_arena_t *a, size_t segment)
{
    for (; segment < mic_arena_usable(a); segment++) {
        mic_segment_t *const s = &a->segments[segment];
        uint32_t tag = mic_segment_tag(s);
        if (mic_tag_kind(tag) != MIC_SEGMENT_ROOM) return;
        if (!mic_segment_is_free(s, mic_segment_slices(a, segment))) return;
        /* nobody holds a slice of it, so its owner may be changing */
        (void)mic_cas_acquire(&s->tag, &tag, tag - MIC_SEGMENT_ROOM);
    }
}

static void run_free_in_segment(mic_arena_t *a, size_t segment, size_t first, size_t n, bool zero)
{
    mic_segment_t *const s = &a->segments[segment];
    const uint32_t kind = mic_segment_kind(s);
    if (zero) slices_mark_clean(s, first, n);
    mic_slices_unclaim(s, first, n);
    if (kind == MIC_SEGMENT_ROOM)
        run_release_room(a, segment);
    else if (kind != 0 && segment < mic_load_relaxed(&a->hint[kind - 1]))
        mic_store_relaxed(&a->hint[kind - 1], segment);
    if (!zero || mic_os_strict_overcommit()) mic_purge_note_freed(a, s);
}

void mic_run_free(mic_run_t run)
{
    mic_arena_t *const a = &mic_arenas[run.arena];
    const bool system = (mic_arena_kind(a) & MIC_ARENA_SYSTEM) != 0;
    mic_fetch_sub_relaxed(&mic_vm_counts.used_slices, run.count);
    for (size_t done = 0; done < run.count;) {
        const size_t segment = (run.slice + done) / MIC_SEGMENT_SLICES;
        const size_t first = (run.slice + done) % MIC_SEGMENT_SLICES;
        const size_t n = mic_min(run.count - done, MIC_SEGMENT_SLICES - first);
        run_free_in_segment(a, segment, first, n, run.zero);
        done += n;
    }
    if (system) return;
    mic_fetch_add_relaxed(&a->freed, 1);
    if (mic_use_state(mic_load_relaxed(&a->use)) == MIC_ARENA_DYING) mic_program_bury();
}
