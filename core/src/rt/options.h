/* Run-time options: one table with number, name, default, kind and sentence; docs/OPTIONS.md is
   generated from it. Read from the environment (MIMALLOC_<NAME>, case-insensitive) in
   mic_options_init, ignored under AT_SECURE; changed by mi_option_set. Lower layers read values
   through mic_option, at any time, from any thread. */
#ifndef MIC_RT_OPTIONS_H
#define MIC_RT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/atomic.h"

/* 0..46 are part of the binary interface of mimalloc 3.4.3; ours come behind. */
typedef enum mic_option {
    MIC_OPTION_SHOW_ERRORS = 0,
    MIC_OPTION_SHOW_STATS = 1,
    MIC_OPTION_VERBOSE = 2,
    MIC_OPTION_DEPRECATED_EAGER_COMMIT = 3,
    MIC_OPTION_ARENA_EAGER_COMMIT = 4,
    MIC_OPTION_PURGE_DECOMMITS = 5,
    MIC_OPTION_ALLOW_LARGE_OS_PAGES = 6,
    MIC_OPTION_RESERVE_HUGE_OS_PAGES = 7,
    MIC_OPTION_RESERVE_HUGE_OS_PAGES_AT = 8,
    MIC_OPTION_RESERVE_OS_MEMORY = 9,
    MIC_OPTION_DEPRECATED_SEGMENT_CACHE = 10,
    MIC_OPTION_DEPRECATED_PAGE_RESET = 11,
    MIC_OPTION_DEPRECATED_ABANDONED_PAGE_PURGE = 12,
    MIC_OPTION_DEPRECATED_SEGMENT_RESET = 13,
    MIC_OPTION_DEPRECATED_EAGER_COMMIT_DELAY = 14,
    MIC_OPTION_PURGE_DELAY = 15,
    MIC_OPTION_USE_NUMA_NODES = 16,
    MIC_OPTION_DISALLOW_OS_ALLOC = 17,
    MIC_OPTION_OS_TAG = 18,
    MIC_OPTION_MAX_ERRORS = 19,
    MIC_OPTION_MAX_WARNINGS = 20,
    MIC_OPTION_DEPRECATED_MAX_SEGMENT_RECLAIM = 21,
    MIC_OPTION_DESTROY_ON_EXIT = 22,
    MIC_OPTION_ARENA_RESERVE = 23,
    MIC_OPTION_ARENA_PURGE_MULT = 24,
    MIC_OPTION_DEPRECATED_PURGE_EXTEND_DELAY = 25,
    MIC_OPTION_DISALLOW_ARENA_ALLOC = 26,
    MIC_OPTION_RETRY_ON_OOM = 27,
    MIC_OPTION_VISIT_ABANDONED = 28,
    MIC_OPTION_GUARDED_MIN = 29,
    MIC_OPTION_GUARDED_MAX = 30,
    MIC_OPTION_GUARDED_PRECISE = 31,
    MIC_OPTION_GUARDED_SAMPLE_RATE = 32,
    MIC_OPTION_GUARDED_SAMPLE_SEED = 33,
    MIC_OPTION_GENERIC_COLLECT = 34,
    MIC_OPTION_PAGE_RECLAIM_ON_FREE = 35,
    MIC_OPTION_PAGE_FULL_RETAIN = 36,
    MIC_OPTION_PAGE_MAX_CANDIDATES = 37,
    MIC_OPTION_MAX_VABITS = 38,
    MIC_OPTION_PAGEMAP_COMMIT = 39,
    MIC_OPTION_PAGE_COMMIT_ON_DEMAND = 40,
    MIC_OPTION_PAGE_MAX_RECLAIM = 41,
    MIC_OPTION_PAGE_CROSS_THREAD_MAX_RECLAIM = 42,
    MIC_OPTION_ALLOW_THP = 43,
    MIC_OPTION_MINIMAL_PURGE_SIZE = 44,
    MIC_OPTION_ARENA_MAX_OBJECT_SIZE = 45,
    MIC_OPTION_ARENA_IS_NUMA_LOCAL = 46,
    MIC_OPTION_UPSTREAM_COUNT = 47,
    MIC_OPTION_REGION_SIZE = 47,  /* KiB of address space of the main region, 0 = automatic */
    MIC_OPTION_DEBUG_DEEP = 48,   /* debug builds: walk structures after each slow path */
    MIC_OPTION_PURGE_THREAD = 49, /* heap/purger.h */
    MIC_OPTION_COUNT
} mic_option_t;

/* current values, one word each: [atomic: relaxed] */
extern mic_atomic(uint64_t) mic_option_values[MIC_OPTION_COUNT];

mic_inline long mic_option(mic_option_t option)
{
    return (long)mic_load_relaxed(&mic_option_values[option]);
}

/* Reads the environment. Called at first use and, when environ was not set then, once more from the
   constructor; does nothing once it succeeded. Until then every option has its default. Bad values:
   one clear warning each, the default stays. */
void mic_options_init(void);
/* false while the environment could not be read yet */
bool mic_options_ready(void);

/* Warns (when messages are on) of every MIMALLOC_* variable that is no option of ours: most likely
   misspelt. `environment` as in environ, may be NULL. */
void mic_options_check_names(const char *const *environment);

/* For mi_option_*: options by number, out of range = 0 / ignored with a warning. A value set by the
   program wins over the environment, also when that is read later. */
long mic_option_get(int option);
void mic_option_set(int option, long value);
void mic_option_set_default(int option, long value); /* only if still at its default */
bool mic_option_is_default(int option); /* neither environment nor program gave a value */
bool mic_option_is_size(int option);    /* value counts KiB */
/* Prints "name = value" of every option; out NULL = the report output. */
void mic_options_print(void (*out)(const char *text, void *arg), void *arg);
/* Same, with `prefix` before each line and the default behind the value; unless `all`, only what
   differs from it. Returns how many. */
size_t mic_options_print_values(const char *prefix, bool all,
                                void (*out)(const char *text, void *arg), void *arg);
/* For the generator of docs/OPTIONS.md and the golden test: row i, false behind the last one. */
typedef struct mic_option_row {
    int number;
    const char *name;   /* lower case, as in the environment */
    const char *legacy; /* older name or NULL */
    const char *kind;   /* "bool", "number", "size" (KiB), "ms" */
    long initial;
    const char *sentence; /* what it does, or why it has no effect here */
} mic_option_row_t;
bool mic_option_describe(int index, mic_option_row_t *row);

#endif
