/* Counting what heaps hold; see walk.h. */
#include <string.h>

#include "alloc/walk.h"
#include "heap/thread.h"
#include "os/tls.h"

/* Blocks of the active list of its class, which count as used: those that were there when the list
   was made, or, where nobody takes any meanwhile, those that are there now. */
static size_t count_listed(const mic_page_t *page, const mic_theap_t *theap)
{
    const mic_record_t *const record = theap->record;
    if (CFG_BITS) return mic_theap_left_seen(theap, page->cls);
    if (record != mic_tls.record && mic_load_relaxed(&record->state) == MIC_RECORD_LIVE)
        return mic_theap_given_seen(theap, page->cls);
    return mic_page_list_length(page, theap->list[page->cls]);
}

static void count_page(const mic_page_t *page, const mic_theap_t *theap, mic_heap_counts_t *counts)
{
    mic_class_count_t *const c = &counts->classes[page->cls];
    const mic_page_seen_t seen = mic_page_see(page);
    size_t live = seen.used;
    if (seen.active) {
        const size_t listed = mic_min(seen.capacity, count_listed(page, theap));
        if (!CFG_BITS) live -= mic_min(live, listed);
        counts->totals.n[page->cls] -= listed;
    }
    c->pages++;
    c->live += live;
    c->live_bytes += live * seen.block_bytes;
    c->capacity += seen.capacity;
    c->page_bytes += seen.slices << MIC_SLICE_SHIFT;
    if (mic_load_relaxed(&theap->record->state) != MIC_RECORD_LIVE) counts->abandoned_pages++;
}

static void count_pages(const mic_theap_t *theap, mic_heap_counts_t *counts)
{
    for (const mic_page_t *page = theap->pages; page != NULL; page = page->all_next)
        count_page(page, theap, counts);
}

static bool count_theap(mic_theap_t *theap, void *arg)
{
    mic_heap_counts_t *const counts = arg;
    count_pages(theap, counts);
    mic_theap_totals_add(&theap->totals, &counts->totals);
    counts->theaps++;
    if (theap->record == &mic_record_late) return true;
    if (mic_load_relaxed(&theap->record->state) == MIC_RECORD_LIVE)
        counts->threads++;
    else
        counts->orphans++;
    return true;
}

static void count_start(mic_heap_counts_t *counts)
{
    memset(counts, 0, sizeof *counts);
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++)
        counts->classes[cls].block_bytes = mic_class_bytes(cls);
}

static void count_finish(mic_heap_counts_t *counts)
{
    for (unsigned cls = 0; cls <= MIC_CLASS_COUNT; cls++) {
        mic_class_count_t *const c = &counts->classes[cls];
        c->peak_page_bytes = mic_load_relaxed(&mic_theap_class_slices[cls].peak) << MIC_SLICE_SHIFT;
        c->made = (size_t)counts->totals.n[cls];
        if (c->made > PTRDIFF_MAX || c->made < c->live) c->made = c->live; /* read one by one */
        counts->live += c->live;
        counts->live_bytes += c->live_bytes;
        counts->pages += c->pages;
        counts->page_bytes += c->page_bytes;
    }
    counts->peak_page_bytes = mic_load_relaxed(&mic_vm_counts.used_slices_peak) << MIC_SLICE_SHIFT;
}

/* subproc NULL: any */
static void count_record(mic_record_t *record, const mic_subproc_t *subproc,
                         mic_heap_counts_t *counts)
{
    const size_t threads = counts->threads, orphans = counts->orphans;
    if (record->theap.record == NULL) return; /* the late one of a process that did not start */
    mic_lock_acquire(&record->lock);
    if (subproc == NULL || mic_record_subproc(record) == subproc) {
        for (mic_theap_t *t = record->theaps; t != NULL; t = t->record_next)
            (void)count_theap(t, counts);
        counts->threads = threads; /* each record counts once */
        counts->orphans = orphans;
        (void)count_theap(&record->theap, counts);
        mic_theap_totals_add(&record->gone, &counts->totals);
        /* empty pages that wait for the next heap */
        for (const mic_theap_t *t = record->theap_free; t != NULL; t = t->record_next)
            count_pages(t, counts);
    }
    mic_lock_release(&record->lock);
}

void mic_heap_count_subproc(const mic_subproc_t *subproc, mic_heap_counts_t *counts)
{
    count_start(counts);
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        count_record(r, subproc, counts);
    count_record(&mic_record_late, subproc, counts);
    count_finish(counts);
}

void mic_heap_count_gone(const mic_subproc_t *subproc, mic_heap_counts_t *counts)
{
    count_start(counts);
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next) {
        mic_lock_acquire(&r->lock);
        if (mic_record_subproc(r) == subproc) mic_theap_totals_add(&r->gone, &counts->totals);
        mic_lock_release(&r->lock);
    }
    count_finish(counts);
}

void mic_heap_count_thread(mic_heap_counts_t *counts)
{
    count_start(counts);
    if (mic_thread_is_ready()) count_record(mic_tls.record, NULL, counts);
    count_finish(counts);
}

void mic_heap_count(mic_heap_counts_t *counts) { mic_heap_count_subproc(NULL, counts); }

void mic_heap_count_one(mic_heap_t *heap, mic_heap_counts_t *counts)
{
    count_start(counts);
    (void)mic_heap_each_theap(heap, count_theap, counts);
    count_finish(counts);
}

bool mic_heap_is_under_utilized(const mic_heap_t *heap, const void *p, size_t percent)
{
    const mic_page_t *const page = mic_page_of(p);
    if (page == NULL || mic_theap_heap(mic_page_theap(page)) != heap) return false;
    const mic_page_seen_t seen = mic_page_see(page);
    if (page->kind == MIC_PAGE_SPAN || seen.active) return false;
    if ((mic_page_owner(page) & MIC_OWNER_FULL) != 0) return false;
    return seen.used * 100 <= page->reserved * percent;
}
