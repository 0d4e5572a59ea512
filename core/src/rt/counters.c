/* The counters of the process; see counters.h. */
#include "rt/counters.h"

mic_atomic(uint64_t) mic_counters[MIC_COUNTER_COUNT];
mic_level_t mic_levels[MIC_LEVEL_COUNT];

void mic_count(mic_counter_t counter, uint64_t n)
{
    mic_fetch_add_relaxed(&mic_counters[counter], n);
}

void mic_peak_up(mic_atomic(uint64_t) *peak, uint64_t n)
{
    uint64_t seen = mic_load_relaxed(peak);
    while (n > seen && !mic_cas_acquire(peak, &seen, n)) {
    }
}

void mic_level_up(mic_level_t *level, uint64_t n)
{
    const uint64_t made = mic_fetch_add_relaxed(&level->made, n) + n;
    const uint64_t gone = mic_load_relaxed(&level->gone);
    if (made > gone) mic_peak_up(&level->peak, made - gone); /* others may have made more since */
}

void mic_level_down(mic_level_t *level, uint64_t n) { mic_fetch_add_relaxed(&level->gone, n); }

void mic_level_restart(mic_level_t *level)
{
    mic_store_relaxed(&level->peak, mic_level_now(level));
}
