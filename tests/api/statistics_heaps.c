/* Statistics of heaps and of sub-processes. Of the process: statistics.c. */
#include <pthread.h>

#include "api_test.h"

static mi_stats_t stats_of(mi_heap_t *heap)
{
    mi_stats_t_decl(stats);
    assert_true(mi_heap_stats_get(heap, &stats));
    return stats;
}

static mi_stats_t stats_of_subproc(mi_subproc_id_t subproc)
{
    mi_stats_t_decl(stats);
    assert_true(mi_subproc_stats_get(subproc, &stats));
    return stats;
}

static int64_t blocks_of(const mi_stats_t *stats)
{
    int64_t blocks = 0;
    for (size_t i = 0; i < MI_STAT_BIN_COUNT; i++) blocks += stats->malloc_bins[i].current;
    return blocks;
}

static void a_struct_must_be_made_ready(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_stats_t_decl(stats);
    errno = 21;
    assert_true(mi_heap_stats_get(heap, &stats));
    assert_true(mi_subproc_stats_get(mi_subproc_main(), &stats));
    assert_true(mi_subproc_stats_get_exclusive(mi_subproc_main(), &stats));
    assert_int_equal(errno, 21);
    stats.version++;
    assert_false(mi_heap_stats_get(heap, &stats));
    assert_false(mi_subproc_stats_get(mi_subproc_main(), &stats));
    assert_false(mi_subproc_stats_get_exclusive(mi_subproc_main(), &stats));
    stats.version--;
    stats.size++;
    assert_false(mi_heap_stats_get(heap, &stats));
    assert_false(mi_heap_stats_get(heap, NULL));
    assert_false(mi_subproc_stats_get(mi_subproc_main(), NULL));
    mi_heap_destroy(heap);
}

static void a_heap_counts_its_own_blocks(void **state)
{
    (void)state;
    mi_heap_t *const a = mi_heap_new(), *const b = mi_heap_new();
    void *p[100];
    for (int i = 0; i < 100; i++) p[i] = mi_heap_malloc(a, 500);
    void *const big = mi_heap_malloc(a, 5 * MIC_MIB);
    mi_free(mi_heap_malloc(b, 100));
    void *const elsewhere = mi_malloc(3 * MIC_MIB);

    const mi_stats_t of_a = stats_of(a), of_b = stats_of(b);
    assert_int_equal(blocks_of(&of_a), 101);
    assert_int_equal(blocks_of(&of_b), 0);
    assert_true(of_a.malloc_normal.current >= 100 * 500);
    assert_true(of_a.malloc_normal.current < 100 * 600);
    assert_true(of_a.malloc_huge.current >= (int64_t)(5 * MIC_MIB));
    assert_true(of_a.malloc_huge.current < (int64_t)(6 * MIC_MIB));
    assert_int_equal(of_b.malloc_huge.current, 0);
    assert_true(of_a.pages.current >= 2);

    for (int i = 0; i < 100; i += 2) mi_free(p[i]);
    mi_free(big);
    const mi_stats_t less = stats_of(a);
    assert_int_equal(blocks_of(&less), 50);
    assert_int_equal(less.malloc_huge.current, 0);
    mi_free(elsewhere);
    mi_heap_destroy(a);
    mi_heap_destroy(b);
}

/* What malloc has not handed out yet does not count, and the page it would come from need not be the
   first of its class: here it is one that was full before. */
static void destroying_leaves_the_total(void **state)
{
    (void)state;
    enum { MANY = 6000, FREED = 400 };
    static void *blocks[MANY];
    for (int more = 0; more < 2 * MANY; more += 211) {
        const mi_stats_t before = stats_of_subproc(mi_subproc_main());
        mi_heap_t *const heap = mi_heap_new();
        for (int i = 0; i < MANY; i++) blocks[i] = mi_heap_malloc(heap, 48);
        for (int i = 0; i < FREED; i++) mi_free(blocks[i]);
        for (int i = 0; i < more; i++) assert_non_null(mi_heap_malloc(heap, 48));
        mi_heap_destroy(heap);
        const mi_stats_t after = stats_of_subproc(mi_subproc_main());
        int64_t total = 0;
        for (size_t i = 0; i < MI_STAT_BIN_COUNT; i++)
            total += after.malloc_bins[i].total - before.malloc_bins[i].total;
        assert_int_equal(total, MANY + more);
    }
}

static void *allocate_there(void *arg)
{
    for (int i = 0; i < 100; i++) (void)!mi_heap_malloc((mi_heap_t *)arg, 500);
    return NULL;
}

static void blocks_of_all_threads_count(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, allocate_there, heap), 0);
        pthread_join(thread, NULL);
    }
    allocate_there(heap);
    const mi_stats_t stats = stats_of(heap);
    assert_int_equal(blocks_of(&stats), 400);
    mi_heap_destroy(heap);
}

static void no_heap_is_the_main_heap(void **state)
{
    (void)state;
    void *const p = mi_malloc(12 * MIC_MIB);
    const mi_stats_t null = stats_of(NULL), main_heap = stats_of(mi_heap_main());
    assert_int_equal(null.malloc_huge.current, main_heap.malloc_huge.current);
    assert_true(null.malloc_huge.current >= (int64_t)(12 * MIC_MIB));
    mi_free(p);
}

static void a_subproc_counts_all_its_heaps(void **state)
{
    (void)state;
    const mi_stats_t before = stats_of_subproc(mi_subproc_main());
    mi_heap_t *const a = mi_heap_new(), *const b = mi_heap_new();
    void *const p = mi_malloc(3 * MIC_MIB);
    assert_non_null(mi_heap_malloc(a, 500));
    assert_non_null(mi_heap_malloc(b, 5 * MIC_MIB));
    const mi_stats_t full = stats_of_subproc(mi_subproc_main());
    assert_int_equal(blocks_of(&full) - blocks_of(&before), 3);
    assert_int_equal(full.heaps.current - before.heaps.current, 2);
    mi_stats_t_decl(process);
    assert_true(mi_stats_get(&process));
    assert_int_equal(blocks_of(&process), blocks_of(&full)); /* the current one */
    mi_heap_destroy(a);
    mi_heap_destroy(b);
    mi_free(p);
    const mi_stats_t after = stats_of_subproc(mi_subproc_main());
    assert_int_equal(blocks_of(&after), blocks_of(&before));
    assert_int_equal(after.heaps.current, before.heaps.current);
}

static void *in_another(void *arg)
{
    mi_subproc_add_current_thread(*(mi_subproc_id_t *)arg);
    for (int i = 0; i < 100; i++) (void)!mi_malloc(500);
    return NULL;
}

static void subprocs_count_for_themselves(void **state)
{
    (void)state;
    mi_subproc_id_t other = mi_subproc_new();
    const mi_stats_t before = stats_of_subproc(mi_subproc_main());
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, in_another, &other), 0);
    pthread_join(thread, NULL);
    const mi_stats_t there = stats_of_subproc(other);
    assert_int_equal(blocks_of(&there), 100);
    assert_int_equal(there.heaps.current, 1);
    const mi_stats_t here = stats_of_subproc(mi_subproc_main());
    assert_int_equal(blocks_of(&here), blocks_of(&before));
    mi_subproc_destroy(other);
}

/* Asking for it changes nothing that can be seen. */
static void merging_keeps_the_numbers(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    void *const p = mi_heap_malloc(heap, 500);
    const mi_stats_t before = stats_of(heap), all_before = stats_of_subproc(mi_subproc_main());
    mi_heap_stats_merge_to_subproc(heap);
    const mi_stats_t after = stats_of(heap), all_after = stats_of_subproc(mi_subproc_main());
    assert_int_equal(blocks_of(&after), blocks_of(&before));
    assert_int_equal(blocks_of(&all_after), blocks_of(&all_before));
    mi_free(p);
    const mi_stats_t last = stats_of(heap);
    assert_int_equal(blocks_of(&last), 0);
    mi_heap_destroy(heap);
}

static void texts(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    void *const p = mi_heap_malloc(heap, 500);
    char *const of_heap = mi_heap_stats_get_json(heap, 0, NULL);
    char *const of_subproc = mi_subproc_stats_get_json(mi_subproc_main(), 0, NULL);
    assert_non_null(strstr(of_heap, "\"malloc_bins\""));
    assert_non_null(strstr(of_subproc, "\"malloc_bins\""));
    char part[50];
    assert_ptr_equal(mi_heap_stats_get_json(heap, sizeof part, part), part);
    assert_int_equal(strlen(part), sizeof part - 1);
    assert_ptr_equal(mi_subproc_stats_get_json(mi_subproc_main(), sizeof part, part), part);
    assert_int_equal(strlen(part), sizeof part - 1);

    api_record_start();
    mi_heap_stats_print_out(heap, api_record_out, NULL);
    const size_t one = api_record.length;
    assert_true(one > 0);
    mi_subproc_stats_print_out(mi_subproc_main(), api_record_out, NULL);
    const size_t two = api_record.length - one;
    assert_true(two > 0);
    mi_subproc_heap_stats_print_out(mi_subproc_main(), api_record_out, NULL);
    assert_true(api_record.length - one - two > two); /* and each heap */
    const size_t three = api_record.length;
    mi_heap_stats_print_out(heap, NULL, NULL); /* to the registered function */
    assert_true(api_record.length > three);
    api_record_stop();
    mi_free(of_heap);
    mi_free(of_subproc);
    mi_free(p);
    mi_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_struct_must_be_made_ready),
        cmocka_unit_test(a_heap_counts_its_own_blocks),
        cmocka_unit_test(destroying_leaves_the_total),
        cmocka_unit_test(blocks_of_all_threads_count),
        cmocka_unit_test(no_heap_is_the_main_heap),
        cmocka_unit_test(a_subproc_counts_all_its_heaps),
        cmocka_unit_test(subprocs_count_for_themselves),
        cmocka_unit_test(merging_keeps_the_numbers),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests_name("statistics of heaps", tests, NULL, NULL);
}
