/* Counting segments, for statistics. Any thread; each number is right for some recent moment. */
#ifndef MIC_VM_COUNT_H
#define MIC_VM_COUNT_H

#include "vm/arena.h"

/* What a segment serves: pages of a kind (its number, below MIC_PAGE_KINDS), or: */
#define MIC_SEGMENTS_ROOM MIC_PAGE_KINDS       /* nothing, set aside for spans to grow into */
#define MIC_SEGMENTS_IDLE (MIC_PAGE_KINDS + 1) /* nothing */

typedef struct mic_segment_counts {
    size_t opened;
    size_t by_use[MIC_PAGE_KINDS + 2];
    size_t bytes;           /* of address space in them */
    size_t committed_bytes; /* of these */
} mic_segment_counts_t;

/* Those of all arenas that serve, or last served, the sub-process; a segment that never served
   counts as one of the main sub-process, 0. */
void mic_segments_count(unsigned subproc, mic_segment_counts_t *counts);

#endif
