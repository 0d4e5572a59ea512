/* RF.21: queued pages in which every block was freed by others. Not in hardened builds; a thread of
   its own owns the pages and waits, and another needs memory. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "alloc/fast.h"
#include "heap/pool.h"
#include "heap/thread.h"
#include "vm/arena.h"

#define PAGES 40
#define PER_PAGE_MAX (MIC_SLICE_BYTES / 512)

static pthread_barrier_t turn;
static void *blocks[PAGES * PER_PAGE_MAX];
static size_t bytes, per_page; /* of requests; of each test its own: threads inherit pages */
static mic_record_t *owner;

static mic_page_t *page_of(size_t i) { return mic_page_of(blocks[i * per_page]); }
static uint64_t used(void) { return mic_load_relaxed(&mic_vm_counts.used_slices); }

/* Full pages, one after the other; of each the first block is freed by its owner, who then waits. */
static void *own(void *arg)
{
    for (size_t i = 0; i < PAGES * per_page; i++) blocks[i] = mic_malloc(bytes);
    for (size_t i = 0; i < PAGES; i++) mic_free(blocks[i * per_page]);
    owner = mic_tls.record;
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return arg;
}

/* All other blocks of the page but `left` are freed by this thread. */
static void free_rest(size_t page, size_t left)
{
    for (size_t i = 1; i + left < per_page; i++) mic_free(blocks[page * per_page + i]);
}

static void with_owner(size_t block_bytes, void (*part)(void))
{
    pthread_t thread;
    if (CFG_HARDENED) skip();
    bytes = block_bytes - MIC_CANARY_BYTES;
    per_page = MIC_SLICE_BYTES / block_bytes;
    assert_int_equal(pthread_barrier_init(&turn, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, own, NULL), 0);
    pthread_barrier_wait(&turn);
    part();
    pthread_barrier_wait(&turn);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_barrier_destroy(&turn);
}

static bool is_owned(const mic_page_t *page)
{
    return mic_record_of_owner(mic_page_owner(page)) == owner;
}

static void part_released(void)
{
    mic_page_t *const unused = page_of(0), *const live = page_of(1), *const untouched = page_of(2);
    for (size_t i = 0; i < 3; i++)
        assert_true((page_of(i)->flags & MIC_PAGE_QUEUED) != 0 && is_owned(page_of(i)));
    const size_t pages = owner->theap.page_count;
    free_rest(0, 0);
    free_rest(1, 1);
    assert_true(is_owned(unused)); /* nobody looked yet */

    mic_lock_acquire(&owner->lock);
    mic_record_reap(owner); /* does not wait for it */
    mic_lock_release(&owner->lock);
    assert_true(is_owned(unused));

    const uint64_t before = used();
    mic_record_reap(owner);
    assert_int_equal(mic_page_owner(unused), 0);
    assert_true(is_owned(live) && is_owned(untouched));
    assert_int_equal(owner->theap.page_count, pages - 1);
    assert_int_equal(used(), before - 1);
    assert_true(mic_theap_is_valid(&owner->theap));

    /* its token is still in the owner's inbox: made anew, the page is as any other */
    mic_free(blocks[2 * per_page - 1]);
    mic_record_reap(owner);
    assert_int_equal(mic_page_owner(live), 0);
    for (size_t i = 2; i < PAGES; i++) free_rest(i, 0);
}

/* An orphan is left to those that take it out of the pool. */
static void part_orphan(void)
{
    mic_page_t *pages[PAGES];
    for (size_t i = 0; i < PAGES; i++) {
        pages[i] = page_of(i);
        free_rest(i, 0);
    }
    mic_store_relaxed(&owner->state, MIC_RECORD_ORPHAN);
    mic_record_reap(owner);
    assert_true(is_owned(pages[0]));
    mic_store_relaxed(&owner->state, MIC_RECORD_LIVE);
    mic_record_reap(owner);
    for (size_t i = 0; i + 1 < PAGES; i++) assert_false(is_owned(pages[i])); /* the last: active */
}

/* A thread that needs memory gets that of the one that waits. */
static void part_growing(void)
{
    static void *more[PAGES * PER_PAGE_MAX];
    for (size_t i = 0; i < PAGES; i++) free_rest(i, 0);
    const uint64_t before = used();
    for (size_t i = 0; i < PAGES * per_page; i++) more[i] = mic_malloc(bytes + 1);
    if (MIC_STORES_IN_ORDER && !MIC_TSAN) assert_true(used() < before + PAGES);
    for (size_t i = 0; i < PAGES * per_page; i++) mic_free(more[i]);
}

/* Collecting by force looks whatever the level is. */
static void part_collected(void)
{
    for (size_t i = 0; i < PAGES; i++) free_rest(i, 0);
    mic_page_t *const first = page_of(0);
    assert_true(is_owned(first));
    mic_collect(true);
    assert_int_equal(is_owned(first), !MIC_STORES_IN_ORDER || MIC_TSAN);
}

/* A peak that is over does not keep later growth from looking. */
static void part_after_a_peak(void)
{
    static void *more[PAGES * PER_PAGE_MAX], *peak[32 * PAGES];
    for (size_t i = 0; i < 32 * PAGES; i++) peak[i] = mic_malloc(MIC_SLICE_BYTES / 2);
    for (size_t i = 0; i < 32 * PAGES; i++) mic_free(peak[i]);
    mic_collect(false);
    for (size_t i = 0; i < PAGES; i++) free_rest(i, 0);
    const uint64_t before = used();
    for (size_t i = 0; i < PAGES * per_page; i++) more[i] = mic_malloc(bytes + 1);
    if (MIC_STORES_IN_ORDER && !MIC_TSAN) assert_true(used() < before + PAGES);
    for (size_t i = 0; i < PAGES * per_page; i++) mic_free(more[i]);
}

static void test_collected(void **state)
{
    (void)state;
    with_owner(512, part_collected);
}
static void test_after_a_peak(void **state)
{
    (void)state;
    with_owner(2048, part_after_a_peak);
}
static void test_released(void **state)
{
    (void)state;
    with_owner(512, part_released);
}
static void test_orphan(void **state)
{
    (void)state;
    with_owner(1024, part_orphan);
}
static void test_growing(void **state)
{
    (void)state;
    with_owner(2048, part_growing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_released),     cmocka_unit_test(test_orphan),
        cmocka_unit_test(test_growing),      cmocka_unit_test(test_collected),
        cmocka_unit_test(test_after_a_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
