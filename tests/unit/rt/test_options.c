/* core/src/rt/options.c: the table, reading the environment, setting values. */
/* fake-os */
#include "rt/options.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_os.h"
#include "rt/report.h"

/* The library reads its options before main, once in a process. So the environment is set in a
   constructor that runs first, and what needs another one runs in a program of its own. */
#define SCENARIO "MIC_TEST_SCENARIO"

typedef struct example {
    const char *variable, *text;
    mic_option_t option;
    long expected;       /* LONG_MIN + 1: the default */
    const char *warning; /* part of it, NULL: none */
} example_t;
#define DEFAULT (LONG_MIN + 1)

static const example_t examples[] = {
    {"MIMALLOC_SHOW_STATS", "YES", MIC_OPTION_SHOW_STATS, 1, NULL},
    {"mimalloc_purge_decommits", "off", MIC_OPTION_PURGE_DECOMMITS, 0, NULL},
    {"MiMalloc_Purge_Delay", "-1", MIC_OPTION_PURGE_DELAY, -1, NULL},
    {"MIMALLOC_DESTROY_ON_EXIT", "2", MIC_OPTION_DESTROY_ON_EXIT, 2, NULL},
    {"MIMALLOC_ALLOW_THP", "False", MIC_OPTION_ALLOW_THP, 0, NULL},
    {"MIMALLOC_DISALLOW_OS_ALLOC", "", MIC_OPTION_DISALLOW_OS_ALLOC, 1, NULL},
    {"MIMALLOC_MAX_WARNINGS", "+17", MIC_OPTION_MAX_WARNINGS, 17, NULL},
    {"MIMALLOC_OS_TAG", "-9223372036854775808", MIC_OPTION_OS_TAG, LONG_MIN, NULL},
    {"MIMALLOC_GUARDED_MAX", "9223372036854775807", MIC_OPTION_GUARDED_MAX, LONG_MAX, NULL},
    /* sizes */
    {"MIMALLOC_RESERVE_OS_MEMORY", "123", MIC_OPTION_RESERVE_OS_MEMORY, 123, NULL},
    {"MIMALLOC_ARENA_RESERVE", "64m", MIC_OPTION_ARENA_RESERVE, 64 * 1024, NULL},
    {"MIMALLOC_MINIMAL_PURGE_SIZE", "2MiB", MIC_OPTION_MINIMAL_PURGE_SIZE, 2048, NULL},
    {"MIMALLOC_REGION_SIZE", "1TB", MIC_OPTION_REGION_SIZE, 1024L * 1024 * 1024, NULL},
    {"MIMALLOC_ARENA_MAX_OBJECT_SIZE", "-3", MIC_OPTION_ARENA_MAX_OBJECT_SIZE, DEFAULT,
     "MIMALLOC_ARENA_MAX_OBJECT_SIZE=-3 is negative; using the default, 2097152 KiB"},
    /* what is no value */
    {"MIMALLOC_MAX_ERRORS", "many", MIC_OPTION_MAX_ERRORS, DEFAULT,
     "MIMALLOC_MAX_ERRORS=many is not a number, TRUE or FALSE; using the default, 32\n"},
    {"MIMALLOC_USE_NUMA_NODES", "12x", MIC_OPTION_USE_NUMA_NODES, DEFAULT, "NODES=12x is not"},
    {"MIMALLOC_GENERIC_COLLECT", "", MIC_OPTION_GENERIC_COLLECT, DEFAULT, "COLLECT= is not"},
    {"MIMALLOC_MAX_VABITS", " 1", MIC_OPTION_MAX_VABITS, DEFAULT, "VABITS= 1 is not"},
    {"MIMALLOC_RETRY_ON_OOM", "9223372036854775808", MIC_OPTION_RETRY_ON_OOM, DEFAULT,
     "is out of range; using the default, 400 ms"},
    {"MIMALLOC_GUARDED_MIN", "1K", MIC_OPTION_GUARDED_MIN, DEFAULT, "=1K is not a number"},
    {"MIMALLOC_PAGE_FULL_RETAIN", "-", MIC_OPTION_PAGE_FULL_RETAIN, DEFAULT, "=- is not"},
    {"MIMALLOC_VISIT_ABANDONED", "TRU", MIC_OPTION_VISIT_ABANDONED, DEFAULT, "=TRU is not"},
    /* older names (mentioned where errors are shown); the current one wins */
    {"MIMALLOC_LARGE_OS_PAGES", "on", MIC_OPTION_ALLOW_LARGE_OS_PAGES, 1, NULL},
    {"MIMALLOC_EAGER_REGION_COMMIT", "0", MIC_OPTION_ARENA_EAGER_COMMIT, 0, NULL},
    {"MIMALLOC_RESET_DELAY", "77", MIC_OPTION_PURGE_DELAY, -1, NULL},
    {"MIMALLOC_SEGMENT_CACHE", "5", MIC_OPTION_DEPRECATED_SEGMENT_CACHE, 5, NULL},
};
#define EXAMPLES (sizeof examples / sizeof examples[0])

__attribute__((constructor(101))) static void set_environment(void)
{
    const char *const scenario = getenv(SCENARIO);
    if (scenario == NULL) {
        for (size_t i = 0; i < EXAMPLES; i++)
            fake_os_setenv(examples[i].variable, examples[i].text);
        return;
    }
    fake_os_setenv("MIMALLOC_PURGE_DELAY", "5");
    fake_os_setenv("MIMALLOC_MAX_ERRORS", "6");
    fake_os_setenv("MIMALLOC_OS_TAG", "wrong");
    if (strcmp(scenario, "secure") == 0) mic_os_info.secure_execution = true;
    if (strcmp(scenario, "late") == 0) fake_os_settings.environment_missing = true;
}

static long initial_value(int option)
{
    mic_option_row_t row;
    assert_true(mic_option_describe(option, &row));
    return row.initial;
}

static size_t times_in_stderr(const char *text)
{
    size_t count = 0;
    for (const char *at = fake_os_stderr(); (at = strstr(at, text)) != NULL; at++) count++;
    return count;
}

/* ---- scenarios in processes of their own ---- */

static int scenario_secure(void)
{
    if (!mic_options_ready()) return 1;
    if (mic_option(MIC_OPTION_PURGE_DELAY) != 1000 || mic_option(MIC_OPTION_MAX_ERRORS) != 32)
        return 2;
    mic_option_set(MIC_OPTION_VERBOSE, 1);
    const char *const environment[] = {"MIMALLOC_NONSENSE=1", NULL};
    mic_options_check_names(environment);
    return fake_os_stderr()[0] == 0 ? 0 : 3;
}

static int scenario_late(void)
{
    if (mic_options_ready()) return 1;
    if (mic_option_get(MIC_OPTION_PURGE_DELAY) != 1000) return 2;
    mic_option_set(MIC_OPTION_MAX_ERRORS, 7);
    fake_os_settings.environment_missing = false;
    mic_options_init();
    mic_options_init();
    if (!mic_options_ready() || mic_option(MIC_OPTION_PURGE_DELAY) != 5) return 3;
    if (mic_option(MIC_OPTION_MAX_ERRORS) != 7) return 4; /* the program has the last word */
    return times_in_stderr("MIMALLOC_OS_TAG=wrong") == 1 ? 0 : 5;
}

static void run_scenario(const char *name)
{
    const pid_t child = fork();
    if (child == 0) {
        setenv(SCENARIO, name, 1);
        execl("/proc/self/exe", "scenario", (char *)NULL);
        _exit(100);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void environment_is_ignored_in_secure_execution(void **state)
{
    (void)state;
    run_scenario("secure");
}

static void environment_that_comes_late_is_read_once(void **state)
{
    (void)state;
    run_scenario("late");
}

/* ---- in this process ---- */

static void values_come_from_the_environment(void **state)
{
    (void)state;
    assert_true(mic_options_ready());
    mic_options_init();
    for (size_t i = 0; i < EXAMPLES; i++) {
        const example_t *const e = &examples[i];
        const long expected = e->expected == DEFAULT ? initial_value((int)e->option) : e->expected;
        if (mic_option(e->option) != expected)
            fail_msg("%s=%s: %ld", e->variable, e->text, mic_option(e->option));
        if (e->warning == NULL) {
            char start[64];
            mic_format(start, sizeof start, "%s=", e->variable);
            assert_null(strstr(fake_os_stderr(), start));
        } else if (times_in_stderr(e->warning) != 1) {
            fail_msg("%s=%s: not warned once: %s", e->variable, e->text, fake_os_stderr());
        }
    }
}

static void rows_are_those_of_the_binary_interface(void **state)
{
    (void)state;
    mic_option_row_t row;
    for (int i = 0; i < MIC_OPTION_COUNT; i++) {
        assert_true(mic_option_describe(i, &row));
        assert_int_equal(row.number, i);
        assert_true(strlen(row.name) > 0 && strlen(row.sentence) > 10);
        assert_int_equal(row.sentence[strlen(row.sentence) - 1], '.');
        for (const char *at = row.name; *at != 0; at++)
            assert_true((*at >= 'a' && *at <= 'z') || *at == '_');
        for (int j = 0; j < i; j++) {
            mic_option_row_t other;
            mic_option_describe(j, &other);
            assert_string_not_equal(row.name, other.name);
        }
    }
    assert_false(mic_option_describe(MIC_OPTION_COUNT, &row));
    assert_false(mic_option_describe(-1, &row));
    mic_option_describe(46, &row);
    assert_string_equal(row.name, "arena_is_numa_local");
    mic_option_describe(15, &row);
    assert_string_equal(row.name, "purge_delay");
    assert_string_equal(row.legacy, "reset_delay");
    assert_int_equal(row.initial, 1000);
    mic_option_describe(24, &row);
    assert_int_equal(row.initial, 1); /* arena_purge_mult */
    mic_option_describe(42, &row);
    assert_int_equal(row.initial, 32); /* page_cross_thread_max_reclaim */
}

static void sizes_are_known(void **state)
{
    (void)state;
    assert_true(mic_option_is_size(MIC_OPTION_ARENA_RESERVE));
    assert_true(mic_option_is_size(MIC_OPTION_REGION_SIZE));
    assert_false(mic_option_is_size(MIC_OPTION_PURGE_DELAY));
    assert_false(mic_option_is_size(-1));
    assert_false(mic_option_is_size(MIC_OPTION_COUNT));
}

static void programs_set_values(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_MAX_ERRORS, 99);
    assert_int_equal(mic_option_get(MIC_OPTION_MAX_ERRORS), 99);
    mic_option_set_default(MIC_OPTION_MAX_ERRORS, 98);
    assert_int_equal(mic_option_get(MIC_OPTION_MAX_ERRORS), 99);
    /* from the environment: not a default either */
    mic_option_set_default(MIC_OPTION_DESTROY_ON_EXIT, 0);
    assert_int_equal(mic_option_get(MIC_OPTION_DESTROY_ON_EXIT), 2);
    /* a bad value in the environment left it alone */
    mic_option_set_default(MIC_OPTION_RETRY_ON_OOM, 12);
    assert_int_equal(mic_option_get(MIC_OPTION_RETRY_ON_OOM), 12);
    mic_option_set_default(MIC_OPTION_RETRY_ON_OOM, 13);
    assert_int_equal(mic_option_get(MIC_OPTION_RETRY_ON_OOM), 13);
}

static void numbers_out_of_range_are_harmless(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_SHOW_ERRORS, 1);
    mic_option_set(MIC_OPTION_MAX_WARNINGS, -1);
    fake_os_clear_stderr();
    assert_int_equal(mic_option_get(-1), 0);
    assert_int_equal(mic_option_get(MIC_OPTION_COUNT), 0);
    mic_option_set(INT_MAX, 1);
    mic_option_set_default(INT_MIN, 1);
    assert_int_equal(times_in_stderr("mimalloc: warning: there is no option with the number"), 4);
}

static void unknown_names_are_reported(void **state)
{
    (void)state;
    const char *const environment[] = {"PATH=/bin",
                                       "MIMALLOC_PURGE_DELAY=1",
                                       "mimalloc_purgedelay=1",
                                       "MIMALLOC_RESET_DELAY=1",
                                       "MIMALLOC_=3",
                                       "MIMALLOC_DISABLE_REDIRECT=1",
                                       "MIMALLOC_AUTOINSTALL=raw",
                                       "MIMALLOCATE=1",
                                       "MIMALLOC_VERBOS",
                                       NULL};
    mic_option_set(MIC_OPTION_MAX_WARNINGS, -1);
    mic_option_set(MIC_OPTION_SHOW_ERRORS, 0);
    fake_os_clear_stderr();
    mic_options_check_names(environment);
    assert_string_equal(fake_os_stderr(), "");
    mic_option_set(MIC_OPTION_VERBOSE, 1);
    mic_options_check_names(environment);
    mic_options_check_names(NULL);
    mic_option_set(MIC_OPTION_VERBOSE, 0);
    assert_string_equal(fake_os_stderr(),
                        "mimalloc: warning: MIMALLOC_purgedelay is not an option\n"
                        "mimalloc: warning: MIMALLOC_ is not an option\n"
                        "mimalloc: warning: MIMALLOC_VERBOS is not an option\n");
}

static void collect_text(const char *text, void *arg)
{
    char *const all = arg;
    assert_true(strlen(all) + strlen(text) < 8192);
    strcat(all, text);
}

static void the_table_is_printed(void **state)
{
    (void)state;
    char text[8192] = "";
    mic_option_set(MIC_OPTION_PURGE_DELAY, 25);
    mic_options_print(collect_text, text);
    assert_non_null(strstr(text, "purge_delay                    = 25 ms (set by the program)\n"));
    assert_non_null(strstr(text, "minimal_purge_size             = 2048 KiB (environment)\n"));
    assert_non_null(strstr(text, "page_max_candidates            = 4\n"));
    text[0] = 0;
    const size_t changed = mic_options_print_values("> ", false, collect_text, text);
    assert_true(changed > 5);
    assert_non_null(strstr(text, "> purge_delay = 25 ms (default 1000 ms)\n"));
    assert_null(strstr(text, "page_max_candidates"));
    text[0] = 0;
    assert_int_equal(mic_options_print_values("", true, collect_text, text), MIC_OPTION_COUNT);
    assert_non_null(strstr(text, "page_max_candidates = 4 (default 4)\n"));
}

int main(void)
{
    const char *const scenario = getenv(SCENARIO);
    if (scenario != NULL)
        return strcmp(scenario, "secure") == 0 ? scenario_secure() : scenario_late();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_from_the_environment), /* first: the others set values */
        cmocka_unit_test(rows_are_those_of_the_binary_interface),
        cmocka_unit_test(sizes_are_known),
        cmocka_unit_test(programs_set_values),
        cmocka_unit_test(numbers_out_of_range_are_harmless),
        cmocka_unit_test(unknown_names_are_reported),
        cmocka_unit_test(the_table_is_printed),
        cmocka_unit_test(environment_is_ignored_in_secure_execution),
        cmocka_unit_test(environment_that_comes_late_is_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
