/* Attacks on what allocators keep about blocks: sizes and flags before a block, links in the free
   neighbour, records at the beginning of a page or behind the heap. Harm: an overlap, a chosen
   address, or a changed live object. */
#include <string.h>

#include "corpus.h"

static _Alignas(64) uintptr_t target[64];

static void spray_all(const death_case_t *c)
{
    death_spray(c->path, death_many(c->kind), death_bytes[c->kind]);
}

/* The word before a block claims that it is bigger; then it is freed, and that size asked for. */
static void size_before(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    death_dead(low); /* its last word may be what is written over */
    death_misuse(high);
    death_write_word(high - 8, (uintptr_t)c->detail | 1);
    death_dead(high);
    death_release(c->path, high);
    death_after();
    death_spray(c->path, 40, (size_t)c->detail - 16);
    spray_all(c);
}

/* A live block overflows into its free neighbour, whose words become addresses. */
static void link_of_neighbour(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    char *const any = low; /* live, of the same size */
    death_dead(high);
    death_release(c->path, high);
    const uintptr_t to = c->detail == 0 ? (uintptr_t)&target[16] : (uintptr_t)any;
    if (c->detail == 0) death_chosen(target, sizeof target);
    death_misuse(low);
    char *at = (char *)(((uintptr_t)low + death_usable(low) + 7) & ~(uintptr_t)7);
    for (; at < high + 16; at += 8) death_write_word(at, to);
    death_after();
    spray_all(c);
}

/* A free chunk, forged between two live blocks: its neighbours' links are to be joined. */
static void forged_neighbour(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    death_chosen(target, sizeof target);
    target[18] = target[19] = (uintptr_t)(low + 16);
    uintptr_t *const inside = (uintptr_t *)(void *)low;
    death_dead(low);
    inside[0] = 0; /* a chunk as large as the block, which says that it is free */
    inside[1] = (uintptr_t)(high - low - 16) | 1;
    inside[2] = (uintptr_t)&target[16];
    inside[3] = (uintptr_t)&target[16];
    death_misuse(high);
    death_write_word(high - 16, (uintptr_t)(high - low - 16));
    death_write_word(high - 8, (uintptr_t)(high - low) & ~(uintptr_t)1);
    death_dead(high);
    death_release(c->path, high);
    death_after();
    for (size_t i = 0; i < 64; i++)
        if (i != 18 && i != 19 && target[i] != 0) death_harmed("program data followed as a link");
    if (target[18] != (uintptr_t)(low + 16) || target[19] != (uintptr_t)(low + 16))
        death_harmed("program data followed as a link");
    spray_all(c);
}

/* The first bytes of the 64 KiB in which the block lies, where it is not the block itself. */
static void page_start(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    char *const start = (char *)((uintptr_t)p & ~(uintptr_t)0xffff);
    if (start + 64 > p) death_skip("the block is at the beginning");
    death_misuse(p);
    death_write(start, 0x41, 48);
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
    death_release(c->path, p);
    spray_all(c);
    death_release_all(LOCAL);
}

/* From the block in one direction until something stops it: what lies around the heap? */
static void run(const death_case_t *c)
{
    char *const p = death_block(c->kind, c->path);
    death_misuse(p);
    if (c->detail > 0)
        death_write(p + death_usable(p), 0x41, (size_t)c->detail);
    else
        for (long i = 1; i <= -c->detail; i++) death_write(p - i, 0x41, 1);
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
    spray_all(c);
}

/* The end of the last block says that all that follows is free and endless. */
static void endless_top(const death_case_t *c)
{
    char *last = NULL;
    for (int i = 0; i < 20; i++) {
        char *const p = death_malloc(1000);
        death_require(p != NULL);
        death_live(p, death_usable(p));
        if (p > last) last = p;
    }
    death_chosen(target, sizeof target);
    death_misuse(last);
    death_write(last + death_usable(last), 0xff, 8);
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
    (void)!death_malloc((uintptr_t)&target[14] - (uintptr_t)last - 2000); /* up to the target */
    death_spray(c->path, 2, 128);
    death_spray(c->path, 40, 1000);
}

const death_case_t death_metadata[] = {
    {"md_size_before_small", size_before, SMALL, LOCAL, 512},
    {"md_size_before_medium", size_before, MEDIUM, LOCAL, 60000},
    {"md_size_before_heap", size_before, SMALL, HEAP, 512},
    {"md_link_chosen_small", link_of_neighbour, SMALL, LOCAL, 0},
    {"md_link_chosen_small_remote", link_of_neighbour, SMALL, REMOTE, 0},
    {"md_link_chosen_medium", link_of_neighbour, MEDIUM, LOCAL, 0},
    {"md_link_live_small", link_of_neighbour, SMALL, LOCAL, 1},
    {"md_forged_neighbour", forged_neighbour, MEDIUM, LOCAL, 0},
    {"md_page_start_small", page_start, SMALL, LOCAL, 0},
    {"md_page_start_medium", page_start, MEDIUM, LOCAL, 0},
    {"md_endless_top", endless_top, SMALL, LOCAL, 0},
    {"md_run_up", run, SMALL, LOCAL, 64 << 20},
    {"md_run_down", run, SMALL, LOCAL, -(64 << 20)},
    {"md_run_up_span", run, SPAN, LOCAL, 64 << 20},
    {NULL, NULL, SMALL, LOCAL, 0},
};
