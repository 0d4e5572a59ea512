/* The pool of orphaned records, and draining: what happens to remotely freed blocks once their
   page is in an inbox. Protocol rows RF.7 to RF.15 of docs/protocols/remote_free.md.

   Synchronization: the pool lock is held for list operations only, never while draining. A thread
   holds at most one record lock; reaping works off a list, it does not recurse. */
#ifndef MIC_HEAP_POOL_H
#define MIC_HEAP_POOL_H

#include "heap/record.h"

/* RF.13: takes the record out if it is in; the caller then has authority over it. */
bool mic_pool_take(mic_record_t *record);
/* The same only if its thread heap `theap` may have pages with room of a class. */
bool mic_pool_take_with_room(mic_theap_t *theap, unsigned cls);
/* RF.14: any orphan of the sub-process, or NULL. Its inbox still carries the tag. */
mic_record_t *mic_pool_take_any(const struct mic_subproc *subproc);
/* RF.15: false if its inbox is not empty: drain and try again. The caller has authority. */
bool mic_pool_put(mic_record_t *record);
/* An orphan of the sub-process whose default thread heap may have pages with room of a class; NULL
   when there is none among the next few, later calls look at others. The caller then has authority
   over it. */
mic_record_t *mic_pool_take_with_class(const struct mic_subproc *subproc, unsigned cls);

void mic_pool_lock_for_fork(void);
void mic_pool_unlock_after_fork(bool child);
/* Forked child: everything out; the child's rebuild puts records back. */
void mic_pool_reset(void);

/* The record of frees and allocations that come after a thread's own record was handed over: a
   permanent orphan. Authority over it is mic_late_lock (before record->lock), not the pool. */
extern mic_record_t mic_record_late;
extern mic_lock_t mic_late_lock;

/* RF.8-11 for the calling thread's own record; reaps what forwarding met. */
void mic_record_drain(mic_record_t *record);
/* The same for the late record; the caller does not hold mic_late_lock. */
void mic_record_drain_late(void);
/* RF.2-7 after a remote free set its bit. If the page turns out to be an orphan's it moves to the
   calling thread's record `adopter`, where that has a thread heap of the same heap (NULL:
   stays). */
void mic_record_notify(mic_page_t *page, mic_record_t *adopter);
/* Any thread ever got as far as that: a token may be in a hand. */
bool mic_record_notified(void);
/* mic_purger_news is called when the next one does. */
void mic_record_await_news(void);
/* RF.13, 9-11, 15: a record taken out of the pool is drained and put back. */
void mic_record_put_back(mic_record_t *record);
/* RF.14: the record's inbox is emptied and untagged. The caller has authority and keeps it. */
void mic_record_adopt(mic_record_t *record);

/* RF.21: releases what nobody uses of the pages that the thread of another record has queued.
   Not in the hardened build; where stores are seen in order. */
void mic_record_reap(mic_record_t *record);
/* The same of all records but the calling thread's own, which has no record lock. */
void mic_record_reap_all(const mic_record_t *self);
/* Before the thread of the record `self` takes memory for a page: the same, if memory in use has
   grown since the last time. */
void mic_record_reap_others(const mic_record_t *self);

#endif
