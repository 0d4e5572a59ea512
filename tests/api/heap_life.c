/* First-class heaps: making, using, deleting and destroying them, in one thread and in several. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/walk.h"
#include "api_test.h"
#include "mimalloc.h"
#include "rt/lock.h"

static size_t live_blocks(void)
{
    mic_heap_counts_t counts;
    mic_heap_count(&counts);
    return counts.live;
}

static size_t live_pages(void)
{
    mic_heap_counts_t counts;
    mi_collect(true);
    mic_heap_count(&counts);
    return counts.pages;
}

static void test_destroy_frees_everything(void **state)
{
    (void)state;
    const size_t pages = live_pages(), blocks = live_blocks();
    mi_heap_t *const heap = mi_heap_new();
    assert_non_null(heap);
    for (size_t size = 1; size < 3u << 20; size += 1 + size / 3) {
        char *const p = mi_heap_malloc(heap, size);
        assert_non_null(p);
        memset(p, 0x5a, size);
        assert_true(mi_heap_contains(heap, p));
        assert_ptr_equal(mi_heap_of(p), heap);
        assert_false(mi_heap_contains(mi_heap_main(), p));
    }
    assert_non_null(mi_heap_malloc_aligned(heap, 100, 1u << 20)); /* above a slice */
    assert_true(live_blocks() > blocks);
    mi_heap_destroy(heap);
    assert_int_equal(live_blocks(), blocks);
    assert_int_equal(live_pages(), pages);
}

static void test_delete_keeps_blocks(void **state)
{
    (void)state;
    enum { N = 300, STEP = API_TIMES(1, 7) };
    char *p[N];
    const size_t blocks = live_blocks();
    mi_heap_t *const heap = mi_heap_new();
    for (int i = 0; i < N; i += STEP) {
        p[i] = mi_heap_malloc(heap, (size_t)(i + 1) * (size_t)(i + 1) * 13);
        assert_non_null(p[i]);
        memset(p[i], i, (size_t)(i + 1) * (size_t)(i + 1) * 13);
    }
    mi_heap_delete(heap);
    for (int i = 0; i < N; i += STEP) {
        assert_ptr_equal(mi_heap_of(p[i]), mi_heap_main());
        for (size_t k = 0; k < (size_t)(i + 1) * (size_t)(i + 1) * 13; k += 7)
            assert_int_equal((unsigned char)p[i][k], (unsigned char)i);
        mi_free(p[i]);
    }
    assert_int_equal(live_blocks(), blocks);
}

static void test_main_heap_stays(void **state)
{
    (void)state;
    mi_heap_destroy(mi_heap_main());
    mi_heap_delete(mi_heap_main());
    mi_heap_destroy(NULL);
    mi_heap_delete(NULL);
    void *const p = mi_heap_malloc(mi_heap_main(), 100);
    assert_ptr_equal(mi_heap_of(p), mi_heap_main());
    assert_true(mi_heap_contains(NULL, p));
    mi_free(p);
    void *const q = mi_heap_malloc(NULL, 100);
    assert_ptr_equal(mi_heap_of(q), mi_heap_main());
    mi_free(q);
}

/* ---- several threads ---- */

typedef struct job {
    mi_heap_t *heap;
    void *block[200];
    pthread_barrier_t *filled, *go_on;
} job_t;

static void *fill(void *arg)
{
    job_t *const job = arg;
    for (size_t i = 0; i < 200; i++) {
        job->block[i] = mi_heap_malloc(job->heap, 8 + i * 40);
        memset(job->block[i], (int)i, 8 + i * 40);
    }
    if (job->filled != NULL) {
        (void)pthread_barrier_wait(job->filled);
        (void)pthread_barrier_wait(job->go_on);
        void *const p = mi_malloc(100); /* a slow path now and then: what was asked is done */
        mi_collect(false);
        mi_free(p);
    }
    return NULL;
}

/* ended: the threads have ended before the heap goes */
static void with_threads(bool ended, bool destroy)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    job_t jobs[THREADS];
    pthread_barrier_t filled, go_on;
    mi_heap_t *const heap = mi_heap_new();
    const size_t blocks = live_blocks();
    (void)pthread_barrier_init(&filled, NULL, THREADS + 1);
    (void)pthread_barrier_init(&go_on, NULL, THREADS + 1);
    for (int t = 0; t < THREADS; t++) {
        jobs[t] = (job_t){.heap = heap, .filled = ended ? NULL : &filled, .go_on = &go_on};
        (void)pthread_create(&threads[t], NULL, fill, &jobs[t]);
    }
    if (ended)
        for (int t = 0; t < THREADS; t++) (void)pthread_join(threads[t], NULL);
    else
        (void)pthread_barrier_wait(&filled);
    void *const mine = mi_heap_malloc(heap, 5000);
    if (destroy) {
        mi_heap_destroy(heap);
    } else {
        mi_heap_delete(heap);
        mi_free(mine);
        for (int t = 0; t < THREADS; t++) {
            for (size_t i = 0; i < 200; i++) {
                const unsigned char *const b = jobs[t].block[i];
                assert_ptr_equal(mi_heap_of(b), mi_heap_main());
                assert_int_equal(b[8 + i * 40 - 1], i);
                mi_free(jobs[t].block[i]);
            }
        }
    }
    if (!ended) {
        (void)pthread_barrier_wait(&go_on);
        for (int t = 0; t < THREADS; t++) (void)pthread_join(threads[t], NULL);
    }
    mi_collect(true);
    assert_int_equal(live_blocks(), blocks);
}

static void test_threads(void **state)
{
    (void)state;
    for (int i = 0; i < API_TIMES(20, 1); i++) {
        with_threads(true, true);
        with_threads(true, false);
        with_threads(false, true);
        with_threads(false, false);
    }
}

static void test_many_do_not_grow(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (int i = 0; i < API_TIMES(100000, 2000); i++) {
        mi_heap_t *const heap = mi_heap_new();
        for (size_t k = 1; k <= 5; k++) assert_non_null(mi_heap_malloc(heap, k * 48));
        mi_heap_destroy(heap);
        if (i == 1000) before = mic_load_relaxed(&mic_vm_counts.committed_bytes);
    }
    assert_int_equal(mic_load_relaxed(&mic_vm_counts.committed_bytes), before);
}

static void test_ten_thousand_live(void **state)
{
    (void)state;
    enum { N = API_TIMES(10000, 400) };
    static mi_heap_t *heap[N];
    static uint32_t *block[N];
    const size_t blocks = live_blocks();
    for (uint32_t i = 0; i < N; i++) {
        heap[i] = mi_heap_new();
        block[i] = mi_heap_malloc(heap[i], 64);
        *block[i] = i;
    }
    for (uint32_t i = 0; i < N; i++) {
        uint32_t *const more = mi_heap_malloc(heap[i], 64);
        assert_ptr_equal(mi_heap_of(more), heap[i]);
        assert_int_equal(*block[i], i);
        assert_ptr_equal(mi_heap_of(block[i]), heap[i]);
    }
    for (uint32_t i = 0; i < N; i++) (i % 2 != 0 ? mi_heap_destroy : mi_heap_delete)(heap[i]);
    for (uint32_t i = 0; i < N; i += 2) {
        assert_int_equal(*block[i], i);
        mi_free(block[i]);
    }
    mi_collect(true);
    assert_int_equal(live_blocks(), blocks + N / 2); /* the second ones of deleted heaps */
}

static bool count_block(const mi_heap_t *heap, const mi_heap_area_t *area, void *block,
                        size_t block_size, void *arg)
{
    (void)heap;
    (void)block_size;
    size_t *const n = arg;
    if (block == NULL) {
        n[0]++;
        n[2] += area->used;
    } else {
        n[1]++;
    }
    return true;
}

static void test_visit(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    size_t n[3] = {0};
    assert_true(mi_heap_visit_blocks(heap, true, count_block, n));
    assert_int_equal(n[0] + n[1] + n[2], 0);
    void *p[1000];
    for (size_t i = 0; i < 1000; i++) p[i] = mi_heap_malloc(heap, i * i % 100000);
    void *const big = mi_heap_malloc(heap, 3u << 20);
    assert_non_null(big);
    for (size_t i = 0; i < 1000; i += 3) mi_free(p[i]);
    assert_true(mi_heap_visit_blocks(heap, true, count_block, n));
    assert_int_equal(n[1], 1000 - 334 + 1);
    assert_int_equal(n[2], n[1]);
    mi_heap_destroy(heap);
}

static void test_realloc_moves_into_heap(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    char *p = mi_malloc(100);
    memset(p, 7, 100);
    p = mi_heap_realloc(heap, p, 100);
    assert_ptr_equal(mi_heap_of(p), heap);
    assert_int_equal(p[99], 7);
    char *const same = mi_heap_realloc(heap, p, 96);
    assert_ptr_equal(same, p);
    p = mi_heap_realloc(heap, p, 5u << 20);
    assert_ptr_equal(mi_heap_of(p), heap);
    char *const out = mi_realloc(p, 6u << 20);
    assert_ptr_equal(mi_heap_of(out), mi_heap_main());
    assert_int_equal(out[95], 7);
    mi_free(out);
    mi_heap_destroy(heap);
}

static void test_theap_default(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_t *const mine = mi_heap_theap(heap);
    mi_theap_t *const before = mi_theap_set_default(mine);
    assert_ptr_equal(mi_theap_get_default(), mine);
    void *const p = mi_malloc(50);
    void *const q = mi_calloc(3, 70000);
    assert_ptr_equal(mi_heap_of(p), heap);
    assert_ptr_equal(mi_heap_of(q), heap);
    assert_ptr_equal(mi_theap_set_default(before), mine);
    (void)mi_theap_set_default(mine);
    mi_heap_destroy(heap); /* the default one again */
    void *const r = mi_malloc(50);
    assert_ptr_equal(mi_heap_of(r), mi_heap_main());
    mi_free(r);
}

/* ---- sub-processes ---- */

static void *in_subproc(void *arg)
{
    mi_subproc_id_t *const id = arg;
    mi_subproc_add_current_thread(*id);
    assert_ptr_equal(mi_subproc_current()._mi_subproc_id, id->_mi_subproc_id);
    mi_heap_t *const heap = mi_heap_new(); /* before anything else is allocated here */
    assert_non_null(heap);
    void *const p = mi_heap_malloc(heap, 100);
    void *const q = mi_malloc(100);
    assert_ptr_equal(mi_heap_of(p), heap);
    assert_ptr_equal(mi_heap_of(q), mi_heap_main());
    assert_ptr_not_equal(mi_heap_main(), NULL);
    return q;
}

static bool count_heap(mi_heap_t *heap, void *arg)
{
    (void)heap;
    ++*(int *)arg;
    return true;
}

static void test_subproc(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        const size_t blocks = live_blocks();
        mi_subproc_id_t id = mi_subproc_new();
        pthread_t thread;
        void *q = NULL;
        (void)pthread_create(&thread, NULL, in_subproc, &id);
        (void)pthread_join(thread, &q);
        assert_non_null(q);
        assert_ptr_not_equal(mi_heap_of(q), mi_heap_main());
        int heaps = 0;
        assert_true(mi_subproc_visit_heaps(id, count_heap, &heaps));
        assert_int_equal(heaps, 2);
        mi_subproc_destroy(id);
        assert_int_equal(live_blocks(), blocks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_destroy_frees_everything),
        cmocka_unit_test(test_delete_keeps_blocks),
        cmocka_unit_test(test_main_heap_stays),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_many_do_not_grow),
        cmocka_unit_test(test_ten_thousand_live),
        cmocka_unit_test(test_visit),
        cmocka_unit_test(test_realloc_moves_into_heap),
        cmocka_unit_test(test_theap_default),
        cmocka_unit_test(test_subproc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
