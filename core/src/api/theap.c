/* Thread heaps. They belong to the calling thread; another thread's, a mistake, is taken for the
   calling thread's part of the same heap, so that nothing is damaged. */
#include "api/handle.h"
#include "heap/sample.h"
#include "heap/thread.h"

static mic_theap_t *theap_mine(mi_theap_t *handle)
{
    mic_theap_t *const theap = (mic_theap_t *)handle;
    if (mic_likely(theap->record == mic_tls.record)) return theap;
    mic_heap_t *const heap = mic_theap_heap(theap);
    return mic_api_theap(mic_api_handle(heap));
}

mi_theap_t *mi_heap_theap(mi_heap_t *heap) { return (mi_theap_t *)mic_api_theap(heap); }

mi_theap_t *mi_theap_get_default(void)
{
    const int saved = errno;
    (void)mic_thread_attach();
    errno = saved;
    return (mi_theap_t *)mic_tls.theap;
}

mi_theap_t *mi_theap_set_default(mi_theap_t *theap)
{
    mi_theap_t *const before = mi_theap_get_default();
    mic_theap_t *const t = (mic_theap_t *)theap;
    if (t != NULL && mic_thread_is_ready() && t->record == mic_tls.record && mic_theap_is_open(t))
        mic_tls.theap = t;
    return before;
}

void mi_theap_collect(mi_theap_t *theap, bool force)
{
    const mic_theap_t *const t = (const mic_theap_t *)theap;
    if (t->record != NULL) mi_heap_collect(mic_api_handle(mic_theap_heap(t)), force);
}

void *mi_theap_malloc(mi_theap_t *theap, size_t size)
{
    mic_theap_t *const t = theap_mine(theap);
    return t == NULL ? NULL : mic_malloc_in(t, size);
}

void *mi_theap_malloc_small(mi_theap_t *theap, size_t size) { return mi_theap_malloc(theap, size); }

void *mi_theap_zalloc(mi_theap_t *theap, size_t size)
{
    mic_theap_t *const t = theap_mine(theap);
    return t == NULL ? NULL : mic_zalloc_in(t, size);
}

void *mi_theap_zalloc_small(mi_theap_t *theap, size_t size) { return mi_theap_zalloc(theap, size); }

void *mi_theap_calloc(mi_theap_t *theap, size_t count, size_t size)
{
    mic_theap_t *const t = theap_mine(theap);
    return t == NULL ? NULL : mic_alloc_count_in(t, count, size, true);
}

void *mi_theap_malloc_aligned(mi_theap_t *theap, size_t size, size_t alignment)
{
    mic_theap_t *const t = theap_mine(theap);
    return t == NULL ? NULL : mic_alloc_aligned_in(t, size, alignment, 0, false);
}

void *mi_theap_realloc(mi_theap_t *theap, void *p, size_t newsize)
{
    mic_theap_t *const t = theap_mine(theap);
    return t == NULL ? NULL : mic_realloc_in(t, p, newsize, false);
}

void mi_theap_guarded_set_sample_rate(mi_theap_t *theap, size_t sample_rate, size_t seed)
{
    mic_theap_t *const t = theap_mine(theap);
    if (t != NULL) mic_sample_set_rate(t, sample_rate, seed);
}

void mi_theap_guarded_set_size_bound(mi_theap_t *theap, size_t min, size_t max)
{
    mic_theap_t *const t = theap_mine(theap);
    if (t != NULL) mic_sample_set_bounds(t, min, max);
}
