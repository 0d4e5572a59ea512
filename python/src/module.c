/* The module mimalloc._core: what it has, and that it may be in many interpreters at once. */
#include "module.h"

#include "core.h"
#include "hooks.h"

#ifndef MIMALLOC_PYTHON_VERSION
#error "given by the build"
#endif

PyDoc_STRVAR(
    install_doc,
    "install(domains='raw', *, force=False)\n--\n\n"
    "Puts the library behind memory domains of CPython, for all interpreters of the process:\n\n"
    "  raw   the interpreter's own memory, and through pymalloc all blocks of more than 512 bytes\n"
    "  mem   buffers: lists, dicts, bytes\n"
    "  obj   objects\n"
    "  all   the three\n\n"
    "domains is a name or several. New blocks come from the library; those that exist stay where "
    "they\n"
    "are, and are freed there. What the C library keeps free is given back, if raw is among them.\n"
    "Where CPython's debug hooks are on they stay on top.\n\n"
    "force: install even if another hook is active, which must then stay for good.\n\n"
    "RuntimeError: tracemalloc is tracing; another hook is active; a domain is installed already; "
    "a\n"
    "free-threaded CPython is asked for 'obj'. Nothing has changed then. ValueError, TypeError: "
    "not a\n"
    "domain. Any thread may call it.");
PyDoc_STRVAR(uninstall_doc, "uninstall()\n--\n\n"
                            "From now on new blocks come from where they did before install(). "
                            "Those of the library live on and\n"
                            "are freed there: its functions stay in place and pass requests on.\n\n"
                            "RuntimeError if another hook was put on top meanwhile. Not installed: "
                            "nothing happens. Any thread\n"
                            "may call it.");
PyDoc_STRVAR(
    hook_status_doc,
    "_hook_status()\n--\n\n"
    "(raw, mem, obj, debug_hooks, shared, replaces_malloc, library) for mimalloc.status().");
PyDoc_STRVAR(
    collect_doc,
    "collect(force=False)\n--\n\n"
    "Frees what is empty in the calling thread's part of all heaps, and gives memory back whose "
    "time\n"
    "has come. force: of the whole process, and all at once; other threads that run do their part "
    "at\n"
    "their next slow path. Takes time linear in the number of pages. Any thread may call it.");
PyDoc_STRVAR(stats_json_doc, "_stats_json()\n--\n\nThe library's statistics as JSON.");
PyDoc_STRVAR(heaps_json_doc,
             "_heaps_json()\n--\n\n(name, statistics as JSON) of each heap, the main heap first.");
PyDoc_STRVAR(areas_doc, "_areas()\n--\n\n(heap, address, reserved, committed, used, block_size) of "
                        "each area of each heap.");
PyDoc_STRVAR(option_get_doc, "_option_get(number, /)\n--\n\nThe value of an option.");
PyDoc_STRVAR(option_set_doc, "_option_set(number, value, /)\n--\n\nSets an option.");
PyDoc_STRVAR(
    numpy_handler_doc,
    "_numpy_handler(heap, hugepages, /)\n--\n\nA handler for NumPy; heap None: the main heap.");
PyDoc_STRVAR(
    numpy_set_doc,
    "_numpy_set(handler, /)\n--\n\n"
    "Makes a handler, None: the default one, that of the current context; the one before.");
PyDoc_STRVAR(
    numpy_default_doc,
    "_numpy_default(install, hugepages, /)\n--\n\n"
    "Puts the library behind NumPy's default handler, or back. True if something changed.");

PyDoc_STRVAR(numpy_is_default_doc,
             "_numpy_is_default()\n--\n\nNumPy's default handler allocates from the library.");

static PyMethodDef module_methods[] = {
    {"install", MIMPY_METHOD(mimpy_install), METH_VARARGS | METH_KEYWORDS, install_doc},
    {"uninstall", mimpy_uninstall, METH_NOARGS, uninstall_doc},
    {"_hook_status", mimpy_hook_status, METH_NOARGS, hook_status_doc},
    {"collect", MIMPY_METHOD(mimpy_collect), METH_VARARGS | METH_KEYWORDS, collect_doc},
    {"_stats_json", mimpy_stats_json, METH_NOARGS, stats_json_doc},
    {"_heaps_json", mimpy_heaps_json, METH_NOARGS, heaps_json_doc},
    {"_areas", mimpy_areas, METH_NOARGS, areas_doc},
    {"_option_get", mimpy_option_get, METH_O, option_get_doc},
    {"_option_set", mimpy_option_set, METH_VARARGS, option_set_doc},
    {"_numpy_handler", mimpy_numpy_handler, METH_VARARGS, numpy_handler_doc},
    {"_numpy_set", mimpy_numpy_set, METH_O, numpy_set_doc},
    {"_numpy_default", mimpy_numpy_default, METH_VARARGS, numpy_default_doc},
    {"_numpy_is_default", mimpy_numpy_is_default, METH_NOARGS, numpy_is_default_doc},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject *module_add_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *const type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type != NULL && PyModule_AddType(module, type) < 0) {
        Py_DECREF(type);
        return NULL;
    }
    return type;
}

static int module_exec(PyObject *module)
{
    mimpy_state_t *const state = PyModule_GetState(module);
    mimpy_core_choose();
    mimpy_hooks_start();
    state->heap_type = module_add_type(module, &mimpy_heap_spec);
    state->buffer_type = module_add_type(module, &mimpy_buffer_spec);
    if (state->heap_type == NULL || state->buffer_type == NULL) return -1;
    if (PyModule_AddIntConstant(module, "_interface_version", mimpy_core->version()) < 0) return -1;
    return PyModule_AddStringConstant(module, "__version__", MIMALLOC_PYTHON_VERSION);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    const mimpy_state_t *const state = PyModule_GetState(module);
    Py_VISIT(state->heap_type);
    Py_VISIT(state->buffer_type);
    return 0;
}

static int module_clear(PyObject *module)
{
    mimpy_state_t *const state = PyModule_GetState(module);
    Py_CLEAR(state->heap_type);
    Py_CLEAR(state->buffer_type);
    return 0;
}

static void module_free(void *module) { (void)module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, MIMPY_SLOT(module_exec)},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mimalloc._core",
    .m_doc = "The extension of the package mimalloc: see there.",
    .m_size = sizeof(mimpy_state_t),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&module_def); }
