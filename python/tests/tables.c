/* Reads CPython's table of allocators without a pause and without a GIL, as an interpreter with a GIL
   of its own does now and then: test_processes.py. */
#include <Python.h>

void tables_read(const int *stop)
{
    PyMemAllocatorEx table;
    while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &table);
}
