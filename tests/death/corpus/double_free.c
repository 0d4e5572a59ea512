/* Blocks freed twice: while they are still free, on every path and page kind, and after malloc gave
   them to somebody else. Harm: the block is handed out twice. */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corpus.h"

/* who frees: first, second */
enum { US_US, US_THEM, THEM_US, THEM_THEM };

static void free_by(bool them, void *p)
{
    if (them)
        death_in_thread(death_free, p);
    else
        death_free(p);
}

static void spray_all(const death_case_t *c)
{
    death_spray(c->path, death_many(c->kind), death_bytes[c->kind]);
}

static void twice(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    free_by(c->detail == THEM_US || c->detail == THEM_THEM, p);
    death_misuse(p);
    free_by(c->detail == US_THEM || c->detail == THEM_THEM, p);
    death_after();
    spray_all(c);
}

/* The attacker wrote over the freed block in between, so that no mark in it is left. */
static void overwritten(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_free(p);
    death_misuse(p);
    death_write(p, (unsigned char)c->detail, 48);
    death_free(p);
    death_after();
    spray_all(c);
}

/* free(a), free(b), free(a): the last one freed is not the one freed twice. */
static void interleaved(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    char *const q = death_owner_malloc(c->path, death_bytes[c->kind]);
    death_require(q != NULL);
    death_release(c->path, p);
    death_release(c->path, q);
    death_misuse(p);
    death_release(c->path, p);
    death_after();
    spray_all(c);
}

/* Much is allocated and freed in between, but nothing of this size. */
static void delayed(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_free(p);
    void *others[200];
    for (int i = 0; i < 200; i++) others[i] = death_malloc(1000 + (size_t)i * 37);
    for (int i = 0; i < 200; i++) death_free(others[i]);
    death_misuse(p);
    death_free(p);
    death_after();
    spray_all(c);
}

/* All blocks around it are freed too: the page may be gone by the second free. */
static void page_gone(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_release_all(LOCAL);
    death_free(p);
    death_misuse(p);
    death_free(p);
    death_after();
    spray_all(c);
}

static void collected(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_release(c->path, p);
    if (mi_collect != NULL)
        mi_collect(true);
    else
        malloc_trim(0);
    death_misuse(p);
    death_release(c->path, p);
    death_after();
    spray_all(c);
}

/* The second free uses the address that realloc moved away from. */
static void realloc_moved(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    char *const q = death_realloc(p, death_bytes[c->kind] * 40);
    death_require(q != NULL);
    if (q == p) death_skip("realloc did not move the block");
    death_misuse(p);
    death_free(p);
    death_after();
    spray_all(c);
}

/* realloc(p, 0) frees p or gives another block; p is not ours any more in either case. */
static void realloc_zero(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    char *const q = death_realloc(p, 0);
    if (q == p) death_skip("the block stayed where it is");
    death_misuse(p);
    death_free(p);
    death_after();
    spray_all(c);
}

static void aligned(const death_case_t *c)
{
    char *const keep = death_aligned((size_t)c->detail, 600);
    char *const p = death_aligned((size_t)c->detail, 600);
    death_require(keep != NULL && p != NULL);
    death_live(keep, 600);
    death_free(p);
    death_misuse(p);
    death_free(p);
    death_after();
    for (int i = 0; i < 64; i++) {
        char *const q = death_aligned((size_t)c->detail, 600);
        if (q != NULL) death_chosen(q, 600); /* as a live object that is not filled */
    }
    death_spray(LOCAL, 200, 600);
}

/* Freed by the parent, and once more by the child, which has the parent's heap as it was. */
static void in_child(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_free(p);
    death_misuse(p);
    const pid_t child = fork();
    death_require(child >= 0);
    if (child == 0) {
        alarm(60);
        death_free(p);
        death_after();
        spray_all(c);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    death_after();
    /* what the child came to is what the case came to */
    if (WIFSIGNALED(status)) (void)raise(WTERMSIG(status));
}

static char *freed_at_exit;

static void free_again(void)
{
    death_free(freed_at_exit);
    death_after();
    death_spray(LOCAL, death_many(SMALL), death_bytes[SMALL]);
}

/* The second free is that of an exit handler. */
static void at_exit(const death_case_t *c)
{
    freed_at_exit = death_block(c->kind, c->path);
    death_require(atexit(free_again) == 0);
    death_free(freed_at_exit);
    death_misuse(freed_at_exit);
    death_after();
}

/* ---- after the block was handed out again ---- */

/* detail: how many blocks are allocated in between */
static void reused(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_release(c->path, p);
    death_spray(c->path, (size_t)c->detail, death_bytes[c->kind]);
    death_misuse(p);
    death_release(c->path, p);
    death_after();
    spray_all(c);
}

#define PATHS(f, kind, word)                                                                       \
    {"df_" word "_local", f, kind, LOCAL, US_US},                                                  \
        {"df_" word "_us_them", f, kind, LOCAL, US_THEM},                                          \
        {"df_" word "_them_us", f, kind, LOCAL, THEM_US},                                          \
        {"df_" word "_them_them", f, kind, LOCAL, THEM_THEM},                                      \
        {"df_" word "_orphan", f, kind, ORPHAN, US_US},                                            \
        {"df_" word "_orphan_them_us", f, kind, ORPHAN, THEM_US},                                  \
        {"df_" word "_adopted", f, kind, ADOPTED, US_US},                                          \
        {"df_" word "_heap", f, kind, HEAP, US_US},                                                \
    {                                                                                              \
        "df_" word "_heap_them_us", f, kind, HEAP, THEM_US                                         \
    }

const death_case_t death_double_free[] = {
    PATHS(twice, SMALL, "small"),
    PATHS(twice, MEDIUM, "medium"),
    PATHS(twice, LARGE, "large"),
    PATHS(twice, SPAN, "span"),
    {"df_small_full", twice, SMALL, FULL, US_US},
    {"df_small_full_them_us", twice, SMALL, FULL, THEM_US},
    {"df_medium_full", twice, MEDIUM, FULL, US_US},
    {"df_medium_full_them_us", twice, MEDIUM, FULL, THEM_US},
    {"df_large_full", twice, LARGE, FULL, US_US},
    {"df_small_overwritten_zero", overwritten, SMALL, LOCAL, 0},
    {"df_small_overwritten_ones", overwritten, SMALL, LOCAL, 255},
    {"df_small_interleaved", interleaved, SMALL, LOCAL, 0},
    {"df_small_interleaved_remote", interleaved, SMALL, REMOTE, 0},
    {"df_medium_interleaved", interleaved, MEDIUM, LOCAL, 0},
    {"df_small_delayed", delayed, SMALL, LOCAL, 0},
    {"df_medium_delayed", delayed, MEDIUM, LOCAL, 0},
    {"df_small_page_gone", page_gone, SMALL, LOCAL, 0},
    {"df_medium_page_gone", page_gone, MEDIUM, LOCAL, 0},
    {"df_large_page_gone", page_gone, LARGE, LOCAL, 0},
    {"df_small_collected", collected, SMALL, LOCAL, 0},
    {"df_small_collected_remote", collected, SMALL, REMOTE, 0},
    {"df_span_collected", collected, SPAN, LOCAL, 0},
    {"df_small_realloc_moved", realloc_moved, SMALL, LOCAL, 0},
    {"df_medium_realloc_moved", realloc_moved, MEDIUM, LOCAL, 0},
    {"df_small_realloc_zero", realloc_zero, SMALL, LOCAL, 0},
    {"df_aligned_64", aligned, SMALL, LOCAL, 64},
    {"df_aligned_4096", aligned, SMALL, LOCAL, 4096},
    {"df_small_in_child", in_child, SMALL, LOCAL, 0},
    {"df_small_at_exit", at_exit, SMALL, LOCAL, 0},
    {"df_reused_one_small", reused, SMALL, LOCAL, 1},
    {"df_reused_one_medium", reused, MEDIUM, LOCAL, 1},
    {"df_reused_one_large", reused, LARGE, LOCAL, 1},
    {"df_reused_one_span", reused, SPAN, LOCAL, 1},
    {"df_reused_one_small_remote", reused, SMALL, REMOTE, 1},
    {"df_reused_spray_small", reused, SMALL, LOCAL, 200},
    {"df_reused_spray_span", reused, SPAN, LOCAL, 8},
    {NULL, NULL, SMALL, LOCAL, 0},
};
