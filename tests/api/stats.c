/* Statistics: the struct, JSON and text, of the process, of sub-processes and of heaps. */
#include <pthread.h>

#include "api_test.h"
#include "mimalloc-stats.h"

enum { BLOCKS = 3000 };
static void *blocks[BLOCKS];

static size_t bin_of(size_t size)
{
    const size_t good = mi_good_size(size);
    for (size_t bin = 0; bin < MI_STAT_BIN_COUNT; bin++)
        if (mi_stats_get_bin_size(bin) >= good) return bin;
    return MI_STAT_BIN_COUNT - 1;
}

static void getters_want_a_struct_of_theirs(void **state)
{
    (void)state;
    mi_stats_t_decl(stats);
    assert_int_equal(stats.size, sizeof stats);
    assert_int_equal(stats.version, 5);
    errno = 34;
    assert_true(mi_stats_get(&stats));
    assert_true(mi_subproc_stats_get(mi_subproc_main(), &stats));
    assert_true(mi_subproc_stats_get_exclusive(mi_subproc_main(), &stats));
    assert_true(mi_heap_stats_get(mi_heap_main(), &stats));
    assert_true(mi_heap_stats_get(NULL, &stats));
    assert_int_equal(stats.size, sizeof stats); /* still ready */
    assert_false(mi_stats_get(NULL));
    assert_false(mi_heap_stats_get(NULL, NULL));
    assert_int_equal(errno, 34);
    for (int i = 0; i < 2; i++) {
        mi_stats_t other, before;
        mi_stats_init(&other);
        *(i == 0 ? &other.size : &other.version) -= 1;
        before = other;
        assert_false(mi_stats_get(&other));
        assert_false(mi_heap_stats_get(mi_heap_main(), &other));
        assert_false(mi_subproc_stats_get(mi_subproc_main(), &other));
        assert_false(mi_subproc_stats_get_exclusive(mi_subproc_main(), &other));
        assert_null(mi_stats_as_json(&other, 0, NULL));
        assert_memory_equal(&other, &before, sizeof other);
    }
    assert_null(mi_stats_as_json(NULL, 0, NULL));
}

static void bins_are_the_sizes_blocks_have(void **state)
{
    (void)state;
    size_t last = 0, used = 0;
    for (size_t bin = 0; bin < MI_STAT_BIN_COUNT + 5; bin++) {
        const size_t size = mi_stats_get_bin_size(bin);
        if (size == 0) continue;
        assert_true(size > last);
        last = size;
        used++;
    }
    assert_true(used > 20 && used < MI_STAT_BIN_COUNT);
    assert_int_equal(mi_stats_get_bin_size(MI_STAT_BIN_COUNT - 1), 0);
    assert_int_equal(mi_stats_get_bin_size(MI_STAT_BIN_COUNT), 0);
}

/* in the release build too */
static void blocks_are_counted_exactly(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 40, 1000, 3000, 30000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t bin = bin_of(sizes[s]);
        mi_stats_t_decl(before);
        mi_stats_t_decl(full);
        mi_stats_t_decl(after);
        assert_true(mi_stats_get(&before));
        for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mi_malloc(sizes[s]);
        assert_true(mi_stats_get(&full));
        for (size_t i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
        assert_true(mi_stats_get(&after));
        assert_int_equal(full.malloc_bins[bin].current - before.malloc_bins[bin].current, BLOCKS);
        assert_int_equal(full.malloc_bins[bin].total - before.malloc_bins[bin].total, BLOCKS);
        assert_int_equal(full.malloc_normal_count.total - before.malloc_normal_count.total, BLOCKS);
        assert_true(full.malloc_normal.current - before.malloc_normal.current >=
                    (int64_t)(BLOCKS * sizes[s]));
        assert_int_equal(full.malloc_requested.current,
                         full.malloc_normal.current + full.malloc_huge.current);
        assert_int_equal(after.malloc_bins[bin].current, before.malloc_bins[bin].current);
        assert_int_equal(after.malloc_bins[bin].total, full.malloc_bins[bin].total);
        assert_true(after.malloc_bins[bin].peak >= full.malloc_bins[bin].current);
    }
}

static void large_blocks_are_huge(void **state)
{
    (void)state;
    mi_stats_t_decl(before);
    mi_stats_t_decl(after);
    assert_true(mi_stats_get(&before));
    void *const p = mi_malloc(5 * MIC_MIB);
    assert_true(mi_stats_get(&after));
    assert_true(after.malloc_huge.current - before.malloc_huge.current >= (int64_t)(5 * MIC_MIB));
    assert_int_equal(after.malloc_huge_count.total - before.malloc_huge_count.total, 1);
    assert_int_equal(after.malloc_bins[MI_STAT_BIN_COUNT - 1].current -
                         before.malloc_bins[MI_STAT_BIN_COUNT - 1].current,
                     1);
    mi_free(p);
}

/* ---- heaps and sub-processes ---- */

static void a_heap_is_counted_for_itself_and_for_all(void **state)
{
    (void)state;
    const size_t bin = bin_of(64);
    mi_stats_t_decl(before);
    mi_stats_t_decl(stats);
    mi_stats_t_decl(after);
    assert_true(mi_stats_get(&before));
    mi_heap_t *const heap = mi_heap_new();
    for (int i = 0; i < 100; i++) blocks[i] = mi_heap_malloc(heap, 64);
    for (int i = 0; i < 40; i++) mi_free(blocks[i]);
    for (int i = 0; i < 3; i++) { /* merging changes nothing, and getting goes on working */
        assert_true(mi_heap_stats_get(heap, &stats));
        assert_int_equal(stats.malloc_bins[bin].current, 60);
        assert_int_equal(stats.malloc_bins[bin].total, 100);
        assert_true(mi_stats_get(&after));
        assert_int_equal(after.malloc_bins[bin].total - before.malloc_bins[bin].total, 100);
        mi_heap_stats_merge_to_subproc(heap);
        mi_stats_merge();
    }
    assert_int_equal(after.heaps.current - before.heaps.current, 1);
    assert_true(mi_heap_stats_get(mi_heap_main(), &stats));
    assert_int_equal(stats.malloc_bins[bin].current, before.malloc_bins[bin].current);
    assert_true(mi_subproc_stats_get_exclusive(mi_subproc_main(), &stats));
    assert_int_equal(stats.malloc_bins[bin].current, 0);
    assert_true(stats.committed.current > 0);
    mi_heap_destroy(heap);
    assert_true(mi_stats_get(&after));
    assert_int_equal(after.malloc_bins[bin].current, before.malloc_bins[bin].current);
    assert_int_equal(after.malloc_bins[bin].total - before.malloc_bins[bin].total, 100);
    assert_int_equal(after.heaps.current, before.heaps.current);
}

static void *in_a_subprocess(void *arg)
{
    mi_subproc_add_current_thread(*(mi_subproc_id_t *)arg);
    const size_t bin = bin_of(176);
    void *p[10];
    for (int i = 0; i < 10; i++) p[i] = mi_malloc(176);
    mi_stats_t_decl(mine);
    mi_stats_t_decl(main);
    assert_true(mi_stats_get(&mine)); /* the calling thread's sub-process */
    assert_int_equal(mine.malloc_bins[bin].current, 10);
    assert_int_equal(mine.threads.current, 1);
    assert_true(mi_subproc_stats_get(mi_subproc_main(), &main));
    assert_int_equal(main.malloc_bins[bin].current, 0);
    for (int i = 0; i < 10; i++) mi_free(p[i]);
    return NULL;
}

static void subprocesses_are_counted_apart(void **state)
{
    (void)state;
    mi_subproc_id_t subproc = mi_subproc_new();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, in_a_subprocess, &subproc), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    mi_stats_t_decl(stats);
    assert_true(mi_subproc_stats_get(subproc, &stats));
    assert_int_equal(stats.malloc_bins[bin_of(176)].current, 0);
    assert_int_equal(stats.malloc_bins[bin_of(176)].total, 10);
    assert_int_equal(stats.heaps.current, 1);
    mi_subproc_destroy(subproc);
}

/* ---- JSON: that it parses is looked at with a parser (tests/golden/test_stats_json.py) ---- */

static void json_goes_into_blocks_and_buffers(void **state)
{
    (void)state;
    mi_stats_t_decl(stats);
    assert_true(mi_stats_get(&stats));
    char *const texts[] = {
        mi_stats_as_json(&stats, 0, NULL),
        mi_stats_get_json(0, NULL),
        mi_heap_stats_get_json(mi_heap_main(), 0, NULL),
        mi_subproc_stats_get_json(mi_subproc_main(), 0, NULL),
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_non_null(texts[i]);
        assert_true(mi_is_in_heap_region(texts[i]));
        assert_non_null(strstr(texts[i], "\"malloc_bins\": ["));
        mi_free(texts[i]);
    }
    char buffer[100];
    for (size_t size = 1; size <= sizeof buffer; size++) {
        memset(buffer, 'x', sizeof buffer);
        char *const text =
            size % 2 ? mi_stats_get_json(size, buffer) : mi_heap_stats_get_json(NULL, size, buffer);
        assert_ptr_equal(text, buffer);
        assert_int_equal(strlen(buffer), size - 1);
        for (size_t i = size; i < sizeof buffer; i++) assert_int_equal(buffer[i], 'x');
    }
}

/* ---- text ---- */

static void every_part_can_be_printed(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    void *const p = mi_heap_malloc(heap, 3000);
    memset(&api_record, 0, sizeof api_record);
    mi_heap_stats_print_out(heap, api_record_out, NULL);
    assert_non_null(strstr(api_record.text, "statistics of heap "));
    assert_non_null(strstr(api_record.text, " KiB "));
    const size_t one = api_record.length;
    mi_subproc_stats_print_out(mi_subproc_main(), api_record_out, NULL);
    assert_non_null(strstr(api_record.text + one, "resident "));
    assert_null(strstr(api_record.text + one, "statistics of heap"));
    const size_t two = api_record.length;
    mi_subproc_heap_stats_print_out(mi_subproc_main(), api_record_out, NULL);
    const char *const first = strstr(api_record.text + two, "statistics of heap 0\n");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "statistics of heap "));
    const size_t three = api_record.length;
    mi_thread_stats_print_out(api_record_out, NULL);
    assert_non_null(strstr(api_record.text + three, "statistics of thread "));
    mi_free(p);
    mi_heap_delete(heap);
}

static void reset_lets_totals_start_from_now(void **state)
{
    (void)state;
    mi_stats_t_decl(before);
    mi_stats_t_decl(after);
    for (size_t i = 0; i < BLOCKS; i++) mi_free(mi_malloc(500));
    assert_true(mi_stats_get(&before));
    mi_stats_reset();
    assert_true(mi_stats_get(&after));
    assert_true(before.malloc_normal_count.total >= BLOCKS);
    assert_int_equal(after.malloc_normal_count.total, 0);
    assert_int_equal(after.committed.current, before.committed.current);
    for (size_t bin = 0; bin < MI_STAT_BIN_COUNT; bin++) {
        assert_int_equal(after.malloc_bins[bin].current, before.malloc_bins[bin].current);
        assert_int_equal(after.malloc_bins[bin].total, after.malloc_bins[bin].current);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(getters_want_a_struct_of_theirs),
        cmocka_unit_test(bins_are_the_sizes_blocks_have),
        cmocka_unit_test(blocks_are_counted_exactly),
        cmocka_unit_test(large_blocks_are_huge),
        cmocka_unit_test(a_heap_is_counted_for_itself_and_for_all),
        cmocka_unit_test(subprocesses_are_counted_apart),
        cmocka_unit_test(json_goes_into_blocks_and_buffers),
        cmocka_unit_test(every_part_can_be_printed),
        cmocka_unit_test(reset_lets_totals_start_from_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
