/* Randomness of the secure policies: what keys, orders and choices are made from. Never constant:
   from getrandom, else from the 16 bytes that the kernel gives every process (AT_RANDOM), the clock
   and addresses. A failing getrandom stops nothing.

   A source (mic_random_t) belongs to one thread; sources are independent of each other. What a
   source has told does not tell what the others will (they are seeded through a block cipher); its
   own next values are for orders, not for secrets. */
#ifndef MIC_RT_RANDOM_H
#define MIC_RT_RANDOM_H

#include <stdint.h>

#include "base/compiler.h"

typedef struct mic_random {
    uint64_t state, step, key; /* [owner] */
} mic_random_t;

/* Before the first page exists; once. In a forked child again: sources seeded after that differ
   from the parent's. */
void mic_random_start(void);
/* 64 secret bits, each time others. Any thread. */
uint64_t mic_random_secret(void);
void mic_random_seed(mic_random_t *source);

__extension__ typedef unsigned __int128 mic_uint128_t;

mic_inline uint64_t mic_random_next(mic_random_t *source)
{
    source->state += source->step;
    const mic_uint128_t m = (mic_uint128_t)source->state * (source->state ^ source->key);
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* below n; n is small, the bias is n / 2^32 */
mic_inline uint32_t mic_random_below(mic_random_t *source, uint32_t n)
{
    return (uint32_t)(((mic_random_next(source) >> 32) * n) >> 32);
}

#endif
