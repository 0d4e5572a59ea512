/* See purger.h. */
#include "heap/purger.h"

#include "base/check.h"
#include "heap/pool.h"
#include "heap/thread.h"
#include "os/os.h"
#include "rt/counters.h"
#include "rt/options.h"
#include "vm/alarm.h"
#include "vm/arena.h"

/* Held by the process, from which on a thread is worth what it costs, some 40 KiB. A block of its
   own, which may grow unseen, is so in any case. */
#define PURGER_LEAST_BYTES MIC_MIB
/* Later than due, so that what becomes due one after the other is done in one go. */
#define PURGER_SLACK_MS 20
/* Until it tries again when another thread was purging. */
#define PURGER_RETRY_MS 10
/* The destructor waits no longer for it: a purge of very much memory, or a lock that nobody is
   going to release. */
#define PURGER_JOIN_MS 2000

enum {
    PURGER_OFF,      /* nobody wants it, or it could not be started */
    PURGER_WANTED,   /* somebody who allocates is to start it */
    PURGER_STARTING, /* somebody does */
    PURGER_RUNNING,
    PURGER_OVER /* the library is about to go: never again */
};
static mic_atomic(uint32_t) purger_state;    /* [atomic: acquire / release] */
static mic_atomic(uint32_t) purger_possible; /* [atomic: relaxed] the constructor ran */
/* [who starts or ends it, by purger_state] the process whose thread is there, or has ended but was
   not waited for; 0 = none */
static mic_atomic(uint64_t) purger_process;
/* [atomic: seq_cst] when pages of others are worth a look, ms; 0 = nothing is known of them */
static mic_atomic(uint64_t) purger_look_ms;

static uint32_t purger_is(void) { return mic_load_acquire(&purger_state); }

static bool purger_change(uint32_t from, uint32_t to)
{
    return mic_cas_acqrel(&purger_state, &from, to);
}

static bool purger_option(void) { return mic_option(MIC_OPTION_PURGE_THREAD) > 0; }

/* ---- what the thread does ---- */

/* As a forced collection does it. */
static void purger_collect_orphans(void)
{
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next) {
        if (mic_load_relaxed(&r->state) != MIC_RECORD_ORPHAN || !mic_pool_take(r)) continue;
        mic_record_adopt(r);
        mic_record_enter(r); /* a child forked now must not use it */
        mic_record_collect(r);
        mic_record_leave(r);
        mic_record_put_back(r);
    }
}

static void purger_work(uint64_t now)
{
    const uint64_t look = mic_load_seqcst(&purger_look_ms);
    if (look != 0 && look <= now) {
        mic_store_seqcst(&purger_look_ms, 0);
        mic_record_await_news();
        mic_record_reap_all(NULL);
        purger_collect_orphans();
    }
    mic_purge_run(false);
}

/* When there is something to do, MIC_ALARM_NEVER if nothing is known. */
static uint64_t purger_next(void)
{
    const uint64_t next = mic_purge_next(), look = mic_load_seqcst(&purger_look_ms);
    if (next == 0 && look == 0) return MIC_ALARM_NEVER;
    if (next == 0 || (look != 0 && look < next)) return look;
    return next;
}

/* There are threads that it could work for. Where its thread-local storage is made when it is first
   touched, it has a record itself. */
static bool purger_has_others(void)
{
    return mic_level_now(&mic_levels[MIC_LEVEL_THREADS]) > (mic_thread_is_ready() ? 1 : 0);
}

/* True: the thread is to end. Whoever changes what it looks at may have seen that it runs, and left
   it at that: so it looks again. */
static bool purger_leaves(void)
{
    if (!purger_option())
        return purger_change(PURGER_RUNNING, PURGER_OFF) &&
               (!purger_option() || !purger_change(PURGER_OFF, PURGER_RUNNING));
    return !purger_has_others() && purger_change(PURGER_RUNNING, PURGER_WANTED) &&
           (!purger_has_others() || !purger_change(PURGER_WANTED, PURGER_RUNNING));
}

/* Until something is due, but not before `earliest`; less if it is rung. */
static void purger_sleep(uint64_t earliest)
{
    const uint64_t next = purger_next();
    uint64_t until = mic_max(next, earliest);
    if (until != MIC_ALARM_NEVER) until += PURGER_SLACK_MS;
    const uint32_t since = mic_alarm_set(until);
    if (purger_next() >= next && purger_is() == PURGER_RUNNING && purger_option() &&
        purger_has_others())
        mic_alarm_sleep(since, until);
    mic_alarm_clear();
}

static void purger_run(void)
{
    while (purger_is() == PURGER_STARTING) mic_os_yield();
    while (purger_is() == PURGER_RUNNING) {
        if (purger_leaves()) return;
        const uint64_t now = mic_os_clock_ms();
        const bool due = purger_next() <= now;
        if (due) purger_work(now);
        purger_sleep(due ? now + PURGER_RETRY_MS : 0);
    }
}

void mic_purger_news(void)
{
    uint64_t delay;
    if (mic_load_relaxed(&purger_state) != PURGER_RUNNING || !mic_purge_delay(&delay)) return;
    const uint64_t at = mic_os_clock_ms() + delay;
    mic_store_seqcst(&purger_look_ms, at);
    mic_alarm_note(at);
}

/* ---- start and end ---- */

/* One that ended by itself may still be on its way out of our code, which may be unloaded. */
static void purger_join(void)
{
    /* a child that no fork handler told has none */
    if (mic_load_relaxed(&purger_process) == mic_os_process_id())
        mic_os_thread_join(PURGER_JOIN_MS);
    mic_store_relaxed(&purger_process, 0);
}

static void purger_start(void)
{
    if (!purger_change(PURGER_WANTED, PURGER_STARTING)) return;
    purger_join();
    const bool ok = mic_os_thread_start(purger_run) == 0;
    if (ok) mic_store_relaxed(&purger_process, mic_os_process_id());
    (void)purger_change(PURGER_STARTING, ok ? PURGER_RUNNING : PURGER_OFF);
    if (ok) mic_purger_news(); /* of what came before it ran */
}

void mic_purger_ask(mic_record_t *record)
{
    if (purger_is() == PURGER_WANTED && mic_load_relaxed(&purger_possible) != 0)
        mic_fetch_or_relaxed(&record->asked, MIC_ASKED_PURGER);
}

/* Meanwhile the thread is outside of the allocator, and no callback ends its record. */
static void purger_start_from(mic_record_t *record)
{
    const uintptr_t frame = record->callback_frame;
    const bool busy = mic_load_relaxed(&record->busy) != 0;
    record->callback_frame = (uintptr_t)__builtin_frame_address(0);
    if (busy) mic_record_leave(record);
    purger_start();
    if (busy) mic_record_enter(record);
    record->callback_frame = frame;
}

void mic_purger_attend(mic_record_t *record, bool large)
{
    const uint64_t held = mic_load_relaxed(&mic_vm_counts.dirty_slices) << MIC_SLICE_SHIFT;
    (void)mic_fetch_and_relaxed(&record->asked, ~MIC_ASKED_PURGER);
    if (purger_is() != PURGER_WANTED) return;
    if (!mic_lock_passes() && (large || held >= PURGER_LEAST_BYTES)) /* no fork is under way */
        purger_start_from(record);
    else
        mic_fetch_or_relaxed(&record->asked, MIC_ASKED_PURGER);
}

void mic_purger_option_changed(void)
{
    if (mic_load_relaxed(&purger_possible) == 0) return; /* the constructor looks */
    if (!purger_option()) {
        (void)purger_change(PURGER_WANTED, PURGER_OFF);
        if (purger_is() == PURGER_RUNNING) mic_alarm_ring();
        return;
    }
    if (!purger_change(PURGER_OFF, PURGER_WANTED)) return;
    for (mic_record_t *r = mic_record_first(); r != NULL; r = r->all_next) mic_purger_ask(r);
    if (mic_thread_is_ready()) mic_purger_attend(mic_tls.record, false);
}

void mic_purger_constructed(void)
{
    mic_store_relaxed(&purger_possible, 1);
    if (purger_option()) mic_purger_option_changed();
}

void mic_purger_destructed(void)
{
    const uint32_t was = mic_exchange_acqrel(&purger_state, PURGER_OVER);
    /* who is starting it goes on while the process ends */
    if (was == PURGER_STARTING || mic_load_relaxed(&purger_process) == 0) return;
    mic_alarm_ring();
    purger_join();
}

void mic_purger_thread_ended(void)
{
    if (purger_is() == PURGER_RUNNING && mic_level_now(&mic_levels[MIC_LEVEL_THREADS]) == 0)
        mic_alarm_ring();
}

void mic_purger_forked(void)
{
    mic_alarm_clear();
    mic_store_seqcst(&purger_look_ms, 0);
    mic_store_relaxed(&purger_process, 0);
    if (purger_is() == PURGER_OVER) return;
    mic_store_release(&purger_state, purger_option() ? PURGER_WANTED : PURGER_OFF);
    if (mic_thread_is_ready()) mic_purger_ask(mic_tls.record);
}
