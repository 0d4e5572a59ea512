/* Reads and writes through pointers to freed blocks: while nobody has the block, and after somebody
   else got it. Harm: malloc follows what the attacker wrote, a new owner's data changes or is read,
   calloc gives what is not zero, or the old owner's secret is still there. */
#include <string.h>

#include "corpus.h"

static _Alignas(64) uintptr_t target[64]; /* the attacker wants it to be handed out */

static void spray_all(const death_case_t *c)
{
    death_spray(c->path, death_many(c->kind), death_bytes[c->kind]);
}

static char *freed_block(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_release(c->path, p);
    return p;
}

/* ---- while it is free ---- */

/* Every word becomes the address of something the attacker chose. */
static void link_to_chosen(const death_case_t *c)
{
    death_chosen(target, sizeof target);
    char *const p = freed_block(c);
    death_misuse(p);
    for (size_t i = 0; i < 6; i++) death_write_word(p + 8 * i, (uintptr_t)&target[16]);
    death_after();
    spray_all(c);
}

/* The address of a live block of the same size: right in every way but that it is live. */
static void link_to_live(const death_case_t *c)
{
    char *const alive = death_block(c->kind, c->path);
    death_live(alive, death_usable(alive));
    char *const p = freed_block(c);
    death_misuse(p);
    for (size_t i = 0; i < 6; i++) death_write_word(p + 8 * i, (uintptr_t)alive);
    death_after();
    spray_all(c);
}

/* One byte of whatever is there. */
static void link_bent(const death_case_t *c)
{
    char *const p = freed_block(c);
    death_misuse(p);
    death_write(p, 0x40, 1);
    death_after();
    spray_all(c);
}

/* Nothing but ordinary work follows; the next owner expects nothing of the contents. */
static void write_idle(const death_case_t *c)
{
    char *const p = freed_block(c);
    death_misuse(p);
    death_write(p + 16, 0x41, 32);
    death_after();
    spray_all(c);
}

static void write_then_calloc(const death_case_t *c)
{
    char *const p = freed_block(c);
    death_misuse(p);
    death_write(p + 16, 0x41, 32);
    death_after();
    for (size_t i = 0; i < death_many(c->kind); i++) {
        const char *const q = death_calloc(1, death_bytes[c->kind]);
        if (q == NULL) return;
        for (size_t j = 0; j < 64; j++)
            if (q[j] != 0) death_harmed("calloc gave what is not zero");
    }
}

static void read_old(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_fill_secret(p, death_usable(p) & ~(size_t)7);
    death_release(c->path, p);
    death_misuse(p);
    const bool found = death_find(p + 64 * (c->kind != SMALL), 64, DEATH_SECRET);
    death_after();
    if (found) death_harmed("a secret was readable");
}

/* ---- after it was handed out again. detail: how many blocks are allocated in between ---- */

static void write_reused(const death_case_t *c)
{
    char *const p = freed_block(c);
    death_spray(c->path, (size_t)c->detail, death_bytes[c->kind]);
    death_misuse(p);
    death_write(p, 0x41, 48);
    death_after();
    death_check_live();
    spray_all(c); /* the block may still be free, and is looked at when it is handed out */
}

static void read_reused(const death_case_t *c)
{
    char *const p = freed_block(c);
    for (long i = 0; i < c->detail; i++) {
        char *const q = death_owner_malloc(c->path, death_bytes[c->kind]);
        if (q != NULL) death_fill_secret(q, 256 < death_bytes[c->kind] ? 256 : 64);
    }
    death_misuse(p);
    const bool found = death_find(p, 64, DEATH_SECRET);
    death_after();
    if (found) death_harmed("a secret was readable");
}

/* Through the pointer from before realloc. */
static void write_moved(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    char *const q = death_realloc(p, 40 * death_bytes[c->kind]);
    if (q == NULL || q == p) death_skip("realloc did not move the block");
    death_spray(c->path, (size_t)c->detail, death_bytes[c->kind]);
    death_misuse(p);
    death_write(p, 0x41, 48);
    death_after();
    death_check_live();
    spray_all(c);
}

/* Another size gets the memory: the page went back, and came again for others. */
static void write_other_size(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_release_all(LOCAL);
    death_free(p);
    if (mi_collect != NULL) mi_collect(true);
    death_spray(LOCAL, death_many(c->kind) / 2, death_bytes[c->kind] * 2);
    death_misuse(p);
    death_write(p, 0x41, 48);
    death_after();
    death_check_live();
}

const death_case_t death_uaf[] = {
    {"uaf_link_chosen_small", link_to_chosen, SMALL, LOCAL, 0},
    {"uaf_link_chosen_small_remote", link_to_chosen, SMALL, REMOTE, 0},
    {"uaf_link_chosen_small_full", link_to_chosen, SMALL, FULL, 0},
    {"uaf_link_chosen_small_orphan", link_to_chosen, SMALL, ORPHAN, 0},
    {"uaf_link_chosen_small_adopted", link_to_chosen, SMALL, ADOPTED, 0},
    {"uaf_link_chosen_small_heap", link_to_chosen, SMALL, HEAP, 0},
    {"uaf_link_chosen_medium", link_to_chosen, MEDIUM, LOCAL, 0},
    {"uaf_link_chosen_large", link_to_chosen, LARGE, LOCAL, 0},
    {"uaf_link_live_small", link_to_live, SMALL, LOCAL, 0},
    {"uaf_link_live_medium", link_to_live, MEDIUM, LOCAL, 0},
    {"uaf_link_live_small_heap", link_to_live, SMALL, HEAP, 0},
    {"uaf_link_bent_small", link_bent, SMALL, LOCAL, 0},
    {"uaf_link_bent_medium", link_bent, MEDIUM, LOCAL, 0},
    {"uaf_write_idle_small", write_idle, SMALL, LOCAL, 0},
    {"uaf_write_idle_small_remote", write_idle, SMALL, REMOTE, 0},
    {"uaf_write_idle_medium", write_idle, MEDIUM, LOCAL, 0},
    {"uaf_write_idle_large", write_idle, LARGE, LOCAL, 0},
    {"uaf_write_idle_span", write_idle, SPAN, LOCAL, 0},
    {"uaf_write_calloc_small", write_then_calloc, SMALL, LOCAL, 0},
    {"uaf_write_calloc_medium", write_then_calloc, MEDIUM, LOCAL, 0},
    {"uaf_write_calloc_span", write_then_calloc, SPAN, LOCAL, 0},
    {"uaf_write_one_small", write_reused, SMALL, LOCAL, 1},
    {"uaf_write_one_medium", write_reused, MEDIUM, LOCAL, 1},
    {"uaf_write_one_large", write_reused, LARGE, LOCAL, 1},
    {"uaf_write_one_span", write_reused, SPAN, LOCAL, 1},
    {"uaf_write_one_small_heap", write_reused, SMALL, HEAP, 1},
    {"uaf_write_spray_small", write_reused, SMALL, LOCAL, 200},
    {"uaf_write_spray_span", write_reused, SPAN, LOCAL, 8},
    {"uaf_write_moved_small", write_moved, SMALL, LOCAL, 1},
    {"uaf_write_moved_medium", write_moved, MEDIUM, LOCAL, 1},
    {"uaf_write_other_size", write_other_size, SMALL, LOCAL, 0},
    {"uaf_read_old_small", read_old, SMALL, LOCAL, 0},
    {"uaf_read_old_large", read_old, LARGE, LOCAL, 0},
    {"uaf_read_old_span", read_old, SPAN, LOCAL, 0},
    {"uaf_read_one_small", read_reused, SMALL, LOCAL, 1},
    {"uaf_read_one_medium", read_reused, MEDIUM, LOCAL, 1},
    {"uaf_read_one_span", read_reused, SPAN, LOCAL, 1},
    {"uaf_read_spray_small", read_reused, SMALL, LOCAL, 200},
    {NULL, NULL, SMALL, LOCAL, 0},
};
