/* The counters of the process; see counters.h. */
#include "rt/counters.h"

mic_atomic(uint64_t) mic_counters[MIC_COUNTER_COUNT];
mic_level_t mic_levels[MIC_LEVEL_COUNT];

void mic_level_up(mic_level_t *level, uint64_t n)
{
    const uint64_t made = mic_fetch_add_relaxed(&level->made, n) + n;
    const uint64_t gone = mic_load_relaxed(&level->gone);
    if (made < gone) return; /* what others made since, others have given back already */
    const uint64_t now = made - gone;
    uint64_t peak = mic_load_relaxed(&level->peak);
    while (now > peak && !mic_cas_acquire(&level->peak, &peak, now)) {
    }
}

void mic_level_restart(mic_level_t *level)
{
    mic_store_relaxed(&level->peak, mic_level_now(level));
}
