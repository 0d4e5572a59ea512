/* The options table, and how values get into it; see options.h for who may call what. Values are
   single words, read and written relaxed: an option guards nothing but itself. No libc: the
   environment may be read before libc is set up. */
#include "rt/options.h"

#include <limits.h>

#include "base/check.h"
#include "base/config.h"
#include "base/defaults.h"
#include "os/os.h"
#include "rt/report.h"

/* ---- the table: ROW(number, name, older name, kind, default, sentence) ---- */

#define KIND_BOOL "bool"
#define KIND_NUMBER "number"
#define KIND_SIZE "size"
#define KIND_MS "ms"
#define OLD "No effect: belongs to an earlier version."
#define NO_PAGE_MAP "No effect: there is no page map."

/* clang-format off */
#define OPTION_ROWS(ROW)                                                                           \
ROW(SHOW_ERRORS, "show_errors", NULL, KIND_BOOL, CFG_SHOW_ERRORS || CFG_DEBUG,                     \
    "Print errors and warnings; 1 in debug builds and with MI_SHOW_ERRORS.")                       \
ROW(SHOW_STATS, "show_stats", NULL, KIND_BOOL, 0,                                                  \
    "Print statistics when the process ends, or at mi_process_done.")                              \
ROW(VERBOSE, "verbose", NULL, KIND_BOOL, MI_DEFAULT_VERBOSE,                                       \
    "1 = print all messages, and at start version, build and changed options; 2 = all options.")   \
ROW(DEPRECATED_EAGER_COMMIT, "deprecated_eager_commit", "eager_commit", KIND_BOOL, 1, OLD)         \
ROW(ARENA_EAGER_COMMIT, "arena_eager_commit", "eager_region_commit", KIND_NUMBER,                  \
    MI_DEFAULT_ARENA_EAGER_COMMIT,                                                                 \
    "No effect: memory is committed in steps that double, from 1 MiB, as it is used.")             \
ROW(PURGE_DECOMMITS, "purge_decommits", "reset_decommits", KIND_BOOL, 1,                           \
    "How free memory is returned: 1 = right away, 0 = when the system asks for it (what is "       \
    "resident does not fall before).")                                                             \
ROW(ALLOW_LARGE_OS_PAGES, "allow_large_os_pages", "large_os_pages", KIND_NUMBER,                   \
    MI_DEFAULT_ALLOW_LARGE_OS_PAGES,                                                               \
    "Make what reserve_os_memory asks for of pages of 2 MiB, if the system has set enough aside; " \
    "other memory never is: such pages are not given back, and after a fork they may run out.")    \
ROW(RESERVE_HUGE_OS_PAGES, "reserve_huge_os_pages", NULL, KIND_NUMBER,                             \
    MI_DEFAULT_RESERVE_HUGE_OS_PAGES,                                                              \
    "Reserve this many pages of 1 GiB with the first malloc, half a second for each at most; "     \
    "where there are none, as much in pages of 2 MiB.")                                            \
ROW(RESERVE_HUGE_OS_PAGES_AT, "reserve_huge_os_pages_at", NULL, KIND_NUMBER, -1,                   \
    "NUMA node of reserve_huge_os_pages; -1 = spread over all nodes.")                             \
ROW(RESERVE_OS_MEMORY, "reserve_os_memory", NULL, KIND_SIZE, MI_DEFAULT_RESERVE_OS_MEMORY,         \
    "Reserve this much with the first malloc, as mi_reserve_os_memory does.")                      \
ROW(DEPRECATED_SEGMENT_CACHE, "deprecated_segment_cache", "segment_cache", KIND_NUMBER, 0, OLD)    \
ROW(DEPRECATED_PAGE_RESET, "deprecated_page_reset", "page_reset", KIND_BOOL, 0, OLD)               \
ROW(DEPRECATED_ABANDONED_PAGE_PURGE, "deprecated_abandoned_page_purge", "abandoned_page_purge",    \
    KIND_BOOL, 0, OLD)                                                                             \
ROW(DEPRECATED_SEGMENT_RESET, "deprecated_segment_reset", "segment_reset", KIND_BOOL, 0, OLD)      \
ROW(DEPRECATED_EAGER_COMMIT_DELAY, "deprecated_eager_commit_delay", "eager_commit_delay",          \
    KIND_NUMBER, 1, OLD)                                                                           \
ROW(PURGE_DELAY, "purge_delay", "reset_delay", KIND_MS, 1000,                                      \
    "How long memory stays free before it is returned; 0 = at once, -1 = never.")                  \
ROW(USE_NUMA_NODES, "use_numa_nodes", NULL, KIND_NUMBER, 0,                                        \
    "Pretend that there are this many NUMA nodes; 0 = ask the system.")                            \
ROW(DISALLOW_OS_ALLOC, "disallow_os_alloc", "limit_os_alloc", KIND_BOOL, 0,                        \
    "Blocks come only from arenas that were reserved or given; if these are full, memory is out.") \
ROW(OS_TAG, "os_tag", NULL, KIND_NUMBER, 100,                                                      \
    "No effect: mappings have tags on macOS only.")                                                \
ROW(MAX_ERRORS, "max_errors", NULL, KIND_NUMBER, 32,                                               \
    "Print at most this many errors; -1 = all.")                                                   \
ROW(MAX_WARNINGS, "max_warnings", NULL, KIND_NUMBER, 32,                                           \
    "Print at most this many warnings; -1 = all.")                                                 \
ROW(DEPRECATED_MAX_SEGMENT_RECLAIM, "deprecated_max_segment_reclaim", "max_segment_reclaim",       \
    KIND_NUMBER, 10, OLD)                                                                          \
ROW(DESTROY_ON_EXIT, "destroy_on_exit", NULL, KIND_NUMBER, 0,                                      \
    "Destroy all heaps but the main one, whose blocks may still be in use, and give free "         \
    "memory back: 1 = at exit and in mi_process_done, 2 = only there.")                            \
ROW(ARENA_RESERVE, "arena_reserve", NULL, KIND_SIZE, MI_DEFAULT_ARENA_RESERVE,                     \
    "No effect: one large region is reserved with the first malloc, see region_size; what is "     \
    "reserved when it is full is as large again.")                                                 \
ROW(ARENA_PURGE_MULT, "arena_purge_mult", NULL, KIND_NUMBER, 1,                                    \
    "Factor of purge_delay: all memory of ours is in arenas.")                                     \
ROW(DEPRECATED_PURGE_EXTEND_DELAY, "deprecated_purge_extend_delay", "purge_extend_delay",          \
    KIND_MS, 1, OLD)                                                                               \
ROW(DISALLOW_ARENA_ALLOC, "disallow_arena_alloc", NULL, KIND_BOOL,                                 \
    MI_DEFAULT_DISALLOW_ARENA_ALLOC,                                                               \
    "No effect: all memory comes from arenas.")                                                    \
ROW(RETRY_ON_OOM, "retry_on_oom", NULL, KIND_MS, 400,                                              \
    "No effect: waiting for memory is for Windows. Here all free memory is given back and the "    \
    "request tried once more.")                                                                    \
ROW(VISIT_ABANDONED, "visit_abandoned", NULL, KIND_BOOL, 0,                                        \
    "No effect: pages of ended threads can always be visited.")                                    \
ROW(GUARDED_MIN, "guarded_min", NULL, KIND_NUMBER, 0,                                              \
    "Guarded sampling: smallest request in bytes to guard.")                                       \
ROW(GUARDED_MAX, "guarded_max", NULL, KIND_NUMBER, 1024 * 1024 * 1024,                             \
    "Guarded sampling: largest request in bytes to guard; 64 MiB at most.")                        \
ROW(GUARDED_PRECISE, "guarded_precise", NULL, KIND_BOOL, 0,                                        \
    "Guarded sampling: end blocks exactly at the guard page, aligned or not.")                     \
ROW(GUARDED_SAMPLE_RATE, "guarded_sample_rate", NULL, KIND_NUMBER,                                 \
    MI_DEFAULT_GUARDED_SAMPLE_RATE,                                                                \
    "Guarded sampling: guard about one of this many blocks; 0 = none. Set while the program "      \
    "runs: from the next slow path of each thread on.")                                            \
ROW(GUARDED_SAMPLE_SEED, "guarded_sample_seed", NULL, KIND_NUMBER, 0,                              \
    "Guarded sampling: where sampling starts; 0 = random.")                                        \
ROW(GENERIC_COLLECT, "generic_collect", NULL, KIND_NUMBER, 10000,                                  \
    "No effect: a page is given back when it empties, and what others freed is collected "         \
    "before a page is taken; nothing waits for a number of calls.")                                \
ROW(PAGE_RECLAIM_ON_FREE, "page_reclaim_on_free", "abandoned_reclaim_on_free", KIND_NUMBER, 0,     \
    "No effect: a free takes over the page of a thread that has ended, and only such a page. It "  \
    "costs less than to tell whoever may own the page next.")                                      \
ROW(PAGE_FULL_RETAIN, "page_full_retain", NULL, KIND_NUMBER, 2,                                    \
    "No effect: a full page stays with its thread and comes back with its first free block.")      \
ROW(PAGE_MAX_CANDIDATES, "page_max_candidates", NULL, KIND_NUMBER, 4,                              \
    "No effect: the first page with room is taken, which is the one that waited longest.")         \
ROW(MAX_VABITS, "max_vabits", NULL, KIND_NUMBER, 0, NO_PAGE_MAP)                                   \
ROW(PAGEMAP_COMMIT, "pagemap_commit", NULL, KIND_BOOL, MI_DEFAULT_PAGEMAP_COMMIT, NO_PAGE_MAP)     \
ROW(PAGE_COMMIT_ON_DEMAND, "page_commit_on_demand", NULL, KIND_BOOL, 0,                            \
    "No effect: memory is committed in steps, and the system provides it when it is touched.")     \
ROW(PAGE_MAX_RECLAIM, "page_max_reclaim", NULL, KIND_NUMBER, MI_DEFAULT_PAGE_MAX_RECLAIM,          \
    "No effect: a thread adopts pages of ended threads one at a time, as it needs them.")          \
ROW(PAGE_CROSS_THREAD_MAX_RECLAIM, "page_cross_thread_max_reclaim", NULL, KIND_NUMBER,             \
    MI_DEFAULT_PAGE_CROSS_THREAD_MAX_RECLAIM,                                                      \
    "No effect: see page_max_reclaim.")                                                            \
ROW(ALLOW_THP, "allow_thp", NULL, KIND_NUMBER, MI_DEFAULT_ALLOW_THP,                               \
    "Transparent huge pages in memory reserved from then on: 0 = never, 1 = as the system is "     \
    "set up, 2 = the same, and free memory is kept until 2 MiB of it lie together.")               \
ROW(MINIMAL_PURGE_SIZE, "minimal_purge_size", NULL, KIND_SIZE, 0,                                  \
    "Return free memory only in runs of at least this size, at least a slice; "          \
    "mi_collect(true) returns all. 0 = a slice, or 2 MiB where allow_thp is 2.")                   \
ROW(ARENA_MAX_OBJECT_SIZE, "arena_max_object_size", NULL, KIND_SIZE,                               \
    MI_DEFAULT_ARENA_MAX_OBJECT_SIZE,                                                              \
    "No effect: blocks of any size come from arenas.")                                             \
ROW(ARENA_IS_NUMA_LOCAL, "arena_is_numa_local", NULL, KIND_BOOL, 0,                                \
    "No effect: the system places memory on the node that touches it first; see "                  \
    "mi_heap_set_numa_affinity for arenas that are on a node.")                                    \
ROW(REGION_SIZE, "region_size", NULL, KIND_SIZE, 0,                                                \
    "Address space to reserve with the first malloc; 0 = 1 TiB, or less where limits ask for it.") \
ROW(DEBUG_DEEP, "debug_deep", NULL, KIND_BOOL, 0,                                                  \
    "Debug builds: check whole structures after each slow path (slow).")                           \
ROW(PURGE_THREAD, "purge_thread", NULL, KIND_BOOL, 0,                                              \
    "A thread of the library's gives back what is due while all others are idle; it starts when "  \
    "the process holds 1 MiB, and sleeps while nothing is due.")
/* clang-format on */

#define ROW_INFO(id, name, legacy, kind, initial, sentence)                                        \
    [MIC_OPTION_##id] = {MIC_OPTION_##id, name, legacy, kind, initial, sentence},
static const mic_option_row_t option_rows[] = {OPTION_ROWS(ROW_INFO)};

#define ROW_VALUE(id, name, legacy, kind, initial, sentence)                                       \
    [MIC_OPTION_##id] = (uint64_t)(initial),
mic_atomic(uint64_t) mic_option_values[MIC_OPTION_COUNT] = {OPTION_ROWS(ROW_VALUE)};

#define ROW_COUNT(id, name, legacy, kind, initial, sentence) +1
_Static_assert(0 OPTION_ROWS(ROW_COUNT) == MIC_OPTION_COUNT, "a row for each option");
_Static_assert(sizeof option_rows / sizeof option_rows[0] == MIC_OPTION_COUNT, "and no other");
_Static_assert(MIC_OPTION_COUNT <= 64, "one bit each in the sets below");

/* [atomic: relaxed] sets of options, a bit each: who gave the value. Neither: it is the default. */
static mic_atomic(uint64_t) option_from_environment, option_from_program;

/* [atomic] 0 = the environment was not read, 1 = somebody reads it, 2 = done */
static mic_atomic(uint32_t) option_state;

static bool option_in(mic_atomic(uint64_t) *set, int option)
{
    return (mic_load_relaxed(set) >> option & 1) != 0;
}

/* set NULL: the value counts as the default */
static void option_store(int option, long value, mic_atomic(uint64_t) *set)
{
    mic_store_relaxed(&mic_option_values[option], (uint64_t)value);
    if (set != NULL) mic_fetch_or_relaxed(set, (uint64_t)1 << option);
    if (option == MIC_OPTION_DEBUG_DEEP) mic_deep_enabled = value > 0;
}

/* ---- parsing; ASCII only, whatever the locale ---- */

static char option_upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

/* a and b are equal but for case; a may end in `end` instead of zero */
static bool option_same(const char *a, char end, const char *b)
{
    for (; *a != 0 && *a != end; a++, b++) {
        if (option_upper(*a) != option_upper(*b)) return false;
    }
    return *b == 0;
}

static bool option_has_kind(int option, const char *kind)
{
    return option_same(option_rows[option].kind, 0, kind);
}

static bool parse_word(const char *text, long *value)
{
    static const char *const words[2][3] = {{"FALSE", "NO", "OFF"}, {"TRUE", "YES", "ON"}};
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) {
            *value = i;
            if (option_same(text, 0, words[i][j])) return true;
        }
    }
    return false;
}

/* What is wrong with the text, or NULL: then *value is set. */
static const char *parse_value(int option, const char *text, long *value)
{
    const bool is_size = mic_option_is_size(option);
    const char *const unknown = is_size ? "is not a size (KiB, or a number with K, M, G or T)"
                                        : "is not a number, TRUE or FALSE";
    if (*text == 0 && option_has_kind(option, KIND_BOOL)) { /* as upstream: set, so it is on */
        *value = 1;
        return NULL;
    }
    if (parse_word(text, value)) return NULL;
    const bool negative = *text == '-';
    if (*text == '-' || *text == '+') text++;
    if (*text < '0' || *text > '9') return unknown;
    if (is_size && negative) return "is negative";
    bool overflow = false;
    long number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        const int digit = *text - '0';
        overflow |= __builtin_mul_overflow(number, 10, &number);
        overflow |= __builtin_sub_overflow(number, digit, &number); /* LONG_MIN has no opposite */
    }
    if (!negative) overflow |= __builtin_sub_overflow(0L, number, &number);
    if (is_size) {
        const char *const letters = "KMGT";
        for (int i = 0; i < 4; i++) {
            if (option_upper(*text) != letters[i]) continue;
            overflow |= __builtin_mul_overflow(number, 1L << (10 * i), &number);
            text++;
            if (option_same(text, 0, "B") || option_same(text, 0, "IB")) text = "";
            break;
        }
        overflow |= number > LONG_MAX / 1024;
    }
    if (*text != 0) return unknown;
    if (overflow) return "is out of range";
    *value = number;
    return NULL;
}

/* ---- the environment ---- */

#define OPTION_PREFIX "MIMALLOC_"
#define OPTION_NAME_MAX 64 /* of a variable */

static const char *option_unit(int option)
{
    if (option_has_kind(option, KIND_SIZE)) return " KiB";
    return option_has_kind(option, KIND_MS) ? " ms" : "";
}

static const char *option_getenv(const char *name, char *variable)
{
    mic_format(variable, OPTION_NAME_MAX, OPTION_PREFIX "%s", name);
    for (char *at = variable; *at != 0; at++) *at = option_upper(*at);
    return mic_os_getenv(variable);
}

static void option_read(int option)
{
    const mic_option_row_t *const row = &option_rows[option];
    char variable[OPTION_NAME_MAX];
    const char *text = option_getenv(row->name, variable);
    if (text == NULL && row->legacy != NULL) {
        text = option_getenv(row->legacy, variable);
        if (text != NULL)
            mic_report_warning(false, "%s is an old name of option %s", variable, row->name);
    }
    if (text == NULL || option_in(&option_from_program, option)) return;
    long value = 0;
    const char *const wrong = parse_value(option, text, &value);
    if (wrong == NULL) {
        option_store(option, value, &option_from_environment);
    } else {
        mic_report_warning(true, "%s=%.60s %s; using the default, %ld%s", variable, text, wrong,
                           row->initial, option_unit(option));
    }
}

bool mic_options_ready(void) { return mic_load_acquire(&option_state) == 2; }

void mic_options_init(void)
{
    if (mic_options_ready()) return;
    uint32_t expected = 0;
    if (!mic_cas_acquire(&option_state, &expected, 1)) return;
    bool ready = true;
    mic_os_init(); /* another's constructor may be here before ours */
    if (!mic_os_info.secure_execution) {
        /* most processes have none: then some fifty names need not be made */
        const bool any = mic_os_environment_has(OPTION_PREFIX, &ready);
        for (int i = 0; any && i < MIC_OPTION_COUNT; i++) option_read(i);
    }
    mic_store_release(&option_state, ready ? 2 : 0);
}

void mic_options_check_names(const char *const *environment)
{
    if (mic_os_info.secure_execution || environment == NULL) return;
    for (; *environment != NULL; environment++) {
        const char *name = *environment;
        const char *prefix = OPTION_PREFIX;
        while (*prefix != 0 && option_upper(*name) == *prefix) {
            prefix++;
            name++;
        }
        if (*prefix != 0) continue;
        bool known = option_same(name, '=', "DISABLE_REDIRECT") || /* of Windows */
                     option_same(name, '=', "AUTOINSTALL");        /* of the Python package */
        int length = 0;
        while (name[length] != 0 && name[length] != '=') length++;
        for (int i = 0; !known && i < MIC_OPTION_COUNT; i++) {
            const mic_option_row_t *const row = &option_rows[i];
            known = option_same(name, '=', row->name) ||
                    (row->legacy != NULL && option_same(name, '=', row->legacy));
        }
        if (!known) mic_report_warning(false, "MIMALLOC_%.*s is not an option", length, name);
    }
}

/* ---- for mi_option_* ---- */

static bool option_is_valid(int option)
{
    if (option >= 0 && option < MIC_OPTION_COUNT) return true;
    mic_report_warning(false, "there is no option with the number %d", option);
    return false;
}

long mic_option_get(int option)
{
    mic_options_init();
    return option_is_valid(option) ? mic_option((mic_option_t)option) : 0;
}

void mic_option_set(int option, long value)
{
    mic_options_init();
    if (option_is_valid(option)) option_store(option, value, &option_from_program);
}

bool mic_option_is_default(int option)
{
    return !option_in(&option_from_environment, option) && !option_in(&option_from_program, option);
}

void mic_option_set_default(int option, long value)
{
    mic_options_init();
    if (option_is_valid(option) && mic_option_is_default(option)) option_store(option, value, NULL);
}

bool mic_option_is_size(int option)
{
    return option >= 0 && option < MIC_OPTION_COUNT && option_has_kind(option, KIND_SIZE);
}

bool mic_option_describe(int index, mic_option_row_t *row)
{
    if (index < 0 || index >= MIC_OPTION_COUNT) return false;
    *row = option_rows[index];
    return true;
}

void mic_options_print(void (*out)(const char *text, void *arg), void *arg)
{
    mic_options_init();
    for (int i = 0; i < MIC_OPTION_COUNT; i++) {
        const char *origin = "";
        if (option_in(&option_from_environment, i)) origin = " (environment)";
        if (option_in(&option_from_program, i)) origin = " (set by the program)";
        mic_report_to(out, arg, "%-30s = %ld%s%s\n", option_rows[i].name,
                      mic_option((mic_option_t)i), option_unit(i), origin);
    }
}

size_t mic_options_print_values(const char *prefix, bool all,
                                void (*out)(const char *text, void *arg), void *arg)
{
    size_t count = 0;
    for (int i = 0; i < MIC_OPTION_COUNT; i++) {
        const mic_option_row_t *const row = &option_rows[i];
        const long value = mic_option((mic_option_t)i);
        if (value == row->initial && !all) continue;
        mic_report_to(out, arg, "%s%s = %ld%s (default %ld%s)\n", prefix, row->name, value,
                      option_unit(i), row->initial, option_unit(i));
        count++;
    }
    return count;
}
