/* Allocating and resizing in a heap with an alignment; a bad one is found further down: NULL with
   EINVAL. */
#include "api/handle.h"

static void *heap_aligned(mi_heap_t *heap, size_t size, size_t alignment, size_t offset, bool zero)
{
    mic_theap_t *const theap = mic_api_theap(heap);
    return theap == NULL ? NULL : mic_alloc_aligned_in(theap, size, alignment, offset, zero);
}

static void *heap_resize(mi_heap_t *heap, void *p, size_t size, size_t alignment, size_t offset,
                         bool zero)
{
    mic_theap_t *const theap = mic_api_theap(heap);
    return theap == NULL ? NULL : mic_realloc_aligned_in(theap, p, size, alignment, offset, zero);
}

void *mi_heap_malloc_aligned(mi_heap_t *heap, size_t size, size_t alignment)
{
    return heap_aligned(heap, size, alignment, 0, false);
}

void *mi_heap_malloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment, size_t offset)
{
    return heap_aligned(heap, size, alignment, offset, false);
}

void *mi_heap_zalloc_aligned(mi_heap_t *heap, size_t size, size_t alignment)
{
    return heap_aligned(heap, size, alignment, 0, true);
}

void *mi_heap_zalloc_aligned_at(mi_heap_t *heap, size_t size, size_t alignment, size_t offset)
{
    return heap_aligned(heap, size, alignment, offset, true);
}

void *mi_heap_calloc_aligned(mi_heap_t *heap, size_t count, size_t size, size_t alignment)
{
    return heap_aligned(heap, mic_api_total(count, size), alignment, 0, true);
}

void *mi_heap_calloc_aligned_at(mi_heap_t *heap, size_t count, size_t size, size_t alignment,
                                size_t offset)
{
    return heap_aligned(heap, mic_api_total(count, size), alignment, offset, true);
}

void *mi_heap_realloc_aligned(mi_heap_t *heap, void *p, size_t newsize, size_t alignment)
{
    return heap_resize(heap, p, newsize, alignment, 0, false);
}

void *mi_heap_realloc_aligned_at(mi_heap_t *heap, void *p, size_t newsize, size_t alignment,
                                 size_t offset)
{
    return heap_resize(heap, p, newsize, alignment, offset, false);
}

void *mi_heap_rezalloc_aligned(mi_heap_t *heap, void *p, size_t newsize, size_t alignment)
{
    return heap_resize(heap, p, newsize, alignment, 0, true);
}

void *mi_heap_rezalloc_aligned_at(mi_heap_t *heap, void *p, size_t newsize, size_t alignment,
                                  size_t offset)
{
    return heap_resize(heap, p, newsize, alignment, offset, true);
}

void *mi_heap_recalloc_aligned(mi_heap_t *heap, void *p, size_t newcount, size_t size,
                               size_t alignment)
{
    return heap_resize(heap, p, mic_api_total(newcount, size), alignment, 0, true);
}

void *mi_heap_recalloc_aligned_at(mi_heap_t *heap, void *p, size_t newcount, size_t size,
                                  size_t alignment, size_t offset)
{
    return heap_resize(heap, p, mic_api_total(newcount, size), alignment, offset, true);
}
