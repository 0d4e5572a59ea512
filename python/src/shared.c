/* The domains' functions for an instance of the allocator that is not in the extension: every call
   goes through its table. Runs without any thread state (RAW), and calls no Python. */
#include "core.h"
#include "hooks.h"

static void *shared_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return mimpy_core->malloc(size);
}

static void *shared_calloc(void *ctx, size_t count, size_t size)
{
    (void)ctx;
    return mimpy_core->calloc(count, size);
}

static void *shared_realloc_in(const PyMemAllocatorEx *below, void *p, size_t size, bool active)
{
    void *result = NULL;
    if (mimpy_core->realloc_if_owned(p, size, &result)) return result;
    if (p == NULL && active) return mimpy_core->malloc(size);
    return below->realloc(below->ctx, p, size);
}

static void shared_free_in(const PyMemAllocatorEx *below, void *p)
{
    if (!mimpy_core->free_if_owned(p) && p != NULL) below->free(below->ctx, p);
}

#define DOMAIN_FUNCTIONS(name, index)                                                              \
    static void *name##_realloc(void *ctx, void *p, size_t size)                                   \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return shared_realloc_in(&mimpy_below[index], p, size, true);                              \
    }                                                                                              \
    static void name##_free(void *ctx, void *p)                                                    \
    {                                                                                              \
        (void)ctx;                                                                                 \
        shared_free_in(&mimpy_below[index], p);                                                    \
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
        return shared_realloc_in(&mimpy_below[index], p, size, false);                             \
    }

DOMAIN_FUNCTIONS(raw, PYMEM_DOMAIN_RAW)
DOMAIN_FUNCTIONS(mem, PYMEM_DOMAIN_MEM)
DOMAIN_FUNCTIONS(obj, PYMEM_DOMAIN_OBJ)

#define ACTIVE(name)                                                                               \
    {                                                                                              \
        NULL, shared_malloc, shared_calloc, name##_realloc, name##_free                            \
    }
#define PASSING(name)                                                                              \
    {                                                                                              \
        NULL, name##_pass_malloc, name##_pass_calloc, name##_pass_realloc, name##_free             \
    }

const mimpy_hooks_t mimpy_hooks_shared = {
    .active = {ACTIVE(raw), ACTIVE(mem), ACTIVE(obj)},
    .passing = {PASSING(raw), PASSING(mem), PASSING(obj)},
};
