/* Handles of heaps as programs hold them. In builds that check, the upper bits of a handle carry
   the generation of its heap, so that one of a heap that is gone is found out, even if another
   heap has taken its place since:

       handle  |63 ... 48|47 ......... 0|
               |generation| heap address |

   In the release build a handle is the address. */
#ifndef MIC_API_HANDLE_H
#define MIC_API_HANDLE_H

#include "api/api.h"
#include "heap/heap.h"

#define HANDLE_SHIFT 48
#define HANDLE_CHECKED (CFG_DEBUG || CFG_SECURE)

/* Reports the handle; NULL. */
mic_cold mic_heap_t *mic_api_heap_stale(const mi_heap_t *handle);

mic_inline mi_heap_t *mic_api_handle(const mic_heap_t *heap)
{
    const uint64_t generation = HANDLE_CHECKED && heap != NULL ? heap->generation & 0xffff : 0;
    return (mi_heap_t *)((uintptr_t)heap | generation << HANDLE_SHIFT);
}

/* NULL: a stale handle, reported. A NULL handle stays NULL. */
mic_inline mic_heap_t *mic_api_heap_or_null(const mi_heap_t *handle)
{
    if (!HANDLE_CHECKED || handle == NULL) return (mic_heap_t *)(uintptr_t)handle;
    mic_heap_t *const heap =
        (mic_heap_t *)((uintptr_t)handle & (((uintptr_t)1 << HANDLE_SHIFT) - 1));
    if (mic_unlikely(mic_api_handle(heap) != handle) ||
        mic_unlikely(mic_load_relaxed(&heap->state) == MIC_HEAP_DEAD))
        return mic_api_heap_stale(handle);
    return heap;
}

/* A NULL handle: the main heap of the calling thread's sub-process. */
mic_inline mic_heap_t *mic_api_heap(const mi_heap_t *handle)
{
    return handle == NULL ? &mic_subproc_current()->main : mic_api_heap_or_null(handle);
}

/* The calling thread's part of a heap; NULL: a stale handle (EINVAL), or no memory (ENOMEM). */
mic_theap_t *mic_api_theap_slow(const mi_heap_t *handle);
mic_inline mic_theap_t *mic_api_theap(const mi_heap_t *handle)
{
    if (HANDLE_CHECKED) return mic_api_theap_slow(handle);
    mic_theap_t *const theap =
        mic_tls.record->front.theap_cache[mic_theap_cache_slot((const mic_heap_t *)handle)];
    return mic_likely(handle != NULL && mic_theap_is_of(theap, (const mic_heap_t *)handle))
               ? theap
               : mic_api_theap_slow(handle);
}

#endif
