/* See alarm.h. */
#include "vm/alarm.h"

#include "os/os.h"

mic_atomic(uint64_t) mic_alarm_at;
static mic_atomic(uint32_t) alarm_rings; /* [atomic: acquire / release] what the thread waits on */

static uint32_t *alarm_word(void) { return (uint32_t *)(void *)&alarm_rings; }

uint32_t mic_alarm_set(uint64_t until_ms)
{
    const uint32_t since = mic_load_acquire(&alarm_rings);
    mic_store_seqcst(&mic_alarm_at, until_ms);
    return since;
}

void mic_alarm_sleep(uint32_t since, uint64_t until_ms)
{
    const uint64_t now = mic_os_clock_ms();
    if (until_ms == MIC_ALARM_NEVER)
        mic_os_wait_ms(alarm_word(), since, MIC_ALARM_NEVER);
    else if (now < until_ms)
        mic_os_wait_ms(alarm_word(), since, until_ms - now);
}

void mic_alarm_clear(void) { mic_store_seqcst(&mic_alarm_at, 0); }

void mic_alarm_ring(void)
{
    mic_store_seqcst(&mic_alarm_at, 0); /* so that others do not */
    (void)mic_fetch_add_seqcst(&alarm_rings, 1);
    mic_os_wake_one(alarm_word());
}
