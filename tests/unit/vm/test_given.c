/* fake-os */
/* Arenas of the program's own memory, as small as a slice, and the callback that commits it. Each
   case is a process of its own. */
#include "program_test.h"

/* ---- the program's memory ---- */

static void run_given(long units)
{
    start();
    const size_t bytes = (size_t)units * MIC_ARENA_ALIGN_BYTES;
    const size_t slices = bytes >> MIC_SLICE_SHIFT;
    char *const p = user_memory(bytes + 2 * MIC_ARENA_ALIGN_BYTES);
    mic_given_t memory = given(p, bytes + 2 * MIC_ARENA_ALIGN_BYTES, true);
    memory.start = p + 100; /* ends are left out */
    memory.bytes = bytes + MIC_ARENA_ALIGN_BYTES + 1000;
    unsigned arena;
    fresh_require(mic_program_manage(&memory, &nobody_else, &arena));
    mic_arena_info_t info;
    fresh_require(mic_arena_info(arena, &info) && info.is_given && !info.is_part);
    fresh_require(info.start == p + MIC_ARENA_ALIGN_BYTES && info.bytes == bytes);
    const size_t commits = fake_os_count(FAKE_OS_COMMIT);
    const mic_place_t place = only(arena);
    for (unsigned kind = 0; kind < MIC_PAGE_KINDS; kind++) {
        const size_t n = take_all(kind, &place, arena);
        size_t fits = 0; /* words of the bitmap, segments */
        for (size_t left = slices; left > 0;) {
            const size_t segment = mic_min(left, MIC_SEGMENT_SLICES);
            for (size_t w = 0; kind != SPAN && w * 64 < segment; w++)
                fits += mic_min(64, segment - w * 64) / kind_slices[kind];
            if (kind == SPAN) fits += segment / kind_slices[kind];
            left -= segment;
        }
        fresh_require(n == fits);
        for (size_t i = 0; i < n; i++) {
            const char *const q = mic_run_start(runs[i]);
            fresh_require(q >= info.start &&
                          q + (kind_slices[kind] << MIC_SLICE_SHIFT) <= info.start + bytes);
            unsigned found;
            size_t slice;
            fresh_require(mic_arena_find(q + 5, &found, &slice) && found == arena);
        }
        give_all(n);
    }
    /* committed as it was; descriptors of further segments only */
    fresh_require(fake_os_count(FAKE_OS_COMMIT) - commits <= 3 * (bytes / MIC_SEGMENT_BYTES));
    fresh_require(
        !mic_program_manage(&memory, &nobody_else, &arena)); /* it is in an arena already */
    fresh_require(mic_run_alloc(0, 1, 1, &mic_place_any, &runs[0]) && runs[0].arena == 0);
}

static void run_given_zero(long is_zero)
{
    start();
    char *const p = user_memory(MIC_MIB);
    mic_given_t memory = given(p, MIC_MIB, true);
    memory.is_zero = is_zero != 0;
    unsigned arena;
    fresh_require(mic_program_manage(&memory, &nobody_else, &arena));
    const mic_place_t place = only(arena);
    fresh_require(mic_run_alloc(0, 1, 1, &place, &runs[0]) && runs[0].zero == (is_zero != 0));
    give(runs[0]);
    fresh_require(mic_run_alloc(0, 1, 1, &place, &runs[0]) && !runs[0].zero);
    give(runs[0]);
    fake_os_forget();
    mic_purge_run(true); /* given back, but what is behind it nobody knows */
    fresh_require(fake_os_count(FAKE_OS_PURGE) == 1);
    fresh_require(mic_run_alloc(0, 1, 1, &place, &runs[0]) && !runs[0].zero);
    fresh_require(!mic_arena_is_ordinary(arena) && !mic_arena_zero(mic_run_start(runs[0]), 4096));
    give(runs[0]);
}

static void run_given_uncommitted(long unused)
{
    (void)unused;
    start();
    char *const p = user_memory(MIC_SEGMENT_BYTES);
    const mic_given_t memory = given(p, MIC_SEGMENT_BYTES, false);
    unsigned arena;
    fresh_require(mic_program_manage(&memory, &nobody_else, &arena));
    const mic_place_t place = only(arena);
    /* its memory is not set aside for growing */
    fresh_require(!mic_run_alloc_room(3, 0, &place, &runs[0]));
    fake_os_forget();
    fresh_require(mic_run_alloc(0, 1, 1, &place, &runs[0]) && runs[0].zero);
    fresh_require(fake_os_count(FAKE_OS_COMMIT) == 1);
    fresh_require(fake_os_last(FAKE_OS_COMMIT)->address == p);
    fake_os_fail(FAKE_OS_COMMIT, 1, ENOMEM, true);
    fresh_require(!mic_run_alloc(SPAN, 500, 1, &place, &runs[1]));
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fresh_require(mic_run_alloc(SPAN, 400, 1, &place, &runs[1]));
}

static void run_pinned(long unused)
{
    (void)unused;
    start();
    char *const p = user_memory(MIC_SEGMENT_BYTES);
    mic_given_t memory = given(p, MIC_SEGMENT_BYTES, true);
    memory.is_pinned = true;
    unsigned arena;
    fresh_require(mic_program_manage(&memory, &nobody_else, &arena));
    const mic_place_t place = only(arena);
    fake_os_forget();
    mic_option_set(MIC_OPTION_PURGE_DELAY, 0);
    fake_os_strict_overcommit = true;
    for (unsigned kind = 0; kind < MIC_PAGE_KINDS; kind++) {
        const size_t n = take_all(kind, &place, arena);
        fresh_require(n > 0);
        give_all(n);
        mic_purge_run(true);
    }
    fresh_require(fake_os_count(FAKE_OS_ANY) == 0);
}

/* ---- the callback ---- */

static struct {
    unsigned char committed[2 * MIC_SEGMENT_SLICES];
    char *start;
    size_t calls, fail_at;
    bool says_zero, keep;
} pool;

static bool pool_commit(bool commit, void *at, size_t bytes, bool *is_zero, void *arg)
{
    fresh_require(arg == &pool);
    fresh_require(((uintptr_t)at | bytes) % MIC_SLICE_BYTES == 0 && bytes > 0);
    if (pool.fail_at != 0 && ++pool.calls >= pool.fail_at) return false;
    if (!commit && pool.keep) return false;
    const size_t first = (size_t)((char *)at - pool.start) >> MIC_SLICE_SHIFT;
    for (size_t i = first; i < first + (bytes >> MIC_SLICE_SHIFT); i++) {
        fresh_require(pool.committed[i] == !commit); /* never twice */
        pool.committed[i] = commit;
    }
    fresh_require((commit ? mic_os_commit : mic_os_decommit)(at, bytes) == 0);
    if (commit) *is_zero = pool.says_zero;
    if (!commit) fresh_require(is_zero == NULL);
    return true;
}

static size_t pool_committed(void)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof pool.committed; i++) n += pool.committed[i];
    return n;
}

static unsigned pool_make(bool committed, const mic_arena_for_t *whom)
{
    const size_t bytes = 2 * MIC_SEGMENT_BYTES;
    pool.start = user_memory(bytes);
    pool.says_zero = true;
    mic_given_t memory = given(pool.start, bytes, committed);
    memory.commit_fun = pool_commit;
    memory.commit_arg = &pool;
    memset(pool.committed, committed, sizeof pool.committed);
    unsigned arena;
    fresh_require(mic_program_manage(&memory, whom, &arena));
    return arena;
}

static void run_callback(long committed)
{
    start();
    const unsigned arena = pool_make(committed != 0, &nobody_else);
    const mic_place_t place = only(arena);
    const size_t before = mic_load_relaxed(&mic_vm_counts.committed_bytes);
    mic_option_set(MIC_OPTION_PURGE_DELAY, 10);
    mic_run_t held;
    fresh_require(mic_run_alloc(0, 1, 1, &place, &held) && held.zero);
    for (unsigned kind = 0; kind < MIC_PAGE_KINDS; kind++) {
        const size_t n = take_all(kind, &place, arena);
        if (committed == 0) fresh_require(pool_committed() >= n * kind_slices[kind] + 1);
        give_all(n);
        mic_purge_run(true);
        /* all that was used is back, but what is held; what never was is as it was given */
        if (committed == 0) fresh_require(pool_committed() == 1);
        fresh_require(pool_committed() < sizeof pool.committed);
        fresh_require(*mic_run_start(held) == 1 || kind == 0);
        *mic_run_start(held) = 1;
    }
    if (committed == 0)
        fresh_require(mic_load_relaxed(&mic_vm_counts.committed_bytes) == before + MIC_SLICE_BYTES);
    mic_run_t again;
    fresh_require(mic_run_alloc(0, 1, 1, &place, &again) && again.zero);
    give(again);
    mic_purge_run(true);
    pool.says_zero = false;
    fresh_require(mic_run_alloc(0, 1, 1, &place, &again) && !again.zero);
    give(again);
    pool.keep = true; /* it does not want it back: it is not asked to commit it again */
    mic_purge_run(true);
    fresh_require(mic_run_alloc(0, 1, 1, &place, &again) && !again.zero);
}

static void run_callback_fails(long fail_at)
{
    start();
    const unsigned arena = pool_make(false, &nobody_else);
    const mic_place_t place = only(arena);
    const uint64_t used = mic_load_relaxed(&mic_vm_counts.used_slices);
    mic_run_t a, b, c;
    fresh_require(mic_run_alloc(0, 1, 1, &place, &a));
    pool.fail_at = (size_t)fail_at;
    const bool first = mic_run_alloc(SPAN, MIC_SEGMENT_SLICES + 88, 1, &place,
                                     &b); /* two calls: of two segments */
    const bool second = mic_run_alloc(1, 8, 1, &place, &c);
    fresh_require(!first || fail_at > 2);
    fresh_require(!second || fail_at > 1);
    pool.fail_at = 0;
    if (first) give(b);
    if (second) give(c);
    give(a);
    fresh_require(mic_load_relaxed(&mic_vm_counts.used_slices) == used);
    fresh_require(mic_run_alloc(SPAN, 2 * MIC_SEGMENT_SLICES, 1, &place, &b)); /* nothing is lost */
    memset(mic_run_start(b), 1, (size_t)b.count << MIC_SLICE_SHIFT);
}

static void run_callback_release(long committed)
{
    start();
    const mic_arena_for_t whom = {.subproc = 2, .exclusive = true, .numa = -1};
    const unsigned arena = pool_make(committed != 0, &whom);
    mic_place_t place = only(arena);
    place.subproc = 2;
    fresh_require(mic_run_alloc(SPAN, 700, 1, &place, &runs[0]));
    give(runs[0]);
    mic_arena_subproc_release(2);
    /* as it was given */
    fresh_require(pool_committed() == (committed != 0 ? sizeof pool.committed : 0));
    unsigned found;
    size_t slice;
    fresh_require(!mic_arena_find(pool.start, &found, &slice));
    const size_t reserved = fake_os_reserved_bytes();
    mic_given_t memory = {.start = pool.start, .bytes = 2 * MIC_SEGMENT_BYTES, .is_zero = true};
    unsigned again; /* in the same slot, whose descriptors suffice */
    fresh_require(mic_program_manage(&memory, &whom, &again) && again == arena);
    fresh_require(fake_os_reserved_bytes() == reserved);
    fresh_require(mic_run_alloc(SPAN, 700, 1, &place, &runs[0]));
    *mic_run_start(runs[0]) = 1;
}

/* ---- */

const fresh_case_t fresh_cases[] = {
    {"given", NULL, run_given},
    {"given_zero", NULL, run_given_zero},
    {"given_uncommitted", NULL, run_given_uncommitted},
    {"pinned", NULL, run_pinned},
    {"callback", NULL, run_callback},
    {"callback_fails", NULL, run_callback_fails},
    {"callback_release", NULL, run_callback_release},
    {NULL, NULL, NULL},
};

static void test_given(void **state)
{
    (void)state;
    CHECK("given", 1, 2, 7, 8, 63, 64, 100, 511, 512, 513, 600, 1536);
    CHECK("given_zero", 0, 1);
    CHECK("given_uncommitted", 0);
    CHECK("pinned", 0);
}

static void test_callback(void **state)
{
    (void)state;
    CHECK("callback", 0, 1);
    CHECK("callback_fails", 1, 2, 3, 4, 5);
    CHECK("callback_release", 0, 1);
}

int main(int argc, char **argv)
{
    if (argc > 1) return fresh_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
