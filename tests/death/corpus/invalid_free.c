/* Frees of what is not a block: foreign memory, the inside of blocks, slots never handed out. Harm:
   a live block, or memory that is not malloc's at all, is handed out. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "corpus.h"

/* Looks like a chunk or a list entry to whoever trusts what stands before a pointer. */
static _Alignas(64) uintptr_t static_area[64];

static void forge(uintptr_t *area, size_t words)
{
    for (size_t i = 0; i < words; i++) area[i] = i % 2 == 0 ? 0 : 0x51;
}

static void free_foreign(void *p, void *area, size_t bytes)
{
    char *const near = death_block(SMALL, LOCAL); /* the heap is in use */
    death_chosen(area, bytes);
    death_misuse(p);
    death_free(p);
    death_after();
    death_live(near, death_usable(near));
    death_spray(LOCAL, death_many(SMALL), death_bytes[SMALL]);
}

/* detail: byte offset within the area */
static void in_static(const death_case_t *c)
{
    forge(static_area, 64);
    free_foreign((char *)static_area + c->detail, static_area, sizeof static_area);
}

static void in_static_by_thread_run(void *p) { death_free(p); }

static void in_static_by_thread(const death_case_t *c)
{
    char *const near = death_block(SMALL, LOCAL);
    forge(static_area, 64);
    death_chosen(static_area, sizeof static_area);
    char *const p = (char *)static_area + c->detail;
    death_misuse(p);
    death_in_thread(in_static_by_thread_run, p);
    death_after();
    death_live(near, death_usable(near));
    death_spray(LOCAL, death_many(SMALL), death_bytes[SMALL]);
}

static void in_stack(const death_case_t *c)
{
    uintptr_t area[64];
    forge(area, 64);
    char *const p = death_hide((char *)area + c->detail);
    free_foreign(p, death_hide(area), sizeof area);
}

static void in_text(const death_case_t *c)
{
    (void)c;
    free_foreign((void *)((uintptr_t)&in_text & ~(uintptr_t)15), static_area, sizeof static_area);
}

static void in_mapping(const death_case_t *c)
{
    char *const area =
        mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    death_require(area != MAP_FAILED);
    forge((uintptr_t *)(void *)area, 512);
    free_foreign(area + c->detail, area, 1 << 20);
}

static void at_address(const death_case_t *c)
{
    free_foreign((void *)(uintptr_t)c->detail, static_area, sizeof static_area);
}

/* ---- pointers into the heap ---- */

static void after_free(const death_case_t *c, char *p)
{
    death_live(p, death_usable(p)); /* still ours, if freeing the wrong address did nothing */
    death_spray(c->path, death_many(c->kind), death_bytes[c->kind]);
}

static void inside(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    char *const inner = p + c->detail;
    death_misuse(inner);
    death_release(c->path, inner);
    death_after();
    after_free(c, p);
}

/* 16 bytes before the block: the inside of the block before it, or nothing at all. */
static void before(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_misuse(p - 16);
    death_release(c->path, p - 16);
    death_after();
    after_free(c, p);
}

/* A slot of the page that malloc never gave to anybody: this size is used by nobody else. */
static void never_allocated(const death_case_t *c)
{
    enum { LIVE = 28, BYTES = 448 }; /* more than come of one refill */
    char *blocks[LIVE];
    for (int i = 0; i < LIVE; i++) {
        blocks[i] = death_malloc(BYTES);
        death_require(blocks[i] != NULL);
    }
    size_t stride = 0; /* what all distances within a page are multiples of */
    for (int i = 0; i < LIVE; i++) {
        for (int j = 0; j < LIVE; j++) {
            if (blocks[j] <= blocks[i] || ((uintptr_t)blocks[j] ^ (uintptr_t)blocks[i]) >> 15 != 0)
                continue;
            size_t distance = (size_t)(blocks[j] - blocks[i]);
            while (distance != 0) {
                const size_t rest = stride % distance;
                stride = distance;
                distance = rest;
            }
        }
    }
    char *high = blocks[0];
    for (int i = 1; i < LIVE; i++)
        if (blocks[i] > high) high = blocks[i];
    /* a place of the grid, among ours if there is one: what is beside them may be no page */
    char *slot = NULL, *beside = NULL;
    for (size_t k = 1; stride != 0 && slot == NULL && k < 200 * LIVE; k++) {
        char *const first = blocks[k % LIVE], *const at = first + (k / LIVE + 1) * stride;
        if (((uintptr_t)at ^ (uintptr_t)first) >> 16 != 0) continue;
        slot = at;
        for (int i = 0; i < LIVE; i++)
            if (at < blocks[i] + stride && blocks[i] < at + stride) slot = NULL;
        if (slot != NULL && (at > high || ((uintptr_t)at ^ (uintptr_t)high) >> 16 != 0)) {
            if (beside == NULL) beside = at;
            slot = NULL;
        }
    }
    if (slot == NULL) slot = beside;
    if (slot == NULL || stride == 0 || stride > 4096) death_skip("no free slot beside our blocks");
    for (int i = 0; i < LIVE; i++) death_live(blocks[i], death_usable(blocks[i]));
    death_misuse(slot);
    if (c->path == REMOTE)
        death_in_thread(death_free, slot);
    else
        death_free(slot);
    death_after();
    death_spray(LOCAL, 600, BYTES);
}

/* A pointer behind the last block of a page, where only a part of a block would fit. */
static void page_tail(const death_case_t *c)
{
    char *const p = death_malloc(7000);
    death_require(p != NULL);
    char *const tail = (char *)((uintptr_t)p | 0xffff) - 63; /* 64 bytes before the next 64 KiB */
    death_live(p, death_usable(p));
    death_misuse(tail);
    death_free(tail);
    death_after();
    death_spray(c->path, 60, 7000);
}

/* A block whose page the allocator gave back long ago. */
static void long_gone(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_free(p);
    death_release_all(LOCAL);
    if (mi_collect != NULL) mi_collect(true);
    death_misuse(p + 32);
    death_free(p + 32);
    death_after();
    death_spray(c->path, death_many(c->kind), death_bytes[c->kind]);
}

#define INSIDE(kind, word, offset)                                                                 \
    {"if_interior_" word, inside, kind, LOCAL, offset},                                            \
        {"if_interior_" word "_remote", inside, kind, REMOTE, offset},                             \
        {"if_interior_" word "_orphan", inside, kind, ORPHAN, offset},                             \
        {"if_interior_" word "_adopted", inside, kind, ADOPTED, offset},                           \
        {"if_interior_" word "_heap", inside, kind, HEAP, offset},                                 \
        {"if_unaligned_" word, inside, kind, LOCAL, 1},                                            \
    {                                                                                              \
        "if_unaligned_" word "_remote", inside, kind, REMOTE, 1                                    \
    }

const death_case_t death_invalid_free[] = {
    INSIDE(SMALL, "small", 32),
    INSIDE(MEDIUM, "medium", 4096),
    INSIDE(LARGE, "large", 65536),
    INSIDE(SPAN, "span", 1 << 20),
    {"if_interior_small_full", inside, SMALL, FULL, 32},
    {"if_interior_medium_full", inside, MEDIUM, FULL, 4096},
    {"if_interior_large_full", inside, LARGE, FULL, 4096},
    {"if_interior_span_head", inside, SPAN, LOCAL, 4096},
    {"if_before_small", before, SMALL, LOCAL, 0},
    {"if_before_small_remote", before, SMALL, REMOTE, 0},
    {"if_before_medium", before, MEDIUM, LOCAL, 0},
    {"if_before_span", before, SPAN, LOCAL, 0},
    {"if_static", in_static, SMALL, LOCAL, 64},
    {"if_static_unaligned", in_static, SMALL, LOCAL, 71},
    {"if_static_thread", in_static_by_thread, SMALL, LOCAL, 64},
    {"if_stack", in_stack, SMALL, LOCAL, 64},
    {"if_stack_unaligned", in_stack, SMALL, LOCAL, 67},
    {"if_text", in_text, SMALL, LOCAL, 0},
    {"if_mapping_start", in_mapping, SMALL, LOCAL, 0},
    {"if_mapping_inside", in_mapping, SMALL, LOCAL, 4096 + 16},
    {"if_small_number", at_address, SMALL, LOCAL, 16},
    {"if_odd_number", at_address, SMALL, LOCAL, 12345},
    {"if_not_canonical", at_address, SMALL, LOCAL, (long)0xdead000000001230},
    {"if_kernel", at_address, SMALL, LOCAL, (long)0xffff888000000010},
    {"if_all_ones", at_address, SMALL, LOCAL, -1},
    {"if_never_allocated", never_allocated, SMALL, LOCAL, 0},
    {"if_never_allocated_remote", never_allocated, SMALL, REMOTE, 0},
    {"if_page_tail", page_tail, SMALL, LOCAL, 0},
    {"if_long_gone_small", long_gone, SMALL, LOCAL, 0},
    {"if_long_gone_medium", long_gone, MEDIUM, LOCAL, 0},
    {"if_long_gone_span", long_gone, SPAN, LOCAL, 0},
    {NULL, NULL, SMALL, LOCAL, 0},
};
