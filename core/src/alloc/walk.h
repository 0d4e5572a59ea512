/* What a heap, a sub-process or the process holds: counting and visiting, on demand. Nothing is
   counted while programs allocate. Blocks of other running threads are seen as of their last slow
   path; exact for threads that stand still. Any thread. */
#ifndef MIC_ALLOC_WALK_H
#define MIC_ALLOC_WALK_H

#include "heap/heap.h"

typedef struct mic_class_count {
    size_t block_bytes; /* of the class; 0 for spans */
    size_t pages;
    size_t live; /* blocks in use */
    size_t live_bytes;
    size_t made;            /* blocks ever allocated */
    size_t capacity;        /* blocks carved */
    size_t page_bytes;      /* of its pages */
    size_t peak_page_bytes; /* most so far; of the whole process */
} mic_class_count_t;

typedef struct mic_heap_counts {
    mic_class_count_t classes[MIC_CLASS_COUNT + 1]; /* the last one: spans */
    size_t threads, orphans;                        /* records with and without a thread */
    size_t theaps;                                  /* thread heaps */
    size_t abandoned_pages;                         /* of records without a thread */
    size_t live, live_bytes, pages, page_bytes, peak_page_bytes;
    mic_theap_totals_t totals; /* what was counted, as it is; `made` above is what it tells */
} mic_heap_counts_t;

/* The process; a sub-process; what its heaps did that are no more (no pages, no blocks in use); a
   heap (threads and orphans: those that used it); the calling thread. */
void mic_heap_count(mic_heap_counts_t *counts);
void mic_heap_count_gone(const mic_subproc_t *subproc, mic_heap_counts_t *counts);
void mic_heap_count_thread(mic_heap_counts_t *counts);
void mic_heap_count_subproc(const mic_subproc_t *subproc, mic_heap_counts_t *counts);
void mic_heap_count_one(mic_heap_t *heap, mic_heap_counts_t *counts);

typedef struct mic_area {
    void *blocks;       /* first block */
    size_t block_bytes; /* from one to the next */
    size_t usable;      /* bytes of a block that a program may use */
    size_t reserved;    /* bytes of blocks that fit */
    size_t committed;   /* bytes of blocks ever handed out */
    size_t used;        /* blocks in use */
} mic_area_t;

/* Called for each page with block NULL, then for each block in use; false stops. No lock
   is held. */
typedef bool mic_visit_fun(const mic_heap_t *heap, const mic_area_t *area, void *block, void *arg);

typedef struct mic_walk {
    mic_heap_t *heap;
    const mic_theap_t *theap; /* this thread heap only; NULL: all */
    bool abandoned;           /* only of records without a thread */
    bool blocks;              /* blocks too, not only areas */
    mic_visit_fun *fun;
    void *arg;
} mic_walk_t;

/* False: the visitor stopped, or there was no memory to note the pages (ENOMEM). Pages that come
   after the start are not seen. */
bool mic_heap_walk(const mic_walk_t *walk);

/* The page that holds a live block of the heap could be emptied by moving its blocks elsewhere: it
   is neither full nor what its thread allocates from, and at most `percent` of its blocks are in
   use. The caller is the page's only user. */
bool mic_heap_is_under_utilized(const mic_heap_t *heap, const void *p, size_t percent);

#endif
