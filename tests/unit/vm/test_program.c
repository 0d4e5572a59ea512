/* fake-os */
/* Arenas of the program: whom they serve, huge pages, what is left when a call fails, sub-processes
   that end, options. The program's own memory: test_given.c. Each case is a process of its own. */
#include "program_test.h"

#include "rt/report.h"

/* ---- whom they serve ---- */

static void run_exclusive(long part)
{
    start();
    unsigned arena;
    if (part == 0)
        fake_os_strict_overcommit = true; /* an arena of its own, not a part of arena 0 */
    fresh_require(mic_program_reserve(2 * MIC_SEGMENT_BYTES, false, false, &nobody_else, &arena) ==
                  0);
    mic_arena_info_t info;
    fresh_require(mic_arena_info(arena, &info));
    fresh_require(info.is_part == (part != 0) && info.is_exclusive && !info.is_system);
    fresh_require(info.bytes == 2 * MIC_SEGMENT_BYTES && info.used_slices == 0);
    const mic_place_t place = only(arena);
    for (unsigned kind = 0; kind < MIC_PAGE_KINDS; kind++) {
        const size_t n = take_all(kind, &place, arena);
        fresh_require(n == 2 * (MIC_SEGMENT_SLICES / kind_slices[kind]));
        mic_run_t other; /* full: not even from elsewhere; others are not disturbed */
        fresh_require(!mic_run_alloc(kind, kind_slices[kind], 1, &place, &other));
        fresh_require(mic_run_alloc(kind, kind_slices[kind], 1, &mic_place_any, &other));
        fresh_require(other.arena != arena);
        unsigned found;
        size_t slice;
        fresh_require(mic_arena_find(mic_run_start(runs[n / 2]), &found, &slice));
        fresh_require(found == (part != 0 ? 0 : arena));
        fresh_require(mic_arena_descriptor(found, slice) ==
                      mic_arena_descriptor(arena, runs[n / 2].slice));
        give(other);
        give_all(n);
    }
    fresh_require(mic_arena_info(arena, &info) && info.free_segments == info.segments);
    fresh_require(mic_run_alloc(SPAN, 2 * MIC_SEGMENT_SLICES, 1, &place, &runs[0]));
    fresh_require(!mic_run_alloc(SPAN, 1, 1, &place, &runs[1]));
    give(runs[0]);
    fresh_require(mic_run_alloc_room(100, 0, &place, &runs[0]) && runs[0].arena == arena);
    give(runs[0]);
}

/* Nothing of arena 0's other pages comes into the segments of a part, whatever is short. */
static void run_nothing_comes_in(long unused)
{
    (void)unused;
    start();
    unsigned arena;
    fresh_require(mic_program_reserve(MIC_SEGMENT_BYTES, false, false, &nobody_else, &arena) == 0);
    const uintptr_t base = mic_arenas[arena].base;
    fake_os_fail(FAKE_OS_COMMIT, 1, ENOMEM, true);
    for (unsigned kind = 0; kind < MIC_PAGE_KINDS; kind++)
        fresh_require(!mic_run_alloc(kind, kind_slices[kind], 1, &mic_place_any, &runs[0]));
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    for (size_t i = 0; i < 6; i++) { /* spans around it, and growing */
        fresh_require(mic_run_alloc(SPAN, 700, 1, &mic_place_any, &runs[i]));
        bool zero;
        const bool grew = mic_run_grow(runs[i], 1500, &zero);
        if (grew) runs[i].count = 1500;
        const uintptr_t p = (uintptr_t)mic_run_start(runs[i]);
        fresh_require(p >= base + MIC_SEGMENT_BYTES ||
                      p + ((size_t)runs[i].count << MIC_SLICE_SHIFT) <= base);
    }
    give_all(6);
}

static void run_preference(long unused)
{
    (void)unused;
    start();
    unsigned arena[3];
    mic_arena_for_t whom = everybody;
    for (int node = 0; node < 2; node++) {
        whom.numa = node;
        fresh_require(mic_program_reserve(1, false, false, &whom, &arena[node]) == 0);
    }
    fresh_require(mic_program_reserve(1, false, false, &everybody, &arena[2]) == 0);
    for (int node = 0; node < 2; node++) {
        const mic_place_t place = {.numa = node};
        fresh_require(mic_run_alloc(0, 1, 1, &place, &runs[0]) && runs[0].arena == arena[node]);
        give(runs[0]);
    }
    /* on its node, on no particular one, the system's, on another */
    const mic_place_t place = {.numa = 1};
    size_t n = 0, from[4] = {0};
    mic_option_set(MIC_OPTION_DISALLOW_OS_ALLOC, 1);
    while (mic_run_alloc(2, 64, 1, &place, &runs[n])) from[runs[n++].arena]++;
    const size_t each = MIC_SEGMENT_SLICES / 64;
    fresh_require(from[arena[1]] == each && from[arena[2]] == each && from[arena[0]] == each);
    fresh_require(n == 3 * each && runs[0].arena == arena[1] && runs[each].arena == arena[2]);
    fresh_require(!mic_run_alloc(SPAN, 10000, 1, &mic_place_any, &runs[n]));
    mic_option_set(MIC_OPTION_DISALLOW_OS_ALLOC, 0);
    fresh_require(mic_run_alloc(2, 64, 1, &place, &runs[n]) && runs[n].arena == 0);
    give(runs[0]); /* where something was freed is looked into again */
    fresh_require(mic_run_alloc(2, 64, 1, &place, &runs[0]) && runs[0].arena == arena[1]);
    give_all(n + 1);
}

static size_t owner_of(mic_run_t run)
{
    return mic_segment_owner(&mic_arenas[run.arena].segments[run.slice / MIC_SEGMENT_SLICES]);
}

/* A span does not grow into a segment that was another sub-process's last. */
static void run_grow(long unused)
{
    (void)unused;
    start();
    const mic_place_t other = {.subproc = 1, .numa = -1};
    mic_run_t a, b, c;
    bool zero;
    const size_t n = MIC_SEGMENT_SLICES;
    fresh_require(mic_run_alloc(SPAN, n, 1, &mic_place_any, &a));
    fresh_require(mic_run_alloc(SPAN, n, 1, &mic_place_any, &b) && b.slice == a.slice + n);
    give(a);
    give(b);
    fresh_require(mic_run_alloc(SPAN, n, 1, &other, &c) && c.slice == a.slice);
    fresh_require(!mic_run_grow(c, n + 88, &zero));
    fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &b) && b.slice == a.slice + n);
    fresh_require(owner_of(c) == 1 && owner_of(b) == 0);
    give(c);
    fresh_require(mic_run_alloc(SPAN, 300, 1, &other, &c) && mic_run_grow(c, 500, &zero));
}

/* ---- sub-processes ---- */

/* No two sub-processes have pages in one segment, also when only odd places are left. */
static void run_subprocs(long unused)
{
    (void)unused;
    start();
    unsigned arenas[2];
    for (unsigned k = 0; k < 2; k++) {
        const mic_arena_for_t whom = {.subproc = (uint16_t)(k + 1), .exclusive = false, .numa = -1};
        fresh_require(mic_program_reserve(1, false, false, &whom, &arenas[k]) == 0);
        fresh_require(mic_arena_subproc(arenas[k]) == k + 1);
    }
    size_t n = 0;
    for (unsigned round = 0; round < 600; round++) {
        const mic_place_t place = {.subproc = (uint16_t)(round % 3), .numa = -1};
        const unsigned kind = round / 3 % MIC_PAGE_KINDS;
        const size_t count = kind == SPAN ? 1 + round : kind_slices[kind];
        fresh_require(mic_run_alloc(kind, count, 1, &place, &runs[n]));
        if (round % 3 == 0) fresh_require(runs[n].arena == 0);
        if (runs[n].arena == 0)
            fresh_require(owner_of(runs[n]) == round % 3);
        else
            fresh_require(runs[n].arena == arenas[round % 3 - 1]);
        n++;
        if (round % 5 == 0) { /* free some, so that segments change hands */
            give(runs[0]);
            runs[0] = runs[--n];
        }
    }
    give_all(n);
    /* whatever is idle may be taken by another one */
    const size_t opened = mic_load_relaxed(&mic_arenas[0].opened);
    const mic_place_t third = {.subproc = 3, .numa = -1};
    for (n = 0; n < 100; n++) fresh_require(mic_run_alloc(2, 64, 1, &third, &runs[n]));
    fresh_require(mic_load_relaxed(&mic_arenas[0].opened) == opened);
    give_all(n);
}

static void limit_region(long unused)
{
    (void)unused;
    fake_os_settings.reserve_limit = MIC_SEGMENT_BYTES;
}
/* The only segment has a page of one; the other gets no memory from it. */
static void run_subprocs_short(long unused)
{
    (void)unused;
    start();
    fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &runs[0]));
    fake_os_fail(FAKE_OS_RESERVE, 1, ENOMEM, true);
    const mic_place_t other = {.subproc = 1, .numa = -1};
    for (unsigned kind = 0; kind < MIC_PAGE_KINDS; kind++) {
        fresh_require(!mic_run_alloc(kind, kind_slices[kind], 1, &other, &runs[1]));
        fresh_require(mic_run_alloc(kind, kind_slices[kind], 1, &mic_place_any, &runs[1]));
        give(runs[1]);
    }
    give(runs[0]);
    for (unsigned kind = 0; kind < MIC_PAGE_KINDS; kind++) {
        fresh_require(mic_run_alloc(kind, kind_slices[kind], 1, &other, &runs[1]));
        give(runs[1]);
    }
}

static void run_release(long part)
{
    start();
    fake_os_strict_overcommit = part == 0;
    size_t reserved = 0;
    const mic_arena_for_t whom = {.subproc = 7, .exclusive = false, .numa = -1};
    const mic_place_t place = {.subproc = 7, .numa = -1};
    for (unsigned round = 0; round < 1000; round++) {
        unsigned arena, again;
        fresh_require(
            mic_program_reserve(3 * MIC_SEGMENT_BYTES, round % 2 != 0, false, &whom, &arena) == 0);
        void *const id = mic_arena_id(arena);
        fresh_require(mic_arena_from_id(id, &again) && again == arena);
        fresh_require(mic_run_alloc(round % 4, kind_slices[round % 4], 1, &place, &runs[0]));
        fresh_require(runs[0].arena == arena);
        memset(mic_run_start(runs[0]), 0x5a, MIC_SLICE_BYTES);
        if (round % 3 != 0) give(runs[0]);
        mic_arena_subproc_release(7);
        fresh_require(!mic_arena_from_id(id, &again));
        if (round % 3 == 0) { /* it waits for the last page */
            fresh_require(*mic_run_start(runs[0]) == 0x5a);
            give(runs[0]);
        }
        mic_arena_info_t info;
        fresh_require(!mic_arena_info(arena, &info));
        if (round == 10) reserved = fake_os_reserved_bytes();
    }
    fresh_require(fake_os_reserved_bytes() == reserved);
    fresh_require(mic_load_relaxed(&mic_arena_count) <= 3);
    fresh_require(mic_load_relaxed(&mic_arena_programs) == 0);
    fresh_require(!mic_arena_from_id(NULL, &(unsigned){0}));
    fresh_require(!mic_arena_from_id((void *)1, &(unsigned){0})); /* arena 0 has no id */
    fresh_require(!mic_arena_from_id(runs, &(unsigned){0}));
}

/* ---- huge pages ---- */

static void run_huge(long part)
{
    start();
    fake_os_strict_overcommit = part == 0;
    mic_arena_for_t whom = {.subproc = 4, .exclusive = true, .numa = 0};
    unsigned arena;
    fake_os_fail(FAKE_OS_MAP_HUGE, 3, ENOMEM, true);
    /* the third GiB is neither there in one piece nor in pieces of 2 MiB */
    fresh_require(mic_program_reserve_huge(5, 0, &whom, &arena) == 2);
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fresh_require(fake_os_count(FAKE_OS_MAP_HUGE) == 4);
    fresh_require(fake_os_last(FAKE_OS_MAP_HUGE)->extra == 2 * MIC_MIB);
    fresh_require(fake_os_settings.huge_node == 0);
    mic_arena_info_t info;
    fresh_require(mic_arena_info(arena, &info) && info.bytes == 2 * MIC_GIB && info.is_pinned);
    fresh_require(info.is_part == (part != 0) && info.numa == 0);
    fresh_require((uintptr_t)info.start % MIC_GIB == 0);
    fresh_require(info.committed_slices == 2 * MIC_GIB / MIC_SLICE_BYTES);
    mic_place_t place = only(arena);
    place.subproc = 4;
    fake_os_forget();
    mic_run_t run;
    fresh_require(mic_run_alloc(SPAN, 2 * MIC_GIB / MIC_SLICE_BYTES, 1, &place, &run) && run.zero);
    fresh_require(!mic_run_alloc(0, 1, 1, &place, &runs[0]));
    give(run);
    mic_purge_run(true);
    fresh_require(!mic_purge_at_once(run) && !mic_arena_zero(mic_run_start(run), MIC_MIB));
    fresh_require(fake_os_count(FAKE_OS_ANY) == 0);
    fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &runs[0]) && runs[0].arena != arena);
    const uint64_t before = mic_load_relaxed(&mic_vm_counts.committed_bytes);
    mic_arena_subproc_release(4);
    fresh_require(!mic_arena_info(arena, &info));
    fresh_require(before - mic_load_relaxed(&mic_vm_counts.committed_bytes) == 2 * MIC_GIB);
    if (part == 0) return;
    /* pages of others may be there from now on */
    fresh_require(fake_os_count(FAKE_OS_DECOMMIT) == 1);
    fresh_require(mic_run_alloc(SPAN, 100000, 1, &mic_place_any, &run) && run.zero);
    memset(mic_run_start(run), 1, 4096);
}

/* Addresses that the system lost are never used again, all others are. */
static void run_huge_lost(long part)
{
    start();
    fake_os_strict_overcommit = part == 0;
    unsigned arena, other;
    fake_os_fail(FAKE_OS_MAP_HUGE, 1, EFAULT, false);
    fresh_require(mic_program_reserve_huge(2, 0, &everybody, &arena) == 0);
    const char *const lost = fake_os_last(FAKE_OS_MAP_HUGE)->address;
    fake_os_fail(FAKE_OS_MAP_HUGE, 2, EFAULT, false);
    fresh_require(mic_program_reserve_huge(3, 0, &everybody, &other) == 1);
    const char *const lost_too = fake_os_last(FAKE_OS_MAP_HUGE)->address;
    const mic_arena_for_t others = {.subproc = 9, .exclusive = true, .numa = -1};
    fake_os_fail(FAKE_OS_MAP_HUGE, 2, EFAULT, false);
    fresh_require(mic_program_reserve_huge(3, 0, &others, &other) == 1);
    fake_os_forget();
    mic_arena_subproc_release(9); /* what is not lost goes back, page by page */
    fresh_require(fake_os_count(FAKE_OS_DECOMMIT) == 1 && fake_os_count(FAKE_OS_UNRESERVE) == 0);
    fresh_require(fake_os_last(FAKE_OS_DECOMMIT)->bytes == MIC_GIB);
    size_t n = 0;
    for (; n < 200; n++) {
        fresh_require(mic_run_alloc(SPAN, 700, 1, &mic_place_any, &runs[n]));
        const char *const p = mic_run_start(runs[n]);
        fresh_require(p + 700 * MIC_SLICE_BYTES <= lost || p >= lost + MIC_GIB);
        fresh_require(p + 700 * MIC_SLICE_BYTES <= lost_too || p >= lost_too + MIC_GIB);
    }
    give_all(n);
    fake_os_fail(FAKE_OS_MAP_HUGE, 1, EFAULT, false);
    fresh_require(mic_program_reserve(MIC_SEGMENT_BYTES, true, true, &everybody, &other) == 0);
    mic_arena_info_t info;
    fresh_require(mic_arena_info(other, &info) && !info.is_pinned);
    fresh_require(info.start != fake_os_last(FAKE_OS_MAP_HUGE)->address);
}

static void run_large(long unused)
{
    (void)unused;
    start();
    unsigned arena;
    mic_arena_info_t info;
    fresh_require(mic_program_reserve(MIC_SEGMENT_BYTES + 1, false, true, &everybody, &arena) == 0);
    fresh_require(mic_arena_info(arena, &info) && info.is_pinned);
    fresh_require(info.bytes == MIC_SEGMENT_BYTES + 2 * MIC_MIB);
    fake_os_fail(FAKE_OS_MAP_HUGE, 1, ENOMEM, true); /* ordinary ones instead */
    fresh_require(mic_program_reserve(MIC_SEGMENT_BYTES + 1, true, true, &everybody, &arena) == 0);
    fresh_require(mic_arena_info(arena, &info) && !info.is_pinned);
    fresh_require(info.committed_slices == info.bytes / MIC_SLICE_BYTES);
}

static void run_interleave(long unused)
{
    (void)unused;
    fake_os_settings.numa_nodes = 3;
    start();
    bool all;
    fresh_require(mic_numa_nodes() == 3);
    fresh_require(mic_program_interleave_huge(5, 0, 0, &everybody, &all) == 5 && all);
    size_t pages[3] = {0};
    mic_arena_info_t info;
    for (unsigned i = 1; i < mic_load_relaxed(&mic_arena_count); i++)
        if (mic_arena_info(i, &info)) pages[info.numa] += info.bytes / MIC_GIB;
    fresh_require(pages[0] == 2 && pages[1] == 2 && pages[2] == 1);
    mic_option_set(MIC_OPTION_USE_NUMA_NODES, 2);
    fresh_require(mic_numa_nodes() == 2);
    fake_os_fail(FAKE_OS_MAP_HUGE, 2, ENOMEM, true);
    fresh_require(mic_program_interleave_huge(2, 0, 0, &everybody, &all) == 1 && !all);
}

/* ---- failures ---- */

static bool make_something(long what, const mic_given_t *memory, unsigned *arena)
{
    if (what < 2)
        return mic_program_reserve(3 * MIC_SEGMENT_BYTES, true, false, &nobody_else, arena) == 0;
    if (what < 4) return mic_program_reserve_huge(2, 0, &nobody_else, arena) != 0;
    return mic_program_manage(memory, &nobody_else, arena);
}

/* The n-th call and all that follow fail, whichever it is: an error, nothing leaked, and later it
   works. Descriptors that were readable once stay, for the next arena. */
static void run_failing_call(long n)
{
    start();
    const long what = n / 100;
    fake_os_strict_overcommit = what % 2 != 0;
    fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &runs[0]));
    char *const p = user_memory(MIC_SEGMENT_BYTES);
    const mic_given_t memory = given(p, MIC_SEGMENT_BYTES, false);
    size_t reserved = fake_os_reserved_bytes();
    const uint64_t counted = mic_load_relaxed(&mic_vm_counts.reserved_bytes);
    const uint64_t committed = mic_load_relaxed(&mic_vm_counts.committed_bytes);
    unsigned arena;
    bool ok = false;
    for (int attempt = 0; attempt < 3 && !ok; attempt++) {
        fake_os_fail_from((size_t)(n % 100), ENOMEM);
        ok = make_something(what, &memory, &arena);
        fresh_require(ok || fake_os_failures() > 0);
        fake_os_fail(FAKE_OS_ANY, 0, 0, false);
        if (ok) break;
        if (attempt == 0) {
            fresh_require(fake_os_reserved_bytes() <=
                          reserved + (MIC_SLICE_BITMAPS + 1) * MIC_SEGMENT_BYTES);
            reserved = fake_os_reserved_bytes();
        }
        fresh_require(fake_os_reserved_bytes() == reserved);
        fresh_require(mic_load_relaxed(&mic_vm_counts.reserved_bytes) == counted);
        if (what % 2 != 0) /* of a part, memory may stay committed, as arena 0's */
            fresh_require(mic_load_relaxed(&mic_vm_counts.committed_bytes) == committed);
    }
    if (!ok) fresh_require(make_something(what, &memory, &arena));
    const mic_place_t place = only(arena);
    fresh_require(mic_run_alloc(1, 8, 1, &place, &runs[1]) && runs[1].arena == arena);
    fresh_require(fake_os_reserved_bytes() >= reserved);
}

static void run_refused(long unused)
{
    (void)unused;
    start();
    unsigned arena;
    mic_given_t memory = {.start = NULL, .bytes = MIC_SEGMENT_BYTES};
    fresh_require(!mic_program_manage(&memory, &everybody, &arena));
    memory.start = (void *)(UINTPTR_MAX - 100000);
    fresh_require(!mic_program_manage(&memory, &everybody, &arena));
    memory.start = runs;
    memory.bytes = MIC_SLICE_BYTES - 1;
    fresh_require(!mic_program_manage(&memory, &everybody, &arena));
    memory.bytes = SIZE_MAX;
    fresh_require(!mic_program_manage(&memory, &everybody, &arena));
    memory.start = (void *)mic_arenas[0].base;
    memory.bytes = MIC_SEGMENT_BYTES;
    fresh_require(!mic_program_manage(&memory, &everybody, &arena));
    fresh_require(mic_program_reserve(SIZE_MAX, false, false, &everybody, &arena) == ENOMEM);
    fresh_require(mic_program_reserve_huge(0, 0, &everybody, &arena) == 0);
    fresh_require(mic_program_reserve_huge(SIZE_MAX, 0, &everybody, &arena) == 0);
}

/* Slots are not without end. */
static void run_many(long unused)
{
    (void)unused;
    start();
    unsigned arena;
    size_t n = 0;
    while (mic_program_reserve(1, false, false, &nobody_else, &arena) == 0) n++;
    fresh_require(n == MIC_ARENA_MAX - 1);
    const mic_place_t last = only(arena);
    fresh_require(mic_run_alloc(0, 1, 1, &last, &runs[0]) && runs[0].arena == arena);
    fresh_require(mic_run_alloc(SPAN, 1000, 1, &mic_place_any, &runs[0]) && runs[0].arena == 0);
}

/* ---- options ---- */

static void before_options(long which)
{
    if (which == 0) fake_os_setenv("MIMALLOC_RESERVE_OS_MEMORY", "100M");
    if (which == 1) fake_os_setenv("MIMALLOC_RESERVE_HUGE_OS_PAGES", "2");
    if (which == 2) fake_os_setenv("MIMALLOC_RESERVE_HUGE_OS_PAGES", "2");
    if (which == 2) fake_os_setenv("MIMALLOC_RESERVE_HUGE_OS_PAGES_AT", "1");
    if (which == 3) fake_os_setenv("MIMALLOC_RESERVE_OS_MEMORY", "100M");
    if (which == 3) fake_os_setenv("MIMALLOC_ALLOW_LARGE_OS_PAGES", "1");
    if (which == 4) fake_os_setenv("MIMALLOC_DISALLOW_OS_ALLOC", "1");
    fake_os_settings.numa_nodes = 2;
}

static void run_options(long which)
{
    start();
    mic_arena_info_t info;
    const bool got = mic_run_alloc(0, 1, 1, &mic_place_any, &runs[0]);
    fresh_require(got == (which != 4));
    if (which == 4) return;
    fresh_require(runs[0].arena == 1 && mic_arena_info(1, &info));
    if (which == 0) fresh_require(info.bytes == 100 * MIC_MIB && !info.is_pinned);
    if (which == 1) fresh_require(info.bytes == MIC_GIB && info.numa == 0);
    if (which == 1) fresh_require(mic_arena_info(2, &info) && info.numa == 1);
    if (which == 2) fresh_require(info.bytes == 2 * MIC_GIB && info.numa == 1);
    if (which == 3) fresh_require(info.bytes == 100 * MIC_MIB && info.is_pinned);
}

static void before_told(long unused)
{
    (void)unused;
    fake_os_setenv("MIMALLOC_SHOW_ERRORS", "1");
    fake_os_setenv("MIMALLOC_RESERVE_OS_MEMORY", "8T"); /* more than there may be */
}

static size_t told;

static void use_the_library(const char *text, void *arg)
{
    (void)arg;
    told += strstr(text, "could not be reserved") != NULL;
    fresh_require(mic_process_start()); /* as malloc does: waited for its own caller */
}

/* What could not be had at start is told to a function that allocates. */
static void run_told(long unused)
{
    (void)unused;
    mic_report_set_output(use_the_library, NULL);
    start();
    fresh_require(told == 1);
}

/* ---- */

/* What is claimed while somebody purges, and cannot be committed, is purged the next time. */
static void run_claimed_in_vain(long unused)
{
    (void)unused;
    start();
    const size_t committed = MIC_MIB >> MIC_SLICE_SHIFT; /* a segment's first step */
    unsigned arena;
    fresh_require(mic_program_reserve(MIC_SEGMENT_BYTES, false, false, &nobody_else, &arena) == 0);
    const mic_place_t place = only(arena);
    mic_run_t other; /* with it there is enough for a purge before more is committed */
    fresh_require(mic_run_alloc(2, 64, 1, &mic_place_any, &other));
    for (size_t i = 0; i < committed; i++) fresh_require(mic_run_alloc(0, 1, 1, &place, &runs[i]));
    give_all(committed);
    give(other);
    fake_os_fail(FAKE_OS_COMMIT, 1, ENOMEM, true);
    fake_os_strict_overcommit = true;
    fresh_require(!mic_run_alloc(2, 64, 1, &place, &runs[0]));
    fake_os_strict_overcommit = false;
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fake_os_forget();
    mic_purge_run(true);
    fresh_require(fake_os_count(FAKE_OS_PURGE) == 1);
    fresh_require(fake_os_last(FAKE_OS_PURGE)->bytes == committed << MIC_SLICE_SHIFT);
}

const fresh_case_t fresh_cases[] = {
    {"exclusive", NULL, run_exclusive},
    {"nothing_comes_in", NULL, run_nothing_comes_in},
    {"claimed_in_vain", NULL, run_claimed_in_vain},
    {"preference", NULL, run_preference},
    {"subprocs", NULL, run_subprocs},
    {"subprocs_short", limit_region, run_subprocs_short},
    {"grow", NULL, run_grow},
    {"release", NULL, run_release},
    {"huge", NULL, run_huge},
    {"huge_lost", NULL, run_huge_lost},
    {"large", NULL, run_large},
    {"interleave", NULL, run_interleave},
    {"failing_call", NULL, run_failing_call},
    {"refused", NULL, run_refused},
    {"many", NULL, run_many},
    {"options", before_options, run_options},
    {"told", before_told, run_told},
    {NULL, NULL, NULL},
};

static void test_places(void **state)
{
    (void)state;
    CHECK("exclusive", 0, 1);
    CHECK("nothing_comes_in", 0);
    CHECK("preference", 0);
}

static void test_subprocs(void **state)
{
    (void)state;
    CHECK("subprocs", 0);
    CHECK("subprocs_short", 0);
    CHECK("grow", 0);
    CHECK("release", 0, 1);
}

static void test_huge(void **state)
{
    (void)state;
    CHECK("huge", 0, 1);
    CHECK("huge_lost", 0, 1);
    CHECK("large", 0);
    CHECK("interleave", 0);
}

static void test_failures(void **state)
{
    (void)state;
    for (long what = 0; what < 6; what++)
        for (long n = 1; n <= 12; n++) CHECK("failing_call", what * 100 + n);
    CHECK("refused", 0);
    CHECK("claimed_in_vain", 0);
    CHECK("many", 0);
}

static void test_options(void **state)
{
    (void)state;
    CHECK("options", 0, 1, 2, 3, 4);
    CHECK("told", 0);
}

int main(int argc, char **argv)
{
    if (argc > 1) return fresh_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),  cmocka_unit_test(test_subprocs),
        cmocka_unit_test(test_huge),    cmocka_unit_test(test_failures),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
