/* Run-time options: reading, setting, limits, printing. */
#include "api_test.h"

static void set_and_get(void **state)
{
    (void)state;
    const long before = mi_option_get(mi_option_purge_delay);
    mi_option_set(mi_option_purge_delay, 123);
    assert_int_equal(mi_option_get(mi_option_purge_delay), 123);
    mi_option_set(mi_option_purge_delay, -1);
    assert_int_equal(mi_option_get(mi_option_purge_delay), -1);
    mi_option_set(mi_option_purge_delay, before);
}

static void enabling(void **state)
{
    (void)state;
    mi_option_enable(mi_option_verbose);
    assert_true(mi_option_is_enabled(mi_option_verbose));
    assert_int_equal(mi_option_get(mi_option_verbose), 1);
    mi_option_disable(mi_option_verbose);
    assert_false(mi_option_is_enabled(mi_option_verbose));
    mi_option_set_enabled(mi_option_verbose, true);
    assert_true(mi_option_is_enabled(mi_option_verbose));
    mi_option_set_enabled(mi_option_verbose, false);
    assert_int_equal(mi_option_get(mi_option_verbose), 0);
}

static void defaults_lose_against_the_program(void **state)
{
    (void)state;
    mi_option_set_default(mi_option_page_full_retain, 7);
    assert_int_equal(mi_option_get(mi_option_page_full_retain), 7);
    mi_option_set(mi_option_page_full_retain, 3);
    mi_option_set_default(mi_option_page_full_retain, 9);
    assert_int_equal(mi_option_get(mi_option_page_full_retain), 3);
    mi_option_set_enabled_default(mi_option_visit_abandoned, true);
    assert_true(mi_option_is_enabled(mi_option_visit_abandoned));
    mi_option_set(mi_option_visit_abandoned, 0);
    mi_option_set_enabled_default(mi_option_visit_abandoned, true);
    assert_false(mi_option_is_enabled(mi_option_visit_abandoned));
}

static void clamping(void **state)
{
    (void)state;
    mi_option_set(mi_option_max_warnings, 50);
    assert_int_equal(mi_option_get_clamp(mi_option_max_warnings, 0, 100), 50);
    assert_int_equal(mi_option_get_clamp(mi_option_max_warnings, 60, 100), 60);
    assert_int_equal(mi_option_get_clamp(mi_option_max_warnings, 0, 40), 40);
}

static void sizes_are_bytes(void **state)
{
    (void)state;
    mi_option_set(mi_option_minimal_purge_size, 64);
    assert_int_equal(mi_option_get(mi_option_minimal_purge_size), 64);
    assert_int_equal(mi_option_get_size(mi_option_minimal_purge_size), 64 * 1024);
    mi_option_set(mi_option_minimal_purge_size, 0);
    assert_int_equal(mi_option_get_size(mi_option_minimal_purge_size), 0);
    mi_option_set(mi_option_max_errors, -1);
    assert_int_equal(mi_option_get_size(mi_option_max_errors), 0);
}

static void numbers_that_are_no_option(void **state)
{
    (void)state;
    static const int bad[] = {-1, -1000000, (int)_mi_option_last, 1000000};
    api_record_start();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const mi_option_t option = (mi_option_t)bad[i];
        mi_option_set(option, 5);
        mi_option_set_default(option, 5);
        assert_int_equal(mi_option_get(option), 0);
        assert_false(mi_option_is_enabled(option));
        assert_int_equal(mi_option_get_size(option), 0);
    }
    api_record_stop();
}

static void every_option_is_printed(void **state)
{
    (void)state;
    static const char *const names[] = {"show_errors", "purge_delay", "allow_thp",
                                        "arena_is_numa_local", "deprecated_page_reset"};
    memset(&api_record, 0, sizeof api_record);
    mi_options_print_out(api_record_out, NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(api_record.text, names[i]));
    size_t lines = 0;
    for (const char *at = api_record.text; *at != 0; at++) lines += *at == '\n';
    assert_true(lines >= _mi_option_last);

    api_record_start();
    mi_options_print();
    api_record_stop();
    assert_non_null(strstr(api_record.text, "purge_delay"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_and_get),
        cmocka_unit_test(enabling),
        cmocka_unit_test(defaults_lose_against_the_program),
        cmocka_unit_test(clamping),
        cmocka_unit_test(sizes_are_bytes),
        cmocka_unit_test(numbers_that_are_no_option),
        cmocka_unit_test(every_option_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
