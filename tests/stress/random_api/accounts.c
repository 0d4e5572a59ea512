/* What the library says of all that is live: walking at any time, and, while no other thread runs,
   that walks and statistics agree with what is known here, and that nothing is left in the end. */
#include <stdio.h>

#include "base/config.h"
#include "live.h"
#include "random_api.h"
#include "stress.h"

#define RSS_MOST ((size_t)48 << 20) /* when all is freed; the C library's part is in it */

/* ---- walking ---- */

typedef struct walk {
    mi_heap_t *heap;
    size_t blocks, bytes, areas, used, of_area, stop_at;
    bool exact;
} walk_t;

static bool visit(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                  void *arg)
{
    walk_t *const w = arg;
    stress_require(heap == w->heap && size == area->block_size);
    stress_require(size <= area->full_block_size && area->committed <= area->reserved);
    stress_require(area->used * area->full_block_size <= area->reserved);
    if (block == NULL) {
        if (w->exact) stress_require(w->of_area == 0);
        w->areas++;
        w->of_area = area->used;
        w->used += area->used;
        w->bytes += area->used * area->block_size;
    } else {
        const size_t at = (size_t)((char *)block - (char *)area->blocks);
        stress_require(at + size <= area->reserved && at % area->full_block_size == 0);
        w->blocks++;
        w->of_area--;
        if (w->exact) {
            stress_require(live_within(block, size) != NULL);
            stress_require(mi_heap_of(block) == heap);
        }
    }
    return --w->stop_at != 0;
}

void walk(actor_t *a)
{
    const heap_t *const h = any_heap(a);
    walk_t w = {.heap = h == NULL ? a->main : h->heap,
                .stop_at = chance(a, 4) ? 1 + below(a, 50) : 0};
    const bool stops = w.stop_at != 0, blocks = chance(a, 2);
    bool all;
    switch (below(a, 3)) {
    case 0:
        all = mi_heap_visit_abandoned_blocks(w.heap, blocks, visit, &w);
        break;
    case 1:
        if (mi_heap_theap(w.heap) == NULL) return;
        all = mi_theap_visit_blocks(mi_heap_theap(w.heap), blocks, visit, &w);
        break;
    default:
        all = mi_heap_visit_blocks(w.heap, blocks, visit, &w);
        break;
    }
    stress_require(all || stops || may_fail);
    if (stops && w.stop_at == 0) stress_require(!all);
}

/* ---- while nothing else runs ---- */

static size_t blocks_in(const mi_heap_t *heap)
{
    size_t n = 0;
    for (size_t i = 0; i < ACTORS * SLOTS; i++) {
        const block_t *const b = &actors[i / SLOTS].blocks[i % SLOTS];
        n += b->p != NULL && mi_heap_of(b->p) == heap;
        if (b->p != NULL && !b->foreign) stress_require(mi_heap_of(b->p) == b->heap);
    }
    for (size_t i = 0; i < MAILS; i++) n += mails[i].p != NULL && mi_heap_of(mails[i].p) == heap;
    return n;
}

static size_t check_heap(mi_heap_t *heap)
{
    mi_stats_t_decl(stats);
    walk_t w = {.heap = heap, .exact = true}, parts = {.heap = heap};
    const size_t blocks = blocks_in(heap);
    stress_require(mi_heap_visit_blocks(heap, true, visit, &w));
    stress_require(w.blocks == blocks && w.used == blocks && w.of_area == 0);
    stress_require(mi_heap_visit_blocks(heap, false, visit, &parts));
    stress_require(parts.used == blocks && parts.blocks == 0);
    stress_require(mi_heap_stats_get(heap, &stats));
    const size_t bytes = (size_t)(stats.malloc_normal.current + stats.malloc_huge.current);
    /* canaries count; what a guarded block of the walk has is what the program has */
    stress_require(guarded || (bytes >= w.bytes && bytes <= w.bytes + (CFG_BITS ? 8 * blocks : 0)));
    stress_require((size_t)stats.pages.current >= w.areas);
    return blocks;
}

void check_quiet(void)
{
    size_t blocks = 0;
    free_stash();
    mi_register_deferred_free(NULL, NULL);
    for (size_t i = 0; i < ACTORS * SLOTS; i++) {
        const block_t *const b = &actors[i / SLOTS].blocks[i % SLOTS];
        if (b->p != NULL) live_check(b->p, b->filled, b->filled, b->mark);
    }
    if (may_fail) return;
    mi_collect(true);
    blocks += check_heap(actors[0].main);
    for (size_t i = 0; i < ACTORS * HEAPS; i++) {
        const heap_t *const h = &actors[i / HEAPS].heaps[i % HEAPS];
        if (h->heap != NULL) blocks += check_heap(h->heap);
    }
    for (size_t i = 0; i < SHARED; i++)
        if (shared[i].heap != NULL) blocks += check_heap(shared[i].heap);
    stress_require(blocks == live_count());
}

void drop_all(void)
{
    for (size_t i = 0; i < ACTORS * SLOTS; i++) {
        block_t *const b = &actors[i / SLOTS].blocks[i % SLOTS];
        if (b->p != NULL) drop(&actors[i / SLOTS], b);
    }
    drop_mails();
    for (size_t i = 0; i < ACTORS * HEAPS; i++) {
        heap_t *const h = &actors[i / HEAPS].heaps[i % HEAPS];
        if (h->heap == NULL) continue;
        forget_heap(&actors[i / HEAPS], h);
        end_this_heap(h);
    }
    free_stash();
    stress_require(live_count() == 0);
}

void check_empty(void)
{
    mi_stats_t_decl(stats);
    mi_option_set(mi_option_guarded_sample_rate, 0);
    mi_theap_guarded_set_sample_rate(mi_theap_get_default(), 0, 0);
    mi_collect(true);
    mi_collect(true);
    stress_require(mi_stats_get(&stats));
    stress_require(stats.malloc_normal.current == 0 && stats.malloc_huge.current == 0);
    for (size_t i = 0; i < MI_STAT_BIN_COUNT; i++)
        stress_require(stats.malloc_bins[i].current == 0);
    if (guarded) return; /* freed ones are kept */
    size_t rss = 0, pinned = 0;
    mi_process_info(NULL, NULL, NULL, &rss, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < arena_count; i++) pinned += arenas[i].bytes;
    if (stress_under_sanitizer()) rss = 0;
    if (stats.pages.current > 8 || rss > pinned + RSS_MOST)
        fprintf(stderr, "%lld pages, %zu bytes resident\n", (long long)stats.pages.current, rss);
    stress_require(stats.pages.current <= 8);
    stress_require(rss <= pinned + RSS_MOST);
}
