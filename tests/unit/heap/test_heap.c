/* First-class heaps from inside: whose pages go where when a heap ends, which thread heaps are used
   again, and what that costs. The contract of the functions is in tests/api. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "base/check.h"
#include "heap/held.h"
#include "heap/thread.h"
#include "mimalloc-arena.h"
#include "vm/program.h"

static int setup(void **state)
{
    (void)state;
    mic_deep_enabled = true;
    mic_free(mic_malloc(1));
    mic_collect(true);
    return 0;
}

static mic_heap_t *heap_new(void)
{
    mic_heap_t *const heap = mic_heap_new(&mic_subproc_main, 0);
    assert_non_null(heap);
    return heap;
}

static void *take(mic_heap_t *heap, size_t bytes)
{
    void *const p = mic_heap_malloc(heap, bytes);
    assert_non_null(p);
    memset(p, 0x5a, bytes);
    return p;
}

static uint64_t used(void)
{
    return mic_load_relaxed(&mic_vm_counts.used_slices) - (mic_held_bytes() >> MIC_SLICE_SHIFT);
}

static size_t free_theaps(void)
{
    size_t n = 0;
    for (const mic_theap_t *t = mic_tls.record->theap_free; t != NULL; t = t->record_next) n++;
    return n;
}

/* ---- another thread, step by step ---- */

typedef struct helper {
    pthread_t thread;
    void *(*work)(void *);
    mic_heap_t *heap;
    void *block;
} helper_t;

static void helper_run(helper_t *helper)
{
    assert_int_equal(pthread_create(&helper->thread, NULL, helper->work, helper), 0);
    assert_int_equal(pthread_join(helper->thread, NULL), 0);
}

static void *destroy_heap(void *arg)
{
    mic_heap_destroy(((helper_t *)arg)->heap);
    return NULL;
}

static void *delete_heap(void *arg)
{
    mic_heap_delete(((helper_t *)arg)->heap);
    return NULL;
}

static void *take_block(void *arg)
{
    helper_t *const helper = arg;
    helper->block = mic_heap_malloc(helper->heap, 100);
    return NULL;
}

/* ---- finding the thread's part ---- */

/* More heaps than the cache has places. */
static void each_heap_has_its_own_part(void **state)
{
    (void)state;
    enum { COUNT = 5 * MIC_THEAP_CACHE };
    static mic_heap_t *heap[COUNT];
    static mic_theap_t *theap[COUNT];
    for (int i = 0; i < COUNT; i++) {
        heap[i] = heap_new();
        theap[i] = mic_heap_theap(heap[i]);
        assert_non_null(theap[i]);
        assert_ptr_equal(mic_theap_heap(theap[i]), heap[i]);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < COUNT; i++) assert_ptr_equal(mic_heap_theap(heap[i]), theap[i]);
    assert_ptr_equal(mic_heap_theap(&mic_subproc_main.main), &mic_tls.record->theap);
    for (int i = 0; i < COUNT; i++) mic_heap_destroy(heap[i]);
}

static void objects_are_used_again_late(void **state)
{
    (void)state;
    mic_heap_t *const a = heap_new(), *const b = heap_new();
    const uint32_t generation = a->generation;
    mic_heap_destroy(a);
    mic_heap_destroy(b);
    mic_heap_t *heap = heap_new();
    while (heap != a) { /* the longest dead first: b comes after it, and so do all others */
        assert_ptr_not_equal(heap, b);
        mic_heap_destroy(heap);
        heap = heap_new();
    }
    assert_true(a->generation > generation);
    mic_heap_destroy(a);
}

static void a_part_is_used_again(void **state)
{
    (void)state;
    mic_heap_t *heap = heap_new();
    (void)take(heap, 100);
    mic_heap_destroy(heap);
    const size_t before = free_theaps();
    assert_true(before > 0);
    for (int i = 0; i < 100; i++) {
        heap = heap_new();
        (void)take(heap, (size_t)(16 + i * 100));
        (i % 2 == 0 ? mic_heap_destroy : mic_heap_delete)(heap);
        assert_int_equal(free_theaps(), before);
    }
    mic_collect(true);
}

/* ---- the end: pages ---- */

static void destroyed_pages_go_or_stay_at_hand(void **state)
{
    (void)state;
    const uint64_t before = used();
    mic_heap_t *const heap = heap_new();
    for (int i = 0; i < 10; i++) {
        (void)take(heap, 100);
        (void)take(heap, 3000);
        (void)take(heap, 30000);
        (void)take(heap, 700000);
    }
    mic_heap_destroy(heap);
    assert_int_equal(mic_tls.record->theap_warm, 1);
    assert_true(used() <= before + 4); /* one hardly used page of a class, at most */
    mic_collect(false);
    assert_int_equal(mic_tls.record->theap_warm, 0);
    assert_int_equal(used(), before);
}

/* Nothing lives in them: the main heap has no use for them. */
static void empty_pages_of_a_deleted_heap_go(void **state)
{
    (void)state;
    static const size_t sizes[] = {16, 100, 1000, 5000, 30000, 200000, 700000};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    const uint64_t before = used();
    for (int i = 0; i < 200; i++) {
        mic_heap_t *const heap = heap_new();
        void *p[SIZES];
        for (int k = 0; k < SIZES; k++) p[k] = take(heap, sizes[k]);
        for (int k = 0; k < SIZES; k++) mic_free(p[k]);
        mic_heap_delete(heap);
        assert_int_equal(used(), before);
    }
}

static void blocks_of_a_deleted_heap_are_the_main_heaps(void **state)
{
    (void)state;
    mic_heap_t *const heap = heap_new();
    void *const small = take(heap, 100), *const large = take(heap, 300000);
    void *const span = take(heap, 3000000);
    mic_heap_delete(heap);
    assert_ptr_equal(mic_heap_of(small), &mic_subproc_main.main);
    assert_ptr_equal(mic_heap_of(large), &mic_subproc_main.main);
    assert_ptr_equal(mic_heap_of(span), &mic_subproc_main.main);
    assert_ptr_equal(mic_page_theap(mic_page_of(small)), &mic_tls.record->theap);
    mic_free(small);
    mic_free(large);
    mic_free(span);
}

/* Another thread deletes: pages change hands at the owner's next slow path, blocks do not wait. */
static void a_running_owner_moves_its_pages_itself(void **state)
{
    (void)state;
    helper_t helper = {.work = delete_heap, .heap = heap_new()};
    void *const kept = take(helper.heap, 100), *const freed = take(helper.heap, 100);
    const mic_theap_t *const theap = mic_heap_theap(helper.heap);
    helper_run(&helper);
    assert_ptr_equal(mic_heap_of(kept), &mic_subproc_main.main);
    assert_ptr_equal(mic_page_theap(mic_page_of(kept)), theap);
    mic_free(freed);
    mic_free(mic_malloc(2000000)); /* a slow path */
    assert_ptr_equal(mic_page_theap(mic_page_of(kept)), &mic_tls.record->theap);
    assert_null(mic_theap_heap(theap));
    mic_free(kept);
}

/* An arena serves nobody but its heap: not even the lists of a heap that is gone stay. */
static void a_deleted_heap_leaves_its_arena(void **state)
{
    (void)state;
    mi_arena_id_t id;
    unsigned arena;
    assert_int_equal(mi_reserve_os_memory_ex((size_t)64 << 20, false, false, true, &id), 0);
    assert_true(mic_arena_from_id(id, &arena));
    const uint64_t before = used();
    for (int i = 0; i < 50; i++) {
        mic_heap_t *const heap = mic_heap_new(&mic_subproc_main, (uint16_t)(arena + 1));
        void *const p = take(heap, 100), *const q = take(heap, 2000);
        mic_free(q);
        mic_heap_delete(heap);
        assert_int_equal(used(), before + 1);
        assert_ptr_equal(mic_heap_of(p), &mic_subproc_main.main);
        mic_free(p);
        assert_int_equal(used(), before);
    }
    mic_collect(true);
}

/* What an ended thread left in a heap serves the heap's next user. */
static void pages_of_ended_threads_serve_the_heap(void **state)
{
    (void)state;
    helper_t helper = {.work = take_block, .heap = heap_new()};
    helper_run(&helper);
    assert_non_null(helper.block);
    const void *const mine = take(helper.heap, 100);
    assert_ptr_equal(mic_page_of(mine), mic_page_of(helper.block));
    const void *const other = mic_malloc(100);
    assert_ptr_not_equal(mic_page_of(mine), mic_page_of(other));
    mic_heap_destroy(helper.heap);
}

/* ---- the default thread heap ---- */

/* Its heap ends in another thread, and the next heap gets what was its thread heap. */
static void default_of_an_ended_heap_is_nobody_elses(void **state)
{
    for (int i = 0; i < 4; i++) {
        helper_t helper = {.work = i % 2 == 0 ? destroy_heap : delete_heap, .heap = heap_new()};
        void *const first = take(helper.heap, 100);
        mic_theap_t *const theap = mic_heap_theap(helper.heap);
        mic_tls.theap = theap;
        helper_run(&helper);
        if (i % 2 == 1) {
            mic_free(first);
            mic_collect(false);
        }
        mic_heap_t *const next = heap_new();
        (void)take(next, 100);
        if (i < 2) assert_ptr_equal(mic_heap_theap(next), theap);
        void *const plain = mic_malloc(100);
        assert_ptr_equal(mic_heap_of(plain), &mic_subproc_main.main);
        mic_free(plain);
        mic_heap_destroy(next);
        assert_ptr_equal(mic_tls.theap, &mic_tls.record->theap);
    }
    (void)state;
}

/* ---- cost ---- */

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Seconds to end many heaps, the first one first or last. */
static double time_to_end(void (*end)(mic_heap_t *), bool first_first)
{
    enum { COUNT = 10000 };
    static mic_heap_t *heap[COUNT];
    for (int i = 0; i < COUNT; i++) {
        heap[i] = heap_new();
        mic_free(mic_heap_malloc(heap[i], 100));
    }
    const double start = cpu_seconds();
    for (int i = 0; i < COUNT; i++) end(heap[first_first ? i : COUNT - 1 - i]);
    return cpu_seconds() - start;
}

/* With a look at all others of the thread it was 50 million steps: 360 times as long for destroy,
   1.3 seconds for delete. Measured against itself: the machine may be slow. */
static void many_heaps_end_in_any_order(void **state)
{
    (void)state;
    mic_deep_enabled = false;
    (void)time_to_end(mic_heap_destroy, false);
    const double least = time_to_end(mic_heap_destroy, false);
    assert_true(time_to_end(mic_heap_destroy, true) < 20 * least + 0.05);
    assert_true(time_to_end(mic_heap_delete, true) < 60 * least + 0.15);
    mic_deep_enabled = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_heap_has_its_own_part, setup),
        cmocka_unit_test_setup(objects_are_used_again_late, setup),
        cmocka_unit_test_setup(a_part_is_used_again, setup),
        cmocka_unit_test_setup(destroyed_pages_go_or_stay_at_hand, setup),
        cmocka_unit_test_setup(empty_pages_of_a_deleted_heap_go, setup),
        cmocka_unit_test_setup(blocks_of_a_deleted_heap_are_the_main_heaps, setup),
        cmocka_unit_test_setup(a_running_owner_moves_its_pages_itself, setup),
        cmocka_unit_test_setup(a_deleted_heap_leaves_its_arena, setup),
        cmocka_unit_test_setup(pages_of_ended_threads_serve_the_heap, setup),
        cmocka_unit_test_setup(default_of_an_ended_heap_is_nobody_elses, setup),
        cmocka_unit_test_setup(many_heaps_end_in_any_order, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
