/* Draining inboxes and reaping orphans; see pool.h and docs/protocols/remote_free.md. */
#include "base/check.h"
#include "heap/pool.h"
#include "heap/purger.h"

/* Records taken out of the pool by this thread, to be drained when no record lock is held. */
typedef struct drain_work {
    mic_record_t *head;
    bool late;
} drain_work_t;

/* [atomic: seq_cst with the tokens] whether some thread ever notified; awaited: the next one is to
   say so */
enum { DRAIN_NEVER, DRAIN_NOTIFIED, DRAIN_AWAITED };
static mic_atomic(uint32_t) drain_notified;

bool mic_record_notified(void) { return mic_load_relaxed(&drain_notified) != DRAIN_NEVER; }

void mic_record_await_news(void)
{
    if (mic_record_notified()) mic_store_seqcst(&drain_notified, DRAIN_AWAITED);
}

static mic_cold void drain_tell(void)
{
    mic_store_relaxed(&drain_notified, DRAIN_NOTIFIED);
    mic_purger_news();
}

/* RF.2-7. That there are tokens is said before there is one. Whether it is to be told is looked at
   behind: who awaits it looks at the pages after having said so, and sees the token, or we see
   that. */
static void drain_notify(mic_page_t *page, drain_work_t *work)
{
    if (mic_unlikely(!mic_record_notified())) mic_store_relaxed(&drain_notified, DRAIN_AWAITED);
    mic_record_t *const record = (mic_record_t *)mic_remote_notify(page);
    if (mic_unlikely(mic_load_seqcst(&drain_notified) != DRAIN_NOTIFIED)) drain_tell();
    if (record == NULL) return;
    if (record == &mic_record_late) {
        work->late = true;
    } else if (mic_pool_take(record)) {
        record->work_next = work->head;
        work->head = record;
    }
}

/* RF.9-11 over a taken list; the caller has authority over the record and holds its lock. */
static void drain_list_locked(mic_record_t *record, mic_page_t *list, drain_work_t *work)
{
    while (list != NULL) {
        mic_page_t *const page = list;
        const uintptr_t owner = mic_remote_untoken(&list);
        if (mic_record_of_owner(owner) == record)
            (void)mic_theap_collect_page_locked(page); /* RF.10, 12 */
        else if (owner != 0)
            drain_notify(page, work); /* RF.11 */
    }
}

static void drain_reap(drain_work_t *work)
{
    while (work->head != NULL || work->late) {
        if (work->late) {
            work->late = false;
            mic_lock_acquire(&mic_late_lock);
            mic_lock_acquire(&mic_record_late.lock);
            drain_list_locked(&mic_record_late, mic_inbox_take(&mic_record_late.inbox), work);
            mic_lock_release(&mic_record_late.lock);
            mic_lock_release(&mic_late_lock);
            continue;
        }
        mic_record_t *const record = work->head;
        work->head = record->work_next;
        do {
            mic_lock_acquire(&record->lock);
            drain_list_locked(record, mic_inbox_take_untag(&record->inbox), work); /* RF.13 */
            mic_lock_release(&record->lock);
        } while (!mic_pool_put(record)); /* RF.15 */
    }
}

void mic_record_drain(mic_record_t *record)
{
    drain_work_t work = {NULL, false};
    mic_lock_acquire(&record->lock);
    drain_list_locked(record, mic_inbox_take(&record->inbox), &work); /* RF.8 */
    mic_lock_release(&record->lock);
    drain_reap(&work);
}

void mic_record_drain_late(void)
{
    drain_work_t work = {NULL, true};
    drain_reap(&work);
}

void mic_record_notify(mic_page_t *page, mic_record_t *adopter)
{
    drain_work_t work = {NULL, false};
    drain_notify(page, &work);
    mic_record_t *const orphan = work.head;
    if (orphan != NULL && adopter != NULL) {
        /* Blocks that outlive their thread are often freed all by one other thread: it takes the
           page over, so that each page costs it one hand-over and not each block. */
        mic_lock_acquire(&orphan->lock);
        drain_list_locked(orphan, mic_inbox_take_untag(&orphan->inbox), &work); /* RF.13 */
        mic_lock_release(&orphan->lock);
        if (mic_theap_adopt_page(page, orphan, adopter)) /* RF.16 */
            mic_count(MIC_COUNT_RECLAIM_ON_FREE, 1);
    }
    drain_reap(&work);
}

void mic_record_put_back(mic_record_t *record)
{
    drain_work_t work = {record, false};
    record->work_next = NULL;
    drain_reap(&work);
}

void mic_record_adopt(mic_record_t *record)
{
    drain_work_t work = {NULL, false};
    mic_lock_acquire(&record->lock);
    drain_list_locked(record, mic_inbox_take_untag(&record->inbox), &work);
    mic_lock_release(&record->lock);
    drain_reap(&work);
}
