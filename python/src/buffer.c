/* The type Buffer: one block of a heap, with the buffer protocol. It holds a reference to its heap,
   and frees its block at its end unless the heap was closed, and the block went with it. */
#include "core.h"
#include "module.h"

typedef struct buffer {
    PyObject_HEAD mimpy_heap_t *heap; /* [const] */
    void *start;                      /* [GIL or critical section] NULL: released */
    Py_ssize_t size;                  /* [const] bytes */
    Py_ssize_t views;                 /* [GIL or critical section] */
} buffer_t;

PyObject *mimpy_buffer_new(PyTypeObject *type, mimpy_heap_t *heap, void *p, Py_ssize_t size)
{
    buffer_t *const self = (buffer_t *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->heap = (mimpy_heap_t *)Py_NewRef((PyObject *)heap);
    self->start = p;
    self->size = size;
    return (PyObject *)self;
}

/* Frees the block if it is still there. */
static void buffer_free(buffer_t *self)
{
    if (self->start != NULL && self->heap->state != MIMPY_HEAP_CLOSED)
        mimpy_core->free(self->start);
    self->start = NULL;
}

static void buffer_dealloc(buffer_t *self)
{
    PyTypeObject *const type = Py_TYPE(self);
    buffer_free(self);
    Py_XDECREF((PyObject *)self->heap);
    type->tp_free(self);
    Py_DECREF(type);
}

static int buffer_check(const buffer_t *self)
{
    if (self->start != NULL && self->heap->state != MIMPY_HEAP_CLOSED) return 0;
    PyErr_SetString(PyExc_ValueError,
                    self->start == NULL ? "the buffer was released" : "the heap is closed");
    return -1;
}

/* The heap's critical section: a view and close() exclude each other. */
static int buffer_get(buffer_t *self, Py_buffer *view, int flags)
{
    int result;
    MIMPY_BEGIN_CRITICAL(self->heap);
    result = buffer_check(self);
    if (result == 0)
        result = PyBuffer_FillInfo(view, (PyObject *)self, self->start, self->size, 0, flags);
    else
        view->obj = NULL;
    if (result == 0) {
        self->views++;
        mimpy_heap_export(self->heap, 1);
    }
    MIMPY_END_CRITICAL();
    return result;
}

static void buffer_put(buffer_t *self, Py_buffer *view)
{
    (void)view;
    MIMPY_BEGIN_CRITICAL(self->heap);
    self->views--;
    mimpy_heap_export(self->heap, -1);
    MIMPY_END_CRITICAL();
}

static PyObject *buffer_release(buffer_t *self, PyObject *unused)
{
    (void)unused;
    Py_ssize_t views;
    MIMPY_BEGIN_CRITICAL(self->heap);
    views = self->views;
    if (views == 0) buffer_free(self);
    MIMPY_END_CRITICAL();
    if (views == 0) Py_RETURN_NONE;
    return PyErr_Format(PyExc_BufferError, "the buffer has %zd views; release them first", views);
}

static Py_ssize_t buffer_length(buffer_t *self) { return self->size; }

static PyObject *buffer_get_address(buffer_t *self, void *unused)
{
    (void)unused;
    return buffer_check(self) < 0 ? NULL : PyLong_FromVoidPtr(self->start);
}

static PyObject *buffer_get_heap(buffer_t *self, void *unused)
{
    (void)unused;
    return Py_NewRef((PyObject *)self->heap);
}

static PyObject *buffer_repr(buffer_t *self)
{
    if (self->start == NULL || self->heap->state == MIMPY_HEAP_CLOSED)
        return PyUnicode_FromFormat("<mimalloc.Buffer of %zd bytes, released>", self->size);
    return PyUnicode_FromFormat("<mimalloc.Buffer of %zd bytes at %p>", self->size, self->start);
}

PyDoc_STRVAR(buffer_doc,
             "A block of a heap, made by Heap.alloc(), with the writable buffer protocol: "
             "memoryview(buffer),\n"
             "numpy.frombuffer(buffer), file.readinto(buffer). len() is its size in bytes.\n\n"
             "It is freed with the last reference to it and its views, or with its heap. Using it "
             "after that\n"
             "raises ValueError. Any thread may use it.");
PyDoc_STRVAR(
    buffer_release_doc,
    "release($self, /)\n--\n\n"
    "Frees the block now. Once more: nothing happens. BufferError while there are views of it.");

static PyMethodDef buffer_methods[] = {
    {"release", (PyCFunction)buffer_release, METH_NOARGS, buffer_release_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef buffer_getset[] = {
    {"address", (getter)buffer_get_address, NULL,
     "Address of the first byte. It keeps nothing alive. ValueError if the block is gone.", NULL},
    {"heap", (getter)buffer_get_heap, NULL, "The heap that it is in.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot buffer_slots[] = {
    {Py_tp_doc, (void *)buffer_doc},
    {Py_tp_dealloc, MIMPY_SLOT(buffer_dealloc)},
    {Py_tp_repr, MIMPY_SLOT(buffer_repr)},
    {Py_tp_methods, buffer_methods},
    {Py_tp_getset, buffer_getset},
    {Py_mp_length, MIMPY_SLOT(buffer_length)},
    {Py_bf_getbuffer, MIMPY_SLOT(buffer_get)},
    {Py_bf_releasebuffer, MIMPY_SLOT(buffer_put)},
    {0, NULL},
};

PyType_Spec mimpy_buffer_spec = {
    .name = "mimalloc.Buffer",
    .basicsize = sizeof(buffer_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = buffer_slots,
};
