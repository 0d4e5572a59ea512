/* See live.h. Intervals in an array sorted by address: tests have a few thousand blocks. */
#include "live.h"

#include <pthread.h>
#include <string.h>

#include "stress.h"

typedef struct interval {
    uintptr_t start, end;
} interval_t;

#define INTERVALS 65536
static interval_t intervals[INTERVALS];
static size_t count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* index of the first interval that ends behind `at` */
static size_t find(uintptr_t at)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (intervals[middle].end <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void live_add(const void *p, size_t bytes)
{
    const interval_t it = {(uintptr_t)p, (uintptr_t)p + bytes};
    stress_require(p != NULL && bytes != 0 && it.end > it.start);
    pthread_mutex_lock(&lock);
    const size_t i = find(it.start);
    stress_require(i == count || intervals[i].start >= it.end);
    stress_require(count < INTERVALS);
    memmove(&intervals[i + 1], &intervals[i], (count - i) * sizeof it);
    intervals[i] = it;
    count++;
    pthread_mutex_unlock(&lock);
}

void live_remove(const void *p)
{
    pthread_mutex_lock(&lock);
    const size_t i = find((uintptr_t)p);
    stress_require(i < count && intervals[i].start == (uintptr_t)p);
    count--;
    memmove(&intervals[i], &intervals[i + 1], (count - i) * sizeof *intervals);
    pthread_mutex_unlock(&lock);
}

const void *live_within(const void *p, size_t bytes)
{
    pthread_mutex_lock(&lock);
    const size_t i = find((uintptr_t)p);
    const bool there = i < count && intervals[i].start < (uintptr_t)p + bytes;
    const void *const found = there ? (const void *)intervals[i].start : NULL;
    pthread_mutex_unlock(&lock);
    return found;
}

size_t live_count(void)
{
    pthread_mutex_lock(&lock);
    const size_t n = count;
    pthread_mutex_unlock(&lock);
    return n;
}

/* ---- contents ---- */

#define WORD sizeof(uint64_t)
#define DENSE 65536 /* bytes */
#define STEP 4096
#define TAIL 64

static uint64_t word_at(uint32_t mark, size_t i)
{
    return ((uint64_t)mark * 0x100000001b3u + i) * 0x9e3779b97f4a7c15u;
}

/* where the next word is, in a block of `bytes` */
static size_t next(size_t i, size_t bytes)
{
    if (i + WORD < DENSE || i + TAIL >= bytes) return i + WORD;
    const size_t tail = (bytes - TAIL + WORD - 1) / WORD * WORD;
    const size_t step = (i / STEP + 1) * STEP;
    return step < tail ? step : tail;
}

void live_fill(void *p, size_t bytes, uint32_t mark)
{
    for (size_t i = 0; i < bytes; i = next(i, bytes)) {
        const uint64_t word = word_at(mark, i);
        memcpy((char *)p + i, &word, bytes - i < WORD ? bytes - i : WORD);
    }
}

void live_check(const void *p, size_t bytes, size_t kept, uint32_t mark)
{
    if (kept > bytes) kept = bytes;
    for (size_t i = 0; i < kept; i = next(i, bytes)) {
        const uint64_t word = word_at(mark, i);
        stress_require(memcmp((const char *)p + i, &word, kept - i < WORD ? kept - i : WORD) == 0);
    }
}

void live_check_zero(const void *p, size_t from, size_t to)
{
    const char *const at = p;
    for (; from < to && from % WORD != 0; from++) stress_require(at[from] == 0);
    for (; from + WORD <= to; from += WORD) {
        uint64_t word;
        memcpy(&word, at + from, WORD);
        stress_require(word == 0);
    }
    for (; from < to; from++) stress_require(at[from] == 0);
}

void live_check_zero_or_kept(const void *p, size_t from, size_t to, uint32_t mark)
{
    for (size_t i = from; i < to && i < DENSE; i++) {
        const uint64_t word = word_at(mark, i / WORD * WORD);
        const char byte = ((const char *)p)[i];
        stress_require(byte == 0 || byte == ((const char *)&word)[i % WORD]);
    }
}
