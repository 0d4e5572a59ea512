/* Allocation and freeing while a thread ends: in every pass of the destructors of pthread keys, as
   the thread's first or last use of the allocator, and in atexit. Nothing may grow with the number
   of threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "mimalloc.h"
#include "stress.h"
#include "vm/arena.h"

#define PASSES 4 /* PTHREAD_DESTRUCTOR_ITERATIONS */

static pthread_key_t key;

typedef struct late_use {
    int pass;        /* counts the destructor's calls */
    int first, last; /* passes that use the allocator */
    bool before;     /* the thread itself uses it too */
    void *block;
} late_use_t;

static void destructor(void *arg)
{
    late_use_t *const use = arg;
    const int pass = ++use->pass;
    if (pass >= use->first && pass <= use->last) {
        char *const p = mi_malloc(100 + 60 * (size_t)pass);
        stress_require(p != NULL);
        memset(p, pass, 100);
        char *const big = mi_zalloc(20000);
        stress_require(big != NULL && big[0] == 0 && big[19999] == 0);
        memset(big, pass, 20000);
        mi_free(big);
        mi_free(p);
        if (use->block != NULL) mi_free(use->block);
        use->block = mi_malloc(200);
    }
    if (pass < PASSES) pthread_setspecific(key, use);
}

static void *thread(void *arg)
{
    late_use_t *const use = arg;
    pthread_setspecific(key, use);
    if (use->before) use->block = mi_malloc(3000);
    return NULL;
}

static void run(size_t threads, late_use_t how)
{
    for (size_t i = 0; i < threads; i++) {
        late_use_t use = how;
        pthread_t t;
        stress_require(pthread_create(&t, NULL, thread, &use) == 0);
        pthread_join(t, NULL);
        mi_free(use.block);
    }
}

static int failures;

static void check_no_growth(const char *what, late_use_t how)
{
    const size_t threads = stress_scaled(100000, 1000);
    run(100, how); /* caches fill */
    const uint64_t slices = mic_load_relaxed(&mic_vm_counts.used_slices);
    const size_t rss = stress_rss_kib();
    run(threads, how);
    const uint64_t slices_after = mic_load_relaxed(&mic_vm_counts.used_slices);
    const size_t rss_after = stress_rss_kib();
    printf("%s: %zu threads, slices %llu -> %llu, resident %zu -> %zu KiB\n", what, threads,
           (unsigned long long)slices, (unsigned long long)slices_after, rss, rss_after);
    if (slices_after > slices + 32 || (rss_after > rss + 4096 && !stress_under_sanitizer())) {
        printf("grows\n");
        failures++;
    }
}

static void at_exit(void)
{
    void *p[100];
    for (size_t i = 0; i < 100; i++) p[i] = mi_malloc(i * 37);
    for (size_t i = 0; i < 100; i++) mi_free(p[i]);
}

int main(void)
{
    stress_begin("thread_end");
    /* the race detector takes a thread apart in the last pass itself: what runs in the destructors
       then looks unordered to it */
    if (MIC_TSAN) return STRESS_SKIPPED;
    atexit(at_exit);
    mi_free(mi_malloc(1)); /* our key before the test's: its destructor runs first in each pass */
    pthread_key_create(&key, destructor);
    check_no_growth("every pass, used before", (late_use_t){.first = 1, .last = 4, .before = true});
    check_no_growth("last pass, used before", (late_use_t){.first = 4, .last = 4, .before = true});
    check_no_growth("last pass only", (late_use_t){.first = 4, .last = 4});
    check_no_growth("first pass only", (late_use_t){.first = 1, .last = 1});
    check_no_growth("every pass, not before", (late_use_t){.first = 1, .last = 4});
    return failures;
}
