/* core/src/diag/numbers.c: what the struct says after known operations. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diag/numbers.h"
#include "heap/thread.h"
#include "page/canary.h"
#include "rt/options.h"
#include "vm/arena.h"

enum { BLOCKS = 5000 };
static void *blocks[BLOCKS];

static mi_stats_t get(void)
{
    mi_stats_t stats;
    mic_stats_of_subproc(&mic_subproc_main, &stats);
    return stats;
}

static unsigned class_of(size_t bytes) { return mic_class_of(bytes + MIC_CANARY_BYTES); }
static unsigned bin_of(size_t bytes) { return MIC_STATS_BIN_OF_CLASS(class_of(bytes)); }

static int64_t grown(const mi_stat_count_t *after, const mi_stat_count_t *before)
{
    return after->current - before->current;
}

static void bins_have_the_sizes_of_classes(void **state)
{
    (void)state;
    assert_int_equal(mic_stats_bin_bytes(0), 0);
    size_t last = 0;
    for (size_t bin = 1; bin <= MIC_CLASS_COUNT; bin++) {
        assert_true(mic_stats_bin_bytes(bin) > last);
        last = mic_stats_bin_bytes(bin);
        assert_int_equal(bin_of(last - MIC_CANARY_BYTES), bin);
        assert_int_equal(mic_good_size(last - MIC_CANARY_BYTES), last - MIC_CANARY_BYTES);
    }
    assert_int_equal(last, MIC_LARGE_BLOCK_MAX);
    for (size_t bin = MIC_CLASS_COUNT + 1; bin < 80; bin++)
        assert_int_equal(mic_stats_bin_bytes(bin), 0);
    assert_int_equal(mic_stats_bin_bytes(SIZE_MAX), 0);
}

/* total, peak and current never contradict each other */
static void check_count(const mi_stat_count_t *count)
{
    assert_true(count->current >= 0);
    assert_true(count->peak >= count->current);
    assert_true(count->total >= count->peak);
}

static void check_order(const mi_stats_t *stats)
{
#define CHECK(name) check_count(&stats->name);
#define POSITIVE(name) assert_true(stats->name.total >= 0);
    MIC_STATS_FIELDS(CHECK, POSITIVE)
    for (size_t i = 0; i < MI_STAT_BIN_COUNT; i++) {
        check_count(&stats->malloc_bins[i]);
        check_count(&stats->page_bins[i]);
    }
    for (size_t i = 0; i < MI_STAT_CHUNK_BIN_COUNT; i++) check_count(&stats->chunk_bins[i]);
}

/* each allocation and each block in use, for sizes of every kind of page */
static void blocks_are_counted_one_by_one(void **state)
{
    (void)state;
    static const size_t sizes[] = {16, 100, 1024, 1100, 5000, 20000, 200000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t n = sizes[s] > 10000 ? 60 : BLOCKS;
        const unsigned bin = bin_of(sizes[s]);
        const int64_t bytes = (int64_t)(n * mic_class_bytes(class_of(sizes[s])));
        const mi_stats_t before = get();
        for (size_t i = 0; i < n; i++) blocks[i] = mic_malloc(sizes[s]);
        const mi_stats_t full = get();
        assert_int_equal(grown(&full.malloc_bins[bin], &before.malloc_bins[bin]), n);
        assert_int_equal(full.malloc_bins[bin].total - before.malloc_bins[bin].total, n);
        assert_int_equal(full.malloc_normal_count.total - before.malloc_normal_count.total, n);
        assert_int_equal(grown(&full.malloc_normal, &before.malloc_normal), bytes);
        assert_int_equal(full.malloc_normal.total - before.malloc_normal.total, bytes);
        check_order(&full);
        for (size_t i = 0; i < n; i += 2) mic_free(blocks[i]);
        const mi_stats_t half = get();
        assert_int_equal(grown(&half.malloc_bins[bin], &before.malloc_bins[bin]), n / 2);
        assert_int_equal(half.malloc_bins[bin].total - before.malloc_bins[bin].total, n);
        for (size_t i = 0; i < n; i += 2) blocks[i] = mic_malloc(sizes[s]);
        for (size_t i = 0; i < n; i++) mic_free(blocks[i]);
        const mi_stats_t empty = get();
        assert_int_equal(grown(&empty.malloc_bins[bin], &before.malloc_bins[bin]), 0);
        assert_int_equal(empty.malloc_bins[bin].total - before.malloc_bins[bin].total, n + n / 2);
        assert_true(empty.malloc_bins[bin].peak >= full.malloc_bins[bin].current);
        check_order(&empty);
    }
}

/* nobody asked while they were in use */
static void peaks_are_known_to_a_page(void **state)
{
    (void)state;
    const size_t page = MIC_SLICE_BYTES / 304 + 1;
    mic_stats_reset();
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mic_malloc(304);
    for (size_t i = 0; i < BLOCKS; i++) mic_free(blocks[i]);
    const mi_stats_t stats = get();
    const int64_t peak = stats.malloc_bins[bin_of(304)].peak;
    assert_in_range(peak, BLOCKS - page, BLOCKS);
    assert_true(stats.malloc_normal.peak >= peak * 304);
}

static void spans_are_counted_with_their_bytes(void **state)
{
    (void)state;
    const unsigned bin = MI_STAT_BIN_COUNT - 1;
    const mi_stats_t before = get();
    char *p = mic_malloc(3 * MIC_MIB);
    void *const q = mic_malloc(MIC_MIB);
    const mi_stats_t two = get();
    assert_int_equal(grown(&two.malloc_bins[bin], &before.malloc_bins[bin]), 2);
    assert_int_equal(grown(&two.malloc_huge, &before.malloc_huge), 4 * MIC_MIB);
    assert_int_equal(two.malloc_huge_count.total - before.malloc_huge_count.total, 2);
    assert_int_equal(two.malloc_normal_count.total, before.malloc_normal_count.total);
    p = mic_realloc(p, 2 * MIC_MIB, false);
    const mi_stats_t less = get();
    assert_int_equal(grown(&less.malloc_huge, &before.malloc_huge), 3 * MIC_MIB);
    assert_true(less.malloc_huge.peak >= two.malloc_huge.current);
    mic_free(p);
    mic_free(q);
    const mi_stats_t none = get();
    assert_int_equal(grown(&none.malloc_bins[bin], &before.malloc_bins[bin]), 0);
    assert_int_equal(grown(&none.malloc_huge, &before.malloc_huge), 0);
    assert_true(none.malloc_huge.total - before.malloc_huge.total >= (int64_t)(4 * MIC_MIB));
    assert_true(none.page_bins[bin].peak >= 2);
    check_order(&none);
}

static void *work(void *arg)
{
    (void)arg;
    void *kept = mic_malloc(240);
    for (int i = 0; i < 999; i++) mic_free(mic_malloc(240));
    return kept;
}

static void threads_that_ended_are_counted_exactly(void **state)
{
    (void)state;
    const unsigned bin = bin_of(240);
    const mi_stats_t before = get();
    void *kept[3];
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
        assert_int_equal(pthread_join(thread, &kept[i]), 0);
    }
    const mi_stats_t after = get();
    assert_int_equal(after.malloc_bins[bin].total - before.malloc_bins[bin].total, 3000);
    assert_int_equal(grown(&after.malloc_bins[bin], &before.malloc_bins[bin]), 3);
    assert_int_equal(after.threads.total - before.threads.total, 3);
    assert_int_equal(grown(&after.threads, &before.threads), 0);
    assert_true(after.threads.peak >= 2);
    assert_true(after.pages_abandoned.current > 0);
    assert_true(after.pages_abandoned.total > before.pages_abandoned.total);
    check_order(&after);
    for (int i = 0; i < 3; i++) mic_free(kept[i]);
    const mi_stats_t end = get();
    assert_int_equal(grown(&end.malloc_bins[bin], &before.malloc_bins[bin]), 0);
}

static void memory_is_counted_as_it_comes_and_goes(void **state)
{
    (void)state;
    mic_collect(true); /* empty pages of the parts before would be released meanwhile */
    const mi_stats_t before = get();
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = mic_malloc(100000);
        memset(blocks[i], 1, 100000);
    }
    const mi_stats_t full = get();
    assert_true(grown(&full.pages, &before.pages) >= 5);
    assert_true(full.pages.total > before.pages.total);
    assert_true(grown(&full.page_committed, &before.page_committed) >= 200 * 100000);
    assert_true(full.committed.current >= full.page_committed.current);
    assert_true(full.reserved.current >= full.committed.current);
    assert_true(full.mmap_calls.total > 0 && full.commit_calls.total > 0);
    assert_true(full.segments.current > 0);
    assert_int_equal(full.chunk_bins[0].current + full.chunk_bins[1].current +
                         full.chunk_bins[2].current + full.chunk_bins[3].current +
                         full.chunk_bins[4].current + full.chunk_bins[5].current,
                     full.segments.current);
    assert_true(full.chunk_bins[MIC_PAGE_LARGE].current > 0);
    for (size_t i = 0; i < 200; i++) mic_free(blocks[i]);
    mic_collect(true);
    const mi_stats_t empty = get();
    assert_true(empty.purged.total - before.purged.total >= 200 * 100000);
    assert_true(empty.purge_calls.total > before.purge_calls.total);
    assert_true(empty.arena_purges.total > before.arena_purges.total);
    assert_true(empty.page_committed.peak >= full.page_committed.current);
    assert_int_equal(empty.reset_calls.total, before.reset_calls.total);

    mic_option_set(MIC_OPTION_PURGE_DECOMMITS, 0);
    mic_free(mic_malloc(100000));
    mic_collect(true);
    mic_option_set(MIC_OPTION_PURGE_DECOMMITS, 1);
    const mi_stats_t lazy = get();
    assert_true(lazy.reset_calls.total > empty.reset_calls.total);
    assert_true(lazy.reset.total >= empty.reset.total + 100000);
    check_order(&lazy);
}

static void slow_paths_are_counted(void **state)
{
    (void)state;
    const mi_stats_t before = get();
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mic_malloc(720);
    const mi_stats_t full = get();
    assert_true(full.pages_extended.total > before.pages_extended.total);
    assert_true(full.page_searches_count.total > before.page_searches_count.total);
    for (size_t i = 0; i < BLOCKS; i++) mic_free(blocks[i]);
    /* some of these numbers are all the blocks that were handed out: then the page empties */
    for (size_t n = 1; n <= 300; n++) {
        for (size_t i = 0; i < n; i++) blocks[i] = mic_malloc(720);
        for (size_t i = 0; i < n; i++) mic_free(blocks[i]);
    }
    const mi_stats_t after = get();
    assert_true(after.pages_retire.total > before.pages_retire.total);
}

static void heaps_have_numbers_of_their_own(void **state)
{
    (void)state;
    const unsigned bin = bin_of(48);
    const mi_stats_t before = get();
    mic_heap_t *const heap = mic_heap_new(&mic_subproc_main, 0);
    mic_theap_t *const theap = mic_heap_theap(heap);
    for (int i = 0; i < 70; i++) blocks[i] = mic_malloc_in(theap, 48);
    for (int i = 0; i < 30; i++) mic_free(blocks[i]);
    void *const span = mic_malloc_in(theap, 2 * MIC_MIB);
    assert_non_null(span);

    mi_stats_t stats;
    mic_stats_of_heap(heap, &stats);
    assert_int_equal(stats.malloc_bins[bin].current, 40);
    assert_int_equal(stats.malloc_bins[bin].total, 70);
    assert_int_equal(stats.malloc_normal_count.total, 70);
    assert_int_equal(stats.malloc_huge.current, 2 * MIC_MIB);
    assert_int_equal(stats.malloc_huge_count.total, 1);
    assert_int_equal(stats.theaps.current, 1);
    assert_int_equal(stats.pages.current, 2);
    assert_int_equal(stats.reserved.current, 0); /* the process's */
    check_order(&stats);

    const mi_stats_t with = get();
    assert_int_equal(grown(&with.malloc_bins[bin], &before.malloc_bins[bin]), 40);
    assert_int_equal(grown(&with.heaps, &before.heaps), 1);
    assert_int_equal(with.heaps.total - before.heaps.total, 1);
    mi_stats_t outside;
    mic_stats_outside_heaps(&mic_subproc_main, &outside);
    assert_int_equal(outside.malloc_bins[bin].current, 0);
    assert_int_equal(outside.reserved.current, with.reserved.current);
    const int64_t gone = outside.malloc_bins[bin].total;

    mic_heap_destroy(heap);
    const mi_stats_t after = get();
    assert_int_equal(grown(&after.malloc_bins[bin], &before.malloc_bins[bin]), 0);
    assert_int_equal(after.malloc_bins[bin].total - before.malloc_bins[bin].total, 70);
    assert_int_equal(grown(&after.heaps, &before.heaps), 0);
    mic_stats_outside_heaps(&mic_subproc_main, &outside);
    assert_int_equal(outside.malloc_bins[bin].total - gone, 70);

    /* the thread heap serves another heap now: it begins from 0 */
    mic_heap_t *const next = mic_heap_new(&mic_subproc_main, 0);
    blocks[0] = mic_malloc_in(mic_heap_theap(next), 48);
    mic_stats_of_heap(next, &stats);
    assert_int_equal(stats.malloc_bins[bin].total, 1);
    assert_int_equal(stats.pages.total, 1);
    mic_heap_delete(next);
    const mi_stats_t deleted = get();
    assert_int_equal(grown(&deleted.malloc_bins[bin], &before.malloc_bins[bin]), 1);
    assert_int_equal(deleted.malloc_bins[bin].total - before.malloc_bins[bin].total, 71);
    mic_free(blocks[0]);
}

static void reset_starts_again(void **state)
{
    (void)state;
    const unsigned bin = bin_of(96);
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mic_malloc(96);
    for (size_t i = 100; i < BLOCKS; i++) mic_free(blocks[i]);
    const mi_stats_t before = get();
    mic_stats_reset();
    const mi_stats_t fresh = get();
    assert_int_equal(fresh.malloc_bins[bin].current, before.malloc_bins[bin].current);
    assert_int_equal(fresh.malloc_bins[bin].total, before.malloc_bins[bin].current);
    assert_int_equal(fresh.malloc_bins[bin].peak, before.malloc_bins[bin].current);
    assert_int_equal(fresh.malloc_normal_count.total, 0);
    assert_int_equal(fresh.commit_calls.total, 0);
    assert_int_equal(fresh.committed.current, before.committed.current);
    assert_int_equal(fresh.committed.peak, before.committed.current);
    assert_int_equal(fresh.threads.total, fresh.threads.current);
    check_order(&fresh);
    for (size_t i = 100; i < 150; i++) blocks[i] = mic_malloc(96);
    const mi_stats_t after = get();
    assert_int_equal(after.malloc_bins[bin].total, fresh.malloc_bins[bin].total + 50);
    assert_int_equal(after.malloc_normal_count.total, 50);
    for (size_t i = 0; i < 150; i++) mic_free(blocks[i]);
}

static void structs_of_others_are_told_apart(void **state)
{
    (void)state;
    mi_stats_t stats;
    mi_stats_init(&stats);
    assert_true(mic_stats_is_ours(&stats));
    assert_false(mic_stats_is_ours(NULL));
    stats.size--;
    assert_false(mic_stats_is_ours(&stats));
    mi_stats_init(&stats);
    stats.version++;
    assert_false(mic_stats_is_ours(&stats));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_have_the_sizes_of_classes),
        cmocka_unit_test(blocks_are_counted_one_by_one),
        cmocka_unit_test(spans_are_counted_with_their_bytes),
        cmocka_unit_test(threads_that_ended_are_counted_exactly),
        cmocka_unit_test(memory_is_counted_as_it_comes_and_goes),
        cmocka_unit_test(slow_paths_are_counted),
        cmocka_unit_test(heaps_have_numbers_of_their_own),
        cmocka_unit_test(peaks_are_known_to_a_page), /* the others want totals of all the process */
        cmocka_unit_test(reset_starts_again),
        cmocka_unit_test(structs_of_others_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
