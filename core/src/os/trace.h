/* Where a call came from, and faults: for guarded sampling, which is off by default. The unwinder
   belongs to the compiler's runtime, which glibc loads when it is first asked; without one traces
   are empty. */
#ifndef MIC_OS_TRACE_H
#define MIC_OS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIC_TRACE_FRAMES 16

/* Return addresses, innermost first; 0 behind the last. */
typedef struct mic_trace {
    uintptr_t frames[MIC_TRACE_FRAMES];
} mic_trace_t;

/* Finds the unwinder and runs it once. May allocate: not inside an allocation. Idempotent. */
void mic_trace_start(void);
/* The calling thread's. Keeps errno. Should the unwinder allocate, it is a call like any other. */
void mic_trace_take(mic_trace_t *trace);
/* File that holds the address, and where in it; NULL when it is unknown. */
const char *mic_trace_file(uintptr_t address, uintptr_t *offset);

/* on_fault is told the address of every access that faults, in the thread that faulted; afterwards
   whatever handled such faults before does, most often by ending the process. */
void mic_trace_on_fault(void (*on_fault)(uintptr_t address));
/* No more: its code may be about to be unloaded. Unless the program has a handler of its own since,
   there is the one from before. */
void mic_trace_end(void);

#endif
