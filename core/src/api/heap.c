/* First-class heaps: life, membership, handles. Checks arguments and calls down. */
#include "api/handle.h"
#include "os/os.h"
#include "rt/report.h"
#include "vm/program.h"

mic_cold mic_heap_t *mic_api_heap_stale(const mi_heap_t *handle)
{
    mic_report_error(EINVAL, "use of heap %p, which was deleted or destroyed, or never was one",
                     (const void *)handle);
    errno = EINVAL;
    return NULL;
}

mic_theap_t *mic_api_theap_slow(const mi_heap_t *handle)
{
    const int saved = errno;
    mic_heap_t *const heap = mic_api_heap(handle);
    if (heap == NULL) return NULL;
    mic_theap_t *const theap = mic_heap_theap(heap);
    errno = theap == NULL ? ENOMEM : saved;
    return theap;
}

mi_heap_t *mi_heap_new(void)
{
    const int saved = errno;
    mic_heap_t *const heap = mic_heap_new(mic_subproc_current(), 0);
    if (heap != NULL) errno = saved;
    return mic_api_handle(heap);
}

mi_heap_t *mi_heap_new_in_arena(mi_arena_id_t arena_id)
{
    if (arena_id == NULL) return mi_heap_new();
    unsigned arena;
    mic_subproc_t *const subproc = mic_subproc_current();
    if (!mic_arena_from_id(arena_id, &arena) || mic_arena_subproc(arena) != subproc->index) {
        errno = EINVAL;
        return NULL;
    }
    const int saved = errno;
    mic_heap_t *const heap = mic_heap_new(subproc, (uint16_t)(arena + 1));
    if (heap != NULL) errno = saved;
    return mic_api_handle(heap);
}

void mi_heap_set_numa_affinity(mi_heap_t *heap, int numa_node)
{
    mic_heap_t *const h = mic_api_heap(heap);
    if (h == NULL) return;
    const unsigned nodes = mic_numa_nodes();
    mic_store_relaxed(&h->place.numa, numa_node < 0 ? -1 : (int32_t)((unsigned)numa_node % nodes));
}

void mi_heap_delete(mi_heap_t *heap)
{
    mic_heap_t *const h = mic_api_heap_or_null(heap);
    const int saved = errno;
    if (h != NULL) mic_heap_delete(h);
    errno = saved;
}

void mi_heap_destroy(mi_heap_t *heap)
{
    mic_heap_t *const h = mic_api_heap_or_null(heap);
    const int saved = errno;
    if (h != NULL) mic_heap_destroy(h);
    errno = saved;
}

void mi_heap_collect(mi_heap_t *heap, bool force)
{
    const int saved = errno;
    mic_heap_t *const h = mic_api_heap(heap);
    if (h != NULL) mic_heap_collect(h, force);
    errno = saved;
}

mi_heap_t *mi_heap_main(void) { return mic_api_handle(&mic_subproc_current()->main); }

mi_heap_t *mi_heap_of(const void *p) { return mic_api_handle(mic_heap_of(p)); }

bool mi_heap_contains(const mi_heap_t *heap, const void *p)
{
    const mic_heap_t *const h = mic_api_heap(heap);
    return h != NULL && mic_heap_of(p) == h;
}

bool mi_unsafe_heap_page_is_under_utilized(mi_heap_t *heap, void *p, size_t perc_threshold)
{
    mic_heap_t *const h = mic_api_heap(heap);
    return p != NULL && h != NULL && mic_heap_is_under_utilized(h, p, perc_threshold);
}

/* ---- allocating in a heap ---- */

mic_entry void *mi_heap_malloc(mi_heap_t *heap, size_t size)
{
    if (!HANDLE_CHECKED) return mic_heap_malloc((mic_heap_t *)heap, size);
    mic_heap_t *const h = mic_api_heap(heap);
    return h == NULL ? NULL : mic_heap_malloc(h, size);
}

void *mi_heap_malloc_small(mi_heap_t *heap, size_t size) { return mi_heap_malloc(heap, size); }

void *mi_heap_zalloc(mi_heap_t *heap, size_t size)
{
    mic_theap_t *const theap = mic_api_theap(heap);
    return theap == NULL ? NULL : mic_zalloc_in(theap, size);
}

void *mi_heap_zalloc_small(mi_heap_t *heap, size_t size) { return mi_heap_zalloc(heap, size); }

void *mi_heap_calloc(mi_heap_t *heap, size_t count, size_t size)
{
    mic_theap_t *const theap = mic_api_theap(heap);
    return theap == NULL ? NULL : mic_alloc_count_in(theap, count, size, true);
}

void *mi_heap_mallocn(mi_heap_t *heap, size_t count, size_t size)
{
    mic_theap_t *const theap = mic_api_theap(heap);
    return theap == NULL ? NULL : mic_alloc_count_in(theap, count, size, false);
}

/* ---- resizing into a heap ---- */

void *mi_heap_realloc(mi_heap_t *heap, void *p, size_t newsize)
{
    mic_theap_t *const theap = mic_api_theap(heap);
    return theap == NULL ? NULL : mic_realloc_in(theap, p, newsize, false);
}

void *mi_heap_reallocn(mi_heap_t *heap, void *p, size_t count, size_t size)
{
    return mi_heap_realloc(heap, p, mic_api_total(count, size));
}

void *mi_heap_reallocf(mi_heap_t *heap, void *p, size_t newsize)
{
    void *const block = mi_heap_realloc(heap, p, newsize);
    /* a pointer that is not ours was reported already; free would report it once more */
    if (mic_unlikely(block == NULL) && mic_is_owned(p)) mic_free(p);
    return block;
}

void *mi_heap_rezalloc(mi_heap_t *heap, void *p, size_t newsize)
{
    mic_theap_t *const theap = mic_api_theap(heap);
    return theap == NULL ? NULL : mic_realloc_in(theap, p, newsize, true);
}

void *mi_heap_recalloc(mi_heap_t *heap, void *p, size_t newcount, size_t size)
{
    return mi_heap_rezalloc(heap, p, mic_api_total(newcount, size));
}
