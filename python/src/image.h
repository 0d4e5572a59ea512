/* What the tables of CPython's memory domains hold: whose functions these are. Reads the tables,
   changes nothing. */
#ifndef MIMPY_IMAGE_H
#define MIMPY_IMAGE_H

#include "hooks.h"

typedef enum mimpy_found {
    MIMPY_FOUND_DEFAULT, /* CPython's own: malloc of the C library, pymalloc, its mimalloc */
    MIMPY_FOUND_ACTIVE,  /* ours, allocating */
    MIMPY_FOUND_PASSING, /* ours, passing requests on */
    MIMPY_FOUND_PREINIT, /* ours, set by the program before the interpreter started */
    MIMPY_FOUND_OTHER    /* a wrapper: tracemalloc, or somebody else's */
} mimpy_found_t;

/* The functions that serve a domain, below CPython's debug hooks if these are on. */
typedef struct mimpy_look {
    mimpy_found_t found;
    PyMemAllocatorEx table;
    PyMemAllocatorEx *below_debug; /* where the debug hooks keep it; NULL: there are none */
} mimpy_look_t;

void mimpy_look_at(PyMemAllocatorDomain domain, mimpy_look_t *look);

/* The hooks that belong there. */
const mimpy_hooks_t *mimpy_hooks_for(const mimpy_look_t *look);

#endif
