/* RF.21: pages of threads that do not run. A page whose owner freed some blocks itself is queued,
   and when others free the rest its owner learns of it at its next slow path; of a thread that
   waits for long, or for a processor, that is late. So a thread that needs memory looks at what
   others have queued, and releases what nobody uses. Any thread, with no record lock held.
   Before that it looks at its own: pages that stay with their class although they are empty. */
#include "base/check.h"
#include "heap/pool.h"
#include "heap/thread.h"
#include "os/os.h"

/* Slices in use, from which on it is worth another look: so many more than after the last one, or
   a share more. A look takes as long as there are threads and queued pages. */
#define REAP_SLICES 16
#define REAP_SHARE 16

static mic_atomic(uint64_t) reap_level; /* [atomic: relaxed] */

static uint64_t reap_next_level(uint64_t used) { return used + used / REAP_SHARE + REAP_SLICES; }

/* All blocks in use were freed by others. The owner frees into a queued page without a lock, but
   until the last store of such a free, which is to `used`, the block counts as in use. So once the
   two numbers are equal no block is left that it could free, and all that it wrote is seen here
   (MIC_STORES_IN_ORDER). 0: the owner is about to release the page. */
static bool reap_is_unused(const mic_page_t *page)
{
    const uint32_t used = *(const volatile uint32_t *)&page->used;
    mic_compiler_barrier();
    if (CFG_BITS) return used != 0 && used == mic_bits_all_remote(page);
    return used != 0 && used == mic_remote_count(page);
}

/* Marks the pages that nobody uses; true: there are some. */
static bool reap_mark_locked(const mic_theap_t *theap)
{
    bool found = false;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        for (mic_page_t *page = theap->queue[cls]; page != NULL; page = page->next) {
            if (!mic_remote_is_told(page) || !reap_is_unused(page)) continue;
            page->flags |= MIC_PAGE_UNUSED;
            found = true;
        }
    }
    return found;
}

/* Releases the marked ones; or only takes the marks away. */
static void reap_marked_locked(mic_theap_t *theap, bool release)
{
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        for (mic_page_t *page = theap->queue[cls], *next; page != NULL; page = next) {
            next = page->next;
            if ((page->flags & MIC_PAGE_UNUSED) == 0) continue;
            page->flags &= (uint8_t)~MIC_PAGE_UNUSED;
            /* again: a free of the owner's of a block that was freed already may have been under
               way, and the barrier has seen the end of it */
            if (!release || (CFG_BITS && !reap_is_unused(page))) continue;
            page->used -= mic_remote_clear(page);
            mic_theap_release_page_locked(page);
        }
    }
}

/* What the owner wrote into its blocks by streaming stores is not in order with the others, and may
   still be on its way: a barrier in all threads waits for it. */
static void reap_record_locked(mic_record_t *record)
{
    bool found = reap_mark_locked(&record->theap);
    for (const mic_theap_t *t = record->theaps; t != NULL; t = t->record_next)
        if (reap_mark_locked(t)) found = true;
    if (!found) return;
    const bool release = mic_os_barrier() == 0;
    reap_marked_locked(&record->theap, release);
    for (mic_theap_t *t = record->theaps; t != NULL; t = t->record_next)
        reap_marked_locked(t, release);
}

void mic_record_reap(mic_record_t *record)
{
    if (!mic_lock_try(&record->lock)) return; /* it is not worth waiting for */
    /* under the lock: an orphan's authority looks at queues without it */
    if (mic_load_relaxed(&record->state) == MIC_RECORD_LIVE) reap_record_locked(record);
    mic_lock_release(&record->lock);
}

/* Asked once before any lock is held: the first barrier of a process can take milliseconds. */
static bool reap_is_possible(void)
{
    enum { UNKNOWN, POSSIBLE, IMPOSSIBLE };
    static mic_atomic(uint32_t) state;
    if (CFG_HARDENED || MIC_TSAN || !MIC_STORES_IN_ORDER || !mic_record_notified()) return false;
    if (mic_unlikely(mic_load_relaxed(&state) == UNKNOWN))
        mic_store_relaxed(&state, mic_os_barrier() == 0 ? POSSIBLE : IMPOSSIBLE);
    return mic_load_relaxed(&state) == POSSIBLE;
}

void mic_record_reap_all(const mic_record_t *self)
{
    if (!reap_is_possible()) return;
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        if (r != self) mic_record_reap(r);
}

/* Pages of a thread heap, from which on its empty ones are worth a look: so many more than there
   were at the last one, or a share more. Two classes that take turns do not get there. */
#define TIDY_PAGES 8
#define TIDY_SHARE 8
/* A peak that is over, when fewer than such a part of the pages are left, is not waited for: with
   each fresh page the level falls by a part of what it is too high. Not at once: what grows from
   class to class and is freed, again and again, would find the level low each time. */
#define TIDY_PEAK 4
#define TIDY_PEAK_FALL 32

static void tidy_locked(mic_theap_t *theap)
{
    const size_t pages = theap->page_count, level = theap->tidy_level;
    const size_t next = pages + pages / TIDY_SHARE + TIDY_PAGES;
    if (pages >= level) {
        mic_theap_collect_locked(theap);
        theap->tidy_level = next;
    } else if (pages < level / TIDY_PEAK && next < level) {
        theap->tidy_level = level - (level - next) / TIDY_PEAK_FALL;
    }
}

/* Policy "bits": empty pages of large blocks stay, since with guards to be made a page costs 5 us.
   But their memory is of no use to other classes, and an array that grows leaves one in each. So
   before one more is made all of them go, if there are as many as this. */
#define EMPTY_LARGE_MOST 2

static bool tidy_is_empty(const mic_theap_t *theap, unsigned cls)
{
    return theap->active[cls] != NULL && theap->active[cls]->used == 0;
}

static void tidy_large_locked(mic_theap_t *theap)
{
    const unsigned first = MIC_CLASS_MEDIUM_LAST + 1;
    int empty = 0;
    for (unsigned cls = first; cls < MIC_CLASS_COUNT; cls++) empty += tidy_is_empty(theap, cls);
    if (empty < EMPTY_LARGE_MOST) return;
    for (unsigned cls = first; cls < MIC_CLASS_COUNT; cls++)
        if (tidy_is_empty(theap, cls)) mic_theap_release_page_locked(theap->active[cls]);
}

void mic_theap_tidy(mic_theap_t *theap, unsigned cls)
{
    if (CFG_HARDENED) return; /* quarantine needs the pages */
    mic_lock_acquire(&theap->record->lock);
    tidy_locked(theap);
    if (CFG_BITS && cls > MIC_CLASS_MEDIUM_LAST) tidy_large_locked(theap);
    mic_lock_release(&theap->record->lock);
}

void mic_record_reap_others(const mic_record_t *self)
{
    const uint64_t used = mic_load_relaxed(&mic_vm_counts.used_slices);
    uint64_t level = mic_load_relaxed(&reap_level);
    if (used < level) { /* a peak is not waited for twice */
        if (reap_next_level(used) < level / 2)
            mic_store_relaxed(&reap_level, reap_next_level(used));
        return;
    }
    if (!reap_is_possible() || !mic_cas_acquire(&reap_level, &level, reap_next_level(used))) return;
    mic_record_reap_all(self);
    const uint64_t left = mic_load_relaxed(&mic_vm_counts.used_slices);
    mic_store_relaxed(&reap_level, reap_next_level(left));
}
