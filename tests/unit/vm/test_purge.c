/* fake-os */
/* Giving memory back: when, how much, and what the slices read as afterwards. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_os.h"
#include "heap/thread.h"
#include "rt/options.h"
#include "vm/vm_internal.h"

static int setup(void **state)
{
    (void)state;
    mic_purge_run(true);
    fake_os_reset();
    mic_option_set(MIC_OPTION_PURGE_DELAY, 10);
    mic_option_set(MIC_OPTION_PURGE_DECOMMITS, 1);
    mic_option_set(MIC_OPTION_ARENA_PURGE_MULT, 1);
    mic_option_set(MIC_OPTION_MINIMAL_PURGE_SIZE, 0);
    mic_option_set(MIC_OPTION_ALLOW_THP, 1);
    return 0;
}

/* as the page layer does it: used, so nothing is known about the contents */
static void give(mic_run_t run)
{
    run.zero = false;
    mic_run_free(run);
}

/* some runs end in a guard */
static size_t bytes_of(mic_run_t run)
{
    return ((size_t)run.count << MIC_SLICE_SHIFT) - mic_arena_end_bytes(run.arena);
}

static mic_run_t take(unsigned kind, size_t count)
{
    mic_run_t r;
    assert_true(mic_run_alloc(kind, count, 1, &mic_place_any, &r));
    memset(mic_run_start(r), 0x5a, bytes_of(r));
    return r;
}

/* the same slices again; are they known to be zero, and are they? */
static bool again_zero(mic_run_t r, unsigned kind)
{
    mic_run_t again;
    assert_true(mic_run_alloc(kind, r.count, 1, &mic_place_any, &again));
    assert_int_equal(again.slice, r.slice);
    const char *const p = mic_run_start(again);
    bool zero = true;
    for (size_t i = 0; i < bytes_of(again); i += 32) zero = zero && p[i] == 0;
    if (again.zero) assert_true(zero);
    const bool known = again.zero;
    memset(mic_run_start(again), 0x5a, bytes_of(again));
    give(again);
    return known;
}

static void test_delay(void **state)
{
    (void)state;
    const mic_run_t r = take(0, 1);
    give(r);
    mic_purge_run(false);
    fake_os_advance_clock_ms(9);
    mic_purge_run(false);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 0);
    fake_os_advance_clock_ms(1);
    mic_purge_run(false);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);
    assert_ptr_equal(fake_os_last(FAKE_OS_PURGE)->address, mic_run_start(r));
    assert_int_equal(fake_os_last(FAKE_OS_PURGE)->bytes, MIC_SLICE_BYTES);
    fake_os_advance_clock_ms(1000); /* nothing is left to do */
    mic_purge_run(false);
    mic_purge_run(true);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);
    assert_true(again_zero(r, 0));
}

static void test_delay_is_multiplied(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_ARENA_PURGE_MULT, 3);
    give(take(0, 1));
    fake_os_advance_clock_ms(29);
    mic_purge_run(false);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 0);
    fake_os_advance_clock_ms(1);
    mic_purge_run(false);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);
    mic_option_set(MIC_OPTION_ARENA_PURGE_MULT, 0);
    give(take(0, 1)); /* at once */
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 2);
    static const long never[] = {-1, LONG_MAX};
    for (size_t i = 0; i < 2; i++) {
        mic_option_set(MIC_OPTION_ARENA_PURGE_MULT, never[i]);
        give(take(0, 1));
        fake_os_advance_clock_ms(1000000);
        mic_purge_run(false);
        assert_int_equal(fake_os_count(FAKE_OS_PURGE), 2);
    }
    mic_option_set(MIC_OPTION_ARENA_PURGE_MULT, 1);
    give(take(0, 1)); /* so that the next test finds nothing due */
}

static void check_least(size_t too_short, size_t long_enough)
{
    give(take(MIC_PAGE_KINDS - 1, too_short));
    fake_os_advance_clock_ms(20);
    mic_purge_run(false);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 0);
    mic_purge_run(true); /* forced: all of it */
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);
    give(take(MIC_PAGE_KINDS - 1, long_enough));
    fake_os_advance_clock_ms(20);
    mic_purge_run(false);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 2);
}

static void test_short_runs_wait(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_MINIMAL_PURGE_SIZE, 512);
    check_least(1, 512 * MIC_KIB >> MIC_SLICE_SHIFT);
}

static void test_huge_pages_are_purged_whole(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_ALLOW_THP, 2);
    check_least(8, 2 * MIC_MIB >> MIC_SLICE_SHIFT);
}

static void test_force(void **state)
{
    (void)state;
    const mic_run_t r = take(1, 8);
    give(r);
    mic_purge_run(true);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);
    assert_int_equal(fake_os_last(FAKE_OS_PURGE)->bytes, 8 * MIC_SLICE_BYTES);
    assert_true(again_zero(r, 1));
}

static void test_at_once(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_PURGE_DELAY, 0);
    const mic_run_t r = take(0, 1);
    give(r);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);
    assert_true(again_zero(r, 0));
}

static void test_never(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_PURGE_DELAY, -1);
    const mic_run_t r = take(0, 1);
    give(r);
    fake_os_advance_clock_ms(1000000);
    mic_purge_run(false);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 0);
    assert_false(again_zero(r, 0));
}

/* Neighbours go back with one call, what is in use between them stays. */
static void test_runs(void **state)
{
    (void)state;
    mic_run_t r[8];
    for (size_t i = 0; i < 8; i++) r[i] = take(0, 1);
    for (size_t i = 1; i < 8; i++) assert_int_equal(r[i].slice, r[0].slice + i);
    for (size_t i = 0; i < 8; i++)
        if (i != 3) give(r[i]);
    mic_purge_run(true);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 2);
    assert_int_equal(fake_os_record(FAKE_OS_PURGE, 0)->bytes, 3 * MIC_SLICE_BYTES);
    assert_int_equal(fake_os_record(FAKE_OS_PURGE, 1)->bytes, 4 * MIC_SLICE_BYTES);
    assert_int_equal(*mic_run_start(r[3]), 0x5a);
    give(r[3]);
}

/* Used again and freed again before it is due: the due time does not slip away. */
static void test_busy_segment(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        const mic_run_t r = take(0, 1);
        fake_os_advance_clock_ms(1);
        give(r);
        mic_purge_run(false);
    }
    assert_true(fake_os_count(FAKE_OS_PURGE) >= 2);
    assert_true(fake_os_count(FAKE_OS_PURGE) <= 4);
}

/* Locked memory: not purged, not zero, no retry, no error for anybody. */
static void test_refused(void **state)
{
    (void)state;
    const mic_run_t r = take(0, 1);
    give(r);
    const uint64_t purged = mic_load_relaxed(&mic_vm_counts.purged_bytes);
    fake_os_fail(FAKE_OS_PURGE, 1, EINVAL, true);
    mic_purge_run(true);
    mic_purge_run(true);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);
    assert_int_equal(mic_load_relaxed(&mic_vm_counts.purged_bytes), purged);
    assert_false(again_zero(r, 0));
}

static void test_lazy(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_PURGE_DECOMMITS, 0);
    const mic_run_t r = take(2, 64); /* without a guard at its end: the fake writes to all of it */
    give(r);
    mic_purge_run(true);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 0);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE_LAZY), 1);
    assert_false(again_zero(r, 2));
}

/* Spans over several segments, and a tail that is known to be zero, which needs no call. */
static void test_spans(void **state)
{
    (void)state;
    mic_run_t r = take(MIC_PAGE_KINDS - 1, 1200);
    give(r);
    mic_purge_run(true);
    size_t bytes = 0;
    for (size_t i = 0; i < fake_os_count(FAKE_OS_PURGE); i++)
        bytes += fake_os_record(FAKE_OS_PURGE, i)->bytes;
    assert_int_equal(bytes, (size_t)1200 << MIC_SLICE_SHIFT);
    r = take(MIC_PAGE_KINDS - 1, 1200);
    assert_int_equal(mic_os_purge(mic_run_start(r), (size_t)1200 << MIC_SLICE_SHIFT), 0);
    r.zero = true;
    mic_run_free(r);
    fake_os_forget();
    mic_purge_run(true);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 0);
    assert_true(again_zero(r, MIC_PAGE_KINDS - 1));
}

/* Where commits are charged a wholly free segment gives its charge back; when that is refused it is
   purged, and the next forced purge tries again. */
static void test_charged(void **state)
{
    (void)state;
    fake_os_strict_overcommit = true;
    const mic_run_t kept = take(0, 1), beside = take(0, 1);
    give(beside);
    mic_purge_run(true);
    assert_int_equal(fake_os_count(FAKE_OS_DECOMMIT), 0);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);

    const mic_run_t r = take(MIC_PAGE_KINDS - 1, MIC_SEGMENT_SLICES);
    give(r);
    fake_os_forget();
    fake_os_fail(FAKE_OS_DECOMMIT, 1, ENOMEM, true);
    mic_purge_run(true);
    assert_int_equal(fake_os_count(FAKE_OS_DECOMMIT), 1);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);
    assert_int_equal(fake_os_last(FAKE_OS_PURGE)->bytes, MIC_SEGMENT_BYTES);

    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fake_os_forget();
    const size_t committed = fake_os_committed_bytes();
    const uint64_t counted = mic_load_relaxed(&mic_vm_counts.committed_bytes);
    mic_purge_run(true);
    assert_int_equal(fake_os_count(FAKE_OS_DECOMMIT), 1);
    assert_int_equal(fake_os_committed_bytes(), committed - MIC_SEGMENT_BYTES);
    assert_int_equal(mic_load_relaxed(&mic_vm_counts.committed_bytes), counted - MIC_SEGMENT_BYTES);
    assert_true(again_zero(r, MIC_PAGE_KINDS - 1));
    fake_os_strict_overcommit = false;
    give(kept);
}

/* The delay may change while something waits. */
static void test_shorter_delay(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_PURGE_DELAY, 1000000);
    const mic_run_t r = take(0, 1);
    give(r);
    mic_option_set(MIC_OPTION_PURGE_DELAY, 5);
    const mic_run_t s = take(0, 1);
    give(s);
    fake_os_advance_clock_ms(6);
    mic_purge_run(false);
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 1);
}

static size_t held(void)
{
    size_t n = 0;
    for (uint32_t i = 0; i < mic_load_relaxed(&mic_arena_count); i++)
        for (size_t k = 0; k < mic_load_relaxed(&mic_arenas[i].opened); k++)
            for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++)
                n += mic_bit_count(mic_load_relaxed(&mic_arenas[i].segments[k].dirty[w]));
    assert_int_equal(mic_load_relaxed(&mic_vm_counts.dirty_slices), n);
    return n;
}

/* Fresh memory of one kind makes free memory of another kind go, some of it, and not too often. */
static void test_relieve(void **state)
{
    (void)state;
    enum { N = 64 };
    mic_run_t small[N], medium[2];
    mic_option_set(MIC_OPTION_PURGE_DELAY, 1000000);
    fake_os_advance_clock_ms(1000000);
    const size_t before = held();
    for (size_t i = 0; i < N; i++) small[i] = take(0, 1);
    for (size_t i = 0; i < N; i++) give(small[i]);
    assert_int_equal(held(), before + N);
    for (size_t i = 0; i < 2; i++) {
        fake_os_forget();
        medium[i] = take(1, 8);
        assert_true(fake_os_count(FAKE_OS_PURGE) > 0);
        assert_true(held() <= before + (i + 1) * 8 + N * 3 / 4);
        const size_t then = held();
        const mic_run_t other = take(1, 8);
        assert_int_equal(held(), then + 8);
        give(other);
        mic_purge_run(true);
        for (size_t k = 0; k < N; k++) small[k] = take(0, 1);
        for (size_t k = 0; k < N; k++) give(small[k]);
        fake_os_advance_clock_ms(1000);
    }
    give(medium[0]);
    give(medium[1]);
}

/* More than ever is about to be held: it does not matter how long ago the last time was. */
static void test_relieve_at_peak(void **state)
{
    (void)state;
    enum { N = 16 };
    const size_t size = MIC_SEGMENT_SLICES * 3 / 8; /* two in a segment */
    mic_option_set(MIC_OPTION_PURGE_DELAY, 1000000);
    mic_run_t span[N];
    for (size_t i = 0; i < N; i++)
        assert_true(mic_run_alloc(MIC_PAGE_KINDS - 1, size, 1, &mic_place_any, &span[i]));
    const size_t peak = held();
    for (size_t i = 1; i < N; i += 2) give(span[i]); /* no segment becomes another kind's */
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 0);
    const mic_run_t other = take(1, 8);
    assert_true(fake_os_count(FAKE_OS_PURGE) > 0);
    assert_true(held() <= peak + 8 - N / 2 * size / 4);
    give(other);
    for (size_t i = 0; i < N; i += 2) give(span[i]);
}

static void test_relieve_never(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_PURGE_DELAY, -1);
    fake_os_advance_clock_ms(1000000);
    mic_run_t small[64];
    for (size_t i = 0; i < 64; i++) small[i] = take(0, 1);
    for (size_t i = 0; i < 64; i++) give(small[i]);
    give(take(1, 8));
    assert_int_equal(fake_os_count(FAKE_OS_PURGE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_delay, setup),
        cmocka_unit_test_setup(test_delay_is_multiplied, setup),
        cmocka_unit_test_setup(test_short_runs_wait, setup),
        cmocka_unit_test_setup(test_huge_pages_are_purged_whole, setup),
        cmocka_unit_test_setup(test_force, setup),
        cmocka_unit_test_setup(test_at_once, setup),
        cmocka_unit_test_setup(test_never, setup),
        cmocka_unit_test_setup(test_runs, setup),
        cmocka_unit_test_setup(test_busy_segment, setup),
        cmocka_unit_test_setup(test_refused, setup),
        cmocka_unit_test_setup(test_lazy, setup),
        cmocka_unit_test_setup(test_spans, setup),
        cmocka_unit_test_setup(test_charged, setup),
        cmocka_unit_test_setup(test_shorter_delay, setup),
        cmocka_unit_test_setup(test_relieve_at_peak, setup),
        cmocka_unit_test_setup(test_relieve, setup),
        cmocka_unit_test_setup(test_relieve_never, setup),
    };
    if (!mic_process_start()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
