/* Fork. Prepare takes every lock in rank order, so the child sees all that locks protect at rest;
   what the fast paths and refills of other threads were doing it sees as a prefix of their stores,
   each of which loses a block at worst.

   The child rebuilds at once, while exactly one thread runs (later, a thread that the child makes
   could be the first on a slow path): records whose thread was inside a slow path are frozen (frees
   to them stay safe, their pages are not reused), the others become orphans; all tokens and inboxes
   are made anew, since a remote free may have stopped between bit, flag and push. It reads the
   descriptors of segments with pages, a small part of what the fork itself cost. A process that
   never had a second thread has nothing to rebuild.

   The handler of a signal may fork while the thread it interrupted holds locks. Then no lock is
   taken and nothing rebuilt: the child is as after a bare fork call. It can go on if there was one
   thread, and exec or end otherwise. */
#include "base/check.h"
#include "heap/guarded.h"
#include "heap/heap.h"
#include "heap/held.h"
#include "heap/purger.h"
#include "heap/thread.h"
#include "os/os.h"
#include "rt/report.h"

static uint32_t fork_nested; /* [who passes the locks] forks from handlers meanwhile */
static bool fork_holds;      /* [who passes the locks] the start of the process, too */

static void fork_lock_all(void)
{
    mic_subprocs_lock_for_fork();
    mic_heaps_lock_for_fork();
    mic_record_list_lock_for_fork();
    mic_lock_acquire_for_fork(&mic_late_lock);
    mic_lock_acquire_for_fork(&mic_record_late.lock);
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        mic_lock_acquire_for_fork(&r->lock);
    mic_pool_lock_for_fork();
    mic_held_lock_for_fork();
    mic_guarded_lock_for_fork();
    mic_arena_lock_for_fork();
    mic_report_lock_for_fork();
}

static void fork_prepare(void)
{
    if (mic_lock_passes()) {
        fork_nested++;
        return;
    }
    if (!mic_lock_holds_any(fork_lock_all)) {
        const bool holds = mic_process_hold_for_fork();
        fork_lock_all();
        fork_holds = holds; /* not before: the handler of a signal may fork until here */
        mic_lock_pass_begin();
    }
}

/* The locks were taken by the prepare that belongs to this fork. */
static bool fork_took_locks(void)
{
    if (!mic_lock_passes()) return false;
    if (fork_nested == 0) return true;
    fork_nested--;
    return false;
}

static void fork_release(bool child)
{
    const bool holds = fork_holds;
    mic_lock_pass_end();
    mic_report_unlock_after_fork(child);
    mic_arena_unlock_after_fork(child);
    mic_guarded_unlock_after_fork(child);
    mic_held_unlock_after_fork(child);
    mic_pool_unlock_after_fork(child);
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        mic_lock_release_after_fork(&r->lock, child);
    mic_lock_release_after_fork(&mic_record_late.lock, child);
    mic_lock_release_after_fork(&mic_late_lock, child);
    mic_record_list_unlock_after_fork(child);
    mic_heaps_unlock_after_fork(child);
    mic_subprocs_unlock_after_fork(child);
    if (holds) mic_process_unhold_after_fork();
}

static void fork_reset_segment(unsigned arena, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        mic_page_t *const page = (mic_page_t *)(void *)mic_arena_descriptor(arena, i);
        if (mic_load_relaxed(&page->pending) != 0) mic_remote_reset_token(page);
    }
}

/* No token survives: nobody holds one, all inboxes are empty. Segments that only ever held spans
   are left out: the descriptors of a block of 64 GiB took 28 ms to read, in each child. */
static void fork_reset_tokens(void)
{
    for (unsigned a = 0; a < mic_load_relaxed(&mic_arena_count); a++) {
        const size_t opened = mic_load_relaxed(&mic_arenas[a].opened);
        for (size_t k = 0; k < opened; k++) {
            const size_t first = k * MIC_SEGMENT_SLICES;
            if (mic_arena_segment_was_paged(a, k))
                fork_reset_segment(a, first,
                                   mic_min(mic_arenas[a].slice_count, first + MIC_SEGMENT_SLICES));
        }
    }
}

/* Collects the bits of every page of a record's thread heap that is ours to touch. */
static void fork_collect_locked(mic_theap_t *theap)
{
    for (mic_page_t *page = theap->pages, *next; page != NULL; page = next) {
        next = page->all_next;
        if ((page->flags & MIC_PAGE_POLL) != 0) page->flags &= (uint8_t)~MIC_PAGE_POLL;
        if (!mic_remote_any(page)) continue;
        if (page->kind == MIC_PAGE_SPAN) {
            (void)mic_remote_clear(page); /* its freer did not get to releasing it */
            mic_theap_release_page_locked(page);
        } else {
            (void)mic_theap_collect_page_locked(page);
        }
    }
    theap->polls = 0;
}

static void fork_rebuild_record(mic_record_t *record)
{
    mic_lock_acquire(&record->lock);
    fork_collect_locked(&record->theap);
    for (mic_theap_t *t = record->theaps; t != NULL; t = t->record_next) fork_collect_locked(t);
    mic_lock_release(&record->lock);
}

static void fork_is_mine(mic_record_t *record)
{
    mic_store_relaxed(&record->process_id, mic_os_process_id());
    mic_store_relaxed(&record->thread_id, mic_os_thread_id());
}

static void fork_rebuild(void)
{
    fork_reset_tokens();
    mic_pool_reset();
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        (void)mic_inbox_take_untag(&r->inbox);
    (void)mic_inbox_take(&mic_record_late.inbox);
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next) {
        if (mic_load_relaxed(&r->state) == MIC_RECORD_FROZEN) continue;
        const bool mine = r == mic_tls.record;
        if (mine)
            fork_is_mine(r);
        else if (mic_load_relaxed(&r->thread_id) != 0)
            mic_level_down(&mic_levels[MIC_LEVEL_THREADS], 1);
        if (!mine) mic_store_relaxed(&r->thread_id, 0);
        if (!mine && mic_load_relaxed(&r->busy) != 0) {
            mic_store_relaxed(&r->state, MIC_RECORD_FROZEN);
            continue;
        }
        /* mine is busy if the handler of a signal interrupted it: its pages are as they are */
        if (mic_load_relaxed(&r->busy) == 0) fork_rebuild_record(r);
        if (!mine) mic_require(mic_pool_put(r));
    }
    fork_rebuild_record(&mic_record_late);
}

static void fork_parent(void)
{
    if (fork_took_locks()) fork_release(false);
}

/* The child's choices are not its parent's. What keys blocks that are there stays. */
static void fork_reseed(void)
{
    mic_random_start();
    mic_theap_reseed(&mic_record_late.theap);
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next) {
        mic_theap_reseed(&r->theap);
        for (mic_theap_t *t = r->theaps; t != NULL; t = t->record_next) mic_theap_reseed(t);
    }
}

static void fork_child(void)
{
    mic_lock_forget_look();
    mic_purger_forked();
    if (!fork_took_locks()) {
        if (mic_thread_is_ready()) fork_is_mine(mic_tls.record);
        return;
    }
    fork_release(true);
    if (CFG_BITS) fork_reseed();
    const mic_record_t *const first = mic_record_first();
    if (first == NULL) return;
    if (first->all_next != NULL || first != mic_tls.record || mic_record_notified())
        fork_rebuild();
    else
        fork_is_mine(mic_tls.record);
}

void mic_fork_register(void) { (void)mic_os_on_fork(fork_prepare, fork_parent, fork_child); }
