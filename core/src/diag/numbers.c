/* Statistics as the public struct: gathered from pages, segments and counters; see numbers.h.

   The struct is an array of 64-bit words behind its first two fields. Two more of that shape belong
   to the process: the highest peaks that were seen here, and what is left out since the last reset.
   Each word is read and written by itself: two threads that reset at the same time may leave a mix
   of both moments. */
#include "diag/numbers.h"

#include <string.h>

#include "heap/thread.h"
#include "rt/counters.h"
#include "vm/arena.h"

#define NUMBERS_WORDS ((sizeof(mi_stats_t) - offsetof(mi_stats_t, pages)) / sizeof(int64_t))

static mic_atomic(uint64_t) numbers_seen[NUMBERS_WORDS]; /* [atomic: relaxed] peaks */
static mic_atomic(uint64_t) numbers_base[NUMBERS_WORDS]; /* [atomic: relaxed] totals at reset */

bool mic_stats_is_ours(const mi_stats_t *stats)
{
    return stats != NULL && stats->size == sizeof *stats && stats->version == MI_STAT_VERSION;
}

size_t mic_stats_bin_bytes(size_t bin)
{
    return bin >= 1 && bin <= MIC_CLASS_COUNT ? mic_class_bytes((unsigned)bin - 1) : 0;
}

/* ---- gathering ---- */

static mi_stat_count_t numbers_of_level(mic_level_t *level, size_t now)
{
    return (mi_stat_count_t){.total = (int64_t)mic_load_relaxed(&level->made),
                             .peak = (int64_t)mic_load_relaxed(&level->peak),
                             .current = (int64_t)now};
}

static int64_t numbers_counter(mic_counter_t counter)
{
    return (int64_t)mic_load_relaxed(&mic_counters[counter]);
}

/* Pages and blocks of each class, and their sums; spans are filled in from levels. */
static void numbers_add_classes(mi_stats_t *stats, const mic_heap_counts_t *counts)
{
    for (unsigned cls = 0; cls <= MIC_CLASS_COUNT; cls++) {
        const mic_class_count_t *const c = &counts->classes[cls];
        const unsigned bin = MIC_STATS_BIN_OF_CLASS(cls);
        const int64_t live = (int64_t)c->live, bytes = (int64_t)c->live_bytes;
        stats->malloc_bins[bin].current = live;
        stats->page_bins[bin].current = (int64_t)c->pages;
        mi_stat_count_t *const sum =
            cls == MIC_CLASS_SPAN ? &stats->malloc_huge : &stats->malloc_normal;
        sum->current += bytes;
        stats->malloc_requested.current += bytes;
    }
    stats->pages.current = (int64_t)counts->pages;
    stats->page_committed.current = (int64_t)counts->page_bytes;
}

/* In use for a kind of pages: its number; 4: set aside for spans to grow into; 5: idle. */
static unsigned numbers_chunk_bin(const mic_segment_t *s, size_t slices)
{
    size_t used = slices;
    for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++)
        used -= mic_min(used, mic_bit_count(mic_load_relaxed(&s->free[w])));
    const uint32_t kind = mic_segment_kind(s);
    if (used == 0) return kind > MIC_PAGE_KINDS ? 4 : 5;
    return kind == 0 || kind > MIC_PAGE_KINDS ? MIC_PAGE_SPAN : kind - 1;
}

static void numbers_add_segments(mi_stats_t *stats)
{
    const uint32_t arenas = mic_load_acquire(&mic_arena_count);
    for (uint32_t i = 0; i < arenas; i++) {
        const mic_arena_t *const a = &mic_arenas[i];
        const size_t opened = mic_load_acquire(&a->opened);
        stats->segments.current += (int64_t)opened;
        for (size_t k = 0; k < opened; k++) {
            const size_t left = a->slice_count - k * MIC_SEGMENT_SLICES;
            const size_t slices = mic_min(left, MIC_SEGMENT_SLICES);
            stats->chunk_bins[numbers_chunk_bin(&a->segments[k], slices)].current++;
        }
    }
    stats->arena_count.total = arenas;
}

static void numbers_add_memory(mi_stats_t *stats)
{
    mic_vm_counts_t *const vm = &mic_vm_counts;
    stats->reserved.current = (int64_t)mic_load_relaxed(&vm->reserved_bytes);
    stats->reserved.total = stats->reserved.current + numbers_counter(MIC_COUNT_UNRESERVED_BYTES);
    stats->committed = (mi_stat_count_t){
        .total = (int64_t)mic_load_relaxed(&vm->committed_bytes) +
                 numbers_counter(MIC_COUNT_DECOMMITTED_BYTES),
        .peak = (int64_t)mic_load_relaxed(&vm->committed_peak),
        .current = (int64_t)mic_load_relaxed(&vm->committed_bytes),
    };
    stats->page_committed.peak =
        (int64_t)(mic_load_relaxed(&vm->used_slices_peak) << MIC_SLICE_SHIFT);
    stats->purged.total = (int64_t)mic_load_relaxed(&vm->purged_bytes);
    stats->commit_calls.total = (int64_t)mic_load_relaxed(&vm->commit_calls);
    stats->purge_calls.total = (int64_t)mic_load_relaxed(&vm->purge_calls);
    stats->reset.total = numbers_counter(MIC_COUNT_RESET_BYTES);
    stats->reset_calls.total = numbers_counter(MIC_COUNT_RESET_CALLS);
    stats->mmap_calls.total = numbers_counter(MIC_COUNT_MMAP_CALLS);
    stats->arena_rollback_count.total = numbers_counter(MIC_COUNT_CLAIM_ROLLBACKS);
    stats->arena_purges.total = numbers_counter(MIC_COUNT_PURGE_ROUNDS);
}

/* Counted for the whole process where it happens. */
static void numbers_add_counted(mi_stats_t *stats, const mic_heap_counts_t *counts)
{
    stats->pages = numbers_of_level(&mic_levels[MIC_LEVEL_PAGES], counts->pages);
    const mi_stat_count_t spans =
        numbers_of_level(&mic_levels[MIC_LEVEL_SPANS], counts->classes[MIC_CLASS_SPAN].pages);
    stats->malloc_bins[MI_STAT_BIN_COUNT - 1] = spans;
    stats->page_bins[MI_STAT_BIN_COUNT - 1] = spans;
    stats->malloc_huge_count.total = spans.total;
    stats->threads = numbers_of_level(&mic_levels[MIC_LEVEL_THREADS], counts->threads);
    stats->heaps =
        numbers_of_level(&mic_levels[MIC_LEVEL_HEAPS], mic_level_now(&mic_levels[MIC_LEVEL_HEAPS]));
    stats->theaps = numbers_of_level(&mic_levels[MIC_LEVEL_THEAPS],
                                     mic_level_now(&mic_levels[MIC_LEVEL_THEAPS]));
    stats->pages_abandoned.total = numbers_counter(MIC_COUNT_PAGES_ABANDONED);
    stats->pages_reclaim_on_alloc.total = numbers_counter(MIC_COUNT_RECLAIM_ON_ALLOC);
    stats->pages_reclaim_on_free.total = numbers_counter(MIC_COUNT_RECLAIM_ON_FREE);
    stats->heaps_delete_wait.total = numbers_counter(MIC_COUNT_HEAP_DELETE_WAITS);
}

/* ---- every field ---- */

typedef void numbers_count_fun(const mi_stats_t *stats, mi_stat_count_t *count);
typedef void numbers_counter_fun(const mi_stats_t *stats, mi_stat_counter_t *counter);

#define NUMBERS_COUNT(name) on_count(stats, &stats->name);
#define NUMBERS_COUNTER(name) on_counter(stats, &stats->name);

static void numbers_each(mi_stats_t *stats, numbers_count_fun *on_count,
                         numbers_counter_fun *on_counter)
{
    MIC_STATS_FIELDS(NUMBERS_COUNT, NUMBERS_COUNTER)
    for (size_t i = 0; i < MI_STAT_BIN_COUNT; i++) {
        on_count(stats, &stats->malloc_bins[i]);
        on_count(stats, &stats->page_bins[i]);
    }
    for (size_t i = 0; i < MI_STAT_CHUNK_BIN_COUNT; i++) on_count(stats, &stats->chunk_bins[i]);
}

/* Of this process: the word behind a field. */
static mic_atomic(uint64_t) *numbers_of(mic_atomic(uint64_t) words[NUMBERS_WORDS],
                                        const mi_stats_t *stats, const void *field)
{
    const size_t bytes = (size_t)((const char *)field - (const char *)&stats->pages);
    return &words[bytes / sizeof(int64_t)];
}

/* Numbers that were read one after the other may contradict each other a little. */
static void count_order(const mi_stats_t *stats, mi_stat_count_t *count)
{
    (void)stats;
    if (count->peak < count->current) count->peak = count->current;
    if (count->total < count->peak) count->total = count->peak;
}

/* Peaks that are not counted where they happen have at least been seen. */
static void count_remember(const mi_stats_t *stats, mi_stat_count_t *count)
{
    mic_atomic(uint64_t) *const seen = numbers_of(numbers_seen, stats, &count->peak);
    uint64_t peak = mic_load_relaxed(seen);
    count_order(stats, count);
    while ((uint64_t)count->peak > peak && !mic_cas_acquire(seen, &peak, (uint64_t)count->peak)) {
    }
    count->peak = (int64_t)mic_max((size_t)count->peak, peak);
    count_order(stats, count);
}

static void count_since_reset(const mi_stats_t *stats, mi_stat_count_t *count)
{
    count->total -= (int64_t)mic_load_relaxed(numbers_of(numbers_base, stats, &count->total));
    count_order(stats, count);
}

static void counter_since_reset(const mi_stats_t *stats, mi_stat_counter_t *counter)
{
    counter->total -= (int64_t)mic_load_relaxed(numbers_of(numbers_base, stats, &counter->total));
}

static void count_reset(const mi_stats_t *stats, mi_stat_count_t *count)
{
    mic_store_relaxed(numbers_of(numbers_seen, stats, &count->peak), (uint64_t)count->current);
    mic_store_relaxed(numbers_of(numbers_base, stats, &count->total),
                      (uint64_t)(count->total - count->current));
}

static void counter_reset(const mi_stats_t *stats, mi_stat_counter_t *counter)
{
    mic_store_relaxed(numbers_of(numbers_base, stats, &counter->total), (uint64_t)counter->total);
}

static void counter_keep(const mi_stats_t *stats, mi_stat_counter_t *counter)
{
    (void)stats;
    (void)counter;
}

/* ---- the process ---- */

/* since its start */
static void numbers_of_process(mi_stats_t *stats)
{
    mic_heap_counts_t counts;
    mic_heap_count(&counts);
    mi_stats_init(stats);
    numbers_add_classes(stats, &counts);
    numbers_add_segments(stats);
    numbers_add_memory(stats);
    numbers_add_counted(stats, &counts);
    numbers_each(stats, count_remember, counter_keep);
}

void mic_stats_of_process(mi_stats_t *stats)
{
    numbers_of_process(stats);
    numbers_each(stats, count_since_reset, counter_since_reset);
}

void mic_stats_reset(void)
{
    mi_stats_t stats;
    numbers_of_process(&stats);
    numbers_each(&stats, count_reset, counter_reset);
    for (int i = 0; i < MIC_LEVEL_COUNT; i++) mic_level_restart(&mic_levels[i]);
    for (unsigned cls = 0; cls <= MIC_CLASS_COUNT; cls++)
        mic_store_relaxed(&mic_theap_class_pages[cls].peak,
                          mic_load_relaxed(&mic_theap_class_pages[cls].now));
    mic_vm_counts_t *const vm = &mic_vm_counts;
    mic_store_relaxed(&vm->committed_peak, mic_load_relaxed(&vm->committed_bytes));
    mic_store_relaxed(&vm->used_slices_peak, mic_load_relaxed(&vm->used_slices));
}
