/* Allocation, freeing, resizing for the api layer and the override library. Everything here may be
   called by any thread at any time after which libc itself works, before constructors too.

   Failure: NULL with errno = ENOMEM; success never changes errno; free never does. */
#ifndef MIC_ALLOC_ALLOC_H
#define MIC_ALLOC_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "alloc/fast.h"
#include "alloc/walk.h"

/* malloc and free themselves are in alloc/fast.h: mic_malloc(bytes), mic_free(p), inlined into the
   exported functions.

   The functions below take the thread heap to allocate from: one of the calling thread,
   mic_tls.theap for its default, or what mic_heap_theap returned, also for a thread whose record
   is gone. */

/* Any size; zeroed if asked. */
void *mic_malloc_in(mic_theap_t *theap, size_t bytes);
void *mic_zalloc_in(mic_theap_t *theap, size_t bytes);
/* count * bytes with overflow check; zeroed if asked. */
void *mic_alloc_count_in(mic_theap_t *theap, size_t count, size_t bytes, bool zero);

/* (result + offset) is a multiple of alignment, a power of two; else NULL and EINVAL. */
void *mic_alloc_aligned_in(mic_theap_t *theap, size_t bytes, size_t alignment, size_t offset,
                           bool zero);

/* C realloc: p may be NULL; bytes = 0 gives a minimal block whose first byte is zero. On failure p
   stays valid. A block of another heap than theap's moves. zero: bytes beyond the old usable size
   read as zero (the caller always asked for zeroed memory before). A p that is not ours: NULL with
   EINVAL, reported. */
void *mic_realloc_in(mic_theap_t *theap, void *p, size_t bytes, bool zero);
void *mic_realloc_aligned_in(mic_theap_t *theap, void *p, size_t bytes, size_t alignment,
                             size_t offset, bool zero);

mic_inline void *mic_zalloc(size_t bytes) { return mic_zalloc_in(mic_tls.theap, bytes); }
mic_inline void *mic_alloc_count(size_t count, size_t bytes, bool zero)
{
    return mic_alloc_count_in(mic_tls.theap, count, bytes, zero);
}
mic_inline void *mic_alloc_aligned(size_t bytes, size_t alignment, size_t offset, bool zero)
{
    return mic_alloc_aligned_in(mic_tls.theap, bytes, alignment, offset, zero);
}
mic_inline void *mic_realloc(void *p, size_t bytes, bool zero)
{
    return mic_realloc_in(mic_tls.theap, p, bytes, zero);
}
mic_inline void *mic_realloc_aligned(void *p, size_t bytes, size_t alignment, size_t offset,
                                     bool zero)
{
    return mic_realloc_aligned_in(mic_tls.theap, p, bytes, alignment, offset, zero);
}
/* p if bytes fit into its block, else NULL; never moves. */
void *mic_expand(void *p, size_t bytes);

/* Usable bytes from p to the end of its block; 0 for NULL and for addresses that are not ours. */
size_t mic_usable_size(const void *p);
/* Usable size a fresh block of a request would have; the request itself if it is impossible. */
size_t mic_good_size(size_t bytes);
/* p lies in a live page of ours. */
bool mic_is_owned(const void *p);

/* Collects the calling thread's heaps and, forced, the whole process: drains orphans, asks each
   live thread to collect at its next slow path, purges all free memory. */
void mic_collect(bool force);
/* The same without asking the program for blocks that it has to free. */
void mic_collect_quietly(bool force);
/* The same for one heap; purging is the process's. */
void mic_heap_collect(mic_heap_t *heap, bool force);

/* Called on slow paths, with no lock held; may allocate and free. */
typedef void mic_deferred_fun(bool force, unsigned long long heartbeat, void *arg);
void mic_register_deferred(mic_deferred_fun *fun, void *arg);

#endif
