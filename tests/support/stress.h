/* What the stress tests share: seed, scale, random numbers, blocks that know their contents, and
   checks that work on any thread (cmocka's do not).

   MI_TEST_SEED repeats a run; MI_TEST_SCALE is the amount of work in percent (5 by default, 100 for
   a soak). Both are printed at the start. */
#ifndef STRESS_H
#define STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRESS_SKIPPED 77

/* Prints seed and scale. The first call of main. */
void stress_begin(const char *name);
uint64_t stress_seed(void);
/* `full` times the scale, at least `least` */
size_t stress_scaled(size_t full, size_t least);

/* ---- random numbers: one generator for each thread ---- */
typedef struct stress_random {
    uint64_t state;
} stress_random_t;
/* a generator that depends on the seed and on `stream` */
stress_random_t stress_random(uint64_t stream);
uint64_t stress_next(stress_random_t *random);
static inline size_t stress_below(stress_random_t *random, size_t n)
{
    return stress_next(random) % n;
}
/* mostly small, now and then up to `most` */
size_t stress_size(stress_random_t *random, size_t most);

/* ---- checks: print and abort ---- */
#define stress_require(x) ((x) ? (void)0 : stress_failed(#x, __FILE__, __LINE__))
_Noreturn void stress_failed(const char *what, const char *file, int line);

/* ---- contents: every 256th byte, the first 16 and the last are marked ---- */
void stress_fill(void *block, size_t bytes, uint64_t mark);
void stress_check(const void *block, size_t bytes, uint64_t mark);
/* the part that a block of `bytes` keeps when it becomes one of `kept` bytes */
void stress_check_kept(const void *block, size_t bytes, size_t kept, uint64_t mark);

/* ---- the process ---- */
size_t stress_rss_kib(void);
size_t stress_size_kib(void); /* virtual */
double stress_seconds(void);  /* since stress_begin */
bool stress_under_sanitizer(void);
/* Ends the calling process (a forked child too) when it takes longer. */
void stress_limit_seconds(unsigned seconds);

#endif
