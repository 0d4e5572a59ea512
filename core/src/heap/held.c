/* The list of spans that are held back; see held.h. */
#include "heap/held.h"

#include <string.h>

#include "base/check.h"
#include "heap/active.h"
#include "heap/guarded.h"
#include "heap/heap.h"
#include "os/os.h"
#include "page/free_set.h"
#include "page/guard.h"
#include "rt/lock.h"
#include "vm/place.h"

/* At most so many. Builds that hold nothing back have room for none, but an array needs one. */
#define HELD_SPANS (CFG_SECURE ? 64 : 1)
/* Spans made until a held one may be used again, unless there is no room for more. */
#define HELD_WAIT 16u
/* Two may be held, whatever their size: else the one freed last would come back at once. */
#define HELD_LEAST 2

/* What is held stays resident, so it is a share of what is in use, within bounds. Secure: larger
   spans are not held. Hardened: what would be more than that gives its memory back first; then it
   takes address space and page tables only, but hiding more than this takes long. */
#define HELD_RESIDENT_SHARE (CFG_HARDENED ? 8 : 32)
#define HELD_RESIDENT_LEAST ((CFG_HARDENED ? 4 : 2) * MIC_MIB)
#define HELD_RESIDENT_MOST ((CFG_HARDENED ? 64 : 4) * MIC_MIB)
#define HELD_SPAN_MOST ((CFG_HARDENED ? 64 : 4) * MIC_MIB)
#define HELD_HIDDEN_MOST (256 * MIC_MIB)
/* What is inaccessible of a block: a guard is one for each OS page, and takes its memory. Of blocks
   that large that gave back theirs it is all. */
#define HELD_HEAD_BYTES (16 * MIC_KIB)
#define HELD_HIDE_ALL_BYTES (4 * MIC_MIB)

typedef struct held_span {
    mic_run_t run; /* with the slice in front; .zero: what is behind that holds no memory */
    mic_held_t told;
    char *start;
    uint16_t subproc;
    size_t hidden;  /* bytes at the start of the block that are inaccessible */
    uint64_t since; /* spans made before it came */
} held_span_t;

static mic_lock_t held_lock = MIC_LOCK_INIT(MIC_RANK_HELD);
static held_span_t held_list[HELD_SPANS]; /* [lock: held] oldest first */
static size_t held_count, held_bytes;     /* [lock: held] */
static size_t held_resident;              /* [lock: held] of these; hardened */
static uint64_t held_made;                /* [lock: held] spans */

static size_t held_bytes_of(const held_span_t *span)
{
    return (size_t)span->run.count << MIC_SLICE_SHIFT;
}

static size_t held_resident_of(const held_span_t *span)
{
    return span->run.zero ? 0 : held_bytes_of(span);
}

static size_t held_resident_most(void)
{
    const uint64_t used = mic_load_relaxed(&mic_vm_counts.used_slices) << MIC_SLICE_SHIFT;
    return (size_t)mic_max(HELD_RESIDENT_LEAST,
                           mic_min(HELD_RESIDENT_MOST, used / HELD_RESIDENT_SHARE));
}

bool mic_held_keeps(const mic_page_t *page)
{
    return !mic_page_is_sampled(page) && page->block_bytes <= held_resident_most();
}

static bool held_is_full_locked(size_t bytes, size_t resident)
{
    if (held_count < HELD_LEAST) return false;
    return held_resident + resident > held_resident_most() ||
           (CFG_HARDENED && held_bytes + bytes > HELD_HIDDEN_MOST);
}

static held_span_t held_remove_locked(size_t i)
{
    const held_span_t span = held_list[i];
    held_count--;
    held_bytes -= held_bytes_of(&span);
    held_resident -= held_resident_of(&span);
    memmove(held_list + i, held_list + i + 1, (held_count - i) * sizeof span);
    return span;
}

/* Hardened: what was accessible is still clear. */
static void held_look(const held_span_t *span)
{
    if (!CFG_HARDENED || span->hidden >= span->told.block_bytes) return;
    char *const from = span->start + span->hidden;
    const size_t bytes = span->told.block_bytes - span->hidden;
    const bool clear = mic_bits_is_clear_runs(from, bytes);
    if (mic_likely(clear)) return;
    mic_active_note_written(span->start, span->told.block_bytes);
    if (!span->run.zero || mic_os_purge(from, bytes) != 0) memset(from, 0, bytes);
}

/* No lock is needed: nobody knows of it. */
static void held_release(const held_span_t *span)
{
    mic_run_t run = span->run;
    char *const guard = span->start - mic_os_info.page_bytes;
    char *const end = mic_run_start(run) + held_bytes_of(span);
    held_look(span);
    mic_os_unguard(guard, (size_t)(end - guard), span->hidden != 0 ? 3 : 2);
    if (run.zero) { /* what is in front of the block keeps what it had */
        mic_run_t front = run;
        front.count = (uint32_t)MIC_SPAN_LEAD;
        front.zero = false;
        run.slice += front.count;
        run.count -= front.count;
        mic_run_free(front);
    }
    mic_run_free(run);
}

/* Makes room. */
static void held_push(const held_span_t *span)
{
    for (;;) {
        mic_lock_acquire(&held_lock);
        if (held_count < HELD_SPANS &&
            !held_is_full_locked(held_bytes_of(span), held_resident_of(span)))
            break;
        const held_span_t oldest = held_remove_locked(0);
        mic_lock_release(&held_lock);
        held_release(&oldest);
    }
    held_list[held_count] = *span;
    held_list[held_count].since = held_made;
    held_count++;
    held_bytes += held_bytes_of(span);
    held_resident += held_resident_of(span);
    mic_lock_release(&held_lock);
}

static bool held_is_wanted(const mic_page_t *page)
{
    const mic_arena_t *const a = &mic_arenas[page->arena];
    return CFG_SECURE && page->kind == MIC_PAGE_SPAN && page->moved_end[0] == 0 &&
           page->block_bytes <= HELD_SPAN_MOST && (mic_arena_kind(a) & MIC_ARENA_SYSTEM) != 0 &&
           mic_arena_may_guard(page->arena);
}

static void held_hide(held_span_t *span, const mic_page_t *page)
{
    if ((page->flags & MIC_PAGE_CLEARED) == 0 && !span->run.zero) {
        span->run.zero = mic_page_purge(page);
        if (!span->run.zero) mic_page_clear_used(page);
    }
    const bool all = span->run.zero && page->block_bytes > HELD_HIDE_ALL_BYTES;
    const size_t bytes =
        all ? page->block_bytes
            : mic_min(page->block_bytes, mic_align_up(HELD_HEAD_BYTES, mic_os_info.page_bytes));
    if (mic_os_guard(page->start, bytes) == 0) span->hidden = bytes;
}

bool mic_held_put(mic_page_t *page)
{
    if (mic_page_is_sampled(page)) {
        mic_guarded_put(page);
        return true;
    }
    if (!held_is_wanted(page)) return false;
    const mic_heap_t *const heap = mic_theap_heap(mic_page_theap(page));
    held_span_t span = {.run = mic_page_run(page),
                        .told = {page->block_bytes, heap == NULL ? 0 : heap->number},
                        .start = page->start,
                        .subproc = heap == NULL ? 0 : heap->place.subproc};
    span.run.zero = (page->flags & MIC_PAGE_EMPTIED) != 0;
    if (CFG_HARDENED) held_hide(&span, page);
    mic_page_owner_clear(page); /* RF.12 */
    held_push(&span);
    return true;
}

/* Any of those that fit, at random, but for the one that came last. */
static size_t held_choose_locked(mic_random_t *random, size_t count, size_t block_bytes,
                                 size_t align_slices, unsigned subproc)
{
    const bool full = held_is_full_locked(count << MIC_SLICE_SHIFT, count << MIC_SLICE_SHIFT);
    const size_t align = align_slices << MIC_SLICE_SHIFT;
    size_t chosen = HELD_SPANS;
    uint32_t seen = 0;
    for (size_t i = 0; i + 1 < held_count; i++) {
        const held_span_t *const span = &held_list[i];
        if (!full && held_made - span->since < HELD_WAIT) break; /* and all behind it */
        if (span->told.block_bytes != block_bytes || span->run.count != count ||
            span->subproc != subproc || ((uintptr_t)span->start & (align - 1)) != 0)
            continue;
        if (mic_random_below(random, ++seen) == 0) chosen = i;
    }
    return chosen;
}

bool mic_held_take(mic_theap_t *theap, size_t block_bytes, size_t align_slices, mic_run_t *run)
{
    const mic_heap_t *const heap = mic_theap_heap(theap);
    if (!CFG_SECURE || block_bytes > HELD_SPAN_MOST) return false;
    if (heap != NULL && heap->place.arena != 0) return false;
    const size_t count = mic_span_slices(block_bytes) + MIC_SPAN_LEAD;
    held_span_t span;
    mic_lock_acquire(&held_lock);
    held_made++;
    const size_t i = held_choose_locked(&theap->random, count, block_bytes, align_slices,
                                        heap == NULL ? 0 : heap->place.subproc);
    const bool found = i < HELD_SPANS;
    if (found) span = held_remove_locked(i);
    mic_lock_release(&held_lock);
    if (!found) return false;
    held_look(&span);
    if (span.hidden != 0) mic_os_unguard(span.start, span.hidden, 1);
    *run = span.run;
    if (CFG_HARDENED) run->zero = true;
    return true;
}

bool mic_held_find(const void *p, mic_held_t *held)
{
    bool found = false;
    mic_lock_acquire(&held_lock);
    for (size_t i = 0; i < held_count && !found; i++) {
        found = held_list[i].start == p;
        if (found) *held = held_list[i].told;
    }
    mic_lock_release(&held_lock);
    return found;
}

void mic_held_flush(void)
{
    for (;;) {
        held_span_t span;
        mic_lock_acquire(&held_lock);
        const bool any = held_count != 0;
        if (any) span = held_remove_locked(0);
        mic_lock_release(&held_lock);
        if (!any) return;
        held_release(&span);
    }
}

size_t mic_held_bytes(void)
{
    mic_lock_acquire(&held_lock);
    const size_t bytes = held_bytes;
    mic_lock_release(&held_lock);
    return bytes;
}

void mic_held_lock_for_fork(void) { mic_lock_acquire_for_fork(&held_lock); }

void mic_held_unlock_after_fork(bool child) { mic_lock_release_after_fork(&held_lock, child); }
