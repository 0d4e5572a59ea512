/* Arenas of the program without heaps bound to them: reserving, giving memory, blocks in it, ids,
   errors, printing. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "api_test.h"

#define MIB ((size_t)1 << 20)

static void *mapped(size_t bytes, int flags)
{
    void *const p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    return p;
}

static bool inside(const void *p, const void *start, size_t bytes)
{
    return (uintptr_t)p - (uintptr_t)start < bytes;
}

static void constants(void **state)
{
    (void)state;
    assert_int_equal(mi_arena_min_alignment(), 65536);
    assert_int_equal(mi_arena_min_size(), 32 * MIB);
}

static void reserved_memory_serves_everybody(void **state)
{
    (void)state;
    mi_arena_id_t id = NULL;
    errno = 12;
    assert_int_equal(mi_reserve_os_memory_ex(100 * MIB, false, false, false, &id), 0);
    assert_int_equal(errno, 12);
    assert_non_null(id);
    size_t size = 0;
    char *const start = mi_arena_area(id, &size);
    assert_non_null(start);
    assert_int_equal(size, 100 * MIB);
    api_assert_aligned(start, mi_arena_min_alignment());
    assert_ptr_equal(mi_arena_area(id, NULL), start);
    assert_true(mi_arena_contains(id, start));
    assert_true(mi_arena_contains(id, start + size - 1));
    assert_false(mi_arena_contains(id, start + size));
    assert_false(mi_arena_contains(id, start - 1));
    assert_false(mi_arena_contains(id, NULL));
    char *const p = mi_malloc(20 * MIB);
    assert_true(mi_arena_contains(id, p));
    api_fill(p, 20 * MIB, 3);
    char *const q = mi_realloc(p, 60 * MIB);
    assert_true(api_is_filled(q, 20 * MIB, 3));
    mi_free(q);
    char *const big = mi_calloc(1, 300 * MIB); /* where there is room */
    assert_non_null(big);
    assert_false(mi_arena_contains(id, big));
    mi_free(big);
}

static void exclusive_memory_serves_nobody_else(void **state)
{
    (void)state;
    mi_arena_id_t id = NULL;
    assert_int_equal(mi_reserve_os_memory_ex(64 * MIB, true, false, true, &id), 0);
    for (size_t bytes = 8; bytes < 80 * MIB; bytes = bytes * 3 / 2) {
        void *const p = mi_malloc(bytes);
        assert_false(mi_arena_contains(id, p));
        mi_free(p);
    }
}

static void small_sizes_are_rounded_up(void **state)
{
    (void)state;
    mi_arena_id_t id = NULL;
    size_t size = 0;
    assert_int_equal(mi_reserve_os_memory_ex(1, false, false, true, &id), 0);
    assert_non_null(mi_arena_area(id, &size));
    assert_int_equal(size, mi_arena_min_size());
    assert_int_equal(mi_reserve_os_memory_ex(33 * MIB + 1, false, true, true, &id), 0);
    assert_non_null(mi_arena_area(id, &size)); /* of large pages or not */
    assert_true(size >= 33 * MIB + 1 && size <= 35 * MIB);
    assert_int_equal(size % mi_arena_min_alignment(), 0);
}

static void what_cannot_be_had(void **state)
{
    (void)state;
    int other;
    mi_arena_id_t id = &other;
    errno = 55;
    assert_int_equal(mi_reserve_os_memory_ex(API_HUGE, false, false, true, &id), ENOMEM);
    assert_null(id);
    assert_int_equal(mi_reserve_os_memory(SIZE_MAX, true, true), ENOMEM);
    id = &other;
    assert_int_equal(mi_reserve_huge_os_pages_at_ex(1 << 20, 0, 1, true, &id), ENOMEM);
    assert_null(id);
    id = &other;
    static char page[4096];
    assert_false(mi_manage_os_memory_ex(page, sizeof page, true, false, false, -1, true, &id));
    assert_null(id);
    assert_false(mi_manage_os_memory(NULL, 64 * MIB, true, false, false, -1));
    assert_false(mi_manage_os_memory(page, SIZE_MAX, true, false, false, -1));
    char *const p = mi_malloc(MIB); /* ours already */
    assert_false(mi_manage_os_memory(p, MIB, true, false, false, -1));
    mi_free(p);
    assert_int_equal(errno, 55);
    assert_int_equal(mi_reserve_huge_os_pages_at(0, -1, 0), 0); /* nothing asked for */
    size_t size = 3, pages = 3;
    assert_int_equal(mi_reserve_huge_os_pages(0, 0, &pages), 0);
    assert_int_equal(pages, 0);
    assert_null(mi_arena_area(NULL, &size));
    assert_int_equal(size, 0);
    assert_null(mi_arena_area(&other, &size));
    assert_false(mi_arena_contains(NULL, page));
    assert_false(mi_arena_contains(&other, page));
}

/* ---- the program's memory ---- */

/* More blocks than the arena has room for; returns how many are in it. They behave as others. */
static size_t fill_up(mi_arena_id_t id, size_t bytes, void **blocks, size_t count)
{
    size_t in_it = 0;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = i % 2 ? mi_malloc(bytes) : mi_calloc(1, bytes);
        assert_non_null(blocks[i]);
        if (i % 2 == 0) assert_true(api_is_zero(blocks[i], bytes));
        assert_true(mi_usable_size(blocks[i]) >= bytes);
        api_fill(blocks[i], bytes, (unsigned)i);
        in_it += mi_arena_contains(id, blocks[i]);
    }
    blocks[count] = NULL;
    return in_it;
}

static void *free_all(void *arg)
{
    for (void **blocks = arg; *blocks != NULL; blocks++) mi_free(*blocks);
    return NULL;
}

static void given_memory_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {64 << 10, 192 << 10, 1 << 20, 5 << 20, 40 << 20};
    static void *blocks[90000];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        /* what happens to be in it is not taken for zero */
        char *const memory = mapped(sizes[i] + 65536, MAP_PRIVATE);
        memset(memory, 0x77, sizes[i] + 65536);
        mi_arena_id_t id;
        assert_true(
            mi_manage_os_memory_ex(memory, sizes[i] + 65536, true, false, false, -1, false, &id));
        size_t size;
        char *const start = mi_arena_area(id, &size);
        assert_true(inside(start, memory, 65536) && size >= sizes[i]);
        for (int round = 0; round < 2; round++) {
            const size_t n = sizes[i] / 500;
            assert_true(fill_up(id, 1000, blocks, n) >= sizes[i] / 1100);
            for (size_t k = 0; k < n; k++) assert_true(api_is_filled(blocks[k], 1000, (unsigned)k));
            pthread_t thread;
            if (round == 0) {
                free_all(blocks);
            } else { /* by another thread */
                assert_int_equal(pthread_create(&thread, NULL, free_all, blocks), 0);
                assert_int_equal(pthread_join(thread, NULL), 0);
            }
            mi_collect(true);
        }
        /* used up from here on, so that the next one is looked into */
        (void)fill_up(id, 1000, blocks, sizes[i] / 500);
    }
}

/* Memory that is shared with others is never moved by page tables, nor zero when it was dropped. */
static void shared_memory(void **state)
{
    (void)state;
    const size_t size = 96 * MIB;
    char *const memory = mapped(size, MAP_SHARED);
    mi_arena_id_t id;
    assert_true(mi_manage_os_memory_ex(memory, size, true, false, true, -1, false, &id));
    char *p = mi_malloc(20 * MIB);
    assert_true(mi_arena_contains(id, p));
    api_fill(p, 20 * MIB, 5);
    char *const q = mi_malloc(20 * MIB); /* in the way */
    api_fill(q, 20 * MIB, 6);
    char *const grown = mi_rezalloc(p, 70 * MIB);
    assert_non_null(grown);
    assert_true(api_is_filled(grown, 20 * MIB, 5));
    char *const zeroes = mi_calloc(1, 20 * MIB);
    assert_true(api_is_zero(zeroes, 20 * MIB));
    memset(zeroes, 0x33, 20 * MIB);
    assert_true(api_is_filled(grown, 20 * MIB, 5));
    assert_true(api_is_filled(q, 20 * MIB, 6));
    mi_free(zeroes);
    mi_collect(true);
    char *const again = mi_calloc(3, 7 * MIB);
    assert_true(api_is_zero(again, 21 * MIB));
    mi_free(again);
    mi_free(grown);
    mi_free(q);
}

static struct {
    size_t commits, decommits;
    char *start;
    size_t bytes;
} pool;

static bool pool_commit(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    assert_ptr_equal(arg, &pool);
    assert_true(inside(start, pool.start, pool.bytes));
    assert_int_equal(size % mi_arena_min_alignment(), 0);
    if (commit) pool.commits += size;
    if (!commit) pool.decommits += size;
    if (is_zero != NULL) *is_zero = false;
    if (!commit) memset(start, 0xee, size);
    return mprotect(start, size, commit ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

static void memory_with_a_callback(void **state)
{
    (void)state;
    pool.bytes = 64 * MIB;
    pool.start = mapped(pool.bytes, MAP_PRIVATE);
    assert_int_equal(mprotect(pool.start, pool.bytes, PROT_NONE), 0);
    mi_arena_id_t id;
    assert_true(mi_manage_memory(pool.start, pool.bytes, false, false, true, -1, false, pool_commit,
                                 &pool, &id));
    assert_int_equal(pool.commits, 0); /* nothing before it is needed */
    for (int round = 1; round <= 3; round++) {
        char *const p = mi_calloc(1, 30 * MIB);
        assert_true(mi_arena_contains(id, p));
        assert_true(api_is_zero(p, 30 * MIB));
        api_fill(p, 30 * MIB, 1);
        mi_free(p);
        mi_collect(true);
        assert_true(pool.commits >= (size_t)round * 30 * MIB);
        assert_true(pool.decommits >= (size_t)round * 30 * MIB);
        assert_true(pool.commits < (size_t)round * 32 * MIB);
    }
}

/* ---- fork, printing ---- */

static void fork_with_arenas(void **state)
{
    (void)state;
    mi_arena_id_t id;
    assert_int_equal(mi_reserve_os_memory_ex(64 * MIB, false, false, false, &id), 0);
    char *const p = mi_malloc(MIB);
    api_fill(p, MIB, 9);
    const pid_t pid = fork();
    if (pid == 0) {
        const bool ok = api_is_filled(p, MIB, 9) && mi_arena_area(id, NULL) != NULL &&
                        mi_reserve_os_memory(64 * MIB, false, false) == 0;
        mi_free(p);
        _exit(ok && mi_malloc(5 * MIB) != NULL ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    mi_free(p);
}

static char printed[20000];
static void print(const char *text, void *arg)
{
    (void)arg;
    strncat(printed, text, sizeof printed - strlen(printed) - 1);
}

static void printing(void **state)
{
    (void)state;
    mi_arena_id_t id;
    assert_int_equal(mi_reserve_os_memory_ex(48 * MIB, false, false, true, &id), 0);
    mi_register_output(print, NULL);
    printed[0] = 0;
    mi_arenas_print();
    char address[40];
    snprintf(address, sizeof address, "48.0 MiB at %p, reserved, exclusive",
             mi_arena_area(id, NULL));
    assert_non_null(strstr(printed, address));
    assert_non_null(strstr(printed, "the library's"));
    printed[0] = 0;
    mi_debug_show_arenas();
    mi_register_output(NULL, NULL);
    assert_non_null(strstr(printed, address));
    for (const char *line = printed; *line != 0; line = strchr(line, '\n') + 1)
        assert_true(strchr(line, '\n') - line <= 100);
}

/* Arenas stay, and serve in the order they were made: each test has a process of its own. */
static const struct CMUnitTest tests[] = {
    cmocka_unit_test(constants),
    cmocka_unit_test(reserved_memory_serves_everybody),
    cmocka_unit_test(exclusive_memory_serves_nobody_else),
    cmocka_unit_test(small_sizes_are_rounded_up),
    cmocka_unit_test(what_cannot_be_had),
    cmocka_unit_test(memory_with_a_callback),
    cmocka_unit_test(shared_memory),
    cmocka_unit_test(given_memory_of_any_size),
    cmocka_unit_test(fork_with_arenas),
    cmocka_unit_test(printing),
};

int main(int argc, char **argv)
{
    if (argc == 2) {
        const struct CMUnitTest one[] = {tests[atoi(argv[1])]};
        return cmocka_run_group_tests(one, NULL, NULL);
    }
    int failed = 0;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        char number[20];
        snprintf(number, sizeof number, "%zu", i);
        fflush(NULL);
        const pid_t pid = fork();
        if (pid == 0) execl("/proc/self/exe", argv[0], number, (char *)NULL);
        int status = -1;
        if (pid <= 0 || waitpid(pid, &status, 0) != pid || status != 0) failed++;
    }
    return failed;
}
