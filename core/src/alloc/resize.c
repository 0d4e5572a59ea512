/* Growing and shrinking blocks, with and without alignment. Any thread. */
#include <errno.h>
#include <string.h>

#include "alloc/slow.h"
#include "base/check.h"
#include "page/guard.h"
#include "rt/report.h"

size_t mic_good_size(size_t bytes)
{
    if (bytes <= MIC_CLASS_REQUEST_MAX)
        return mic_class_bytes(mic_class_of_request(bytes)) - MIC_CANARY_BYTES;
    if (bytes > MIC_SIZE_MAX - MIC_SLICE_BYTES) return bytes;
    return mic_span_block_bytes(bytes);
}

/* False: p is not a block of the program's, which was reported. */
static bool resize_examine(const void *p, mic_located_t *at)
{
    const mic_verdict_t verdict = mic_examine(p, at);
    if (mic_likely(verdict == MIC_VERDICT_OK)) return true;
    mic_report_misuse(verdict, "realloc", p, at);
    errno = EINVAL;
    return false;
}

/* At least half of the block stays in use. */
static bool resize_fits(size_t usable, size_t bytes)
{
    return bytes != 0 && bytes <= usable && bytes >= usable / 2;
}

/* Aligned as every block is, which one with an offset need not be. */
static bool resize_is_natural(const void *p) { return (uintptr_t)p % MIC_ALIGN_MAX_NATURAL == 0; }

/* A fresh block of realloc(p, 0): its first byte is zero. */
static void *resize_minimal(void *fresh)
{
    if (fresh != NULL) *(char *)fresh = 0;
    return fresh;
}

static void *resize_move(void *p, void *fresh, size_t usable, size_t bytes, bool zero)
{
    if (fresh == NULL) return NULL;
    const size_t copy = mic_min(usable, bytes);
    memcpy(fresh, p, copy);
    /* to the end of the block: growing in place later must give zeroes too */
    if (zero) memset((char *)fresh + copy, 0, mic_usable_size(fresh) - copy);
    mic_free(p);
    return bytes == 0 ? resize_minimal(fresh) : fresh;
}

/* ---- spans: in place, else by page tables ---- */

/* from here on moving page tables beats copying */
#define RESIZE_MOVE_BYTES (MIC_MIB)
/* source and target must agree modulo a huge page, or the kernel splits it */
#define RESIZE_PHASE_SLICES (2 * MIC_MIB >> MIC_SLICE_SHIFT)

/* The block ends where its span ends, wherever it starts; true if it fits now. */
static bool resize_span_in_place(mic_page_t *page, size_t bytes, bool zero)
{
    const size_t have = page->slices, old = page->block_bytes;
    const size_t need = mic_span_slices(bytes), wanted = mic_span_block_bytes(bytes);
    if (wanted == old) return true;
    mic_run_t run = mic_page_run(page);
    mic_unguard_tail(page);
    bool fresh = true;
    if (need > have && !mic_run_grow(run, need + page->lead, &fresh)) {
        mic_guard_tail(page);
        return false;
    }
    if (need < have) run.zero = mic_page_unmove(page, need);
    mic_theap_resize_span(page, need, wanted);
    mic_guard_tail(page);
    if (need < have) {
        run.slice += (uint32_t)(need + page->lead);
        run.count = (uint32_t)(have - need);
        mic_run_free(run);
    }
    if (zero && wanted > old) {
        const size_t had = have << MIC_SLICE_SHIFT; /* behind the block may have been a guard */
        memset(page->start + old, 0, mic_min(wanted, had) - old);
        if (!fresh && wanted > had) mic_clear_span(page->start + had, wanted - had);
    }
    return true;
}

/* To a span with room behind it. NULL: nothing happened. */
static void *resize_span_move(mic_theap_t *theap, mic_page_t *page, size_t bytes, bool zero)
{
    const size_t old = page->block_bytes;
    const size_t phase = ((uintptr_t)page->start >> MIC_SLICE_SHIFT) % RESIZE_PHASE_SLICES;
    mic_page_t *const fresh = mic_alloc_growing_span_in(theap, bytes, phase);
    if (fresh == NULL) return NULL;
    if (old < RESIZE_MOVE_BYTES) {
        memcpy(fresh->start, page->start, old);
    } else {
        mic_unguard_tail(page);
        mic_unguard_tail(fresh);
        mic_page_move(page, fresh);
        mic_guard_tail(page); /* it may be held back */
        mic_guard_tail(fresh);
    }
    if (zero) memset(fresh->start + old, 0, fresh->block_bytes - old);
    mic_free_span(page);
    return fresh->start;
}

static void *resize_span(mic_theap_t *theap, mic_page_t *page, size_t bytes, bool zero, bool same)
{
    if (same && resize_span_in_place(page, bytes, zero)) return page->start;
    return resize_span_move(theap, page, bytes, zero);
}

/* a thread that is not ready will allocate from the main heap */
static const mic_heap_t *resize_target(const mic_theap_t *theap)
{
    return theap == &mic_theap_empty ? &mic_subproc_main.main : mic_theap_heap(theap);
}

/* The block is of the heap that it is to be in. */
static bool resize_same_heap(const mic_theap_t *theap, const mic_page_t *page)
{
    const mic_theap_t *const has = mic_page_theap(page);
    return mic_likely(has == theap) || resize_target(theap) == mic_theap_heap(has);
}

static void *resize(mic_theap_t *theap, void *p, size_t bytes, bool zero)
{
    mic_located_t at;
    if (mic_unlikely(!resize_examine(p, &at))) return NULL;
    const size_t usable = mic_located_usable(&at, p);
    const bool same = resize_same_heap(theap, at.page) && !mic_page_is_sampled(at.page);
    if (bytes > MIC_CLASS_REQUEST_MAX && bytes <= MIC_SIZE_MAX && at.page->kind == MIC_PAGE_SPAN &&
        !at.inner) {
        /* into another heap the pages of a span move only when it grows: that keeps all of them */
        void *const q =
            same || bytes > usable ? resize_span(theap, at.page, bytes, zero, same) : NULL;
        if (q != NULL) return q;
    } else if (same && resize_fits(usable, bytes) && resize_is_natural(p)) {
        return p;
    }
    return resize_move(p, mic_malloc_in(theap, bytes), usable, bytes, zero);
}

/* What strings and arrays grow through: a block of the thread's own, in a page without any tag,
   which stays in its thread heap. Asked as free asks, but that p is the start of a block; NULL:
   look more closely. */
mic_inline const mic_page_t *resize_plain(const mic_theap_t *theap, const void *p)
{
    mic_page_t *page = NULL;
    if (CFG_BITS || mic_unlikely(!mic_page_find_main(p, &page)) ||
        mic_unlikely(mic_load_fast(&page->owner) != (uintptr_t)mic_tls.record) ||
        mic_unlikely(mic_page_theap(page) != theap))
        return NULL;
    const size_t offset = (size_t)((const char *)p - page->start);
    const size_t index = mic_page_index_of(page, offset);
    const bool start = index * page->block_bytes == offset && index < page->reserved;
    return mic_likely(start) ? page : NULL;
}

void *mic_realloc_in(mic_theap_t *theap, void *p, size_t bytes, bool zero)
{
    const mic_page_t *const page = resize_plain(theap, p);
    if (mic_likely(page != NULL) && bytes != 0 && !zero) {
        const size_t usable = page->block_bytes;
        if (resize_fits(usable, bytes)) return p;
        return resize_move(p, mic_malloc_in(theap, bytes), usable, bytes, false);
    }
    if (p != NULL) return resize(theap, p, bytes, zero);
    if (bytes == 0) return resize_minimal(mic_malloc_in(theap, 0));
    return zero ? mic_zalloc_in(theap, bytes) : mic_malloc_in(theap, bytes);
}

void *mic_realloc_aligned_in(mic_theap_t *theap, void *p, size_t bytes, size_t alignment,
                             size_t offset, bool zero)
{
    if (p == NULL) return mic_alloc_aligned_in(theap, bytes, alignment, offset, zero);
    mic_located_t at;
    if (mic_unlikely(!resize_examine(p, &at))) return NULL;
    const size_t usable = mic_located_usable(&at, p);
    const bool aligned = mic_is_power_of_two(alignment) &&
                         (((uintptr_t)p + offset) & (alignment - 1)) == 0 &&
                         ((offset & (alignment - 1)) != 0 || resize_is_natural(p));
    if (aligned && resize_fits(usable, bytes) && resize_same_heap(theap, at.page) &&
        !mic_page_is_sampled(at.page))
        return p;
    return resize_move(p, mic_alloc_aligned_in(theap, bytes, alignment, offset, false), usable,
                       bytes, zero);
}

void *mic_expand(void *p, size_t bytes)
{
    return p != NULL && bytes <= mic_usable_size(p) ? p : NULL;
}
