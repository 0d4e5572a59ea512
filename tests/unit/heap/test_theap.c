/* fake-os */
/* Thread heaps: refill, full and not full, release, stealing; a random walk over two heaps with the
   deep checks after each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "fake_os.h"
#include "heap/active.h"
#include "heap/heap.h"
#include "heap/held.h"
#include "heap/pool.h"
#include "heap/thread.h"
#include "vm/arena.h"

static _Alignas(128) mic_record_t record_a;
static _Alignas(128) mic_record_t record_b;
static mic_record_t *const records[2] = {&record_a, &record_b};
#define A (&record_a.theap)
#define B (&record_b.theap)

static int setup(void **state)
{
    (void)state;
    mic_deep_enabled = true;
    for (int i = 0; i < 2; i++) {
        memset(records[i], 0, sizeof *records[i]);
        records[i]->lock.rank = MIC_RANK_RECORD;
        mic_store_relaxed(&records[i]->subproc, (uintptr_t)&mic_subproc_main);
        mic_theap_init(&records[i]->theap, records[i], &mic_subproc_main.main);
    }
    return 0;
}

static uint64_t used(void)
{
    return mic_load_relaxed(&mic_vm_counts.used_slices) - (mic_held_bytes() >> MIC_SLICE_SHIFT);
}

static mic_block_t *take(mic_theap_t *t, unsigned cls)
{
    mic_block_t *const b = mic_active_take(t, cls);
    bool zero;
    return b != NULL ? b : mic_theap_refill(t, cls, &zero);
}

/* as free does it on the owner's thread */
static void give(mic_theap_t *t, void *block)
{
    mic_page_t *const page = mic_page_of(block);
    if (page->kind == MIC_PAGE_SPAN) {
        mic_lock_acquire(&t->record->lock);
        mic_theap_release_page_locked(page);
        mic_lock_release(&t->record->lock);
        return;
    }
    assert_ptr_equal(mic_record_of_owner(mic_page_owner(page)), t->record);
    size_t index;
    assert_int_equal(mic_page_locate(page, block, &index), MIC_BLOCK_START);
    if ((mic_page_owner(page) & MIC_OWNER_FULL) != 0)
        assert_true(mic_theap_page_unfull(page, t->record, index));
    mic_page_put(page, index);
    if (page->used == 0) mic_theap_page_emptied(page);
}

static void test_init(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes <= MIC_TABLE_MAX_BYTES; bytes++)
        assert_int_equal(A->class_of[(bytes + 15) >> 4], mic_class_of(bytes) * MIC_TABLE_SCALE);
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        assert_true(mic_active_is_empty(A, cls));
        assert_false(mic_theap_has_room(A, cls));
        assert_true(mic_active_is_empty(&mic_theap_empty, cls));
    }
    assert_true(mic_theap_is_valid(A));
    mic_theap_collect(A);
    assert_true(mic_theap_is_valid(A));
}

/* Fills several pages of each class and empties them, in order and in reverse. */
static void test_fill_and_empty(void **state)
{
    (void)state;
    const uint64_t before = used();
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls += 5) {
        const size_t per_page = mic_page_of(take(A, cls))->reserved;
        mic_theap_destroy_locked(A, 0);
        const size_t n = per_page * 3 + (per_page + 1) / 2;
        void **const blocks = malloc(n * sizeof *blocks);
        for (int order = 0; order < 2; order++) {
            for (size_t i = 0; i < n; i++) {
                blocks[i] = take(A, cls);
                assert_non_null(blocks[i]);
                assert_true(mic_page_of(blocks[i])->cls == cls);
                if (i % per_page == 0) assert_true(mic_theap_is_valid(A));
            }
            assert_true(A->page_count >= 4);
            for (size_t i = 0; i < n; i++) give(A, blocks[order == 0 ? i : n - 1 - i]);
            assert_true(mic_theap_is_valid(A));
            /* what is left: the active page, and one of the class at most */
            assert_true(A->page_count <= (CFG_HARDENED ? 5 : 2)); /* and quarantine */
        }
        mic_theap_collect(A);
        assert_int_equal(A->page_count, 0);
        assert_int_equal(used(), before);
        free(blocks);
    }
}

/* No block is handed out twice, none outside of its page, and a fresh one reads as told. */
static void test_distinct(void **state)
{
    (void)state;
    enum { N = 20000 };
    const size_t usable = 48 - MIC_CANARY_BYTES;
    void **const blocks = malloc(N * sizeof *blocks);
    for (size_t i = 0; i < N; i++) {
        bool zero = false;
        mic_block_t *b = mic_active_take(A, 2);
        if (b == NULL) b = mic_theap_refill(A, 2, &zero);
        assert_non_null(b);
        if (zero)
            for (size_t k = 8; k < usable; k++) assert_int_equal(((char *)b)[k], 0);
        memset(b, (int)(i % 251), usable);
        blocks[i] = b;
    }
    for (size_t i = 0; i < N; i++) {
        const unsigned char *const p = blocks[i];
        for (size_t k = 0; k < usable; k++) assert_int_equal(p[k], i % 251);
        give(A, blocks[i]);
    }
    free(blocks);
    mic_theap_collect(A);
    assert_true(mic_theap_is_valid(A));
}

static void test_spans(void **state)
{
    (void)state;
    const uint64_t before = used();
    bool zero;
    mic_page_t *const p = mic_theap_new_span(A, 600000, MIC_SLICE_BYTES, &zero);
    mic_page_t *const q = mic_theap_new_span(A, 1, (size_t)4 << 20, &zero);
    mic_page_t *const r = mic_theap_new_growing_span(A, (size_t)40 << 20, 7, &zero);
    assert_non_null(p);
    assert_int_equal(p->slices, mic_divide_up(600000, MIC_SLICE_BYTES));
    assert_int_equal(q->slices, 1);
    assert_int_equal((uintptr_t)q->start % ((size_t)4 << 20), 0);
    assert_int_equal(((uintptr_t)r->start >> MIC_SLICE_SHIFT) % MIC_SEGMENT_SLICES, 7);
    assert_true(mic_theap_is_valid(A));
    assert_int_equal(A->page_count, 3);
    mic_theap_collect(A); /* live blocks stay */
    assert_int_equal(A->page_count, 3);
    give(A, p->start);
    give(A, r->start);
    give(A, q->start);
    assert_int_equal(A->page_count, 0);
    assert_int_equal(used(), before);
    assert_null(mic_theap_new_span(A, SIZE_MAX / 2, MIC_SLICE_BYTES, &zero));
}

/* Policy "list": what a large block has left serves blocks of other sizes. */
static void test_large_share(void **state)
{
    (void)state;
    if (CFG_BITS) return;
    mic_block_t *const large = take(A, MIC_CLASS_LARGE_LAST);
    const char *const start = (const char *)large;
    const char *const end = start + MIC_LARGE_BLOCK_MAX;
    const uint64_t most = used();
    give(A, large);
    void *blocks[2];
    for (unsigned i = 0; i < 2; i++) {
        blocks[i] = take(A, mic_class_of(MIC_LARGE_BLOCK_MAX / (i + 2) - i));
        assert_true((const char *)blocks[i] >= start && (const char *)blocks[i] < end);
        assert_true(used() <= most);
    }
    for (unsigned i = 0; i < 2; i++) give(A, blocks[i]);
    mic_theap_collect(A);
}

/* Policy "bits": of an array that grew through all large classes no more stays than a page or two
   beside the last one. */
static void test_large_empty(void **state)
{
    (void)state;
    if (!CFG_BITS || CFG_HARDENED) return;
    void *array = take(A, MIC_CLASS_MEDIUM_LAST + 1);
    int pages = 0;
    for (unsigned cls = MIC_CLASS_MEDIUM_LAST + 2; cls < MIC_CLASS_COUNT; cls++) {
        void *const larger = take(A, cls);
        give(A, array);
        array = larger;
        pages = 0;
        for (unsigned c = MIC_CLASS_MEDIUM_LAST + 1; c < MIC_CLASS_COUNT; c++)
            pages += A->active[c] != NULL;
        assert_in_range(pages, 2, 3);
    }
    give(A, array);
    /* classes that take turns keep their pages */
    void *other = take(A, MIC_CLASS_LARGE_LAST - 1);
    give(A, other);
    const uint64_t before = A->totals.n[MIC_TOTAL_PAGES];
    for (int i = 0; i < 10; i++) {
        give(A, take(A, MIC_CLASS_LARGE_LAST));
        give(A, take(A, MIC_CLASS_LARGE_LAST - 1));
    }
    assert_int_equal(A->totals.n[MIC_TOTAL_PAGES], before);
    assert_true(mic_theap_is_valid(A));
    mic_theap_collect(A);
}

/* Pages that stay with their classes although they are empty go when pages become more, and not
   when two classes take turns. */
static void test_tidy(void **state)
{
    (void)state;
    if (CFG_BITS) return;
    for (unsigned cls = 0; cls <= MIC_CLASS_MEDIUM_LAST; cls++) {
        give(A, take(A, cls));
        assert_true(mic_theap_is_valid(A));
        assert_true(A->page_count <= 20);
    }
    mic_theap_collect(A);
    assert_int_equal(A->page_count, 0);
    for (int i = 0; i < 100; i++)
        for (unsigned cls = 3; cls <= 30; cls += 27) give(A, take(A, cls));
    assert_int_equal(A->totals.n[MIC_TOTAL_PAGES], MIC_CLASS_MEDIUM_LAST + 1 + 2);
    mic_theap_collect(A);
}

/* What grows through many classes and is freed, again and again, comes to find its pages there. */
static void test_tidy_growing(void **state)
{
    (void)state;
    if (CFG_BITS) return;
    uint64_t made = 0;
    for (int i = 0; i < 100; i++) {
        if (i == 20) made = A->totals.n[MIC_TOTAL_PAGES];
        void *block = take(A, 0);
        for (unsigned cls = 1; cls <= MIC_CLASS_MEDIUM_LAST; cls++) {
            void *const grown = take(A, cls);
            give(A, block);
            block = grown;
        }
        give(A, block);
    }
    assert_int_equal(A->totals.n[MIC_TOTAL_PAGES], made);
    mic_theap_collect(A);
}

/* Empty pages are looked for again when a peak is over, with fewer pages than it had. */
static void test_tidy_peak(void **state)
{
    (void)state;
    if (CFG_BITS) return;
    static void *blocks[300][8];
    const unsigned cls = mic_class_of(MIC_SMALL_BLOCK_MAX);
    for (size_t i = 0; i < 300; i++)
        for (size_t k = 0; k < 8; k++) assert_non_null(blocks[i][k] = take(A, cls));
    const size_t level = A->tidy_level;
    assert_true(level >= 300);
    for (size_t i = 0; i < 300; i++)
        for (size_t k = 0; k < 8; k++) give(A, blocks[i][k]);
    for (unsigned other = 0; other < cls; other++) give(A, take(A, other));
    assert_true(A->tidy_level < level / 4 * 3);
    mic_theap_collect(A);
}

/* NULL when the system gives nothing, and all is well afterwards. */
static void test_no_memory(void **state)
{
    (void)state;
    const uint64_t before = used();
    fake_os_fail(FAKE_OS_ANY, 1, 12, true);
    static void *blocks[200000];
    size_t n = 0;
    while (n < 200000 && (blocks[n] = take(A, MIC_CLASS_LARGE_LAST)) != NULL) n++;
    assert_true(n < 200000);
    assert_true(mic_theap_is_valid(A));
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    assert_non_null(blocks[n] = take(A, MIC_CLASS_LARGE_LAST));
    for (size_t i = 0; i <= n; i++) give(A, blocks[i]);
    mic_theap_collect(A);
    assert_true(mic_theap_is_valid(A));
    assert_int_equal(used(), before);
}

/* Fills pages of class 0 exactly; returns how many blocks they have. */
static size_t fill_pages(void **blocks, size_t pages)
{
    size_t n = 1;
    blocks[0] = take(A, 0);
    const size_t per_page = mic_page_of(blocks[0])->reserved;
    while (n < pages * per_page) assert_non_null(blocks[n++] = take(A, 0));
    assert_int_equal(A->class_pages[0], pages);
    return n;
}

/* Policy "list": an active page with few free blocks waits in the queue when others have some. */
static void test_few_wait(void **state)
{
    (void)state;
    if (CFG_BITS) return;
    enum { PAGES = 3 };
    static void *blocks[PAGES * MIC_SLICE_BYTES / 16];
    const size_t n = fill_pages(blocks, PAGES);
    mic_page_t *const active = A->active[0];
    give(A, blocks[0]);
    give(A, blocks[n - 1]);
    assert_ptr_equal(take(A, 0), blocks[0]);
    assert_int_equal(active->flags & (MIC_PAGE_QUEUED | MIC_PAGE_ACTIVE), MIC_PAGE_QUEUED);
    assert_int_equal(mic_page_owner(active) & MIC_OWNER_TAGS, 0);
    assert_true(mic_theap_is_valid(A));
    assert_ptr_equal(take(A, 0), blocks[n - 1]);
    assert_int_equal(A->class_pages[0], PAGES);
    for (size_t i = 0; i < n; i++) give(A, blocks[i]);
    mic_theap_collect(A);
    assert_true(mic_theap_is_valid(A));
}

/* Policy "list": a class of many pages that have hardly anything free gets a 16th more and not more,
   and does without when the system gives nothing. */
static void test_extra_pages(void **state)
{
    (void)state;
    if (CFG_BITS) return;
    enum { PAGES = 32, ALL = (PAGES + 64) * MIC_SLICE_BYTES / 16 };
    static void *blocks[ALL];
    size_t n = fill_pages(blocks, PAGES);
    const size_t per_page = n / PAGES;
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < PAGES; i++) give(A, blocks[i * per_page + 7]);
        for (size_t i = 0; i < PAGES; i++) blocks[i * per_page + 7] = take(A, 0);
        assert_in_range(A->class_pages[0], PAGES, PAGES + PAGES / 16);
    }
    assert_true(A->class_pages[0] > PAGES);
    fake_os_fail(FAKE_OS_ANY, 1, 12, true);
    static void *others[200000]; /* what was committed before */
    size_t other = 0;
    for (unsigned cls = MIC_CLASS_LARGE_LAST; cls > 0; cls -= cls > 20 ? 20 : cls)
        while (other < 200000 && (others[other] = take(A, cls)) != NULL) other++;
    while (n < ALL && (blocks[n] = take(A, 0)) != NULL) n++;
    assert_true(n < ALL && other < 200000);
    for (size_t i = 0; i < PAGES; i++) give(A, blocks[i * per_page + 7]);
    for (size_t i = 0; i < PAGES; i++) assert_non_null(blocks[i * per_page + 7] = take(A, 0));
    assert_null(take(A, 0));
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    for (size_t i = 0; i < n; i++) give(A, blocks[i]);
    for (size_t i = 0; i < other; i++) give(A, others[i]);
    mic_theap_collect(A);
    assert_true(mic_theap_is_valid(A));
}

/* A random walk: two heaps, local frees, remote frees, drains, collects, stealing both ways. */
typedef struct live {
    void *block;
    uint64_t mark;
} live_t;

static uint64_t seed = 88172645463325252u;
static size_t below(size_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed % n);
}

static void test_walk(void **state)
{
    (void)state;
    enum { N = 4000, STEPS = 60000 };
    static live_t live[N];
    size_t lives = 0;
    const uint64_t before = used();
    for (int step = 0; step < STEPS; step++) {
        mic_theap_t *const t = below(2) != 0 ? A : B;
        mic_theap_t *const other = t == A ? B : A;
        const size_t dice = below(1000);
        const bool fill = step / 5000 % 2 == 0;
        bool slow = true;
        if (dice < (fill ? 560u : 380u)) {
            if (lives == N) continue;
            const unsigned cls = (unsigned)(below(8) != 0 ? below(20) : below(MIC_CLASS_COUNT));
            slow = mic_active_is_empty(t, cls);
            live_t *const l = &live[lives++];
            assert_non_null(l->block = take(t, cls));
            *(uint64_t *)l->block = l->mark = seed;
            if (cls > 0) ((uint64_t *)l->block)[1] = ~seed;
        } else if (dice < 985) {
            if (lives == 0) continue;
            const size_t i = below(lives);
            void *const block = live[i].block;
            assert_int_equal(*(uint64_t *)block, live[i].mark);
            if (mic_page_of(block)->cls > 0)
                assert_int_equal(((uint64_t *)block)[1], ~live[i].mark);
            live[i] = live[--lives];
            mic_page_t *const page = mic_page_of(block);
            mic_record_t *const owner = mic_record_of_owner(mic_page_owner(page));
            slow = false;
            if (below(3) != 0) {
                give(&owner->theap, block);
            } else {
                size_t index;
                assert_int_equal(mic_page_locate(page, block, &index), MIC_BLOCK_START);
                if (CFG_HARDENED) mic_bits_clear_block(page, index); /* as free does */
                assert_true(mic_remote_set(page, index));
                assert_null(mic_remote_notify(page));
            }
        } else if (dice < 992) {
            mic_record_drain(t->record);
        } else if (dice < 994) {
            mic_theap_collect(t);
        } else if (dice < 998) {
            (void)mic_theap_steal_page(t, other, (unsigned)below(20));
        }
        if (slow || step % 64 == 0) {
            assert_true(mic_theap_is_valid(A));
            assert_true(mic_theap_is_valid(B));
        }
    }
    while (lives > 0) {
        void *const block = live[--lives].block;
        give(&mic_record_of_owner(mic_page_owner(mic_page_of(block)))->theap, block);
    }
    for (int i = 0; i < 2; i++) {
        mic_record_drain(A->record);
        mic_record_drain(B->record);
        mic_theap_collect(A);
        mic_theap_collect(B);
    }
    assert_true(mic_theap_is_valid(A));
    assert_true(mic_theap_is_valid(B));
    assert_int_equal(A->page_count + B->page_count, 0);
    assert_int_equal(used(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_init, setup),
        cmocka_unit_test_setup(test_fill_and_empty, setup),
        cmocka_unit_test_setup(test_distinct, setup),
        cmocka_unit_test_setup(test_spans, setup),
        cmocka_unit_test_setup(test_large_share, setup),
        cmocka_unit_test_setup(test_large_empty, setup),
        cmocka_unit_test_setup(test_tidy, setup),
        cmocka_unit_test_setup(test_tidy_growing, setup),
        cmocka_unit_test_setup(test_tidy_peak, setup),
        cmocka_unit_test_setup(test_no_memory, setup),
        cmocka_unit_test_setup(test_few_wait, setup),
        cmocka_unit_test_setup(test_extra_pages, setup),
        cmocka_unit_test_setup(test_walk, setup),
    };
    if (!mic_process_start()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
