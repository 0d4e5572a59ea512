/* Statistics as the public struct: gathered from pages, segments and counters; see numbers.h.

   The struct is an array of 64-bit words behind its first two fields. Two more of that shape belong
   to the process: the highest peaks that were seen here, and what is left out since the last reset.
   Each word is read and written by itself: two threads that reset at the same time may leave a mix
   of both moments. */
#include "diag/numbers.h"

#include <string.h>

#include "heap/thread.h"
#include "rt/counters.h"
#include "vm/count.h"

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

static int64_t numbers_counter(mic_counter_t counter)
{
    return (int64_t)mic_load_relaxed(&mic_counters[counter]);
}

/* From what pages tell and thread heaps counted; any part of the process. */
static void numbers_start(mi_stats_t *stats, const mic_heap_counts_t *counts)
{
    mi_stats_init(stats);
    for (unsigned cls = 0; cls <= MIC_CLASS_COUNT; cls++) {
        const mic_class_count_t *const c = &counts->classes[cls];
        const unsigned bin = MIC_STATS_BIN_OF_CLASS(cls);
        stats->malloc_bins[bin] =
            (mi_stat_count_t){.total = (int64_t)c->made, .current = (int64_t)c->live};
        stats->page_bins[bin].current = (int64_t)c->pages;
        if (cls == MIC_CLASS_SPAN) continue;
        stats->malloc_normal_count.total += (int64_t)c->made;
        stats->malloc_normal.total += (int64_t)(c->made * c->block_bytes);
        stats->malloc_normal.current += (int64_t)c->live_bytes;
    }
    const mic_class_count_t *const spans = &counts->classes[MIC_CLASS_SPAN];
    stats->malloc_huge_count.total = (int64_t)spans->made;
    stats->malloc_huge.total = (int64_t)counts->totals.n[MIC_TOTAL_SPAN_BYTES];
    stats->malloc_huge.current = (int64_t)spans->live_bytes;
    stats->pages.total = (int64_t)counts->totals.n[MIC_TOTAL_PAGES];
    stats->pages.current = (int64_t)counts->pages;
    stats->page_committed.current = (int64_t)counts->page_bytes;
    stats->pages_abandoned.current = (int64_t)counts->abandoned_pages;
    stats->threads.current = (int64_t)counts->threads;
    stats->theaps.current = (int64_t)counts->theaps;
    stats->pages_extended.total = (int64_t)counts->totals.n[MIC_TOTAL_EXTENDED];
    stats->pages_retire.total = (int64_t)counts->totals.n[MIC_TOTAL_RETIRED];
    stats->page_searches.total = (int64_t)counts->totals.n[MIC_TOTAL_SEARCHED];
    stats->page_searches_count.total = (int64_t)counts->totals.n[MIC_TOTAL_SEARCHES];
}

/* The sums that follow from others. */
static void numbers_finish(mi_stats_t *stats)
{
    const mi_stat_count_t *const normal = &stats->malloc_normal, *const huge = &stats->malloc_huge;
    stats->malloc_requested =
        (mi_stat_count_t){.total = normal->total + huge->total,
                          .peak = normal->peak > huge->peak ? normal->peak : huge->peak,
                          .current = normal->current + huge->current};
}

static void numbers_of_level(mi_stat_count_t *count, mic_level_t *level)
{
    count->total = (int64_t)mic_load_relaxed(&level->made);
    count->peak = (int64_t)mic_load_relaxed(&level->peak);
}

/* Slices of a class as its pages; as they are for spans. */
static void numbers_add_slices(mi_stats_t *stats)
{
    int64_t total = 0;
    for (unsigned cls = 0; cls <= MIC_CLASS_COUNT; cls++) {
        mic_level_t *const slices = &mic_theap_class_slices[cls];
        mi_stat_count_t *const bin = &stats->page_bins[MIC_STATS_BIN_OF_CLASS(cls)];
        total += (int64_t)mic_load_relaxed(&slices->made);
        numbers_of_level(bin, slices);
        if (cls == MIC_CLASS_SPAN) break;
        mi_stat_count_t *const blocks = &stats->malloc_bins[MIC_STATS_BIN_OF_CLASS(cls)];
        blocks->peak = (int64_t)mic_load_relaxed(&mic_theap_class_blocks[cls]);
        const int64_t bytes = blocks->peak * (int64_t)mic_class_bytes(cls);
        if (stats->malloc_normal.peak < bytes) stats->malloc_normal.peak = bytes;
        bin->total /= (int64_t)mic_page_slices_of_class(cls);
        bin->peak /= (int64_t)mic_page_slices_of_class(cls);
    }
    stats->page_committed.total = total << MIC_SLICE_SHIFT;
    /* spans: bytes, and of pages and blocks their number */
    mi_stat_count_t *const spans = &stats->page_bins[MI_STAT_BIN_COUNT - 1];
    stats->malloc_huge.total = spans->total << MIC_SLICE_SHIFT;
    stats->malloc_huge.peak = spans->peak << MIC_SLICE_SHIFT;
    numbers_of_level(spans, &mic_levels[MIC_LEVEL_SPANS]);
    numbers_of_level(&stats->malloc_bins[MI_STAT_BIN_COUNT - 1], &mic_levels[MIC_LEVEL_SPANS]);
    stats->malloc_huge_count.total = spans->total;
}

static void numbers_add_segments(unsigned subproc, mi_stats_t *stats)
{
    mic_segment_counts_t counts;
    mic_segments_count(subproc, &counts);
    stats->reserved.current = (int64_t)counts.bytes;
    stats->committed.current = (int64_t)counts.committed_bytes;
    stats->segments.current = (int64_t)counts.opened;
    for (unsigned use = 0; use <= MIC_SEGMENTS_IDLE; use++)
        stats->chunk_bins[use].current = (int64_t)counts.by_use[use];
}
_Static_assert(MIC_SEGMENTS_IDLE < MI_STAT_CHUNK_BIN_COUNT, "all uses have an element");

static void numbers_add_memory(mi_stats_t *stats)
{
    mic_vm_counts_t *const vm = &mic_vm_counts;
    const int64_t reserved = (int64_t)mic_load_relaxed(&vm->reserved_bytes);
    const int64_t committed = (int64_t)mic_load_relaxed(&vm->committed_bytes);
    stats->reserved = (mi_stat_count_t){
        .total = reserved + numbers_counter(MIC_COUNT_UNRESERVED_BYTES), .current = reserved};
    stats->committed = (mi_stat_count_t){
        .total = committed + numbers_counter(MIC_COUNT_DECOMMITTED_BYTES),
        .peak = (int64_t)mic_load_relaxed(&vm->committed_peak),
        .current = committed,
    };
    stats->page_committed.peak =
        (int64_t)(mic_load_relaxed(&vm->used_slices_peak) << MIC_SLICE_SHIFT);
    stats->purged.total = (int64_t)mic_load_relaxed(&vm->purged_bytes);
    stats->commit_calls.total = (int64_t)mic_load_relaxed(&vm->commit_calls);
    stats->purge_calls.total = (int64_t)mic_load_relaxed(&vm->purge_calls);
    stats->mmap_calls.total =
        (int64_t)mic_load_relaxed(&vm->reserve_calls) + numbers_counter(MIC_COUNT_MMAP_CALLS);
    stats->arena_count.total = (int64_t)mic_load_relaxed(&mic_arena_count);
    stats->reset.total = numbers_counter(MIC_COUNT_RESET_BYTES);
    stats->reset_calls.total = numbers_counter(MIC_COUNT_RESET_CALLS);
    stats->arena_rollback_count.total = numbers_counter(MIC_COUNT_CLAIM_ROLLBACKS);
    stats->malloc_guarded_count.total = numbers_counter(MIC_COUNT_GUARDED);
    stats->arena_purges.total = numbers_counter(MIC_COUNT_PURGE_ROUNDS);
}

/* Counted for the whole process where it happens; told with the main sub-process. */
static void numbers_add_process(mi_stats_t *stats)
{
    numbers_add_slices(stats);
    numbers_add_segments(mic_subproc_main.index, stats);
    numbers_add_memory(stats); /* all that is reserved, not only in segments */
    numbers_of_level(&stats->pages, &mic_levels[MIC_LEVEL_PAGES]);
    numbers_of_level(&stats->threads, &mic_levels[MIC_LEVEL_THREADS]);
    numbers_of_level(&stats->heaps, &mic_levels[MIC_LEVEL_HEAPS]);
    numbers_of_level(&stats->theaps, &mic_levels[MIC_LEVEL_THEAPS]);
    stats->pages_abandoned.total = numbers_counter(MIC_COUNT_PAGES_ABANDONED);
    stats->pages_reclaim_on_alloc.total = numbers_counter(MIC_COUNT_RECLAIM_ON_ALLOC);
    stats->pages_reclaim_on_free.total = numbers_counter(MIC_COUNT_RECLAIM_ON_FREE);
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
    count_order(stats, count);
    mic_peak_up(seen, (uint64_t)count->peak);
    count->peak = (int64_t)mic_load_relaxed(seen);
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
    /* who reset saw its own blocks exactly; others see them as of its last slow path */
    if (counter->total < 0) counter->total = 0;
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

/* ---- parts of the process ---- */

static void numbers_each_order(mi_stats_t *stats)
{
    numbers_finish(stats);
    numbers_each(stats, count_order, counter_keep);
}

void mic_stats_of_heap(mic_heap_t *heap, mi_stats_t *stats)
{
    mic_heap_counts_t counts;
    mic_heap_count_one(heap, &counts);
    numbers_start(stats, &counts);
    stats->heaps.current = 1;
    numbers_each_order(stats);
}

mic_racy_read static int64_t numbers_heaps_seen(const mic_subproc_t *subproc)
{
    return 1 + *(const volatile int64_t *)&subproc->heap_count; /* the main one */
}

/* since the start of the process */
static void numbers_of_main(mi_stats_t *stats)
{
    mic_heap_counts_t counts;
    mic_heap_count_subproc(&mic_subproc_main, &counts);
    numbers_start(stats, &counts);
    numbers_add_process(stats);
    stats->heaps.current = numbers_heaps_seen(&mic_subproc_main);
    numbers_finish(stats);
    numbers_each(stats, count_remember, counter_keep);
}

void mic_stats_of_subproc(const mic_subproc_t *subproc, mi_stats_t *stats)
{
    if (subproc == &mic_subproc_main) {
        numbers_of_main(stats);
        numbers_each(stats, count_since_reset, counter_since_reset);
        return;
    }
    mic_heap_counts_t counts;
    mic_heap_count_subproc(subproc, &counts);
    numbers_start(stats, &counts);
    numbers_add_segments(subproc->index, stats);
    stats->heaps.current = numbers_heaps_seen(subproc);
    numbers_each_order(stats);
}

void mic_stats_outside_heaps(const mic_subproc_t *subproc, mi_stats_t *stats)
{
    mic_heap_counts_t counts;
    mi_stats_t gone;
    mic_heap_count_gone(subproc, &counts);
    numbers_start(&gone, &counts);
    numbers_each_order(&gone);
    mic_stats_of_subproc(subproc, stats);
    stats->pages = gone.pages;
    stats->page_committed = gone.page_committed;
    stats->malloc_normal = gone.malloc_normal;
    stats->malloc_huge = gone.malloc_huge;
    stats->malloc_requested = gone.malloc_requested;
    stats->malloc_normal_count = gone.malloc_normal_count;
    stats->malloc_huge_count = gone.malloc_huge_count;
    stats->pages_extended = gone.pages_extended;
    stats->pages_retire = gone.pages_retire;
    stats->page_searches = gone.page_searches;
    stats->page_searches_count = gone.page_searches_count;
    memcpy(stats->malloc_bins, gone.malloc_bins, sizeof gone.malloc_bins);
    memcpy(stats->page_bins, gone.page_bins, sizeof gone.page_bins);
}

void mic_stats_reset(void)
{
    mi_stats_t stats;
    numbers_of_main(&stats);
    numbers_each(&stats, count_reset, counter_reset);
    for (int i = 0; i < MIC_LEVEL_COUNT; i++) mic_level_restart(&mic_levels[i]);
    for (unsigned cls = 0; cls <= MIC_CLASS_COUNT; cls++)
        mic_level_restart(&mic_theap_class_slices[cls]);
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++)
        mic_store_relaxed(&mic_theap_class_blocks[cls], 0);
    mic_vm_counts_t *const vm = &mic_vm_counts;
    mic_store_relaxed(&vm->committed_peak, mic_load_relaxed(&vm->committed_bytes));
    mic_store_relaxed(&vm->used_slices_peak, mic_load_relaxed(&vm->used_slices));
}
