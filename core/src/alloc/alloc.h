/* Allocation, freeing, resizing for the api layer and the override library. Everything here may be
   called by any thread at any time after which libc itself works, before constructors too.

   Failure: NULL with errno = ENOMEM; success never changes errno; free never does. */
#ifndef MIC_ALLOC_ALLOC_H
#define MIC_ALLOC_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "alloc/fast.h"

/* malloc and free themselves are in alloc/fast.h: mic_malloc(bytes), mic_free(p), inlined into the
   exported functions. */

/* Memory that reads as zero. */
void *mic_zalloc(size_t bytes);
/* count * bytes with overflow check; zeroed if asked. */
void *mic_alloc_count(size_t count, size_t bytes, bool zero);

/* (result + offset) is a multiple of alignment, a power of two; else NULL and EINVAL. */
void *mic_alloc_aligned(size_t bytes, size_t alignment, size_t offset, bool zero);

/* C realloc: p may be NULL; bytes = 0 gives a minimal block whose first byte is zero. On failure p
   stays valid. zero: bytes beyond the old usable size read as zero (the caller always asked for
   zeroed memory before). A p that is not ours: NULL with EINVAL, reported. */
void *mic_realloc(void *p, size_t bytes, bool zero);
void *mic_realloc_aligned(void *p, size_t bytes, size_t alignment, size_t offset, bool zero);
/* p if bytes fit into its block, else NULL; never moves. */
void *mic_expand(void *p, size_t bytes);

/* Usable bytes from p to the end of its block; 0 for NULL and for addresses that are not ours. */
size_t mic_usable_size(const void *p);
/* Usable size a fresh block of a request would have; the request itself if it is impossible. */
size_t mic_good_size(size_t bytes);
/* p lies in a live page of ours. */
bool mic_is_owned(const void *p);

/* Collects the calling thread's heap and, forced, the whole process: drains orphans, asks each live
   thread to collect at its next slow path, purges all free memory. */
void mic_collect(bool force);

/* Called on slow paths, with no lock held; may allocate and free. */
typedef void mic_deferred_fun(bool force, unsigned long long heartbeat, void *arg);
void mic_register_deferred(mic_deferred_fun *fun, void *arg);

/* ---- statistics, aggregated on demand from page descriptors. Blocks of other running threads are
   seen as of their last slow path. ---- */
typedef struct mic_class_count {
    size_t block_bytes; /* of the class; 0 for spans */
    size_t pages;
    size_t live; /* blocks in use */
    size_t live_bytes;
    size_t capacity;        /* blocks carved */
    size_t page_bytes;      /* of its pages */
    size_t peak_page_bytes; /* most so far */
} mic_class_count_t;

typedef struct mic_heap_counts {
    mic_class_count_t classes[MIC_CLASS_COUNT + 1]; /* the last one: spans */
    size_t threads, orphans;                        /* records with and without a thread */
    size_t live, live_bytes, pages, page_bytes, peak_page_bytes;
} mic_heap_counts_t;
void mic_heap_count(mic_heap_counts_t *counts);

#endif
