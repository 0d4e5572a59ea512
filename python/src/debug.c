/* The domains' functions below CPython's debug hooks. There pymalloc's large blocks come from
   PyMem_RawMalloc through the debug hooks of RAW, which put a header in front: a block of ours would
   reach MEM as a pointer into it, and be freed there by ownership, in the middle. So while a domain
   is inside of what was below it, RAW passes requests on too.

   Not made for speed: the debug hooks are not either. Runs without any thread state (RAW), and
   calls no Python. */
#include "core.h"
#include "hooks.h"

/* [thread] calls of functions below that the thread is in */
static __thread unsigned debug_inside;

static void *debug_malloc_in(const PyMemAllocatorEx *below, size_t size, bool active)
{
    if (active && debug_inside == 0) return mimpy_core->malloc(size);
    debug_inside++;
    void *const p = below->malloc(below->ctx, size);
    debug_inside--;
    return p;
}

static void *debug_calloc_in(const PyMemAllocatorEx *below, size_t count, size_t size, bool active)
{
    if (active && debug_inside == 0) return mimpy_core->calloc(count, size);
    debug_inside++;
    void *const p = below->calloc(below->ctx, count, size);
    debug_inside--;
    return p;
}

static void *debug_realloc_in(const PyMemAllocatorEx *below, void *p, size_t size, bool active)
{
    void *result = NULL;
    if (p == NULL) return debug_malloc_in(below, size, active);
    if (mimpy_core->realloc_if_owned(p, size, &result)) return result;
    debug_inside++;
    result = below->realloc(below->ctx, p, size);
    debug_inside--;
    return result;
}

static void debug_free_in(const PyMemAllocatorEx *below, void *p)
{
    if (!mimpy_core->free_if_owned(p) && p != NULL) below->free(below->ctx, p);
}

#define KIND_FUNCTIONS(name, index, active)                                                        \
    static void *name##_malloc(void *ctx, size_t size)                                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return debug_malloc_in(&mimpy_below[index], size, active);                                 \
    }                                                                                              \
    static void *name##_calloc(void *ctx, size_t count, size_t size)                               \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return debug_calloc_in(&mimpy_below[index], count, size, active);                          \
    }                                                                                              \
    static void *name##_realloc(void *ctx, void *p, size_t size)                                   \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return debug_realloc_in(&mimpy_below[index], p, size, active);                             \
    }
#define DOMAIN_FUNCTIONS(name, index)                                                              \
    KIND_FUNCTIONS(name, index, true)                                                              \
    KIND_FUNCTIONS(name##_pass, index, false)                                                      \
    static void name##_free(void *ctx, void *p)                                                    \
    {                                                                                              \
        (void)ctx;                                                                                 \
        debug_free_in(&mimpy_below[index], p);                                                     \
    }

DOMAIN_FUNCTIONS(raw, PYMEM_DOMAIN_RAW)
DOMAIN_FUNCTIONS(mem, PYMEM_DOMAIN_MEM)
DOMAIN_FUNCTIONS(obj, PYMEM_DOMAIN_OBJ)

#define ACTIVE(name)                                                                               \
    {                                                                                              \
        NULL, name##_malloc, name##_calloc, name##_realloc, name##_free                            \
    }
#define PASSING(name)                                                                              \
    {                                                                                              \
        NULL, name##_pass_malloc, name##_pass_calloc, name##_pass_realloc, name##_free             \
    }

const mimpy_hooks_t mimpy_hooks_debug = {
    .active = {ACTIVE(raw), ACTIVE(mem), ACTIVE(obj)},
    .passing = {PASSING(raw), PASSING(mem), PASSING(obj)},
};
