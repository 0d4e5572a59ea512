/* Each public function that asks the system for something, as the first call of its process and for
   blocks of all kinds of pages. The test itself only says what a correct library does: what happens
   when the system refuses is the business of tests/support/fault_api.c. */
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <wchar.h>

#include "api_test.h"
#include "fault_sweep.h"

static size_t size_out;
static mi_heap_t *heap;

/* ---- functions that allocate: by size ---- */

typedef struct make_row {
    const char *name;
    void *(*make)(size_t bytes);
    size_t most; /* 0: any size */
    size_t alignment, offset;
    bool zero;
} make_row_t;

#define MAKE(function, call)                                                                       \
    static void *make_##function(size_t n) { return call; }
MAKE(malloc, mi_malloc(n))
MAKE(calloc, mi_calloc(n, 1))
MAKE(zalloc, mi_zalloc(n))
MAKE(mallocn, mi_mallocn(1, n))
MAKE(malloc_small, mi_malloc_small(n))
MAKE(zalloc_small, mi_zalloc_small(n))
MAKE(malloc_aligned, mi_malloc_aligned(n, 256 * 1024))
MAKE(malloc_aligned_at, mi_malloc_aligned_at(n, 64, 8))
MAKE(zalloc_aligned, mi_zalloc_aligned(n, 4096))
MAKE(zalloc_aligned_at, mi_zalloc_aligned_at(n, 4096, 16))
MAKE(calloc_aligned, mi_calloc_aligned(1, n, 128))
MAKE(calloc_aligned_at, mi_calloc_aligned_at(n, 1, 128, 24))
MAKE(memalign, mi_memalign(64, n))
MAKE(aligned_alloc, mi_aligned_alloc(1024, n))
MAKE(valloc, mi_valloc(n))
MAKE(pvalloc, mi_pvalloc(n))
MAKE(umalloc, mi_umalloc(n, &size_out))
MAKE(ucalloc, mi_ucalloc(1, n, &size_out))
MAKE(umalloc_small, mi_umalloc_small(n, &size_out))
MAKE(uzalloc_small, mi_uzalloc_small(n, &size_out))
MAKE(umalloc_aligned, mi_umalloc_aligned(n, 64, &size_out))
MAKE(uzalloc_aligned, mi_uzalloc_aligned(n, 64, &size_out))
MAKE(new, mi_new(n))
MAKE(new_aligned, mi_new_aligned(n, 64))
MAKE(new_nothrow, mi_new_nothrow(n))
MAKE(new_aligned_nothrow, mi_new_aligned_nothrow(n, 64))
MAKE(new_n, mi_new_n(n, 1))
MAKE(heap_malloc, mi_heap_malloc(heap, n))
MAKE(heap_zalloc, mi_heap_zalloc(heap, n))
MAKE(heap_calloc, mi_heap_calloc(heap, n, 1))
MAKE(heap_mallocn, mi_heap_mallocn(heap, n, 1))
MAKE(heap_malloc_small, mi_heap_malloc_small(heap, n))
MAKE(heap_zalloc_small, mi_heap_zalloc_small(heap, n))
MAKE(heap_malloc_aligned, mi_heap_malloc_aligned(heap, n, 512))
MAKE(heap_malloc_aligned_at, mi_heap_malloc_aligned_at(heap, n, 512, 8))
MAKE(heap_zalloc_aligned, mi_heap_zalloc_aligned(heap, n, 512))
MAKE(heap_zalloc_aligned_at, mi_heap_zalloc_aligned_at(heap, n, 512, 8))
MAKE(heap_calloc_aligned, mi_heap_calloc_aligned(heap, 1, n, 512))
MAKE(heap_calloc_aligned_at, mi_heap_calloc_aligned_at(heap, 1, n, 512, 8))
MAKE(heap_alloc_new, mi_heap_alloc_new(heap, n))
MAKE(heap_alloc_new_n, mi_heap_alloc_new_n(heap, n, 1))
MAKE(theap_malloc, mi_theap_malloc(mi_heap_theap(heap), n))
MAKE(theap_zalloc, mi_theap_zalloc(mi_heap_theap(heap), n))
MAKE(theap_calloc, mi_theap_calloc(mi_heap_theap(heap), n, 1))
MAKE(theap_malloc_small, mi_theap_malloc_small(mi_heap_theap(heap), n))
MAKE(theap_zalloc_small, mi_theap_zalloc_small(mi_heap_theap(heap), n))
MAKE(theap_malloc_aligned, mi_theap_malloc_aligned(mi_heap_theap(heap), n, 512))

static void *make_posix_memalign(size_t n)
{
    void *p = NULL;
    return mi_posix_memalign(&p, 64, n) == 0 ? p : NULL;
}

#define ROW(function, most, alignment, offset, zero)                                               \
    {                                                                                              \
        "mi_" #function, make_##function, most, alignment, offset, zero                            \
    }
static const make_row_t makes[] = {
    ROW(malloc, 0, 16, 0, false),
    ROW(calloc, 0, 16, 0, true),
    ROW(zalloc, 0, 16, 0, true),
    ROW(mallocn, 0, 16, 0, false),
    ROW(malloc_small, 1024, 16, 0, false),
    ROW(zalloc_small, 1024, 16, 0, true),
    ROW(malloc_aligned, 0, 256 * 1024, 0, false),
    ROW(malloc_aligned_at, 0, 64, 8, false),
    ROW(zalloc_aligned, 0, 4096, 0, true),
    ROW(zalloc_aligned_at, 0, 4096, 16, true),
    ROW(calloc_aligned, 0, 128, 0, true),
    ROW(calloc_aligned_at, 0, 128, 24, true),
    ROW(memalign, 0, 64, 0, false),
    ROW(aligned_alloc, 0, 1024, 0, false),
    ROW(valloc, 0, 4096, 0, false),
    ROW(pvalloc, 0, 4096, 0, false),
    ROW(umalloc, 0, 16, 0, false),
    ROW(ucalloc, 0, 16, 0, true),
    ROW(umalloc_small, 1024, 16, 0, false),
    ROW(uzalloc_small, 1024, 16, 0, true),
    ROW(umalloc_aligned, 0, 64, 0, false),
    ROW(uzalloc_aligned, 0, 64, 0, true),
    ROW(new, 0, 16, 0, false),
    ROW(new_aligned, 0, 64, 0, false),
    ROW(new_nothrow, 0, 16, 0, false),
    ROW(new_aligned_nothrow, 0, 64, 0, false),
    ROW(new_n, 0, 16, 0, false),
    ROW(heap_malloc, 0, 16, 0, false),
    ROW(heap_zalloc, 0, 16, 0, true),
    ROW(heap_calloc, 0, 16, 0, true),
    ROW(heap_mallocn, 0, 16, 0, false),
    ROW(heap_malloc_small, 1024, 16, 0, false),
    ROW(heap_zalloc_small, 1024, 16, 0, true),
    ROW(heap_malloc_aligned, 0, 512, 0, false),
    ROW(heap_malloc_aligned_at, 0, 512, 8, false),
    ROW(heap_zalloc_aligned, 0, 512, 0, true),
    ROW(heap_zalloc_aligned_at, 0, 512, 8, true),
    ROW(heap_calloc_aligned, 0, 512, 0, true),
    ROW(heap_calloc_aligned_at, 0, 512, 8, true),
    ROW(heap_alloc_new, 0, 16, 0, false),
    ROW(heap_alloc_new_n, 0, 16, 0, false),
    ROW(theap_malloc, 0, 16, 0, false),
    ROW(theap_zalloc, 0, 16, 0, true),
    ROW(theap_calloc, 0, 16, 0, true),
    ROW(theap_malloc_small, 1024, 16, 0, false),
    ROW(theap_zalloc_small, 1024, 16, 0, true),
    ROW(theap_malloc_aligned, 0, 512, 0, false),
    ROW(posix_memalign, 0, 64, 0, false),
};
#define MAKES (sizeof makes / sizeof makes[0])

static const size_t sizes[] = {24, 1000, 5000, 50000, 300000, 700000, 5000000};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* Whatever order: all blocks are there at the same time, and soiled memory is used again. */
static void functions_make(void **state)
{
    const make_row_t *const row = *state;
    char *blocks[SIZES];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < SIZES; i++) {
            const size_t size = row->most != 0 && sizes[i] > row->most ? 8 * i : sizes[i];
            errno = 77;
            blocks[i] = row->make(size);
            assert_non_null(blocks[i]);
            assert_int_equal(errno, 77);
            api_assert_aligned((uintptr_t)blocks[i] + row->offset, row->alignment);
            assert_true(mi_usable_size(blocks[i]) >= size);
            if (row->zero) assert_true(api_is_zero(blocks[i], size));
            api_fill(blocks[i], size, (unsigned)i);
        }
        for (size_t i = 0; i < SIZES; i++) {
            const size_t size = row->most != 0 && sizes[i] > row->most ? 8 * i : sizes[i];
            assert_true(api_is_filled(blocks[i], size, (unsigned)i));
            mi_free(blocks[i]);
        }
    }
}

/* ---- functions that resize ---- */

typedef struct resize_row {
    const char *name;
    void *(*resize)(void *p, size_t bytes);
    size_t alignment, offset;
    bool zero;
} resize_row_t;

#define RESIZE(function, call)                                                                     \
    static void *resize_##function(void *p, size_t n) { return call; }
RESIZE(realloc, mi_realloc(p, n))
RESIZE(reallocn, mi_reallocn(p, 1, n))
RESIZE(reallocf, mi_reallocf(p, n))
RESIZE(reallocarray, mi_reallocarray(p, n, 1))
RESIZE(realloc_aligned, mi_realloc_aligned(p, n, 64))
RESIZE(realloc_aligned_at, mi_realloc_aligned_at(p, n, 64, 8))
RESIZE(rezalloc, mi_rezalloc(p, n))
RESIZE(recalloc, mi_recalloc(p, n, 1))
RESIZE(rezalloc_aligned, mi_rezalloc_aligned(p, n, 64))
RESIZE(rezalloc_aligned_at, mi_rezalloc_aligned_at(p, n, 64, 8))
RESIZE(recalloc_aligned, mi_recalloc_aligned(p, n, 1, 64))
RESIZE(recalloc_aligned_at, mi_recalloc_aligned_at(p, n, 1, 64, 8))
RESIZE(aligned_recalloc, mi_aligned_recalloc(p, n, 1, 64))
RESIZE(aligned_offset_recalloc, mi_aligned_offset_recalloc(p, n, 1, 64, 8))
RESIZE(urealloc, mi_urealloc(p, n, NULL, &size_out))
RESIZE(new_realloc, mi_new_realloc(p, n))
RESIZE(new_reallocn, mi_new_reallocn(p, n, 1))
RESIZE(heap_realloc, mi_heap_realloc(heap, p, n))
RESIZE(heap_reallocn, mi_heap_reallocn(heap, p, n, 1))
RESIZE(heap_reallocf, mi_heap_reallocf(heap, p, n))
RESIZE(heap_realloc_aligned, mi_heap_realloc_aligned(heap, p, n, 64))
RESIZE(heap_realloc_aligned_at, mi_heap_realloc_aligned_at(heap, p, n, 64, 8))
RESIZE(heap_rezalloc, mi_heap_rezalloc(heap, p, n))
RESIZE(heap_recalloc, mi_heap_recalloc(heap, p, n, 1))
RESIZE(heap_rezalloc_aligned, mi_heap_rezalloc_aligned(heap, p, n, 64))
RESIZE(heap_rezalloc_aligned_at, mi_heap_rezalloc_aligned_at(heap, p, n, 64, 8))
RESIZE(heap_recalloc_aligned, mi_heap_recalloc_aligned(heap, p, n, 1, 64))
RESIZE(heap_recalloc_aligned_at, mi_heap_recalloc_aligned_at(heap, p, n, 1, 64, 8))
RESIZE(theap_realloc, mi_theap_realloc(mi_heap_theap(heap), p, n))

static void *resize_reallocarr(void *p, size_t n)
{
    return mi_reallocarr(&p, n, 1) == 0 ? p : NULL;
}

static void *resize_realloc_if_owned(void *p, size_t n)
{
    if (p == NULL) return mi_malloc(n);
    void *result = NULL;
    assert_true(mi_realloc_if_owned(p, n, &result));
    return result;
}

#undef ROW
#define ROW(function, alignment, offset, zero)                                                     \
    {                                                                                              \
        "mi_" #function, resize_##function, alignment, offset, zero                                \
    }
static const resize_row_t resizes[] = {
    ROW(realloc, 16, 0, false),
    ROW(reallocn, 16, 0, false),
    ROW(reallocf, 16, 0, false),
    ROW(reallocarray, 16, 0, false),
    ROW(realloc_aligned, 64, 0, false),
    ROW(realloc_aligned_at, 64, 8, false),
    ROW(rezalloc, 16, 0, true),
    ROW(recalloc, 16, 0, true),
    ROW(rezalloc_aligned, 64, 0, true),
    ROW(rezalloc_aligned_at, 64, 8, true),
    ROW(recalloc_aligned, 64, 0, true),
    ROW(recalloc_aligned_at, 64, 8, true),
    ROW(aligned_recalloc, 64, 0, true),
    ROW(aligned_offset_recalloc, 64, 8, true),
    ROW(urealloc, 16, 0, false),
    ROW(new_realloc, 16, 0, false),
    ROW(new_reallocn, 16, 0, false),
    ROW(heap_realloc, 16, 0, false),
    ROW(heap_reallocn, 16, 0, false),
    ROW(heap_reallocf, 16, 0, false),
    ROW(heap_realloc_aligned, 64, 0, false),
    ROW(heap_realloc_aligned_at, 64, 8, false),
    ROW(heap_rezalloc, 16, 0, true),
    ROW(heap_recalloc, 16, 0, true),
    ROW(heap_rezalloc_aligned, 64, 0, true),
    ROW(heap_rezalloc_aligned_at, 64, 8, true),
    ROW(heap_recalloc_aligned, 64, 0, true),
    ROW(heap_recalloc_aligned_at, 64, 8, true),
    ROW(theap_realloc, 16, 0, false),
    ROW(reallocarr, 16, 0, false),
    ROW(realloc_if_owned, 16, 0, false),
};
#define RESIZES (sizeof resizes / sizeof resizes[0])

/* Up through all kinds of pages, with a block behind each so that it has to move, and down again. */
static void functions_resize(void **state)
{
    const resize_row_t *const row = *state;
    void *behind[SIZES];
    char *p = NULL;
    size_t have = 0;
    for (size_t i = 0; i < 2 * SIZES - 1; i++) {
        const size_t size = i < SIZES ? sizes[i] : sizes[2 * SIZES - 2 - i];
        errno = 77;
        char *const q = row->resize(p, size);
        assert_non_null(q);
        assert_int_equal(errno, 77);
        api_assert_aligned((uintptr_t)q + row->offset, row->alignment);
        assert_true(api_is_filled(q, have < size ? have : size, 3));
        if (row->zero && i < SIZES) assert_true(api_is_zero(q + have, size - have));
        api_fill(q, size, 3);
        if (i < SIZES) {
            behind[i] = mi_malloc(size);
            assert_non_null(behind[i]);
            api_fill(behind[i], size, (unsigned)i);
        }
        p = q;
        have = size;
    }
    for (size_t i = 0; i < SIZES; i++) {
        assert_true(api_is_filled(behind[i], sizes[i], (unsigned)i));
        mi_free(behind[i]);
    }
    mi_free(p);
}

/* One test for each: as the first call of the process it meets every failure of the start. */
#define STRING(function, type, call, expected)                                                     \
    static void function(void **state)                                                             \
    {                                                                                              \
        (void)state;                                                                               \
        type *const copy = call;                                                                   \
        assert_non_null(copy);                                                                     \
        assert_memory_equal(copy, expected, sizeof(expected));                                     \
        mi_free(copy);                                                                             \
    }
STRING(mi_strdup_first, char, mi_strdup("text"), "text")
STRING(mi_strndup_first, char, mi_strndup("texture", 4), "text")
STRING(mi_mbsdup_first, unsigned char, mi_mbsdup((const unsigned char *)"text"), "text")
STRING(mi_wcsdup_first, wchar_t, mi_wcsdup(L"text"), L"text")
STRING(mi_realpath_first, char, mi_realpath("/dev/../dev/null", NULL), "/dev/null")
STRING(mi_heap_strdup_first, char, mi_heap_strdup(heap, "text"), "text")
STRING(mi_heap_strndup_first, char, mi_heap_strndup(heap, "texture", 4), "text")
STRING(mi_heap_realpath_first, char, mi_heap_realpath(heap, "/dev/./null", NULL), "/dev/null")

static void mi_dupenv_s_first(void **state)
{
    (void)state;
    char *copy = NULL;
    size_t size = 0;
    setenv("FAULT_TEXT", "text", 1);
    errno = 77;
    assert_int_equal(mi_dupenv_s(&copy, &size, "FAULT_TEXT"), 0);
    assert_int_equal(errno, 77);
    assert_string_equal(copy, "text");
    assert_int_equal(size, 5);
    mi_free(copy);
}

static void mi_stats_json_first(void **state)
{
    const int as = *(const int *)*state;
    mi_stats_t_decl(stats);
    char *const json = as ? mi_stats_as_json(&stats, 0, NULL) : mi_stats_get_json(0, NULL);
    assert_non_null(json);
    assert_int_equal(json[0], '{');
    mi_free(json);
}
static const int json_get = 0, json_as = 1;

/* ---- giving back ---- */

#define FREE(name, call)                                                                           \
    static void by_##name(void *p, size_t n)                                                       \
    {                                                                                              \
        (void)n;                                                                                   \
        call;                                                                                      \
    }
FREE(free, mi_free(p))
FREE(free_small, mi_free_small(p))
FREE(cfree, mi_cfree(p))
FREE(free_size, mi_free_size(p, n))
FREE(free_size_aligned, mi_free_size_aligned(p, n, 16))
FREE(free_aligned, mi_free_aligned(p, 16))
FREE(ufree, mi_ufree(p, &size_out))
FREE(free_if_owned, assert_true(mi_free_if_owned(p)))
static const struct free_row {
    const char *name;
    void (*release)(void *p, size_t bytes);
} frees[] = {
    {"mi_free", by_free},
    {"mi_free_small", by_free_small},
    {"mi_cfree", by_cfree},
    {"mi_free_size", by_free_size},
    {"mi_free_size_aligned", by_free_size_aligned},
    {"mi_free_aligned", by_free_aligned},
    {"mi_ufree", by_ufree},
    {"mi_free_if_owned", by_free_if_owned},
};
#define FREES (sizeof frees / sizeof frees[0])

/* More than a segment, which goes back at once, and a block that was moved by page tables. */
static void functions_free(void **state)
{
    const struct free_row *const row = *state;
    char *const big = mi_malloc(45 * MIC_MIB);
    char *moved = mi_malloc(2 * MIC_MIB);
    char *const behind = mi_malloc(2 * MIC_MIB);
    assert_true(big != NULL && moved != NULL && behind != NULL);
    api_fill(moved, 2 * MIC_MIB, 1);
    api_fill(behind, 2 * MIC_MIB, 2);
    moved = mi_realloc(moved, 5 * MIC_MIB);
    assert_non_null(moved);
    assert_true(api_is_filled(moved, 2 * MIC_MIB, 1));
    big[0] = 1;
    errno = 77;
    row->release(big, 45 * MIC_MIB);
    row->release(moved, 5 * MIC_MIB);
    assert_int_equal(errno, 77);
    char *const again = mi_zalloc(45 * MIC_MIB);
    assert_non_null(again);
    assert_true(again[0] == 0 && again[45 * MIC_MIB - 1] == 0);
    assert_true(api_is_filled(behind, 2 * MIC_MIB, 2));
    row->release(again, 45 * MIC_MIB);
    row->release(behind, 2 * MIC_MIB);
}

/* ---- collecting, threads, the process ---- */

static void do_collect(void) { mi_collect(true); }
static void do_collect_reduce(void) { mi_collect_reduce(0); }
static void do_heap_collect(void) { mi_heap_collect(mi_heap_main(), true); }
static void do_theap_collect(void) { mi_theap_collect(mi_theap_get_default(), true); }
static void do_set_default(void) { (void)mi_theap_set_default(NULL); }
static const struct action_row {
    const char *name;
    void (*action)(void);
} actions[] = {
    {"mi_collect", do_collect},
    {"mi_collect_reduce", do_collect_reduce},
    {"mi_thread_idle", mi_thread_idle},
    {"mi_thread_done", mi_thread_done},
    {"mi_thread_init", mi_thread_init},
    {"mi_process_init", mi_process_init},
    {"mi_heap_collect", do_heap_collect},
    {"mi_theap_collect", do_theap_collect},
    {"mi_theap_set_default", do_set_default},
};
#define ACTIONS (sizeof actions / sizeof actions[0])

static void functions_act(void **state)
{
    const struct action_row *const row = *state;
    mi_option_set(mi_option_purge_delay, 1); /* each look at the clock takes as long */
    errno = 77;
    row->action();
    assert_int_equal(errno, 77);
    enum { BLOCKS = 200 };
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = mi_malloc(20000);
        assert_non_null(blocks[i]);
        api_fill(blocks[i], 20000, (unsigned)i);
    }
    for (int i = 0; i < BLOCKS; i++) {
        assert_true(api_is_filled(blocks[i], 20000, (unsigned)i));
        mi_free(blocks[i]);
    }
    errno = 77;
    row->action();
    row->action();
    assert_int_equal(errno, 77);
}

/* ---- heaps, arenas, sub-processes, walks ---- */

static bool count_visit(const mi_heap_t *h, const mi_heap_area_t *area, void *block, size_t bytes,
                        void *arg)
{
    (void)h, (void)area, (void)bytes;
    if (block != NULL) ++*(size_t *)arg;
    return true;
}

static void functions_heap(void **state)
{
    (void)state;
    for (int destroy = 0; destroy < 2; destroy++) {
        mi_heap_t *const own = mi_heap_new();
        assert_non_null(own);
        mi_theap_t *const theap = mi_heap_theap(own);
        void *blocks[SIZES];
        for (size_t i = 0; i < SIZES; i++) {
            blocks[i] = mi_heap_malloc(own, sizes[i]);
            assert_non_null(blocks[i]);
            api_fill(blocks[i], sizes[i], (unsigned)i);
        }
        void *const big = mi_heap_malloc(own, 45 * MIC_MIB);
        size_t count = 0;
        assert_true(mi_heap_visit_blocks(own, true, count_visit, &count));
        assert_int_equal(count, SIZES + 1);
        count = 0;
        assert_true(mi_theap_visit_blocks(theap, true, count_visit, &count));
        assert_int_equal(count, SIZES + 1);
        assert_true(mi_heap_visit_abandoned_blocks(own, true, count_visit, &count));
        mi_heap_collect(own, true);
        errno = 77;
        if (destroy) {
            mi_heap_destroy(own);
            continue;
        }
        mi_heap_delete(own);
        assert_int_equal(errno, 77);
        for (size_t i = 0; i < SIZES; i++) {
            assert_true(api_is_filled(blocks[i], sizes[i], (unsigned)i));
            mi_free(blocks[i]);
        }
        mi_free(big);
    }
}

static void functions_subproc(void **state)
{
    (void)state;
    const mi_subproc_id_t id = mi_subproc_new();
    assert_non_null(id._mi_subproc_id);
    mi_subproc_destroy(id);
}

static void functions_arena(void **state)
{
    (void)state;
    mi_arena_id_t id;
    assert_int_equal(mi_reserve_os_memory(64 * MIC_MIB, false, false), 0);
    assert_int_equal(mi_reserve_os_memory_ex(64 * MIC_MIB, true, false, true, &id), 0);
    assert_non_null(id);
    mi_heap_t *const own = mi_heap_new_in_arena(id);
    assert_non_null(own);
    char *const p = mi_heap_zalloc(own, 700000);
    assert_non_null(p);
    assert_true(mi_arena_contains(id, p) && p[0] == 0);
    mi_heap_destroy(own);
}

/* Of 1 GiB each, as far as the system has them. */
static void functions_huge(void **state)
{
    (void)state;
    mi_arena_id_t id;
    assert_int_equal(mi_reserve_huge_os_pages_at(1, -1, 0), 0);
    assert_int_equal(mi_reserve_huge_os_pages_at_ex(1, -1, 0, true, &id), 0);
    assert_int_equal(mi_reserve_huge_os_pages_interleave(1, 1, 0), 0);
    mi_heap_t *const own = mi_heap_new_in_arena(id);
    assert_non_null(own);
    char *const p = mi_heap_zalloc(own, 3000000);
    assert_non_null(p);
    assert_true(mi_arena_contains(id, p));
    mi_heap_destroy(own);
}

static bool commit_given(bool commit, void *start, size_t bytes, bool *is_zero, void *arg)
{
    (void)commit, (void)start, (void)bytes, (void)arg;
    if (is_zero != NULL) *is_zero = false;
    return true;
}

/* Memory of the program: only what describes it is asked for. */
static void functions_given(void **state)
{
    (void)state;
    const size_t bytes = 40 * MIC_MIB;
    char *starts[3];
    for (int i = 0; i < 3; i++) {
        starts[i] = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_ptr_not_equal(starts[i], MAP_FAILED);
    }
    mi_arena_id_t id;
    assert_true(mi_manage_os_memory(starts[0], bytes, true, true, true, -1));
    assert_true(mi_manage_os_memory_ex(starts[1], bytes, true, true, true, -1, true, &id));
    mi_heap_t *const own = mi_heap_new_in_arena(id);
    assert_non_null(own);
    mi_heap_destroy(own);
    assert_true(
        mi_manage_memory(starts[2], bytes, false, false, false, -1, true, commit_given, NULL, &id));
}

/* ---- all of them ---- */

static int use_main_heap(void **state)
{
    (void)state;
    heap = mi_heap_main();
    return 0;
}

enum { OTHERS = 16, TESTS = MAKES + RESIZES + FREES + ACTIONS + OTHERS };

#define ONE(function)                                                                              \
    {                                                                                              \
#function, function, use_main_heap, NULL, NULL                                             \
    }

int main(void)
{
    static struct CMUnitTest tests[TESTS] = {
        ONE(mi_strdup_first),
        ONE(mi_strndup_first),
        ONE(mi_mbsdup_first),
        ONE(mi_wcsdup_first),
        ONE(mi_realpath_first),
        ONE(mi_heap_strdup_first),
        ONE(mi_heap_strndup_first),
        ONE(mi_heap_realpath_first),
        ONE(mi_dupenv_s_first),
        ONE(functions_heap),
        ONE(functions_subproc),
        ONE(functions_arena),
        ONE(functions_huge),
        ONE(functions_given),
        {"mi_stats_get_json", mi_stats_json_first, NULL, NULL, (void *)(uintptr_t)&json_get},
        {"mi_stats_as_json", mi_stats_json_first, NULL, NULL, (void *)(uintptr_t)&json_as},
    };
    size_t n = OTHERS;
#define ADD(rows, count, function)                                                                 \
    for (size_t i = 0; i < (count); i++)                                                           \
        tests[n++] = (struct CMUnitTest){(rows)[i].name, function, use_main_heap, NULL,            \
                                         (void *)(uintptr_t) & (rows)[i]};
    ADD(makes, MAKES, functions_make)
    ADD(resizes, RESIZES, functions_resize)
    ADD(frees, FREES, functions_free)
    ADD(actions, ACTIONS, functions_act)
    /* ask for nothing, or only in ways that tests/api has */
    static const fault_function_t but[] = {FAULT_mi_heap_stats_get_json,
                                           FAULT_mi_subproc_stats_get_json,
                                           FAULT_mi_heap_visit_abandoned_blocks,
                                           FAULT_mi_subproc_add_current_thread,
                                           FAULT_mi_subproc_destroy,
                                           FAULT_mi_heap_delete,
                                           FAULT_mi_thread_done};
    fault_require_functions(but, sizeof but / sizeof but[0]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
