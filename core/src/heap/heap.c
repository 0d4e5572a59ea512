/* First-class heaps: making them, finding a thread's part of them, and what becomes of their pages
   when they go. See heap.h; any thread. */
#include "heap/heap.h"

#include <errno.h>

#include "base/check.h"
#include "heap/purger.h"
#include "heap/table.h"
#include "heap/thread.h"
#include "rt/report.h"

static mic_lock_t heaps_lock = MIC_LOCK_INIT(MIC_RANK_HEAPS);
/* [lock: heaps] dead heaps, the longest dead first, so that a stale handle is not reused soon */
static mic_heap_t *heap_dead_first, *heap_dead_last;
static uint64_t heap_number; /* [lock: heaps] */

#define MAIN_PLACE(i)                                                                              \
    {                                                                                              \
        .arena = 0, .subproc = (i), .numa = -1                                                     \
    }
mic_subproc_t mic_subproc_main = {
    .main = {.subproc = &mic_subproc_main, .state = MIC_HEAP_MAIN, .place = MAIN_PLACE(0)},
    .live = true,
};

/* ---- new ---- */

static mic_heap_t *heap_object_locked(void)
{
    mic_heap_t *heap = heap_dead_first;
    if (heap == NULL) return mic_meta_alloc(sizeof *heap, _Alignof(mic_heap_t));
    heap_dead_first = heap->next;
    if (heap_dead_first == NULL) heap_dead_last = NULL;
    return heap;
}

static void heap_link_locked(mic_subproc_t *subproc, mic_heap_t *heap)
{
    heap->prev = NULL;
    heap->next = subproc->heaps;
    if (heap->next != NULL) heap->next->prev = heap;
    subproc->heaps = heap;
    subproc->heap_count++;
}

mic_heap_t *mic_heap_new(mic_subproc_t *subproc, uint16_t arena)
{
    mic_heap_t *heap = NULL;
    if (mic_process_start()) {
        mic_lock_acquire(&heaps_lock);
        heap = heap_object_locked();
        if (heap != NULL) {
            heap->subproc = subproc;
            heap->generation++;
            heap->place = (mic_place_t){.arena = arena, .subproc = subproc->index, .numa = -1};
            heap->theaps = NULL;
            mic_store_relaxed(&heap->theap_count, 0);
            heap->number = ++heap_number;
            mic_store_relaxed(&heap->state, MIC_HEAP_LIVE);
            heap_link_locked(subproc, heap);
            mic_level_up(&mic_levels[MIC_LEVEL_HEAPS], 1);
        }
        mic_lock_release(&heaps_lock);
    }
    if (heap == NULL) errno = ENOMEM;
    return heap;
}

void mic_heap_init_main(mic_subproc_t *subproc)
{
    mic_heap_t *const main = &subproc->main;
    main->subproc = subproc;
    main->place = (mic_place_t){.arena = 0, .subproc = subproc->index, .numa = -1};
    mic_store_relaxed(&main->state, MIC_HEAP_MAIN);
}

/* The list is in order, the highest number first. So one that is gone, or is another heap by now,
   does not end a walk. */
bool mic_subproc_next_heap(mic_subproc_t *subproc, mic_heap_cursor_t *cursor)
{
    if (cursor->heap == NULL) {
        *cursor = (mic_heap_cursor_t){.heap = &subproc->main, .number = 0};
        return true;
    }
    mic_lock_acquire(&heaps_lock);
    mic_heap_t *next = subproc->heaps;
    const mic_heap_t *const last = cursor->heap;
    if (last != &subproc->main) {
        if (last->number == cursor->number && mic_load_relaxed(&last->state) == MIC_HEAP_LIVE)
            next = last->next;
        else
            while (next != NULL && next->number >= cursor->number) next = next->next;
    }
    if (next != NULL) *cursor = (mic_heap_cursor_t){.heap = next, .number = next->number};
    mic_lock_release(&heaps_lock);
    return next != NULL;
}

void mic_subproc_destroy_heaps(mic_subproc_t *subproc)
{
    mic_heap_cursor_t cursor = {0};
    while (mic_subproc_next_heap(subproc, &cursor))
        if (cursor.heap != &subproc->main) mic_heap_destroy(cursor.heap);
}

/* ---- a thread's part ---- */

mic_theap_t *mic_record_find_theap(mic_record_t *record, const mic_heap_t *heap)
{
    if (mic_theap_is_of(&record->theap, heap)) return &record->theap;
    for (mic_theap_t *t = record->theaps; t != NULL; t = t->record_next)
        if (mic_theap_is_of(t, heap)) return t;
    return NULL;
}

static void theap_join_heap_locked(mic_theap_t *theap, mic_heap_t *heap)
{
    theap->heap_next = heap->theaps;
    heap->theaps = theap;
    mic_fetch_add_relaxed(&heap->theap_count, 1);
    mic_store_release(&theap->heap, (uintptr_t)heap);
}

/* A heap that is bound to an arena, or of another sub-process: memory is not shared with others. */
static bool heap_is_apart(const mic_heap_t *heap, const mic_record_t *record)
{
    return heap->place.arena != 0 || heap->subproc != mic_record_subproc(record);
}

static void record_link_locked(mic_record_t *record, mic_theap_t *theap)
{
    theap->record_prev = NULL;
    theap->record_next = record->theaps;
    if (theap->record_next != NULL) theap->record_next->record_prev = theap;
    record->theaps = theap;
}

/* Whoever allocates from the thread heap by default does so from the main heap again. */
static void theap_not_default(const mic_theap_t *theap)
{
    if (mic_tls.theap == theap) mic_tls.theap = &mic_tls.record->theap;
}

/* A thread heap for the record; the caller holds the heaps lock and has authority. */
static mic_theap_t *theap_make_locked(mic_record_t *record, mic_heap_t *heap)
{
    mic_lock_acquire(&record->lock);
    mic_theap_t *theap = record->theap_free;
    if (theap != NULL) {
        record->theap_free = theap->record_next;
        /* another thread may have ended the heap that was the default here */
        theap_not_default(theap);
        if (theap->pages != NULL) {
            record->theap_warm--;
            if (heap_is_apart(heap, record)) mic_theap_destroy_locked(theap, 0);
        }
    } else {
        theap = mic_meta_alloc(sizeof *theap, MIC_CACHE_LINE);
        if (theap != NULL) {
            mic_theap_init(theap, record, NULL);
            record->theap_made++;
        }
    }
    if (theap != NULL) {
        theap->kept = false;
        record_link_locked(record, theap);
        theap_join_heap_locked(theap, heap);
        mic_level_up(&mic_levels[MIC_LEVEL_THEAPS], 1);
    }
    mic_lock_release(&record->lock);
    return theap;
}

/* The heap's list is as long as threads used it; the record's as it has heaps. */
static mic_theap_t *theap_find_locked(const mic_record_t *record, const mic_heap_t *heap)
{
    for (mic_theap_t *t = heap->theaps; t != NULL; t = t->heap_next)
        if (t->record == record) return t;
    return NULL;
}

static mic_theap_t *heap_theap_of(mic_record_t *record, mic_heap_t *heap)
{
    mic_theap_t *theap = mic_theap_table_find(record, heap);
    if (theap != NULL) return theap;
    mic_lock_acquire(&heaps_lock);
    theap = theap_find_locked(record, heap);
    if (theap == NULL) theap = theap_make_locked(record, heap);
    mic_lock_release(&heaps_lock);
    if (theap != NULL) mic_theap_table_note(record, theap);
    return theap;
}

mic_theap_t *mic_heap_theap(mic_heap_t *heap)
{
    if (!mic_thread_is_ready() && !mic_thread_attach()) {
        if (!mic_process_start()) return NULL;
        if (mic_theap_is_of(&mic_record_late.theap, heap)) return &mic_record_late.theap;
        mic_lock_acquire(&heaps_lock);
        mic_lock_acquire(&mic_late_lock);
        mic_theap_t *late = theap_find_locked(&mic_record_late, heap);
        if (late == NULL) late = theap_make_locked(&mic_record_late, heap);
        mic_lock_release(&mic_late_lock);
        mic_lock_release(&heaps_lock);
        return late;
    }
    mic_record_t *const record = mic_tls.record;
    mic_theap_t *theap = record->front.theap_cache[mic_theap_cache_slot(heap)];
    if (mic_theap_is_of(theap, heap)) return theap;
    theap = &record->theap;
    if (!mic_theap_is_of(theap, heap)) {
        mic_record_enter(record);
        theap = heap_theap_of(record, heap);
        mic_record_leave(record);
    }
    if (theap != NULL) record->front.theap_cache[mic_theap_cache_slot(heap)] = theap;
    return theap;
}

static mic_heap_t *theap_heap_seen(const mic_theap_t *theap)
{
    return (mic_heap_t *)(mic_load_acquire(&theap->heap) & ~MIC_THEAP_CLOSED);
}

mic_heap_t *mic_heap_of(const void *p)
{
    mic_page_t *const page = mic_page_of(p);
    if (page == NULL) return NULL;
    for (;;) {
        /* when a deleted heap's pages have gone to another thread heap, theirs may come to serve
           another heap */
        const uintptr_t seen = mic_load_acquire(&page->theap);
        const mic_theap_t *const theap = (const mic_theap_t *)seen;
        if (theap == NULL) return NULL;
        mic_heap_t *const heap = theap_heap_seen(theap);
        if (mic_load_relaxed(&page->theap) == seen) return heap;
    }
}

mic_theap_t *mic_heap_take_orphan(mic_heap_t *heap, unsigned cls)
{
    mic_theap_t *found = NULL;
    if (mic_load_relaxed(&heap->theap_count) < 2) return NULL;
    mic_lock_acquire(&heaps_lock);
    for (mic_theap_t *t = heap->theaps; t != NULL && found == NULL; t = t->heap_next)
        if (mic_pool_take_with_room(t, cls)) found = t;
    mic_lock_release(&heaps_lock);
    return found;
}

/* ---- the end of a heap ---- */

/* No longer found through its sub-process; returns its thread heaps. */
static mic_theap_t *heap_unlink_locked(mic_heap_t *heap)
{
    mic_subproc_t *const subproc = heap->subproc;
    if (heap->prev != NULL)
        heap->prev->next = heap->next;
    else
        subproc->heaps = heap->next;
    if (heap->next != NULL) heap->next->prev = heap->prev;
    heap->next = heap->prev = NULL;
    subproc->heap_count--;
    mic_level_down(&mic_levels[MIC_LEVEL_HEAPS], 1);
    mic_store_relaxed(&heap->state, MIC_HEAP_DEAD);
    mic_theap_t *const theaps = heap->theaps;
    heap->theaps = NULL;
    return theaps;
}

static void heap_bury_locked(mic_heap_t *heap)
{
    if (heap_dead_last != NULL)
        heap_dead_last->next = heap;
    else
        heap_dead_first = heap;
    heap_dead_last = heap;
}

/* A heap for each request, one after the other or some at a time: their pages stay at hand. */
#define WARM_THEAPS 4
#define WARM_PAGES 16

/* Of no heap, out of the list that its record has of those in use; without blocks in use. */
static void theap_retire_locked(mic_theap_t *theap)
{
    mic_record_t *const record = theap->record;
    if (theap->record_prev != NULL)
        theap->record_prev->record_next = theap->record_next;
    else
        record->theaps = theap->record_next;
    if (theap->record_next != NULL) theap->record_next->record_prev = theap->record_prev;
    mic_store_release(&theap->heap, 0);
    mic_theap_move_totals(theap, &record->gone);
    mic_level_down(&mic_levels[MIC_LEVEL_THEAPS], 1);
    theap->record_next = record->theap_free;
    record->theap_free = theap;
    if (theap->pages != NULL) record->theap_warm++;
}

static void record_cool_locked(mic_record_t *record)
{
    if (record->theap_warm == 0) return;
    for (mic_theap_t *t = record->theap_free; t != NULL; t = t->record_next)
        if (t->pages != NULL) mic_theap_destroy_locked(t, 0);
    record->theap_warm = 0;
}

static bool theap_may_stay_warm(const mic_theap_t *theap, const mic_heap_t *heap)
{
    const mic_record_t *const record = theap->record;
    return mic_load_relaxed(&record->state) == MIC_RECORD_LIVE &&
           record->theap_warm < WARM_THEAPS && !heap_is_apart(heap, record);
}

static bool heap_can_go(const mic_heap_t *heap, const char *what)
{
    if (mic_load_relaxed(&heap->state) == MIC_HEAP_LIVE) return true;
    mic_report_warning(false, "%s of the main heap is ignored", what);
    return false;
}

void mic_heap_destroy(mic_heap_t *heap)
{
    if (!heap_can_go(heap, "mi_heap_destroy")) return;
    mic_lock_acquire(&heaps_lock);
    mic_theap_t *theap = heap_unlink_locked(heap);
    mic_lock_release(&heaps_lock);
    while (theap != NULL) {
        mic_theap_t *const next = theap->heap_next;
        mic_record_t *const record = theap->record;
        theap_not_default(theap);
        mic_lock_acquire(&record->lock);
        void *const damaged = CFG_BITS ? mic_theap_find_damage(theap) : NULL;
        mic_theap_destroy_locked(theap, theap_may_stay_warm(theap, heap) ? WARM_PAGES : 0);
        theap_retire_locked(theap);
        mic_lock_release(&record->lock);
        if (damaged != NULL)
            mic_report_error(EFAULT, "heap destroy of %p, beyond whose end was written (heap %zu)",
                             damaged, (size_t)heap->number);
        theap = next;
    }
    mic_lock_acquire(&heaps_lock);
    heap_bury_locked(heap);
    mic_lock_release(&heaps_lock);
}

static void theap_merge_locked(mic_theap_t *theap)
{
    if (theap->kept)
        mic_theap_collect_locked(theap);
    else
        mic_theap_merge_locked(theap, &theap->record->theap);
    if (theap->pages == NULL) theap_retire_locked(theap);
}

static void record_merge_locked(mic_record_t *record)
{
    for (mic_theap_t *t = record->theaps, *next; t != NULL; t = next) {
        next = t->record_next;
        if (mic_theap_is_closed(t)) theap_merge_locked(t);
    }
}

/* The caller has authority over the record. */
static void theap_merge(mic_theap_t *theap)
{
    mic_record_t *const record = theap->record;
    mic_record_enter(record);
    mic_lock_acquire(&record->lock);
    if (mic_theap_is_closed(theap)) theap_merge_locked(theap); /* else somebody else was faster */
    mic_lock_release(&record->lock);
    mic_record_leave(record);
}

/* Now, if the record is ours to touch; else at its owner's next slow path. */
static void theap_merge_soon(mic_theap_t *theap)
{
    mic_record_t *const record = theap->record;
    if (record == &mic_record_late) {
        mic_lock_acquire(&mic_late_lock);
        theap_merge(theap);
        mic_lock_release(&mic_late_lock);
    } else if (record == mic_tls.record) {
        theap_merge(theap);
    } else if (mic_pool_take(record)) {
        mic_record_adopt(record);
        theap_merge(theap);
        mic_record_put_back(record);
    } else {
        mic_fetch_or_relaxed(&record->asked, MIC_ASKED_MERGE);
    }
}

void mic_heap_delete(mic_heap_t *heap)
{
    if (!heap_can_go(heap, "mi_heap_delete")) return;
    mic_lock_acquire(&heaps_lock);
    mic_theap_t *theap = heap_unlink_locked(heap);
    const uintptr_t main = (uintptr_t)&heap->subproc->main;
    mic_lock_release(&heaps_lock);
    while (theap != NULL) {
        mic_theap_t *const next = theap->heap_next;
        mic_record_t *const record = theap->record;
        theap_not_default(theap);
        mic_lock_acquire(&record->lock);
        /* its pages serve nobody else until they are empty */
        theap->kept = heap_is_apart(heap, record);
        mic_store_release(&theap->heap, main | MIC_THEAP_CLOSED);
        mic_lock_release(&record->lock);
        theap_merge_soon(theap);
        theap = next;
    }
    mic_lock_acquire(&heaps_lock);
    heap_bury_locked(heap);
    mic_lock_release(&heaps_lock);
}

void mic_record_attend(mic_record_t *record)
{
    const uint32_t asked = mic_exchange_acqrel(&record->asked, 0);
    if ((asked & MIC_ASKED_MERGE) != 0) {
        mic_lock_acquire(&record->lock);
        for (const mic_theap_t *t = record->theaps; t != NULL; t = t->record_next)
            if (mic_theap_is_closed(t)) theap_not_default(t);
        record_merge_locked(record);
        mic_lock_release(&record->lock);
    }
    if ((asked & MIC_ASKED_COLLECT) != 0) mic_record_collect(record);
    if ((asked & MIC_ASKED_PURGER) != 0) mic_purger_attend(record, false);
}

void mic_record_collect(mic_record_t *record)
{
    mic_lock_acquire(&record->lock);
    mic_theap_collect_locked(&record->theap);
    for (mic_theap_t *t = record->theaps; t != NULL; t = t->record_next)
        mic_theap_collect_locked(t);
    record_merge_locked(record);
    record_cool_locked(record);
    mic_lock_release(&record->lock);
}

static void record_drop(mic_record_t *record, const mic_heap_t *heap)
{
    mic_lock_acquire(&record->lock);
    for (mic_theap_t *t = record->theaps, *next; t != NULL; t = next) {
        next = t->record_next;
        if (mic_theap_heap(t) != heap) continue;
        theap_not_default(t);
        mic_theap_destroy_locked(t, 0);
        theap_retire_locked(t);
    }
    if (mic_record_subproc(record) == heap->subproc) record_cool_locked(record);
    mic_lock_release(&record->lock);
}

void mic_heap_drop_main(mic_subproc_t *subproc)
{
    mic_lock_acquire(&heaps_lock);
    subproc->main.theaps = NULL;
    mic_store_relaxed(&subproc->main.theap_count, 0);
    mic_lock_release(&heaps_lock);
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        record_drop(r, &subproc->main);
    record_drop(&mic_record_late, &subproc->main);
}

/* The one after `theap`; NULL: the first one. They come at the front, and none goes before the heap
   does: each that was there at the start is met once. Once the heap goes there are no more. */
static mic_theap_t *heap_theap_after(mic_heap_t *heap, const mic_theap_t *theap)
{
    mic_theap_t *next = NULL;
    mic_lock_acquire(&heaps_lock);
    if (theap == NULL)
        next = heap->theaps;
    else if (mic_theap_heap(theap) == heap)
        next = theap->heap_next;
    mic_lock_release(&heaps_lock);
    return next;
}

static void theap_collect_any(mic_theap_t *theap, bool force)
{
    mic_record_t *const record = theap->record;
    if (record == mic_tls.record) {
        mic_record_enter(record);
        mic_record_drain(record);
        mic_theap_collect(theap);
        mic_record_leave(record);
    } else if (force && mic_pool_take(record)) {
        mic_record_adopt(record);
        mic_record_enter(record);
        mic_theap_collect(theap);
        mic_record_leave(record);
        mic_record_put_back(record);
    } else if (force) {
        mic_fetch_or_relaxed(&record->asked, MIC_ASKED_COLLECT);
    }
}

void mic_heap_collect_theaps(mic_heap_t *heap, bool force)
{
    if (mic_load_relaxed(&heap->state) == MIC_HEAP_MAIN) {
        for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
            if (mic_theap_is_of(&r->theap, heap)) theap_collect_any(&r->theap, force);
        return;
    }
    mic_theap_t *theap = NULL;
    while ((theap = heap_theap_after(heap, theap)) != NULL) theap_collect_any(theap, force);
}

/* ---- all parts of a heap ---- */

/* Locked if it still is of the heap. Thread heaps are never unmapped. */
static bool theap_lock_of(mic_theap_t *theap, const mic_heap_t *heap)
{
    mic_lock_acquire(&theap->record->lock);
    if (mic_theap_heap(theap) == heap) return true;
    mic_lock_release(&theap->record->lock);
    return false;
}

/* The main heap has those that records have embedded, and closed ones. */
static bool record_each_theap(mic_record_t *record, const mic_heap_t *heap, mic_theap_fun *fun,
                              void *arg)
{
    bool go_on = true;
    mic_lock_acquire(&record->lock);
    if (mic_theap_heap(&record->theap) == heap) go_on = fun(&record->theap, arg);
    for (mic_theap_t *t = record->theaps; t != NULL && go_on; t = t->record_next)
        if (mic_theap_heap(t) == heap) go_on = fun(t, arg);
    mic_lock_release(&record->lock);
    return go_on;
}

bool mic_heap_each_theap(mic_heap_t *heap, mic_theap_fun *fun, void *arg)
{
    if (mic_load_relaxed(&heap->state) == MIC_HEAP_MAIN) {
        for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
            if (!record_each_theap(r, heap, fun, arg)) return false;
        return record_each_theap(&mic_record_late, heap, fun, arg);
    }
    mic_theap_t *theap = NULL;
    while ((theap = heap_theap_after(heap, theap)) != NULL) {
        if (!theap_lock_of(theap, heap)) continue;
        const bool go_on = fun(theap, arg);
        mic_lock_release(&theap->record->lock);
        if (!go_on) return false;
    }
    return true;
}

void mic_heaps_lock_for_fork(void) { mic_lock_acquire_for_fork(&heaps_lock); }

void mic_heaps_unlock_after_fork(bool child)
{
    if (child) {
        mic_lock_reset(&heaps_lock);
        mic_theap_moves_forget();
    } else {
        mic_lock_release(&heaps_lock);
    }
}
