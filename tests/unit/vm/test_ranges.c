/* fake-os */
/* Hardened build: slices that served a size class serve no other, where each class begins is drawn
   at random, and with little address space classes share rather than go without. */
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
#include "page/page.h"
#include "vm/program.h"
#include "vm/vm_internal.h"

#define SPAN MIC_SPAN_KIND

static uint64_t seed = 1;
static size_t below(size_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((seed >> 33) * n >> 31);
}

static bool take(unsigned cls, const mic_place_t *place, mic_run_t *run)
{
    if (cls == MIC_CLASS_SPAN) return mic_run_alloc(SPAN, 1 + below(700), 1, place, run);
    return mic_run_alloc(mic_run_kind(mic_page_kind_of_class(cls), cls),
                         mic_page_slices_of_class(cls), 1, place, run);
}

static void give(mic_run_t run)
{
    run.zero = false;
    mic_run_free(run);
}

/* Classes of one range of arena 0, and spans. */
static unsigned range_of(unsigned cls)
{
    if (cls == MIC_CLASS_SPAN) return 1;
    return 2 + mic_lane_of(&mic_arenas[0], mic_run_kind(mic_page_kind_of_class(cls), cls));
}

/* ---- apart ---- */

enum { LIVE = 1500, STEPS = 60000 };
static mic_run_t live[LIVE];
static uint8_t *served; /* by slice: the range that had it */

static void note(unsigned cls, mic_run_t run)
{
    const unsigned range = range_of(cls);
    fresh_require(run.arena == 0 && range < 256);
    for (size_t i = run.slice; i < run.slice + run.count; i++) {
        fresh_require(served[i] == 0 || served[i] == range);
        served[i] = (uint8_t)range;
    }
}

/* Some classes at a time are in favour, so that what they had lies free when others need much. */
static void steps(size_t n)
{
    for (size_t step = 0; step < n; step++) {
        const size_t i = below(LIVE);
        const unsigned cls = (unsigned)((step / 3000 * 7 + below(9)) % (MIC_CLASS_COUNT + 1));
        if (live[i].count != 0) give(live[i]);
        fresh_require(take(cls, &mic_place_any, &live[i]));
        note(cls, live[i]);
        if (step % 5000 == 0) mic_purge_run(true);
    }
}

static void limit_reserve(long bytes) { fake_os_settings.reserve_limit = (size_t)bytes; }

static void run_apart(long bytes)
{
    fresh_require(mic_process_start());
    fresh_require((mic_arena_ranges[0].classes == 1) == (bytes == 0 || bytes >= 8 * (long)MIC_GIB));
    served = calloc(mic_arenas[0].slice_count, 1);
    fresh_require(served != NULL && mic_arena_ranges[0].classes != 0);
    steps(bytes == 0 ? STEPS : 0);
    unsigned ranges = 0;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        mic_run_t run;
        fresh_require(take(cls, &mic_place_any, &run));
        note(cls, run);
        if (cls == 0 || range_of(cls) != range_of(cls - 1)) ranges++;
        give(run);
    }
    if (bytes == 0) fresh_require(ranges == MIC_CLASS_COUNT);
    if (bytes != 0) fresh_require(ranges >= 4 && ranges * 4 * MIC_SEGMENT_BYTES <= (size_t)bytes);
}
static void test_apart(void **state)
{
    (void)state;
    if (!MIC_CLASSES_HAVE_RANGES) skip();
    assert_int_equal(fresh_run("apart", 0), 0);
    for (long mib = 512; mib <= 8192; mib *= 2)
        assert_int_equal(fresh_run("apart", mib * (long)MIC_MIB), 0);
}

/* ---- where a class begins ---- */

enum { PLACES_FD = 9, RUNS = 16 };
typedef uint32_t places_t[MIC_CLASS_COUNT];

static void before_places(long number) { fake_os_settings.seed = (uint64_t)number; }
static void run_places(long unused)
{
    (void)unused;
    places_t at;
    fresh_require(mic_process_start());
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        mic_run_t run;
        fresh_require(take(cls, &mic_place_any, &run));
        at[cls] = run.slice;
        for (unsigned k = 0; k < cls; k++) /* in segments of their own */
            fresh_require(at[k] / MIC_SEGMENT_SLICES != run.slice / MIC_SEGMENT_SLICES);
    }
    fresh_require(write(PLACES_FD, at, sizeof at) == (ssize_t)sizeof at);
}

static void read_places(long number, places_t *places)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], PLACES_FD), PLACES_FD);
    close(ends[1]);
    assert_int_equal(fresh_run("places", number), 0);
    close(PLACES_FD);
    assert_int_equal(read(ends[0], places, sizeof *places), sizeof *places);
    close(ends[0]);
}

static void test_places(void **state)
{
    (void)state;
    static places_t places[RUNS];
    if (!MIC_CLASSES_HAVE_RANGES) skip();
    for (long i = 0; i < RUNS; i++) read_places(i + 1, &places[i]);
    size_t same = 0, same_distance = 0, upwards = 0;
    for (size_t i = 0; i < RUNS; i++)
        for (size_t cls = 1; cls < MIC_CLASS_COUNT; cls++) {
            upwards += places[i][cls] > places[i][cls - 1];
            for (size_t k = 0; k < i; k++) {
                same += places[i][cls] == places[k][cls];
                same_distance +=
                    places[i][cls] - places[i][cls - 1] == places[k][cls] - places[k][cls - 1];
            }
        }
    /* of 120 pairs of runs and 63 classes; large ones have 2^10 places, small ones 2^16 */
    assert_true(same < 20 && same_distance < 20);
    const size_t all = RUNS * (MIC_CLASS_COUNT - 1);
    assert_true(upwards > all / 3 && upwards < all - all / 3);
}

/* ---- used up ---- */

static size_t total_slices(void)
{
    size_t n = 0;
    for (uint32_t i = 0; i < mic_load_relaxed(&mic_arena_count); i++)
        n += mic_arenas[i].slice_count;
    return n;
}

/* No further address space: all of what there is serves whoever asks, of any class. */
static void run_used_up(long bytes)
{
    fresh_require(mic_process_start());
    fake_os_fail(FAKE_OS_RESERVE, 1, ENOMEM, true);
    const size_t total = total_slices();
    fresh_require(total == (size_t)bytes >> MIC_SLICE_SHIFT);
    mic_run_t *const runs = calloc(total, sizeof *runs);
    for (unsigned round = 0; round < 4; round++) {
        size_t n = 0, used = 0;
        for (size_t misses = 0; misses < 100;) { /* round 3: one class alone */
            const unsigned cls = round == 3 ? 5 : (unsigned)below(MIC_CLASS_COUNT + (round & 1));
            if (take(cls, &mic_place_any, &runs[n]))
                used += runs[n++].count;
            else
                misses++;
        }
        while (take(round, &mic_place_any, &runs[n])) used += runs[n++].count;
        fresh_require(used == total);
        while (n > 0) give(runs[--n]);
    }
    fresh_require(mic_run_alloc(SPAN, total, 1, &mic_place_any, &runs[0])); /* in one piece */
    give(runs[0]);
    fresh_require(take(7, &mic_place_any, &runs[0]));
}
static void test_used_up(void **state)
{
    (void)state;
    static const long mib[] = {32, 64, 256, 512, 1024};
    for (size_t i = 0; i < sizeof mib / sizeof mib[0]; i++)
        assert_int_equal(fresh_run("used_up", mib[i] * (long)MIC_MIB), 0);
}

/* ---- limits ---- */

/* Where address space is limited what lies free serves another class before more is reserved. */
static void before_limited(long limit) { mic_os_info.address_limit = (size_t)limit; }
static void run_limited(long limit)
{
    fresh_require(mic_process_start());
    const size_t total = total_slices();
    fresh_require(total == (size_t)limit / 4 >> MIC_SLICE_SHIFT);
    fresh_require(mic_arena_ranges[0].classes != 0);
    mic_run_t *const runs = calloc(total, sizeof *runs);
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls += 21) {
        const size_t n = total / mic_page_slices_of_class(cls);
        for (size_t i = 0; i < n; i++) fresh_require(take(cls, &mic_place_any, &runs[i]));
        fresh_require(mic_load_relaxed(&mic_arena_count) == 1);
        for (size_t i = 0; i < n; i++) give(runs[i]);
    }
    fresh_require(take(1, &mic_place_any, &runs[0]) && runs[0].arena == 0);
}
static void test_limited(void **state)
{
    (void)state;
    if (!MIC_CLASSES_HAVE_RANGES) skip();
    assert_int_equal(fresh_run("limited", 4 * (long)MIC_GIB), 0);
    assert_int_equal(fresh_run("limited", 2 * (long)MIC_GIB), 0);
}

/* Memory that cannot be committed: what is committed serves all, and nothing new is opened. */
static void run_no_memory(long unused)
{
    (void)unused;
    mic_run_t first, run;
    fresh_require(mic_process_start());
    fresh_require(take(3, &mic_place_any, &first));
    const size_t opened = mic_load_relaxed(&mic_arenas[0].opened);
    fake_os_fail(FAKE_OS_COMMIT, 1, ENOMEM, true);
    size_t n = 0;
    while (n < 100 && take((unsigned)n % 20, &mic_place_any, &run)) n++;
    fresh_require(n > 0 && n < 16); /* the rest of the first mebibyte */
    fresh_require(mic_load_relaxed(&mic_arenas[0].opened) == opened);
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fresh_require(take(9, &mic_place_any, &run));
    fresh_require(run.slice / MIC_SEGMENT_SLICES != first.slice / MIC_SEGMENT_SLICES);
}
static void test_no_memory(void **state)
{
    (void)state;
    if (!MIC_CLASSES_HAVE_RANGES) skip();
    assert_int_equal(fresh_run("no_memory", 0), 0);
}

static void before_strict(long unused)
{
    (void)unused;
    fake_os_strict_overcommit = true;
}
static void run_none(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    fresh_require(mic_arena_ranges[0].classes == 0);
    mic_run_t a, b;
    fresh_require(take(1, &mic_place_any, &a) && take(2, &mic_place_any, &b));
    fresh_require(a.slice / MIC_SEGMENT_SLICES == b.slice / MIC_SEGMENT_SLICES);
}
static void test_none(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("strict", 0), 0);
    assert_int_equal(fresh_run("short", 256 * (long)MIC_MIB), 0);
}

/* An arena of the program serves all classes from its first segment on, and to its end. */
static void run_program(long unused)
{
    (void)unused;
    enum { SEGMENTS = 3 };
    fresh_require(mic_process_start());
    const mic_arena_for_t whom = {.subproc = 0, .exclusive = true, .numa = -1};
    unsigned arena;
    const size_t bytes = SEGMENTS * MIC_SEGMENT_BYTES;
    fresh_require(mic_program_reserve(bytes, false, false, &whom, &arena) == 0);
    const mic_place_t place = {.arena = (uint16_t)(arena + 1), .subproc = 0, .numa = -1};
    mic_run_t run;
    size_t used = 0;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        fresh_require(take(cls, &place, &run) && run.arena == arena);
        used += run.count;
    }
    while (take(0, &place, &run)) used += run.count;
    fresh_require(used == SEGMENTS * MIC_SEGMENT_SLICES);
    fresh_require(take(0, &mic_place_any, &run) && run.arena != arena);
}
static void test_program(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("program", 0), 0);
}

const fresh_case_t fresh_cases[] = {
    {"apart", limit_reserve, run_apart},
    {"places", before_places, run_places},
    {"used_up", limit_reserve, run_used_up},
    {"limited", before_limited, run_limited},
    {"no_memory", NULL, run_no_memory},
    {"strict", before_strict, run_none},
    {"short", limit_reserve, run_none},
    {"program", NULL, run_program},
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    if (argc > 1) return fresh_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apart),     cmocka_unit_test(test_places),
        cmocka_unit_test(test_used_up),   cmocka_unit_test(test_limited),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_none),
        cmocka_unit_test(test_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
