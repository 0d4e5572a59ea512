/* fake-os */
/* The table of the remote-free protocol (docs/protocols/remote_free.md), walked by one thread: each
   row, and the orders of events that made earlier drafts fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_os.h"
#include "heap/thread.h"
#include "page/bits.h"
#include "page/remote.h"

static mic_inbox_t a mic_aligned(128);
static mic_inbox_t b mic_aligned(128);

static mic_page_t *make(mic_inbox_t *owner)
{
    mic_run_t run;
    assert_true(mic_run_alloc(0, 1, 1, &mic_place_any, &run));
    mic_page_t *const page = (mic_page_t *)(void *)mic_arena_descriptor(run.arena, run.slice);
    mic_page_init(page, run, 3, 0); /* 64 bytes */
    if (owner != NULL) mic_page_owner_publish(page, owner, 0);
    while (mic_page_can_extend(page)) {
        mic_block_t *last;
        if (CFG_BITS)
            mic_bits_extend(page, page->reserved);
        else
            (void)mic_page_extend(page, MIC_SLICE_BYTES, &last);
    }
    for (uint32_t i = 0; CFG_BITS && i < page->reserved; i++) mic_bits_set_live(page, i);
    page->used = page->capacity;
    return page;
}

static void unmake(mic_page_t *page)
{
    const mic_run_t run = mic_page_run(page);
    (void)mic_remote_clear(page);
    mic_page_owner_clear(page);
    mic_run_free(run);
}

static int setup(void **state)
{
    (void)state;
    (void)mic_inbox_take_untag(&a);
    (void)mic_inbox_take_untag(&b);
    return 0;
}

static bool is_valid(const mic_page_t *page)
{
    return CFG_BITS ? mic_bits_is_valid(page, NULL) : mic_page_is_valid(page, NULL);
}

static uint32_t pending(const mic_page_t *page) { return mic_load_relaxed(&page->pending); }

/* rows 1 to 6, 8 to 10 */
static void test_plain(void **state)
{
    (void)state;
    mic_page_t *const p = make(&a);
    assert_true(mic_inbox_is_empty(&a));
    assert_true(mic_remote_set(p, 5));
    assert_null(mic_remote_notify(p));
    assert_int_equal(pending(p), 1);
    assert_false(mic_inbox_is_empty(&a));
    assert_true(mic_remote_set(p, p->reserved - 1)); /* a second free finds it pending */
    assert_null(mic_remote_notify(p));
    assert_false(mic_remote_set(p, 5)); /* twice */
    mic_page_t *list = mic_inbox_take(&a);
    assert_ptr_equal(list, p);
    assert_true(mic_inbox_is_empty(&a));
    assert_int_equal(mic_remote_untoken(&list), (uintptr_t)&a);
    assert_null(list);
    assert_int_equal(pending(p), 0);
    const uint32_t used = p->used;
    assert_int_equal(mic_remote_collect(p), 2);
    assert_int_equal(p->used, used - 2);
    assert_int_equal(mic_remote_collect(p), 0);
    assert_false(mic_remote_any(p));
    assert_true(is_valid(p));
    unmake(p);
}

/* Every block of the page, wherever carving began (F7). */
static void test_all_words(void **state)
{
    (void)state;
    mic_page_t *pages[16];
    for (int k = 0; k < 16; k++) {
        mic_page_t *const p = pages[k] = make(&a);
        for (size_t i = 0; i < p->reserved; i++) assert_true(mic_remote_set(p, i));
        assert_int_equal(mic_remote_count(p), p->reserved);
        assert_int_equal(mic_remote_collect(p), p->reserved);
        assert_int_equal(p->used, 0);
        assert_true(is_valid(p));
    }
    for (int k = 0; k < 16; k++) unmake(pages[k]);
}

/* several pages in one inbox, last pushed first */
static void test_list(void **state)
{
    (void)state;
    mic_page_t *pages[10];
    for (size_t i = 0; i < 10; i++) {
        pages[i] = make(&a);
        assert_true(mic_remote_set(pages[i], i));
        assert_null(mic_remote_notify(pages[i]));
    }
    mic_page_t *list = mic_inbox_take(&a);
    for (size_t i = 10; i-- > 0;) {
        assert_ptr_equal(list, pages[i]);
        assert_int_equal(mic_remote_untoken(&list), (uintptr_t)&a);
        assert_int_equal(mic_remote_collect(pages[i]), 1);
    }
    assert_null(list);
    for (size_t i = 0; i < 10; i++) unmake(pages[i]);
}

/* row 5: nobody to tell */
static void test_free_page(void **state)
{
    (void)state;
    mic_page_t *const p = make(&a);
    mic_page_owner_clear(p);
    assert_null(mic_remote_notify(p));
    assert_int_equal(pending(p), 0);
    assert_true(mic_inbox_is_empty(&a));
    mic_page_owner_publish(p, &a, 0);
    unmake(p);
}

/* F1: released and made anew between a free's bit and its push; the token and the link survive. */
static void test_released_while_pending(void **state)
{
    (void)state;
    mic_page_t *const p = make(&a);
    mic_page_t *const q = make(&a);
    assert_true(mic_remote_set(q, 1));
    assert_null(mic_remote_notify(q));
    assert_true(mic_remote_set(p, 1));
    assert_int_equal(mic_remote_collect(p), 1); /* the owner looked by itself */
    assert_null(mic_remote_notify(p));          /* the free goes on: its token is late */
    const mic_run_t run = mic_page_run(p);
    mic_page_owner_clear(p);
    assert_int_equal(pending(p), 1);
    mic_page_init(p, run, 10, 0);
    assert_int_equal(pending(p), 1); /* type-stable */
    mic_page_owner_publish(p, &b, 0);
    assert_true((p->flags & MIC_PAGE_POLL) != 0); /* row 17 */
    mic_page_t *list = mic_inbox_take(&a);
    assert_ptr_equal(list, p);
    assert_int_equal(mic_remote_untoken(&list), (uintptr_t)&b); /* row 11: another's, forward */
    assert_ptr_equal(list, q);
    assert_null(mic_remote_notify(p));
    assert_false(mic_inbox_is_empty(&b));
    assert_int_equal(mic_remote_untoken(&list), (uintptr_t)&a);
    assert_null(list);
    list = mic_inbox_take(&b);
    assert_ptr_equal(list, p);
    assert_int_equal(mic_remote_untoken(&list), (uintptr_t)&b);
    assert_int_equal(mic_remote_collect(p), 0);
    assert_true((p->flags & MIC_PAGE_POLL) == 0);
    unmake(p);
    unmake(q);
}

/* rows 7, 8, 13, 15: the tag */
static void test_orphan(void **state)
{
    (void)state;
    mic_page_t *const p = make(&a), *const q = make(&a);
    assert_true(mic_inbox_try_orphan(&a));
    assert_true(mic_inbox_is_empty(&a));
    assert_false(mic_inbox_try_orphan(&a)); /* is one already */
    assert_true(mic_remote_set(p, 0));
    assert_ptr_equal(mic_remote_notify(p), &a); /* the pusher learns of it */
    assert_true(mic_remote_set(p, 1));
    assert_null(mic_remote_notify(p)); /* pending: somebody else's business */
    assert_true(mic_remote_set(q, 0));
    assert_ptr_equal(mic_remote_notify(q), &a); /* the tag stays with a push */
    mic_page_t *list = mic_inbox_take(&a);      /* and with a take */
    assert_ptr_equal(list, q);
    (void)mic_remote_untoken(&list);
    assert_ptr_equal(list, p);
    (void)mic_remote_untoken(&list);
    assert_null(list);
    assert_ptr_equal(mic_remote_notify(p), &a);
    list = mic_inbox_take_untag(&a);
    assert_ptr_equal(list, p);
    (void)mic_remote_untoken(&list);
    assert_int_equal(mic_remote_collect(p), 2);
    assert_true(mic_remote_set(p, 2));
    assert_null(mic_remote_notify(p));      /* no tag any more */
    assert_false(mic_inbox_try_orphan(&a)); /* not empty */
    assert_null(mic_load_relaxed(&a.word) & MIC_INBOX_ORPHAN ? p : NULL);
    list = mic_inbox_take(&a);
    (void)mic_remote_untoken(&list);
    assert_true(mic_inbox_try_orphan(&a));
    unmake(p);
    unmake(q);
}

/* tags of the owner come and go without the owner changing */
static void test_tags(void **state)
{
    (void)state;
    mic_page_t *const p = make(&a);
    mic_page_owner_tag(p, MIC_OWNER_FULL | MIC_OWNER_INNER, 0);
    assert_ptr_equal(mic_owner_inbox(mic_page_owner(p)), &a);
    assert_true(mic_remote_set(p, 3));
    assert_null(mic_remote_notify(p));
    assert_false(mic_inbox_is_empty(&a));
    mic_page_owner_tag(p, 0, MIC_OWNER_FULL);
    assert_int_equal(mic_page_owner(p) & MIC_OWNER_TAGS, MIC_OWNER_INNER);
    mic_page_t *list = mic_inbox_take(&a);
    assert_ptr_equal(mic_owner_inbox(mic_remote_untoken(&list)), &a);
    unmake(p);
}

/* more bits than blocks in use: the heap is damaged, and the process ends */
static void test_too_many(void **state)
{
    (void)state;
    mic_page_t *const p = make(&a);
    p->used = 1;
    assert_true(mic_remote_set(p, 0));
    assert_true(mic_remote_set(p, 1));
    fake_os_expect_abort((void)mic_remote_collect(p));
    unmake(p);
}

static void test_clear(void **state)
{
    (void)state;
    mic_page_t *const p = make(&a);
    for (size_t i = 0; i < 200; i += 3) assert_true(mic_remote_set(p, i));
    assert_int_equal(mic_remote_clear(p), 67);
    assert_false(mic_remote_any(p));
    unmake(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_plain, setup),
        cmocka_unit_test_setup(test_all_words, setup),
        cmocka_unit_test_setup(test_list, setup),
        cmocka_unit_test_setup(test_free_page, setup),
        cmocka_unit_test_setup(test_released_while_pending, setup),
        cmocka_unit_test_setup(test_orphan, setup),
        cmocka_unit_test_setup(test_tags, setup),
        cmocka_unit_test_setup(test_too_many, setup),
        cmocka_unit_test_setup(test_clear, setup),
    };
    if (!mic_process_start()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
