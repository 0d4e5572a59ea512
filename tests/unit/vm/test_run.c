/* fake-os */
/* Claiming and freeing runs: sizes, alignment, several segments, exhaustion, failures of the
   system, and what is known to be zero. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_os.h"
#include "fresh_process.h"
#include "heap/thread.h"
#include "vm/vm_internal.h"

#define IN_SEGMENT ((uint32_t)MIC_SEGMENT_SLICES)

#define SPAN (MIC_PAGE_KINDS - 1)

static uint64_t used(void) { return mic_load_relaxed(&mic_vm_counts.used_slices); }
static void limit_reserve(long bytes) { fake_os_settings.reserve_limit = (size_t)bytes; }

/* as the page layer does it: used, so nothing is known about the contents */
static void give(mic_run_t run)
{
    run.zero = false;
    mic_run_free(run);
}

static bool overlap(mic_run_t a, mic_run_t b)
{
    return a.arena == b.arena && a.slice < b.slice + b.count && b.slice < a.slice + a.count;
}

/* some runs end in a guard */
static size_t last_byte(mic_run_t run)
{
    return MIC_SLICE_BYTES - mic_arena_end_bytes(run.arena) - 1;
}

static void touch(mic_run_t run)
{
    for (size_t i = 0; i < run.count; i++) {
        char *const p = mic_run_start(run) + (i << MIC_SLICE_SHIFT);
        p[0] = p[last_byte(run)] = 1;
    }
}

static void require_zero(mic_run_t run)
{
    for (size_t i = 0; i < run.count; i++) {
        const char *const p = mic_run_start(run) + (i << MIC_SLICE_SHIFT);
        for (size_t k = 0; k < last_byte(run); k += 64) fresh_require(p[k] == 0);
        fresh_require(p[last_byte(run)] == 0);
    }
}

/* ---- one-word runs ---- */

static void run_words(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    static const size_t counts[3] = {1, 8, 64};
    static mic_run_t runs[3][40];
    const uint64_t before = used();
    for (unsigned k = 0; k < 3; k++) {
        for (size_t i = 0; i < 40; i++) {
            mic_run_t *const r = &runs[k][i];
            fresh_require(mic_run_alloc(k, counts[k], 1, &mic_place_any, r));
            fresh_require(r->count == counts[k] && r->slice % counts[k] == 0);
            fresh_require(r->slice / 64 == (r->slice + r->count - 1) / 64);
            fresh_require(r->zero);
            require_zero(*r);
            touch(*r);
        }
    }
    for (size_t a = 0; a < 120; a++)
        for (size_t b = 0; b < a; b++)
            fresh_require(!overlap(runs[a / 40][a % 40], runs[b / 40][b % 40]));
    fresh_require(used() == before + 40 * 73);
    /* kinds are kept apart by segment */
    for (size_t i = 0; i < 40; i++)
        for (size_t j = 0; j < 40; j++)
            fresh_require(runs[0][i].slice / IN_SEGMENT != runs[1][j].slice / IN_SEGMENT);
    /* lowest addresses first: a hole is filled at once */
    for (size_t i = 3; i < 40; i += 7) {
        const mic_run_t hole = runs[0][i];
        give(hole);
        fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &runs[0][i]));
        fresh_require(runs[0][i].slice == hole.slice);
        fresh_require(!runs[0][i].zero); /* was handed out and not purged */
    }
    for (size_t i = 0; i < 120; i++) give(runs[i / 40][i % 40]);
    fresh_require(used() == before);
    /* of any length to eight: in one word, and lowest addresses first here too */
    for (size_t i = 0; i < 40; i++) {
        fresh_require(mic_run_alloc(2, 1 + i % 8, 1, &mic_place_any, &runs[2][i]));
        fresh_require(runs[2][i].count == 1 + i % 8);
        fresh_require(runs[2][i].slice / 64 == (runs[2][i].slice + i % 8) / 64);
        for (size_t j = 0; j < i; j++) fresh_require(!overlap(runs[2][i], runs[2][j]));
    }
    const mic_run_t seven = runs[2][6];
    give(seven);
    for (size_t i = 0; i < 2; i++) {
        fresh_require(mic_run_alloc(2, 3, 1, &mic_place_any, &runs[0][i]));
        fresh_require(overlap(runs[0][i], seven));
    }
    for (size_t i = 0; i < 40; i++)
        if (i != 6) give(runs[2][i]);
    for (size_t i = 0; i < 2; i++) give(runs[0][i]);
    fresh_require(used() == before);
}
static void test_words(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("words", 0), 0);
}

/* ---- spans ---- */

static void run_spans(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    static const size_t counts[] = {1,
                                    2,
                                    9,
                                    63,
                                    64,
                                    65,
                                    IN_SEGMENT - 12,
                                    IN_SEGMENT - 1,
                                    IN_SEGMENT,
                                    IN_SEGMENT + 1,
                                    2 * IN_SEGMENT - 24,
                                    2 * IN_SEGMENT,
                                    3 * IN_SEGMENT - 36,
                                    10 * IN_SEGMENT - 120};
    static const size_t aligns[] = {1, 2, 16, 64, IN_SEGMENT, 2 * IN_SEGMENT, 8 * IN_SEGMENT};
    enum { COUNTS = sizeof counts / sizeof counts[0], ALIGNS = sizeof aligns / sizeof aligns[0] };
    static mic_run_t runs[COUNTS * ALIGNS];
    const uint64_t before = used();
    size_t n = 0;
    uint64_t sum = 0;
    for (size_t c = 0; c < COUNTS; c++) {
        for (size_t a = 0; a < ALIGNS; a++) {
            mic_run_t *const r = &runs[n++];
            fresh_require(mic_run_alloc(SPAN, counts[c], aligns[a], &mic_place_any, r));
            fresh_require(r->count == counts[c] && r->zero);
            fresh_require(((uintptr_t)mic_run_start(*r) & ((aligns[a] << MIC_SLICE_SHIFT) - 1)) ==
                          0);
            touch(*r);
            sum += counts[c];
        }
    }
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < a; b++) fresh_require(!overlap(runs[a], runs[b]));
    fresh_require(used() == before + sum);
    const size_t committed = fake_os_committed_bytes();
    for (int round = 0; round < 2; round++) { /* everything is found again */
        for (size_t i = 0; i < n; i++) give(runs[i]);
        fresh_require(used() == before);
        for (size_t i = 0; i < n; i++)
            fresh_require(mic_run_alloc(SPAN, counts[i / ALIGNS], aligns[i % ALIGNS],
                                        &mic_place_any, &runs[i]));
    }
    fresh_require(fake_os_committed_bytes() <= committed + committed / 2);
    for (size_t i = 0; i < n; i++) give(runs[i]);
    mic_purge_run(true);
    fresh_require(mic_run_alloc(SPAN, 5000, 1, &mic_place_any, &runs[0]));
    fresh_require(runs[0].zero);
    require_zero(runs[0]);
}
static void test_spans(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("spans", 0), 0);
}

/* ---- growing and shrinking in place ---- */

static void run_grow(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    mic_run_t r;
    bool zero;
    const uint64_t before = used();
    fresh_require(mic_run_alloc_room(20, 5, &mic_place_any, &r));
    fresh_require(r.slice % IN_SEGMENT == 5 && r.count == 20 && r.zero);
    touch(r);
    for (size_t count = 30; count <= 500; count += 47) {
        fresh_require(mic_run_grow(r, count, &zero));
        fresh_require(zero);
        const mic_run_t tail = {
            .slice = r.slice + r.count, .count = (uint32_t)count - r.count, .arena = r.arena};
        require_zero(tail);
        touch(tail);
        r.count = (uint32_t)count;
        fresh_require(used() == before + count);
    }
    /* something in the way */
    mic_run_t other, next;
    fresh_require(mic_run_alloc(SPAN, IN_SEGMENT, IN_SEGMENT, &mic_place_any, &other));
    fresh_require(mic_run_alloc_room(IN_SEGMENT, 0, &mic_place_any, &next));
    if (next.slice == r.slice / IN_SEGMENT * IN_SEGMENT + IN_SEGMENT)
        fresh_require(!mic_run_grow(r, IN_SEGMENT + 88, &zero));
    /* the tail back, and again: dirty now */
    mic_run_t tail = r;
    tail.slice += 100;
    tail.count -= 100;
    tail.zero = false;
    give(tail);
    r.count = 100;
    fresh_require(mic_run_grow(r, 150, &zero));
    fresh_require(!zero);
    r.count = 150;
    /* a tail that reads as zero stays known as such */
    tail = r;
    tail.slice += 100;
    tail.count = 50;
    fresh_require(mic_os_purge(mic_run_start(tail), (size_t)50 << MIC_SLICE_SHIFT) == 0);
    tail.zero = true;
    mic_run_free(tail);
    r.count = 100;
    fresh_require(mic_run_grow(r, 150, &zero) && zero);
    r.count = 150;
    /* a failing commit gives everything back */
    const uint64_t now = used();
    mic_run_t fresh;
    fresh_require(mic_run_alloc_room(16, 0, &mic_place_any, &fresh));
    fake_os_fail(FAKE_OS_COMMIT, 1, ENOMEM, true);
    fresh_require(!mic_run_grow(fresh, IN_SEGMENT + 88, &zero));
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fresh_require(used() == now + 16);
    fresh_require(mic_run_grow(fresh, IN_SEGMENT + 88, &zero) && zero);
    fresh.count = IN_SEGMENT + 88;
    give(fresh);
    give(r);
    give(other);
    give(next);
    fresh_require(used() == before);
}
/* The shortest run that suffices and was used before, wherever it is; else the lowest. */
static void run_best(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    static const size_t counts[6] = {10, 1, 5, 1, 7, 1};
    mic_run_t runs[6], short_run, next, rest;
    for (size_t i = 0; i < 6; i++)
        fresh_require(mic_run_alloc(MIC_SPAN_KIND, counts[i], 1, &mic_place_any, &runs[i]));
    const uint32_t start = runs[0].slice;
    for (size_t i = 0; i < 6; i += 2) give(runs[i]);
    fresh_require(mic_run_alloc(MIC_SPAN_KIND, 4, 1, &mic_place_any, &short_run));
    fresh_require(short_run.slice == start + 11 && !short_run.zero);
    fresh_require(mic_run_alloc(MIC_SPAN_KIND, 6, 1, &mic_place_any, &next));
    fresh_require(next.slice == start + 17 && !next.zero);
    mic_purge_run(true); /* what is clean has no advantage */
    fresh_require(mic_run_alloc(MIC_SPAN_KIND, 1, 1, &mic_place_any, &rest));
    fresh_require(rest.slice == start && rest.zero);
}

static void test_best(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("best", 0), 0);
}

static void test_grow(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("grow", 0), 0);
}

/* ---- exhaustion ---- */

/* Everything that can be reserved is used up; all of it comes back. */
static void run_exhaust(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    static const size_t counts[4] = {1, 8, 64, 100};
    fresh_require(mic_load_relaxed(&mic_arena_count) == 1);
    fake_os_fail(FAKE_OS_RESERVE, 1, ENOMEM, true); /* no further arenas */
    const size_t slices = mic_arenas[0].slice_count;
    const uint64_t before = used();
    static mic_run_t runs[2 * IN_SEGMENT];
    for (unsigned kind = 0; kind < 4; kind++) {
        size_t n[2], sum[2];
        for (int round = 0; round < 2; round++) {
            n[round] = sum[round] = 0;
            while (mic_run_alloc(kind, counts[kind], 1, &mic_place_any, &runs[n[round]])) {
                touch(runs[n[round]]);
                sum[round] += runs[n[round]++].count;
            }
            for (size_t i = 0; i < n[round]; i++) give(runs[i]);
            fresh_require(used() == before);
        }
        fresh_require(n[0] == n[1]);
        fresh_require(sum[0] >= slices / 10 * 7 || slices < counts[kind]);
        if (kind < 3) fresh_require(sum[0] == slices);
    }
    /* a single slice in each segment of one kind leaves room for the others */
    mic_run_t one;
    fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &one));
    size_t n = 0;
    while (mic_run_alloc(2, 64, 1, &mic_place_any, &runs[n])) n++;
    fresh_require(n * 64 + 64 == slices);
    for (size_t i = 0; i < n; i++) give(runs[i]);
    give(one);
    fresh_require(used() == before);
}
static void test_exhaust(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("exhaust", 2 * MIC_SEGMENT_BYTES), 0);
    assert_int_equal(fresh_run("exhaust", 4 * MIC_MIB), 0);
}

/* ---- the n-th call fails ---- */

static void run_failures(long error)
{
    fresh_require(mic_process_start());
    static const size_t counts[] = {1, 8, 64, 1, 100, 512, 1300};
    static const unsigned kinds[] = {0, 1, 2, 3, 3, 3, 3};
    for (size_t c = 0; c < 7; c++) {
        for (int all = 0; all < 2; all++) {
            for (size_t n = 1; n < 30; n++) {
                /* until nothing of what is committed is free, so that the system is asked */
                static mic_run_t held[3000];
                size_t holds = 0;
                while (holds < 600 / counts[c] + 1)
                    fresh_require(
                        mic_run_alloc(kinds[c], counts[c], 1, &mic_place_any, &held[holds++]));
                const uint64_t before = used();
                mic_run_t r;
                fake_os_fail(FAKE_OS_ANY, n, (int)error, all != 0);
                const bool ok = mic_run_alloc(kinds[c], counts[c], 1, &mic_place_any, &r);
                const size_t failures = fake_os_failures();
                fake_os_fail(FAKE_OS_ANY, 0, 0, false);
                if (ok) {
                    touch(r);
                    give(r);
                }
                fresh_require(used() == before);
                fresh_require(mic_run_alloc(kinds[c], counts[c], 1, &mic_place_any, &r));
                if (r.zero) require_zero(r);
                touch(r);
                give(r);
                while (holds > 0) give(held[--holds]);
                if (failures == 0) break;
            }
        }
    }
}
static void test_failures(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("failures", ENOMEM), 0);
    assert_int_equal(fresh_run("failures", EAGAIN), 0);
}

/* A span that cannot be committed as a whole is given back with what is known about its slices. */
static void run_failed_span(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    mic_run_t far, whole;
    fresh_require(mic_run_alloc(SPAN, 512, 8192, &mic_place_any,
                                &far)); /* skips segments: opened, not committed */
    if (far.slice == 0) {
        mic_run_t next;
        fresh_require(mic_run_alloc(SPAN, 512, 8192, &mic_place_any, &next));
        far = next;
    }
    memset(mic_run_start(far), 0x5a, (size_t)far.count << MIC_SLICE_SHIFT);
    give(far);
    const size_t count = far.slice + 512;
    fake_os_fail(FAKE_OS_COMMIT, 1, ENOMEM, true);
    fresh_require(!mic_run_alloc(SPAN, count, 1, &mic_place_any, &whole));
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fresh_require(mic_run_alloc(SPAN, 512, 8192, &mic_place_any, &whole));
    fresh_require(whole.slice == far.slice);
    if (whole.zero) require_zero(whole);
}
static void test_failed_span(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("failed_span", 0), 0);
}

const fresh_case_t fresh_cases[] = {
    {"failed_span", NULL, run_failed_span},
    {"words", NULL, run_words},
    {"spans", NULL, run_spans},
    {"best", NULL, run_best},
    {"grow", NULL, run_grow},
    {"exhaust", limit_reserve, run_exhaust},
    {"failures", NULL, run_failures},
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    if (argc > 1) return fresh_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),       cmocka_unit_test(test_spans),
        cmocka_unit_test(test_best),        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_exhaust),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_failed_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
