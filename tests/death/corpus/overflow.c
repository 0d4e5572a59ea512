/* Linear overflows and underflows, written and read, and writes far away. What counts is the usable
   size: bytes up to there belong to the program. Harm: a live neighbour changed and nobody stopped
   the program, or a neighbour's secret was read. */
#include <stdlib.h>
#include <string.h>

#include "corpus.h"

#define INTO 32 /* bytes of the neighbour that are reached, where it is reached */

enum { THROUGH = 0 }; /* detail: bytes; THROUGH goes INTO the neighbour */

static size_t reach_of(const death_case_t *c, const char *low, const char *high, size_t usable)
{
    return c->detail == THROUGH ? (size_t)(high - low) - usable + INTO : (size_t)c->detail;
}

/* What the program does next: frees. Whoever looks at the bytes between blocks finds it now. */
static void look_and_free(const death_case_t *c, char *first)
{
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
    death_dead(first);
    death_release(c->path, first);
    death_release_all(c->path);
}

/* A single byte is altered: what lies behind a block is random, and may be the byte that would be
   written. */
static void write_behind(char *end, size_t bytes)
{
    if (bytes == 1)
        death_alter(end);
    else
        death_write(end, 0x41, bytes);
}

static void over(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    const size_t usable = death_usable(low), reach = reach_of(c, low, high, usable);
    death_misuse(low);
    write_behind(low + usable, reach);
    look_and_free(c, low);
}

/* The string's end goes one too far. */
static void over_by_a_zero(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    death_misuse(low);
    death_write(low + death_usable(low), 0, 1);
    look_and_free(c, low);
}

/* The block that overflowed is never freed, the one behind it is. */
static void over_high_freed(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    const size_t usable = death_usable(high);
    death_misuse(low);
    death_write(low + death_usable(low), 0x41,
                (size_t)(high - low) - death_usable(low) + usable + 8); /* all of it, and its end */
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
    death_release(c->path, high);
}

/* Nobody frees anything. */
static void over_unfreed(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    const size_t usable = death_usable(low);
    death_misuse(low);
    write_behind(low + usable, reach_of(c, low, high, usable));
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
}

static void over_then_realloc(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    const size_t usable = death_usable(low);
    death_misuse(low);
    write_behind(low + usable, reach_of(c, low, high, usable));
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
    (void)!death_realloc(low, usable * 3);
}

static void over_then_usable(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    const size_t usable = death_usable(low);
    death_misuse(low);
    write_behind(low + usable, reach_of(c, low, high, usable));
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
    (void)!death_usable(low);
}

static void over_then_heap_destroy(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    const size_t usable = death_usable(low);
    death_misuse(low);
    write_behind(low + usable, reach_of(c, low, high, usable));
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
    mi_heap_destroy(death_heap());
}

static void over_calloc(const death_case_t *c)
{
    char *blocks[64];
    for (int i = 0; i < 64; i++) {
        blocks[i] = death_calloc(1, death_bytes[c->kind]);
        death_live(blocks[i], death_usable(blocks[i]));
    }
    death_misuse(blocks[20]);
    write_behind(blocks[20] + death_usable(blocks[20]), (size_t)c->detail);
    look_and_free(c, blocks[20]);
}

static void over_aligned(const death_case_t *c)
{
    char *blocks[16];
    for (int i = 0; i < 16; i++) {
        blocks[i] = death_aligned((size_t)c->detail, 200);
        death_live(blocks[i], death_usable(blocks[i]));
    }
    death_misuse(blocks[7]);
    death_write(blocks[7] + death_usable(blocks[7]), 0x41, 8);
    look_and_free(c, blocks[7]);
}

/* Writes at a chosen distance, and nothing between. detail: which live object behind. */
static void far_away(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    death_misuse(low);
    death_write(high + 16, 0x41, 16);
    look_and_free(c, low);
}

/* The attacker read what stands behind his block, and writes it back where it stood. */
static void replayed(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    const size_t usable = death_usable(low), gap = (size_t)(high - low) - usable;
    unsigned char copy[4096];
    if (gap > sizeof copy) death_skip("the blocks are too far apart");
    death_misuse(low);
    for (size_t i = 0; i + 8 <= gap; i += 8) {
        const uintptr_t word = death_read_word(low + usable + i);
        memcpy(copy + i, &word, 8);
    }
    death_write(low + usable, 0x41, gap + INTO);
    for (size_t i = 0; i < gap; i++) death_write(low + usable + i, copy[i], 1);
    look_and_free(c, low);
}

/* Upwards without end: sooner or later something stops it, or other sizes are reached. */
static void run_far(const death_case_t *c)
{
    char *low, *high;
    char *const other = death_malloc(1000);
    death_live(other, death_usable(other));
    death_pair(c->kind, c->path, &low, &high);
    death_misuse(low);
    write_behind(low + death_usable(low), (size_t)c->detail);
    look_and_free(c, low);
}

/* malloc(0) gives no byte to write to; what it does give is filled too far. */
static void of_nothing(const death_case_t *c)
{
    char *blocks[64];
    for (int i = 0; i < 64; i++) {
        blocks[i] = death_malloc(0);
        death_live(blocks[i], death_usable(blocks[i]));
    }
    death_misuse(blocks[30]);
    death_write(blocks[30], 0x41, (size_t)c->detail);
    death_dead(blocks[30]);
    if (!death_is_intact()) death_changed("a live object changed");
    death_after();
    death_free(blocks[30]);
    death_release_all(c->path);
}

#define OVER(kind, word)                                                                           \
    {"ov_" word "_1", over, kind, LOCAL, 1}, {"ov_" word "_8", over, kind, LOCAL, 8},              \
        {"ov_" word "_through", over, kind, LOCAL, THROUGH},                                       \
        {"ov_" word "_through_remote", over, kind, REMOTE, THROUGH},                               \
        {"ov_" word "_through_orphan", over, kind, ORPHAN, THROUGH},                               \
    {                                                                                              \
        "ov_" word "_through_heap", over, kind, HEAP, THROUGH                                      \
    }

const death_case_t death_overflow_write[] = {
    OVER(SMALL, "small"),
    OVER(MEDIUM, "medium"),
    OVER(LARGE, "large"),
    OVER(SPAN, "span"),
    {"ov_small_1_full", over, SMALL, FULL, 1},
    {"ov_small_1_remote", over, SMALL, REMOTE, 1},
    {"ov_small_8_orphan", over, SMALL, ORPHAN, 8},
    {"ov_small_8_adopted", over, SMALL, ADOPTED, 8},
    {"ov_small_8_heap", over, SMALL, HEAP, 8},
    {"ov_medium_8_full", over, MEDIUM, FULL, 8},
    {"ov_medium_8_remote", over, MEDIUM, REMOTE, 8},
    {"ov_small_through_full", over, SMALL, FULL, THROUGH},
    {"ov_medium_through_full", over, MEDIUM, FULL, THROUGH},
    {"ov_small_zero", over_by_a_zero, SMALL, LOCAL, 0},
    {"ov_medium_zero", over_by_a_zero, MEDIUM, LOCAL, 0},
    {"ov_small_high_freed", over_high_freed, SMALL, LOCAL, 0},
    {"ov_medium_high_freed", over_high_freed, MEDIUM, LOCAL, 0},
    {"ov_small_unfreed", over_unfreed, SMALL, LOCAL, THROUGH},
    {"ov_small_realloc", over_then_realloc, SMALL, LOCAL, 8},
    {"ov_medium_realloc", over_then_realloc, MEDIUM, LOCAL, 8},
    {"ov_small_usable", over_then_usable, SMALL, LOCAL, 8},
    {"ov_small_heap_destroy", over_then_heap_destroy, SMALL, HEAP, 8},
    {"ov_medium_heap_destroy", over_then_heap_destroy, MEDIUM, HEAP, 8},
    {"ov_small_calloc", over_calloc, SMALL, LOCAL, 8},
    {"ov_aligned_64", over_aligned, SMALL, LOCAL, 64},
    {"ov_aligned_4096", over_aligned, SMALL, LOCAL, 4096},
    {"ov_small_far", far_away, SMALL, LOCAL, 0},
    {"ov_small_replay", replayed, SMALL, LOCAL, 0},
    {"ov_small_64k", run_far, SMALL, LOCAL, 128 << 10},
    {"ov_small_16m", run_far, SMALL, LOCAL, 16 << 20},
    {"ov_nothing_32", of_nothing, SMALL, LOCAL, 32},
    {NULL, NULL, SMALL, LOCAL, 0},
};

/* ---- reading behind the end ---- */

static void read_over(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    const size_t usable = death_usable(low);
    const size_t room = death_usable(high);
    death_fill_secret(high, room < 256 ? room : 256);
    death_misuse(low);
    const bool found = death_find(low + usable, reach_of(c, low, high, usable), DEATH_SECRET);
    death_after();
    if (found) death_harmed("a secret was readable");
}

const death_case_t death_overflow_read[] = {
    {"or_small_8", read_over, SMALL, LOCAL, 8},
    {"or_small_through", read_over, SMALL, LOCAL, THROUGH},
    {"or_small_full", read_over, SMALL, FULL, THROUGH},
    {"or_small_orphan", read_over, SMALL, ORPHAN, THROUGH},
    {"or_medium_8", read_over, MEDIUM, LOCAL, 8},
    {"or_medium_through", read_over, MEDIUM, LOCAL, THROUGH},
    {"or_large_8", read_over, LARGE, LOCAL, 8},
    {"or_large_through", read_over, LARGE, LOCAL, THROUGH},
    {"or_span_8", read_over, SPAN, LOCAL, 8},
    {"or_span_through", read_over, SPAN, LOCAL, THROUGH},
    {"or_small_1m", read_over, SMALL, LOCAL, 1 << 20},
    {"or_span_heap", read_over, SPAN, HEAP, THROUGH},
    {NULL, NULL, SMALL, LOCAL, 0},
};

/* ---- below the beginning ---- */

static void under(const death_case_t *c)
{
    char *low, *high;
    death_pair(c->kind, c->path, &low, &high);
    const size_t gap = (size_t)(high - low) - death_usable(low);
    const size_t reach = c->detail == THROUGH ? gap + INTO : (size_t)c->detail;
    death_misuse(high);
    if (reach == 1)
        death_alter(high - 1); /* a random byte may be any byte already, one time in 256 */
    else
        death_write(high - reach, 0x41, reach);
    look_and_free(c, high);
}

const death_case_t death_underflow[] = {
    {"un_small_1", under, SMALL, LOCAL, 1},
    {"un_small_8", under, SMALL, LOCAL, 8},
    {"un_small_through", under, SMALL, LOCAL, THROUGH},
    {"un_small_8_remote", under, SMALL, REMOTE, 8},
    {"un_small_8_full", under, SMALL, FULL, 8},
    {"un_small_8_orphan", under, SMALL, ORPHAN, 8},
    {"un_small_8_heap", under, SMALL, HEAP, 8},
    {"un_medium_1", under, MEDIUM, LOCAL, 1},
    {"un_medium_through", under, MEDIUM, LOCAL, THROUGH},
    {"un_medium_8_remote", under, MEDIUM, REMOTE, 8},
    {"un_large_8", under, LARGE, LOCAL, 8},
    {"un_large_through", under, LARGE, LOCAL, THROUGH},
    {"un_span_8", under, SPAN, LOCAL, 8},
    {"un_span_through", under, SPAN, LOCAL, THROUGH},
    {NULL, NULL, SMALL, LOCAL, 0},
};
