/* First-class heaps: their life, and which heap an address is in. Functions that allocate:
   heap_functions.c. */
#include <limits.h>
#include <pthread.h>

#include "api_test.h"

/* one size of each kind of page and beyond: small, medium, large, span, span of whole segments */
static const size_t kinds[] = {1, 48, 100, 1000, 8000, 30000, 200000, 700000, 5000000, 70000000};
#define KINDS (sizeof kinds / sizeof kinds[0])
enum { EACH = 3 };

typedef struct blocks {
    void *at[KINDS][EACH];
} blocks_t;

static void blocks_make(blocks_t *blocks, mi_heap_t *heap)
{
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < EACH; i++) {
            api_assert_works(blocks->at[k][i], mi_heap_malloc(heap, kinds[k]));
            api_fill(blocks->at[k][i], kinds[k], (unsigned)(k * EACH + i));
        }
    }
}

/* They are in `heap` and as they were filled. */
static void blocks_check(const blocks_t *blocks, mi_heap_t *heap)
{
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < EACH; i++) {
            const char *const p = blocks->at[k][i];
            if (mi_heap_of(p) != heap) fail_msg("%zu bytes: another heap", kinds[k]);
            assert_ptr_equal(mi_heap_of(p + kinds[k] - 1), heap);
            assert_true(mi_heap_contains(heap, p));
            assert_true(mi_any_heap_contains(p));
            assert_true(api_is_filled(p, kinds[k], (unsigned)(k * EACH + i)));
        }
    }
}

static void blocks_free(const blocks_t *blocks)
{
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = 0; i < EACH; i++) mi_free(blocks->at[k][i]);
}

static size_t commit_now(void)
{
    size_t commit;
    mi_process_info(NULL, NULL, NULL, NULL, NULL, &commit, NULL, NULL);
    return commit;
}

static void on_thread(void *(*work)(void *), void *arg)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- which heap ---- */

static void blocks_are_in_their_heap(void **state)
{
    (void)state;
    mi_heap_t *a, *b;
    api_assert_works(a, mi_heap_new());
    api_assert_works(b, mi_heap_new());
    mi_heap_t *const main_heap = mi_heap_main();
    assert_non_null(main_heap);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(a, main_heap);
    blocks_t in_a, in_b;
    blocks_make(&in_a, a);
    blocks_make(&in_b, b);
    blocks_check(&in_a, a);
    blocks_check(&in_b, b);
    assert_false(mi_heap_contains(a, in_b.at[0][0]));
    assert_false(mi_heap_contains(main_heap, in_a.at[0][0]));
    blocks_free(&in_a);
    blocks_free(&in_b);
    mi_heap_delete(a);
    mi_heap_delete(b);
}

static void plain_blocks_are_in_the_main_heap(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        void *const p = mi_malloc(kinds[k]);
        assert_ptr_equal(mi_heap_of(p), mi_heap_main());
        assert_true(mi_heap_contains(mi_heap_main(), p));
        mi_free(p);
    }
}

static void no_heap_is_the_main_heap(void **state)
{
    (void)state;
    void *const p = mi_malloc(100);
    assert_true(mi_heap_contains(NULL, p));
    void *const q = mi_heap_malloc(NULL, 100);
    assert_ptr_equal(mi_heap_of(q), mi_heap_main());
    mi_heap_collect(NULL, false);
    mi_free(p);
    mi_free(q);
}

static void other_addresses_are_in_no_heap(void **state)
{
    (void)state;
    static char area[64];
    mi_heap_t *const heap = mi_heap_new();
    const void *const foreign[] = {NULL,
                                   area,
                                   &state,
                                   (void *)1,
                                   (void *)4096,
                                   (void *)~(uintptr_t)0,
                                   (void *)((uintptr_t)1 << 63),
                                   (void *)((uintptr_t)1 << 47),
                                   stdout,
                                   heap};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_null(mi_heap_of(foreign[i]));
        assert_false(mi_heap_contains(heap, foreign[i]));
        assert_false(mi_heap_contains(mi_heap_main(), foreign[i]));
    }
    mi_heap_delete(heap);
}

static void a_freed_block_is_in_its_heap_while_its_page_lives(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    void *const p = mi_heap_malloc(heap, 64);
    void *const q = mi_heap_malloc(heap, 64);
    mi_free(p);
    assert_ptr_equal(mi_heap_of(p), heap);
    mi_free(q);
    mi_heap_destroy(heap);
}

/* ---- delete, destroy ---- */

static void deleting_moves_blocks_to_the_main_heap(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    blocks_t blocks;
    blocks_make(&blocks, heap);
    errno = 5;
    mi_heap_delete(heap);
    assert_int_equal(errno, 5);
    blocks_check(&blocks, mi_heap_main());
    for (size_t k = 0; k < KINDS; k++) { /* still blocks like any other */
        char *const p = mi_realloc(blocks.at[k][0], kinds[k] * 2);
        assert_true(api_is_filled(p, kinds[k], (unsigned)(k * EACH)));
        api_use_all(p);
        blocks.at[k][0] = p;
    }
    blocks_free(&blocks);
}

static void destroying_frees_everything(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    blocks_t blocks;
    blocks_make(&blocks, heap);
    errno = 5;
    mi_heap_destroy(heap);
    assert_int_equal(errno, 5);
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = 0; i < EACH; i++) assert_null(mi_heap_of(blocks.at[k][i]));
}

static void destroying_gives_memory_back(void **state)
{
    (void)state;
    mi_collect(true);
    const size_t before = commit_now();
    for (int round = 0; round < API_TIMES(50, 3); round++) {
        mi_heap_t *const heap = mi_heap_new();
        for (int i = 0; i < API_TIMES(1000, 100); i++) assert_non_null(mi_heap_malloc(heap, 4000));
        assert_non_null(mi_heap_malloc(heap, 20 * MIC_MIB));
        assert_non_null(mi_heap_malloc_aligned(heap, 100, MIC_MIB));
        mi_heap_destroy(heap);
    }
    mi_collect(true);
    assert_true(commit_now() < before + 100 * MIC_MIB);
}

static void the_main_heap_stays(void **state)
{
    (void)state;
    char *const p = mi_strdup("text");
    api_record_start();
    mi_heap_delete(mi_heap_main());
    mi_heap_destroy(mi_heap_main());
    mi_heap_delete(NULL);
    mi_heap_destroy(NULL);
    api_record_stop();
    assert_string_equal(p, "text");
    assert_ptr_equal(mi_heap_of(p), mi_heap_main());
    mi_free(p);
}

static void an_unused_heap_can_be_ended(void **state)
{
    (void)state;
    mi_heap_t *heap = mi_heap_new();
    mi_heap_delete(heap);
    heap = mi_heap_new();
    mi_heap_destroy(heap);
}

/* Handles of ended heaps are found out where there is time to look. */
static void a_stale_handle_is_reported(void **state)
{
    (void)state;
    if (!API_CHECKED) skip();
    mi_heap_t *const heap = mi_heap_new();
    mi_free(mi_heap_malloc(heap, 10));
    mi_heap_destroy(heap);
    api_record_start();
    api_assert_fails(mi_heap_malloc(heap, 10), EINVAL);
    api_assert_fails(mi_heap_zalloc(heap, 10), EINVAL);
    api_assert_fails(mi_heap_malloc_aligned(heap, 10, 64), EINVAL);
    api_assert_fails(mi_heap_realloc(heap, NULL, 10), EINVAL);
    api_assert_fails(mi_heap_theap(heap), EINVAL);
    api_record_stop();
    assert_int_equal(api_record.errors, 5);
    assert_int_equal(api_record.last_error, EINVAL);
    api_record_start();
    mi_heap_destroy(heap);
    mi_heap_delete(heap);
    api_record_stop();
    assert_int_equal(api_record.errors, 2);
}

/* ---- many ---- */

static void heaps_by_the_hundred_thousand(void **state)
{
    (void)state;
    const int rounds = API_TIMES(API_CHECKED ? 20000 : 100000, 60);
    size_t before = 0;
    for (int i = 0; i < rounds; i++) {
        mi_heap_t *const heap = mi_heap_new();
        assert_non_null(heap);
        char *const p = mi_heap_malloc(heap, 100);
        assert_non_null(p);
        p[0] = 1;
        if (i % 2 == 0) {
            mi_heap_destroy(heap);
        } else {
            mi_heap_delete(heap);
            mi_free(p);
        }
        if (i == rounds / 10) before = commit_now();
    }
    assert_true(commit_now() <= before + MIC_MIB);
}

static void ten_thousand_live_heaps(void **state)
{
    (void)state;
    enum { HEAPS = API_TIMES(10000, 400) };
    static mi_heap_t *heaps[HEAPS];
    static int *blocks[HEAPS];
    for (int i = 0; i < HEAPS; i++) {
        heaps[i] = mi_heap_new();
        assert_non_null(heaps[i]);
        blocks[i] = mi_heap_malloc(heaps[i], sizeof(int));
        assert_non_null(blocks[i]);
        *blocks[i] = i;
    }
    for (int i = 0; i < HEAPS; i++) {
        assert_int_equal(*blocks[i], i);
        assert_ptr_equal(mi_heap_of(blocks[i]), heaps[i]);
        int *const more = mi_heap_malloc(heaps[i], sizeof(int)); /* each is still found */
        assert_ptr_equal(mi_heap_of(more), heaps[i]);
    }
    for (int i = 0; i < HEAPS; i++) {
        if (i % 2 == 0)
            mi_heap_destroy(heaps[i]);
        else
            mi_heap_delete(heaps[i]);
    }
    for (int i = 1; i < HEAPS; i += 2) assert_int_equal(*blocks[i], i);
    for (int i = 1; i < HEAPS; i += 2) mi_free(blocks[i]);
}

/* ---- threads ---- */

typedef struct shared {
    mi_heap_t *heap;
    blocks_t blocks;
} shared_t;

static void *fill_shared(void *arg)
{
    shared_t *const shared = (shared_t *)arg;
    blocks_make(&shared->blocks, shared->heap);
    return NULL;
}

static void *free_shared(void *arg)
{
    blocks_free(&((shared_t *)arg)->blocks);
    return NULL;
}

static void many_threads_use_one_heap(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    static shared_t shared[THREADS];
    pthread_t threads[THREADS];
    mi_heap_t *const heap = mi_heap_new();
    for (int i = 0; i < THREADS; i++) {
        shared[i].heap = heap;
        assert_int_equal(pthread_create(&threads[i], NULL, fill_shared, &shared[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) blocks_check(&shared[i].blocks, heap);
    blocks_free(&shared[0].blocks);     /* of an ended thread */
    on_thread(free_shared, &shared[1]); /* by another one */
    for (int i = 2; i < THREADS; i++) blocks_check(&shared[i].blocks, heap);
    blocks_t own;
    blocks_make(&own, heap);
    blocks_check(&own, heap);
    mi_heap_delete(heap);
    blocks_check(&shared[2].blocks, mi_heap_main());
    blocks_check(&own, mi_heap_main());
    for (int i = 2; i < THREADS; i++) blocks_free(&shared[i].blocks);
    blocks_free(&own);
}

static void destroying_frees_blocks_of_ended_threads(void **state)
{
    (void)state;
    static shared_t shared;
    shared.heap = mi_heap_new();
    on_thread(fill_shared, &shared);
    mi_heap_destroy(shared.heap);
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = 0; i < EACH; i++) assert_null(mi_heap_of(shared.blocks.at[k][i]));
}

static pthread_barrier_t barrier;

static void *fill_and_wait(void *arg)
{
    fill_shared(arg);
    pthread_barrier_wait(&barrier); /* filled */
    pthread_barrier_wait(&barrier); /* the heap has ended */
    void *const p = mi_malloc(100); /* the thread goes on as ever */
    assert_ptr_equal(mi_heap_of(p), mi_heap_main());
    mi_free(p);
    mi_heap_t *const next = mi_heap_new();
    void *const q = mi_heap_malloc(next, 100);
    assert_ptr_equal(mi_heap_of(q), next);
    mi_heap_destroy(next);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void end_under_a_live_thread(bool destroy)
{
    static shared_t shared;
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    shared.heap = mi_heap_new();
    assert_int_equal(pthread_create(&thread, NULL, fill_and_wait, &shared), 0);
    pthread_barrier_wait(&barrier);
    if (destroy)
        mi_heap_destroy(shared.heap);
    else
        mi_heap_delete(shared.heap);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    if (!destroy) blocks_check(&shared.blocks, mi_heap_main());
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    if (destroy) {
        assert_null(mi_heap_of(shared.blocks.at[KINDS - 1][0]));
    } else {
        blocks_check(&shared.blocks, mi_heap_main());
        blocks_free(&shared.blocks);
    }
    pthread_barrier_destroy(&barrier);
}

static void deleting_under_a_live_thread(void **state)
{
    (void)state;
    end_under_a_live_thread(false);
}

static void destroying_under_a_live_thread(void **state)
{
    (void)state;
    end_under_a_live_thread(true);
}

/* A heap serves a forked child, and can be ended there, as blocks of it in the parent live on. */
static void in_child(void *arg)
{
    shared_t *const shared = (shared_t *)arg;
    blocks_check(&shared->blocks, shared->heap);
    blocks_free(&shared->blocks);
    blocks_make(&shared->blocks, shared->heap);
    blocks_check(&shared->blocks, shared->heap);
    mi_heap_destroy(shared->heap);
    mi_heap_t *const next = mi_heap_new();
    blocks_make(&shared->blocks, next);
    blocks_check(&shared->blocks, next);
    mi_heap_delete(next);
    blocks_check(&shared->blocks, mi_heap_main());
}

static void a_heap_serves_a_forked_child(void **state)
{
    (void)state;
    static char text[4096];
    static shared_t shared;
    shared.heap = mi_heap_new();
    blocks_make(&shared.blocks, shared.heap);
    const int status = api_run_child(in_child, &shared, text, sizeof text);
    if (status != 0) fail_msg("status %d: %s", status, text);
    blocks_check(&shared.blocks, shared.heap);
    mi_heap_destroy(shared.heap);
}

/* ---- collecting, hints ---- */

static int deferred_calls;
static bool deferred_force;

static void deferred(bool force, unsigned long long heartbeat, void *arg)
{
    (void)heartbeat, (void)arg;
    deferred_calls++;
    deferred_force |= force;
}

static void collecting_frees_what_is_empty(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    blocks_t blocks;
    blocks_make(&blocks, heap);
    void *const kept = mi_heap_malloc(heap, 64);
    blocks_free(&blocks);
    mi_register_deferred_free(deferred, NULL);
    mi_heap_collect(heap, true);
    mi_register_deferred_free(NULL, NULL);
    assert_true(deferred_calls > 0);
    assert_true(deferred_force);
    for (size_t k = 0; k < KINDS; k++) {
        if (kinds[k] > 64) assert_null(mi_heap_of(blocks.at[k][0]));
    }
    assert_ptr_equal(mi_heap_of(kept), heap);
    mi_heap_collect(heap, false);
    mi_heap_destroy(heap);
}

static void the_numa_hint_changes_no_result(void **state)
{
    (void)state;
    static const int nodes[] = {-1, 0, 1, 7, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        mi_heap_t *const heap = mi_heap_new();
        mi_heap_set_numa_affinity(heap, nodes[i]);
        blocks_t blocks;
        blocks_make(&blocks, heap);
        blocks_check(&blocks, heap);
        mi_heap_destroy(heap);
    }
}

static void pages_little_used_are_told(void **state)
{
    (void)state;
    enum { BLOCKS = 5000, SIZE = 100 };
    static char *blocks[BLOCKS];
    mi_heap_t *const heap = mi_heap_new();
    for (int i = 0; i < BLOCKS; i++) blocks[i] = mi_heap_malloc(heap, SIZE);
    char *const first = blocks[0];
    assert_false(mi_unsafe_heap_page_is_under_utilized(heap, first, 100)); /* it is full */
    int kept = 0, page = 0; /* one in ten of the first page */
    for (int i = 1; i < BLOCKS; i++) {
        if ((uintptr_t)blocks[i] / MIC_SLICE_BYTES != (uintptr_t)first / MIC_SLICE_BYTES) continue;
        page++;
        if (i % 10 == 0) {
            kept++;
            continue;
        }
        mi_free(blocks[i]);
    }
    assert_true(page > 100);
    assert_true(mi_unsafe_heap_page_is_under_utilized(heap, first, 50));
    assert_true(mi_unsafe_heap_page_is_under_utilized(heap, first, 15));
    assert_false(mi_unsafe_heap_page_is_under_utilized(heap, first, 5));
    assert_false(mi_unsafe_heap_page_is_under_utilized(heap, blocks[BLOCKS - 1], 100)); /* active */
    assert_false(mi_unsafe_heap_page_is_under_utilized(heap, NULL, 100));
    assert_false(mi_unsafe_heap_page_is_under_utilized(heap, &kept, 100));
    void *const elsewhere = mi_malloc(SIZE);
    assert_false(mi_unsafe_heap_page_is_under_utilized(heap, elsewhere, 100));
    mi_free(elsewhere);
    mi_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_in_their_heap),
        cmocka_unit_test(plain_blocks_are_in_the_main_heap),
        cmocka_unit_test(no_heap_is_the_main_heap),
        cmocka_unit_test(other_addresses_are_in_no_heap),
        cmocka_unit_test(a_freed_block_is_in_its_heap_while_its_page_lives),
        cmocka_unit_test(deleting_moves_blocks_to_the_main_heap),
        cmocka_unit_test(destroying_frees_everything),
        cmocka_unit_test(destroying_gives_memory_back),
        cmocka_unit_test(the_main_heap_stays),
        cmocka_unit_test(an_unused_heap_can_be_ended),
        cmocka_unit_test(a_stale_handle_is_reported),
        cmocka_unit_test(heaps_by_the_hundred_thousand),
        cmocka_unit_test(ten_thousand_live_heaps),
        cmocka_unit_test(many_threads_use_one_heap),
        cmocka_unit_test(destroying_frees_blocks_of_ended_threads),
        cmocka_unit_test(deleting_under_a_live_thread),
        cmocka_unit_test(destroying_under_a_live_thread),
        cmocka_unit_test(a_heap_serves_a_forked_child),
        cmocka_unit_test(collecting_frees_what_is_empty),
        cmocka_unit_test(the_numa_hint_changes_no_result),
        cmocka_unit_test(pages_little_used_are_told),
    };
    return cmocka_run_group_tests_name("heaps", tests, NULL, NULL);
}
