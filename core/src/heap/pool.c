/* The list of orphaned records; see pool.h. */
#include "heap/pool.h"

#include "base/check.h"

static mic_lock_t pool_lock = MIC_LOCK_INIT(MIC_RANK_POOL);
static mic_record_t *pool_head, *pool_tail; /* [lock: pool] */

/* how many orphans a thread that needs a page looks at */
#define POOL_SEARCH_MAX 8

static void pool_remove_locked(mic_record_t *record)
{
    if (record->pool_prev != NULL)
        record->pool_prev->pool_next = record->pool_next;
    else
        pool_head = record->pool_next;
    if (record->pool_next != NULL)
        record->pool_next->pool_prev = record->pool_prev;
    else
        pool_tail = record->pool_prev;
    record->pool_next = record->pool_prev = NULL;
    record->in_pool = false;
}

bool mic_pool_take(mic_record_t *record)
{
    mic_lock_acquire(&pool_lock);
    const bool in = record->in_pool;
    if (in) pool_remove_locked(record);
    mic_lock_release(&pool_lock);
    return in;
}

bool mic_pool_take_with_room(mic_theap_t *theap, unsigned cls)
{
    mic_record_t *const record = theap->record;
    mic_lock_acquire(&pool_lock);
    const bool ok = record->in_pool && mic_theap_has_room(theap, cls);
    if (ok) pool_remove_locked(record);
    mic_lock_release(&pool_lock);
    return ok;
}

mic_record_t *mic_pool_take_any(const struct mic_subproc *subproc)
{
    mic_lock_acquire(&pool_lock);
    mic_record_t *record = pool_head;
    while (record != NULL && mic_record_subproc(record) != subproc) record = record->pool_next;
    if (record != NULL) pool_remove_locked(record);
    mic_lock_release(&pool_lock);
    return record;
}

/* The list goes on from `first`: those before it, looked at in vain, wait behind all others. */
static void pool_rotate_locked(mic_record_t *first)
{
    if (first == pool_head) return;
    pool_tail->pool_next = pool_head;
    pool_head->pool_prev = pool_tail;
    pool_tail = first->pool_prev;
    pool_tail->pool_next = NULL;
    first->pool_prev = NULL;
    pool_head = first;
}

mic_record_t *mic_pool_take_with_class(const struct mic_subproc *subproc, unsigned cls)
{
    mic_lock_acquire(&pool_lock);
    mic_record_t *record = pool_head, *found = NULL;
    for (int i = 0; i < POOL_SEARCH_MAX && record != NULL && found == NULL; i++) {
        if (mic_record_subproc(record) == subproc && mic_theap_has_room(&record->theap, cls))
            found = record;
        else
            record = record->pool_next;
    }
    if (found != NULL)
        pool_remove_locked(found);
    else if (record != NULL)
        pool_rotate_locked(record);
    mic_lock_release(&pool_lock);
    return found;
}

bool mic_pool_put(mic_record_t *record)
{
    mic_lock_acquire(&pool_lock);
    /* RF.15: tag and insertion in one lock hold */
    const bool ok = mic_inbox_try_orphan(&record->inbox);
    if (ok) {
        mic_store_relaxed(&record->state, MIC_RECORD_ORPHAN);
        record->pool_prev = NULL;
        record->pool_next = pool_head;
        if (pool_head != NULL)
            pool_head->pool_prev = record;
        else
            pool_tail = record;
        pool_head = record;
        record->in_pool = true;
    }
    mic_lock_release(&pool_lock);
    return ok;
}

void mic_pool_lock_for_fork(void) { mic_lock_acquire_for_fork(&pool_lock); }

void mic_pool_unlock_after_fork(bool child) { mic_lock_release_after_fork(&pool_lock, child); }

void mic_pool_reset(void)
{
    while (pool_head != NULL) pool_remove_locked(pool_head);
}
