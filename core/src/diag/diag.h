/* What the allocator tells people: the block printed at start, statistics, process information.
   For the api layer; above alloc, apart from the malloc-to-mmap core. Any thread; nothing here
   allocates. `out` NULL means the report output (stderr unless a function is registered). */
#ifndef MIC_DIAG_DIAG_H
#define MIC_DIAG_DIAG_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/alloc.h"
#include "rt/report.h"

#define MIC_DIAG_VERSION "3.4.3"
/* "release", "secure", "hardened" or "debug" */
const char *mic_diag_mode(void);

/* The constructor calls it once, after the heap and the options are there: starts the clock of
   `elapsed` and, with MIMALLOC_VERBOSE=1, prints version, build, region and changed options. */
void mic_diag_print_start(void);
/* The destructor calls it: statistics, with MIMALLOC_SHOW_STATS=1. Prints at most once. */
void mic_diag_print_exit(void);

typedef struct mic_diag_process {
    uint64_t elapsed_ms; /* since mic_diag_print_start; 0 before */
    uint64_t user_ms, system_ms;
    size_t rss_bytes, rss_peak_bytes; /* resident, of the whole process */
    size_t committed_bytes, committed_peak_bytes;
    size_t page_faults; /* minor and major */
} mic_diag_process_t;
void mic_diag_process_get(mic_diag_process_t *process);
void mic_diag_print_process_info(mic_output_fun *out, void *arg);

/* The whole picture: process, memory, threads, and a table of size classes. Lines of at most 100
   columns. */
void mic_diag_print_stats(mic_output_fun *out, void *arg);
/* The same of a part: a sub-process (the main one is the whole picture), a heap, the calling
   thread. */
void mic_diag_print_subproc_stats(const mic_subproc_t *subproc, mic_output_fun *out, void *arg);
void mic_diag_print_heap_stats(mic_heap_t *heap, uint64_t number, mic_output_fun *out, void *arg);
void mic_diag_print_thread_stats(mic_output_fun *out, void *arg);
/* Only the table, of counts that were taken before. */
void mic_diag_print_classes(const mic_heap_counts_t *counts, mic_output_fun *out, void *arg);

/* ---- numbers as text ---- */
#define MIC_DIAG_TEXT_BYTES 32
/* "512 B", "1.5 KiB", "12.0 MiB", "1.0 TiB"; returns text */
const char *mic_diag_bytes(size_t bytes, char text[MIC_DIAG_TEXT_BYTES]);
/* "1,234,567" */
const char *mic_diag_count(size_t count, char text[MIC_DIAG_TEXT_BYTES]);
/* "0.001 s", "83.250 s" */
const char *mic_diag_seconds(uint64_t ms, char text[MIC_DIAG_TEXT_BYTES]);

#endif
