/* Statistics: checks the caller's struct and handles, and hands over. */
#include "diag/diag.h"
#include "diag/numbers.h"

#include "api/handle.h"

size_t mi_stats_get_bin_size(size_t bin) { return mic_stats_bin_bytes(bin); }

char *mi_stats_as_json(mi_stats_t *stats, size_t buf_size, char *buf)
{
    return mic_stats_is_ours(stats) ? mic_stats_json(stats, buf_size, buf) : NULL;
}

/* ---- sub-processes ---- */

/* no id: the calling thread's */
static const mic_subproc_t *stats_subproc(mi_subproc_id_t id)
{
    return id._mi_subproc_id == NULL ? mic_subproc_current() : id._mi_subproc_id;
}

bool mi_subproc_stats_get(mi_subproc_id_t subproc_id, mi_stats_t *stats)
{
    if (!mic_stats_is_ours(stats)) return false;
    mic_stats_of_subproc(stats_subproc(subproc_id), stats);
    return true;
}

bool mi_subproc_stats_get_exclusive(mi_subproc_id_t subproc_id, mi_stats_t *stats)
{
    if (!mic_stats_is_ours(stats)) return false;
    mic_stats_outside_heaps(stats_subproc(subproc_id), stats);
    return true;
}

char *mi_subproc_stats_get_json(mi_subproc_id_t subproc_id, size_t buf_size, char *buf)
{
    mi_stats_t stats;
    mic_stats_of_subproc(stats_subproc(subproc_id), &stats);
    return mic_stats_json(&stats, buf_size, buf);
}

void mi_subproc_stats_print_out(mi_subproc_id_t subproc_id, mi_output_fun *out, void *arg)
{
    mic_diag_print_subproc_stats(stats_subproc(subproc_id), out, arg);
}

void mi_subproc_heap_stats_print_out(mi_subproc_id_t subproc_id, mi_output_fun *out, void *arg)
{
    mic_subproc_t *const subproc = (mic_subproc_t *)(uintptr_t)stats_subproc(subproc_id);
    mic_diag_print_subproc_stats(subproc, out, arg);
    mic_heap_cursor_t cursor = {0};
    while (mic_subproc_next_heap(subproc, &cursor)) {
        mic_report_to(out, arg, "\n");
        mic_diag_print_heap_stats(cursor.heap, cursor.number, out, arg);
    }
}

#define STATS_CURRENT ((mi_subproc_id_t){NULL})

bool mi_stats_get(mi_stats_t *stats) { return mi_subproc_stats_get(STATS_CURRENT, stats); }

char *mi_stats_get_json(size_t buf_size, char *buf)
{
    return mi_subproc_stats_get_json(STATS_CURRENT, buf_size, buf);
}

/* ---- heaps; a handle that is stale is reported, and nothing is told ---- */

bool mi_heap_stats_get(mi_heap_t *heap, mi_stats_t *stats)
{
    mic_heap_t *const h = mic_api_heap(heap);
    if (h == NULL || !mic_stats_is_ours(stats)) return false;
    mic_stats_of_heap(h, stats);
    return true;
}

char *mi_heap_stats_get_json(mi_heap_t *heap, size_t buf_size, char *buf)
{
    mic_heap_t *const h = mic_api_heap(heap);
    mi_stats_t stats;
    if (h == NULL) return NULL;
    mic_stats_of_heap(h, &stats);
    return mic_stats_json(&stats, buf_size, buf);
}

void mi_heap_stats_print_out(mi_heap_t *heap, mi_output_fun *out, void *arg)
{
    mic_heap_t *const h = mic_api_heap(heap);
    if (h != NULL) mic_diag_print_heap_stats(h, h->number, out, arg);
}

/* ---- numbers are read off the pages when asked for: nothing waits to be merged ---- */

void mi_heap_stats_merge_to_subproc(mi_heap_t *heap) { (void)heap; }

void mi_stats_merge(void) {}

void mi_stats_reset(void) { mic_stats_reset(); }
