/* One check for each thing that this library does otherwise than mimalloc 3.4.3, where a C program
   can tell. The library under test is preloaded:

       LD_PRELOAD=<library> regressions <check> [release|debug|secure]

   Status 0: right. 1: wrong, with the reason on stderr. 127, from the dynamic linker: the library
   does not have the functions that the check needs. The program is linked with no library of the
   kind (test_regressions.py), and uses only what it declares or mimalloc.h does. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mimalloc.h"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static bool secure; /* the build that looks at every free */
static bool canary; /* secure and debug builds have one in each block */

static int wrong(const char *why)
{
    fprintf(stderr, "wrong: %s\n", why);
    return 1;
}
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) return wrong(#condition);                                                \
    } while (0)

static volatile size_t zero;
static size_t opaque(size_t value) { return value + zero; }

static int error_count, error_last;
static void on_error(int error, void *arg)
{
    (void)arg;
    error_count++;
    error_last = error;
}

static size_t status_kib(const char *field)
{
    FILE *const file = fopen("/proc/self/status", "r");
    char line[256];
    size_t value = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtoul(line + strlen(field), NULL, 10);
    if (file != NULL) fclose(file);
    return value;
}
static size_t rss_bytes(void) { return status_kib("VmRSS:") * KIB; }

static int run_thread(void *(*work)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, arg) != 0) return 1;
    return pthread_join(thread, NULL);
}

static int in_order(void *p) { return p == NULL ? 1 : 0; }

/* ---- the rows ---- */

static int check_errno(void)
{
    void *volatile p;
    errno = 0;
    p = mi_malloc(opaque(SIZE_MAX / 2 + 1));
    REQUIRE(p == NULL && errno == ENOMEM);
    errno = 0;
    p = mi_calloc(opaque(SIZE_MAX / 4), 8);
    REQUIRE(p == NULL && errno == ENOMEM);
    errno = 0;
    p = mi_realloc(NULL, opaque(SIZE_MAX - 100));
    REQUIRE(p == NULL && errno == ENOMEM);
    errno = 4711;
    p = mi_malloc(200 * MIB);
    REQUIRE(p != NULL && errno == 4711);
    mi_free(p);
    REQUIRE(errno == 4711);
    return 0;
}

static int check_declared(void)
{
    size_t size = 0;
    char *const p = mi_uzalloc_small(100, &size);
    REQUIRE(p != NULL && size >= 100 && p[0] == 0 && p[99] == 0);
    mi_free(p);
    mi_collect_reduce(0);
    mi_stats_merge();
    return 0;
}

static int check_glibc_extras(void)
{
    enum { BLOCKS = 20000 };
    static char *blocks[BLOCKS];
    const size_t before = mallinfo2().uordblks;
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(1000);
        memset(blocks[i], 1, 1000);
    }
    const size_t full = mallinfo2().uordblks;
    REQUIRE(full >= before + BLOCKS * 1000 && full < before + BLOCKS * 2000);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    REQUIRE(mallinfo2().uordblks < before + MIB);
    const size_t rss = rss_bytes();
    REQUIRE(malloc_trim(0) == 1);
    REQUIRE(rss_bytes() + 10 * MIB < rss);
    return 0;
}

/* counts blocks of at least a megabyte */
static bool count_big(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                      void *arg)
{
    (void)heap, (void)area;
    if (block != NULL && size >= MIB) ++*(int *)arg;
    return true;
}

static int check_big_blocks_of_heaps(void)
{
    mi_heap_t *heap = mi_heap_new();
    char *aligned = mi_heap_malloc_aligned(heap, MIB, 4 * MIB);
    char *huge = mi_heap_malloc(heap, 2 * GIB + MIB);
    REQUIRE(aligned != NULL && huge != NULL);
    aligned[0] = huge[2 * GIB] = 42;
    int seen = 0;
    REQUIRE(mi_heap_visit_blocks(heap, true, count_big, &seen));
    REQUIRE(seen == 2);
    mi_heap_delete(heap);
    REQUIRE(aligned[0] == 42 && huge[2 * GIB] == 42);
    mi_free(aligned);
    mi_free(huge);

    const size_t before = rss_bytes();
    for (int i = 0; i < 10; i++) {
        heap = mi_heap_new();
        aligned = mi_heap_malloc_aligned(heap, 30 * MIB, MIB);
        memset(aligned, 1, 30 * MIB);
        huge = mi_heap_malloc(heap, 2 * GIB + MIB);
        REQUIRE(huge != NULL);
        memset(huge, 1, 10 * MIB);
        mi_heap_destroy(heap);
    }
    mi_collect(true);
    REQUIRE(rss_bytes() < before + 100 * MIB);
    return 0;
}

/* with MIMALLOC_DESTROY_ON_EXIT=1 */
static int check_destroy_on_exit(void)
{
    mi_heap_t *const heap = mi_heap_new();
    alarm(300);
    return in_order(mi_heap_malloc(heap, 100)) + in_order(mi_malloc(100)); /* and exit */
}

static void *heap_in_subproc(void *arg)
{
    const mi_subproc_id_t subproc = mi_subproc_new();
    mi_subproc_add_current_thread(subproc);
    mi_heap_t *const heap = mi_heap_new(); /* the first thing the thread does */
    void *const p = heap == NULL ? NULL : mi_heap_malloc(heap, 100);
    *(bool *)arg = p != NULL && mi_heap_of(p) == heap;
    return NULL;
}

static int check_heap_in_subproc(void)
{
    bool works = false;
    REQUIRE(run_thread(heap_in_subproc, &works) == 0);
    REQUIRE(works);
    return 0;
}

static volatile bool stop;

static void *churn_heaps(void *arg)
{
    (void)arg;
    while (!stop) {
        mi_heap_t *const heap = mi_heap_new();
        for (size_t i = 0; i < 20; i++) (void)!mi_heap_malloc(heap, i * 100);
        mi_heap_destroy(heap);
        mi_free(mi_malloc(3 * MIB));
    }
    return NULL;
}

static int check_fork(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) REQUIRE(pthread_create(&threads[i], NULL, churn_heaps, NULL) == 0);
    for (int i = 0; i < 200; i++) {
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            alarm(300); /* a child that hangs ends with a signal */
            mi_heap_t *const heap = mi_heap_new();
            for (size_t n = 0; n < 100; n++) mi_free(mi_heap_malloc(heap, n * 1000));
            mi_heap_destroy(heap);
            for (size_t n = 0; n < 100; n++) mi_free(mi_malloc(n * 10000));
            _exit(0);
        }
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(status == 0);
    }
    stop = true;
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return 0;
}

static int check_merge_stats(void)
{
    mi_heap_t *const heap = mi_heap_new();
    mi_stats_t_decl(stats);
    REQUIRE(mi_heap_malloc(heap, 100) != NULL);
    REQUIRE(mi_heap_stats_get(heap, &stats));
    mi_heap_stats_merge_to_subproc(heap);
    mi_stats_init(&stats);
    REQUIRE(mi_heap_stats_get(heap, &stats));
    REQUIRE(stats.malloc_normal_count.total == 1);
    return 0;
}

static int check_interior_pointer(void)
{
    mi_register_error(on_error, NULL);
    char *const kept = mi_malloc(3 * MIB), *const gone = mi_malloc(3 * MIB);
    memset(kept, 1, 3 * MIB);
    mi_free(gone);
    mi_free(gone + 64 * KIB); /* into a page that is not alive */
    REQUIRE(error_count == 1 && error_last == EINVAL);
    REQUIRE(kept[3 * MIB - 1] == 1);
    if (!secure) return 0;
    char *const small = mi_malloc(100);
    mi_free(small + 16); /* into a live block */
    REQUIRE(error_count == 2 && error_last == EINVAL);
    return 0;
}

static void *free_in_thread(void *p)
{
    mi_free(p);
    return NULL;
}

static int check_double_free(void)
{
    mi_register_error(on_error, NULL);
    void *const keep = mi_malloc(100), *const p = mi_malloc(100);
    REQUIRE(keep != NULL && p != NULL);
    REQUIRE(run_thread(free_in_thread, p) == 0);
    REQUIRE(run_thread(free_in_thread, p) == 0); /* the remote path */
    REQUIRE(error_count == 1 && error_last == EAGAIN);
    void *const big = mi_malloc(3 * MIB);
    mi_free(big);
    mi_free(big); /* a slow path */
    REQUIRE(error_count == 2);
    if (!secure) return 0;
    void *const q = mi_malloc(100);
    mi_free(q);
    mi_free(q); /* by the owner */
    REQUIRE(error_count == 3 && error_last == EAGAIN);
    return 0;
}

static int check_far_alignment_with_offset(void)
{
    for (size_t alignment = 128 * KIB; alignment <= 16 * MIB; alignment *= 2) {
        char *const p = mi_malloc_aligned_at(1000, alignment, 40);
        REQUIRE(p != NULL);
        REQUIRE(((size_t)p + 40) % alignment == 0);
        memset(p, 1, 1000);
        mi_free(p);
    }
    return 0;
}

static pthread_barrier_t barrier;

enum { ASLEEP_BLOCKS = 100000 };
static void **asleep_blocks;

static void *fill_and_sleep(void *arg)
{
    for (int i = 0; i < ASLEEP_BLOCKS; i++) {
        asleep_blocks[i] = mi_malloc(1000);
        memset(asleep_blocks[i], 1, 1000);
    }
    pthread_barrier_wait(&barrier); /* asleep from now on */
    pthread_barrier_wait(&barrier);
    return arg;
}

static int check_collect(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    asleep_blocks = mi_calloc(ASLEEP_BLOCKS, sizeof *asleep_blocks);
    const size_t before = rss_bytes();
    REQUIRE(pthread_create(&thread, NULL, fill_and_sleep, NULL) == 0);
    pthread_barrier_wait(&barrier);
    REQUIRE(rss_bytes() > before + 90 * MIB);
    for (int i = 0; i < ASLEEP_BLOCKS; i++) mi_free(asleep_blocks[i]);
    mi_collect(true); /* what the other thread does not look at */
    REQUIRE(rss_bytes() < before + 20 * MIB);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    return 0;
}

static int check_release_statistics(void)
{
    mi_stats_t_decl(before);
    REQUIRE(mi_stats_get(&before));
    static void *blocks[1000];
    for (size_t i = 0; i < 1000; i++) blocks[i] = mi_malloc(500);
    void *const big = mi_malloc(10 * MIB);
    mi_stats_t_decl(after);
    REQUIRE(mi_stats_get(&after));
    const int64_t normal = after.malloc_normal.current - before.malloc_normal.current;
    const int64_t huge = after.malloc_huge.current - before.malloc_huge.current;
    REQUIRE(normal >= 500 * 1000 && normal <= 560 * 1000);
    REQUIRE(huge >= (int64_t)(10 * MIB) && huge < (int64_t)(11 * MIB));
    int64_t blocks_in_bins = 0;
    for (int i = 0; i < MI_STAT_BIN_COUNT; i++)
        blocks_in_bins += after.malloc_bins[i].current - before.malloc_bins[i].current;
    REQUIRE(blocks_in_bins == 1001);
    for (size_t i = 0; i < 1000; i++) mi_free(blocks[i]);
    mi_free(big);
    mi_stats_t_decl(last);
    REQUIRE(mi_stats_get(&last));
    REQUIRE(last.malloc_normal.current == before.malloc_normal.current);
    REQUIRE(last.malloc_huge.current == before.malloc_huge.current);
    return 0;
}

static int check_process_info(void)
{
    char *const p = mi_malloc(64 * MIB); /* committed, but a quarter of it is resident */
    memset(p, 1, 16 * MIB);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    size_t rss, faults, commit;
    mi_process_info(NULL, NULL, NULL, &rss, NULL, &commit, NULL, &faults);
    const size_t real = rss_bytes();
    REQUIRE(rss > real / 2 && rss < real * 2);
    REQUIRE(faults >= (size_t)(usage.ru_minflt + usage.ru_majflt) / 2 && faults > 0);
    mi_free(p);
    return 0;
}

/* with MIMALLOC_ALLOW_THP=0 */
static int check_allow_thp(void)
{
    char *const p = mi_malloc(10 * MIB);
    memset(p, 1, 10 * MIB);
    REQUIRE(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0);
    FILE *const file = fopen("/proc/self/smaps", "r");
    REQUIRE(file != NULL);
    char line[1024];
    bool here = false, kept_off = false;
    while (fgets(line, sizeof line, file) != NULL) {
        size_t from, to;
        if (sscanf(line, "%zx-%zx ", &from, &to) == 2) here = from <= (size_t)p && (size_t)p < to;
        if (here && strncmp(line, "VmFlags:", 8) == 0) kept_off = strstr(line, " nh") != NULL;
    }
    fclose(file);
    REQUIRE(kept_off);
    return 0;
}

static int check_usable_size(void)
{
    for (size_t size = 0; size < 3 * MIB; size = size * 5 / 4 + 1) {
        void *const p = mi_malloc(size);
        const size_t usable = mi_usable_size(p);
        REQUIRE(usable >= size && usable == mi_good_size(size));
        /* a canary at the end of a block of 16 bytes or a multiple */
        if (size < 512 * KIB - 8) REQUIRE(usable % 16 == (canary ? 8 : 0));
        memset(p, 1, usable);
        mi_free(p);
    }
    return 0;
}

/* 64 MiB become 1 GiB, and are never there twice. */
static int check_realloc(void)
{
    size_t size = 64 * MIB;
    char *p = mi_malloc(size);
    memset(p, 7, size);
    for (; size < GIB; size *= 2) {
        p = mi_realloc(p, size * 2);
        REQUIRE(p != NULL);
    }
    for (size_t i = 0; i < 64 * MIB; i += 4096) REQUIRE(p[i] == 7);
    REQUIRE(status_kib("VmHWM:") * KIB < 100 * MIB);
    mi_free(p);
    return 0;
}

static const struct check {
    const char *name;
    int (*run)(void);
} checks[] = {
    {"errno", check_errno},
    {"declared", check_declared},
    {"glibc_extras", check_glibc_extras},
    {"big_blocks_of_heaps", check_big_blocks_of_heaps},
    {"destroy_on_exit", check_destroy_on_exit},
    {"heap_in_subproc", check_heap_in_subproc},
    {"fork", check_fork},
    {"merge_stats", check_merge_stats},
    {"interior_pointer", check_interior_pointer},
    {"double_free", check_double_free},
    {"far_alignment_with_offset", check_far_alignment_with_offset},
    {"collect", check_collect},
    {"release_statistics", check_release_statistics},
    {"process_info", check_process_info},
    {"allow_thp", check_allow_thp},
    {"usable_size", check_usable_size},
    {"realloc", check_realloc},
};

int main(int argc, char **argv)
{
    secure = argc > 2 && strcmp(argv[2], "secure") == 0;
    canary = argc > 2 && strcmp(argv[2], "release") != 0;
    for (size_t i = 0; argc > 1 && i < sizeof checks / sizeof checks[0]; i++)
        if (strcmp(checks[i].name, argv[1]) == 0) return checks[i].run();
    fprintf(stderr, "usage: regressions CHECK [release|debug|secure]\n");
    return 2;
}
