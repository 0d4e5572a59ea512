/* override */
/* glibc's functions to look at the heap report our numbers. */
#include <malloc.h>

#include "api_test.h"

enum { SMALL_BLOCKS = 10000, SMALL_BYTES = 160 };
static void *small[SMALL_BLOCKS];

static size_t rss(void)
{
    size_t bytes;
    mi_process_info(NULL, NULL, NULL, &bytes, NULL, NULL, NULL, NULL);
    return bytes;
}

static void mallinfo2_counts_small_blocks(void **state)
{
    (void)state;
    const struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < SMALL_BLOCKS; i++) small[i] = malloc(SMALL_BYTES);
    const struct mallinfo2 full = mallinfo2();
    for (int i = 0; i < SMALL_BLOCKS; i++) free(small[i]);
    const struct mallinfo2 after = mallinfo2();

    assert_true(full.uordblks >= before.uordblks + SMALL_BLOCKS * SMALL_BYTES);
    assert_true(full.uordblks <= before.uordblks + SMALL_BLOCKS * SMALL_BYTES * 5 / 4);
    assert_true(after.uordblks < before.uordblks + SMALL_BYTES * 100);
    assert_int_equal(full.arena, full.uordblks + full.fordblks);
    assert_int_equal(after.arena, after.uordblks + after.fordblks);
    assert_true(full.keepcost <= full.fordblks);
    assert_int_equal(full.hblks, before.hblks);
}

static void mallinfo2_counts_big_blocks(void **state)
{
    (void)state;
    const struct mallinfo2 before = mallinfo2();
    void *const p = malloc(50 * MIC_MIB);
    void *const q = malloc(5 * MIC_MIB);
    const struct mallinfo2 full = mallinfo2();
    free(p);
    free(q);
    const struct mallinfo2 after = mallinfo2();
    assert_int_equal(full.hblks, before.hblks + 2);
    assert_true(full.hblkhd >= before.hblkhd + 55 * MIC_MIB);
    assert_true(full.hblkhd <= before.hblkhd + 56 * MIC_MIB);
    assert_int_equal(after.hblks, before.hblks);
    assert_int_equal(after.hblkhd, before.hblkhd);
}

static void mallinfo_stops_at_int_max(void **state)
{
    (void)state;
    void *const p = malloc(3 * MIC_GIB); /* address space, not memory */
    assert_non_null(p);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    const struct mallinfo info = mallinfo();
#pragma GCC diagnostic pop
    const struct mallinfo2 wide = mallinfo2();
    free(p);
    assert_int_equal(info.hblkhd, INT32_MAX);
    assert_int_equal(info.hblks, (int)wide.hblks);
    assert_true(info.uordblks >= 0 && info.fordblks >= 0 && info.arena >= 0);
}

static void malloc_trim_gives_back(void **state)
{
    (void)state;
    for (int i = 0; i < SMALL_BLOCKS; i++) {
        small[i] = malloc(8000);
        memset(small[i], 1, 8000);
    }
    for (int i = 0; i < SMALL_BLOCKS; i++) free(small[i]);
    const size_t before = rss();
    errno = 51;
    assert_int_equal(malloc_trim(0), 1);
    assert_int_equal(errno, 51);
    assert_true(rss() + 60 * MIC_MIB < before);
    assert_int_equal(malloc_trim(0), 0); /* nothing left to give */
}

/* All tags closed in order, attributes quoted: enough for "parses". Returns the number of tags. */
static int check_xml(char *text)
{
    const char *open[16];
    int depth = 0, tags = 0;
    for (char *at = strchr(text, '<'); at != NULL; at = strchr(at, '<')) {
        char *const end = strchr(at, '>');
        assert_non_null(end);
        *end = 0;
        tags++;
        int quotes = 0;
        for (const char *c = at; *c != 0; c++) quotes += *c == '"';
        assert_int_equal(quotes % 2, 0);
        const bool closed = end[-1] == '/';
        if (at[1] == '/') {
            assert_true(depth > 0);
            assert_string_equal(at + 2, open[--depth]);
        } else if (!closed) {
            assert_true(depth < 16);
            open[depth++] = at + 1;
            char *const space = strchr(at, ' ');
            if (space != NULL) *space = 0;
        }
        at = end + 1;
    }
    assert_int_equal(depth, 0);
    return tags;
}

static void malloc_info_is_xml(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *const out = open_memstream(&text, &length);
    assert_non_null(out);
    void *const p = malloc(10 * MIC_MIB), *const q = malloc(8);
    assert_int_equal(malloc_info(0, out), 0);
    free(p);
    free(q);
    assert_int_equal(fclose(out), 0);
    assert_true(strncmp(text, "<malloc version=\"1\">", 20) == 0);
    /* with a guard behind it, it has one slice more */
    assert_non_null(strstr(text, API_CANARY
                                     ? "<total type=\"mmap\" count=\"1\" size=\"10551296\"/>"
                                     : "<total type=\"mmap\" count=\"1\" size=\"10485760\"/>"));
    assert_non_null(strstr(text, "<size from=\"1\" to=\"16\" "));
    assert_null(strstr(text, "size=\"-"));
    assert_true(check_xml(text) > 10);
    free(text);
    assert_int_equal(malloc_info(1, stdout), EINVAL);
}

static void mallopt_accepts_what_glibc_knows(void **state)
{
    (void)state;
    static const int known[] = {M_MXFAST,         M_TRIM_THRESHOLD, M_TOP_PAD,
                                M_MMAP_THRESHOLD, M_MMAP_MAX,       M_CHECK_ACTION,
                                M_PERTURB,        M_ARENA_TEST,     M_ARENA_MAX};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(mallopt(known[i], 1), 1);
    assert_int_equal(mallopt(12345, 1), 0);
    assert_int_equal(mallopt(-100, 1), 0);
}

static void malloc_stats_prints_ours(void **state)
{
    (void)state;
    api_record_start();
    malloc_stats();
    api_record_stop();
    assert_true(api_record.length > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mallinfo2_counts_small_blocks),
        cmocka_unit_test(mallinfo2_counts_big_blocks),
        cmocka_unit_test(mallinfo_stops_at_int_max),
        cmocka_unit_test(malloc_trim_gives_back),
        cmocka_unit_test(malloc_info_is_xml),
        cmocka_unit_test(mallopt_accepts_what_glibc_knows),
        cmocka_unit_test(malloc_stats_prints_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
