/* The functions that return the size of the block as well. */
#include "api/api.h"

/* Stores the usable size of `block`, 0 for NULL, and passes the block on. */
static void *sized_result(void *block, size_t *block_size)
{
    if (block_size != NULL) *block_size = mic_usable_size(block);
    return block;
}

void *mi_umalloc(size_t size, size_t *block_size)
{
    return sized_result(mic_malloc(size), block_size);
}

void *mi_umalloc_small(size_t size, size_t *block_size)
{
    return sized_result(mic_malloc(size), block_size);
}

void *mi_uzalloc_small(size_t size, size_t *block_size)
{
    return sized_result(mic_zalloc(size), block_size);
}

void *mi_ucalloc(size_t count, size_t size, size_t *block_size)
{
    return sized_result(mi_calloc(count, size), block_size);
}

void *mi_umalloc_aligned(size_t size, size_t alignment, size_t *block_size)
{
    return sized_result(mic_alloc_aligned(size, alignment, 0, false), block_size);
}

void *mi_uzalloc_aligned(size_t size, size_t alignment, size_t *block_size)
{
    return sized_result(mic_alloc_aligned(size, alignment, 0, true), block_size);
}

void *mi_urealloc(void *p, size_t newsize, size_t *block_size_pre, size_t *block_size_post)
{
    if (block_size_pre != NULL) *block_size_pre = mic_usable_size(p);
    return sized_result(mic_realloc(p, newsize, false), block_size_post);
}

void mi_ufree(void *p, size_t *block_size)
{
    if (block_size != NULL) *block_size = mic_usable_size(p);
    mic_free(p);
}
