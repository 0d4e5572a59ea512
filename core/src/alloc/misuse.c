/* Telling the program's mistakes from its correct calls, and what is said about them. Any
   thread. */
#include <errno.h>

#include "alloc/slow.h"
#include "heap/active.h"
#include "heap/heap.h"
#include "heap/held.h"
#include "heap/sample.h"
#include "rt/report.h"

mic_verdict_t mic_examine(const void *p, mic_located_t *at)
{
    if (!mic_locate(p, at)) return MIC_VERDICT_FOREIGN;
    if (mic_page_is_sampled(at->page)) {
        if (p != mic_guarded_block(at->page)) return MIC_VERDICT_INNER;
        if (!mic_guarded_is_whole(at->page)) return MIC_VERDICT_DAMAGED;
    }
    if (CFG_BITS) return mic_bits_check(at->page, p, &at->index);
    /* inner pointers are legal only in pages that handed one out */
    const bool legal = !at->inner || (mic_page_owner(at->page) & MIC_OWNER_INNER) != 0;
    return legal ? MIC_VERDICT_OK : MIC_VERDICT_INNER;
}

static uint64_t misuse_heap(const mic_page_t *page)
{
    const mic_theap_t *const theap = mic_page_theap(page);
    const mic_heap_t *const heap = theap == NULL ? NULL : mic_theap_heap(theap);
    return heap == NULL ? 0 : heap->number;
}

/* A free or another use of a free block. */
static void misuse_report_free(const char *verb, const void *p, size_t bytes, size_t heap)
{
    if (verb[0] == 'f')
        mic_report_error(EAGAIN, "double free of %p (%zu bytes, heap %zu)", p, bytes, heap);
    else
        mic_report_error(EAGAIN, "%s of %p, which is free (%zu bytes, heap %zu)", verb, p, bytes,
                         heap);
}

void mic_report_misuse(mic_verdict_t verdict, const char *verb, const void *p,
                       const mic_located_t *at)
{
    mic_held_t held;
    if (mic_unlikely(mic_load_relaxed(&mic_sampling) != 0)) mic_guarded_tell(p);
    if (verdict == MIC_VERDICT_FOREIGN) {
        if (mic_guarded_was(p, &held.block_bytes, &held.heap) ||
            (CFG_SECURE && mic_held_find(p, &held)))
            misuse_report_free(verb, p, held.block_bytes, (size_t)held.heap);
        else
            mic_report_error(EINVAL, "%s of %p, which is not a block of this allocator", verb, p);
        return;
    }
    const size_t bytes =
        mic_page_is_sampled(at->page) ? mic_guarded_bytes(at->page) : at->page->block_bytes;
    const size_t heap = (size_t)misuse_heap(at->page);
    if (verdict == MIC_VERDICT_DAMAGED)
        mic_report_error(EFAULT, "%s of %p, beyond whose end was written (%zu bytes, heap %zu)",
                         verb, p, bytes, heap);
    else if (verdict == MIC_VERDICT_INNER)
        mic_report_error(EINVAL,
                         "%s of %p, which is not the start of a block (%zu bytes, heap %zu)", verb,
                         p, bytes, heap);
    else
        misuse_report_free(verb, p, bytes, heap);
}

void mic_report_noted(void)
{
    size_t bytes = 0;
    void *p = CFG_HARDENED ? mic_active_written(&bytes) : NULL;
    if (mic_unlikely(p != NULL))
        mic_report_error(
            EFAULT, "malloc of %p, which was written to after it was freed (%zu bytes)", p, bytes);
    p = mic_bits_freed_twice();
    mic_located_t at;
    if (mic_likely(p == NULL) || !mic_locate(p, &at)) return;
    mic_report_misuse(MIC_VERDICT_FREE, "free", p, &at);
}
