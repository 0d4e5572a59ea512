/* fake-os */
/* Reserving: the ladder when address space is short, further arenas, finding an address. Each case
   is a process of its own, since the arenas of a process stay. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "fake_os.h"
#include "fresh_process.h"
#include "heap/thread.h"
#include "vm/vm_internal.h"

static void limit_reserve(long bytes) { fake_os_settings.reserve_limit = (size_t)bytes; }

/* ---- the ladder ---- */

static void check_arena_0(size_t slices)
{
    fresh_require(mic_load_relaxed(&mic_arena_count) == 1);
    fresh_require(mic_arenas[0].slice_count == slices);
    mic_run_t run;
    fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &run));
    fresh_require(run.arena == 0 && run.zero);
    unsigned arena;
    size_t slice;
    fresh_require(mic_arena_find(mic_run_start(run) + 100, &arena, &slice));
    fresh_require(arena == 0 && slice == run.slice);
    fresh_require(!mic_arena_find(NULL, &arena, &slice));
    fresh_require(!mic_arena_find(&arena, &arena, &slice));
    fresh_require(!mic_arena_find((char *)mic_arenas[0].base - 1, &arena, &slice));
    const char *const end = (char *)mic_arenas[0].base + (slices << MIC_SLICE_SHIFT);
    fresh_require(!mic_arena_find(end, &arena, &slice));
}

static const size_t ladder_limits[][2] = {
    {(size_t)1 << 40, (size_t)1 << (40 - MIC_SLICE_SHIFT)},
    {((size_t)1 << 40) - 65536, (size_t)1 << (39 - MIC_SLICE_SHIFT)},
    {MIC_GIB, MIC_GIB >> MIC_SLICE_SHIFT},
    {MIC_SEGMENT_BYTES, MIC_SEGMENT_SLICES},
    {MIC_SEGMENT_BYTES - 65536, MIC_SEGMENT_SLICES / 2},
    {4 * MIC_MIB, 4 * MIC_MIB >> MIC_SLICE_SHIFT},
    {MIC_MIB, MIC_MIB >> MIC_SLICE_SHIFT}};

static void run_ladder(long bytes)
{
    fresh_require(mic_process_start());
    for (size_t i = 0; i < sizeof ladder_limits / sizeof ladder_limits[0]; i++)
        if (ladder_limits[i][0] == (size_t)bytes) check_arena_0(ladder_limits[i][1]);
}

/* The race detector takes so many addresses that a tebibyte in one piece is not always left. */
#define LADDER_FIRST (MIC_TSAN ? 2u : 0u)

static void test_ladder(void **state)
{
    (void)state;
    for (size_t i = LADDER_FIRST; i < sizeof ladder_limits / sizeof ladder_limits[0]; i++)
        assert_int_equal(fresh_run("ladder", (long)ladder_limits[i][0]), 0);
}

/* The first two reservations of the first arena are its metadata and its region; the one before
   both is the probe. */
static void before_error(long error) { fake_os_fail(FAKE_OS_RESERVE, 3, (int)error, false); }
static void run_error(long error)
{
    (void)error;
    fresh_require(mic_process_start());
    fresh_require(fake_os_failures() == 1);
    check_arena_0((size_t)1 << (39 - MIC_SLICE_SHIFT)); /* one step down */
}

static void test_errors(void **state)
{
    (void)state;
    static const int errors[] = {ENOMEM, EINVAL, EAGAIN, EPERM, ENOSYS};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        assert_int_equal(fresh_run("error", errors[i]), 0);
}

static void before_nothing(long unused)
{
    (void)unused;
    fake_os_fail(FAKE_OS_RESERVE, 1, ENOMEM, true);
}
static void run_nothing(long unused)
{
    (void)unused;
    fresh_require(!mic_process_start());
    fresh_require(fake_os_reserved_bytes() == 0); /* nothing kept of what was tried */
    errno = 0;
    fresh_require(mic_malloc(10) == NULL);
    fresh_require(errno == ENOMEM);
    mic_free(NULL);
    fresh_require(mic_zalloc(100000) == NULL);
    fresh_require(mic_realloc(NULL, 10, false) == NULL);
    fresh_require(mic_alloc_aligned(10, 4096, 0, true) == NULL);
    mic_collect(true);
    /* builds that check stop at foreign pointers */
    fresh_require(CFG_BITS || mic_usable_size(&unused) == 0);
}
static void test_nothing(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("nothing", 0), 0);
}

/* The step that reserves may fail while the process starts and work later. */
static void run_nothing_then_some(long unused)
{
    (void)unused;
    fresh_require(mic_malloc(10) == NULL);
    fake_os_forget();
    fresh_require(mic_malloc(10) == NULL);
    for (size_t i = 0; i < fake_os_count(FAKE_OS_RESERVE); i++) /* all sizes failed before */
        fresh_require(fake_os_record(FAKE_OS_RESERVE, i)->bytes == MIC_MIB);
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fresh_require(mic_malloc(10) != NULL);
}
static void test_nothing_then_some(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("nothing_then_some", 0), 0);
}

/* ---- short arenas ---- */

/* Bases of short arenas are aligned to a slice only. */
static void run_aligned(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    for (int i = 0; i < 4; i++) {
        for (size_t alignment = MIC_SLICE_BYTES; alignment <= 2 * MIC_MIB; alignment *= 2) {
            char *const p = mic_alloc_aligned(100000, alignment, 0, false);
            if (p == NULL) continue; /* no such address in what can be had */
            fresh_require(((uintptr_t)p & (alignment - 1)) == 0);
            *p = 1;
        }
    }
}
static void test_aligned(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("aligned", 4 * MIC_MIB), 0);
    assert_int_equal(fresh_run("aligned", 3 * MIC_MIB), 0);
}

/* ---- further arenas ---- */

/* An arena that the ladder made too short for the span must not count as success. */
static void run_long_enough(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    mic_run_t run;
    fresh_require(mic_run_alloc(MIC_PAGE_KINDS - 1, 200, 1, &mic_place_any, &run)); /* 12.5 MiB */
    fresh_require(run.count == 200);
    fresh_require(mic_load_relaxed(&mic_arena_count) <= 3);
}
static void test_long_enough(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("long_enough", 16 * MIC_MIB), 0);
}

static void run_further(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    enum { N = 4 * MIC_SEGMENT_SLICES - 48 };
    static mic_run_t runs[N];
    for (size_t i = 0; i < N; i++) {
        fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &runs[i]));
        unsigned arena;
        size_t slice;
        fresh_require(mic_arena_find(mic_run_start(runs[i]) + MIC_SLICE_BYTES - 1, &arena, &slice));
        fresh_require(arena == runs[i].arena && slice == runs[i].slice);
    }
    const uint32_t arenas = mic_load_relaxed(&mic_arena_count);
    fresh_require(arenas >= 4 && arenas <= 6);
    for (size_t i = 0; i < N; i++) mic_run_free(runs[i]);
    for (size_t i = 0; i < N; i++) fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &runs[i]));
    fresh_require(mic_load_relaxed(&mic_arena_count) == arenas);
}
static void test_further(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("further", MIC_SEGMENT_BYTES), 0);
}

/* When memory cannot be committed, more address space does not help: reserving it only takes it
   from others. */
static void run_failed_commit(long unused)
{
    (void)unused;
    fresh_require(mic_process_start());
    const size_t reserved = fake_os_reserved_bytes();
    fake_os_fail(FAKE_OS_COMMIT, 1, ENOMEM, true);
    static const size_t count[MIC_PAGE_KINDS] = {1, 8, 64, 1};
    for (int i = 0; i < 3; i++) {
        mic_run_t more;
        for (unsigned kind = 0; kind < MIC_PAGE_KINDS; kind++) {
            size_t n = 0; /* what is committed may serve */
            while (n < 600 && mic_run_alloc(kind, count[kind], 1, &mic_place_any, &more)) n++;
            fresh_require(n < 600);
        }
    }
    fresh_require(fake_os_reserved_bytes() == reserved);
    fresh_require(mic_load_relaxed(&mic_arena_count) == 1);
}
static void test_failed_commit(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("failed_commit", 0), 0);
}

const fresh_case_t fresh_cases[] = {
    {"ladder", limit_reserve, run_ladder},
    {"error", before_error, run_error},
    {"nothing", before_nothing, run_nothing},
    {"nothing_then_some", before_nothing, run_nothing_then_some},
    {"aligned", limit_reserve, run_aligned},
    {"long_enough", limit_reserve, run_long_enough},
    {"further", limit_reserve, run_further},
    {"failed_commit", NULL, run_failed_commit},
    {NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    if (argc > 1) return fresh_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ladder),  cmocka_unit_test(test_errors),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_nothing_then_some),
        cmocka_unit_test(test_aligned), cmocka_unit_test(test_long_enough),
        cmocka_unit_test(test_further), cmocka_unit_test(test_failed_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
