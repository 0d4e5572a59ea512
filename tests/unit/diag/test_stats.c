/* core/src/diag/stats.c: the statistics table. */
/* fake-os */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/size_class.h"
#include "diag/diag.h"
#include "fake_os.h"
#include "heap/thread.h"

static char printed[16384];

static void keep(const char *text, void *arg)
{
    (void)arg;
    assert_true(strlen(printed) + strlen(text) < sizeof printed);
    strcat(printed, text);
}

static int setup(void **state)
{
    (void)state;
    fake_os_reset();
    printed[0] = 0;
    return 0;
}

/* no line is longer than 100 columns or ends in spaces */
static size_t checked_lines(void)
{
    size_t lines = 0;
    for (const char *at = printed, *end; *at != 0; at = end + 1, lines++) {
        end = strchr(at, '\n');
        assert_non_null(end);
        assert_true(end - at <= 100);
        if (end > at) assert_int_not_equal(end[-1], ' ');
    }
    return lines;
}

static void add(mic_heap_counts_t *counts, unsigned cls, size_t pages, size_t live,
                size_t live_bytes, size_t page_bytes)
{
    counts->classes[cls] =
        (mic_class_count_t){.block_bytes = cls == MIC_CLASS_SPAN ? 0 : mic_class_bytes(cls),
                            .pages = pages,
                            .live = live,
                            .live_bytes = live_bytes,
                            .page_bytes = page_bytes};
    counts->pages += pages;
    counts->live += live;
    counts->live_bytes += live_bytes;
    counts->page_bytes += page_bytes;
}

static void only_classes_in_use_are_listed(void **state)
{
    (void)state;
    mic_heap_counts_t counts = {0};
    add(&counts, 0, 2, 1234, 19744, 131072);
    add(&counts, mic_class_of(5120), 1, 12, 61440, 65536);
    add(&counts, MIC_CLASS_SPAN, 3, 3, 6 * MIC_MIB, 6 * MIC_MIB);
    counts.classes[0].peak_page_bytes = 262144;
    counts.classes[mic_class_of(5120)].peak_page_bytes = 65536;
    counts.classes[MIC_CLASS_SPAN].peak_page_bytes = 6 * MIC_MIB;
    counts.peak_page_bytes = 8 * MIC_MIB;
    mic_diag_print_classes(&counts, keep, NULL);
    char expected[2000];
    snprintf(expected, sizeof expected,
             "  block size   pages  live blocks  live bytes  page bytes        peak  in use\n"
             "  ---------------------------------------------------------------------------\n"
             "        16 B       2        1,234    19.3 KiB   128.0 KiB   256.0 KiB   15.1%%  ##\n"
             "       5 KiB       1           12    60.0 KiB    64.0 KiB    64.0 KiB   93.8%%"
             "  ###############\n"
             "   > %zu KiB       3            3     6.0 MiB     6.0 MiB     6.0 MiB  100.0%%"
             "  ################\n"
             "  ---------------------------------------------------------------------------\n"
             "       total       6        1,249     6.1 MiB     6.2 MiB     8.0 MiB   98.2%%"
             "  ################\n",
             MIC_LARGE_BLOCK_MAX / MIC_KIB);
    assert_string_equal(printed, expected);
    assert_int_equal(checked_lines(), 7);
}

static void an_empty_heap_says_so(void **state)
{
    (void)state;
    const mic_heap_counts_t counts = {0};
    mic_diag_print_classes(&counts, keep, NULL);
    assert_string_equal(printed, "  no blocks in use\n");
}

static void large_numbers_keep_to_the_columns(void **state)
{
    (void)state;
    mic_heap_counts_t counts = {0};
    for (unsigned cls = 0; cls <= MIC_CLASS_COUNT; cls++)
        add(&counts, cls, 99999, 99999999, (size_t)1 << 57, (size_t)1 << 57);
    mic_diag_print_classes(&counts, keep, NULL);
    assert_int_equal(checked_lines(), MIC_CLASS_COUNT + 1 + 4);
}

/* A count that was taken while others allocated may have more live bytes than pages. */
static void racy_counts_are_harmless(void **state)
{
    (void)state;
    mic_heap_counts_t counts = {0};
    add(&counts, 3, 1, 70000, 200000, 65536);
    add(&counts, 4, 1, 7, 560, 0);
    mic_diag_print_classes(&counts, keep, NULL);
    assert_non_null(strstr(printed, "100.0%  ################\n"));
    checked_lines();
}

static void the_whole_picture_is_printed(void **state)
{
    (void)state;
    const mic_os_process_t process = {.user_ms = 1500,
                                      .system_ms = 250,
                                      .rss_bytes = 12 * MIC_MIB,
                                      .peak_rss_bytes = 20 * MIC_MIB,
                                      .page_faults = 54321};
    fake_os_settings.process = process;
    assert_true(mic_thread_attach());
    mic_diag_print_stats(keep, NULL);
    assert_ptr_equal(strstr(printed, "mimalloc 3.4.3 statistics\n"), printed);
    assert_non_null(strstr(printed, "user 1.500 s, system 0.250 s\n"));
    assert_non_null(strstr(printed, "resident   12.0 MiB, peak 20.0 MiB, page faults 54,321\n"));
    assert_non_null(strstr(printed, "committed  "));
    assert_non_null(strstr(printed, "reserved   "));
    assert_non_null(strstr(printed, "purged     "));
    assert_non_null(strstr(printed, "threads    1 live"));
    checked_lines();
    assert_string_equal(fake_os_stderr(), "");
    mic_diag_print_stats(NULL, NULL);
    assert_int_equal(strlen(fake_os_stderr()), strlen(printed));
}

static void blocks_appear_in_the_table(void **state)
{
    (void)state;
    mic_heap_counts_t before, after;
    mic_heap_count(&before);
    void *const p = mic_malloc(3000);
    assert_non_null(p);
    mic_heap_count(&after);
    assert_int_equal(after.live, before.live + 1);
    mic_diag_print_classes(&after, keep, NULL);
    assert_non_null(strstr(printed, "      3 KiB "));
    mic_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_classes_in_use_are_listed, setup),
        cmocka_unit_test_setup(an_empty_heap_says_so, setup),
        cmocka_unit_test_setup(large_numbers_keep_to_the_columns, setup),
        cmocka_unit_test_setup(racy_counts_are_harmless, setup),
        cmocka_unit_test_setup(the_whole_picture_is_printed, setup),
        cmocka_unit_test_setup(blocks_appear_in_the_table, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
