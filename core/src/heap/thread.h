/* Threads and the process: making a record ready, handing it over, forking. */
#ifndef MIC_HEAP_THREAD_H
#define MIC_HEAP_THREAD_H

#include "heap/pool.h"
#include "os/tls.h"

/* Two dummies that own no page: a thread that is not ready yet, and one whose record was handed
   over for good (it allocates from the late record). */
extern mic_hidden mic_record_front_t mic_record_boot_mark, mic_record_gone_mark;
#define MIC_RECORD_BOOT ((mic_record_t *)(void *)&mic_record_boot_mark)
#define MIC_RECORD_GONE ((mic_record_t *)(void *)&mic_record_gone_mark)

mic_inline bool mic_thread_is_ready(void)
{
    return mic_tls.record != MIC_RECORD_BOOT && mic_tls.record != MIC_RECORD_GONE;
}

/* Initialises the process on first use; false when there is no memory at all. Any thread, any time,
   also before constructors and before environ is set. */
bool mic_process_start(void);
/* Prepare, before it takes locks, and afterwards: a process that has not started stays so, and no
   child is left with a start that nobody ends. The forking thread may start it in between. False:
   there is nothing to hold, or a fork does already, whose thread this one interrupted in the
   handler of a signal. */
bool mic_process_hold_for_fork(void);
void mic_process_unhold_after_fork(void);
/* The library's constructor: the environment can be read now. */
void mic_process_constructed(void);
/* The library's destructor: threads that end later leave their records behind without a word, and
   faults are not explained. */
void mic_process_destructed(void);

/* Gives the calling thread a record, of the main sub-process or of a given one. False: out of
   memory, or the thread has ended (late). */
bool mic_thread_attach(void);
bool mic_thread_attach_to(struct mic_subproc *subproc);
/* Its thread ended without a word, outside the allocator: its first allocation came in the last
   pass of its destructors, or there was no key for it. */
bool mic_record_is_deserted(const mic_record_t *record);
/* Takes such a record; once. It has no thread then but the caller's id. */
bool mic_record_claim_deserted(mic_record_t *record);
/* Hands the record over to the pool; `for_good`: the thread is ending. */
void mic_thread_detach(bool for_good);

/* Every record ever made, by all_next. */
mic_record_t *mic_record_first(void);

/* A slow path of the ready calling thread: between them a forked child freezes the record. They
   nest: the unwinder of guarded sampling, a function that gets messages and the handler of a signal
   may allocate meanwhile. */
mic_inline void mic_record_enter(mic_record_t *record)
{
    mic_store_relaxed(&record->busy, mic_load_relaxed(&record->busy) + 1);
    mic_compiler_barrier();
}
mic_inline void mic_record_leave(mic_record_t *record)
{
    mic_compiler_barrier();
    mic_store_relaxed(&record->busy, mic_load_relaxed(&record->busy) - 1);
}

/* Registers the fork handlers. Once. */
void mic_fork_register(void);
/* The list of all records cannot change. */
void mic_record_list_lock_for_fork(void);
void mic_record_list_unlock_after_fork(bool child);

#endif
