/* A hook as profilers put on top of CPython's allocators, for test_install.py: every call goes to the
   functions that were there before. */
#include <Python.h>

static PyMemAllocatorEx below[3];

static void *wrapper_malloc(void *ctx, size_t size)
{
    const PyMemAllocatorEx *const next = ctx;
    return next->malloc(next->ctx, size);
}

static void *wrapper_calloc(void *ctx, size_t count, size_t size)
{
    const PyMemAllocatorEx *const next = ctx;
    return next->calloc(next->ctx, count, size);
}

static void *wrapper_realloc(void *ctx, void *p, size_t size)
{
    const PyMemAllocatorEx *const next = ctx;
    return next->realloc(next->ctx, p, size);
}

static void wrapper_free(void *ctx, void *p)
{
    const PyMemAllocatorEx *const next = ctx;
    next->free(next->ctx, p);
}

void wrapper_start(void)
{
    for (int i = 0; i < 3; i++) {
        PyMem_GetAllocator((PyMemAllocatorDomain)i, &below[i]);
        PyMemAllocatorEx table = {&below[i], wrapper_malloc, wrapper_calloc, wrapper_realloc,
                                  wrapper_free};
        PyMem_SetAllocator((PyMemAllocatorDomain)i, &table);
    }
}

void wrapper_stop(void)
{
    for (int i = 0; i < 3; i++) PyMem_SetAllocator((PyMemAllocatorDomain)i, &below[i]);
}
