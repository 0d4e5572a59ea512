/* The standard functions and their near relations. mi_malloc and mi_free are the two fast paths and
   nothing else. */
#include "api/api.h"

mic_entry void *mi_malloc(size_t size) { return mic_malloc(size); }

mic_entry void mi_free(void *p) { mic_free(p); }

void *mi_malloc_small(size_t size) { return mic_malloc(size); }

void mi_free_small(void *p) { mic_free(p); }

void *mi_zalloc(size_t size) { return mic_zalloc(size); }

void *mi_zalloc_small(size_t size) { return mic_zalloc(size); }

void *mi_calloc(size_t count, size_t size) { return mic_alloc_count(count, size, true); }

void *mi_mallocn(size_t count, size_t size) { return mic_alloc_count(count, size, false); }

void *mi_realloc(void *p, size_t newsize) { return mic_realloc(p, newsize, false); }

void *mi_reallocn(void *p, size_t count, size_t size)
{
    return mic_realloc(p, mic_api_total(count, size), false);
}

void *mi_reallocf(void *p, size_t newsize)
{
    void *const block = mic_realloc(p, newsize, false);
    /* a pointer that is not ours was reported by mic_realloc; free would report it once more */
    if (mic_unlikely(block == NULL) && mic_is_owned(p)) mic_free(p);
    return block;
}

void *mi_rezalloc(void *p, size_t newsize) { return mic_realloc(p, newsize, true); }

void *mi_recalloc(void *p, size_t newcount, size_t size)
{
    return mic_realloc(p, mic_api_total(newcount, size), true);
}

void *mi_expand(void *p, size_t newsize)
{
    void *const block = mic_expand(p, newsize);
    if (block == NULL) errno = ENOMEM;
    return block;
}

size_t mi_usable_size(const void *p) { return mic_usable_size(p); }

size_t mi_good_size(size_t size) { return mic_good_size(size); }
