/* fake-os */
/* One page: making it, carving it, its lists and counts, finding it and its blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_os.h"
#include "heap/thread.h"
#include "page/page.h"
#include "page/remote.h"

static mic_inbox_t inbox mic_aligned(128);

static mic_page_t *make(unsigned cls, size_t slices)
{
    mic_run_t run;
    const size_t lead = cls == MIC_CLASS_SPAN ? MIC_SPAN_LEAD : 0;
    assert_true(mic_run_alloc(mic_page_kind_of_class(cls), slices + lead, 1, &mic_place_any, &run));
    mic_page_t *const page =
        (mic_page_t *)(void *)mic_arena_descriptor(run.arena, run.slice + lead);
    mic_page_init(page, run, cls, slices << MIC_SLICE_SHIFT);
    mic_page_owner_publish(page, &inbox, 0);
    return page;
}

static void unmake(mic_page_t *page)
{
    const mic_run_t run = mic_page_run(page);
    mic_page_owner_clear(page);
    mic_run_free(run);
}

/* ---- geometry ---- */

static void test_init(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        const size_t slices = mic_page_slices_of_class(cls);
        mic_page_t *const page = make(cls, slices);
        assert_int_equal(page->block_bytes, mic_class_bytes(cls));
        /* large blocks have guards between them, with policy "bits" */
        const size_t guard = CFG_BITS && page->kind == MIC_PAGE_LARGE ? mic_os_info.page_bytes : 0;
        assert_int_equal(page->stride, page->block_bytes + guard);
        const size_t end = page->kind < MIC_PAGE_LARGE ? mic_arena_end_bytes(page->arena) : 0;
        assert_int_equal(end != 0, CFG_HARDENED && page->kind < MIC_PAGE_LARGE);
        const size_t room = (slices << MIC_SLICE_SHIFT) - guard - end;
        assert_int_equal(page->reserved, room / page->stride);
        /* a small page has no room for eight of the largest */
        const bool fits = MIC_CLASS_FITS != 0 && cls == MIC_CLASS_SMALL_LAST;
        if (!CFG_BITS && page->kind == MIC_PAGE_LARGE)
            assert_int_equal(page->reserved, 1);
        else if (!CFG_BITS && page->kind == MIC_PAGE_MEDIUM)
            assert_true(page->reserved >= 4);
        else
            assert_true(page->reserved >= (guard + end == 0 && !fits ? 8 : 7));
        assert_true(page->carve_first < page->reserved);
        assert_int_equal(page->used, 0);
        assert_int_equal(page->capacity, 0);
        if (!CFG_BITS) assert_true(mic_page_is_valid(page, NULL));
        assert_false(mic_remote_any(page));
        const mic_run_t run = mic_page_run(page);
        assert_int_equal(run.count, slices);
        assert_ptr_equal(mic_run_start(run) + guard, page->start);
        unmake(page);
        assert_null(mic_page_of(page->start));
    }
}

/* offset / size through the reciprocal, for each class and each offset of its page */
static void test_reciprocal(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        const size_t slices = mic_page_slices_of_class(cls);
        mic_page_t *const page = make(cls, slices);
        const size_t bytes = page->stride;
        size_t quotient = 0, rest = 0;
        for (size_t offset = 0; offset < slices << MIC_SLICE_SHIFT; offset++) {
            if (mic_page_index_of(page, offset) != quotient)
                fail_msg("class %u: offset %zu", cls, offset);
            if (++rest == bytes) {
                rest = 0;
                quotient++;
            }
        }
        unmake(page);
    }
}

static void test_locate(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        mic_page_t *const page = make(cls, mic_page_slices_of_class(cls));
        const size_t bytes = page->block_bytes;
        for (size_t i = 0; i < page->reserved; i++) {
            char *const block = mic_page_block(page, i);
            size_t index = SIZE_MAX;
            assert_int_equal(mic_page_locate(page, block, &index), MIC_BLOCK_START);
            assert_int_equal(index, i);
            index = SIZE_MAX;
            assert_int_equal(mic_page_locate(page, block + 1, &index), MIC_BLOCK_INNER);
            assert_int_equal(index, i);
            assert_int_equal(mic_page_locate(page, block + bytes - 1, &index), MIC_BLOCK_INNER);
            assert_int_equal(index, i);
            assert_ptr_equal(mic_page_of(block), page);
            assert_ptr_equal(mic_page_of(block + bytes - 1), page);
        }
        size_t index;
        const char *const tail = mic_page_block(page, page->reserved);
        if (tail < page->start + ((size_t)page->slices << MIC_SLICE_SHIFT))
            assert_int_equal(mic_page_locate(page, tail, &index), MIC_BLOCK_OUTSIDE);
        assert_true(mic_page_of(page->start - 1) != page);
        unmake(page);
    }
}

/* ---- inner slices and spans ---- */

static void test_spans(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 9, 65, 511, 512, 513, 1025, 2000};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        /* leave traces of other pages in the descriptors first */
        mic_page_t *old[64];
        for (size_t i = 0; i < 64; i++)
            old[i] = make(i % 2 == 0 ? MIC_CLASS_MEDIUM_LAST : MIC_CLASS_LARGE_LAST,
                          mic_page_slices_of_class(i % 2 == 0 ? MIC_CLASS_MEDIUM_LAST
                                                              : MIC_CLASS_LARGE_LAST));
        for (size_t i = 0; i < 64; i++) unmake(old[i]);
        mic_page_t *const page = make(MIC_CLASS_SPAN, counts[c]);
        page->used = page->capacity = 1;
        for (size_t i = 0; i < counts[c]; i++) {
            const char *const p = page->start + (i << MIC_SLICE_SHIFT);
            assert_ptr_equal(mic_page_of(p), page);
            assert_ptr_equal(mic_page_of(p + MIC_SLICE_BYTES - 1), page);
            size_t index = 7;
            assert_int_equal(mic_page_locate(page, p, &index),
                             i == 0 ? MIC_BLOCK_START : MIC_BLOCK_INNER);
            assert_int_equal(index, 0);
        }
        const char *const end = page->start + (counts[c] << MIC_SLICE_SHIFT);
        assert_true(mic_page_of(end) != page);
        size_t index;
        assert_int_equal(mic_page_locate(page, end, &index), MIC_BLOCK_OUTSIDE);
        /* neighbours are not taken for parts of it */
        mic_page_t *const next = make(MIC_CLASS_SPAN, 3);
        assert_ptr_equal(mic_page_of(next->start + 2 * MIC_SLICE_BYTES), next);
        assert_ptr_equal(mic_page_of(page->start), page);
        unmake(page);
        for (size_t i = 0; i < counts[c]; i += 13)
            assert_null(mic_page_of(page->start + (i << MIC_SLICE_SHIFT)));
        assert_ptr_equal(mic_page_of(next->start), next);
        unmake(next);
    }
}

static void test_resized_span(void **state)
{
    (void)state;
    mic_run_t run;
    const size_t lead = MIC_SPAN_LEAD;
    assert_true(mic_run_alloc_room(600 + lead, 3, &mic_place_any, &run));
    mic_page_t *const page =
        (mic_page_t *)(void *)mic_arena_descriptor(run.arena, run.slice + lead);
    mic_page_init(page, run, MIC_CLASS_SPAN, (size_t)600 << MIC_SLICE_SHIFT);
    mic_page_owner_publish(page, &inbox, 0);
    bool zero;
    for (size_t slices = 700; slices <= 2000; slices += 130) {
        assert_true(mic_run_grow(mic_page_run(page), slices + lead, &zero));
        mic_page_resize_span(page, slices, slices << MIC_SLICE_SHIFT);
        for (size_t i = 0; i < slices; i += 31)
            assert_ptr_equal(mic_page_of(page->start + (i << MIC_SLICE_SHIFT)), page);
        assert_ptr_equal(mic_page_of(page->start + (slices << MIC_SLICE_SHIFT) - 1), page);
        assert_null(mic_page_of(page->start + (slices << MIC_SLICE_SHIFT)));
    }
    mic_run_t tail = mic_page_run(page);
    mic_page_resize_span(page, 100, 100 * MIC_SLICE_BYTES);
    tail.slice += 100 + (uint32_t)lead;
    tail.count -= 100 + (uint32_t)lead;
    mic_run_free(tail);
    assert_ptr_equal(mic_page_of(page->start + 100 * MIC_SLICE_BYTES - 1), page);
    assert_null(mic_page_of(page->start + 100 * MIC_SLICE_BYTES));
    assert_null(mic_page_of(page->start + 600 * MIC_SLICE_BYTES));
    unmake(page);
}

/* ---- carving ---- */

static void test_halve(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls <= MIC_CLASS_SMALL_LAST; cls++) {
        mic_page_t *const page = make(cls, 1);
        const uint32_t before = page->reserved;
        mic_page_halve(page);
        assert_true(page->reserved >= 7 && page->carve_first < page->reserved);
        if (before < 14)
            assert_int_equal(page->reserved, before);
        else
            assert_true(page->reserved <= before / 2 && page->reserved + 63 >= before / 2);
        unmake(page);
    }
}

static void test_extend(void **state)
{
    (void)state;
    if (CFG_BITS) skip();
    static const size_t steps[] = {1, 4096, 16384, 1 << 20};
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        mic_page_t *const page = make(cls, mic_page_slices_of_class(cls));
        unsigned char *const seen = calloc(page->reserved, 1);
        const size_t step = steps[cls % 4];
        uint32_t total = 0;
        while (mic_page_can_extend(page)) {
            mic_block_t *last;
            mic_block_t *const list = mic_page_extend(page, step, &last);
            uint32_t n = 0;
            for (mic_block_t *b = list; b != NULL; b = b->next) {
                size_t index;
                assert_int_equal(mic_page_locate(page, b, &index), MIC_BLOCK_START);
                assert_int_equal(seen[index]++, 0);
                if (b->next == NULL) assert_ptr_equal(b, last);
                n++;
            }
            assert_true(n >= 1 && n <= mic_max(1, step / page->block_bytes));
            total += n;
            assert_int_equal(page->capacity, total);
            assert_int_equal(page->used, total);
            mic_page_return_active(page, list);
            assert_int_equal(page->used, total - n);
            assert_true(mic_page_is_valid(page, NULL));
            (void)mic_page_take_local(page);
            page->local = NULL;
        }
        assert_int_equal(total, page->reserved);
        free(seen);
        unmake(page);
    }
}

/* ---- lists: a random walk with the laws checked after each step ---- */

static void test_lists(void **state)
{
    (void)state;
    if (CFG_BITS) skip();
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls += 3) {
        mic_page_t *const page = make(cls, mic_page_slices_of_class(cls));
        void **const live = calloc(page->reserved, sizeof *live);
        size_t lives = 0;
        mic_block_t *active = NULL;
        uint32_t seed = cls * 7919 + 1;
        for (int step = 0; step < 3000; step++) {
            seed = seed * 1664525u + 1013904223u;
            const unsigned dice = seed >> 24;
            if (dice < 100) {
                if (active != NULL) {
                    live[lives++] = active;
                    active = active->next;
                }
            } else if (dice < 200 && lives > 0) {
                const size_t i = (seed >> 4) % lives;
                mic_page_push_local(page, live[i]);
                live[i] = live[--lives];
            } else if (dice < 225 && active == NULL) {
                active = mic_page_local_count(page) != 0 ? mic_page_take_local(page) : NULL;
                mic_block_t *last;
                if (active == NULL && mic_page_can_extend(page))
                    active = mic_page_extend(page, 4096, &last);
            } else if (dice < 235) {
                mic_page_return_active(page, active);
                active = NULL;
            } else if (lives > 0) { /* freed by another thread, collected here */
                size_t index;
                const size_t i = (seed >> 4) % lives;
                (void)mic_page_locate(page, live[i], &index);
                assert_true(mic_remote_set(page, index));
                assert_false(mic_remote_set(page, index));
                live[i] = live[--lives];
                assert_int_equal(mic_remote_count(page), 1);
                assert_int_equal(mic_remote_collect(page), 1);
            }
            if (step % 16 == 0) assert_true(mic_page_is_valid(page, active));
            size_t listed = 0;
            for (mic_block_t *b = active; b != NULL; b = b->next) listed++;
            assert_int_equal(page->used, lives + listed);
        }
        free(live);
        unmake(page);
    }
}

/* The checker sees damage. */
/* Of a page of any geometry, carved from anywhere, all words are clean that had bits. */
static void test_empty(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls <= MIC_CLASS_SMALL_LAST; cls++) {
        mic_page_t *const page = make(cls, 1);
        const uint32_t n = page->reserved, step = n < 200 ? 1 : n / 101;
        for (uint32_t first = 0; first < n; first += step) {
            for (uint32_t count = 1; count <= n; count += step) {
                page->carve_first = first;
                page->used = page->capacity = count;
                for (uint32_t i = 0; i < count; i++) {
                    const uint32_t at = (first + i) % n;
                    assert_true(mic_remote_set(page, at));
                    if (CFG_BITS)
                        (void)mic_fetch_or_relaxed(&page->live[mic_remote_at(at)],
                                                   (uint64_t)1 << at % 64);
                }
                mic_page_empty(page);
                assert_false(mic_remote_any(page));
                for (uint32_t i = 0; CFG_BITS && i * 64 < n; i++)
                    assert_int_equal(mic_load_relaxed(&page->live[mic_remote_at(i * 64)]), 0);
                assert_int_equal(page->used, 0);
                assert_int_equal(page->capacity, 0);
            }
        }
        unmake(page);
    }
}

static void test_validity(void **state)
{
    (void)state;
    if (CFG_BITS) skip();
    mic_page_t *const page = make(4, 1);
    mic_block_t *last, *const list = mic_page_extend(page, 4096, &last);
    assert_true(mic_page_is_valid(page, list));
    mic_block_t *const next = list->next;
    list->next = list; /* a cycle */
    assert_false(mic_page_is_valid(page, list));
    list->next = (mic_block_t *)(void *)((char *)next + 1); /* not a block */
    assert_false(mic_page_is_valid(page, list));
    list->next = next;
    page->used++;
    assert_false(mic_page_is_valid(page, list));
    page->used -= 2;
    assert_false(mic_page_is_valid(page, list));
    page->used++;
    mic_page_push_local(page, list);
    mic_page_push_local(page, list); /* freed twice */
    assert_false(mic_page_is_valid(page, NULL));
    unmake(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init),         cmocka_unit_test(test_reciprocal),
        cmocka_unit_test(test_locate),       cmocka_unit_test(test_spans),
        cmocka_unit_test(test_resized_span), cmocka_unit_test(test_extend),
        cmocka_unit_test(test_lists),        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_validity),     cmocka_unit_test(test_halve),
    };
    if (!mic_process_start()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
