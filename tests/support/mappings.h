/* How many mappings the process has, and whether the system has guards that split none. */
#ifndef TESTS_SUPPORT_MAPPINGS_H
#define TESTS_SUPPORT_MAPPINGS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>

#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL */

static inline size_t mappings(void)
{
    size_t lines = 0;
    char text[4096];
    FILE *const f = fopen("/proc/self/maps", "r");
    assert_non_null(f);
    while (fgets(text, sizeof text, f) != NULL) lines++;
    fclose(f);
    return lines;
}

static inline bool light_guards(void)
{
    void *const p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool has = madvise(p, 4096, GUARD_INSTALL) == 0;
    munmap(p, 4096);
    return has;
}

#endif
