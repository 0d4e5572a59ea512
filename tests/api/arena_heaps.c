/* Heaps bound to an arena, and arenas of sub-processes: what a program gets from them never lies
   elsewhere, what is full says so, and what was destroyed can be used again. */
#include <pthread.h>
#include <sys/mman.h>

#include "api_test.h"

#define MIB ((size_t)1 << 20)
#define BLOCKS_MAX 400000

static void *blocks[BLOCKS_MAX];

static char *mapped(size_t bytes)
{
    char *const p =
        mmap(NULL, bytes + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    return (char *)(((uintptr_t)p + 65535) & ~(uintptr_t)65535);
}

static mi_arena_id_t give(char *memory, size_t bytes)
{
    mi_arena_id_t id;
    assert_true(mi_manage_os_memory_ex(memory, bytes, true, false, true, -1, true, &id));
    return id;
}

static mi_arena_id_t reserve(size_t bytes)
{
    mi_arena_id_t id;
    assert_int_equal(mi_reserve_os_memory_ex(bytes, false, false, true, &id), 0);
    return id;
}

/* As many blocks as the heap's arena has room for; then ENOMEM, and never one of elsewhere. */
static size_t fill(mi_heap_t *heap, mi_arena_id_t id, size_t bytes)
{
    size_t n = 0;
    for (; n < BLOCKS_MAX; n++) {
        errno = 0;
        blocks[n] = mi_heap_malloc(heap, bytes);
        api_forget_memory();
        if (blocks[n] == NULL) break;
        assert_true(mi_arena_contains(id, blocks[n]));
        assert_true(mi_arena_contains(id, (char *)blocks[n] + mi_usable_size(blocks[n]) - 1));
        assert_true(mi_heap_contains(heap, blocks[n]));
        api_fill(blocks[n], bytes, (unsigned)n);
    }
    assert_true(n < BLOCKS_MAX);
    assert_int_equal(errno, ENOMEM);
    for (size_t i = 0; i < n; i++) assert_true(api_is_filled(blocks[i], bytes, (unsigned)i));
    return n;
}

static const size_t sizes[] = {16, 100, 5000, 40000, 300000, 3 << 20};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* No room for a page of their class, but for themselves. */
static void larger_blocks_fit_into_small_memory(void **state)
{
    (void)state;
    const size_t bytes = (API_CANARY ? 7 : 5) * 65536; /* some of it for guards */
    const mi_arena_id_t id = give(mapped(bytes), bytes);
    mi_heap_t *const heap = mi_heap_new_in_arena(id);
    assert_non_null(heap);
    char *const a = mi_heap_zalloc(heap, 40000);
    char *const b = mi_heap_zalloc(heap, 150000);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(api_is_zero(a, 40000));
    assert_true(api_is_zero(b, 150000));
    assert_true(mi_arena_contains(id, a) && mi_arena_contains(id, b));
    api_fill(api_opaque_pointer(a), mi_usable_size(a), 1); /* more than was asked for */
    api_fill(api_opaque_pointer(b), mi_usable_size(b), 2);
    assert_true(api_is_filled(api_opaque_pointer(a), mi_usable_size(a), 1));
    api_assert_fails(mi_heap_malloc(heap, 400000), ENOMEM);
    mi_free(a);
    char *const again = mi_heap_zalloc(heap, 40000); /* of memory that was used */
    assert_non_null(again);
    assert_true(api_is_zero(api_opaque_pointer(again), mi_usable_size(again)));
    mi_free(b);
    assert_non_null(mi_heap_malloc(heap, 100000));
    mi_heap_destroy(heap);
}

static void full_is_full_and_destroyed_is_free(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        const mi_arena_id_t id = kind == 0 ? reserve(8 * MIB) : give(mapped(33 * MIB), 33 * MIB);
        size_t arena_bytes;
        assert_non_null(mi_arena_area(id, &arena_bytes));
        size_t first[SIZES] = {0};
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < SIZES; i++) {
                if (sizes[i] == 16) continue; /* 2 million blocks */
                mi_heap_t *const heap = mi_heap_new_in_arena(id);
                assert_non_null(heap);
                const size_t n = fill(heap, id, sizes[i]);
                assert_true(n * sizes[i] > arena_bytes / 2);
                if (round == 0) first[i] = n;
                assert_int_equal(n, first[i]);
                char *const p = mi_malloc(sizes[i]); /* others have no need of it */
                assert_non_null(p);
                assert_false(mi_arena_contains(id, p));
                mi_free(p);
                mi_heap_destroy(heap);
            }
        }
    }
}

/* The smallest there are. A size whose pages do not fit is refused, not taken from elsewhere. */
static void tiny_memory(void **state)
{
    (void)state;
    for (size_t slices = 1; slices <= 70; slices += slices < 10 ? 1 : 20) {
        const mi_arena_id_t id = give(mapped(slices * 65536), slices * 65536);
        for (size_t i = 0; i < SIZES; i++) {
            mi_heap_t *const heap = mi_heap_new_in_arena(id);
            assert_non_null(heap);
            const size_t n = fill(heap, id, sizes[i]);
            const size_t canary = API_CANARY ? 8 : 0;
            if (sizes[i] <= 4000) assert_true(n * (sizes[i] + canary) > slices * 65536 / 2);
            /* with a guard behind, and a slice for one in front */
            const size_t guards = API_CANARY ? 4096 + 65536 : 0;
            if (sizes[i] > 512 * 1024)
                assert_true((n > 0) == (sizes[i] + guards <= slices * 65536));
            mi_heap_destroy(heap);
        }
    }
}

static void delete_leaves_blocks(void **state)
{
    (void)state;
    const mi_arena_id_t id = give(mapped(2 * MIB), 2 * MIB);
    size_t first = 0;
    for (int round = 0; round < 3; round++) {
        mi_heap_t *const heap = mi_heap_new_in_arena(id);
        const size_t n = fill(heap, id, 700);
        if (round == 0) first = n;
        assert_int_equal(n, first);
        mi_heap_delete(heap);
        for (size_t i = 0; i < n; i++) {
            assert_true(api_is_filled(blocks[i], 700, (unsigned)i));
            assert_true(mi_arena_contains(id, blocks[i]));
            /* what is not the main heap's own arena does not serve it */
            if (i % 2 == 0) mi_free(blocks[i]);
        }
        for (size_t i = 0; i < 1000; i++) {
            void *const p = mi_malloc(700);
            assert_false(mi_arena_contains(id, p));
            mi_free(p);
        }
        for (size_t i = 1; i < n; i += 2) mi_free(blocks[i]);
        mi_collect(true);
    }
}

static void resizing_stays_inside(void **state)
{
    (void)state;
    const mi_arena_id_t id = reserve(96 * MIB);
    mi_heap_t *const heap = mi_heap_new_in_arena(id);
    char *p = NULL;
    size_t bytes = 10;
    for (size_t more = 10; more < 60 * MIB; more = more * 3 / 2) {
        char *const q = mi_heap_realloc(heap, p, more);
        if (q == NULL) break; /* the old and the new one do not fit */
        assert_true(mi_arena_contains(id, q) && mi_arena_contains(id, q + more - 1));
        if (p != NULL) assert_true(api_is_filled(q, bytes, 4));
        api_fill(q, more, 4);
        p = q;
        bytes = more;
    }
    assert_true(bytes > 20 * MIB);
    p = mi_heap_realloc(heap, p, 5 * MIB);
    assert_true(mi_arena_contains(id, p) && api_is_filled(p, 5 * MIB, 4));
    char *const zeroes = mi_heap_calloc(heap, 1, 30 * MIB);
    assert_true(api_is_zero(zeroes, 30 * MIB));
    assert_true(mi_arena_contains(id, zeroes + 30 * MIB - 1));
    char *const aligned = mi_heap_malloc_aligned(heap, 3 * MIB, 2 * MIB);
    assert_true(mi_arena_contains(id, aligned));
    api_assert_aligned(aligned, 2 * MIB);
    mi_heap_destroy(heap);
}

typedef struct shared {
    mi_heap_t *heap;
    mi_arena_id_t id;
    size_t had, failed;
} shared_t;

static void *use_shared(void *arg)
{
    shared_t *const s = arg;
    void *mine[300] = {NULL};
    unsigned x = (unsigned)(uintptr_t)mine | 1;
    for (int i = 0; i < 20000; i++) {
        x = x * 1664525u + 1013904223u;
        const size_t at = (x >> 8) % 300, bytes = 1 + (x >> 17) % (i % 50 == 0 ? 200000 : 3000);
        mi_free(mine[at]);
        mine[at] = mi_heap_malloc(s->heap, bytes);
        if (mine[at] == NULL) {
            s->failed++;
            continue;
        }
        s->had++;
        assert_true(mi_arena_contains(s->id, mine[at]));
        memset(mine[at], 0x5a, bytes);
    }
    for (size_t i = 0; i < 300; i += 2) mi_free(mine[i]);
    return NULL;
}

static void threads_share_an_arena(void **state)
{
    (void)state;
    const mi_arena_id_t id = give(mapped(24 * MIB), 24 * MIB);
    for (int round = 0; round < 3; round++) {
        shared_t shared[4];
        pthread_t threads[4];
        mi_heap_t *const heap = mi_heap_new_in_arena(id);
        for (int i = 0; i < 4; i++) {
            shared[i] = (shared_t){.heap = heap, .id = id};
            assert_int_equal(pthread_create(&threads[i], NULL, use_shared, &shared[i]), 0);
        }
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_true(shared[i].had > 1000);
        }
        mi_heap_destroy(heap);
        mi_heap_t *const again = mi_heap_new_in_arena(id);
        void *const all = mi_heap_malloc(again, 24 * MIB - (API_CANARY ? 3 : 1) * 65536);
        assert_non_null(all); /* nothing was left behind */
        mi_heap_destroy(again);
    }
}

/* ---- the callback ---- */

static size_t pool_bytes;

static bool pool_commit(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    (void)arg;
    if (commit) *is_zero = true;
    if (!commit && madvise(start, size, MADV_DONTNEED) != 0) return false;
    pool_bytes = commit ? pool_bytes + size : pool_bytes - size;
    return mprotect(start, size, commit ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

static void destroyed_heaps_memory_goes_back(void **state)
{
    (void)state;
    char *const memory = mapped(10 * MIB);
    assert_int_equal(mprotect(memory, 10 * MIB, PROT_NONE), 0);
    mi_arena_id_t id;
    assert_true(
        mi_manage_memory(memory, 10 * MIB, false, false, true, -1, true, pool_commit, NULL, &id));
    for (int round = 0; round < 3; round++) {
        mi_heap_t *const heap = mi_heap_new_in_arena(id);
        const size_t n = fill(heap, id, 3000);
        assert_true(n > 3000);
        assert_true(pool_bytes > 9 * MIB);
        mi_heap_destroy(heap);
        mi_collect(true);
        assert_int_equal(pool_bytes, 0);
    }
}

/* ---- sub-processes ---- */

static char *given;
static mi_arena_id_t ids[3];
static mi_subproc_id_t subproc;

static void *in_subproc(void *arg)
{
    mi_subproc_add_current_thread(subproc);
    assert_int_equal(mi_reserve_os_memory_ex(40 * MIB, false, false, false, &ids[0]), 0);
    assert_true(mi_manage_os_memory_ex(given, 8 * MIB, true, false, true, -1, true, &ids[1]));
    void *const p = mi_malloc(100000);
    assert_true(mi_arena_contains(ids[0], p));
    assert_null(mi_heap_new_in_arena(ids[2])); /* another sub-process's */
    mi_heap_t *const heap = mi_heap_new_in_arena(ids[1]);
    void *const q = mi_heap_malloc(heap, 100000);
    assert_true(mi_arena_contains(ids[1], q));
    for (size_t i = 0; i < 2000; i++) { /* more than its arena: of the rest of the system's */
        blocks[i] = mi_malloc(50000);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 50000);
        assert_false(mi_arena_contains(ids[2], blocks[i]));
    }
    return arg;
}

static void arenas_of_subprocesses(void **state)
{
    (void)state;
    given = mapped(8 * MIB);
    assert_int_equal(mi_reserve_os_memory_ex(40 * MIB, false, false, false, &ids[2]), 0);
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        subproc = mi_subproc_new();
        assert_int_equal(pthread_create(&thread, NULL, in_subproc, NULL), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        api_assert_fails(mi_heap_new_in_arena(ids[0]), EINVAL);
        for (size_t i = 0; i < 2000; i++) {
            void *const p = mi_malloc(50000);
            assert_false(mi_arena_contains(ids[0], p) || mi_arena_contains(ids[1], p));
            mi_free(p);
        }
        assert_non_null(mi_arena_area(ids[0], NULL));
        /* it is the sub-process's: it cannot be given twice while that lives */
        assert_false(mi_manage_os_memory(given, 8 * MIB, true, false, false, -1));
        mi_subproc_destroy(subproc);
        assert_null(mi_arena_area(ids[0], NULL)); /* gone with it */
        assert_null(mi_arena_area(ids[1], NULL));
        assert_false(mi_arena_contains(ids[1], given));
        memset(given, 0, 8 * MIB); /* the program's again */
    }
}

static void not_an_arena(void **state)
{
    (void)state;
    int other;
    api_assert_fails(mi_heap_new_in_arena(&other), EINVAL);
    api_assert_fails(mi_heap_new_in_arena((void *)1), EINVAL); /* the library's own */
    mi_heap_t *const heap = mi_heap_new_in_arena(NULL);
    assert_non_null(heap);
    mi_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_blocks_fit_into_small_memory),
        cmocka_unit_test(full_is_full_and_destroyed_is_free),
        cmocka_unit_test(tiny_memory),
        cmocka_unit_test(delete_leaves_blocks),
        cmocka_unit_test(resizing_stays_inside),
        cmocka_unit_test(threads_share_an_arena),
        cmocka_unit_test(destroyed_heaps_memory_goes_back),
        cmocka_unit_test(arenas_of_subprocesses),
        cmocka_unit_test(not_an_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
