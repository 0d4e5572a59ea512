/* What the tests of the program's arenas share. Include once, in the test itself. */
#ifndef PROGRAM_TEST_H
#define PROGRAM_TEST_H

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
#include "rt/options.h"
#include "vm/program.h"
#include "vm/vm_internal.h"

#define SPAN (MIC_PAGE_KINDS - 1)
#define RUNS 40000

static const size_t kind_slices[MIC_PAGE_KINDS] = {1, 8, 64, 3};
mic_unused static const mic_arena_for_t everybody = {.subproc = 0, .exclusive = false, .numa = -1};
static const mic_arena_for_t nobody_else = {.subproc = 0, .exclusive = true, .numa = -1};
static mic_run_t runs[RUNS];

static inline mic_place_t only(unsigned arena)
{
    return (mic_place_t){.arena = (uint16_t)(arena + 1), .subproc = 0, .numa = -1};
}

static inline void give(mic_run_t run)
{
    run.zero = false;
    mic_run_free(run);
}

/* as many runs of a kind as there are in a place; all in one arena, `write`: they can be written */
static inline size_t take_all(unsigned kind, const mic_place_t *place, unsigned arena)
{
    size_t n = 0;
    while (n < RUNS && mic_run_alloc(kind, kind_slices[kind], 1, place, &runs[n])) {
        fresh_require(runs[n].arena == arena);
        *mic_run_start(runs[n]) = 1;
        n++;
    }
    fresh_require(n < RUNS);
    return n;
}

static inline void give_all(size_t n)
{
    for (size_t i = 0; i < n; i++) give(runs[i]);
}

static inline void start(void) { fresh_require(mic_process_start()); }

static inline void *user_memory(size_t bytes)
{
    void *p;
    fresh_require(mic_os_reserve(bytes, MIC_ARENA_ALIGN_BYTES, &p) == 0);
    return p;
}

static inline mic_given_t given(void *p, size_t bytes, bool committed)
{
    if (committed) fresh_require(mic_os_commit(p, bytes) == 0);
    return (mic_given_t){.start = p, .bytes = bytes, .is_committed = committed, .is_zero = true};
}

static inline void check(const char *name, const long *arguments, size_t count)
{
    for (size_t i = 0; i < count; i++) assert_int_equal(fresh_run(name, arguments[i]), 0);
}
#define CHECK(name, ...)                                                                           \
    check(name, (const long[]){__VA_ARGS__}, sizeof((const long[]){__VA_ARGS__}) / sizeof(long))

#endif
