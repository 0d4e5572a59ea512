/* Asking whether an address is ours, and mimalloc-ext.h. */
#include "mimalloc-ext.h"

#include "api/api.h"

bool mi_is_in_heap_region(const void *p) { return mic_is_owned(p); }

bool mi_any_heap_contains(const void *p) { return mic_heap_of(p) != NULL; }

bool mi_check_owned(const void *p) { return mic_heap_of(p) != NULL; }

/* A plain block of the calling thread: the answer that mic_free computes anyway. */
mic_inline bool owned_here(const void *p)
{
    mic_page_t *page = NULL;
    return mic_page_find_main(p, &page) && mic_load_fast(&page->owner) == (uintptr_t)mic_tls.record;
}

bool mi_free_if_owned(void *p)
{
    if (mic_likely(owned_here(p))) {
        mic_free(p);
        return true;
    }
    if (!mic_is_owned(p)) return false;
    mic_free_slow(p);
    return true;
}

bool mi_realloc_if_owned(void *p, size_t newsize, void **result)
{
    if (mic_unlikely(!owned_here(p)) && !mic_is_owned(p)) return false;
    *result = mic_realloc(p, newsize, false);
    return true;
}

void mi_thread_idle(void) { mic_collect(false); }
