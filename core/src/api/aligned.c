/* Allocating and resizing with an alignment. A bad alignment is found by mic_alloc_aligned and
   mic_realloc_aligned: NULL with EINVAL. */
#include "api/api.h"

void *mi_malloc_aligned(size_t size, size_t alignment)
{
    return mic_alloc_aligned(size, alignment, 0, false);
}

void *mi_malloc_aligned_at(size_t size, size_t alignment, size_t offset)
{
    return mic_alloc_aligned(size, alignment, offset, false);
}

void *mi_zalloc_aligned(size_t size, size_t alignment)
{
    return mic_alloc_aligned(size, alignment, 0, true);
}

void *mi_zalloc_aligned_at(size_t size, size_t alignment, size_t offset)
{
    return mic_alloc_aligned(size, alignment, offset, true);
}

void *mi_calloc_aligned(size_t count, size_t size, size_t alignment)
{
    return mi_calloc_aligned_at(count, size, alignment, 0);
}

void *mi_calloc_aligned_at(size_t count, size_t size, size_t alignment, size_t offset)
{
    return mic_alloc_aligned(mic_api_total(count, size), alignment, offset, true);
}

void *mi_realloc_aligned(void *p, size_t newsize, size_t alignment)
{
    return mic_realloc_aligned(p, newsize, alignment, 0, false);
}

void *mi_realloc_aligned_at(void *p, size_t newsize, size_t alignment, size_t offset)
{
    return mic_realloc_aligned(p, newsize, alignment, offset, false);
}

void *mi_rezalloc_aligned(void *p, size_t newsize, size_t alignment)
{
    return mic_realloc_aligned(p, newsize, alignment, 0, true);
}

void *mi_rezalloc_aligned_at(void *p, size_t newsize, size_t alignment, size_t offset)
{
    return mic_realloc_aligned(p, newsize, alignment, offset, true);
}

void *mi_recalloc_aligned(void *p, size_t newcount, size_t size, size_t alignment)
{
    return mi_recalloc_aligned_at(p, newcount, size, alignment, 0);
}

void *mi_recalloc_aligned_at(void *p, size_t newcount, size_t size, size_t alignment, size_t offset)
{
    return mic_realloc_aligned(p, mic_api_total(newcount, size), alignment, offset, true);
}
