/* Which allocations are guarded (heap/guarded.h): about one in `rate` of a thread heap, by a
   countdown that slow paths look at while sampling is on. The lists of blocks that they hand to the
   fast path are cut, so that the block that is due comes to a slow path: the fast path knows
   nothing of it.

   [owner] everything but mic_sampling. */
#ifndef MIC_HEAP_SAMPLE_H
#define MIC_HEAP_SAMPLE_H

#include "heap/theap.h"

/* [atomic: release; relaxed looks] some thread heap of the process may sample */
extern mic_hidden mic_atomic(uint32_t) mic_sampling;

/* As the options say; after they were read, not inside an allocation. */
void mic_sample_start(void);
/* An option of sampling was set; not inside an allocation. Each thread heap without values of its
   own follows on its next slow path. */
void mic_sample_options_changed(void);
/* In place of the options, for one thread heap of the calling thread. */
void mic_sample_set_rate(mic_theap_t *theap, size_t rate, size_t seed);
void mic_sample_set_bounds(mic_theap_t *theap, size_t least, size_t most);

/* A guarded block if one is due and can be had, else NULL; (result + offset) is a multiple of
   alignment. Only while mic_sampling. */
void *mic_sample(mic_theap_t *theap, size_t bytes, size_t alignment, size_t offset, bool zero);
/* An allocation of the class (or MIC_CLASS_SPAN) that was not: counts it, and with it what of the
   class's active list may go without a look; the rest of the list goes back. Only while
   mic_sampling. */
void mic_sample_pass(mic_theap_t *theap, unsigned cls);

#endif
