/* What statistics tell that pages cannot: how often something happened, and how much of something
   there was at most. Counted on slow paths only, for the whole process, by any thread. Passive:
   nothing decides by these numbers.

   A level is made of what came and what went, so that a change is one addition:
       now = made - gone,   total = made,   peak = the most that `now` was seen to be */
#ifndef MIC_RT_COUNTERS_H
#define MIC_RT_COUNTERS_H

#include <stdint.h>

#include "base/atomic.h"

typedef enum mic_counter {
    MIC_COUNT_MMAP_CALLS,        /* mappings made, replaced or moved */
    MIC_COUNT_RESET_CALLS,       /* lazy purges, ... */
    MIC_COUNT_RESET_BYTES,       /* ... and how much they offered */
    MIC_COUNT_DECOMMITTED_BYTES, /* given back with its charge */
    MIC_COUNT_UNRESERVED_BYTES,  /* address space given back */
    MIC_COUNT_CLAIM_ROLLBACKS,   /* slices claimed and given back: they could not be committed */
    MIC_COUNT_PURGE_ROUNDS,      /* times the purger went through the segments */
    MIC_COUNT_PAGES_ABANDONED,   /* pages that threads left behind when they ended */
    MIC_COUNT_RECLAIM_ON_ALLOC,  /* pages of orphans taken by who needed one */
    MIC_COUNT_RECLAIM_ON_FREE,   /* pages of orphans taken by who freed into them */
    MIC_COUNT_GUARDED,           /* blocks between guards, by sampling */
    MIC_COUNTER_COUNT
} mic_counter_t;

extern mic_hidden mic_atomic(uint64_t) mic_counters[MIC_COUNTER_COUNT]; /* [atomic: relaxed] */

void mic_count(mic_counter_t counter, uint64_t n);

typedef struct mic_level {
    mic_atomic(uint64_t) made, gone, peak; /* [atomic: relaxed] */
} mic_level_t;

typedef enum mic_level_id {
    MIC_LEVEL_PAGES,   /* of every kind */
    MIC_LEVEL_SPANS,   /* pages of one block */
    MIC_LEVEL_THREADS, /* that have a record */
    MIC_LEVEL_HEAPS,   /* the main ones too */
    MIC_LEVEL_THEAPS,
    MIC_LEVEL_COUNT
} mic_level_id_t;

extern mic_hidden mic_level_t mic_levels[MIC_LEVEL_COUNT];

mic_inline uint64_t mic_level_now(mic_level_t *level)
{
    const uint64_t gone = mic_load_relaxed(&level->gone);
    const uint64_t made = mic_load_relaxed(&level->made);
    return made > gone ? made - gone : 0; /* `made` may be the older of the two */
}

/* A peak is at least n. */
void mic_peak_up(mic_atomic(uint64_t) *peak, uint64_t n);

void mic_level_up(mic_level_t *level, uint64_t n);
void mic_level_down(mic_level_t *level, uint64_t n);
/* The peak counts from now on. */
void mic_level_restart(mic_level_t *level);

#endif
