/* Correct programs. Nothing may be reported, and nothing may stop them. They do what comes near to
   the checks: full use of the usable size, frees by everybody, blocks freed and made again at once,
   aligned blocks, fork, threads that end, heaps. */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corpus.h"

enum { BLOCKS = 256 };

static uint64_t state = 88172645463325252u;

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % n);
}

static void begin(void)
{
    state ^= (uint64_t)getpid() << 20; /* another order in each run */
    death_misuse(NULL);
}

static size_t any_size(void)
{
    const size_t dice = below(100);
    return dice < 70   ? below(300)
           : dice < 90 ? below(9000)
           : dice < 98 ? below(70000)
                       : below(700000);
}

/* Each block is used to its last byte. */
static void full_use(const death_case_t *c)
{
    char *blocks[BLOCKS] = {NULL};
    (void)c;
    begin();
    for (int i = 0; i < 2000; i++) {
        const size_t at = below(BLOCKS);
        if (blocks[at] != NULL) {
            const size_t usable = death_usable(blocks[at]);
            if (blocks[at][0] != blocks[at][usable - 1]) death_harmed("contents changed");
            death_free(blocks[at]);
        }
        blocks[at] = below(8) == 0 ? death_calloc(1, any_size() + 1) : death_malloc(any_size() + 1);
        memset(blocks[at], (int)at + 1, death_usable(blocks[at]));
    }
    for (size_t i = 0; i < BLOCKS; i++) death_free(blocks[i]);
    death_after();
}

/* Strings of exactly the requested length, with their end. */
static void exact_use(const death_case_t *c)
{
    (void)c;
    begin();
    for (size_t n = 0; n < 1100; n++) {
        char *const p = death_malloc(n + 1), *const q = death_malloc(n + 1);
        memset(p, 0xff, n);
        p[n] = 0;
        memcpy(q, p, n + 1);
        death_free(p);
        if (strlen(q) != n) death_harmed("contents changed");
        death_free(q);
    }
    death_after();
}

static void resizing(const death_case_t *c)
{
    (void)c;
    begin();
    for (int round = 0; round < 30; round++) {
        size_t bytes = 1 + below(100);
        char *p = death_malloc(bytes);
        memset(p, 7, bytes);
        while (bytes < 3000000) {
            const size_t next = bytes + bytes / 2 + below(100);
            p = death_realloc(p, next);
            for (size_t i = bytes < 64 ? 0 : bytes - 64; i < bytes; i++)
                if (p[i] != 7) death_harmed("contents changed");
            memset(p, 7, next < 100000 ? next : bytes);
            if (next >= 100000) memset(p + bytes, 7, next - bytes);
            bytes = next;
            if (below(12) == 0) break;
        }
        p = death_realloc(p, 1 + bytes / 3);
        death_free(p);
    }
    death_after();
}

static void alignments(const death_case_t *c)
{
    (void)c;
    begin();
    for (size_t alignment = 8; alignment <= 1 << 18; alignment *= 2)
        for (int i = 0; i < 12; i++) {
            const size_t bytes = 1 + below(3 * alignment);
            char *const p = death_aligned(alignment, bytes);
            if (p == NULL || (uintptr_t)p % alignment != 0) death_harmed("not aligned");
            memset(p, 3, death_usable(p));
            if (below(3) == 0) {
                char *const q = death_realloc(p, bytes * 2);
                q[bytes * 2 - 1] = 1;
                death_free(q);
            } else {
                death_free(p);
            }
        }
    death_after();
}

/* ---- threads ---- */

static char *passed[4][BLOCKS];

static void *worker(void *arg)
{
    char **const mine = arg;
    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < BLOCKS; i++) {
            death_free(mine[i]);
            mine[i] = death_malloc(1 + (i * 13 + (size_t)round * 7) % 2000);
            memset(mine[i], 1, death_usable(mine[i]));
        }
    return NULL;
}

/* Each thread frees what another left, and ends. */
static void threads(const death_case_t *c)
{
    (void)c;
    pthread_t ids[4];
    begin();
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 4; i++)
            death_require(pthread_create(&ids[i], NULL, worker, passed[(i + (size_t)round) % 4]) ==
                          0);
        for (size_t i = 0; i < 4; i++) pthread_join(ids[i], NULL);
    }
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < BLOCKS; j++) death_free(passed[i][j]);
    death_after();
}

static void fork_and_go_on(const death_case_t *c)
{
    (void)c;
    char *blocks[BLOCKS];
    begin();
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = death_malloc(any_size());
    const pid_t child = fork();
    for (size_t i = 0; i < BLOCKS; i++) {
        death_free(blocks[i]);
        blocks[i] = death_malloc(any_size());
    }
    for (size_t i = 0; i < BLOCKS; i++) death_free(blocks[i]);
    if (child == 0) _exit(0);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) death_harmed("the child was stopped");
    death_after();
}

static void *kept_to_the_end[BLOCKS];

static void free_kept(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        death_free(kept_to_the_end[i]);
        death_free(death_malloc(i));
    }
}

/* Frees in exit handlers; some blocks are never freed. */
static void at_exit(const death_case_t *c)
{
    (void)c;
    begin();
    death_require(atexit(free_kept) == 0);
    for (size_t i = 0; i < BLOCKS; i++) {
        kept_to_the_end[i] = death_malloc(any_size());
        (void)!death_malloc(any_size());
    }
    death_after();
}

/* The same few blocks again and again, and questions about what is not ours. */
static void same_again(const death_case_t *c)
{
    (void)c;
    begin();
    for (int i = 0; i < 3000; i++) {
        char *const p = death_malloc(64), *const q = death_malloc(64);
        if (p == q) death_harmed("the same block twice");
        memset(p, 1, death_usable(p));
        death_free(p);
        memset(q, 2, death_usable(q));
        death_free(q);
    }
    death_free(NULL);
    if (death_usable(NULL) != 0) death_harmed("NULL has a size");
    for (size_t bytes = 1 << 16; bytes < 1 << 24; bytes *= 2) {
        char *const p = death_calloc(1, bytes);
        if (p[0] != 0 || p[bytes / 2] != 0 || p[bytes - 1] != 0) death_harmed("calloc: not zero");
        memset(p, 1, death_usable(p));
        death_free(p);
    }
    death_after();
}

void *control_new(size_t bytes) __asm__("_Znwm");
void control_delete_sized(void *p, size_t bytes) __asm__("_ZdlPvm");
void *control_new_aligned(size_t bytes, size_t alignment) __asm__("_ZnwmSt11align_val_t");
void control_delete_aligned(void *p, size_t bytes,
                            size_t alignment) __asm__("_ZdlPvmSt11align_val_t");
#pragma weak control_new
#pragma weak control_delete_sized
#pragma weak control_new_aligned
#pragma weak control_delete_aligned

/* Deleted with the size that was asked for. */
static void sized(const death_case_t *c)
{
    (void)c;
    if (control_new == NULL || control_delete_sized == NULL || control_new_aligned == NULL ||
        control_delete_aligned == NULL)
        death_skip("no such functions");
    begin();
    for (size_t bytes = 1; bytes < 2000000; bytes += 1 + bytes / 17) {
        control_delete_sized(control_new(bytes), bytes);
        for (size_t alignment = 32; alignment <= 8192; alignment *= 4)
            control_delete_aligned(control_new_aligned(bytes, alignment), bytes, alignment);
    }
    death_after();
}

/* Blocks outlive a deleted heap; a destroyed one takes its own along. */
static void heaps(const death_case_t *c)
{
    (void)c;
    if (mi_heap_new == NULL || mi_heap_malloc == NULL) death_skip("no first-class heaps");
    begin();
    for (int round = 0; round < 20; round++) {
        char *blocks[60];
        void *const heap = mi_heap_new();
        for (size_t i = 0; i < 60; i++) {
            blocks[i] = mi_heap_malloc(heap, any_size() + 1);
            memset(blocks[i], 5, death_usable(blocks[i]));
            if (i % 3 == 0) death_free(blocks[i]);
        }
        if (round % 2 == 0) {
            mi_heap_destroy(heap);
            continue;
        }
        mi_heap_delete(heap);
        for (size_t i = 0; i < 60; i++)
            if (i % 3 != 0) death_free(blocks[i]);
    }
    death_after();
}

const death_case_t death_control[] = {
    {"ct_full_use", full_use, SMALL, LOCAL, 0},
    {"ct_exact_use", exact_use, SMALL, LOCAL, 0},
    {"ct_resizing", resizing, SMALL, LOCAL, 0},
    {"ct_alignments", alignments, SMALL, LOCAL, 0},
    {"ct_threads", threads, SMALL, LOCAL, 0},
    {"ct_fork", fork_and_go_on, SMALL, LOCAL, 0},
    {"ct_at_exit", at_exit, SMALL, LOCAL, 0},
    {"ct_same_again", same_again, SMALL, LOCAL, 0},
    {"ct_sized", sized, SMALL, LOCAL, 0},
    {"ct_heaps", heaps, SMALL, HEAP, 0},
    {NULL, NULL, SMALL, LOCAL, 0},
};
