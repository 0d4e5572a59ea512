/* Memory runs out: NULL with ENOMEM, contents intact, everything works again once some was freed,
   and the rest of the process is not harmed. Each case is a process of its own under its limit. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"
#include "mimalloc.h"
#include "stress.h"

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

typedef struct link {
    struct link *next;
    size_t bytes;
} link_t;

/* Takes blocks until there is none; returns their sum. */
static size_t take_all(link_t **list, size_t bytes)
{
    size_t sum = 0;
    for (;;) {
        errno = 0;
        link_t *const b = mi_malloc(bytes);
        if (b == NULL) break;
        b->next = *list;
        b->bytes = bytes;
        *list = b;
        sum += bytes;
    }
    stress_require(errno == ENOMEM);
    return sum;
}

static void give_all(link_t *list)
{
    while (list != NULL) {
        link_t *const next = list->next;
        mi_free(list);
        list = next;
    }
}

/* Other users of address space still find some. (Committed memory stays committed and counts
   against RLIMIT_DATA even when it is free, so nothing is said about that.) */
static void check_unharmed(void)
{
    void *const p = mmap(NULL, GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    stress_require(p != MAP_FAILED);
    munmap(p, GIB);
}

static void limit(int what, size_t bytes)
{
    const struct rlimit r = {bytes, bytes};
    stress_require(setrlimit(what, &r) == 0);
}

/* Nothing can be committed any more, though address space can be had. */
static void case_data(size_t bytes)
{
    const size_t limit_bytes = 256 * MIB;
    mi_free(mi_malloc(1));
    const size_t size_before = stress_size_kib();
    limit(RLIMIT_DATA, limit_bytes);
    for (int round = 0; round < 3; round++) {
        link_t *list = NULL;
        const size_t sum = take_all(&list, bytes);
        const double start = stress_seconds();
        for (int i = 0; i < 20; i++) stress_require(mi_malloc(bytes) == NULL);
        printf("data limit %zu MiB, blocks of %zu: %zu MiB, 20 failures in %.3f s, size %zu -> %zu "
               "GiB\n",
               limit_bytes / MIB, bytes, sum / MIB, stress_seconds() - start, size_before >> 20,
               stress_size_kib() >> 20);
        stress_require(sum >= limit_bytes / 2);
        give_all(list);
    }
    check_unharmed();
    /* what is reserved must not grow with the number of failures */
    stress_require(stress_size_kib() <= 3 * size_before + 4 * GIB / 1024);
}
static void case_data_1k(void) { case_data(1024); }
static void case_data_100k(void) { case_data(100 * 1024); }
static void case_data_1m(void) { case_data(MIB); }

/* Limits that were there at the start: a good part of them can be used. */
static void case_space(size_t bytes, size_t percent)
{
    struct rlimit r;
    getrlimit(RLIMIT_AS, &r);
    for (int round = 0; round < 3; round++) {
        link_t *list = NULL;
        const size_t sum = take_all(&list, bytes);
        printf("address space %zu MiB, blocks of %zu: %zu MiB\n", (size_t)r.rlim_cur / MIB, bytes,
               sum / MIB);
        stress_require(sum >= r.rlim_cur / 100 * percent);
        give_all(list);
    }
    void *const p = mi_malloc(1000);
    stress_require(p != NULL);
    mi_free(p);
}
static void case_space_1k(void) { case_space(1000, 25); }
/* two to a segment, with their guards where there are any */
static void case_space_16m(void) { case_space(16 * MIB - 4096 - (CFG_BITS ? 128 * 1024 : 0), 50); }
static void case_space_1m(void) { case_space(MIB, 25); }
static void case_space_mixed(void)
{
    /* one kind of page uses everything up, then another kind finds room after a free */
    link_t *small = NULL, *big = NULL;
    (void)take_all(&small, 100);
    give_all(small);
    stress_require(take_all(&big, 300 * 1024) > 16 * MIB);
    give_all(big);
    small = NULL;
    stress_require(take_all(&small, 100) > 16 * MIB);
    give_all(small);
}

/* sizes that can never be had fail at once and leave nothing behind */
static void case_absurd(void)
{
    mi_free(mi_malloc(1));
    const size_t size_before = stress_size_kib();
    for (unsigned shift = 42; shift < 64; shift++) {
        errno = 0;
        const clock_t start = clock(); /* of the processor: the machine may be busy */
        void *const p = mi_malloc((size_t)1 << shift);
        const double took = (double)(clock() - start) / (double)CLOCKS_PER_SEC;
        if (took > 0.1 || p != NULL)
            printf("malloc(2^%u): %s after %.3f s\n", shift, p != NULL ? "done" : "failed", took);
        stress_require(took < 2);
        if (p == NULL) stress_require(errno == ENOMEM);
        mi_free(p);
    }
    printf("size %zu -> %zu GiB\n", size_before >> 20, stress_size_kib() >> 20);
    check_unharmed();
}

typedef struct test_case {
    const char *name;
    void (*run)(void);
    size_t address_space; /* at exec; 0 = no limit */
} test_case_t;
static const test_case_t cases[] = {
    {"data-1k", case_data_1k, 0},
    {"data-100k", case_data_100k, 0},
    {"data-1m", case_data_1m, 0},
    {"space-1k-128m", case_space_1k, 128 * MIB},
    {"space-1k-512m", case_space_1k, 512 * MIB},
    {"space-1m-512m", case_space_1m, 512 * MIB},
    {"space-mixed-256m", case_space_mixed, 256 * MIB},
    {"space-16m-8g", case_space_16m, 8 * GIB},
    {"space-16m-40g", case_space_16m, 40 * GIB},
    {"absurd", case_absurd, 0},
};

static int run_case(const char *program, const test_case_t *c)
{
    const pid_t pid = fork();
    stress_require(pid >= 0);
    if (pid == 0) {
        if (c->address_space != 0) limit(RLIMIT_AS, c->address_space);
        execl(program, "out_of_memory", c->name, (char *)NULL);
        _exit(4);
    }
    int status;
    stress_require(waitpid(pid, &status, 0) == pid);
    const bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ok) printf("case %s: status %#x\n", c->name, status);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    stress_begin("out_of_memory");
    mi_option_set(mi_option_show_errors, 0);
    if (stress_under_sanitizer()) return STRESS_SKIPPED;
    int failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
            stress_limit_seconds(600);
            cases[i].run();
            return 0;
        }
        if (argc == 1) failed += run_case("/proc/self/exe", &cases[i]);
    }
    return failed != 0;
}
