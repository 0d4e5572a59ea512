/* See stress.h. Uses no memory of the allocator under test but what stdio takes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "stress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t the_seed = 1;
static size_t the_scale = 5;
static double the_start;

#define STRESS_HEAD 16
#define STRESS_STEP 256

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void stress_begin(const char *name)
{
    const char *const seed = getenv("MI_TEST_SEED"), *const scale = getenv("MI_TEST_SCALE");
    the_start = now();
    the_seed = seed != NULL ? strtoull(seed, NULL, 0)
                            : (uint64_t)(now() * 1e6) ^ ((uint64_t)getpid() << 32);
    if (scale != NULL && atoi(scale) > 0) the_scale = (size_t)atoi(scale);
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("%s: MI_TEST_SEED=%llu MI_TEST_SCALE=%zu\n", name, (unsigned long long)the_seed,
           the_scale);
}

uint64_t stress_seed(void) { return the_seed; }

size_t stress_scaled(size_t full, size_t least)
{
    const size_t n = full * the_scale / 100;
    return n < least ? least : n;
}

stress_random_t stress_random(uint64_t stream)
{
    stress_random_t r = {the_seed * 0x9e3779b97f4a7c15u + stream};
    (void)stress_next(&r);
    return r;
}

uint64_t stress_next(stress_random_t *random) /* splitmix64 */
{
    uint64_t x = random->state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

size_t stress_size(stress_random_t *random, size_t most)
{
    const uint64_t dice = stress_next(random) % 100;
    const size_t limit = dice < 70 ? 256 : dice < 90 ? 4096 : dice < 98 ? 65536 : most;
    return stress_below(random, (limit < most ? limit : most) + 1);
}

_Noreturn void stress_failed(const char *what, const char *file, int line)
{
    char text[512];
    const int n = snprintf(text, sizeof text, "%s:%d: failed: %s (MI_TEST_SEED=%llu, process %d)\n",
                           file, line, what, (unsigned long long)the_seed, (int)getpid());
    if (write(2, text, (size_t)n) < 0) _exit(3);
    abort();
}

static unsigned char mark_at(uint64_t mark, size_t i)
{
    return (unsigned char)((mark * 0x9e3779b97f4a7c15u + i * 0x2545f4914f6cdd1du) >> 56);
}

void stress_fill(void *block, size_t bytes, uint64_t mark)
{
    unsigned char *const p = block;
    for (size_t i = 0; i < bytes && i < STRESS_HEAD; i++) p[i] = mark_at(mark, i);
    for (size_t i = STRESS_STEP; i < bytes; i += STRESS_STEP) p[i] = mark_at(mark, i);
    if (bytes > 0) p[bytes - 1] = mark_at(mark, bytes - 1);
}

void stress_check_kept(const void *block, size_t bytes, size_t kept, uint64_t mark)
{
    const unsigned char *const p = block;
    const size_t n = bytes < kept ? bytes : kept;
    for (size_t i = 0; i < n && i < STRESS_HEAD; i++) stress_require(p[i] == mark_at(mark, i));
    for (size_t i = STRESS_STEP; i < n; i += STRESS_STEP) stress_require(p[i] == mark_at(mark, i));
    if (bytes > 0 && bytes <= kept) stress_require(p[bytes - 1] == mark_at(mark, bytes - 1));
}

void stress_check(const void *block, size_t bytes, uint64_t mark)
{
    stress_check_kept(block, bytes, bytes, mark);
}

static size_t status_kib(const char *key)
{
    char line[256];
    size_t kib = 0;
    FILE *const f = fopen("/proc/self/status", "r");
    if (f == NULL) return 0;
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, key, strlen(key)) == 0) kib = strtoull(line + strlen(key), NULL, 10);
    fclose(f);
    return kib;
}

size_t stress_rss_kib(void) { return status_kib("VmRSS:"); }
size_t stress_size_kib(void) { return status_kib("VmSize:"); }
double stress_seconds(void) { return now() - the_start; }

bool stress_under_sanitizer(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) /* gcc */
    return true;
#elif defined(__has_feature) /* clang */
    return __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) ||
           __has_feature(memory_sanitizer);
#else
    return false;
#endif
}

void stress_limit_seconds(unsigned seconds) { (void)alarm(seconds); }
