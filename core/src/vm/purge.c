/* Giving memory back: free slices that were handed out since they were last purged go back to the
   operating system after the purge delay. Driven by slow paths, by collect, by malloc_trim, and by
   the thread of heap/purger.h if the program wants one.

   A purger takes the slices out of the free set first, so nobody can claim them meanwhile. If
   somebody purges already, there is nothing to do unless it is forced. */
#include "base/check.h"
#include "os/os.h"
#include "rt/counters.h"
#include "rt/options.h"
#include "vm/alarm.h"
#include "vm/vm_internal.h"

static mic_lock_t purge_lock = MIC_LOCK_INIT(MIC_RANK_PURGE);
/* [atomic: hint] earliest due time, 0 = nothing is due. Whoever purges stores 0 and then looks at
   the segments, whoever frees notes the time in the segment and then looks here: sequentially
   consistent, because a thread that waits for what is due has nobody to tell it twice. The same
   holds one level below, between the time in a segment and the bits of its free slices. */
static mic_atomic(uint64_t) purge_next_ms;

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
        for (size_t i = 0; i < MIC_SEGMENT_WORDS; i++) mic_slices_clean(s, i, ~(uint64_t)0);
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

/* The slices of a word that are free and dirty are nobody else's from now on. */
static uint64_t purge_take(mic_segment_t *s, size_t word)
{
    uint64_t seen = mic_load_seqcst(&s->free[word]), taken;
    do {
        taken = seen & mic_load_relaxed(&s->dirty[word]);
    } while (taken != 0 && !mic_cas_acquire(&s->free[word], &seen, seen & ~taken));
    return taken;
}

/* `most` slices or a little more, the highest, which are used again last. Returns how many. */
static size_t purge_slices(const mic_arena_t *a, size_t segment, size_t least, size_t most)
{
    mic_segment_t *const s = &a->segments[segment];
    const uint32_t owner = mic_segment_owner(s);
    uint64_t taken[MIC_SEGMENT_WORDS] = {0}, purged[MIC_SEGMENT_WORDS] = {0};
    size_t count = 0;
    for (size_t i = MIC_SEGMENT_WORDS; i-- > 0 && count < most;) {
        taken[i] = purge_take(s, i);
        count += mic_bit_count(taken[i]);
    }
    /* with another owner it may have become memory that is given back in another way, or never */
    if (mic_segment_owner(s) == owner) purge_taken(a, segment, least, taken, purged);
    for (size_t i = 0; i < MIC_SEGMENT_WORDS; i++) {
        if (taken[i] == 0) continue;
        mic_slices_clean(s, i, purged[i]);
        mic_fetch_or_release(&s->free[i], taken[i]);
    }
    return count;
}

static void purge_segment(const mic_arena_t *a, size_t segment, bool force)
{
    mic_store_seqcst(&a->segments[segment].purge_at_ms, 0);
    if (mic_os_strict_overcommit() && purge_decommit(a, segment)) return;
    (void)purge_slices(a, segment, purge_least_bytes(force), MIC_SEGMENT_SLICES);
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
        const uint64_t due = mic_load_seqcst(&a->segments[k].purge_at_ms);
        if (due != 0 && (force || due <= now))
            purge_segment(a, k, force);
        else if (due != 0 && due < *later)
            *later = due;
    }
}

uint64_t mic_purge_next(void) { return mic_load_seqcst(&purge_next_ms); }

void mic_purge_run(bool force)
{
    const uint64_t next = mic_load_relaxed(&purge_next_ms);
    if (!force && (next == 0 || mic_os_clock_ms() < next)) return;
    if (mic_lock_passes()) return; /* a fork handler: nobody purges */
    if (force)
        mic_lock_acquire(&purge_lock); /* what another one holds is to be free when this returns */
    else if (!mic_lock_try(&purge_lock))
        return;
    const uint64_t now = mic_os_clock_ms();
    mic_count(MIC_COUNT_PURGE_ROUNDS, 1);
    mic_store_seqcst(&purge_next_ms, 0);
    uint64_t later = UINT64_MAX;
    for (uint32_t i = 0; i < mic_load_acquire(&mic_arena_count); i++)
        purge_arena(i, force, now, &later);
    uint64_t none = 0; /* somebody may have noted an earlier time meanwhile */
    if (later != UINT64_MAX && mic_cas_seqcst(&purge_next_ms, &none, later)) mic_alarm_note(later);
    mic_lock_release(&purge_lock);
    if (force) mic_program_bury();
}

/* A program that works in phases frees pages of one kind and then needs another kind, whose
   segments are others: without this it would hold both until the purge delay is over. So whoever
   takes slices that hold nothing gives back about as many of those that wait, if these are a
   sixteenth of what is in use, and faulting in what was given back last took no more than a tenth
   of the time since then.
   When more than ever is held: if it is a sixteenth more than at any giving back before, or after
   four times as long. Kinds that take turns would else make a new record with each turn, a little
   higher each time, and fault in each time what was given back for the one before. */
#define RELIEVE_MIN_SLICES (256 * MIC_KIB >> MIC_SLICE_SHIFT)
#define RELIEVE_SHARE 16
#define RELIEVE_ALL_SHARE 8           /* mic_purge_relieve */
#define RELIEVE_PART 4                /* of what waits, at least: a search takes a while */
#define RELIEVE_KIB_NS (uint64_t)8000 /* ten times what faulting in takes */
#define RELIEVE_PEAK_SHARE 16
#define RELIEVE_PEAK_TIMES 4

static mic_atomic(uint64_t) relieve_most;         /* [atomic: hint] slices: the most ever held */
static mic_atomic(uint64_t) relieve_peak;         /* [atomic: hint] the most at a giving back */
static mic_atomic(uint64_t) relieve_next_ns;      /* [atomic: hint] */
static mic_atomic(uint64_t) relieve_peak_next_ns; /* [atomic: hint] */

/* Of segments of the kind, or of the others; the highest first. Segments that arenas of the program
   have are left alone. Returns how many slices. */
static size_t relieve_arena(const mic_arena_t *a, unsigned kind, bool same, size_t want)
{
    size_t done = 0;
    for (size_t k = mic_arena_usable(a); k-- > 0 && done < want;) {
        const mic_segment_t *const s = &a->segments[k];
        if (mic_load_relaxed(&s->purge_at_ms) == 0 ||
            (mic_segment_owner(s) & MIC_OWNER_ARENA) != 0 ||
            (mic_segment_kind(s) == kind + 1) != same)
            continue;
        done += purge_slices(a, k, 0, want - done);
    }
    return done;
}

static void relieve(unsigned kind, size_t want)
{
    if (mic_lock_passes() || !mic_lock_try(&purge_lock)) return;
    mic_count(MIC_COUNT_PURGE_ROUNDS, 1);
    for (int same = 0; same < 2; same++) {
        for (uint32_t i = 0; i < mic_load_acquire(&mic_arena_count) && want > 0; i++) {
            const mic_arena_t *const a = &mic_arenas[i];
            if (mic_use_state(mic_load_acquire(&a->use)) != MIC_ARENA_READY) continue;
            want -= mic_min(want, relieve_arena(a, kind, same != 0, want));
        }
    }
    mic_lock_release(&purge_lock);
}

void mic_purge_relieve(void)
{
    if (!mic_os_strict_overcommit()) return; /* what is committed costs nothing */
    const uint64_t held = mic_load_relaxed(&mic_vm_counts.dirty_slices);
    const uint64_t used = mic_load_relaxed(&mic_vm_counts.used_slices);
    const uint64_t waiting = held - mic_min(held, used);
    if (mic_option(MIC_OPTION_PURGE_DELAY) < 0) return;
    if (waiting >= mic_max(RELIEVE_MIN_SLICES, used / RELIEVE_ALL_SHARE)) mic_purge_run(true);
}

/* `most`: more slices than ever are held. */
static bool relieve_is_due(bool most, uint64_t held, uint64_t now)
{
    if (!most) return now >= mic_load_relaxed(&relieve_next_ns);
    const uint64_t peak = mic_load_relaxed(&relieve_peak);
    return now >= mic_load_relaxed(&relieve_peak_next_ns) ||
           held > peak + peak / RELIEVE_PEAK_SHARE;
}

void mic_purge_compensate(unsigned kind, size_t count, bool fresh)
{
    const uint64_t held = mic_load_relaxed(&mic_vm_counts.dirty_slices);
    const bool most = held > mic_load_relaxed(&relieve_most);
    if (most) mic_store_relaxed(&relieve_most, held);
    if (!most && !fresh) return;
    const uint64_t used = mic_load_relaxed(&mic_vm_counts.used_slices);
    const uint64_t before = used - mic_min(used, count);
    const uint64_t waiting = held - mic_min(held, used);
    if (waiting < mic_max(RELIEVE_MIN_SLICES, before / RELIEVE_SHARE)) return;
    if (mic_option(MIC_OPTION_PURGE_DELAY) < 0 || mic_option(MIC_OPTION_PURGE_DECOMMITS) == 0)
        return;
    const uint64_t now = mic_os_clock_ns();
    if (!relieve_is_due(most, held, now)) return;
    const size_t want = mic_min(waiting, mic_max(count, waiting / RELIEVE_PART));
    const uint64_t ns = want * (MIC_SLICE_BYTES / MIC_KIB) * RELIEVE_KIB_NS;
    if (held > mic_load_relaxed(&relieve_peak)) mic_store_relaxed(&relieve_peak, held);
    mic_store_relaxed(&relieve_next_ns, now + ns);
    mic_store_relaxed(&relieve_peak_next_ns, now + ns * RELIEVE_PEAK_TIMES);
    relieve(kind, want);
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

bool mic_purge_delay(uint64_t *delay_ms)
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
    if ((mic_arena_kind(arena) & MIC_ARENA_PINNED) != 0 || !mic_purge_delay(&delay)) return;
    const uint64_t latest = mic_os_clock_ms() + delay;
    uint64_t due = mic_load_seqcst(&segment->purge_at_ms);
    if (due == 0 || due > latest) { /* the delay may have been shortened meanwhile */
        due = latest;
        mic_store_seqcst(&segment->purge_at_ms, due);
    }
    const uint64_t next = mic_load_seqcst(&purge_next_ms);
    if (next == 0 || due < next) {
        mic_store_seqcst(&purge_next_ms, due);
        mic_alarm_note(due);
    }
    if (delay == 0) mic_purge_run(false);
}

void mic_purge_pause(void) { mic_lock_acquire(&purge_lock); }
void mic_purge_resume(void) { mic_lock_release(&purge_lock); }

void mic_purge_lock_for_fork(void) { mic_lock_acquire_for_fork(&purge_lock); }

void mic_purge_unlock_after_fork(bool child) { mic_lock_release_after_fork(&purge_lock, child); }
