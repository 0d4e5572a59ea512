/* Process start, thread start and thread end; see thread.h and ARCHITECTURE's section on threads.

   Thread end: a pthread key whose destructor re-arms itself in passes 1 to 3 and hands the record
   over in the last, so that other destructors still find their thread's heap; what allocates after
   that gets the late record. */
#include "heap/thread.h"

#include "heap/heap.h"
#include "heap/purger.h"

#include "base/check.h"
#include "os/os.h"
#include "os/trace.h"
#include "rt/options.h"
#include "rt/report.h"

#define EMPTY ((mic_theap_t *)(uintptr_t)&mic_theap_empty)
#define EMPTY8 EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY
#define EMPTY64 EMPTY8, EMPTY8, EMPTY8, EMPTY8, EMPTY8, EMPTY8, EMPTY8, EMPTY8
_Static_assert(MIC_THEAP_CACHE == 64, "the initialisers below");
_Alignas(MIC_RECORD_ALIGN) mic_record_front_t mic_record_boot_mark = {.theap_cache = {EMPTY64}};
_Alignas(MIC_RECORD_ALIGN) mic_record_front_t mic_record_gone_mark = {.theap_cache = {EMPTY64}};

mic_thread_local mic_tls_t mic_tls = {EMPTY, (mic_record_t *)(void *)&mic_record_boot_mark};

_Alignas(MIC_RECORD_ALIGN) mic_record_t mic_record_late = {
    .front = {.inbox = {MIC_INBOX_ORPHAN}, .theap_cache = {EMPTY64}},
    .lock = MIC_LOCK_INIT(MIC_RANK_RECORD),
    .subproc = (uintptr_t)&mic_subproc_main};
mic_lock_t mic_late_lock = MIC_LOCK_INIT(MIC_RANK_LATE);

static mic_lock_t record_list_lock = MIC_LOCK_INIT(MIC_RANK_RECORDS);
static mic_atomic(uintptr_t) record_first; /* [lock: record list; read by anyone] */

/* PTHREAD_DESTRUCTOR_ITERATIONS; the race detector ends a thread in the last pass itself */
#define THREAD_LAST_PASS (MIC_TSAN ? 3 : 4)

/* new, ready, or who is starting it: mic_thread_self(), | PROCESS_HELD: who forks before that */
#define PROCESS_NEW ((uintptr_t)0)
#define PROCESS_READY ((uintptr_t)1)
#define PROCESS_HELD ((uintptr_t)1)
static mic_atomic(uintptr_t) process_state;
static mic_atomic(uint32_t) process_hooked;

mic_record_t *mic_record_first(void) { return (mic_record_t *)mic_load_acquire(&record_first); }

static void thread_exit(void *pass)
{
    const uintptr_t n = (uintptr_t)pass;
    if (n < THREAD_LAST_PASS)
        mic_os_thread_arm((void *)(n + 1));
    else
        mic_thread_detach(true);
}

/* The calling thread's identity is in process_state. */
static bool process_start(void)
{
    mic_os_init();
    mic_options_init();
    if (CFG_BITS) mic_random_start();
    if (CFG_BITS) mic_canary_start();
    const bool ok = mic_arena_init();
    mic_theap_init(&mic_record_late.theap, &mic_record_late, &mic_subproc_main.main);
    mic_store_relaxed(&mic_record_late.state, MIC_RECORD_ORPHAN);
    if (ok) {
        (void)mic_os_thread_exit_init(thread_exit);
        mic_level_up(&mic_levels[MIC_LEVEL_HEAPS], 1); /* the main heap */
        mic_level_up(&mic_levels[MIC_LEVEL_THEAPS], 1);
    }
    mic_store_release(&process_state, ok ? PROCESS_READY : PROCESS_NEW);
    if (ok) mic_arena_start_tell();
    return ok;
}

bool mic_process_start(void)
{
    if (mic_load_acquire(&process_state) == PROCESS_READY) return true;
    const uintptr_t self = mic_thread_self();
    uintptr_t state = PROCESS_NEW;
    while (!mic_cas_acquire(&process_state, &state, self)) {
        if (mic_load_acquire(&process_state) == PROCESS_READY) return true;
        /* the handler of a signal interrupted it, or something that it called allocates */
        if (state == self) return false;
        if (state == (self | PROCESS_HELD)) { /* a program's fork handler allocates */
            mic_store_relaxed(&process_state, self);
            break;
        }
        state = PROCESS_NEW;
        mic_os_yield();
    }
    return process_start();
}

bool mic_process_hold_for_fork(void)
{
    const uintptr_t self = mic_thread_self();
    uintptr_t state = PROCESS_NEW;
    while (!mic_cas_acquire(&process_state, &state, self | PROCESS_HELD)) {
        if (mic_load_acquire(&process_state) == PROCESS_READY) return false;
        if ((state & ~PROCESS_HELD) == self) return false; /* it interrupted that */
        state = PROCESS_NEW;
        mic_os_yield();
    }
    return true;
}

void mic_process_unhold_after_fork(void)
{
    if (mic_load_relaxed(&process_state) == (mic_thread_self() | PROCESS_HELD))
        mic_store_release(&process_state, PROCESS_NEW);
}

/* In the constructor, so that a fork finds the handlers also while another thread makes the first
   allocation of all. That may come before: then after it, because registering may allocate. Once
   per process. */
static void process_hook(void)
{
    if (mic_load_relaxed(&process_hooked) == 0 && mic_exchange_acqrel(&process_hooked, 1) == 0)
        mic_fork_register();
}

void mic_process_destructed(void)
{
    mic_purger_destructed();
    /* a program may have loaded a library with this one inside, and unload it now */
    mic_os_thread_exit_end();
    mic_trace_end();
}

void mic_process_constructed(void)
{
    /* the rest waits for the first malloc: many a process never gets there */
    if (mic_load_acquire(&process_state) == PROCESS_NEW) mic_os_init();
    if (!mic_options_ready()) mic_options_init();
    process_hook();
}

static mic_record_t *record_new(mic_subproc_t *subproc)
{
    mic_record_t *const record = mic_meta_alloc(sizeof *record, MIC_RECORD_ALIGN);
    if (record == NULL) return NULL;
    record->lock.rank = MIC_RANK_RECORD;
    /* made by a fork handler of the program: like all others it is released with the fork */
    if (mic_lock_passes()) mic_lock_acquire_for_fork(&record->lock);
    mic_store_relaxed(&record->subproc, (uintptr_t)subproc);
    mic_theap_init(&record->theap, record, &subproc->main);
    mic_level_up(&mic_levels[MIC_LEVEL_THEAPS], 1);
    for (size_t i = 0; i < MIC_THEAP_CACHE; i++) record->front.theap_cache[i] = EMPTY;
    mic_lock_acquire(&record_list_lock);
    record->all_next = mic_record_first();
    mic_store_release(&record_first, (uintptr_t)record);
    mic_lock_release(&record_list_lock);
    return record;
}

bool mic_record_is_deserted(const mic_record_t *record)
{
    const uint64_t id = mic_load_acquire(&record->thread_id);
    /* of another process: we are a child that no fork handler told; whose thread this is is not
       known */
    return mic_load_relaxed(&record->process_id) == mic_os_process_id() && id != 0 &&
           !mic_os_thread_is_alive(id) && mic_load_relaxed(&record->busy) == 0;
}

bool mic_record_claim_deserted(mic_record_t *record)
{
    uint64_t id = mic_load_acquire(&record->thread_id);
    if (!mic_record_is_deserted(record)) return false;
    if (!mic_cas_acqrel(&record->thread_id, &id, mic_os_thread_id())) return false;
    mic_level_down(&mic_levels[MIC_LEVEL_THREADS], 1); /* it never told */
    return true;
}

/* Before a new record is made a few old ones are looked at: a deserted one is taken as it is. */
#define RECORD_LOOK_MAX 8

static mic_record_t *record_deserted(const mic_subproc_t *subproc)
{
    static mic_atomic(uintptr_t) cursor; /* [atomic: acquire / release] hint */
    mic_record_t *r = (mic_record_t *)mic_load_acquire(&cursor); /* with what made the record */
    for (int i = 0; i < RECORD_LOOK_MAX; i++) {
        if (r == NULL) r = mic_record_first();
        if (r == NULL) break;
        mic_record_t *const record = r;
        r = r->all_next;
        if (mic_record_subproc(record) != subproc || !mic_record_claim_deserted(record)) continue;
        mic_store_release(&cursor, (uintptr_t)r);
        return record;
    }
    mic_store_release(&cursor, (uintptr_t)r);
    return NULL;
}

/* Spans go while nobody has authority over the record. */
static size_t record_pages(mic_record_t *record)
{
    mic_lock_acquire(&record->lock);
    size_t pages = record->theap.page_count;
    for (const mic_theap_t *t = record->theaps; t != NULL; t = t->record_next)
        pages += t->page_count;
    mic_lock_release(&record->lock);
    return pages;
}

bool mic_thread_attach(void) { return mic_thread_attach_to(&mic_subproc_main); }

bool mic_thread_attach_to(mic_subproc_t *subproc)
{
    if (mic_tls.record == MIC_RECORD_GONE) return false;
    if (mic_tls.record != MIC_RECORD_BOOT) return true;
    if (!mic_process_start()) return false;
    mic_record_t *record = mic_pool_take_any(subproc);
    if (record != NULL) mic_count(MIC_COUNT_RECLAIM_ON_ALLOC, record_pages(record));
    if (record == NULL) record = record_deserted(subproc);
    if (record != NULL)
        mic_record_adopt(record); /* RF.14: `my` is set last */
    else
        record = record_new(subproc);
    if (record == NULL) return false;
    mic_store_relaxed(&record->state, MIC_RECORD_LIVE);
    mic_assert(mic_load_relaxed(&record->busy) == 0);
    record->callback_frame = 0; /* one of the thread before may have ended the record */
    mic_store_relaxed(&record->process_id, mic_os_process_id());
    mic_store_release(&record->thread_id, mic_os_thread_id());
    mic_tls.record = record;
    mic_tls.theap = &record->theap;
    mic_level_up(&mic_levels[MIC_LEVEL_THREADS], 1);
    process_hook();
    mic_os_thread_arm((void *)1);
    mic_purger_ask(record);
    return true;
}

void mic_thread_detach(bool for_good)
{
    mic_record_t *const record = mic_tls.record;
    const bool ready = mic_thread_is_ready();
    for_good = for_good || record == MIC_RECORD_GONE; /* nobody would hand a new record over */
    if (for_good) mic_report_thread_ended();
    /* RF.15: from here on this thread's frees are remote, before anybody can adopt the record */
    mic_tls.theap = (mic_theap_t *)(uintptr_t)&mic_theap_empty;
    mic_tls.record = for_good ? MIC_RECORD_GONE : MIC_RECORD_BOOT;
    if (!ready) return;
    if (for_good) mic_store_relaxed(&record->busy, 0); /* slow paths that a callback ended it in */
    mic_record_enter(record);
    mic_record_collect(record);
    mic_record_drain(record);
    mic_record_collect(record);
    mic_count(MIC_COUNT_PAGES_ABANDONED, record_pages(record));
    mic_level_down(&mic_levels[MIC_LEVEL_THREADS], 1);
    mic_store_release(&record->thread_id, 0);
    mic_store_relaxed(&record->state, MIC_RECORD_ORPHAN);
    mic_record_leave(record);
    mic_record_put_back(record);
    mic_purger_thread_ended();
}

void mic_record_list_lock_for_fork(void) { mic_lock_acquire_for_fork(&record_list_lock); }

void mic_record_list_unlock_after_fork(bool child)
{
    mic_lock_release_after_fork(&record_list_lock, child);
}
