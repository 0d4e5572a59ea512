/* Walking over heaps and sub-processes. */
#include "api/handle.h"

typedef struct walk_visitor {
    mi_block_visit_fun *fun;
    void *arg;
} walk_visitor_t;

static bool walk_visit(const mic_heap_t *heap, const mic_area_t *area, void *block, void *arg)
{
    const walk_visitor_t *const visitor = arg;
    const mi_heap_area_t shown = {.blocks = area->blocks,
                                  .reserved = area->reserved,
                                  .committed = area->committed,
                                  .used = area->used,
                                  .block_size = area->usable,
                                  .full_block_size = area->block_bytes};
    return visitor->fun(mic_api_handle(heap), &shown, block, area->usable, visitor->arg);
}

static bool walk_start(mic_walk_t walk, mi_block_visit_fun *fun, void *arg)
{
    walk_visitor_t visitor = {fun, arg};
    if (walk.heap == NULL || fun == NULL) return false;
    walk.fun = walk_visit;
    walk.arg = &visitor;
    return mic_heap_walk(&walk);
}

bool mi_heap_visit_blocks(mi_heap_t *heap, bool visit_blocks, mi_block_visit_fun *visitor,
                          void *arg)
{
    return walk_start((mic_walk_t){.heap = mic_api_heap(heap), .blocks = visit_blocks}, visitor,
                      arg);
}

bool mi_heap_visit_abandoned_blocks(mi_heap_t *heap, bool visit_blocks, mi_block_visit_fun *visitor,
                                    void *arg)
{
    return walk_start(
        (mic_walk_t){.heap = mic_api_heap(heap), .abandoned = true, .blocks = visit_blocks},
        visitor, arg);
}

bool mi_theap_visit_blocks(const mi_theap_t *theap, bool visit_blocks, mi_block_visit_fun *visitor,
                           void *arg)
{
    const mic_theap_t *const t = (const mic_theap_t *)theap;
    if (t->record == NULL) return true; /* of a thread that never allocated */
    return walk_start((mic_walk_t){.heap = mic_theap_heap(t), .theap = t, .blocks = visit_blocks},
                      visitor, arg);
}

/* ---- sub-processes ---- */

static mic_subproc_t *subproc_of(mi_subproc_id_t id) { return (mic_subproc_t *)id._mi_subproc_id; }

mi_subproc_id_t mi_subproc_main(void) { return (mi_subproc_id_t){&mic_subproc_main}; }

mi_subproc_id_t mi_subproc_current(void) { return (mi_subproc_id_t){mic_subproc_current()}; }

mi_subproc_id_t mi_subproc_new(void)
{
    const int saved = errno;
    mic_subproc_t *const subproc = mic_subproc_new();
    if (subproc != NULL) errno = saved;
    return (mi_subproc_id_t){subproc};
}

void mi_subproc_destroy(mi_subproc_id_t subproc)
{
    const int saved = errno;
    if (subproc_of(subproc) != NULL) mic_subproc_destroy(subproc_of(subproc));
    errno = saved;
}

void mi_subproc_add_current_thread(mi_subproc_id_t subproc)
{
    const int saved = errno;
    const bool ok = subproc_of(subproc) == NULL || mic_subproc_join(subproc_of(subproc));
    errno = ok ? saved : ENOMEM;
}

bool mi_subproc_visit_heaps(mi_subproc_id_t subproc, mi_heap_visit_fun *visitor, void *arg)
{
    mic_subproc_t *const s = subproc_of(subproc);
    if (s == NULL || visitor == NULL) return false;
    mic_heap_cursor_t cursor = {0};
    while (mic_subproc_next_heap(s, &cursor))
        if (!visitor(mic_api_handle(cursor.heap), arg)) return false;
    return true;
}
