/* Runs every test of a program again and again, each time in a process of its own that has not
   allocated before, with the n-th call to the operating system failing: alone, or with all that
   follow, or with all that follow of its kind; for n = 1 and up until a run is over before anything
   failed. Afterwards the process must be what it is without failures: the same blocks in use, the
   same pages, everything free given back to the fake system, nothing reserved more.

   All of it is done as usual, where commits are charged, and with small arenas that are purged at
   once. A run in which something failed is a point. The program prints the points of each test, and of each
   function of the library how often a call failed under it. It fails if there is no point at all.
   MI_TEST_ONLY=<name> chooses one test, MI_TEST_VARIANT=<name> one way to do all of it. */
#ifndef FAULT_SWEEP_H
#define FAULT_SWEEP_H

#include "fault_api.h"

/* Functions of which no call met a failure make the program fail, but for a few. */
void fault_require_functions(const fault_function_t *but, size_t count);

/* ---- between fault_api.c and fault_sweep.c ---- */
bool fault_is_armed(void);
void fault_disarm(void);
/* a call of the function met a failure; it was refused */
void fault_count(fault_function_t function, bool refused);
/* A check that holds in any thread. */
#define fault_require(condition, function)                                                         \
    ((condition) ? (void)0 : fault_fail(#condition, function, __FILE__, __LINE__))
_Noreturn void fault_fail(const char *what, fault_function_t function, const char *file, int line);

#endif
