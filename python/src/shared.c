/* The domains' functions for an instance of the allocator that is not in the extension: every call
   goes through its table. Runs without any thread state (RAW), and calls no Python. */
#include "core.h"
#include "domains.h"

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

MIMPY_DOMAIN_HOOKS(shared, mimpy_hooks_shared);
