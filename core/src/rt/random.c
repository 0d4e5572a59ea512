/* Secrets by the stream cipher ChaCha (12 rounds) over a counter; see random.h. Its key is mixed
   anew at each start. */
#include "rt/random.h"

#include <string.h>

#include "base/atomic.h"
#include "os/os.h"

#define RANDOM_ROUNDS 12

/* [start: alone] written while one thread runs */
static uint32_t random_key[8];
static mic_atomic(uint64_t) random_counter; /* [atomic: relaxed] no value is used twice */

static uint32_t random_rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void random_quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b, *d = random_rotate(*d ^ *a, 16);
    *c += *d, *b = random_rotate(*b ^ *c, 12);
    *a += *b, *d = random_rotate(*d ^ *a, 8);
    *c += *d, *b = random_rotate(*b ^ *c, 7);
}

static void random_block(uint64_t counter, uint32_t out[16])
{
    const uint32_t in[16] = {0x61707865,
                             0x3320646e,
                             0x79622d32,
                             0x6b206574, /* the cipher's constant */
                             random_key[0],
                             random_key[1],
                             random_key[2],
                             random_key[3],
                             random_key[4],
                             random_key[5],
                             random_key[6],
                             random_key[7],
                             (uint32_t)counter,
                             (uint32_t)(counter >> 32),
                             0,
                             0};
    memcpy(out, in, sizeof in);
    for (int i = 0; i < RANDOM_ROUNDS; i += 2) {
        for (int k = 0; k < 4; k++) random_quarter(&out[k], &out[4 + k], &out[8 + k], &out[12 + k]);
        for (int k = 0; k < 4; k++)
            random_quarter(&out[k], &out[4 + (k + 1) % 4], &out[8 + (k + 2) % 4],
                           &out[12 + (k + 3) % 4]);
    }
    for (int i = 0; i < 16; i++) out[i] += in[i];
}

void mic_random_start(void)
{
    uint32_t fresh[8], mixed[16];
    mic_os_random(fresh, sizeof fresh);
    /* what there was counts too: a forked child keeps the parent's randomness if it gets none */
    random_block(mic_fetch_add_relaxed(&random_counter, 1), mixed);
    for (int i = 0; i < 8; i++) random_key[i] = mixed[i] ^ fresh[i];
}

uint64_t mic_random_secret(void)
{
    uint32_t out[16];
    random_block(mic_fetch_add_relaxed(&random_counter, 1), out);
    return (uint64_t)out[0] << 32 | out[1];
}

void mic_random_seed(mic_random_t *source)
{
    source->state = mic_random_secret();
    source->step = mic_random_secret() | 1;
    source->key = mic_random_secret();
}
