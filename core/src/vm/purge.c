/* Giving memory back: free slices that were handed out since they were last purged go back to the
   operating system after the purge delay. Driven by slow paths, by collect, by malloc_trim.

   A purger takes the slices out of the free set first, so nobody can claim them meanwhile. The
   purge lock is only ever tried: if somebody purges already, there is nothing to do. */
#include "base/check.h"
#include "os/os.h"
#include "rt/counters.h"
#include "rt/options.h"
#include "vm/vm_internal.h"

static mic_atomic(uint32_t) purge_running; /* [atomic: try-lock] */
static mic_atomic(uint64_t)
    purge_next_ms; /* [atomic: hint] earliest due time, 0 = nothing is due */

/* Runs of bits in eight words. */
static bool purge_next_run(const uint64_t bits[MIC_SEGMENT_WORDS], size_t *first, size_t *count)
{
    size_t i = *first + *count;
    while (i < MIC_SEGMENT_SLICES && (bits[i >> 6] >> (i & 63) & 1) == 0) i++;
    if (i >= MIC_SEGMENT_SLICES) return false;
    *first = i;
    while (i < MIC_SEGMENT_SLICES && (bits[i >> 6] >> (i & 63) & 1) != 0) i++;
    *count = i - *first;
    return true;
}

/* Where commits are charged a wholly free segment is given back completely. Its slices are taken
   meanwhile; whoever claims them next commits anew. */
static bool purge_decommit(const mic_arena_t *a, size_t segment)
{
    mic_segment_t *const s = &a->segments[segment];
    const size_t slices = mic_segment_slices(a, segment);
    const uint32_t owner = mic_segment_owner(s);
    if ((mic_arena_kind(a) & MIC_ARENA_GIVEN) != 0 || !mic_slices_claim(s, 0, slices)) return false;
    if (mic_segment_owner(s) != owner) {
        mic_slices_unclaim(s, 0, slices);
        return false;
    }
    mic_lock_acquire(&mic_arena_lock);
    const size_t bytes = (size_t)mic_load_relaxed(&s->committed) << MIC_SLICE_SHIFT;
    char *const start = (char *)a->base + segment * MIC_SEGMENT_BYTES;
    const bool ok = bytes == 0 || mic_os_decommit(start, bytes) == 0;
    if (ok) {
        mic_store_relaxed(&s->committed, 0);
        mic_store_relaxed(&s->unknown, 0);
        for (size_t i = 0; i < MIC_SEGMENT_WORDS; i++) mic_store_relaxed(&s->dirty[i], 0);
        for (size_t i = 0; i < MIC_ENDS_WORDS; i++) mic_store_relaxed(&s->ends[i], 0);
        mic_uncount_committed(bytes);
        mic_fetch_add_relaxed(&mic_vm_counts.purged_bytes, bytes);
        mic_fetch_add_relaxed(&mic_vm_counts.purge_calls, 1);
        mic_count(MIC_COUNT_MMAP_CALLS, 1);
        mic_arena_advise(start, bytes);
    } else {
        mic_purge_when_forced(s);
    }
    mic_lock_release(&mic_arena_lock);
    mic_slices_unclaim(s, 0, slices);
    return ok;
}

#define PURGE_HUGE_PAGE (2 * MIC_MIB)

/* A run of free slices that is shorter stays until it is longer or somebody forces it. */
static size_t purge_least_bytes(bool force)
{
    const long least_kib = mic_option(MIC_OPTION_MINIMAL_PURGE_SIZE);
    if (force) return 0;
    if (least_kib > 0) return mic_min((size_t)least_kib, MIC_SIZE_MAX / MIC_KIB) * MIC_KIB;
    return mic_option(MIC_OPTION_ALLOW_THP) == 2 ? PURGE_HUGE_PAGE : 0;
}

/* The slices that were taken are given back; bits of `purged`: they are clean now. */
static void purge_taken(const mic_arena_t *a, size_t segment, size_t least,
                        const uint64_t taken[MIC_SEGMENT_WORDS], uint64_t purged[MIC_SEGMENT_WORDS])
{
    for (size_t first = 0, count = 0; purge_next_run(taken, &first, &count);) {
        const size_t bytes = count << MIC_SLICE_SHIFT;
        if (bytes < least) {
            mic_purge_when_forced(&a->segments[segment]);
            continue;
        }
        if (!mic_slices_give_back(a, segment, first, count)) continue;
        mic_fetch_add_relaxed(&mic_vm_counts.purged_bytes, bytes);
        for (size_t i = first; i < first + count; i++) purged[i >> 6] |= (uint64_t)1 << (i & 63);
    }
}

static void purge_segment(const mic_arena_t *a, size_t segment, bool force)
{
    mic_segment_t *const s = &a->segments[segment];
    const uint32_t owner = mic_segment_owner(s);
    uint64_t taken[MIC_SEGMENT_WORDS];
    mic_store_relaxed(&s->purge_at_ms, 0);
    if (mic_os_strict_overcommit() && purge_decommit(a, segment)) return;
    for (size_t i = 0; i < MIC_SEGMENT_WORDS; i++) {
        uint64_t seen = mic_load_relaxed(&s->free[i]);
        do {
            taken[i] = seen & mic_load_relaxed(&s->dirty[i]);
        } while (taken[i] != 0 && !mic_cas_acquire(&s->free[i], &seen, seen & ~taken[i]));
    }
    uint64_t purged[MIC_SEGMENT_WORDS] = {0};
    /* with another owner it may have become memory that is given back in another way, or never */
    if (mic_segment_owner(s) == owner)
        purge_taken(a, segment, purge_least_bytes(force), taken, purged);
    for (size_t i = 0; i < MIC_SEGMENT_WORDS; i++) {
        if (taken[i] == 0) continue;
        mic_fetch_and_relaxed(&s->dirty[i], ~purged[i]);
        mic_fetch_or_release(&s->free[i], taken[i]);
    }
}

/* Everything of an arena that is due; *later: when the next is. Segments of arena 0 that are
   another arena's are looked at as that one's. */
static void purge_arena(unsigned index, bool force, uint64_t now, uint64_t *later)
{
    const mic_arena_t *const a = &mic_arenas[index];
    const mic_arena_state_t state = mic_use_state(mic_load_acquire(&a->use));
    if (state != MIC_ARENA_READY && state != MIC_ARENA_DYING) return;
    const size_t opened = mic_arena_usable(a);
    for (size_t k = 0; k < opened; k++) {
        const uint32_t owner = mic_segment_owner(&a->segments[k]);
        if ((owner & MIC_OWNER_ARENA) != 0 && owner != (MIC_OWNER_ARENA | index)) continue;
        const uint64_t due = mic_load_relaxed(&a->segments[k].purge_at_ms);
        if (due != 0 && (force || due <= now))
            purge_segment(a, k, force);
        else if (due != 0 && due < *later)
            *later = due;
    }
}

void mic_purge_run(bool force)
{
    const uint64_t next = mic_load_relaxed(&purge_next_ms);
    if (!force && (next == 0 || mic_os_clock_ms() < next)) return;
    while (mic_exchange_acquire(&purge_running, 1) != 0) {
        if (!force || mic_lock_passes()) return; /* a fork handler: it is our own */
        mic_os_yield(); /* what the other one holds is to be free when this returns */
    }
    const uint64_t now = mic_os_clock_ms();
    mic_count(MIC_COUNT_PURGE_ROUNDS, 1);
    mic_store_relaxed(&purge_next_ms, 0);
    uint64_t later = UINT64_MAX;
    for (uint32_t i = 0; i < mic_load_acquire(&mic_arena_count); i++)
        purge_arena(i, force, now, &later);
    uint64_t none = 0; /* somebody may have noted an earlier time meanwhile */
    if (later != UINT64_MAX) (void)mic_cas_acquire(&purge_next_ms, &none, later);
    (void)mic_exchange_release(&purge_running, 0);
    if (force) mic_program_bury();
}

/* A program that works in phases frees pages of one kind and then needs another kind, whose
   segments are others: without this it would hold both until the purge delay is over. */
#define RELIEVE_MIN_SLICES (256 * MIC_KIB >> MIC_SLICE_SHIFT)
#define RELIEVE_SHARE 8

void mic_purge_relieve(void)
{
    if (mic_option(MIC_OPTION_PURGE_DELAY) < 0) return;
    const uint64_t used = mic_load_relaxed(&mic_vm_counts.used_slices);
    size_t waiting = 0;
    for (uint32_t i = 0; i < mic_load_acquire(&mic_arena_count); i++) {
        const mic_arena_t *const a = &mic_arenas[i];
        const size_t opened = mic_load_acquire(&a->opened); /* arena 0's has its parts' */
        for (size_t k = 0; k < opened; k++) {
            const mic_segment_t *const s = &a->segments[k];
            if (mic_load_relaxed(&s->purge_at_ms) == 0) continue;
            for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++)
                waiting +=
                    mic_bit_count(mic_load_relaxed(&s->free[w]) & mic_load_relaxed(&s->dirty[w]));
        }
    }
    if (waiting >= mic_max(RELIEVE_MIN_SLICES, used / RELIEVE_SHARE)) mic_purge_run(true);
}

bool mic_purge_at_once(mic_run_t run)
{
    const size_t bytes = (size_t)run.count << MIC_SLICE_SHIFT;
    if (run.count <= MIC_SEGMENT_SLICES || !mic_arena_is_ordinary(run.arena)) return false;
    if (mic_option(MIC_OPTION_PURGE_DELAY) < 0 || mic_option(MIC_OPTION_PURGE_DECOMMITS) == 0)
        return false;
    mic_fetch_add_relaxed(&mic_vm_counts.purge_calls, 1);
    if (mic_os_purge(mic_run_start(run), bytes) != 0) return false;
    mic_fetch_add_relaxed(&mic_vm_counts.purged_bytes, bytes);
    return true;
}

/* false: never */
static bool purge_delay_ms(uint64_t *delay_ms)
{
    const long delay = mic_option(MIC_OPTION_PURGE_DELAY);
    const long factor = mic_option(MIC_OPTION_ARENA_PURGE_MULT);
    if (delay < 0 || factor < 0) return false;
    return !__builtin_mul_overflow((uint64_t)delay, (uint64_t)factor, delay_ms) &&
           *delay_ms <= UINT64_MAX / 2;
}

void mic_purge_note_freed(const mic_arena_t *arena, mic_segment_t *segment)
{
    uint64_t delay;
    if ((mic_arena_kind(arena) & MIC_ARENA_PINNED) != 0 || !purge_delay_ms(&delay)) return;
    const uint64_t latest = mic_os_clock_ms() + delay;
    uint64_t due = mic_load_relaxed(&segment->purge_at_ms);
    if (due == 0 || due > latest) { /* the delay may have been shortened meanwhile */
        due = latest;
        mic_store_relaxed(&segment->purge_at_ms, due);
    }
    const uint64_t next = mic_load_relaxed(&purge_next_ms);
    if (next == 0 || due < next) mic_store_relaxed(&purge_next_ms, due);
    if (delay == 0) mic_purge_run(false);
}

void mic_purge_pause(void)
{
    while (mic_exchange_acquire(&purge_running, 1) != 0) mic_os_yield();
}

void mic_purge_resume(void) { (void)mic_exchange_release(&purge_running, 0); }
