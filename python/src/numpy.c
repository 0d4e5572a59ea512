/* NumPy's data handlers (NEP 49) without NumPy's headers: what is needed of them is part of its
   binary interface since 1.22. A handler holds for a context (thread or task); the default handler,
   which all contexts start with, is a struct of NumPy's whose functions can be replaced in place,
   by the rules of hooks.c: by ownership, frees first, and never taken out again.

   All data is at multiples of 64 bytes. The functions run with the GIL held, or, in a free-threaded
   build, attached; they call no Python. */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>

#include "core.h"
#include "hooks.h"
#include "module.h"

/* ---- NumPy's binary interface ---- */

#define NUMPY_FEATURE_VERSION 211 /* indices into _ARRAY_API */
#define NUMPY_SET_HANDLER 304
#define NUMPY_DEFAULT_HANDLER 306
#define NUMPY_FEATURE_1_22 0xf
#define NUMPY_CAPSULE "mem_handler"

typedef struct numpy_allocator {
    void *ctx;
    void *(*malloc)(void *ctx, size_t size);
    void *(*calloc)(void *ctx, size_t count, size_t size);
    void *(*realloc)(void *ctx, void *p, size_t size);
    void (*free)(void *ctx, void *p, size_t size);
} numpy_allocator_t;

typedef struct numpy_handler {
    char name[127];
    uint8_t version; /* 1 */
    numpy_allocator_t allocator;
} numpy_handler_t;

/* The table of NumPy's functions; NULL: an exception is set. */
static void **numpy_table(void)
{
    PyObject *module = PyImport_ImportModule("numpy._core._multiarray_umath");
    if (module == NULL && PyErr_ExceptionMatches(PyExc_ImportError)) {
        PyErr_Clear();
        module = PyImport_ImportModule("numpy.core._multiarray_umath");
    }
    if (module == NULL) return NULL;
    PyObject *const capsule = PyObject_GetAttrString(module, "_ARRAY_API");
    Py_DECREF(module);
    if (capsule == NULL) return NULL;
    void **const table = PyCapsule_GetPointer(capsule, NULL); /* static in NumPy */
    Py_DECREF(capsule);
    if (table == NULL) return NULL;
    unsigned (*version)(void);
    memcpy(&version, &table[NUMPY_FEATURE_VERSION], sizeof version);
    if (version() >= NUMPY_FEATURE_1_22) return table;
    PyErr_SetString(PyExc_ImportError, "NumPy 1.22 or newer is required");
    return NULL;
}

/* ---- memory ---- */

#define DATA_ALIGN MIMPY_DATA_ALIGN
#define HUGE_FROM_BYTES ((size_t)4 << 20)
#define HUGE_PAGE_BYTES ((uintptr_t)2 << 20)

typedef struct data_handler {
    numpy_handler_t numpy;
    mimpy_heap_t *heap; /* NULL: the main heap */
    bool huge;
} data_handler_t;

/* Asks for transparent huge pages where whole ones fit in. A hint: errors do not matter. */
static void *data_advise(void *p, size_t size, bool huge)
{
    if (!huge || size < HUGE_FROM_BYTES || p == NULL) return p;
    const uintptr_t start = ((uintptr_t)p + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
    const uintptr_t end = ((uintptr_t)p + size) & ~(HUGE_PAGE_BYTES - 1);
    if (end > start) (void)madvise((char *)p + (start - (uintptr_t)p), end - start, MADV_HUGEPAGE);
    return p;
}

static void *data_malloc(void *ctx, size_t size)
{
    if (size < HUGE_FROM_BYTES) return mimpy_data->malloc(size);
    const data_handler_t *const handler = ctx;
    return data_advise(mimpy_data->malloc(size), size, handler->huge);
}

static void *data_calloc(void *ctx, size_t count, size_t size)
{
    const data_handler_t *const handler = ctx;
    return data_advise(mimpy_data->calloc(count, size), count * size, handler->huge);
}

static void *data_realloc(void *ctx, void *p, size_t size)
{
    const data_handler_t *const handler = ctx;
    return data_advise(mimpy_core->realloc_aligned(p, size, DATA_ALIGN), size, handler->huge);
}

static void data_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    (void)size;
    (void)mimpy_data->free_if_owned(p);
}

/* ---- memory of a heap: NULL, so MemoryError, when it is closed ---- */

/* An array more, or none for lack of memory. */
static void *heap_data(const data_handler_t *handler, void *p, size_t size)
{
    if (p != NULL) mimpy_heap_export(handler->heap, 1);
    return data_advise(p, size, handler->huge);
}

static void *heap_data_malloc(void *ctx, size_t size)
{
    const data_handler_t *const handler = ctx;
    void *p = NULL;
    MIMPY_BEGIN_CRITICAL(handler->heap);
    if (handler->heap->state == MIMPY_HEAP_OPEN)
        p = heap_data(handler,
                      mimpy_core->heap_malloc_aligned(handler->heap->heap, size, DATA_ALIGN), size);
    MIMPY_END_CRITICAL();
    return p;
}

static void *heap_data_calloc(void *ctx, size_t count, size_t size)
{
    const data_handler_t *const handler = ctx;
    void *p = NULL;
    MIMPY_BEGIN_CRITICAL(handler->heap);
    if (handler->heap->state == MIMPY_HEAP_OPEN)
        p = heap_data(handler,
                      mimpy_core->heap_calloc_aligned(handler->heap->heap, count, size, DATA_ALIGN),
                      count * size);
    MIMPY_END_CRITICAL();
    return p;
}

/* An array that was there stays one: it resizes also after the heap was detached. */
static void *heap_data_realloc(void *ctx, void *p, size_t size)
{
    const data_handler_t *const handler = ctx;
    if (p == NULL) return heap_data_malloc(ctx, size);
    void *result = NULL;
    MIMPY_BEGIN_CRITICAL(handler->heap);
    if (handler->heap->state == MIMPY_HEAP_OPEN)
        result = mimpy_core->heap_realloc_aligned(handler->heap->heap, p, size, DATA_ALIGN);
    else
        result = mimpy_core->realloc_aligned(p, size, DATA_ALIGN);
    MIMPY_END_CRITICAL();
    return data_advise(result, size, handler->huge);
}

static void heap_data_free(void *ctx, void *p, size_t size)
{
    (void)size;
    const data_handler_t *const handler = ctx;
    if (p == NULL) return;
    mimpy_core->free(p);
    mimpy_heap_export(handler->heap, -1);
}

/* ---- handlers as capsules ---- */

/* NumPy's arrays hold the capsule: nobody uses the handler any more. */
static void handler_end(PyObject *capsule)
{
    data_handler_t *const handler = PyCapsule_GetPointer(capsule, NUMPY_CAPSULE);
    if (handler == NULL) return;
    Py_XDECREF((PyObject *)handler->heap);
    PyMem_RawFree(handler);
}

/* (heap or None, hugepages) -> capsule */
PyObject *mimpy_numpy_handler(PyObject *module, PyObject *args)
{
    PyObject *heap;
    int huge;
    if (!PyArg_ParseTuple(args, "Op:_numpy_handler", &heap, &huge)) return NULL;
    const mimpy_state_t *const state = PyModule_GetState(module);
    if (heap != Py_None && !Py_IS_TYPE(heap, state->heap_type)) {
        PyErr_SetString(PyExc_TypeError, "not a Heap");
        return NULL;
    }
    data_handler_t *const handler = PyMem_RawCalloc(1, sizeof *handler);
    if (handler == NULL) return PyErr_NoMemory();
    handler->huge = huge != 0;
    if (heap == Py_None) {
        handler->numpy = (numpy_handler_t){
            "mimalloc", 1, {handler, data_malloc, data_calloc, data_realloc, data_free}};
    } else {
        handler->heap = (mimpy_heap_t *)Py_NewRef(heap);
        handler->numpy = (numpy_handler_t){
            "mimalloc.Heap",
            1,
            {handler, heap_data_malloc, heap_data_calloc, heap_data_realloc, heap_data_free}};
    }
    PyObject *const capsule = PyCapsule_New(handler, NUMPY_CAPSULE, handler_end);
    if (capsule == NULL) {
        Py_XDECREF((PyObject *)handler->heap);
        PyMem_RawFree(handler);
    }
    return capsule;
}

/* Makes a capsule, or with None the default, the handler of the current context; the one before. */
PyObject *mimpy_numpy_set(PyObject *module, PyObject *handler)
{
    (void)module;
    void **const table = numpy_table();
    if (table == NULL) return NULL;
    PyObject *(*set)(PyObject *);
    memcpy(&set, &table[NUMPY_SET_HANDLER], sizeof set);
    return set(handler == Py_None ? NULL : handler);
}

/* ---- NumPy's default handler, in place: for all threads and tasks without one of their own ---- */

static numpy_allocator_t default_below;  /* [written once, before the functions are replaced] */
static numpy_handler_t *default_handler; /* [the same] */
static data_handler_t default_data;      /* ctx of data_malloc and so on */

static void *default_malloc(void *ctx, size_t size)
{
    (void)ctx;
    if (size < HUGE_FROM_BYTES) return mimpy_data->malloc(size);
    return data_malloc(&default_data, size);
}

static void *default_calloc(void *ctx, size_t count, size_t size)
{
    (void)ctx;
    return data_calloc(&default_data, count, size);
}

static void *default_realloc(void *ctx, void *p, size_t size)
{
    (void)ctx;
    if (p == NULL) return default_handler->allocator.malloc(default_below.ctx, size);
    if (!mimpy_core->is_in_heap_region(p)) return default_below.realloc(default_below.ctx, p, size);
    return data_realloc(&default_data, p, size);
}

static void default_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    if (mimpy_data->free_if_owned(p) || p == NULL) return;
    default_below.free(default_below.ctx, p, size);
}

/* NumPy's struct, if it is what it is known to be; NULL: an exception is set. */
static numpy_handler_t *default_find(void)
{
    void **const table = numpy_table();
    if (table == NULL) return NULL;
    PyObject *const capsule = *(PyObject **)table[NUMPY_DEFAULT_HANDLER];
    numpy_handler_t *const handler = PyCapsule_GetPointer(capsule, NUMPY_CAPSULE);
    if (handler == NULL) return NULL;
    if (handler->version == 1 && strcmp(handler->name, "default_allocator") == 0) return handler;
    PyErr_SetString(PyExc_RuntimeError,
                    "NumPy's default handler is not of the kind that is known; use "
                    "`with mimalloc.numpy():` in every thread");
    return NULL;
}

/* (install, hugepages) -> whether something changed */
PyObject *mimpy_numpy_default(PyObject *module, PyObject *args)
{
    (void)module;
    int install, huge;
    if (!PyArg_ParseTuple(args, "pp:_numpy_default", &install, &huge)) return NULL;
    if (!install && default_handler == NULL) Py_RETURN_FALSE;
    numpy_handler_t *const handler = default_find();
    if (handler == NULL) return NULL;
    numpy_allocator_t *const functions = &handler->allocator;
    const bool active = functions->malloc == default_malloc;
    default_data.huge = huge != 0;
    if (active == (install != 0)) Py_RETURN_FALSE;
    if (default_handler == NULL) {
        default_below = *functions;
        default_handler = handler;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        functions->free = default_free;
        functions->realloc = default_realloc;
    }
    (void)mimpy_barrier_all();
    functions->malloc = install ? default_malloc : default_below.malloc;
    functions->calloc = install ? default_calloc : default_below.calloc;
    Py_RETURN_TRUE;
}

PyObject *mimpy_numpy_is_default(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyBool_FromLong(default_handler != NULL &&
                           default_handler->allocator.malloc == default_malloc);
}
