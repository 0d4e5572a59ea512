/* What the helper programs share: a check that names its line, patterns in blocks, counts from
   /proc. They call malloc and its relatives, which the library under test replaces. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* Nothing here allocates: memory may be short. */
#define require(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            char text[300];                                                                        \
            const int error = errno;                                                               \
            const int n = snprintf(text, sizeof text, "%s:%d: %s (errno %d)\n", __FILE__,          \
                                   __LINE__, #condition, error);                                   \
            if (write(2, text, (size_t)n) < 0) _exit(3);                                           \
            _exit(2);                                                                              \
        }                                                                                          \
    } while (0)

/* A word that depends on where it stands: first, last, and one every `step` bytes. */
static inline void pattern_write(void *block, size_t bytes, size_t step)
{
    char *const p = block;
    const size_t end = bytes & ~(size_t)7;
    for (size_t at = 0; at + 8 <= end; at += step) *(uint64_t *)(void *)(p + at) = at ^ bytes;
    if (end >= 8) *(uint64_t *)(void *)(p + end - 8) = end ^ 0x5aa5;
}

/* Of the pattern for `bytes`, what lies in the first `have` bytes. */
static inline bool pattern_is(const void *block, size_t bytes, size_t have, size_t step)
{
    const char *const p = block;
    const size_t end = bytes & ~(size_t)7;
    for (size_t at = 0; at + 8 <= end && at + 8 <= have; at += step)
        if (at + 8 != end && *(const uint64_t *)(const void *)(p + at) != (at ^ bytes))
            return false;
    return end < 8 || have < end ||
           *(const uint64_t *)(const void *)(p + end - 8) == (end ^ 0x5aa5);
}

/* The number behind a key of a file of /proc, 0 when there is none. */
static inline size_t proc_number(const char *path, const char *key)
{
    FILE *const f = fopen(path, "r");
    size_t number = 0;
    char line[512];
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, key, strlen(key)) == 0) number = strtoull(line + strlen(key), NULL, 10);
    if (f != NULL) fclose(f);
    return number;
}

static inline size_t mapping_count(void)
{
    FILE *const f = fopen("/proc/self/maps", "r");
    size_t lines = 0;
    for (int c; f != NULL && (c = getc(f)) != EOF;) lines += c == '\n';
    if (f != NULL) fclose(f);
    return lines;
}

#endif
