/* Big blocks lie between inaccessible pages, in builds that have them, and where the system can do
   it without splitting mappings, their number does not grow. */
#include <signal.h>
#include <sys/mman.h>

#include "api_test.h"
#include "mappings.h"

static const size_t sizes[] = {70000, 100000, 300000, 500000, 600000, 1 << 20, 5000000, 40000000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void touch(void *p)
{
    signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with the tests */
    *(volatile char *)p = 1;
}

static void assert_faults(void *p)
{
    char text[100];
    const int status = api_run_child(touch, p, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void beside_a_block_is_a_guard(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        char *p = mi_malloc(sizes[s]);
        memset(p, 1, mi_usable_size(p));
        assert_faults(p - 1);
        /* behind a canary, where there is one */
        assert_faults(p + mi_usable_size(p) + 8);
        p = mi_realloc(p, sizes[s] * 2);
        memset(p, 1, mi_usable_size(p));
        assert_faults(p - 1);
        assert_faults(p + mi_usable_size(p) + 8);
        p = mi_realloc(p, sizes[s]);
        memset(p, 1, mi_usable_size(p));
        assert_faults(p - 1);
        assert_faults(p + mi_usable_size(p) + 8);
        mi_free(p);
    }
}

static void no_mapping_is_split(void **state)
{
    (void)state;
    if (!light_guards() || API_SWEPT) skip(); /* guards of the fake system split them */
    enum { BLOCKS = 40 };
    void *blocks[BLOCKS];
    size_t before = 0;
    for (int round = 0; round < 4; round++) {
        for (size_t s = 0; s < SIZES; s++) {
            for (size_t i = 0; i < BLOCKS; i++) assert_non_null(blocks[i] = mi_malloc(sizes[s]));
            for (size_t i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
        }
        if (round == 0) before = mappings(); /* what is reserved later is a mapping each */
    }
    assert_true(mappings() <= before + 4);
}

/* A page that had guards serves other sizes afterwards, all of it. */
static void guards_go_with_their_blocks(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        char *const big = mi_malloc(sizes[(size_t)round % SIZES]);
        mi_free(big);
        char *const other = mi_zalloc(sizes[(size_t)(round * 5 + 3) % SIZES]);
        assert_true(api_is_zero(other, mi_usable_size(other)));
        memset(other, 1, mi_usable_size(other));
        mi_free(other);
        if (round % 16 == 0) mi_collect(true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_a_block_is_a_guard),
        cmocka_unit_test(no_mapping_is_split),
        cmocka_unit_test(guards_go_with_their_blocks),
    };
    if (!API_CANARY) return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
