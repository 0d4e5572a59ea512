/* The fast paths; the golden test counts their instructions (malloc 13, free 17 on x86-64).

       malloc(n <= 4096): class by table -> head of its list -> pop -> return
       free(p): descriptor by arithmetic -> owner is me? -> push -> empty? -> return

   Everything rarer makes one of the compares fail: a thread that is not ready has empty lists and a
   record that owns nothing; full, sampled and offset pages carry a tag in their owner word. */
#ifndef MIC_ALLOC_FAST_H
#define MIC_ALLOC_FAST_H

#include "heap/active.h"
#include "heap/heap.h"
#include "os/tls.h"

/* None of these is inlined: the registers that they save would be saved on the fast paths too. */
/* Miss of malloc: any size, any thread state. */
mic_hidden mic_noinline void *mic_malloc_slow(size_t bytes);
/* The same of a heap; NULL: the main heap of the thread's sub-process. */
mic_hidden mic_noinline void *mic_heap_malloc_slow(mic_heap_t *heap, size_t bytes);
/* Miss of free: everything but a plain local block of a page that stays non-empty and not full. */
mic_hidden mic_noinline void mic_free_slow(void *p);
/* The push emptied the page. */
mic_hidden mic_noinline void mic_free_emptied(mic_page_t *page);

mic_inline void *mic_malloc(size_t bytes)
{
    if (mic_unlikely(bytes > MIC_TABLE_REQUEST_MAX)) return mic_malloc_slow(bytes);
    mic_theap_t *const theap = mic_tls.theap;
    mic_block_t *const block = mic_active_take_for(theap, bytes);
    if (mic_unlikely(block == NULL)) return mic_malloc_slow(bytes);
    return block;
}

/* The calling thread's thread heap of a first-class heap as far as it is in the cache; else the
   block of another heap is not taken: the miss looks again. NULL misses too. */
mic_inline void *mic_heap_malloc(mic_heap_t *heap, size_t bytes)
{
    mic_theap_t *const theap = mic_tls.record->front.theap_cache[mic_theap_cache_slot(heap)];
    if (mic_unlikely(bytes > MIC_TABLE_REQUEST_MAX) ||
        mic_unlikely(mic_load_fast(&theap->heap) != (uintptr_t)heap))
        return mic_heap_malloc_slow(heap, bytes);
    mic_block_t *const block = mic_active_take_for(theap, bytes);
    if (mic_unlikely(block == NULL)) return mic_heap_malloc_slow(heap, bytes);
    return block;
}

mic_inline void mic_free(void *p)
{
    mic_page_t *page = NULL;
    uint32_t left = 0; /* not needed; compilers warn */
    if (mic_unlikely(!mic_page_find_main(p, &page)) ||
        mic_unlikely(mic_load_fast(&page->owner) != (uintptr_t)mic_tls.record) ||
        mic_unlikely(!mic_page_try_put(page, p, &left))) {
        mic_free_slow(p);
        return;
    }
    if (mic_unlikely(left == 0)) mic_free_emptied(page);
}

/* free of a block whose size the caller knows, if all is as it mostly is: false, and nothing
   happened, unless the size is one of the block's class and the block is plain and local. */
mic_inline bool mic_try_free_sized(void *p, size_t bytes)
{
    mic_page_t *page = NULL;
    uint32_t left = 0;
    if (mic_unlikely(!mic_page_find_main(p, &page)) ||
        mic_unlikely(mic_load_fast(&page->owner) != (uintptr_t)mic_tls.record) ||
        mic_unlikely(bytes > MIC_TABLE_REQUEST_MAX) ||
        mic_unlikely(mic_theap_class(mic_tls.theap, bytes) != page->cls) ||
        mic_unlikely(!mic_page_try_put(page, p, &left)))
        return false;
    if (mic_unlikely(left == 0)) mic_free_emptied(page);
    return true;
}

#endif
