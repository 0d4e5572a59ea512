/* What the files of the extension share: the state of the module and its parts. */
#ifndef MIMPY_MODULE_H
#define MIMPY_MODULE_H

#include "compat.h"
#include "mimalloc.h"

typedef struct mimpy_state {
    PyTypeObject *heap_type;
    PyTypeObject *buffer_type;
} mimpy_state_t;

/* ---- heap.c ---- */

typedef enum mimpy_heap_state {
    MIMPY_HEAP_OPEN,
    MIMPY_HEAP_DETACHED, /* deleted: its blocks live on in the main heap */
    MIMPY_HEAP_CLOSED    /* destroyed: its blocks are gone */
} mimpy_heap_state_t;

/* One heap. `exports` counts what others hold of its memory: views of buffers, NumPy arrays. */
typedef struct mimpy_heap {
    PyObject_HEAD mi_heap_t *heap;  /* [GIL or critical section] NULL: closed or detached */
    mimpy_heap_state_t state;       /* [GIL or critical section] */
    Py_ssize_t exports;             /* [atomic] */
    char *name;                     /* [const] UTF-8, or NULL */
    struct mimpy_heap *next, *prev; /* [lock: registry] all open heaps of the process */
} mimpy_heap_t;

extern PyType_Spec mimpy_heap_spec;
extern PyType_Spec mimpy_buffer_spec;

static inline void mimpy_heap_export(mimpy_heap_t *heap, Py_ssize_t change)
{
    (void)__atomic_add_fetch(&heap->exports, change, __ATOMIC_RELAXED);
}

PyObject *mimpy_buffer_new(PyTypeObject *type, mimpy_heap_t *heap, void *p, Py_ssize_t size);

/* ---- registry.c ---- */

/* All heaps of the package, with their names. Making and ending one, and walking, exclude each
   other; no Python runs meanwhile. */
mi_heap_t *mimpy_registry_open(mimpy_heap_t *heap);
void mimpy_registry_close(mimpy_heap_t *heap, bool destroy);
/* Calls `visit` for each heap of the process, the main heap first. `name` is NULL for those that
   are not of the package. Stops, and returns false, when `visit` does. */
typedef bool mimpy_visit_heap_t(mi_heap_t *heap, const char *name, void *arg);
bool mimpy_registry_visit(mimpy_visit_heap_t *visit, void *arg);

/* ---- stats.c ---- */

PyObject *mimpy_collect(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *mimpy_stats_json(PyObject *module, PyObject *unused);
PyObject *mimpy_heaps_json(PyObject *module, PyObject *unused);
PyObject *mimpy_areas(PyObject *module, PyObject *unused);
PyObject *mimpy_option_get(PyObject *module, PyObject *index);
PyObject *mimpy_option_set(PyObject *module, PyObject *args);
/* A str of a text that the library allocated, which is freed. */
PyObject *mimpy_take_text(char *text);

/* ---- numpy.c ---- */

PyObject *mimpy_numpy_handler(PyObject *module, PyObject *args);
PyObject *mimpy_numpy_set(PyObject *module, PyObject *handler);
PyObject *mimpy_numpy_default(PyObject *module, PyObject *args);
PyObject *mimpy_numpy_is_default(PyObject *module, PyObject *unused);

#endif
