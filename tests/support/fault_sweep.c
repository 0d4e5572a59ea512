/* The driver of the fault sweep; see fault_sweep.h. Each run is a forked process of a program whose
   library has not allocated yet, so the n-th call is the same one in every run. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define FAULT_API_PLAIN
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/walk.h"
#include "base/atomic.h"
#include "fake_os.h"
#include "fault_sweep.h"
#include "heap/thread.h"
#include "vm/arena.h"
#include "vm/place.h"

#define FAULT_RUN_SECONDS 300 /* others may be using the machine */

/* What a process has when the test is over and everything was collected. */
typedef struct fault_state {
    size_t live, live_bytes; /* blocks */
    size_t pages, used_slices;
    size_t records;
    size_t unpurged_slices;  /* free, but with memory */
    size_t committed_slices; /* of the free ones, where commits are charged */
    size_t reserved_bytes;
} fault_state_t;

/* The part that runs and driver share. */
typedef struct fault_shared {
    fake_os_tally_t calls;     /* of the run and of its children */
    double seconds;            /* that it took */
    fault_state_t state, used; /* if the test passed: at the end; and after some more use */
    mic_atomic(uint64_t) met[FAULT_FUNCTIONS], refused[FAULT_FUNCTIONS];
} fault_shared_t;

typedef struct fault_mode {
    const char *name;
    fake_os_kind_t kind;
    int error;
    bool all;
} fault_mode_t;

static const fault_mode_t fault_modes[] = {
    {"the n-th call", FAKE_OS_ANY, ENOMEM, false},
    {"all from the n-th", FAKE_OS_ANY, ENOMEM, true},
    {"reserve", FAKE_OS_RESERVE, ENOMEM, true},
    {"commit", FAKE_OS_COMMIT, ENOMEM, true},
    {"decommit", FAKE_OS_DECOMMIT, ENOMEM, true},
    {"purge", FAKE_OS_PURGE, ENOMEM, true},
    {"purge of locked memory", FAKE_OS_PURGE, EINVAL, true},
    {"lazy purge", FAKE_OS_PURGE_LAZY, ENOMEM, true},
    {"move", FAKE_OS_MOVE, ENOMEM, true},
    {"refresh", FAKE_OS_REFRESH, ENOMEM, true},
    {"advice", FAKE_OS_ADVISE_HUGE, EINVAL, true},
    {"thread key", FAKE_OS_THREAD_KEY, EAGAIN, true},
    {"thread key's value", FAKE_OS_THREAD_ARM, ENOMEM, true},
    {"fork handlers", FAKE_OS_ON_FORK, ENOMEM, true},
};
#define FAULT_MODES (sizeof fault_modes / sizeof fault_modes[0])

/* Systems and settings that take other ways through the library. */
typedef struct fault_variant {
    const char *name;
    bool strict;         /* commits are charged */
    long purge_delay_ms; /* < 0: as usual */
    long region_kib;     /* 0: as usual */
    size_t most;         /* about so many points of a mode, spread over all */
} fault_variant_t;

static const fault_variant_t fault_variants[] = {
    {"as usual", false, -1, 0, 200},
    {"charged", true, -1, 0, 20},
    {"arenas of one segment", false, -1, 32 * 1024, 20},
    {"purged at once", false, 0, 0, 10},
};
#define FAULT_VARIANTS (sizeof fault_variants / sizeof fault_variants[0])

static fault_shared_t *fault_shared;
static const fault_variant_t *fault_variant = fault_variants;
static bool fault_wanted[FAULT_FUNCTIONS];
static mic_atomic(uint32_t) fault_armed;

void fault_require_functions(const fault_function_t *but, size_t count)
{
    memset(fault_wanted, true, sizeof fault_wanted);
    for (size_t i = 0; i < count; i++) fault_wanted[but[i]] = false;
}

bool fault_is_armed(void) { return mic_load_acquire(&fault_armed) != 0; }

void fault_disarm(void)
{
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    mic_store_release(&fault_armed, 0);
}

void fault_count(fault_function_t function, bool refused)
{
    mic_fetch_add_relaxed(&fault_shared->met[function], 1);
    if (refused) mic_fetch_add_relaxed(&fault_shared->refused[function], 1);
}

void fault_fail(const char *what, fault_function_t function, const char *file, int line)
{
    const char *const name = function < FAULT_FUNCTIONS ? fault_function_names[function] : "end";
    fprintf(stderr, "%s:%d: %s: failed: %s\n", file, line, name, what);
    fflush(NULL);
    _exit(3);
}

/* ---- before the library's constructor: what the fake system is like ---- */

__attribute__((constructor(101))) static void fault_before(void)
{
    fake_os_settings.process_is_real = true;
    fake_os_settings.clock_step_ms = 1;
}

/* ---- the end of a run ---- */

#define FAULT_HELPERS_MAX 64

/* A thread whose end the system did not tell leaves its record to later threads: as many as there
   are records, all at a time, so that none takes what another one has handed over. */
static void *fault_helper(void *ready)
{
    mi_free(mi_malloc(1));
    pthread_barrier_wait(ready);
    mi_thread_done();
    return NULL;
}

static unsigned fault_records; /* before those of the helpers */

static void fault_take_over_dead(void)
{
    const bool dead = fake_os_failed(FAKE_OS_THREAD_KEY) + fake_os_failed(FAKE_OS_THREAD_ARM) != 0;
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next) fault_records++;
    const unsigned count = dead && fault_records < FAULT_HELPERS_MAX ? fault_records + 1 : 1;
    pthread_t threads[FAULT_HELPERS_MAX];
    pthread_barrier_t ready;
    pthread_barrier_init(&ready, NULL, count);
    for (unsigned i = 0; i < count; i++)
        fault_require(pthread_create(&threads[i], NULL, fault_helper, &ready) == 0,
                      FAULT_FUNCTIONS);
    for (unsigned i = 0; i < count; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&ready);
}

static void fault_count_segment(const mic_arena_t *arena, size_t segment, fault_state_t *state)
{
    const mic_segment_t *const s = &arena->segments[segment];
    const size_t first = segment * MIC_SEGMENT_SLICES;
    const size_t slices = arena->slice_count - first < MIC_SEGMENT_SLICES
                              ? arena->slice_count - first
                              : MIC_SEGMENT_SLICES;
    const uint32_t owner = mic_segment_owner(s);
    const bool purgeable =
        (owner & MIC_OWNER_ARENA) == 0 || mic_arena_is_ordinary(owner & ~MIC_OWNER_ARENA);
    size_t free_slices = 0;
    for (size_t i = 0; i < MIC_SEGMENT_WORDS; i++) {
        const uint64_t word = mic_load_relaxed(&s->free[i]);
        free_slices += mic_bit_count(word);
        if (purgeable)
            state->unpurged_slices += mic_bit_count(word & mic_load_relaxed(&s->dirty[i]));
    }
    if (free_slices == slices && fault_variant->strict)
        state->committed_slices += mic_load_relaxed(&s->committed);
}

static void fault_read_state(fault_state_t *state)
{
    memset(state, 0, sizeof *state);
    static mic_heap_counts_t counts;
    mic_heap_count(&counts);
    state->live = counts.live;
    state->live_bytes = counts.live_bytes;
    state->pages = counts.pages;
    state->records = fault_records;
    state->used_slices = mic_load_relaxed(&mic_vm_counts.used_slices);
    state->reserved_bytes = fake_os_reserved_bytes();
    for (uint32_t a = 0; a < mic_load_acquire(&mic_arena_count); a++)
        for (size_t k = 0; k < mic_load_acquire(&mic_arenas[a].opened); k++)
            fault_count_segment(&mic_arenas[a], k, state);
}

/* Blocks of all sizes can be had, read as zero when asked, and go back. */
static void fault_use(void)
{
    static const size_t sizes[] = {1, 500, 5000, 50000, 500000, 5000000, 40000000};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    char *blocks[SIZES];
    for (size_t i = 0; i < SIZES; i++) {
        blocks[i] = i % 2 == 0 ? mi_malloc(sizes[i]) : mi_zalloc(sizes[i]);
        fault_require(blocks[i] != NULL, FAULT_FUNCTIONS);
        if (i % 2 != 0) fault_require(blocks[i][0] == 0, FAULT_FUNCTIONS);
        blocks[i][0] = blocks[i][sizes[i] - 1] = 1;
    }
    for (size_t i = 0; i < SIZES; i++) mi_free(blocks[i]);
}

static void fault_finish(void)
{

    fault_take_over_dead();
    mi_collect(true);
    fault_read_state(&fault_shared->state);
    fault_use();
    mi_collect(true);
    fault_read_state(&fault_shared->used);
}

/* ---- one run ---- */

typedef struct fault_group {
    const struct CMUnitTest *test;
    CMFixtureFunction setup, teardown;
} fault_group_t;

static bool fault_warm; /* the test wants a process that allocated before */

static _Noreturn void fault_child(const fault_group_t *group, const fault_mode_t *mode, size_t n,
                                  int text)
{
    dup2(text, STDOUT_FILENO);
    dup2(text, STDERR_FILENO);
    alarm(FAULT_RUN_SECONDS);
    fake_os_strict_overcommit = fault_variant->strict;
    if (fault_variant->purge_delay_ms >= 0)
        mi_option_set(mi_option_purge_delay, fault_variant->purge_delay_ms);
    if (fault_variant->region_kib != 0)
        mi_option_set(mi_option_region_size, fault_variant->region_kib);
    if (fault_warm) mi_free(mi_malloc(1));
    fake_os_forget();
    memset(&fault_shared->calls, 0, sizeof fault_shared->calls);
    fake_os_tally = &fault_shared->calls;
    if (mode != NULL) {
        fake_os_fail(mode->kind, n, mode->error, mode->all);
        mic_store_release(&fault_armed, 1);
    }
    const int failed =
        _cmocka_run_group_tests("fault", group->test, 1, group->setup, group->teardown);
    fake_os_tally = NULL;
    fault_disarm();
    if (failed == 0) fault_finish();
    fflush(NULL);
    _exit(failed != 0);
}

static int fault_text = -1; /* what the last run wrote */

static void fault_show_text(void)
{
    char part[4096];
    lseek(fault_text, 0, SEEK_SET);
    for (ssize_t n; (n = read(fault_text, part, sizeof part)) > 0;)
        fwrite(part, 1, (size_t)n, stderr);
}

/* True if the test passed; fault_shared says the rest. */
static bool fault_run(const fault_group_t *group, const fault_mode_t *mode, size_t n)
{
    fflush(NULL);
    if (fault_text < 0) fault_text = memfd_create("fault", MFD_CLOEXEC);
    if (fault_text < 0 || ftruncate(fault_text, 0) != 0) return false;
    lseek(fault_text, 0, SEEK_SET);
    const pid_t pid = fork();
    if (pid == 0) fault_child(group, mode, n, fault_text);
    int status = -1;
    struct rusage use;
    const bool ok = pid > 0 && wait4(pid, &status, 0, &use) == pid && status == 0;
    fault_shared->seconds = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                            (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6 + 1e-6;
    if (ok) return true;
    if (!WIFEXITED(status)) dprintf(fault_text, "status %#x\n", (unsigned)status);
    return false;
}

/* ---- one test ---- */

static bool fault_compare(const char *what, size_t now, size_t expected, bool less_will_do)
{
    if (now == expected || (less_will_do && now < expected)) return true;
    fprintf(stderr, "  %s: %zu, without failures %zu\n", what, now, expected);
    return false;
}

/* Two more sets of arenas as large as those there were: when a commit fails it may be for want of
   memory just there, and after a reservation that was halved the next is as large as all so far. */
static bool fault_reserved_is(size_t now, size_t expected)
{
    const size_t records = MIC_GIB; /* reserved for records */
    if (now <= expected || now - records <= 3 * (expected - records)) return true;
    return fault_compare("reserved bytes", now, expected, true);
}

/* The same as without failures; `locked`: memory is locked, and stays where it is. */
static bool fault_state_is(const fault_state_t *now, const fault_state_t *expected, bool locked,
                           size_t threads)
{
    bool ok = fault_compare("live blocks", now->live, expected->live, false);
    ok &= fault_compare("live bytes", now->live_bytes, expected->live_bytes, false);
    ok &= fault_compare("pages", now->pages, expected->pages, false);
    ok &= fault_compare("slices in use", now->used_slices, expected->used_slices, false);
    /* of threads that run at the same time there may be more or fewer */
    const size_t records = expected->records + threads - 1;
    ok &= fault_compare("thread records", now->records, records, true);
    if (!locked)
        ok &= fault_compare("free slices with memory", now->unpurged_slices,
                            expected->unpurged_slices, true);
    ok &= fault_compare("free slices charged", now->committed_slices, expected->committed_slices,
                        true);
    return fault_reserved_is(now->reserved_bytes, expected->reserved_bytes) && ok;
}

/* What cannot hold when the system refuses some things for good: how much memory is given back,
   guards that could not be set, and what depends on the ends of threads being noticed; and a thread without a record gets its first
   blocks from one that is not counted as exactly as its own. */
static const struct {
    const char *test;
    fake_os_kind_t kinds[2]; /* when one of these was refused */
} fault_excuses[] = {
    {"idle_gives_memory_back", {FAKE_OS_PURGE, FAKE_OS_DECOMMIT}},
    {"process_done_destroys_heaps_but_the_main_one", {FAKE_OS_PURGE, FAKE_OS_DECOMMIT}},
    {"forced_collection_gives_memory_back", {FAKE_OS_PURGE, FAKE_OS_DECOMMIT}},
    {"blocks_are_counted_exactly", {FAKE_OS_COMMIT, FAKE_OS_RESERVE}},
    {"threads_are_counted", {FAKE_OS_COMMIT, FAKE_OS_RESERVE}},
    {"threads_are_counted", {FAKE_OS_THREAD_KEY, FAKE_OS_THREAD_ARM}},
    {"subprocs_count_for_themselves", {FAKE_OS_THREAD_KEY, FAKE_OS_THREAD_ARM}},
    {"subprocesses_are_counted_apart", {FAKE_OS_THREAD_KEY, FAKE_OS_THREAD_ARM}},
    {"blocks_of_ended_threads", {FAKE_OS_THREAD_KEY, FAKE_OS_THREAD_ARM}},
    {"beside_a_block_is_a_guard", {FAKE_OS_GUARD, FAKE_OS_GUARD}},
};

static bool fault_is_excused(const char *test)
{
    for (size_t i = 0; i < sizeof fault_excuses / sizeof fault_excuses[0]; i++) {
        const fake_os_kind_t *const kinds = fault_excuses[i].kinds;
        if (strcmp(test, fault_excuses[i].test) == 0 &&
            fault_shared->calls.failed[kinds[0]] + fault_shared->calls.failed[kinds[1]] != 0)
            return true;
    }
    return false;
}

static void fault_show_kinds(void)
{
    static const char *const kinds[FAKE_OS_KINDS] = {
        "reserve",    "unreserve",  "commit",     "decommit",   "purge",
        "lazy purge", "move",       "refresh",    "advice",     "guard",
        "unguard",    "huge pages", "thread key", "thread arm", "fork handlers"};
    for (int i = 0; i < FAKE_OS_KINDS; i++)
        if (fault_shared->calls.failed[i] != 0)
            fprintf(stderr, "  %zu calls failed: %s\n", fault_shared->calls.failed[i], kinds[i]);
}

#define FAULT_MODE_SECONDS 2.0 /* of processor: about as long a mode of a test may take */

static bool fault_left_out; /* not every n was tried */

/* Calls from one point to the next: 1 unless the test makes very many of them, or takes long.
   MI_TEST_SCALE in times of its default gives as many times more points; 100: all there are. */
static size_t fault_step(size_t calls, double seconds)
{
    const char *const text = getenv("MI_TEST_SCALE");
    const long percent = text != NULL ? atol(text) : 5;
    if (percent >= 100) return 1;
    const size_t scale = percent > 5 ? (size_t)percent / 5 : 1;
    /* the first variant is the one that matters */
    const double share = fault_variant == fault_variants ? 1 : 0.2;
    const size_t in_time = 5 + (size_t)(share * FAULT_MODE_SECONDS / seconds);
    return 1 + calls / (scale * (in_time < fault_variant->most ? in_time : fault_variant->most));
}

/* Returns the number of runs in which something failed, or SIZE_MAX when one went wrong. */
static size_t fault_sweep_mode(const fault_group_t *group, const fault_mode_t *mode,
                               const fault_shared_t *expected)
{
    const bool locked = mode->error == EINVAL;
    const size_t step = fault_step(expected->calls.counts[mode->kind], expected->seconds);
    fault_left_out |= step > 1;
    size_t points = 0;
    const size_t most =
        1000 + 10 * expected->calls.counts[mode->kind]; /* failures cause more calls */
    for (size_t n = 1; n < most; n += step) {
        const bool passed = fault_run(group, mode, n);
        const size_t armed = fault_shared->calls.counts[FAKE_OS_THREAD_ARM];
        const size_t threads = armed > 1 ? armed : 1;
        const bool excused = fault_is_excused(group->test->name);
        const bool ok = passed || excused;
        if (!ok || (!excused &&
                    (!fault_state_is(&fault_shared->state, &expected->state, locked, threads) ||
                     !fault_state_is(&fault_shared->used, &expected->used, locked, threads)))) {
            fault_show_text();
            fault_show_kinds();
            fprintf(stderr, "%s, %s: %s, n = %zu: %s\n", group->test->name, fault_variant->name,
                    mode->name, n, ok ? "not as without failures" : "the test failed");
            return SIZE_MAX;
        }
        if (fault_shared->calls.failed[FAKE_OS_ANY] == 0) return points;
        points++;
    }
    fprintf(stderr, "%s: %s: no end\n", group->test->name, mode->name);
    return SIZE_MAX;
}

/* Returns false if a run went wrong; adds to the points. */
static bool fault_sweep_test(const fault_group_t *group, size_t *points)
{
    fault_warm = false;
    if (!fault_run(group, NULL, 0)) fault_warm = true;
    if (fault_warm && !fault_run(group, NULL, 0)) {
        fault_show_text();
        fprintf(stderr, "%s, %s: fails when nothing fails\n", group->test->name,
                fault_variant->name);
        return false;
    }
    static fault_shared_t expected;
    memcpy(&expected, fault_shared, sizeof expected);
    size_t sum = 0;
    bool ok = true;
    for (size_t m = 0; m < FAULT_MODES; m++) {
        if (expected.calls.counts[fault_modes[m].kind] == 0) continue;
        const size_t n = fault_sweep_mode(group, &fault_modes[m], &expected);
        if (n == SIZE_MAX)
            ok = false;
        else
            sum += n;
    }
    printf("  %-45s %6zu calls %7zu points%s\n", group->test->name,
           expected.calls.counts[FAKE_OS_ANY], sum, ok ? "" : "   FAILED");
    *points += sum;
    return ok;
}

/* ---- all of them ---- */

static bool fault_report_functions(bool all)
{
    bool ok = true;
    printf("  %-45s %6s %14s\n", "function", "calls that met a failure", "refused");
    for (size_t i = 0; i < FAULT_FUNCTIONS; i++) {
        const size_t met = mic_load_relaxed(&fault_shared->met[i]);
        if (met != 0)
            printf("  %-45s %6zu %14zu\n", fault_function_names[i], met,
                   (size_t)mic_load_relaxed(&fault_shared->refused[i]));
        if (met != 0 || !fault_wanted[i] || !all) continue;
        fprintf(stderr, "no call of %s met a failure\n", fault_function_names[i]);
        ok = false;
    }
    return ok;
}

int fault_run_group(const struct CMUnitTest *tests, size_t count, CMFixtureFunction setup,
                    CMFixtureFunction teardown)
{
    const char *const only = getenv("MI_TEST_ONLY"), *const variant = getenv("MI_TEST_VARIANT");
    fault_shared =
        mmap(NULL, sizeof *fault_shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fault_shared == MAP_FAILED) return 1;
    size_t points = 0;
    int failed = 0;
    for (size_t v = 0; v < FAULT_VARIANTS; v++) {
        fault_variant = &fault_variants[v];
        if (variant != NULL && strcmp(variant, fault_variant->name) != 0) continue;
        printf("%s:\n", fault_variant->name);
        for (size_t i = 0; i < count; i++) {
            if (only != NULL && strcmp(tests[i].name, only) != 0) continue;
            const fault_group_t group = {&tests[i], setup, teardown};
            if (!fault_sweep_test(&group, &points)) failed++;
        }
    }
    if (!fault_report_functions(only == NULL && variant == NULL)) failed++;
    printf("%zu points, %s, %d failures\n", points, fault_left_out ? "some n left out" : "every n",
           failed);
    if (points == 0) fprintf(stderr, "nothing failed: the sweep did not work\n");
    return failed != 0 || points == 0;
}
