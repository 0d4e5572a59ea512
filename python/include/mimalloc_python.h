/** @file mimalloc_python.h
    For programs that embed CPython: all memory of the interpreter from this library, chosen before
    the interpreter starts, which is the way that CPython documents and supports.

        PyPreConfig preconfig;
        PyPreConfig_InitPythonConfig(&preconfig);
        PyStatus status = Py_PreInitialize(&preconfig);
        if (!PyStatus_Exception(status)) status = mimalloc_python_preinit(MIMALLOC_PYTHON_ALL);
        if (PyStatus_Exception(status)) Py_ExitStatusException(status);
        ... Py_InitializeFromConfig(&config) as ever

    A header and nothing else: compile with the include folders of CPython and of this package
    (mimalloc.get_include()), and link libmimalloc.so (mimalloc.library_path()) or any other build
    of the library. If the embedded program imports the package `mimalloc`, and finds the library's
    functions among the dynamic symbols of the process, both use the same instance, and
    mimalloc.status() tells of it. */
#ifndef MIMALLOC_PYTHON_H
#define MIMALLOC_PYTHON_H

#include <Python.h>

#include <string.h>

#include "mimalloc-ext.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MIMALLOC_PYTHON_RAW 1u /**< PyMem_RawMalloc(): the interpreter's and all large blocks */
#define MIMALLOC_PYTHON_MEM 2u /**< PyMem_Malloc(): buffers */
#define MIMALLOC_PYTHON_OBJ 4u /**< PyObject_Malloc(): objects */
#define MIMALLOC_PYTHON_ALL 7u /**< all three */
/** Puts CPython's debug hooks on top, as PYTHONMALLOC=debug does. */
#define MIMALLOC_PYTHON_DEBUG 8u

/** Starts what `ctx` of a domain points to. */
#define MIMALLOC_PYTHON_MAGIC "mimalloc-python"

/** What `ctx` of a domain points to: a block of the library, never freed. */
typedef struct mimalloc_python_state_s {
    char magic[sizeof MIMALLOC_PYTHON_MAGIC]; /**< MIMALLOC_PYTHON_MAGIC */
    PyMemAllocatorEx below;                   /**< whose the blocks are that are not ours */
} mimalloc_python_state_t;

/* ---- the functions of a domain; not for programs ---- */

static inline void *mimalloc_python__malloc(void *ctx, size_t size)
{
    (void)ctx;
    return mi_malloc(size);
}

static inline void *mimalloc_python__calloc(void *ctx, size_t count, size_t size)
{
    (void)ctx;
    return mi_calloc(count, size);
}

static inline void *mimalloc_python__realloc(void *ctx, void *p, size_t size)
{
    void *result = NULL;
    if (p == NULL) return mi_malloc(size);
    if (mi_realloc_if_owned(p, size, &result)) return result;
    const mimalloc_python_state_t *const state = (const mimalloc_python_state_t *)ctx;
    return state->below.realloc(state->below.ctx, p, size);
}

static inline void mimalloc_python__free(void *ctx, void *p)
{
    if (p == NULL || mi_free_if_owned(p)) return;
    const mimalloc_python_state_t *const state = (const mimalloc_python_state_t *)ctx;
    state->below.free(state->below.ctx, p);
}

static inline int mimalloc_python__set(PyMemAllocatorDomain domain)
{
    mimalloc_python_state_t *const state =
        (mimalloc_python_state_t *)mi_zalloc(sizeof(mimalloc_python_state_t));
    if (state == NULL) return -1;
    PyMem_GetAllocator(domain, &state->below);
    if (state->below.malloc == mimalloc_python__malloc) { /* set before */
        mi_free(state);
        return 0;
    }
    memcpy(state->magic, MIMALLOC_PYTHON_MAGIC, sizeof state->magic);
    PyMemAllocatorEx ours;
    ours.ctx = state;
    ours.malloc = mimalloc_python__malloc;
    ours.calloc = mimalloc_python__calloc;
    ours.realloc = mimalloc_python__realloc;
    ours.free = mimalloc_python__free;
    PyMem_SetAllocator(domain, &ours);
    return 0;
}

/** Puts the library behind CPython's memory domains. To be called by the only thread that uses
    CPython, after Py_PreInitialize() or Py_PreInitializeFromArgs(), which would undo it, and before
    Py_InitializeFromConfig(); again before each further initialisation after Py_FinalizeEx(), which
    in CPython 3.12 and later starts from CPython's own allocators.
    @param domains MIMALLOC_PYTHON_ALL, or some of _RAW, _MEM and _OBJ; with _DEBUG, debug hooks on
                   top. Free-threaded builds of CPython: without _OBJ
    @return success; an error, with nothing changed, if the interpreter runs already or domains are
            not possible; out of memory */
static inline PyStatus mimalloc_python_preinit(unsigned domains)
{
    if (Py_IsInitialized())
        return PyStatus_Error("mimalloc_python_preinit: the interpreter has started already");
    if ((domains & ~(MIMALLOC_PYTHON_ALL | MIMALLOC_PYTHON_DEBUG)) != 0)
        return PyStatus_Error("mimalloc_python_preinit: no such memory domain");
#if defined(Py_GIL_DISABLED)
    if ((domains & MIMALLOC_PYTHON_OBJ) != 0)
        return PyStatus_Error("mimalloc_python_preinit: a free-threaded CPython keeps its own "
                              "allocator of objects");
#endif
    if (((domains & MIMALLOC_PYTHON_RAW) != 0 && mimalloc_python__set(PYMEM_DOMAIN_RAW) != 0) ||
        ((domains & MIMALLOC_PYTHON_MEM) != 0 && mimalloc_python__set(PYMEM_DOMAIN_MEM) != 0) ||
        ((domains & MIMALLOC_PYTHON_OBJ) != 0 && mimalloc_python__set(PYMEM_DOMAIN_OBJ) != 0))
        return PyStatus_NoMemory();
    if ((domains & MIMALLOC_PYTHON_DEBUG) != 0) PyMem_SetupDebugHooks();
    return PyStatus_Ok();
}

#ifdef __cplusplus
}
#endif

#endif
