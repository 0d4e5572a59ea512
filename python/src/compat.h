/* What differs between versions and builds of CPython, and what ISO C does not like about its
   tables. Every other file includes this in place of Python.h. */
#ifndef MIMPY_COMPAT_H
#define MIMPY_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stddef.h>

#if PY_VERSION_HEX < 0x030a0000
#error "CPython 3.10 or newer is required"
#endif

#if defined(Py_GIL_DISABLED)
#define MIMPY_FREE_THREADED 1
#define MIMPY_BEGIN_CRITICAL(object) Py_BEGIN_CRITICAL_SECTION(object)
#define MIMPY_END_CRITICAL() Py_END_CRITICAL_SECTION()
#else
#define MIMPY_FREE_THREADED 0
#define MIMPY_BEGIN_CRITICAL(object)                                                               \
    {                                                                                              \
        (void)(object);
#define MIMPY_END_CRITICAL() }
#endif

/* Slot tables hold functions as void *, which ISO C has no conversion for. */
#define MIMPY_SLOT(function) (__extension__(void *)(function))
/* METH_KEYWORDS functions have a parameter more than PyCFunction. */
#define MIMPY_METHOD(function) ((PyCFunction)(void (*)(void))(function))

#endif
