/* The functions that CPython's tables get, spelt once for both kinds of instance (owned.c, shared.c).
   A domain frees and resizes by ownership; it has functions of its own because ctx, which would say
   which domain it is, must not be read: a thread may see it and the function change one after the
   other. */
#ifndef MIMPY_DOMAINS_H
#define MIMPY_DOMAINS_H

#include "hooks.h"

#define MIMPY_DOMAIN_FUNCTIONS(kind, name, index)                                                  \
    static void *name##_realloc(void *ctx, void *p, size_t size)                                   \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return kind##_realloc_in(&mimpy_below[index], p, size, true);                              \
    }                                                                                              \
    static void name##_free(void *ctx, void *p)                                                    \
    {                                                                                              \
        (void)ctx;                                                                                 \
        kind##_free_in(&mimpy_below[index], p);                                                    \
    }                                                                                              \
    static void *name##_pass_malloc(void *ctx, size_t size)                                        \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return mimpy_below[index].malloc(mimpy_below[index].ctx, size);                            \
    }                                                                                              \
    static void *name##_pass_calloc(void *ctx, size_t count, size_t size)                          \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return mimpy_below[index].calloc(mimpy_below[index].ctx, count, size);                     \
    }                                                                                              \
    static void *name##_pass_realloc(void *ctx, void *p, size_t size)                              \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return kind##_realloc_in(&mimpy_below[index], p, size, false);                             \
    }

#define MIMPY_DOMAIN_ACTIVE(kind, name)                                                            \
    {                                                                                              \
        NULL, kind##_malloc, kind##_calloc, name##_realloc, name##_free                            \
    }
#define MIMPY_DOMAIN_PASSING(name)                                                                 \
    {                                                                                              \
        NULL, name##_pass_malloc, name##_pass_calloc, name##_pass_realloc, name##_free             \
    }

/* Defines `const mimpy_hooks_t hooks` from what the file has before: kind_malloc, kind_calloc, and
   with the domain's functions below, kind_free_in and kind_realloc_in, whose last argument says
   whether a new block (p == NULL) is ours. */
#define MIMPY_DOMAIN_HOOKS(kind, hooks)                                                            \
    MIMPY_DOMAIN_FUNCTIONS(kind, raw, PYMEM_DOMAIN_RAW)                                            \
    MIMPY_DOMAIN_FUNCTIONS(kind, mem, PYMEM_DOMAIN_MEM)                                            \
    MIMPY_DOMAIN_FUNCTIONS(kind, obj, PYMEM_DOMAIN_OBJ)                                            \
    const mimpy_hooks_t hooks = {                                                                  \
        .active = {MIMPY_DOMAIN_ACTIVE(kind, raw), MIMPY_DOMAIN_ACTIVE(kind, mem),                 \
                   MIMPY_DOMAIN_ACTIVE(kind, obj)},                                                \
        .passing = {MIMPY_DOMAIN_PASSING(raw), MIMPY_DOMAIN_PASSING(mem),                          \
                    MIMPY_DOMAIN_PASSING(obj)},                                                    \
    }

#endif
