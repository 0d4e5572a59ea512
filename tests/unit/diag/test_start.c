/* core/src/diag/start.c: the block printed at start, statistics at exit, process numbers. */
/* fake-os */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "diag/diag.h"
#include "fake_os.h"
#include "rt/options.h"
#include "vm/arena.h"

/* before the library's own constructor, which prints */
__attribute__((constructor(101))) static void set_environment(void)
{
    fake_os_setenv("MIMALLOC_VERBOSE", "1");
    fake_os_setenv("MIMALLOC_REGION_SIZE", "256M");
    fake_os_setenv("MIMALLOC_PURGE_DELAY", "later");
}

static size_t times_in_stderr(const char *text)
{
    size_t count = 0;
    for (const char *at = fake_os_stderr(); (at = strstr(at, text)) != NULL; at++) count++;
    return count;
}

static void the_block_is_printed_once_at_start(void **state)
{
    (void)state;
    mic_diag_print_start();
    assert_int_equal(times_in_stderr("mimalloc: version     3.4.3\n"), 1);
    assert_int_equal(times_in_stderr("mimalloc: build       "), 1);
    assert_int_equal(times_in_stderr("mimalloc: region      256.0 MiB of address space at 0x"), 1);
    assert_int_equal(times_in_stderr("mimalloc:   verbose = 1 (default 0)\n"), 1);
    assert_int_equal(times_in_stderr("mimalloc:   region_size = 262144 KiB (default 0 KiB)\n"), 1);
    assert_int_equal(times_in_stderr("purge_delay ="), 0);
    assert_int_equal(times_in_stderr("MIMALLOC_PURGE_DELAY=later is not a number"), 1);
}

static void statistics_are_printed_at_exit_when_asked_for(void **state)
{
    (void)state;
    fake_os_clear_stderr();
    mic_diag_print_exit();
    assert_string_equal(fake_os_stderr(), "");
    mic_option_set(MIC_OPTION_SHOW_STATS, 1);
    mic_diag_print_exit();
    mic_diag_print_exit();
    assert_int_equal(times_in_stderr("statistics\n"), 1);
}

static void process_numbers_come_from_the_system_and_from_us(void **state)
{
    (void)state;
    fake_os_reset();
    const mic_os_process_t os = {.user_ms = 3,
                                 .system_ms = 4,
                                 .rss_bytes = 7 * MIC_MIB,
                                 .peak_rss_bytes = 6 * MIC_MIB, /* taken a moment earlier */
                                 .page_faults = 5};
    fake_os_settings.process = os;
    mic_diag_process_t before, process;
    mic_diag_process_get(&before);
    fake_os_advance_clock_ms(1234);
    mic_diag_process_get(&process);
    assert_int_equal(process.elapsed_ms - before.elapsed_ms, 1234);
    assert_int_equal(process.user_ms, 3);
    assert_int_equal(process.system_ms, 4);
    assert_int_equal(process.rss_bytes, 7 * MIC_MIB);
    assert_int_equal(process.rss_peak_bytes, 7 * MIC_MIB);
    assert_int_equal(process.page_faults, 5);
    assert_int_equal(process.committed_bytes, mic_load_relaxed(&mic_vm_counts.committed_bytes));
    assert_true(process.committed_peak_bytes >= process.committed_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_block_is_printed_once_at_start), /* first: the others clear stderr */
        cmocka_unit_test(statistics_are_printed_at_exit_when_asked_for),
        cmocka_unit_test(process_numbers_come_from_the_system_and_from_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
