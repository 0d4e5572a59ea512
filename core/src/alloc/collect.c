/* Collecting, and counting what the heap holds. Any thread. */
#include <string.h>

#include "alloc/slow.h"
#include "base/check.h"
#include "os/os.h"

void mic_collect(bool force)
{
    if (mic_thread_is_ready()) {
        mic_record_t *const record = mic_tls.record;
        mic_deferred_call(record, force);
        mic_record_enter(record);
        mic_record_drain(record);
        mic_theap_collect(&record->theap);
        mic_record_leave(record);
    }
    if (force) {
        for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next) {
            if (r == mic_tls.record) continue;
            if (mic_pool_take(r)) {
                mic_record_adopt(r);
                mic_record_enter(r); /* a child forked now must not use it */
                mic_theap_collect(&r->theap);
                mic_record_leave(r);
                mic_record_put_back(r);
            } else {
                mic_store_relaxed(&r->collect, 1); /* at its next slow path */
            }
        }
    }
    mic_purge_run(force);
}

/* Reads other threads' descriptors as they are: each number is right or that of a moment ago. */
static void count_page(mic_page_t *page, mic_heap_counts_t *counts)
{
    mic_class_count_t *const c = &counts->classes[page->cls];
    const mic_theap_t *const theap = page->theap;
    size_t live = page->used;
    if ((page->flags & MIC_PAGE_ACTIVE) != 0 && theap != NULL) {
        size_t listed = theap->given[page->cls];
        if (theap->record == mic_tls.record) {
            listed = 0;
            for (const mic_block_t *b = theap->list[page->cls]; b != NULL; b = b->next) listed++;
        }
        live -= mic_min(live, listed);
    }
    live -= mic_min(live, mic_remote_count(page));
    c->pages++;
    c->live += live;
    c->live_bytes += live * page->block_bytes;
    c->capacity += page->capacity;
    c->page_bytes += (size_t)page->slices << MIC_SLICE_SHIFT;
}

void mic_heap_count(mic_heap_counts_t *counts)
{
    memset(counts, 0, sizeof *counts);
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++)
        counts->classes[cls].block_bytes = mic_class_bytes(cls);
    for (unsigned a = 0; a < mic_load_acquire(&mic_arena_count); a++) {
        const size_t slices = mic_min(mic_arenas[a].slice_count,
                                      mic_load_acquire(&mic_arenas[a].opened) * MIC_SEGMENT_SLICES);
        for (size_t i = 0; i < slices; i++) {
            mic_page_t *const page = (mic_page_t *)(void *)mic_arena_descriptor(a, i);
            if (mic_page_owner(page) == 0) continue;
            count_page(page, counts);
            if (page->slices > 1) i += page->slices - 1;
        }
    }
    for (const mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        if (r->state == MIC_RECORD_LIVE)
            counts->threads++;
        else
            counts->orphans++;
    for (unsigned cls = 0; cls <= MIC_CLASS_COUNT; cls++) {
        mic_class_count_t *const c = &counts->classes[cls];
        c->peak_page_bytes = mic_load_relaxed(&mic_theap_class_pages[cls].peak) << MIC_SLICE_SHIFT;
        counts->live += c->live;
        counts->live_bytes += c->live_bytes;
        counts->pages += c->pages;
        counts->page_bytes += c->page_bytes;
    }
    counts->peak_page_bytes = mic_load_relaxed(&mic_vm_counts.used_slices_peak) << MIC_SLICE_SHIFT;
}
