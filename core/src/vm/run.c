/* Claiming and freeing runs of slices. One-word runs (1, 8 or 64 slices, aligned to their size) are
   claimed by one compare-and-swap on a segment of their kind; longer ones under the arena lock.
   A segment's kind is a hint that keeps kinds apart; a claim that races with a change of kind only
   puts a page next to another kind. Lowest addresses first, so that 2 MiB ranges fill up or empty
   completely. */
#include "base/check.h"
#include "os/os.h"
#include "vm/vm_internal.h"

void mic_slices_count_claimed(size_t count)
{
    const uint64_t now = mic_fetch_add_relaxed(&mic_vm_counts.used_slices, count) + count;
    if (now > mic_load_relaxed(&mic_vm_counts.used_slices_peak))
        mic_store_relaxed(&mic_vm_counts.used_slices_peak, now);
}

/* Lowest aligned group of n (1, 8, 64) set bits, or 64. */
static unsigned run_find_group(uint64_t word, unsigned n)
{
    if (n == 64) return word == ~(uint64_t)0 ? 0 : 64;
    if (n == 8) { /* fold each byte to its lowest bit: all eight set */
        word &= word >> 4;
        word &= word >> 2;
        word &= word >> 1;
        word &= 0x0101010101010101u;
    }
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

/* Marks as handed out; true if all of it was purged or never used. */
bool mic_slices_mark_dirty(mic_segment_t *s, size_t first, size_t count)
{
    bool zero = true;
    while (count > 0) {
        const unsigned at = (unsigned)(first & 63);
        const unsigned n = (unsigned)mic_min(count, 64 - at);
        const uint64_t mask = mic_bit_mask(at, n);
        if ((mic_fetch_or_relaxed(&s->dirty[first >> 6], mask) & mask) != 0) zero = false;
        first += n;
        count -= n;
    }
    return zero;
}

static void slices_mark_clean(mic_segment_t *s, size_t first, size_t count)
{
    for (; count > 0; first++, count--)
        mic_fetch_and_relaxed(&s->dirty[first >> 6], ~((uint64_t)1 << (first & 63)));
}

/* A claimed run of one word becomes usable, or is given back. */
static bool run_finish(unsigned arena, size_t segment, size_t first, size_t count, mic_run_t *run)
{
    mic_segment_t *const s = &mic_arenas[arena].segments[segment];
    if (!mic_segment_commit(arena, segment, first + count)) {
        mic_slices_unclaim(s, first, count);
        return false;
    }
    if (mic_load_relaxed(&s->paged) == 0) mic_store_relaxed(&s->paged, 1);
    run->arena = (uint8_t)arena;
    run->slice = (uint32_t)(segment * MIC_SEGMENT_SLICES + first);
    run->count = (uint32_t)count;
    run->zero = mic_slices_mark_dirty(s, first, count);
    mic_slices_count_claimed(count);
    return true;
}

/* ---- one-word runs ---- */

typedef enum run_result { RUN_OK, RUN_NONE, RUN_NO_MEMORY } run_result_t;

static run_result_t run_try_segment(unsigned arena, size_t segment, unsigned n, mic_run_t *run)
{
    mic_segment_t *const s = &mic_arenas[arena].segments[segment];
    for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++) {
        unsigned at;
        if (!run_claim_in_word(&s->free[w], n, &at)) continue;
        return run_finish(arena, segment, w * 64 + at, n, run) ? RUN_OK : RUN_NO_MEMORY;
    }
    return RUN_NONE;
}

static run_result_t run_scan(unsigned arena, unsigned kind, size_t from, unsigned n, mic_run_t *run)
{
    mic_arena_t *const a = &mic_arenas[arena];
    const size_t opened = mic_load_acquire(&a->opened);
    for (size_t i = from; i < opened; i++) {
        if (mic_load_relaxed(&a->segments[i].kind) != kind + 1) continue;
        const run_result_t result = run_try_segment(arena, i, n, run);
        if (result == RUN_NONE) continue;
        mic_store_relaxed(&a->hint[kind], i);
        return result;
    }
    return RUN_NONE;
}

size_t mic_segment_slices(const mic_arena_t *a, size_t segment)
{
    return mic_min(MIC_SEGMENT_SLICES, a->slice_count - segment * MIC_SEGMENT_SLICES);
}

/* the first `slices` of them */
bool mic_segment_is_free(const mic_segment_t *s, size_t slices)
{
    for (size_t i = 0; i < MIC_SEGMENT_WORDS && i * 64 < slices; i++) {
        const unsigned n = (unsigned)mic_min(64, slices - i * 64);
        const uint64_t mask = mic_bit_mask(0, n);
        if ((mic_load_relaxed(&s->free[i]) & mask) != mask) return false;
    }
    return true;
}

/* Lowest wholly free segment of another kind; room behind growing spans only if told so. */
static size_t run_idle_segment(const mic_arena_t *a, unsigned kind, bool room_too)
{
    const size_t opened = mic_load_relaxed(&a->opened);
    size_t i = 0;
    for (; i < opened; i++) {
        const uint32_t now = mic_load_relaxed(&a->segments[i].kind);
        if (now == kind + 1 || (now == MIC_SEGMENT_ROOM && !room_too)) continue;
        if (mic_segment_is_free(&a->segments[i], mic_segment_slices(a, i))) break;
    }
    return i;
}

/* Gives a wholly free or a new segment to the kind; nothing to do when another thread opened one
   since the caller looked. */
static bool run_new_segment(unsigned arena, unsigned kind, size_t opened_before)
{
    mic_arena_t *const a = &mic_arenas[arena];
    bool ok = true;
    mic_lock_acquire(&mic_arena_lock);
    const size_t opened = mic_load_relaxed(&a->opened);
    size_t i = opened;
    if (opened == opened_before) {
        i = run_idle_segment(a, kind, false);
        if (i == opened && !mic_segment_open_locked(arena, 1)) {
            i = run_idle_segment(a, kind, true);
            ok = i < opened;
        }
        if (ok) mic_store_relaxed(&a->segments[i].kind, kind + 1);
    }
    if (ok) mic_store_relaxed(&a->hint[kind], mic_min(i, mic_load_relaxed(&a->hint[kind])));
    mic_lock_release(&mic_arena_lock);
    return ok;
}

/* Enough segments that were never opened: if those could not be had, memory is short and not
   address space; another arena would not help. */
static bool run_has_unopened(size_t slices)
{
    for (uint32_t i = 0; i < mic_load_relaxed(&mic_arena_count); i++) {
        const mic_arena_t *const a = &mic_arenas[i];
        const size_t opened = mic_load_relaxed(&a->opened) * MIC_SEGMENT_SLICES;
        if (opened < a->slice_count && a->slice_count - opened >= slices) return true;
    }
    return false;
}

bool mic_arena_exists(unsigned arena, size_t slices, const mic_place_t *place)
{
    if (arena < mic_load_acquire(&mic_arena_count)) return true;
    if (place->arena != 0) return false;
    mic_lock_acquire(&mic_arena_lock);
    const bool ok = arena < mic_load_relaxed(&mic_arena_count) ||
                    (!run_has_unopened(slices) && mic_arena_add_locked(slices));
    mic_lock_release(&mic_arena_lock);
    return ok;
}

/* When nothing else is left: a segment of any kind will do. */
static bool run_alloc_word_anywhere(unsigned n, const mic_place_t *place, mic_run_t *run)
{
    const uint32_t arenas = mic_load_acquire(&mic_arena_count);
    for (uint32_t i = 0; i < arenas; i++)
        for (size_t s = 0; mic_place_has(place, i) && s < mic_load_acquire(&mic_arenas[i].opened);
             s++)
            if (run_try_segment(i, s, n, run) == RUN_OK) return true;
    return false;
}

static bool run_alloc_word(unsigned kind, unsigned n, const mic_place_t *place, mic_run_t *run)
{
    for (uint32_t i = 0; mic_arena_exists(i, n, place); i++) {
        if (!mic_place_has(place, i)) continue;
        const mic_arena_t *const a = &mic_arenas[i];
        const size_t opened = mic_load_acquire(&a->opened);
        const size_t hint = mic_load_relaxed(&a->hint[kind]);
        if (run_scan(i, kind, hint, n, run) == RUN_OK) return true;
        if (hint > 0 && run_scan(i, kind, 0, n, run) == RUN_OK) return true;
        if (run_new_segment(i, kind, opened) && run_scan(i, kind, 0, n, run) == RUN_OK) return true;
    }
    return run_alloc_word_anywhere(n, place, run);
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
    for (; segment < mic_load_relaxed(&a->opened); segment++) {
        mic_segment_t *const s = &a->segments[segment];
        if (mic_load_relaxed(&s->kind) != MIC_SEGMENT_ROOM) return;
        if (!mic_segment_is_free(s, mic_segment_slices(a, segment))) return;
        mic_store_relaxed(&s->kind, 0);
    }
}

void mic_run_free(mic_run_t run)
{
    mic_arena_t *const a = &mic_arenas[run.arena];
    mic_fetch_sub_relaxed(&mic_vm_counts.used_slices, run.count);
    for (size_t done = 0; done < run.count;) {
        const size_t segment = (run.slice + done) / MIC_SEGMENT_SLICES;
        const size_t first = (run.slice + done) % MIC_SEGMENT_SLICES;
        const size_t n = mic_min(run.count - done, MIC_SEGMENT_SLICES - first);
        mic_segment_t *const s = &a->segments[segment];
        const uint32_t kind = mic_load_relaxed(&s->kind);
        if (run.zero) slices_mark_clean(s, first, n);
        mic_slices_unclaim(s, first, n);
        if (kind == MIC_SEGMENT_ROOM)
            run_release_room(a, segment);
        else if (kind != 0 && segment < mic_load_relaxed(&a->hint[kind - 1]))
            mic_store_relaxed(&a->hint[kind - 1], segment);
        if (!run.zero || mic_os_strict_overcommit()) mic_purge_note_freed(s);
        done += n;
    }
}
