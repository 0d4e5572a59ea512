/* Claiming and freeing runs of slices. One-word runs (1, 8 or 64 slices, aligned to their size) are
   claimed by one compare-and-swap on a segment of their kind; longer ones under the arena lock.
   A segment's kind is a hint that keeps kinds apart; a claim that races with a change of kind only
   puts a page next to another kind. Lowest addresses first, so that 2 MiB ranges fill up or empty
   completely. */
#include "base/check.h"
#include "os/os.h"
#include "vm/vm_internal.h"

static void run_count_claimed(size_t count)
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

static void run_unclaim(mic_segment_t *s, size_t first, size_t count)
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
static bool run_claim_exact(mic_segment_t *s, size_t first, size_t count)
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
                run_unclaim(s, first, done);
                return false;
            }
        } while (!mic_cas_acquire(word, &seen, seen & ~mask));
        done += n;
    }
    return true;
}

/* Marks as handed out; true if all of it was purged or never used. */
static bool run_mark_dirty(mic_segment_t *s, size_t first, size_t count)
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

static bool run_finish(unsigned arena, size_t segment, size_t first, size_t count, mic_run_t *run)
{
    mic_segment_t *const s = &mic_arenas[arena].segments[segment];
    if (!mic_segment_commit(arena, segment, first + count)) {
        run_unclaim(s, first, count);
        return false;
    }
    run->arena = (uint8_t)arena;
    run->slice = (uint32_t)(segment * MIC_SEGMENT_SLICES + first);
    run->count = (uint32_t)count;
    run->zero = run_mark_dirty(s, first, count);
    run_count_claimed(count);
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

static size_t run_segment_slices(const mic_arena_t *a, size_t segment)
{
    return mic_min(MIC_SEGMENT_SLICES, a->slice_count - segment * MIC_SEGMENT_SLICES);
}

/* the first `slices` of them */
static bool run_segment_is_free(const mic_segment_t *s, size_t slices)
{
    for (size_t i = 0; i < MIC_SEGMENT_WORDS && i * 64 < slices; i++) {
        const unsigned n = (unsigned)mic_min(64, slices - i * 64);
        const uint64_t mask = mic_bit_mask(0, n);
        if ((mic_load_relaxed(&s->free[i]) & mask) != mask) return false;
    }
    return true;
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
        for (i = 0; i < opened; i++) {
            const mic_segment_t *const s = &a->segments[i];
            if (mic_load_relaxed(&s->kind) == kind + 1) continue;
            if (run_segment_is_free(s, run_segment_slices(a, i))) break;
        }
        if (i == opened) ok = mic_segment_open_locked(arena);
        if (ok) mic_store_relaxed(&a->segments[i].kind, kind + 1);
    }
    if (ok) mic_store_relaxed(&a->hint[kind], mic_min(i, mic_load_relaxed(&a->hint[kind])));
    mic_lock_release(&mic_arena_lock);
    return ok;
}

static bool run_arena_exists(unsigned arena, size_t slices)
{
    if (arena < mic_load_acquire(&mic_arena_count)) return true;
    mic_lock_acquire(&mic_arena_lock);
    const bool ok = arena < mic_load_relaxed(&mic_arena_count) || mic_arena_add_locked(slices);
    mic_lock_release(&mic_arena_lock);
    return ok;
}

/* When nothing else is left: a segment of any kind will do. */
static bool run_alloc_word_anywhere(unsigned n, mic_run_t *run)
{
    const uint32_t arenas = mic_load_acquire(&mic_arena_count);
    for (uint32_t i = 0; i < arenas; i++)
        for (size_t s = 0; s < mic_load_acquire(&mic_arenas[i].opened); s++)
            if (run_try_segment(i, s, n, run) == RUN_OK) return true;
    return false;
}

static bool run_alloc_word(unsigned kind, unsigned n, mic_run_t *run)
{
    for (uint32_t i = 0; run_arena_exists(i, n); i++) {
        const mic_arena_t *const a = &mic_arenas[i];
        const size_t opened = mic_load_acquire(&a->opened);
        const size_t hint = mic_load_relaxed(&a->hint[kind]);
        if (run_scan(i, kind, hint, n, run) == RUN_OK) return true;
        if (hint > 0 && run_scan(i, kind, 0, n, run) == RUN_OK) return true;
        if (run_new_segment(i, kind, opened) && run_scan(i, kind, 0, n, run) == RUN_OK) return true;
    }
    return run_alloc_word_anywhere(n, run);
}

/* ---- spans: any length, under the arena lock ---- */

#define RUN_SPAN_KIND (MIC_PAGE_KINDS - 1)

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
    const size_t slices = run_segment_slices(a, segment);
    size_t first = 0;
    while (first + count <= slices) {
        first = mic_align_up(run_next(s, first, slices, true), align);
        if (first + count > slices) return false;
        const size_t end = run_next(s, first, slices, false);
        if (end - first >= count && run_claim_exact(s, first, count)) {
            *at = first;
            return true;
        }
        first = mic_max(end, first + 1);
    }
    return false;
}

static bool run_span_short_locked(unsigned arena, size_t count, size_t align, bool any,
                                  mic_run_t *run)
{
    mic_arena_t *const a = &mic_arenas[arena];
    const uint32_t kind = RUN_SPAN_KIND + 1;
    /* its own segments first, then wholly free ones, then a new one */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < mic_load_relaxed(&a->opened); i++) {
            mic_segment_t *const s = &a->segments[i];
            const bool own = mic_load_relaxed(&s->kind) == kind;
            if (!any && own != (pass == 0)) continue;
            if (!any && !own && !run_segment_is_free(s, run_segment_slices(a, i))) continue;
            size_t first;
            if (!run_span_in_segment(a, i, count, align, &first)) continue;
            if (!any) mic_store_relaxed(&s->kind, kind);
            run->slice = (uint32_t)(i * MIC_SEGMENT_SLICES + first);
            return true;
        }
    }
    if (any) return false;
    const size_t opened = mic_load_relaxed(&a->opened);
    if (opened >= a->segment_count || run_segment_slices(a, opened) < count) return false;
    size_t first;
    if (!mic_segment_open_locked(arena)) return false;
    mic_store_relaxed(&a->segments[opened].kind, kind);
    if (!run_span_in_segment(a, opened, count, align, &first)) return false;
    run->slice = (uint32_t)(opened * MIC_SEGMENT_SLICES + first);
    return true;
}

/* Slices that a run of `count` from the start of segment `from` needs of segment i. */
static size_t run_part(size_t from, size_t i, size_t count)
{
    return mic_min(MIC_SEGMENT_SLICES, count - (i - from) * MIC_SEGMENT_SLICES);
}

/* A run that starts with a segment: all of them but the last wholly free. */
static bool run_span_long_locked(unsigned arena, size_t count, size_t align, mic_run_t *run)
{
    mic_arena_t *const a = &mic_arenas[arena];
    const size_t need = mic_divide_up(count, MIC_SEGMENT_SLICES);
    for (size_t from = 0; from * MIC_SEGMENT_SLICES + count <= a->slice_count; from++) {
        const uintptr_t address = a->base + from * MIC_SEGMENT_BYTES;
        if ((address & ((align << MIC_SLICE_SHIFT) - 1)) != 0) continue;
        size_t i = from;
        while (i < from + need && i < mic_load_relaxed(&a->opened) &&
               run_segment_is_free(&a->segments[i], run_part(from, i, count)))
            i++;
        if (i < from + need && i < mic_load_relaxed(&a->opened)) {
            from = i; /* this one is in the way */
            continue;
        }
        while (mic_load_relaxed(&a->opened) < from + need)
            if (!mic_segment_open_locked(arena)) return false;
        for (i = from; i < from + need; i++)
            if (!run_claim_exact(&a->segments[i], 0, run_part(from, i, count))) break;
        if (i == from + need) {
            for (i = from; i < from + need; i++)
                mic_store_relaxed(&a->segments[i].kind, RUN_SPAN_KIND + 1);
            run->slice = (uint32_t)(from * MIC_SEGMENT_SLICES);
            return true;
        }
        while (i-- > from) run_unclaim(&a->segments[i], 0, run_part(from, i, count));
    }
    return false;
}

static bool run_span_find(size_t count, size_t align, mic_run_t *run)
{
    const bool is_short = count <= MIC_SEGMENT_SLICES && align <= MIC_SEGMENT_SLICES;
    for (uint32_t i = 0; run_arena_exists(i, count + (align > 1 ? align : 0)); i++) {
        mic_lock_acquire(&mic_arena_lock);
        run->arena = (uint8_t)i;
        const bool ok = is_short ? run_span_short_locked(i, count, align, false, run)
                                 : run_span_long_locked(i, count, align, run);
        mic_lock_release(&mic_arena_lock);
        if (ok) return true;
    }
    if (!is_short) return false;
    bool ok = false;
    mic_lock_acquire(&mic_arena_lock);
    for (uint32_t i = 0; !ok && i < mic_load_relaxed(&mic_arena_count); i++) {
        run->arena = (uint8_t)i;
        ok = run_span_short_locked(i, count, align, true, run);
    }
    mic_lock_release(&mic_arena_lock);
    return ok;
}

static bool run_alloc_span(size_t count, size_t align, mic_run_t *run)
{
    if (!run_span_find(count, align, run)) return false;
    run->count = (uint32_t)count;
    run->zero = true;
    const mic_arena_t *const a = &mic_arenas[run->arena];
    for (size_t done = 0; done < count;) {
        const size_t segment = (run->slice + done) / MIC_SEGMENT_SLICES;
        const size_t first = (run->slice + done) % MIC_SEGMENT_SLICES;
        const size_t n = mic_min(count - done, MIC_SEGMENT_SLICES - first);
        mic_segment_t *const s = &a->segments[segment];
        if (!mic_segment_commit(run->arena, segment, first + n)) {
            run->count = (uint32_t)count;
            run_count_claimed(count);
            mic_run_free(*run);
            return false;
        }
        if (!run_mark_dirty(s, first, n)) run->zero = false;
        done += n;
    }
    run_count_claimed(count);
    return true;
}

bool mic_run_alloc(unsigned kind, size_t count, size_t align_slices, mic_run_t *run)
{
    if (kind != RUN_SPAN_KIND) return run_alloc_word(kind, (unsigned)count, run);
    if (count > mic_arenas[0].slice_count && count > (SIZE_MAX >> (MIC_SLICE_SHIFT + 1)))
        return false;
    return run_alloc_span(count, align_slices, run);
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
        run_unclaim(s, first, n);
        const uint32_t kind = mic_load_relaxed(&s->kind);
        if (kind != 0 && segment < mic_load_relaxed(&a->hint[kind - 1]))
            mic_store_relaxed(&a->hint[kind - 1], segment);
        mic_purge_note_freed(s);
        done += n;
    }
}
