/* fake-os */
/* The pool of orphans: putting in, taking out, what happens to pushes meanwhile. One thread plays
   all parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_os.h"
#include "heap/active.h"
#include "heap/heap.h"
#include "heap/thread.h"

#define RECORDS 12
/* an owner word has no room for the low bits of a record's address */
static union {
    mic_record_t record;
    char room[(sizeof(mic_record_t) + 127) / 128 * 128];
} rooms[RECORDS] mic_aligned(128);
#define RECORD(i) (&rooms[i].record)

static int setup(void **state)
{
    (void)state;
    while (mic_pool_take_any(&mic_subproc_main) != NULL) {
    }
    memset(rooms, 0, sizeof rooms);
    for (int i = 0; i < RECORDS; i++) {
        RECORD(i)->lock.rank = MIC_RANK_RECORD;
        mic_store_relaxed(&RECORD(i)->subproc, (uintptr_t)&mic_subproc_main);
        mic_theap_init(&RECORD(i)->theap, RECORD(i), &mic_subproc_main.main);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (mic_pool_take_any(&mic_subproc_main) !=
           NULL) { /* none of ours stays where real threads look */
    }
    return 0;
}

static bool tagged(const mic_record_t *r)
{
    return (mic_load_relaxed(&r->inbox.word) & MIC_INBOX_ORPHAN) != 0;
}

static void *block_of(mic_record_t *r, unsigned cls)
{
    bool zero;
    mic_block_t *const b = mic_active_take(&r->theap, cls);
    return b != NULL ? b : mic_theap_refill(&r->theap, cls, &zero);
}

static void free_remotely(void *block)
{
    mic_page_t *const page = mic_page_of(block);
    size_t index;
    (void)mic_page_locate(page, block, &index);
    assert_true(mic_remote_set(page, index));
    mic_record_notify(page, NULL);
}

/* as a thief does it */
static bool adopt_page(mic_page_t *page, mic_record_t *orphan, mic_record_t *to)
{
    if (!mic_pool_take(orphan)) return false;
    mic_record_adopt(orphan);
    const bool ok = mic_theap_adopt_page(page, orphan, to);
    mic_record_put_back(orphan);
    return ok;
}

static void test_order(void **state)
{
    (void)state;
    assert_null(mic_pool_take_any(&mic_subproc_main));
    for (int i = 0; i < 3; i++) assert_true(mic_pool_put(RECORD(i)));
    for (int i = 0; i < 3; i++) assert_true(RECORD(i)->in_pool && tagged(RECORD(i)));
    assert_true(mic_pool_take(RECORD(1))); /* from the middle */
    assert_false(mic_pool_take(RECORD(1)));
    assert_ptr_equal(mic_pool_take_any(&mic_subproc_main), RECORD(2));
    assert_ptr_equal(mic_pool_take_any(&mic_subproc_main), RECORD(0));
    assert_null(mic_pool_take_any(&mic_subproc_main));
    assert_true(tagged(RECORD(0))); /* adoption removes the tag */
    mic_record_adopt(RECORD(0));
    assert_false(tagged(RECORD(0)));
    assert_true(mic_pool_put(RECORD(0)));
    mic_pool_reset();
    assert_false(RECORD(0)->in_pool);
    assert_null(mic_pool_take_any(&mic_subproc_main));
}

/* RF.15: what was pushed before the tag is drained first */
static void test_put_not_empty(void **state)
{
    (void)state;
    mic_record_t *const r = RECORD(0);
    void *const x = block_of(r, 3), *const y = block_of(r, 3);
    free_remotely(x);
    assert_false(mic_inbox_is_empty(&r->inbox));
    assert_false(mic_pool_put(r));
    assert_false(r->in_pool);
    mic_theap_collect(&r->theap);
    mic_record_put_back(r);
    assert_true(r->in_pool && tagged(r) && mic_inbox_is_empty(&r->inbox));
    assert_int_equal(mic_page_of(y)->used, 1);
    free_remotely(y); /* RF.7: the pusher reaps; the page is released */
    assert_true(r->in_pool && mic_inbox_is_empty(&r->inbox));
    assert_int_equal(r->theap.page_count, 0);
    assert_null(mic_page_of(y));
}

static void test_with_class(void **state)
{
    (void)state;
    void *kept[RECORDS];
    for (unsigned i = 0; i < RECORDS; i++) {
        kept[i] = block_of(RECORD(i), i);
        mic_theap_collect(&RECORD(i)->theap);
    }
    for (unsigned i = 0; i < RECORDS; i++) assert_true(mic_pool_put(RECORD(i)));
    /* the most recent ones are looked at, no more than a few */
    assert_ptr_equal(mic_pool_take_with_class(&mic_subproc_main, RECORDS - 1), RECORD(RECORDS - 1));
    assert_ptr_equal(mic_pool_take_with_class(&mic_subproc_main, RECORDS - 4), RECORD(RECORDS - 4));
    assert_null(mic_pool_take_with_class(&mic_subproc_main, MIC_CLASS_LARGE_LAST));
    /* which then wait behind the others: every one is looked at in the end */
    assert_ptr_equal(mic_pool_take_with_class(&mic_subproc_main, 0), RECORD(0));
    assert_ptr_equal(mic_pool_take_any(&mic_subproc_main), RECORD(1));
    assert_ptr_equal(mic_pool_take_any(&mic_subproc_main), RECORD(RECORDS - 2));
    for (unsigned i = 0; i < RECORDS; i++) free_remotely(kept[i]);
    for (unsigned i = 0; i < RECORDS; i++) mic_record_drain(RECORD(i));
}

/* The page of an orphan's block goes to who frees it. */
static void test_adopt_page(void **state)
{
    (void)state;
    mic_record_t *const orphan = RECORD(0), *const live = RECORD(1);
    void *const x = block_of(orphan, 3), *const y = block_of(orphan, 3),
                *const z = block_of(orphan, 9);
    mic_page_t *const page = mic_page_of(x);
    assert_false(adopt_page(page, orphan, live)); /* its thread lives */
    mic_theap_collect(&orphan->theap);
    free_remotely(z);
    mic_store_relaxed(&orphan->state, MIC_RECORD_ORPHAN); /* as a thread that ends does */
    mic_record_put_back(orphan);
    assert_true(tagged(orphan));
    assert_true(adopt_page(page, orphan, live));
    assert_ptr_equal(mic_record_of_owner(mic_page_owner(page)), live);
    assert_true(orphan->in_pool);
    assert_true(mic_theap_is_valid(&live->theap));
    assert_true(mic_theap_is_valid(&orphan->theap));
    assert_int_equal(live->theap.page_count, 1);
    assert_int_equal(orphan->theap.page_count, 0);
    assert_false(adopt_page(page, orphan, RECORD(2)));
    free_remotely(x);
    free_remotely(y);
    mic_record_drain(live);
    assert_int_equal(page->used, 0);
    mic_theap_collect(&live->theap);
    assert_int_equal(live->theap.page_count, 0);
}

/* A page of an orphan that was full comes with its tag, and is found again. */
static void test_adopt_full_page(void **state)
{
    (void)state;
    if (CFG_HARDENED) skip(); /* what was freed last does not come next */
    mic_record_t *const orphan = RECORD(0), *const live = RECORD(1);
    static void *blocks[64];
    const unsigned cls = MIC_CLASS_SMALL_LAST; /* 8 blocks */
    for (int i = 0; i < 9; i++) blocks[i] = block_of(orphan, cls);
    mic_page_t *const page = mic_page_of(blocks[0]);
    assert_true((mic_page_owner(page) & MIC_OWNER_FULL) != 0);
    mic_theap_collect(&orphan->theap);
    mic_record_put_back(orphan);
    assert_true(adopt_page(page, orphan, live));
    assert_true((mic_page_owner(page) & MIC_OWNER_FULL) != 0);
    assert_true(mic_theap_is_valid(&live->theap));
    size_t index;
    assert_int_equal(mic_page_locate(page, blocks[0], &index), MIC_BLOCK_START);
    assert_true(mic_theap_page_unfull(page, live, index));
    mic_page_put(page, index);
    assert_ptr_equal(block_of(live, cls), blocks[0]);
    assert_true(mic_theap_is_valid(&live->theap));
    for (int i = 0; i < 9; i++) free_remotely(blocks[i]);
    mic_record_drain(live);
    mic_theap_collect(&live->theap);
    assert_int_equal(live->theap.page_count, 0);
    assert_int_equal(orphan->theap.page_count, 0);
}

/* forwards: an inbox with pages of others */
static void test_forward(void **state)
{
    (void)state;
    mic_record_t *const a = RECORD(0), *const b = RECORD(1);
    void *const x = block_of(a, 3), *const y = block_of(a, 3);
    mic_page_t *const page = mic_page_of(x);
    mic_theap_collect(&a->theap);
    free_remotely(x);
    assert_true(mic_theap_steal_page(&a->theap, &b->theap, 3));
    assert_true((page->flags & MIC_PAGE_POLL) != 0);
    assert_int_equal(b->theap.polls, 1);
    free_remotely(y); /* its token is with a still: b is not told */
    assert_true(mic_inbox_is_empty(&b->inbox));
    assert_int_equal(page->used, 2);
    mic_theap_collect(&b->theap); /* but looks */
    assert_int_equal(b->theap.page_count, 0);
    mic_record_drain(a);
    assert_int_equal(mic_load_relaxed(&page->pending), 0);
    assert_true(mic_theap_is_valid(&a->theap) && mic_theap_is_valid(&b->theap));
}

static mic_block_t *block_of_fresh_page(mic_record_t *r, unsigned cls)
{
    const size_t pages = r->theap.page_count;
    mic_block_t *list = NULL;
    while (r->theap.page_count == pages) {
        mic_block_t *const block = block_of(r, cls);
        assert_non_null(block);
        block->next = list;
        list = block;
    }
    return list;
}

/* Looking costs as much as there are pages: not for each fresh one, but every eighth of them. */
static void test_poll_seldom(void **state)
{
    (void)state;
    const unsigned cls = MIC_CLASS_SMALL_LAST;
    mic_record_t *const a = RECORD(0), *const b = RECORD(1);
    void *const x = block_of(a, 3), *const y = block_of(a, 3);
    mic_page_t *const page = mic_page_of(x);
    mic_theap_collect(&a->theap);
    free_remotely(x);
    assert_true(mic_theap_steal_page(&a->theap, &b->theap, 3));
    mic_block_t *lists[256];
    size_t n = 0;
    while (b->theap.page_count < 80 || b->theap.poll_wait < 8)
        lists[n++] = block_of_fresh_page(b, cls);
    assert_in_range(n, 80, 100);
    assert_int_equal(page->used, 1); /* the looks before found x */
    free_remotely(y);                /* b is not told */
    lists[n++] = block_of_fresh_page(b, cls);
    assert_int_equal(page->used, 1);
    for (size_t i = 0; i < 80 / 8; i++) lists[n++] = block_of_fresh_page(b, cls);
    lists[n++] = block_of_fresh_page(b, cls);
    assert_int_equal(page->used, 0);

    while (n-- > 0)
        for (mic_block_t *block = lists[n], *next; block != NULL; block = next) {
            next = block->next;
            free_remotely(block);
        }
    mic_record_drain(a);
    mic_record_drain(b);
    mic_theap_collect(&b->theap);
    assert_int_equal(b->theap.page_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_put_not_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_with_class, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_full_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forward, setup, teardown),
        cmocka_unit_test_setup_teardown(test_poll_seldom, setup, teardown),
    };
    if (!mic_process_start()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
