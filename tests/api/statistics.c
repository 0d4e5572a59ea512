/* Statistics of the process: the struct, JSON, text. Of heaps: statistics_heaps.c. */
#include <ctype.h>
#include <pthread.h>

#include "api_test.h"

static mi_stats_t stats_now(void)
{
    mi_stats_t_decl(stats);
    assert_true(mi_stats_get(&stats));
    return stats;
}

/* ---- the struct ---- */

static void a_struct_must_be_made_ready(void **state)
{
    (void)state;
    mi_stats_t_decl(declared);
    mi_stats_t stats;
    memset(&stats, 0xab, sizeof stats);
    mi_stats_init(&stats);
    assert_memory_equal(&stats, &declared, sizeof stats);
    assert_int_equal(stats.size, sizeof stats);
    assert_int_equal(stats.version, 5);
    assert_int_equal(stats.malloc_normal.current, 0);
    errno = 21;
    assert_true(mi_stats_get(&stats));
    assert_int_equal(errno, 21);

    mi_stats_t wrong = declared;
    wrong.version = 4;
    assert_false(mi_stats_get(&wrong));
    wrong = declared;
    wrong.size--;
    assert_false(mi_stats_get(&wrong));
    assert_int_equal(wrong.pages.current, 0); /* untouched */
    char text[64];
    assert_null(mi_stats_as_json(&wrong, sizeof text, text));
    assert_false(mi_stats_get(NULL));
}

enum { BLOCKS = 1000 };

static void *smallest_number(void *arg)
{
    const mi_stats_t stats = stats_now();
    const int64_t *const numbers = (const int64_t *)&stats.pages;
    int64_t *const least = arg;
    *least = 0;
    for (size_t i = 0; i < (sizeof stats - offsetof(mi_stats_t, pages)) / sizeof *numbers; i++)
        if (numbers[i] < *least) *least = numbers[i];
    return NULL;
}

/* Another thread sees our blocks as of our last slow path: fewer than we saw when we reset. */
static void no_number_is_negative_after_a_reset(void **state)
{
    (void)state;
    void *blocks[40];
    for (size_t i = 0; i < 40; i++) blocks[i] = mi_malloc(i < 20 ? 48 : 2400);
    mi_stats_reset();
    int64_t here, there;
    pthread_t thread;
    (void)smallest_number(&here);
    assert_int_equal(pthread_create(&thread, NULL, smallest_number, &there), 0);
    pthread_join(thread, NULL);
    assert_int_equal(here, 0);
    assert_int_equal(there, 0);
    for (size_t i = 0; i < 40; i++) mi_free(blocks[i]);
}

/* What is in use is told to the byte, in release builds too. */
static void blocks_are_counted_exactly(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 100, 1000, 8000, 30000, 200000};
    static void *blocks[BLOCKS];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const int count = sizes[s] > 100000 ? 20 : BLOCKS;
        const mi_stats_t before = stats_now();
        for (int i = 0; i < count; i++) blocks[i] = mi_malloc(sizes[s]);
        const mi_stats_t full = stats_now();
        size_t bin = MI_STAT_BIN_COUNT;
        for (size_t b = 0; b < MI_STAT_BIN_COUNT; b++) {
            const int64_t more = full.malloc_bins[b].current - before.malloc_bins[b].current;
            if (more == 0) continue;
            assert_int_equal(more, count);
            assert_int_equal(bin, MI_STAT_BIN_COUNT); /* one class only */
            bin = b;
        }
        assert_true(bin < MI_STAT_BIN_COUNT);
        const size_t block = mi_stats_get_bin_size(bin);
        assert_true(block >= mi_usable_size(blocks[0]));
        assert_int_equal(full.malloc_normal.current - before.malloc_normal.current,
                         (int64_t)block * count);
        assert_int_equal(full.malloc_normal_count.total - before.malloc_normal_count.total, count);
        assert_int_equal(full.malloc_huge.current, before.malloc_huge.current);
        for (int i = 0; i < count; i++) mi_free(blocks[i]);
        const mi_stats_t after = stats_now();
        assert_int_equal(after.malloc_normal.current, before.malloc_normal.current);
        assert_int_equal(after.malloc_bins[bin].current, before.malloc_bins[bin].current);
        assert_int_equal(after.malloc_bins[bin].total, full.malloc_bins[bin].total);
        assert_true(after.malloc_bins[bin].peak >= full.malloc_bins[bin].current);
    }
}

static void big_blocks_are_counted_exactly(void **state)
{
    (void)state;
    const mi_stats_t before = stats_now();
    void *const p = mi_malloc(5 * MIC_MIB), *const q = mi_malloc(100 * MIC_MIB);
    const mi_stats_t full = stats_now();
    const int64_t bytes = full.malloc_huge.current - before.malloc_huge.current;
    assert_true(bytes >= (int64_t)(105 * MIC_MIB) && bytes < (int64_t)(107 * MIC_MIB));
    assert_int_equal(full.malloc_huge_count.total - before.malloc_huge_count.total, 2);
    assert_int_equal(full.pages.current - before.pages.current, 2);
    assert_int_equal(full.malloc_normal.current, before.malloc_normal.current);
    mi_free(p);
    mi_free(q);
    const mi_stats_t after = stats_now();
    assert_int_equal(after.malloc_huge.current, before.malloc_huge.current);
    assert_int_equal(after.pages.current, before.pages.current);
    assert_true(after.malloc_huge.peak >= full.malloc_huge.current);
    assert_true(after.reserved.current > 0 && after.committed.current > 0);
    assert_true(after.arena_count.total >= 1 && after.heaps.current >= 1);
}

static void check_count(const char *name, size_t i, const mi_stat_count_t *count)
{
    if (count->current < 0 || count->peak < count->current || count->total < count->peak)
        fail_msg("%s[%zu]: %ld, at most %ld, in all %ld", name, i, (long)count->current,
                 (long)count->peak, (long)count->total);
}

static void numbers_agree_with_each_other(void **state)
{
    (void)state;
    void *const p = mi_malloc(100), *const q = mi_malloc(1000000);
    const mi_stats_t stats = stats_now();
    int64_t pages = 0;
    for (size_t i = 0; i < MI_STAT_BIN_COUNT; i++) {
        check_count("malloc_bins", i, &stats.malloc_bins[i]);
        check_count("page_bins", i, &stats.page_bins[i]);
        if (stats.malloc_bins[i].current > 0) assert_true(stats.page_bins[i].current > 0);
        pages += stats.page_bins[i].current;
    }
    assert_int_equal(pages, stats.pages.current);
    check_count("pages", 0, &stats.pages);
    check_count("reserved", 0, &stats.reserved);
    check_count("committed", 0, &stats.committed);
    check_count("threads", 0, &stats.threads);
    check_count("malloc_normal", 0, &stats.malloc_normal);
    check_count("malloc_huge", 0, &stats.malloc_huge);
    assert_true(stats.committed.current <= stats.reserved.current);
    mi_free(p);
    mi_free(q);
}

static void *count_there(void *arg)
{
    void *const p = mi_malloc(12345);
    mi_stats_get((mi_stats_t *)arg);
    mi_free(p);
    return NULL;
}

static void threads_are_counted(void **state)
{
    (void)state;
    const mi_stats_t before = stats_now();
    mi_stats_t_decl(during);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, count_there, &during), 0);
    pthread_join(thread, NULL);
    assert_int_equal(during.threads.current - before.threads.current, 1);
    assert_int_equal(stats_now().threads.current, before.threads.current);
}

static void bins_grow(void **state)
{
    (void)state;
    size_t last = 0;
    for (size_t bin = 0; bin < MI_STAT_BIN_COUNT; bin++) {
        const size_t size = mi_stats_get_bin_size(bin);
        if (size == 0) continue;
        assert_true(size > last);
        last = size;
    }
    assert_true(last >= 256 * MIC_KIB);
    assert_int_equal(mi_stats_get_bin_size(MI_STAT_BIN_COUNT), 0);
    assert_int_equal(mi_stats_get_bin_size(SIZE_MAX), 0);
}

/* last but for the printing: the other tests compare totals */
static void resetting_starts_anew(void **state)
{
    (void)state;
    void *const p = mi_malloc(50 * MIC_MIB);
    mi_free(mi_malloc(50 * MIC_MIB));
    const mi_stats_t before = stats_now();
    mi_stats_reset();
    mi_stats_merge();
    const mi_stats_t after = stats_now();
    assert_int_equal(after.malloc_huge.current, before.malloc_huge.current);
    /* a canary's slice counts as taken */
    assert_true(after.malloc_huge.peak <= after.malloc_huge.current + (int64_t)MIC_SLICE_BYTES);
    assert_true(after.malloc_huge.total < before.malloc_huge.total);
    mi_free(p);
}

/* ---- JSON: a reader that knows all of its grammar but for escapes ---- */

static const char *skip_space(const char *s)
{
    while (isspace((unsigned char)*s)) s++;
    return s;
}

static const char *json_value(const char *s);

/* After `open`: elements, up to `close`; NULL if it is no JSON. */
static const char *json_elements(const char *s, char close, bool names)
{
    s = skip_space(s);
    if (*s == close) return s + 1;
    for (;;) {
        if (names) {
            s = skip_space(s);
            if (*s != '"' || (s = strchr(s + 1, '"')) == NULL) return NULL;
            s = skip_space(s + 1);
            if (*s++ != ':') return NULL;
        }
        if ((s = json_value(s)) == NULL) return NULL;
        s = skip_space(s);
        if (*s == close) return s + 1;
        if (*s++ != ',') return NULL;
    }
}

static const char *json_value(const char *s)
{
    s = skip_space(s);
    if (*s == '{') return json_elements(s + 1, '}', true);
    if (*s == '[') return json_elements(s + 1, ']', false);
    if (*s == '"') {
        s = strchr(s + 1, '"');
        return s == NULL ? NULL : s + 1;
    }
    if (strncmp(s, "true", 4) == 0 || strncmp(s, "null", 4) == 0) return s + 4;
    char *end = NULL;
    (void)strtod(s, &end);
    return end == s ? NULL : end;
}

static bool is_json(const char *text)
{
    const char *const end = json_value(text);
    return end != NULL && *skip_space(end) == 0 && *skip_space(text) == '{';
}

static void the_reader_knows_json(void **state)
{
    (void)state;
    assert_true(is_json("{ \"a\": [1, -2.5, {}, \"x\"], \"b\": {\"c\": null} }\n"));
    assert_false(is_json("{ \"a\": [1, 2,] }"));
    assert_false(is_json("{ \"a\": 1 "));
    assert_false(is_json("{ \"a\" 1 }"));
    assert_false(is_json("{} x"));
}

static void json_can_be_read(void **state)
{
    (void)state;
    char *text;
    api_assert_works(text, mi_stats_get_json(0, NULL));
    assert_true(is_json(text));
    assert_non_null(strstr(text, "\"malloc_normal\""));
    assert_non_null(strstr(text, "\"malloc_bins\""));
    assert_true(mi_any_heap_contains(text));
    mi_free(text);

    mi_stats_t_decl(made_up);
    made_up.pages.peak = 987654321;
    made_up.purge_calls.total = 123454321;
    api_assert_works(text, mi_stats_as_json(&made_up, 0, NULL));
    assert_true(is_json(text));
    assert_non_null(strstr(text, "987654321"));
    assert_non_null(strstr(text, "123454321"));

    static char buffer[65536];
    assert_ptr_equal(mi_stats_as_json(&made_up, sizeof buffer, buffer), buffer);
    assert_true(is_json(buffer));
    mi_free(text);
}

static void json_is_cut_to_fit(void **state)
{
    (void)state;
    static char whole[65536], part[65536];
    mi_stats_t_decl(stats);
    assert_ptr_equal(mi_stats_as_json(&stats, sizeof whole, whole), whole);
    for (size_t size = 1; size < 2000; size += 37) {
        memset(part, 'x', sizeof part);
        assert_ptr_equal(mi_stats_as_json(&stats, size, part), part);
        assert_int_equal(strlen(part), size - 1);
        assert_int_equal(part[size], 'x');
    }
    assert_ptr_equal(mi_stats_get_json(100, part), part);
    assert_int_equal(strlen(part), 99);
}

/* ---- text ---- */

static void text_goes_where_it_is_told(void **state)
{
    (void)state;
    api_record_start();
    mi_stats_print_out(api_record_out, NULL);
    api_record_stop();
    assert_true(api_record.length > 100);
    api_record_start();
    mi_thread_stats_print_out(api_record_out, NULL);
    api_record_stop();
    assert_true(api_record.length > 0);
    api_record_start();
    mi_stats_print(NULL); /* to the registered function */
    api_record_stop();
    assert_true(api_record.length > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_struct_must_be_made_ready),
        cmocka_unit_test(blocks_are_counted_exactly),
        cmocka_unit_test(big_blocks_are_counted_exactly),
        cmocka_unit_test(numbers_agree_with_each_other),
        cmocka_unit_test(threads_are_counted),
        cmocka_unit_test(bins_grow),
        cmocka_unit_test(resetting_starts_anew),
        cmocka_unit_test(the_reader_knows_json),
        cmocka_unit_test(json_can_be_read),
        cmocka_unit_test(json_is_cut_to_fit),
        cmocka_unit_test(text_goes_where_it_is_told),
        cmocka_unit_test(no_number_is_negative_after_a_reset),
    };
    return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
