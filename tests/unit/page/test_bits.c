/* fake-os */
/* Policy "bits": what malloc takes, what a free must look like, what others free, the laws; for
   every class, on a random walk. Skipped in builds with the other policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_os.h"
#include "heap/thread.h"
#include "page/bits.h"
#include "page/free_set.h"
#include "page/guard.h"

static mic_inbox_t inbox mic_aligned(128);
static mic_random_t source;
static uint64_t rotation = 12345;

static mic_page_t *ahead_of; /* the page that `ahead` is about */
static uint64_t ahead;
static uint32_t left; /* of the last free */

static mic_page_t *make(unsigned cls)
{
    mic_run_t run;
    const size_t slices = mic_page_slices_of_class(cls);
    assert_true(mic_run_alloc(mic_page_kind_of_class(cls), slices, 1, &mic_place_any, &run));
    mic_page_t *const page = (mic_page_t *)(void *)mic_arena_descriptor(run.arena, run.slice);
    mic_page_init(page, run, cls, 0);
    mic_page_owner_publish(page, &inbox, 0);
    ahead_of = NULL; /* the descriptor may be that of another page before */
    return page;
}

static void unmake(mic_page_t *page)
{
    const mic_run_t run = mic_page_run(page);
    mic_unguard_page(page);
    mic_page_owner_clear(page);
    mic_run_free(run);
}

static uint32_t refill(mic_page_t *page, mic_word_t *word)
{
    if (ahead_of != page) ahead = 0;
    ahead_of = page;
    return mic_bits_refill(page, word, &ahead, &source);
}

static mic_block_t *take(mic_page_t *page, mic_word_t *word)
{
    mic_block_t *b = mic_bits_take(word, &rotation);
    if (b != NULL) return b;
    if (mic_page_can_extend(page)) {
        mic_bits_extend(page, 64);
    } else if (!CFG_HARDENED && ahead_of == page && ahead != 0) {
        uint32_t n = 0;
        b = mic_bits_take_next(page, word, &ahead, mic_random_next(&source), false, &n);
        if (b != NULL) return b;
    }
    if (refill(page, word) == 0) return NULL;
    return mic_bits_take(word, &rotation);
}

/* What was freed may be handed out again, in all builds. */
static void let_time_pass(mic_page_t *page)
{
    for (int i = 0; CFG_HARDENED && i < 2; i++) mic_bits_age(page);
}

/* All blocks of a page are handed out, each once, whole and with a canary; then no more. */
static void test_all_blocks(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        mic_page_t *const page = make(cls);
        mic_word_t word = {0};
        unsigned char *const seen = calloc(page->reserved, 1);
        for (uint32_t i = 0; i < page->reserved; i++) {
            mic_block_t *const b = take(page, &word);
            size_t index;
            assert_non_null(b);
            assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_OK);
            assert_int_equal(seen[index]++, 0);
            memset(b, 0x5a, mic_page_usable(page));
        }
        assert_null(take(page, &word));
        assert_int_equal(page->used, page->reserved);
        assert_int_equal(mic_bits_live_count(page), page->reserved);
        assert_true(mic_bits_is_valid(page, &word));
        assert_null(mic_bits_find_damage(page));
        free(seen);
        unmake(page);
    }
}

/* The next block of a page that is carved in part; NULL: none is free. */
static mic_block_t *take_part(mic_page_t *page, mic_word_t *word)
{
    mic_block_t *const b = mic_bits_take(word, &rotation);
    uint64_t part = b == NULL ? mic_bits_look_through_part(page) : 0;
    uint32_t n = 0;
    if (b != NULL || part == 0) return b;
    return mic_bits_take_next(page, word, &part, mic_random_next(&source), true, &n);
}

/* Wherever carving began: what is carved is handed out, each block once, and nothing else; then
   what the owner freed, not what another thread did. */
static void test_part(void **state)
{
    (void)state;
    for (unsigned cls = 0; !CFG_HARDENED && cls <= MIC_CLASS_SMALL_LAST; cls++) {
        for (uint32_t first = 0; first < 100; first += 33) {
            mic_page_t *const page = make(cls);
            mic_word_t word = {0};
            mic_block_t *last = NULL, *before = NULL;
            size_t index = 0;
            if (page->reserved <= first + 100 || mic_bits_are_few(page)) {
                unmake(page);
                continue;
            }
            page->carve_first = first;
            mic_bits_extend(page, 40);
            mic_bits_extend(page, 31);
            for (uint32_t i = 0; i < page->capacity; i++) {
                before = last;
                last = take_part(page, &word);
                assert_non_null(last);
                assert_int_equal(mic_bits_check(page, last, &index), MIC_VERDICT_OK);
                assert_in_range(index, first, first + page->capacity - 1);
                assert_true(mic_bits_is_valid(page, &word)); /* none was live already */
            }
            assert_int_equal(mic_bits_live_count(page), page->capacity);
            assert_null(take_part(page, &word));
            assert_true(mic_remote_set(page, index));
            assert_null(take_part(page, &word));
            assert_int_equal(mic_bits_check(page, before, &index), MIC_VERDICT_OK);
            (void)mic_bits_put_start(page, index);
            assert_ptr_equal(take_part(page, &word), before);
            assert_null(take_part(page, &word));
            (void)mic_remote_collect(page);
            assert_ptr_equal(take_part(page, &word), last);
            unmake(page);
        }
    }
}

/* Nothing but the exact start of a live block passes. */
static void test_check(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        mic_page_t *const page = make(cls);
        mic_word_t word = {0};
        char *const b = (char *)take(page, &word);
        size_t index;
        assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_OK);
        for (size_t at = 1; at < page->block_bytes; at = at * 3 + 1)
            assert_int_equal(mic_bits_check(page, b + at, &index), MIC_VERDICT_INNER);
        assert_int_equal(mic_bits_check(page, page->start - 1, &index), MIC_VERDICT_INNER);
        /* all others are free, whether carved or not */
        assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_OK);
        for (size_t i = 0; i < page->reserved; i++) {
            size_t other;
            if (i != index)
                assert_int_equal(mic_bits_check(page, mic_page_block(page, i), &other),
                                 MIC_VERDICT_FREE);
        }
        /* one byte behind the end */
        b[page->block_bytes - MIC_CANARY_BYTES] ^= 1;
        assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_DAMAGED);
        assert_ptr_equal(mic_bits_find_damage(page), b);
        b[page->block_bytes - MIC_CANARY_BYTES] ^= 1;
        assert_null(mic_bits_find_damage(page));
        /* freed: by another thread, then collected */
        assert_true(mic_remote_set(page, index));
        assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_FREE);
        assert_int_equal(mic_remote_collect(page), 1);
        assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_FREE);
        unmake(page);
    }
}

/* Words of free blocks are handed out one after the other; what is freed into one that was, waits
   until all were. */
static void test_words_ahead(void **state)
{
    (void)state;
    mic_page_t *const page = make(0);
    mic_word_t word = {0};
    for (uint32_t i = 0; i < page->reserved; i++) assert_non_null(take(page, &word));
    static const uint32_t words[] = {0, 1, 7, 11, 30, 31};
    enum { N = sizeof words / sizeof words[0] };
    for (unsigned round = 0; round < 100; round++) {
        for (size_t i = 0; i < N; i++)
            assert_true(
                mic_bits_try_put(page, mic_page_block(page, words[i] * 64 + round % 64), &left));
        let_time_pass(page);
        uint64_t seen = 0;
        for (size_t i = 0; i < 2 * N; i++) {
            mic_block_t *const b = take(page, &word);
            assert_non_null(b);
            size_t index;
            assert_int_equal(mic_page_locate(page, b, &index), MIC_BLOCK_START);
            const uint64_t bit = (uint64_t)1 << index / 64;
            assert_int_equal(seen & bit, 0);
            seen |= bit;
            if (i >= N) continue;
            assert_true(mic_bits_try_put(page, b, &left));
            let_time_pass(page);
            if (i == N - 1) seen = 0; /* the second time around */
        }
        assert_null(take(page, &word));
    }
    unmake(page);
}

/* The fast path's test and the slow one agree. */
static void test_try_put(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls <= MIC_CLASS_MEDIUM_LAST; cls++) {
        mic_page_t *const page = make(cls);
        mic_word_t word = {0};
        for (int i = 0; i < 8; i++) (void)take(page, &word);
        for (size_t offset = 0; offset + 8 < MIC_SLICE_BYTES; offset += 8) {
            char *const p = page->start + offset;
            size_t index;
            const uint32_t used = page->used;
            const bool legal = mic_bits_check(page, p, &index) == MIC_VERDICT_OK;
            /* what takes long to clear goes the slow way */
            const bool slow = CFG_HARDENED && mic_bits_last(page) > MIC_CLEAR_LONG;
            assert_int_equal(mic_bits_try_put(page, p, &left), legal && !slow);
            if (legal && slow) left = mic_bits_put_start(page, index);
            if (legal) assert_int_equal(left, used - 1);
            assert_int_equal(page->used, used - legal);
            assert_false(mic_bits_try_put(page, p, &left)); /* not twice */
        }
        unmake(page);
    }
}

/* Rotations begin where a run of free blocks does, reach half of it at least, and lead not far
   behind it. */
static void test_aim(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 64; from++) {
        for (unsigned n = 1; from + n <= 64; n++) {
            mic_word_t word = {0};
            mic_word_aim_at(&word, mic_bit_mask(from, n), n);
            if (CFG_HARDENED) continue;
            const unsigned reach = word.reach + 1u;
            assert_int_equal(reach & (reach - 1), 0);
            if (n >= 48) {
                assert_int_equal(word.from, 0);
                assert_int_equal(reach, 64);
                continue;
            }
            assert_int_equal(word.from, from);
            assert_true(reach * 4 <= n * 5 + 4); /* few lead beyond the last one */
            assert_true(reach * 2 >= n);         /* half of them are in reach, at least */
        }
    }
}

/* So does the test for pointers into any slice of a page. */
static void test_plain_far(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls += 5) {
        mic_page_t *const page = make(cls);
        mic_word_t word = {0};
        for (uint32_t i = 0; i < page->reserved / 2 + 1; i++) (void)take(page, &word);
        const size_t end = (size_t)page->slices << MIC_SLICE_SHIFT;
        for (size_t offset = 0; offset < end; offset += 16) {
            const char *const p = page->start - MIC_SLICE_BYTES / 2 + offset;
            size_t index;
            mic_plain_t found;
            const bool legal = mic_bits_check(page, p, &index) == MIC_VERDICT_OK;
            assert_int_equal(mic_bits_is_plain_far(page, p, &found), legal);
            if (legal) assert_int_equal(index, found.index);
        }
        unmake(page);
    }
}

/* Freed by another thread and not collected yet: the owner's free is the second one. */
static void test_remote_then_local(void **state)
{
    (void)state;
    mic_page_t *const page = make(3);
    mic_word_t word = {0};
    void *const b = take(page, &word);
    size_t index;
    assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_OK);
    assert_true(mic_remote_set(page, index));
    assert_false(mic_bits_try_put(page, b, &left));
    /* never handed out before it is collected */
    for (uint32_t i = 1; i < page->reserved; i++) assert_ptr_not_equal(take(page, &word), b);
    assert_null(take(page, &word));
    assert_int_equal(mic_remote_collect(page), 1);
    if (CFG_HARDENED) assert_null(take(page, &word));
    let_time_pass(page);
    assert_ptr_equal(take(page, &word), b);
    unmake(page);
}

/* Two threads at the same moment: the owner's bit is gone when the other's is collected. */
static void test_both_at_once(void **state)
{
    (void)state;
    mic_page_t *const page = make(3);
    mic_word_t word = {0};
    void *const keep = take(page, &word), *const b = take(page, &word);
    size_t index;
    assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_OK);
    mic_bits_put(page, index);
    assert_true(mic_remote_set(page, index));
    const uint32_t used = page->used;
    assert_null(mic_bits_freed_twice());
    assert_int_equal(mic_remote_collect(page), 0);
    assert_int_equal(page->used, used);
    assert_ptr_equal(mic_bits_freed_twice(), b);
    assert_null(mic_bits_freed_twice());
    assert_int_equal(mic_bits_check(page, keep, &index), MIC_VERDICT_OK);
    unmake(page);
}

/* A block that was handed out by a pointer into it is freed by that pointer only. */
static void test_inner(void **state)
{
    (void)state;
    mic_page_t *const page = make(20);
    mic_word_t word = {0};
    char *const b = (char *)take(page, &word), *const plain = (char *)take(page, &word);
    size_t index;
    mic_page_owner_tag(page, MIC_OWNER_INNER, 0);
    mic_bits_mark_inner(page, b, b + 24);
    for (size_t at = 0; at < page->block_bytes; at++)
        assert_int_equal(mic_bits_check(page, b + at, &index) == MIC_VERDICT_OK, at == 24);
    for (size_t at = 0; at < page->block_bytes; at++)
        assert_int_equal(mic_bits_check(page, plain + at, &index) == MIC_VERDICT_OK, at == 0);
    assert_int_equal(mic_bits_check(page, b + 24, &index), MIC_VERDICT_OK);
    mic_bits_put(page, index); /* the next one gets it by its start */
    let_time_pass(page);
    while (take(page, &word) != (mic_block_t *)(void *)b) {
    }
    assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_OK);
    unmake(page);
}

/* Large blocks lie between guards, which go with the page. */
static void test_guards(void **state)
{
    (void)state;
    mic_page_t *const page = make(MIC_CLASS_LARGE_LAST);
    fake_os_forget(); /* pages that were there before may have ended in guards */
    mic_word_t word = {0};
    while (take(page, &word) != NULL) {
    }
    assert_int_equal(fake_os_count(FAKE_OS_GUARD), page->reserved + 1);
    for (size_t i = 0; i <= page->reserved; i++) {
        const fake_os_record_t *const call = fake_os_record(FAKE_OS_GUARD, i);
        char *const expected = i == 0 ? page->start - mic_os_info.page_bytes
                                      : (char *)mic_page_block(page, i - 1) + page->block_bytes;
        assert_ptr_equal(call->address, expected);
        assert_int_equal(call->bytes, mic_os_info.page_bytes);
    }
    unmake(page);
    assert_int_equal(fake_os_count(FAKE_OS_UNGUARD), 1);
    const fake_os_record_t *const call = fake_os_last(FAKE_OS_UNGUARD);
    assert_ptr_equal(call->address, page->start - mic_os_info.page_bytes);
    assert_int_equal(call->extra, page->reserved + 1);
}

/* Which block comes next cannot be told: entropy of the distance from one to the next, and how often
   it is the neighbour. */
static void check_order(unsigned cls, int pages)
{
    enum { RANGE = 8192 };
    static unsigned counts[RANGE];
    size_t total = 0, next = 0;
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < pages; i++) {
        mic_page_t *const page = make(cls);
        mic_word_t word = {0};
        size_t before = SIZE_MAX, index;
        for (mic_block_t *b; (b = take(page, &word)) != NULL; before = index) {
            (void)mic_page_locate(page, b, &index);
            if (before == SIZE_MAX) continue;
            counts[(index - before + RANGE / 2) % RANGE]++;
            next += index == before + 1;
            total++;
        }
        unmake(page);
    }
    double entropy = 0;
    for (size_t i = 0; i < RANGE; i++) {
        const double p = (double)counts[i] / (double)total;
        if (counts[i] != 0) entropy -= p * __builtin_log2(p);
    }
    if (entropy < 4.5 || next * 10 > total)
        fail_msg("class %u: entropy %.2f bits, the next one in %zu of %zu", cls, entropy, next,
                 total);
}

static void test_order(void **state)
{
    (void)state;
    check_order(3, 200);
    if (!CFG_HARDENED) check_order(mic_class_of((size_t)16 * MIC_KIB), 1000);
}

/* Of a short run of larger blocks a part is handed out, half of it or so, of others all. */
static void test_thin(void **state)
{
    (void)state;
    enum { LEAST = 6, ROUNDS = 200 };
    mic_page_t *const page = make(mic_class_of(1000));
    for (unsigned n = 1; n <= MIC_THIN_MOST; n++) {
        const uint64_t run = mic_bit_mask(n % 13, n);
        unsigned handed = 0, beside = 0;
        for (int i = 0; i < ROUNDS; i++) {
            const uint64_t some = mic_bits_thin(page, run, n, &source);
            assert_true(some != 0);
            assert_int_equal(some & ~run, 0);
            handed += mic_bit_count(some);
            beside += mic_bit_count(some & some >> 1);
        }
        if (n < LEAST) {
            assert_int_equal(handed, n * ROUNDS);
        } else {
            assert_in_range(handed, n * ROUNDS / 3, n * ROUNDS * 3 / 5);
            assert_true(beside * 3 < handed);
        }
    }
    unmake(page);
}

static uint32_t count_fresh(const mic_page_t *page)
{
    return mic_bit_count(mic_load_relaxed(mic_bits_fresh_of(page)));
}

/* Medium blocks that nobody had are not written to; two blocks that take turns are enough for who
   uses one at a time. */
static void test_fresh(void **state)
{
    (void)state;
    if (CFG_HARDENED) skip();
    for (unsigned cls = MIC_CLASS_SMALL_LAST + 1; cls <= MIC_CLASS_MEDIUM_LAST; cls++) {
        mic_page_t *const page = make(cls);
        mic_word_t word = {0};
        mic_block_t *before = NULL;
        for (int i = 0; i < 100; i++) {
            mic_block_t *const b = take(page, &word);
            assert_ptr_not_equal(b, before);
            size_t index;
            assert_int_equal(mic_bits_check(page, b, &index), MIC_VERDICT_OK);
            (void)mic_bits_put(page, index);
            before = b;
        }
        assert_int_equal(count_fresh(page), page->reserved - 2);
        for (uint32_t i = 2; i < page->reserved; i++) (void)take(page, &word);
        assert_true(count_fresh(page) <= 2);
        while (take(page, &word) != NULL) {
        }
        assert_int_equal(count_fresh(page), 0);
        assert_int_equal(mic_bits_live_count(page), page->reserved);
        assert_null(mic_bits_find_damage(page));
        unmake(page);
    }
}

/* A random walk with the laws checked after each step. */
static void test_walk(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls += 3) {
        mic_page_t *const page = make(cls);
        void **const live = calloc(page->reserved, sizeof *live);
        size_t lives = 0;
        mic_word_t word = {0};
        uint32_t seed = cls * 7919 + 1;
        for (int step = 0; step < 3000; step++) {
            seed = seed * 1664525u + 1013904223u;
            const unsigned dice = seed >> 24;
            size_t index;
            if (dice < 110) {
                void *const b = take(page, &word);
                if (b != NULL) live[lives++] = b;
            } else if (dice < 235 && lives > 0) {
                const size_t i = (seed >> 4) % lives;
                assert_int_equal(mic_bits_check(page, live[i], &index), MIC_VERDICT_OK);
                if (dice < 190) {
                    mic_bits_put(page, index);
                } else {
                    assert_true(mic_remote_set(page, index));
                    assert_int_equal(mic_remote_collect(page), 1);
                }
                live[i] = live[--lives];
            } else if (dice >= 235) {
                mic_bits_give_back(page, &word);
            }
            assert_true(mic_bits_is_valid(page, &word));
            assert_int_equal(page->used, lives + mic_bit_count(word.bits));
            assert_int_equal(mic_bits_live_count(page), lives);
        }
        free(live);
        unmake(page);
    }
}

static void clear(void *block, size_t last)
{
    last > MIC_CLEAR_LONG ? mic_bits_clear_long(block, last) : mic_bits_clear(block, last);
}
static bool is_clear(const void *block, size_t last)
{
    return last > MIC_LOOK_LONG ? mic_bits_is_clear_long(block, last)
                                : mic_bits_is_clear(block, last);
}

/* Clearing reaches each of the user's bytes and no other; looking sees each of them and no other.
   Sizes of all small classes, and those between. */
static void test_clear(void **state)
{
    (void)state;
    enum { BEFORE = 64, SIZE_MAX_TRIED = 2048 };
    static mic_aligned(64) unsigned char bytes[BEFORE + SIZE_MAX_TRIED + 64];
    unsigned char *const block = bytes + BEFORE;
    for (size_t usable = 8; usable <= SIZE_MAX_TRIED; usable += 16) {
        const size_t last = usable - 8;
        memset(bytes, 0xa5, sizeof bytes);
        clear(block, last);
        for (size_t i = 0; i < sizeof bytes; i++) {
            const bool inside = i >= BEFORE && i < BEFORE + usable;
            assert_int_equal(bytes[i], inside ? 0 : 0xa5);
        }
        assert_true(is_clear(block, last));
        for (size_t i = 0; i < usable; i++) {
            block[i] = 1;
            assert_false(is_clear(block, last));
            assert_false(mic_bits_is_clear(block, last));
            block[i] = 0;
        }
    }
}

/* Of a large block what the system does not hold in memory is not fetched; all else is looked at. */
static void test_clear_large(void **state)
{
    (void)state;
    enum { BYTES = 256 * 1024, STEP = 5000 };
    static mic_aligned(65536) unsigned char block[BYTES];
    const size_t usable = BYTES - MIC_CANARY_BYTES, last = (usable - 8) | MIC_LAST_LARGE;
    assert_true(mic_bits_is_clear_large(block, last));
    for (size_t i = 0; i < usable; i += STEP) {
        block[i] = 1;
        assert_false(mic_bits_is_clear_large(block, last));
        block[i] = 0;
    }
    fake_os_settings.nothing_resident = true;
    block[1] = 1;
    assert_true(mic_bits_is_clear_large(block, last));
    block[usable - 1] = 1; /* the last OS page has the canary: it is there */
    assert_false(mic_bits_is_clear_large(block, last));
    fake_os_settings.nothing_resident = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_blocks),   cmocka_unit_test(test_check),
        cmocka_unit_test(test_try_put),      cmocka_unit_test(test_remote_then_local),
        cmocka_unit_test(test_both_at_once), cmocka_unit_test(test_inner),
        cmocka_unit_test(test_aim),          cmocka_unit_test(test_plain_far),
        cmocka_unit_test(test_guards),       cmocka_unit_test(test_order),
        cmocka_unit_test(test_walk),         cmocka_unit_test(test_clear),
        cmocka_unit_test(test_clear_large),  cmocka_unit_test(test_words_ahead),
        cmocka_unit_test(test_fresh),        cmocka_unit_test(test_part),
        cmocka_unit_test(test_thin),
    };
    if (!CFG_BITS) return 77;
    if (!mic_process_start()) return 1;
    mic_random_seed(&source);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
