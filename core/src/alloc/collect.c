/* Collecting. Any thread. */
#include "alloc/slow.h"
#include "heap/held.h"

/* What threads that had no record of their own left with the late record. */
static void collect_late(void)
{
    if (mic_load_acquire(&mic_arena_count) == 0 || !mic_process_start()) return; /* nothing yet */
    mic_record_drain_late();
    mic_lock_acquire(&mic_late_lock);
    mic_theap_collect(&mic_record_late.theap);
    mic_lock_release(&mic_late_lock);
}

void mic_collect(bool force)
{
    if (mic_thread_is_ready()) mic_deferred_call(mic_tls.record, force);
    mic_collect_quietly(force);
}

void mic_collect_quietly(bool force)
{
    if (mic_thread_is_ready()) {
        mic_record_t *const record = mic_tls.record;
        mic_record_enter(record);
        mic_record_drain(record);
        mic_record_collect(record);
        mic_record_leave(record);
    }
    if (force) {
        collect_late();
        for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next) {
            if (r == mic_tls.record) continue;
            if (mic_pool_take(r)) {
                mic_record_adopt(r);
                mic_record_enter(r); /* a child forked now must not use it */
                mic_record_collect(r);
                mic_record_leave(r);
                mic_record_put_back(r);
            } else {
                mic_fetch_or_relaxed(&r->asked, MIC_ASKED_COLLECT);
            }
        }
    }
    if (force) mic_record_reap_all(mic_tls.record);
    if (force) mic_held_flush();
    mic_purge_run(force);
}

void mic_heap_collect(mic_heap_t *heap, bool force)
{
    if (mic_thread_is_ready()) mic_deferred_call(mic_tls.record, force);
    mic_heap_collect_theaps(heap, force);
    mic_purge_run(force);
}
