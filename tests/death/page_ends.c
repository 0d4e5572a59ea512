/* Hardened build: a page ends in an OS page that cannot be touched, so that no overflow runs from a
   page of up to 64 KiB into the next one. It stays there when the page is freed and made again, goes
   when a bigger block takes the slices, and splits no mapping where the system has light guards. */
#include <signal.h>
#include <sys/mman.h>

#include "api_test.h"
#include "mappings.h"
#include "os/os.h"
#include "page/page.h"

static const size_t sizes[] = {1, 56, 100, 500, 1000, 4000, 8000, 12000, 30000, 60000};
enum { SIZES = sizeof sizes / sizeof sizes[0], MANY = 4000 };

static void touch(void *p)
{
    signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with the tests */
    *(volatile char *)p = 1;
}

static bool faults(void *p)
{
    char text[100];
    const int status = api_run_child(touch, p, text, sizeof text);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static char *end_of_page(const void *p)
{
    const mic_page_t *const page = mic_page_of(p);
    assert_non_null(page);
    return page->start + ((size_t)page->slices << MIC_SLICE_SHIFT);
}

static void no_page_reaches_the_next(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        void *const p = mi_malloc(sizes[s]);
        char *const end = end_of_page(p);
        assert_true(faults(end - 1));
        assert_true(faults(end - mic_os_info.page_bytes));
        assert_false(faults(end - mic_os_info.page_bytes - 1));
        mi_free(p);
    }
}

/* Every block is all the program's, in every page. */
static void fill(void **blocks, size_t n, size_t bytes)
{
    for (size_t i = 0; i < n; i++) {
        assert_non_null(blocks[i] = mi_malloc(bytes));
        memset(blocks[i], 1, mi_usable_size(blocks[i]));
    }
}

static void release(void **blocks, size_t n)
{
    for (size_t i = 0; i < n; i++) mi_free(blocks[i]);
    mi_collect(true);
}

static void *many[MANY];

static void slices_serve_all_sizes(void **state)
{
    (void)state;
    static const size_t others[] = {64, 3000, 40000, 100000, 1000000, 64, 9000, 300, 20000000};
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
            const size_t n = mic_min(MANY, (40 << 20) / others[i]);
            fill(many, n, others[i]);
            if (others[i] <= 60000) assert_true(faults(end_of_page(many[n - 1]) - 1));
            release(many, n);
        }
}

static void no_mapping_is_split(void **state)
{
    (void)state;
    if (!light_guards()) skip();
    size_t before = 0;
    for (int round = 0; round < 3; round++) {
        for (size_t s = 0; s < SIZES; s++) {
            const size_t n = mic_min(MANY, (32 << 20) / sizes[s]);
            fill(many, n, sizes[s]);
            release(many, n);
        }
        if (round == 0) before = mappings();
    }
    assert_true(mappings() <= before + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_page_reaches_the_next),
        cmocka_unit_test(slices_serve_all_sizes),
        cmocka_unit_test(no_mapping_is_split),
    };
    if (!MIC_PAGES_END_IN_GUARDS) return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
