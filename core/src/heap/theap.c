/* Thread heaps: refill, queues, pages coming and going; see theap.h. The caller has authority over
   the record (its own thread, or a reaper); lists of all pages change under record->lock. */
#include "heap/theap.h"

#include <string.h>

#include "base/check.h"
#include "heap/active.h"
#include "heap/heap.h"
#include "heap/held.h"
#include "heap/pool.h"
#include "heap/thread.h"
#include "os/os.h"
#include "page/guard.h"

/* ---- the constant empty thread heap ---- */

#define CLS_STEP(n, b)                                                                             \
    (MIC_CLASS_LINEAR + ((b)-7u) * MIC_CLASS_STEPS +                                               \
     ((((n)-1u) >> ((b)-MIC_CLASS_STEPS_SHIFT)) & (MIC_CLASS_STEPS - 1u)) +                        \
     MIC_CLASS_FITS_BELOW((n)-1u, b))
#define CLS(i)                                                                                     \
    (uint8_t)(MIC_TABLE_SCALE *                                                                    \
              ((i) == 0u   ? 0u                                                                    \
               : (i) <= 8u ? (i)-1u                                                                \
                           : CLS_STEP((i)*16u, 31u - (unsigned)__builtin_clz((i)*16u - 1u))))
#define CLS4(i) CLS(i), CLS((i) + 1u), CLS((i) + 2u), CLS((i) + 3u)
#define CLS16(i) CLS4(i), CLS4((i) + 4u), CLS4((i) + 8u), CLS4((i) + 12u)
#define CLS64(i) CLS16(i), CLS16((i) + 16u), CLS16((i) + 32u), CLS16((i) + 48u)

const mic_theap_t mic_theap_empty = {
    .class_of = {CLS64(0u), CLS64(64u), CLS64(128u), CLS64(192u), CLS(256u), CLS(257u)},
};
_Static_assert(MIC_TABLE_ENTRIES <= 258, "the table above");
_Static_assert(MIC_CLASS_COUNT *MIC_TABLE_SCALE <= 256, "its entries are bytes");

void mic_theap_init(mic_theap_t *theap, struct mic_record *record, struct mic_heap *heap)
{
    memcpy(theap, &mic_theap_empty, sizeof *theap);
    if (CFG_BITS) mic_theap_reseed(theap);
    theap->record = record;
    mic_store_relaxed(&theap->heap, (uintptr_t)heap);
}

void mic_theap_reseed(mic_theap_t *theap)
{
    mic_random_seed(&theap->random);
    theap->rotation = mic_random_next(&theap->random) | 1;
}

/* of first-class heaps the record has others */
static bool theap_is_default(const mic_theap_t *theap) { return theap == &theap->record->theap; }

/* ---- queues: [owner] ---- */

static void theap_enqueue(mic_theap_t *theap, mic_page_t *page)
{
    mic_assert((page->flags & (MIC_PAGE_QUEUED | MIC_PAGE_ACTIVE)) == 0);
    page->flags |= MIC_PAGE_QUEUED;
    page->next = NULL;
    page->prev = theap->queue_last[page->cls];
    if (page->prev != NULL)
        page->prev->next = page;
    else
        theap->queue[page->cls] = page;
    theap->queue_last[page->cls] = page;
}

static void theap_dequeue(mic_theap_t *theap, mic_page_t *page)
{
    mic_assert((page->flags & MIC_PAGE_QUEUED) != 0);
    page->flags &= (uint8_t)~MIC_PAGE_QUEUED;
    if (page->prev != NULL)
        page->prev->next = page->next;
    else
        theap->queue[page->cls] = page->next;
    if (page->next != NULL)
        page->next->prev = page->prev;
    else
        theap->queue_last[page->cls] = page->prev;
    page->next = page->prev = NULL;
}

/* ---- all pages: [lock: record] ---- */

static void theap_link_locked(mic_theap_t *theap, mic_page_t *page)
{
    mic_page_set_theap(page, theap);
    page->all_prev = NULL;
    page->all_next = theap->pages;
    if (theap->pages != NULL) theap->pages->all_prev = page;
    theap->pages = page;
    theap->page_count++;
    theap->class_pages[page->cls]++;
}

static void theap_unlink_locked(mic_theap_t *theap, mic_page_t *page)
{
    if (page->all_prev != NULL)
        page->all_prev->all_next = page->all_next;
    else
        theap->pages = page->all_next;
    if (page->all_next != NULL) page->all_next->all_prev = page->all_prev;
    page->all_next = page->all_prev = NULL;
    theap->page_count--;
    theap->class_pages[page->cls]--;
    theap->pages_left = true;
}

/* The page is in no list any more. */
static void theap_release_run(mic_page_t *page)
{
    mic_theap_uncount_page(page);
    if (mic_held_put(page)) return;
    mic_run_t run = mic_page_run(page);
    mic_unguard_page(page);
    if (page->kind == MIC_PAGE_SPAN)
        run.zero = mic_page_unmove(page, 0) || (page->flags & MIC_PAGE_EMPTIED) != 0;
    /* the slice in front keeps what it had when the span was made */
    mic_run_t front = {.slice = run.slice, .count = 0, .arena = run.arena, .zero = false};
    if (run.zero && page->kind == MIC_PAGE_SPAN) front.count = page->lead;
    run.slice += front.count;
    run.count -= front.count;
    mic_page_owner_clear(page); /* RF.12: then the slices */
    if (front.count != 0) mic_run_free(front);
    mic_run_free(run);
}

void mic_theap_release_page_locked(mic_page_t *page)
{
    mic_theap_t *const theap = mic_page_theap(page);
    mic_assert(page->used == 0 || page->kind == MIC_PAGE_SPAN);
    if ((page->flags & MIC_PAGE_QUEUED) != 0) theap_dequeue(theap, page);
    if ((page->flags & MIC_PAGE_ACTIVE) != 0)
        theap->active[page->cls] = NULL; /* its list is empty */
    theap_unlink_locked(theap, page);
    theap_release_run(page);
}

/* What a thread leaves behind while it waits for a processor is a page of each class, all of it
   carved and freed by others, and nobody else may take that. So where there are, or were, many
   threads, a slice has half as many blocks; pages change more often, so not where there are few.
   Not in the hardened build, whose quarantine needs them. */
#define MANY_THREADS 8

static bool theap_wants_half(const mic_theap_t *theap, const mic_page_t *page)
{
    if (!CFG_BITS || CFG_HARDENED || page->kind != MIC_PAGE_SMALL) return false;
    if (!theap_is_default(theap)) return false; /* its arena may be small */
    int threads = 0;
    for (const mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        if (++threads > MANY_THREADS) return true;
    return false;
}

mic_page_t *mic_theap_add_page(mic_theap_t *theap, unsigned cls, mic_run_t run, size_t block_bytes,
                               bool guarded)
{
    const bool span = cls == MIC_CLASS_SPAN;
    const size_t first = run.slice + (span ? MIC_SPAN_LEAD : 0);
    mic_page_t *const page = (mic_page_t *)(void *)mic_arena_descriptor(run.arena, first);
    mic_page_init(page, run, cls, block_bytes);
    if (theap_wants_half(theap, page)) mic_page_halve(page);
    if (span) {
        mic_page_take_span(page);
        if (!guarded) mic_guard_span(page);
    }
    mic_record_t *const record = theap->record;
    mic_lock_acquire(&record->lock);
    mic_theap_count_page(theap, page);
    theap_link_locked(theap, page);
    mic_page_owner_publish(page, &record->inbox, span ? MIC_OWNER_SPAN : 0); /* RF.17 */
    mic_lock_release(&record->lock);
    if (span)
        page->flags &= (uint8_t)~MIC_PAGE_POLL; /* whoever frees it releases it */
    else if ((page->flags & MIC_PAGE_POLL) != 0)
        theap->polls++;
    return page;
}

/* ---- freeing ---- */

static void theap_unfull_locked(mic_page_t *page)
{
    mic_page_owner_tag(page, 0, MIC_OWNER_FULL);
    theap_enqueue(mic_page_theap(page), page);
}

bool mic_theap_page_unfull(mic_page_t *page, mic_record_t *record, size_t index)
{
    mic_lock_acquire(&record->lock);
    /* what was seen of the block before: if another thread freed it at the same moment, RF.20 may
       have released the page, and it is perhaps another one */
    const bool ok = !CFG_BITS || ((mic_page_owner(page) & ~MIC_OWNER_INNER) ==
                                      ((uintptr_t)record | MIC_OWNER_FULL) &&
                                  index < page->reserved && mic_bits_is_in_use(page, index));
    if (ok) theap_unfull_locked(page);
    mic_lock_release(&record->lock);
    return ok;
}

/* Hardened: empty pages of a class that stay, for what is in quarantine in them. */
#define HELD_PAGES 4

static bool theap_has_queued(const mic_theap_t *theap, unsigned cls, int pages)
{
    for (const mic_page_t *page = theap->queue[cls]; page != NULL; page = page->next)
        if (--pages == 0) return true;
    return false;
}

/* A page of larger blocks is never kept. */
#define KEPT_BLOCK_MAX ((size_t)64 * MIC_KIB)

static bool theap_keeps_active(const mic_theap_t *theap, const mic_page_t *page)
{
    return (page->flags & MIC_PAGE_ACTIVE) != 0 && !mic_theap_is_closed(theap) &&
           (CFG_BITS || page->block_bytes <= KEPT_BLOCK_MAX);
}

/* Nothing live in it: is it more than the class needs? An orphan needs nothing, and of the larger
   pages only an active one is worth keeping, if its blocks are not so large that others of another
   class had better have the memory (with guards between the blocks, making one costs more). */
static bool theap_is_spare_locked(const mic_theap_t *theap, const mic_page_t *page)
{
    if (theap_keeps_active(theap, page)) return false;
    if (!CFG_BITS && page->block_bytes > KEPT_BLOCK_MAX) return true;
    if (mic_theap_is_closed(theap)) return true;
    if (mic_load_relaxed(&theap->record->state) == MIC_RECORD_ORPHAN ||
        page->kind != MIC_PAGE_SMALL)
        return true;
    if (CFG_HARDENED) return theap_has_queued(theap, page->cls, HELD_PAGES);
    return theap->active[page->cls] != NULL ||
           theap->queue[page->cls] != theap->queue_last[page->cls];
}

void mic_theap_page_emptied(mic_page_t *page)
{
    mic_theap_t *const theap = mic_page_theap(page);
    mic_record_t *const record = theap->record;
    bool spare = false;
    if (!theap_keeps_active(theap, page)) {
        mic_lock_acquire(&record->lock);
        spare = theap_is_spare_locked(theap, page);
        if (spare) mic_theap_release_page_locked(page);
        mic_lock_release(&record->lock);
    }
    if (!spare) theap->totals.n[MIC_TOTAL_RETIRED]++;
}

bool mic_theap_collect_page_locked(mic_page_t *page)
{
    if (page->kind == MIC_PAGE_SPAN) return true; /* RF.12a: its freer releases it */
    const uint32_t n = mic_remote_collect(page);
    if (n == 0) return true;
    if ((mic_page_owner(page) & MIC_OWNER_FULL) != 0) theap_unfull_locked(page);
    if (page->used != 0 || !theap_is_spare_locked(mic_page_theap(page), page)) return true;
    mic_theap_release_page_locked(page);
    return false;
}

/* One look takes as long as there are pages. With one for each fresh page the cost would be the
   square of their number; so an eighth more come in between. */
#define POLL_SHARE 8

static bool theap_poll_is_due(mic_theap_t *theap)
{
    if (theap->polls == 0) return false;
    if (theap->poll_wait == 0) return true;
    theap->poll_wait--;
    return false;
}

/* Looks at pages whose token may never come home; see RF.17. */
static void theap_poll_locked(mic_theap_t *theap)
{
    uint32_t left = 0;
    for (mic_page_t *page = theap->pages, *next; page != NULL; page = next) {
        next = page->all_next;
        /* the flags of a span are its user's */
        if (page->kind == MIC_PAGE_SPAN || (page->flags & MIC_PAGE_POLL) == 0) continue;
        if (mic_remote_any(page)) {
            if (!mic_theap_collect_page_locked(page)) continue;
            page->flags |= MIC_PAGE_POLL; /* until the token is home */
        }
        left++;
    }
    theap->totals.n[MIC_TOTAL_SEARCHED] += theap->page_count;
    theap->polls = left;
    theap->poll_wait = (uint32_t)(theap->page_count / POLL_SHARE);
}

static void theap_poll(mic_theap_t *theap)
{
    mic_lock_acquire(&theap->record->lock);
    theap_poll_locked(theap);
    mic_lock_release(&theap->record->lock);
}

/* ---- refill ---- */

static void theap_set_active(mic_theap_t *theap, mic_page_t *page)
{
    page->flags |= MIC_PAGE_ACTIVE;
    theap->active[page->cls] = page;
    if (CFG_BITS) theap->ahead[page->cls] = 0;
}

/* The active page has nothing left, or nothing yet: blocks in quarantine. */
static void theap_retire_active(mic_theap_t *theap, unsigned cls)
{
    mic_page_t *const page = theap->active[cls];
    theap->active[cls] = NULL;
    page->flags &= (uint8_t)~MIC_PAGE_ACTIVE;
    if (CFG_HARDENED && mic_page_local_count(page) != 0)
        theap_enqueue(theap, page);
    else
        mic_page_owner_tag(page, MIC_OWNER_FULL, 0);
}

/* Pages of the queue that are tried; all but the first one only if they may have nothing yet. */
#define QUEUE_TRIES (CFG_HARDENED ? 4 : 1)

/* With hardly a free block in any page, pages take turns all the time, and nearly each free meets a
   full one. So a class may have so many more pages than it needs, if of the page that has waited
   longest less than such a part is free. */
#define EXTRA_SHARE 16
#define POOR_SHARE 32

static bool theap_prefers_fresh_locked(mic_theap_t *theap, const mic_page_t *page)
{
    const unsigned cls = page->cls;
    if (CFG_HARDENED || page->kind != MIC_PAGE_SMALL || !theap_is_default(theap)) return false;
    const uint32_t pages = theap->class_pages[cls];
    const uint32_t need = (uint32_t)mic_min(theap->class_need[cls], pages);
    theap->class_need[cls] = need;
    return pages < need + need / EXTRA_SHARE && !mic_page_can_extend(page) &&
           mic_page_local_count(page) < page->reserved / POOR_SHARE;
}

/* The first page of the queue, or none when there is none or, if it `may` be so, a fresh one is
   better. What is still active goes to the end: until it is the first again more blocks are freed
   into it, without a slow path, since it is not full. */
static mic_page_t *theap_activate_first(mic_theap_t *theap, unsigned cls, bool may)
{
    mic_lock_acquire(&theap->record->lock); /* RF.21 */
    mic_page_t *page = theap->queue[cls], *const before = theap->active[cls];
    if (page == NULL) {
        theap->class_need[cls] = theap->class_pages[cls] + 1;
    } else {
        theap_dequeue(theap, page);
        if (before != NULL) {
            before->flags &= (uint8_t)~MIC_PAGE_ACTIVE;
            theap->active[cls] = NULL;
            theap_enqueue(theap, before);
        }
        if (may && theap_prefers_fresh_locked(theap, page)) {
            theap_enqueue(theap, page); /* the next one may be better */
            page = NULL;
        } else {
            theap_set_active(theap, page);
        }
    }
    mic_lock_release(&theap->record->lock);
    return page;
}

static mic_block_t *theap_refill_from_queue(mic_theap_t *theap, unsigned cls, bool may,
                                            bool *fresh_zero)
{
    for (int tries = 0; tries < QUEUE_TRIES; tries++) {
        mic_page_t *const page = theap_activate_first(theap, cls, may);
        if (page == NULL) return NULL;
        theap->totals.n[MIC_TOTAL_SEARCHED]++;
        mic_block_t *const block = mic_active_refill(theap, page, fresh_zero);
        if (block != NULL || !CFG_BITS) return block;
        theap_retire_active(theap, cls);
    }
    return NULL;
}

/* From the active page; if that has nothing, or few and others perhaps more, from the queue. */
static mic_block_t *theap_refill_owned(mic_theap_t *theap, unsigned cls, bool *fresh_zero)
{
    if (theap->active[cls] != NULL && !mic_active_is_poor(theap, cls)) {
        mic_block_t *const block = mic_active_refill(theap, theap->active[cls], fresh_zero);
        if (block != NULL) return block;
        theap_retire_active(theap, cls);
    }
    theap->totals.n[MIC_TOTAL_SEARCHES]++;
    mic_block_t *const block = theap_refill_from_queue(theap, cls, true, fresh_zero);
    if (block != NULL || theap->active[cls] == NULL) return block;
    return mic_active_refill(theap, theap->active[cls], fresh_zero); /* RF.21 emptied the queue */
}

mic_block_t *mic_theap_refill_freed(mic_theap_t *theap, unsigned cls)
{
    bool fresh_zero;
    const mic_page_t *const page = theap->active[cls];
    mic_block_t *const block = mic_active_take_freed(theap, cls);
    if (block != NULL || page == NULL || theap->queue[cls] == NULL || mic_page_can_extend(page))
        return block;
    return theap_refill_owned(theap, cls, &fresh_zero);
}

/* RF.16 */
static bool theap_steal(mic_theap_t *theap, unsigned cls)
{
    mic_record_t *const record = theap->record;
    mic_theap_t *from = NULL;
    if (record == &mic_record_late) return false;
    if (!theap_is_default(theap)) {
        from = mic_heap_take_orphan(mic_theap_heap(theap), cls);
    } else {
        mic_record_t *const orphan = mic_pool_take_with_class(mic_record_subproc(record), cls);
        if (orphan != NULL) from = &orphan->theap;
    }
    if (from == NULL) return false;
    mic_record_adopt(from->record);
    const bool ok = mic_theap_steal_page(from, theap, cls);
    if (ok) mic_count(MIC_COUNT_RECLAIM_ON_ALLOC, 1);
    mic_record_put_back(from->record);
    return ok;
}

/* Before memory is taken: what others freed. The late record's inbox is drained by its callers. */
static void theap_drain(mic_theap_t *theap)
{
    mic_record_t *const record = theap->record;
    if (record != &mic_record_late && !mic_inbox_is_empty(&record->inbox)) mic_record_drain(record);
}

mic_block_t *mic_theap_refill(mic_theap_t *theap, unsigned cls, bool *fresh_zero)
{
    *fresh_zero = false;
    mic_block_t *block = theap_refill_owned(theap, cls, fresh_zero);
    if (block != NULL) return block;
    theap_drain(theap);
    if (theap_poll_is_due(theap)) theap_poll(theap);
    block = theap_refill_from_queue(theap, cls, true, fresh_zero);
    if (block == NULL && theap_steal(theap, cls))
        block = theap_refill_from_queue(theap, cls, false, fresh_zero);
    if (block != NULL) return block;
    mic_theap_tidy(theap, cls);
    mic_record_reap_others(theap->record);
    mic_run_t run;
    if (!mic_run_alloc(mic_run_kind(mic_page_kind_of_class(cls), cls),
                       mic_page_slices_of_class(cls), 1, mic_theap_place(theap), &run)) {
        theap->class_need[cls] = 0; /* no more than is needed, for now */
        return theap_refill_from_queue(theap, cls, false, fresh_zero);
    }
    mic_page_t *const page = mic_theap_add_page(theap, cls, run, 0, false);
    theap_set_active(theap, page);
    return mic_active_refill(theap, page, fresh_zero);
}

/* ---- collect, thread end, stealing ---- */

static void theap_deactivate(mic_theap_t *theap, unsigned cls)
{
    mic_page_t *const page = theap->active[cls];
    if (page == NULL) return;
    mic_active_return(theap, page);
    theap->active[cls] = NULL;
    page->flags &= (uint8_t)~MIC_PAGE_ACTIVE;
    if (mic_page_local_count(page) == 0 && !mic_page_can_extend(page))
        mic_page_owner_tag(page, MIC_OWNER_FULL, 0);
    else
        theap_enqueue(theap, page);
}

void mic_theap_collect_locked(mic_theap_t *theap)
{
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) theap_deactivate(theap, cls);
    if (theap->polls != 0) theap_poll_locked(theap);
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        for (mic_page_t *page = theap->queue[cls], *next; page != NULL; page = next) {
            next = page->next;
            if (page->used == 0) {
                mic_theap_release_page_locked(page);
            } else if (CFG_HARDENED) { /* memory may be short: quarantine is over */
                mic_bits_age(page);
                mic_bits_age(page);
            }
        }
    }
}

void mic_theap_collect(mic_theap_t *theap)
{
    mic_lock_acquire(&theap->record->lock);
    mic_theap_collect_locked(theap);
    mic_lock_release(&theap->record->lock);
}

/* The page leaves its thread heap for another of the same heap, or of the same record. */
static void theap_relink_locked(mic_page_t *page, mic_theap_t *from, mic_theap_t *to)
{
    if ((page->flags & MIC_PAGE_ACTIVE) != 0) theap_deactivate(from, page->cls);
    const bool queued = (page->flags & MIC_PAGE_QUEUED) != 0;
    if (queued) theap_dequeue(from, page);
    theap_unlink_locked(from, page);
    theap_link_locked(to, page);
    if (to->record != from->record)
        mic_page_owner_publish(page, &to->record->inbox, mic_page_owner(page) & MIC_OWNER_TAGS);
    if ((page->flags & MIC_PAGE_POLL) != 0 && page->kind != MIC_PAGE_SPAN) to->polls++;
    if (queued) theap_enqueue(to, page);
}

/* RF.16: the caller has authority over both records. False: the page is not (any more) one of
   `from`: the freer of its last block released it (RF.20), whatever it is now; or `to` has no
   thread heap of its heap; or pages must stay where they are for a moment. Nothing of the page but
   its owner word is read before both locks are held. Both at once: with the page on no list, or on
   a list that its owner word does not name, such a freer would go astray. */
static bool theap_move_page(mic_page_t *page, mic_record_t *from, mic_record_t *to)
{
    mic_lock_acquire_pair(&from->lock, &to->lock);
    mic_theap_t *target = NULL;
    if (!mic_theap_moves_are_held() && mic_record_of_owner(mic_page_owner_seen(page)) == from &&
        page->kind != MIC_PAGE_SPAN) {
        mic_theap_t *const source = mic_page_theap(page);
        if (!mic_theap_is_closed(source))
            target = mic_record_find_theap(to, mic_theap_heap(source));
        if (target != NULL) theap_relink_locked(page, source, target);
    }
    mic_lock_release_pair(&from->lock, &to->lock);
    return target != NULL;
}

bool mic_theap_steal_page(mic_theap_t *from, mic_theap_t *to, unsigned cls)
{
    mic_page_t *page = from->queue[cls];
    if (page == NULL) { /* forked child: the orphan's thread never returned its lists */
        mic_lock_acquire(&from->record->lock);
        theap_deactivate(from, cls);
        mic_lock_release(&from->record->lock);
        page = from->queue[cls];
    }
    return page != NULL && theap_move_page(page, from->record, to->record);
}

bool mic_theap_adopt_page(mic_page_t *page, mic_record_t *from, mic_record_t *to)
{
    /* the page of a freed block may be anybody's by now: the owner word decides, the locks make it
       stay so */
    return mic_record_of_owner(mic_page_owner_seen(page)) == from &&
           theap_move_page(page, from, to);
}

/* ---- heaps that go ---- */

void mic_theap_merge_locked(mic_theap_t *from, mic_theap_t *to)
{
    mic_theap_collect_locked(from); /* empty pages would only pile up in the queues of `to` */
    while (from->pages != NULL) theap_relink_locked(from->pages, from, to);
    from->polls = 0;
}

/* A page that costs more to get and to give back than it holds. */
#define KEEP_BYTES_MAX ((size_t)8 * MIC_KIB)

static bool theap_keeps(const mic_theap_t *theap, const mic_page_t *page)
{
    return page->kind == MIC_PAGE_SMALL && theap->active[page->cls] == NULL &&
           page->capacity * page->block_bytes <= KEEP_BYTES_MAX &&
           (page->flags & MIC_PAGE_POLL) == 0;
}

void mic_theap_destroy_locked(mic_theap_t *theap, size_t keep)
{
    mic_record_t *const record = theap->record;
    mic_page_t *page = theap->pages, *next;
    theap->pages = NULL;
    theap->page_count = theap->polls = theap->poll_wait = 0;
    for (mic_page_t *p = page; p != NULL; p = p->all_next) {
        const unsigned cls = p->cls;
        theap->class_pages[cls] = 0;
        if (cls >= MIC_CLASS_COUNT) continue;
        /* once for each class, with its first page: what malloc has not handed out yet */
        const mic_page_t *const active = theap->active[cls];
        if (active != NULL) theap->totals.n[cls] -= mic_active_left(theap, active);
        record->gone.n[cls] += theap->totals.n[cls];
        theap->totals.n[cls] = 0;
        mic_active_forget(theap, cls);
        theap->active[cls] = theap->queue[cls] = theap->queue_last[cls] = NULL;
    }
    for (; page != NULL; page = next) {
        next = page->all_next;
        if (keep > 0 && theap_keeps(theap, page)) {
            keep--;
            mic_page_empty(page);
            theap_link_locked(theap, page);
            theap_set_active(theap, page);
        } else {
            page->used = 0;
            if (mic_remote_any(page)) (void)mic_remote_clear(page);
            theap_release_run(page);
        }
    }
}
