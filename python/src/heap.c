/* The type Heap. A heap ends at once with all its blocks, so it does not while somebody has a view
   of one: `exports` counts these. */
#include <stdint.h>

#include "core.h"
#include "module.h"

#define HEAP_ALIGN_DEFAULT 16
#define HEAP_ARRAY_FORMATS "cbB?hHiIlLqQnNfdP"

static int heap_check_open(const mimpy_heap_t *self)
{
    if (self->state == MIMPY_HEAP_OPEN) return 0;
    PyErr_SetString(PyExc_ValueError, "the heap is closed");
    return -1;
}

/* ---- life ---- */

static PyObject *heap_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"name", NULL};
    PyObject *name = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Heap", keywords, &name)) return NULL;
    const char *text = NULL;
    Py_ssize_t length = 0;
    if (name != Py_None) {
        if (!PyUnicode_Check(name)) {
            PyErr_SetString(PyExc_TypeError, "the name of a heap is a str or None");
            return NULL;
        }
        text = PyUnicode_AsUTF8AndSize(name, &length);
        if (text == NULL) return NULL;
        if (strlen(text) != (size_t)length) {
            PyErr_SetString(PyExc_ValueError, "the name of a heap has a null character");
            return NULL;
        }
    }
    mimpy_heap_t *const self = (mimpy_heap_t *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->state = MIMPY_HEAP_CLOSED;
    if (text != NULL) {
        self->name = PyMem_RawMalloc((size_t)length + 1);
        if (self->name == NULL) goto failed;
        memcpy(self->name, text, (size_t)length + 1);
    }
    if (mimpy_registry_open(self) == NULL) goto failed;
    self->state = MIMPY_HEAP_OPEN;
    return (PyObject *)self;
failed:
    Py_DECREF(self);
    return PyErr_NoMemory();
}

static void heap_end(mimpy_heap_t *self, bool detach)
{
    self->state = detach ? MIMPY_HEAP_DETACHED : MIMPY_HEAP_CLOSED;
    mimpy_registry_close(self, !detach);
}

/* Buffers and handlers hold a reference: nobody uses its memory any more. */
static void heap_dealloc(mimpy_heap_t *self)
{
    PyTypeObject *const type = Py_TYPE(self);
    if (self->state == MIMPY_HEAP_OPEN) heap_end(self, false);
    PyMem_RawFree(self->name);
    type->tp_free(self);
    Py_DECREF(type);
}

/* False: there are views. */
static bool heap_try_close(mimpy_heap_t *self, bool detach)
{
    bool busy = false;
    MIMPY_BEGIN_CRITICAL(self);
    if (self->state == MIMPY_HEAP_OPEN) {
        busy = !detach && __atomic_load_n(&self->exports, __ATOMIC_ACQUIRE) != 0;
        if (!busy) heap_end(self, detach);
    }
    MIMPY_END_CRITICAL();
    return !busy;
}

static PyObject *heap_close_as(mimpy_heap_t *self, bool detach)
{
    if (heap_try_close(self, detach)) Py_RETURN_NONE;
    PyErr_Format(PyExc_BufferError,
                 "the heap cannot be closed: %zd views or arrays of its memory exist; "
                 "release them, or use close(detach=True)",
                 __atomic_load_n(&self->exports, __ATOMIC_RELAXED));
    return NULL;
}

static PyObject *heap_close(mimpy_heap_t *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"detach", NULL};
    int detach = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$p:close", keywords, &detach)) return NULL;
    return heap_close_as(self, detach != 0);
}

static PyObject *heap_detach(mimpy_heap_t *self, PyObject *unused)
{
    (void)unused;
    return heap_close_as(self, true);
}

static PyObject *heap_enter(mimpy_heap_t *self, PyObject *unused)
{
    (void)unused;
    if (heap_check_open(self) < 0) return NULL;
    return Py_NewRef((PyObject *)self);
}

/* When an exception is on its way, its traceback may hold views: the heap then ends with the last
   reference to it, and the exception is not replaced by a BufferError. Nor is one made to be dropped:
   where memory is short that could fail. */
static PyObject *heap_exit(mimpy_heap_t *self, PyObject *args)
{
    PyObject *type, *value, *traceback;
    if (!PyArg_ParseTuple(args, "OOO:__exit__", &type, &value, &traceback)) return NULL;
    if (type == Py_None) {
        PyObject *const closed = heap_close_as(self, false);
        if (closed == NULL) return NULL;
        Py_DECREF(closed);
    } else {
        (void)heap_try_close(self, false);
    }
    Py_RETURN_FALSE;
}

/* ---- blocks ---- */

/* NULL: an exception is set. */
static PyObject *heap_take(mimpy_heap_t *self, Py_ssize_t size, size_t align, bool zero)
{
    const mimpy_state_t *const state = PyType_GetModuleState(Py_TYPE(self));
    if (state == NULL) return NULL;
    void *p = NULL;
    int failed;
    MIMPY_BEGIN_CRITICAL(self);
    failed = heap_check_open(self);
    if (failed == 0)
        p = zero ? mimpy_core->heap_zalloc_aligned(self->heap, (size_t)size, align)
                 : mimpy_core->heap_malloc_aligned(self->heap, (size_t)size, align);
    MIMPY_END_CRITICAL();
    if (failed < 0) return NULL;
    if (p == NULL) return PyErr_NoMemory();
    PyObject *const buffer = mimpy_buffer_new(state->buffer_type, self, p, size);
    if (buffer == NULL) mimpy_core->free(p);
    return buffer;
}

static PyObject *heap_alloc(mimpy_heap_t *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"size", "align", "zero", NULL};
    Py_ssize_t size, align = HEAP_ALIGN_DEFAULT;
    int zero = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n|$np:alloc", keywords, &size, &align, &zero))
        return NULL;
    if (size < 0) {
        PyErr_SetString(PyExc_ValueError, "size is negative");
        return NULL;
    }
    if (align <= 0 || (align & (align - 1)) != 0) {
        PyErr_SetString(PyExc_ValueError, "align is not a power of two");
        return NULL;
    }
    return heap_take(self, size, (size_t)align, zero != 0);
}

/* Bytes of an item; 0: an exception is set. */
static Py_ssize_t heap_item_bytes(const char *format)
{
    if (format[0] == '\0' || format[1] != '\0' || strchr(HEAP_ARRAY_FORMATS, format[0]) == NULL) {
        PyErr_Format(PyExc_ValueError, "typecode is not one of '%s'", HEAP_ARRAY_FORMATS);
        return 0;
    }
    switch (format[0]) {
    case 'c':
    case 'b':
    case 'B':
        return 1;
    case '?':
        return (Py_ssize_t)sizeof(_Bool);
    case 'h':
    case 'H':
        return (Py_ssize_t)sizeof(short);
    case 'i':
    case 'I':
        return (Py_ssize_t)sizeof(int);
    case 'l':
    case 'L':
        return (Py_ssize_t)sizeof(long);
    case 'q':
    case 'Q':
        return (Py_ssize_t)sizeof(long long);
    case 'f':
        return (Py_ssize_t)sizeof(float);
    case 'd':
        return (Py_ssize_t)sizeof(double);
    default:
        return (Py_ssize_t)sizeof(void *);
    }
}

static PyObject *heap_array(mimpy_heap_t *self, PyObject *args)
{
    const char *format;
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "sn:array", &format, &n)) return NULL;
    const Py_ssize_t bytes = heap_item_bytes(format);
    if (bytes == 0) return NULL;
    if (n < 0) {
        PyErr_SetString(PyExc_ValueError, "n is negative");
        return NULL;
    }
    if (n > PY_SSIZE_T_MAX / bytes) return PyErr_NoMemory();
    PyObject *const buffer = heap_take(self, n * bytes, HEAP_ALIGN_DEFAULT, true);
    if (buffer == NULL) return NULL;
    PyObject *const view = PyMemoryView_FromObject(buffer);
    Py_DECREF(buffer);
    if (view == NULL) return NULL;
    PyObject *const array = PyObject_CallMethod(view, "cast", "s", format);
    Py_DECREF(view);
    return array;
}

/* ---- questions ---- */

/* An int is an address; anything else has its memory looked at through the buffer protocol. */
static int address_of(PyObject *object, const void **address)
{
    if (PyLong_Check(object)) {
        *address = PyLong_AsVoidPtr(object);
        return PyErr_Occurred() ? -1 : 0;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_FULL_RO) < 0) return -1;
    *address = view.buf;
    PyBuffer_Release(&view);
    return 0;
}

static PyObject *heap_contains(mimpy_heap_t *self, PyObject *object)
{
    const void *address;
    if (address_of(object, &address) < 0) return NULL;
    bool answer = false;
    MIMPY_BEGIN_CRITICAL(self);
    if (self->state == MIMPY_HEAP_OPEN) answer = mimpy_core->heap_contains(self->heap, address);
    MIMPY_END_CRITICAL();
    return PyBool_FromLong(answer);
}

static PyObject *heap_json(mimpy_heap_t *self, PyObject *unused)
{
    (void)unused;
    char *text = NULL;
    int failed;
    MIMPY_BEGIN_CRITICAL(self);
    failed = heap_check_open(self);
    if (failed == 0) text = mimpy_core->heap_stats_get_json(self->heap, 0, NULL);
    MIMPY_END_CRITICAL();
    return failed < 0 ? NULL : mimpy_take_text(text);
}

static PyObject *heap_collect(mimpy_heap_t *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"force", NULL};
    int force = 0, failed;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:collect", keywords, &force)) return NULL;
    MIMPY_BEGIN_CRITICAL(self);
    failed = heap_check_open(self);
    if (failed == 0) mimpy_core->heap_collect(self->heap, force != 0);
    MIMPY_END_CRITICAL();
    if (failed < 0) return NULL;
    Py_RETURN_NONE;
}

/* What is easier said in Python: mimalloc._heap.<function>(self). */
static PyObject *heap_in_python(mimpy_heap_t *self, const char *module, const char *function)
{
    PyObject *const imported = PyImport_ImportModule(module);
    if (imported == NULL) return NULL;
    PyObject *const result = PyObject_CallMethod(imported, function, "O", (PyObject *)self);
    Py_DECREF(imported);
    return result;
}

static PyObject *heap_stats(mimpy_heap_t *self, PyObject *unused)
{
    (void)unused;
    return heap_in_python(self, "mimalloc._stats", "heap_stats");
}

static PyObject *heap_numpy(mimpy_heap_t *self, PyObject *args, PyObject *kwargs)
{
    PyObject *const module = PyImport_ImportModule("mimalloc._numpy");
    if (module == NULL) return NULL;
    PyObject *const function = PyObject_GetAttrString(module, "heap_numpy");
    Py_DECREF(module);
    if (function == NULL) return NULL;
    PyObject *const bound = PyMethod_New(function, (PyObject *)self);
    Py_DECREF(function);
    if (bound == NULL) return NULL;
    PyObject *const result = PyObject_Call(bound, args, kwargs);
    Py_DECREF(bound);
    return result;
}

static PyObject *heap_get_name(mimpy_heap_t *self, void *unused)
{
    (void)unused;
    if (self->name == NULL) Py_RETURN_NONE;
    return PyUnicode_FromString(self->name);
}

static PyObject *heap_get_closed(mimpy_heap_t *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(self->state != MIMPY_HEAP_OPEN);
}

static PyObject *heap_get_exports(mimpy_heap_t *self, void *unused)
{
    (void)unused;
    return PyLong_FromSsize_t(__atomic_load_n(&self->exports, __ATOMIC_RELAXED));
}

static PyObject *heap_repr(mimpy_heap_t *self)
{
    static const char *const words[] = {"open", "detached", "closed"};
    return PyUnicode_FromFormat("<mimalloc.Heap %s%s%s>", self->name == NULL ? "" : self->name,
                                self->name == NULL ? "" : " ", words[self->state]);
}

/* ---- type ---- */

PyDoc_STRVAR(
    heap_doc,
    "Heap(name=None)\n--\n\n"
    "A heap of its own: what is allocated from it goes back all at once.\n\n"
    "    with mimalloc.Heap(name=\"request\") as heap:\n"
    "        buffer = heap.alloc(1 << 20)\n\n"
    "name is what stats() and heap_map() show. MemoryError if there is no memory for it.\n\n"
    "Any thread may use a heap, many at once; close() excludes itself from the other methods. The\n"
    "heap also ends with the last reference to it, its buffers and its arrays.");
PyDoc_STRVAR(heap_close_doc,
             "close($self, /, *, detach=False)\n--\n\n"
             "Ends the heap and frees all its blocks at once. Once more: nothing happens.\n\n"
             "BufferError, and nothing happens, while there are memoryviews of its buffers or "
             "NumPy arrays in\n"
             "it. detach=True: never fails; the blocks live on, and are freed one by one.");
PyDoc_STRVAR(heap_detach_doc, "detach($self, /)\n--\n\nThe same as close(detach=True).");
PyDoc_STRVAR(
    heap_alloc_doc,
    "alloc($self, /, size, *, align=16, zero=False)\n--\n\n"
    "Allocates a Buffer of size bytes at a multiple of align, a power of two; zero: filled with\n"
    "zeroes, else with anything. It is freed with the last reference to it.\n\n"
    "ValueError: size is negative, align not a power of two, the heap closed. MemoryError.");
PyDoc_STRVAR(
    heap_array_doc,
    "array($self, typecode, n, /)\n--\n\n"
    "Allocates n items of a type of the struct module, zeroed, as a writable memoryview: indexing\n"
    "and slicing work on items. The heap cannot be closed until the view is released.\n\n"
    "ValueError: n is negative, typecode unknown, the heap closed. MemoryError.");
PyDoc_STRVAR(heap_contains_doc, "contains($self, object, /)\n--\n\n"
                                "True if the memory of object, which is an address or supports the "
                                "buffer protocol, lies in the\n"
                                "heap. False if the heap is closed. TypeError: object is neither.");
PyDoc_STRVAR(heap_stats_doc, "stats($self, /)\n--\n\n"
                             "What is in the heap, as a dict: live_blocks, and in bytes "
                             "live_bytes, committed; size_classes as\n"
                             "in mimalloc.stats(). ValueError: the heap is closed.");
PyDoc_STRVAR(heap_json_doc,
             "_stats_json($self, /)\n--\n\nThe library's statistics of the heap as JSON.");
PyDoc_STRVAR(heap_collect_doc, "collect($self, /, force=False)\n--\n\n"
                               "Frees what is empty in the heap. force: of all threads, and all "
                               "free memory of the process is\n"
                               "given back to the system. ValueError: the heap is closed.");
PyDoc_STRVAR(heap_numpy_doc,
             "numpy($self, /, *, hugepages=True)\n--\n\n"
             "A context in which NumPy takes the data of new arrays from the heap, at multiples of "
             "64 bytes:\n\n"
             "    with heap.numpy():\n"
             "        a = np.zeros((1000, 1000))\n\n"
             "The arrays count as exports: the heap cannot be closed before they are gone. Like "
             "every NumPy\n"
             "handler it holds for the current thread or task only. hugepages: ask for transparent "
             "huge pages\n"
             "for arrays of 4 MiB and more. ImportError without NumPy 1.22 or newer.");

static PyMethodDef heap_methods[] = {
    {"close", MIMPY_METHOD(heap_close), METH_VARARGS | METH_KEYWORDS, heap_close_doc},
    {"detach", (PyCFunction)heap_detach, METH_NOARGS, heap_detach_doc},
    {"alloc", MIMPY_METHOD(heap_alloc), METH_VARARGS | METH_KEYWORDS, heap_alloc_doc},
    {"array", (PyCFunction)heap_array, METH_VARARGS, heap_array_doc},
    {"contains", (PyCFunction)heap_contains, METH_O, heap_contains_doc},
    {"stats", (PyCFunction)heap_stats, METH_NOARGS, heap_stats_doc},
    {"_stats_json", (PyCFunction)heap_json, METH_NOARGS, heap_json_doc},
    {"collect", MIMPY_METHOD(heap_collect), METH_VARARGS | METH_KEYWORDS, heap_collect_doc},
    {"numpy", MIMPY_METHOD(heap_numpy), METH_VARARGS | METH_KEYWORDS, heap_numpy_doc},
    {"__enter__", (PyCFunction)heap_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)heap_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef heap_getset[] = {
    {"name", (getter)heap_get_name, NULL, "As given, or None.", NULL},
    {"closed", (getter)heap_get_closed, NULL, "True after close() or detach().", NULL},
    {"exports", (getter)heap_get_exports, NULL,
     "Views of buffers and NumPy arrays that keep the heap from being closed, a count.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot heap_slots[] = {
    {Py_tp_doc, (void *)heap_doc},
    {Py_tp_new, MIMPY_SLOT(heap_new)},
    {Py_tp_dealloc, MIMPY_SLOT(heap_dealloc)},
    {Py_tp_repr, MIMPY_SLOT(heap_repr)},
    {Py_tp_methods, heap_methods},
    {Py_tp_getset, heap_getset},
    {0, NULL},
};

PyType_Spec mimpy_heap_spec = {
    .name = "mimalloc.Heap",
    .basicsize = sizeof(mimpy_heap_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = heap_slots,
};
