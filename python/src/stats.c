/* Looking: statistics as JSON text, the areas of all heaps; and collecting, and options. What the
   numbers mean is made of the text in Python (mimalloc/_stats.py). */
#include "core.h"
#include "module.h"

PyObject *mimpy_take_text(char *text)
{
    if (text == NULL) return PyErr_NoMemory();
    PyObject *const result = PyUnicode_FromString(text);
    mimpy_core->free(text);
    return result;
}

/* Takes time with many pages, and needs nothing of Python. */
PyObject *mimpy_collect(PyObject *module, PyObject *args, PyObject *kwargs)
{
    (void)module;
    static char *keywords[] = {"force", NULL};
    int force = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:collect", keywords, &force)) return NULL;
    Py_BEGIN_ALLOW_THREADS mimpy_core->collect(force != 0);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

PyObject *mimpy_stats_json(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return mimpy_take_text(mimpy_core->subproc_stats_get_json(mimpy_core->subproc_main(), 0, NULL));
}

/* ---- a list that grows without Python: it is filled under the registry's lock ---- */

typedef struct list {
    char *items;
    size_t count, capacity, item_bytes;
} list_t;

static void *list_add(list_t *list)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        char *const items = mimpy_core->realloc(list->items, capacity * list->item_bytes);
        if (items == NULL) return NULL;
        list->items = items;
        list->capacity = capacity;
    }
    return list->items + list->item_bytes * list->count++;
}

#define HEAP_NAME_BYTES 64

/* Names of heaps: as given, cut to fit; else by address. */
static void heap_name(char *to, const mi_heap_t *heap, const char *name)
{
    if (name == NULL)
        PyOS_snprintf(to, HEAP_NAME_BYTES, "heap at %p", (const void *)heap);
    else
        PyOS_snprintf(to, HEAP_NAME_BYTES, "%s", name);
}

/* ---- heaps ---- */

typedef struct heap_text {
    char name[HEAP_NAME_BYTES];
    char *json;
} heap_text_t;

static bool heap_text_add(mi_heap_t *heap, const char *name, void *arg)
{
    heap_text_t *const item = list_add(arg);
    if (item == NULL) return false;
    heap_name(item->name, heap, name);
    item->json = mimpy_core->heap_stats_get_json(heap, 0, NULL);
    return item->json != NULL;
}

/* A str of a name that may have been cut in the middle of a character. */
static PyObject *heap_name_str(const char *name)
{
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "ignore");
}

PyObject *mimpy_heaps_json(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    list_t list = {.item_bytes = sizeof(heap_text_t)};
    const bool whole = mimpy_registry_visit(heap_text_add, &list);
    PyObject *result = whole ? PyList_New(0) : PyErr_NoMemory();
    for (size_t i = 0; i < list.count; i++) {
        heap_text_t *const item = (heap_text_t *)(void *)list.items + i;
        if (result != NULL) {
            PyObject *const pair = Py_BuildValue("(Ns)", heap_name_str(item->name), item->json);
            if (pair == NULL || PyList_Append(result, pair) < 0) Py_CLEAR(result);
            Py_XDECREF(pair);
        }
        mimpy_core->free(item->json);
    }
    mimpy_core->free(list.items);
    return result;
}

/* ---- areas ---- */

typedef struct area {
    char name[HEAP_NAME_BYTES];
    mi_heap_area_t area;
} area_t;

typedef struct area_visit {
    list_t *list;
    const char *name;
} area_visit_t;

static bool area_add(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                     void *arg)
{
    (void)block;
    (void)size;
    const area_visit_t *const visit = arg;
    area_t *const item = list_add(visit->list);
    if (item == NULL) return false;
    heap_name(item->name, heap, visit->name);
    item->area = *area;
    return true;
}

static bool area_add_heap(mi_heap_t *heap, const char *name, void *arg)
{
    area_visit_t visit = {arg, name};
    return mimpy_core->heap_visit_blocks(heap, false, area_add, &visit);
}

PyObject *mimpy_areas(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    list_t list = {.item_bytes = sizeof(area_t)};
    const bool whole = mimpy_registry_visit(area_add_heap, &list);
    PyObject *result = whole ? PyList_New((Py_ssize_t)list.count) : PyErr_NoMemory();
    for (size_t i = 0; result != NULL && i < list.count; i++) {
        const area_t *const item = (const area_t *)(const void *)list.items + i;
        PyObject *const tuple = Py_BuildValue(
            "(NNnnnn)", heap_name_str(item->name), PyLong_FromVoidPtr(item->area.blocks),
            (Py_ssize_t)item->area.reserved, (Py_ssize_t)item->area.committed,
            (Py_ssize_t)item->area.used, (Py_ssize_t)item->area.block_size);
        if (tuple == NULL)
            Py_CLEAR(result);
        else
            PyList_SET_ITEM(result, (Py_ssize_t)i, tuple);
    }
    mimpy_core->free(list.items);
    return result;
}

/* ---- options: by number; the names are in mimalloc/_options.py ---- */

static int option_number(PyObject *object, mi_option_t *option)
{
    const long number = PyLong_AsLong(object);
    if (number == -1 && PyErr_Occurred()) return -1;
    if (number < 0 || number >= _mi_option_last) {
        PyErr_SetString(PyExc_ValueError, "no such option");
        return -1;
    }
    *option = (mi_option_t)number;
    return 0;
}

PyObject *mimpy_option_get(PyObject *module, PyObject *index)
{
    (void)module;
    mi_option_t option;
    if (option_number(index, &option) < 0) return NULL;
    return PyLong_FromLong(mimpy_core->option_get(option));
}

PyObject *mimpy_option_set(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *index;
    long value;
    mi_option_t option;
    if (!PyArg_ParseTuple(args, "Ol:_option_set", &index, &value)) return NULL;
    if (option_number(index, &option) < 0) return NULL;
    mimpy_core->option_set(option, value);
    Py_RETURN_NONE;
}
