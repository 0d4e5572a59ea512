/* realloc and malloc_usable_size of what is not a live block; sizes at the limits; what new blocks
   contain. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"

/* ---- misc: realloc and usable size ---- */

static _Alignas(64) uintptr_t static_area[64];

static void spray_all(const death_case_t *c)
{
    death_spray(c->path, death_many(c->kind), death_bytes[c->kind]);
}

typedef struct resize {
    char *p, *result;
    size_t bytes;
} resize_t;

static void run_resize(void *arg)
{
    resize_t *const r = arg;
    r->result = death_realloc(r->p, r->bytes);
}

/* What realloc returns is live for its caller. */
static void resize_wrongly(const death_case_t *c, char *p, size_t bytes)
{
    resize_t r = {p, NULL, bytes};
    death_misuse(p);
    if (c->path == REMOTE)
        death_in_thread(run_resize, &r);
    else
        run_resize(&r);
    death_after();
    if (r.result != NULL) death_live(r.result, bytes);
}

/* detail: the new size */
static void realloc_freed(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_release(c->path, p);
    resize_wrongly(c, p, (size_t)c->detail);
    spray_all(c);
}

static void realloc_inside(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_live(p, death_usable(p));
    resize_wrongly(c, p + 32, (size_t)c->detail);
    spray_all(c);
}

static void realloc_static(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_live(p, death_usable(p));
    for (size_t i = 0; i < 64; i++) static_area[i] = i % 2 == 0 ? 0 : 0x51;
    death_chosen(static_area, sizeof static_area);
    resize_wrongly(c, (char *)static_area + 64, (size_t)c->detail);
    spray_all(c);
}

/* The program trusts the answer and uses that many bytes of a block that is not its own. */
static void usable_of_freed(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_release(c->path, p);
    death_spray(c->path, 200, death_bytes[c->kind]);
    death_misuse(p);
    const size_t usable = death_usable(p);
    death_after();
    if (usable > 0) death_write(p, 0x41, usable < 4096 ? usable : 4096);
    death_check_live();
}

static void usable_inside(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    const size_t whole = death_usable(p);
    char *const inside = p + 24;
    death_misuse(inside);
    const size_t usable = death_usable(inside);
    death_after();
    if (usable > whole - 24) death_harmed("a block is said to be larger than it is");
}

const death_case_t death_misc[] = {
    {"ms_realloc_freed_same", realloc_freed, SMALL, LOCAL, 60},
    {"ms_realloc_freed_more", realloc_freed, SMALL, LOCAL, 5000},
    {"ms_realloc_freed_remote", realloc_freed, SMALL, REMOTE, 60},
    {"ms_realloc_freed_orphan", realloc_freed, SMALL, ORPHAN, 60},
    {"ms_realloc_freed_medium", realloc_freed, MEDIUM, LOCAL, 19000},
    {"ms_realloc_freed_large", realloc_freed, LARGE, LOCAL, 190000},
    {"ms_realloc_freed_span", realloc_freed, SPAN, LOCAL, 3 << 20},
    {"ms_realloc_freed_heap", realloc_freed, SMALL, HEAP, 60},
    {"ms_realloc_interior", realloc_inside, SMALL, LOCAL, 1000},
    {"ms_realloc_interior_medium", realloc_inside, MEDIUM, LOCAL, 19000},
    {"ms_realloc_interior_full", realloc_inside, SMALL, FULL, 1000},
    {"ms_realloc_static", realloc_static, SMALL, LOCAL, 1000},
    {"ms_usable_freed", usable_of_freed, SMALL, LOCAL, 0},
    {"ms_usable_interior", usable_inside, SMALL, LOCAL, 0},
    {NULL, NULL, SMALL, LOCAL, 0},
};

/* ---- limits: too much is asked for. Harm: a block that is too small, or nobody is told ---- */

static size_t beyond(long below_all) { return SIZE_MAX - (size_t)below_all; }

static void must_fail(const void *p, bool sets_errno)
{
    death_after();
    if (p != NULL) death_harmed("more was promised than there is");
    if (sets_errno && errno != ENOMEM) death_harmed("errno is not ENOMEM");
}

static void begin(void)
{
    death_misuse(NULL);
    errno = 0;
}

static void limit_malloc(const death_case_t *c)
{
    begin();
    must_fail(death_malloc(c->detail < 0 ? (size_t)PTRDIFF_MAX + 1 : beyond(c->detail)), true);
}

static void limit_calloc(const death_case_t *c)
{
    begin();
    must_fail(death_calloc(((size_t)1 << 32) + (size_t)c->detail, (size_t)1 << 32), true);
}

static void limit_reallocarray(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_live(p, death_usable(p));
    begin();
    must_fail(reallocarray(death_hide(p), beyond(0) / 4, (size_t)death_hide((void *)8)), true);
    death_check_live();
    spray_all(c);
}

static void limit_realloc(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_live(p, death_usable(p));
    begin();
    must_fail(death_realloc(p, beyond(c->detail)), true);
    death_check_live();
    spray_all(c);
}

static void limit_aligned(const death_case_t *c)
{
    begin();
    must_fail(aligned_alloc((size_t)c->detail, (size_t)death_hide((void *)beyond(4095))), true);
}

static void limit_memalign(const death_case_t *c)
{
    void *p = NULL;
    begin();
    const int error = posix_memalign(&p, (size_t)c->detail, beyond(100));
    death_after();
    if (error != ENOMEM || p != NULL) death_harmed("posix_memalign did not say ENOMEM");
}

static void limit_pvalloc(const death_case_t *c)
{
    begin();
    must_fail(pvalloc(beyond(c->detail)), true);
}

/* Blocks of no bytes: each its own address, and none is anybody else's. */
static void limit_nothing(const death_case_t *c)
{
    begin();
    for (int i = 0; i < 200; i++) {
        void *const p = death_malloc(0);
        if (p == NULL) death_harmed("malloc(0) is NULL");
        death_chosen(p, 1);
    }
    death_after();
    death_spray(c->path, 200, 1);
}

const death_case_t death_limits[] = {
    {"lm_malloc_all", limit_malloc, SMALL, LOCAL, 0},
    {"lm_malloc_wraps", limit_malloc, SMALL, LOCAL, 24},
    {"lm_malloc_half", limit_malloc, SMALL, LOCAL, -1},
    {"lm_calloc_wraps", limit_calloc, SMALL, LOCAL, 1},
    {"lm_reallocarray_wraps", limit_reallocarray, SMALL, LOCAL, 0},
    {"lm_realloc_small", limit_realloc, SMALL, LOCAL, 32},
    {"lm_realloc_span", limit_realloc, SPAN, LOCAL, 32},
    {"lm_aligned_alloc", limit_aligned, SMALL, LOCAL, 4096},
    {"lm_posix_memalign", limit_memalign, SMALL, LOCAL, 65536},
    {"lm_pvalloc", limit_pvalloc, SMALL, LOCAL, 32},
    {"lm_nothing", limit_nothing, SMALL, LOCAL, 0},
    {NULL, NULL, SMALL, LOCAL, 0},
};

/* ---- stale data: an honest program asks for memory and gets more than it asked for ---- */

static void stale_secret(const death_case_t *c)
{
    const size_t count = death_few() ? 4 : c->kind == SMALL ? 100 : 6;
    char *blocks[100];
    for (size_t i = 0; i < count; i++) {
        blocks[i] = death_owner_malloc(c->path, death_bytes[c->kind]);
        death_require(blocks[i] != NULL);
        death_fill_secret(blocks[i], death_usable(blocks[i]) & ~(size_t)7);
    }
    for (size_t i = 0; i < count; i++) death_release(c->path, blocks[i]);
    death_misuse(blocks[0]);
    for (size_t i = 0; i < death_many(c->kind); i++) {
        const char *const p = death_owner_malloc(c->path, death_bytes[c->kind]);
        if (p == NULL) break;
        if (death_find(p, death_bytes[c->kind], DEATH_SECRET))
            death_harmed("a secret was readable in a new block");
    }
    death_after();
}

/* Blocks that were wiped by the program before they were freed: what stands in them now is the
   allocator's. Words that point near the block tell where the heap is. */
static void stale_pointers(const death_case_t *c)
{
    const size_t count = death_few()        ? 4
                         : c->kind == SMALL ? 500
                                            : 20,
                 bytes = death_bytes[c->kind];
    static char *blocks[500];
    for (size_t i = 0; i < count; i++) {
        blocks[i] = death_owner_malloc(c->path, bytes);
        death_require(blocks[i] != NULL);
        memset(blocks[i], 0, death_usable(blocks[i]));
    }
    for (size_t i = 0; i < count; i++) death_release(c->path, blocks[i]);
    death_misuse(blocks[0]);
    for (size_t i = 0; i < 2 * death_many(c->kind); i++) {
        const uintptr_t *const words = death_owner_malloc(c->path, bytes);
        if (words == NULL) break;
        for (size_t j = 0; j < bytes / 8; j++) {
            const uintptr_t there = words[j], here = (uintptr_t)words;
            if (there != 0 && (there > here ? there - here : here - there) < (uintptr_t)1 << 32)
                death_harmed("an address of the heap was readable in a new block");
        }
    }
    death_after();
}

const death_case_t death_stale_data[] = {
    {"st_secret_small", stale_secret, SMALL, LOCAL, 0},
    {"st_secret_medium", stale_secret, MEDIUM, LOCAL, 0},
    {"st_secret_large", stale_secret, LARGE, LOCAL, 0},
    {"st_secret_span", stale_secret, SPAN, LOCAL, 0},
    {"st_secret_small_remote", stale_secret, SMALL, REMOTE, 0},
    {"st_secret_small_heap", stale_secret, SMALL, HEAP, 0},
    {"st_pointers_small", stale_pointers, SMALL, LOCAL, 0},
    {"st_pointers_medium", stale_pointers, MEDIUM, LOCAL, 0},
    {NULL, NULL, SMALL, LOCAL, 0},
};
