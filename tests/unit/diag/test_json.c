/* core/src/diag/json.c: the text, where it goes, and what of it when there is no room. */
/* fake-os */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diag/diag.h"
#include "diag/numbers.h"
#include "fake_os.h"

static mi_stats_t stats;

/* Every field has a value of its own. */
static int setup(void **state)
{
    (void)state;
    fake_os_reset();
    mi_stats_init(&stats);
    int64_t *const words = (int64_t *)(void *)&stats.pages;
    const size_t n = (sizeof stats - offsetof(mi_stats_t, pages)) / sizeof(int64_t);
    for (size_t i = 0; i < n; i++) words[i] = (int64_t)(1000000 + i);
    return 0;
}

static void every_field_is_told_once(void **state)
{
    (void)state;
    char *const text = mic_stats_json(&stats, 0, NULL);
    assert_non_null(text);
    const int64_t *const words = (const int64_t *)(const void *)&stats.pages;
    const size_t n = (sizeof stats - offsetof(mi_stats_t, pages)) / sizeof(int64_t);
    const size_t reserved = offsetof(mi_stats_t, _stat_reserved);
    for (size_t i = 0; i < n; i++) {
        const size_t offset = offsetof(mi_stats_t, pages) + i * sizeof(int64_t);
        const bool kept_back = offset >= reserved && offset < offsetof(mi_stats_t, malloc_bins);
        char number[32];
        mic_format(number, sizeof number, " %ld", (long)words[i]);
        const char *const found = strstr(text, number);
        assert_int_equal(found == NULL, kept_back);
        if (found != NULL) assert_null(strstr(found + 1, number));
    }
    assert_non_null(strstr(text, "\"stat_version\": 5,\n"));
    assert_non_null(strstr(text, "\"mimalloc_version\": 30403,\n"));
    assert_non_null(strstr(text, mic_diag_mode()));
    mic_free(text);
}

static void extremes_are_written_out(void **state)
{
    (void)state;
    stats.pages.total = INT64_MIN;
    stats.pages.current = INT64_MAX;
    char *const text = mic_stats_json(&stats, 0, NULL);
    assert_non_null(strstr(text, "\"pages\": { \"total\": -9223372036854775808, "));
    assert_non_null(strstr(text, "\"current\": 9223372036854775807 },"));
    mic_free(text);
}

/* A buffer of any size gets as much as fits, terminated, and not a byte more. */
static void text_is_cut_to_the_buffer(void **state)
{
    (void)state;
    char *const whole = mic_stats_json(&stats, 0, NULL);
    const size_t length = strlen(whole);
    assert_true(mic_usable_size(whole) >= length + 1);
    char *const buffer = malloc(length + 100);
    for (size_t size = 1; size < length + 50; size += size < 3000 ? 7 : 501) {
        memset(buffer, '#', length + 100);
        assert_ptr_equal(mic_stats_json(&stats, size, buffer), buffer);
        const size_t expected = size - 1 < length ? size - 1 : length;
        assert_int_equal(strlen(buffer), expected);
        assert_memory_equal(buffer, whole, expected);
        for (size_t i = size; i < length + 100; i++) assert_int_equal(buffer[i], '#');
    }
    /* exactly enough */
    assert_string_equal(mic_stats_json(&stats, length + 1, buffer), whole);
    free(buffer);
    mic_free(whole);
}

static void no_room_at_all_means_a_block(void **state)
{
    (void)state;
    char one = '#';
    char *const text = mic_stats_json(&stats, 0, &one);
    assert_non_null(text);
    assert_ptr_not_equal(text, &one);
    assert_int_equal(one, '#');
    assert_int_equal(text[strlen(text) - 2], '}');
    mic_free(text);
    char *const size_without_buffer = mic_stats_json(&stats, 10, NULL);
    assert_true(strlen(size_without_buffer) > 10);
    mic_free(size_without_buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_field_is_told_once, setup),
        cmocka_unit_test_setup(extremes_are_written_out, setup),
        cmocka_unit_test_setup(text_is_cut_to_the_buffer, setup),
        cmocka_unit_test_setup(no_room_at_all_means_a_block, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
