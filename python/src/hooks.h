/* The allocator behind CPython's memory domains; see hooks.c for the rules. */
#ifndef MIMPY_HOOKS_H
#define MIMPY_HOOKS_H

#include "compat.h"

#define MIMPY_DOMAINS 3

/* What a domain's functions are, for one instance of the allocator. Both kinds free and resize by
   ownership: our blocks by us, all others by the functions below. They differ in where new blocks
   come from. */
typedef struct mimpy_hooks {
    PyMemAllocatorEx active[MIMPY_DOMAINS];  /* from us */
    PyMemAllocatorEx passing[MIMPY_DOMAINS]; /* from below */
} mimpy_hooks_t;

extern const mimpy_hooks_t mimpy_hooks_own;    /* the core in the extension: owned.c */
extern const mimpy_hooks_t mimpy_hooks_shared; /* through the table of core.h: shared.c */
extern const mimpy_hooks_t mimpy_hooks_debug;  /* for below CPython's debug hooks: debug.c */

/* [GIL or start; written before the hooks of the domain are set, constant while they are] what each
   domain had before. By index of PyMemAllocatorDomain. */
extern PyMemAllocatorEx mimpy_below[MIMPY_DOMAINS];

/* To be called before the methods; again at will. */
void mimpy_hooks_start(void);

/* Methods of the module. */
PyObject *mimpy_install(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *mimpy_uninstall(PyObject *module, PyObject *unused);
PyObject *mimpy_hook_status(PyObject *module, PyObject *unused);

/* Every thread of the process executes a full barrier; false if the kernel cannot. */
bool mimpy_barrier_all(void);

#endif
