/* What the exported functions share. They check arguments, set errno and call down once; what needs
   more than that belongs into alloc/. */
#ifndef MIC_API_API_H
#define MIC_API_API_H

#include <errno.h>

#include "alloc/alloc.h"
#include "mimalloc.h"

/* The library's constructor (api/start.c). A program that links the archive refers to some of our
   functions only; whichever that are, this brings the constructor along. */
void mic_api_start(void);
static void (*const api_start_linked)(void) __attribute__((used)) = mic_api_start;

/* count * bytes; SIZE_MAX when that overflows, a request that fails as it should further down. */
mic_inline size_t mic_api_total(size_t count, size_t bytes)
{
    size_t total;
    return mic_likely(!mic_mul_overflow(count, bytes, &total)) ? total : SIZE_MAX;
}

/* malloc's fast path alone, NULL when it misses: for operator new, whose slow path is its own. With
   the call of mic_malloc_slow in here the compiler would save registers on the fast path. */
mic_inline void *mic_api_try_malloc(size_t bytes)
{
    if (mic_unlikely(bytes > MIC_TABLE_REQUEST_MAX)) return NULL;
    mic_theap_t *const theap = mic_tls.theap;
    return mic_active_take_for(theap, bytes);
}

/* mi_new and mi_new_nothrow after the fast path missed. */
void *mic_api_new_slow(size_t bytes);
void *mic_api_new_nothrow_slow(size_t bytes);

/* What a size is that the caller of a free says. */
typedef enum mic_said {
    MIC_SAID_AT_MOST, /* there are so many bytes, if not more */
    MIC_SAID_REQUEST, /* of the last request: the block may be larger, having been resized */
    MIC_SAID_NEW      /* of operator new: the block never had another size */
} mic_said_t;

/* free for callers who know size and alignment, 0 where they do not. */
void mic_api_free_checked(void *p, size_t size, size_t alignment, mic_said_t said);

mic_inline void mic_api_free_hinted(void *p, size_t size, size_t alignment, mic_said_t said)
{
    if (!CFG_ASSERT)
        mic_free(p);
    else if (alignment != 0 || mic_unlikely(!mic_try_free_sized(p, size)))
        mic_api_free_checked(p, size, alignment, said);
}

#endif
