/* Sub-processes; see heap.h. Few, and rarely made: one lock for all of it. Any thread. */
#include <errno.h>

#include "heap/heap.h"
#include "heap/thread.h"
#include "os/os.h"
#include "rt/report.h"
#include "vm/program.h"

static mic_lock_t subproc_lock = MIC_LOCK_INIT(MIC_RANK_SUBPROCS);
static mic_subproc_t *subproc_dead; /* [lock: subprocs] */
static uint32_t subproc_count = 1;  /* [lock: subprocs] the main one */

mic_subproc_t *mic_subproc_new(void)
{
    mic_subproc_t *subproc = NULL;
    if (mic_process_start()) {
        mic_lock_acquire(&subproc_lock);
        subproc = subproc_dead;
        if (subproc != NULL) {
            subproc_dead = subproc->next;
        } else if (subproc_count < MIC_OWNER_ARENA) { /* owners of segments */
            subproc = mic_meta_alloc(sizeof *subproc, _Alignof(mic_subproc_t));
            if (subproc != NULL) subproc->index = (uint16_t)subproc_count++;
        }
        if (subproc != NULL) {
            mic_heap_init_main(subproc);
            subproc->live = true;
            mic_level_up(&mic_levels[MIC_LEVEL_HEAPS], 1);
        }
        mic_lock_release(&subproc_lock);
    }
    if (subproc == NULL) errno = ENOMEM;
    return subproc;
}

mic_subproc_t *mic_subproc_current(void)
{
    return mic_thread_is_ready() ? mic_record_subproc(mic_tls.record) : &mic_subproc_main;
}

bool mic_subproc_join(mic_subproc_t *subproc)
{
    if (mic_subproc_current() == subproc) return true;
    if (mic_subproc_current() != &mic_subproc_main) {
        mic_report_warning(false, "a thread cannot leave its sub-process");
        return true;
    }
    /* what it allocated so far stays behind, like the blocks of a thread that ended */
    mic_thread_detach(false);
    if (mic_thread_attach_to(subproc)) return true;
    mic_report_error(ENOMEM, "no memory for a thread of a sub-process; it stays in the main one");
    return false;
}

/* The record had a thread of the sub-process; what it holds of the main heap goes, it stays. */
static void subproc_leave(mic_record_t *record)
{
    const bool deserted = mic_record_claim_deserted(record);
    const bool taken = deserted || mic_pool_take(record);
    if (taken) mic_record_adopt(record);
    mic_lock_acquire(&record->lock);
    mic_theap_destroy_locked(&record->theap, 0);
    mic_store_release(&record->theap.heap, (uintptr_t)&mic_subproc_main.main);
    mic_store_relaxed(&record->subproc, (uintptr_t)&mic_subproc_main);
    mic_lock_release(&record->lock);
    if (deserted) {
        mic_store_release(&record->thread_id, 0);
        mic_store_relaxed(&record->state, MIC_RECORD_ORPHAN);
    }
    if (taken) mic_record_put_back(record);
}

static bool subproc_has_thread_of(const mic_subproc_t *subproc, const mic_record_t *record)
{
    return mic_record_subproc(record) == subproc &&
           mic_load_relaxed(&record->state) == MIC_RECORD_LIVE && !mic_record_is_deserted(record);
}

/* A thread whose end is not heard of can be joined a moment before the system forgets it. */
#define SUBPROC_MOMENT_YIELDS 2000

static bool subproc_has_threads(const mic_subproc_t *subproc)
{
    int patience = SUBPROC_MOMENT_YIELDS;
    for (const mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        for (; subproc_has_thread_of(subproc, r); mic_os_yield())
            if (patience-- == 0) return true;
    return false;
}

void mic_subproc_destroy(mic_subproc_t *subproc)
{
    if (subproc == &mic_subproc_main || !subproc->live || subproc_has_threads(subproc)) {
        mic_report_warning(false, "mi_subproc_destroy of the main sub-process, of one with "
                                  "threads, or of one that is gone, is ignored");
        return;
    }
    mic_subproc_destroy_heaps(subproc);
    mic_heap_drop_main(subproc);
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next)
        if (mic_record_subproc(r) == subproc) subproc_leave(r);
    mic_arena_subproc_release(subproc->index);
    mic_lock_acquire(&subproc_lock);
    subproc->live = false;
    mic_level_down(&mic_levels[MIC_LEVEL_HEAPS], 1);
    subproc->next = subproc_dead;
    subproc_dead = subproc;
    mic_lock_release(&subproc_lock);
}

void mic_subprocs_lock_for_fork(void) { mic_lock_acquire_for_fork(&subproc_lock); }

void mic_subprocs_unlock_after_fork(bool child)
{
    mic_lock_release_after_fork(&subproc_lock, child);
}
