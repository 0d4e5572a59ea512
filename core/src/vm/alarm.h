/* What wakes the thread that gives memory back while others are idle (heap/purger.h): whoever notes
   an earlier time than it sleeps until. One thread waits, any may ring.

   Setting the alarm and then looking whether something is due, and noting what is due and then
   looking at the alarm: all four are sequentially consistent, so that one of the two sees the
   other. */
#ifndef MIC_VM_ALARM_H
#define MIC_VM_ALARM_H

#include "base/atomic.h"

#define MIC_ALARM_NEVER UINT64_MAX

/* [atomic: seq_cst] until when (ms) the thread sleeps; 0: it is awake, or there is none */
extern mic_hidden mic_atomic(uint64_t) mic_alarm_at;

/* The waiting thread: announces that it is going to sleep, looks whether it should, and sleeps or
   not. A ring after the first makes the second return at once. */
uint32_t mic_alarm_set(uint64_t until_ms);
void mic_alarm_sleep(uint32_t since, uint64_t until_ms);
void mic_alarm_clear(void);
/* It looks again at what there is to do. */
void mic_alarm_ring(void);

/* Something is due then: it was stored where the thread looks, sequentially consistent. One ring
   at most for each sleep. */
mic_inline void mic_alarm_note(uint64_t due_ms)
{
    if (mic_unlikely(due_ms < mic_load_seqcst(&mic_alarm_at))) mic_alarm_ring();
}

#endif
