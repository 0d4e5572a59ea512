/* The domains' functions for the core that is linked into the extension. What makes the hooks cheap
   is that the core's fast paths are inlined here: allocating is malloc's 13 instructions, and
   freeing asks whose block it is with the same compare that free needs anyway.

   Compiled as a part of the core. Runs without any thread state (RAW), and calls no Python. ctx is
   never read: a thread may see it and the function change one after the other. */
#include <string.h>

#include "api/api.h"
#include "core.h"
#include "domains.h"
#include "page/free_set.h"

/* ---- allocating: the same for all domains; size 0 gives a block like any other ---- */

static void *own_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return mic_malloc(size);
}

static void *own_calloc(void *ctx, size_t count, size_t size)
{
    (void)ctx;
    return mic_alloc_count(count, size, true);
}

/* ---- freeing ---- */

static __attribute__((noinline)) void own_free_slow(const PyMemAllocatorEx *below, void *p)
{
    if (mic_is_owned(p))
        mic_free_slow(p);
    else if (p != NULL)
        below->free(below->ctx, p);
}

/* mic_free, but that a miss asks for the owner. */
mic_inline void own_free_in(const PyMemAllocatorEx *below, void *p)
{
    mic_page_t *page = NULL;
    uint32_t left = 0; /* not needed; compilers warn */
    if (mic_unlikely(!mic_page_find_main(p, &page)) ||
        mic_unlikely(mic_load_fast(&page->owner) != (uintptr_t)mic_tls.record) ||
        mic_unlikely(!mic_page_try_put(page, p, &left))) {
        own_free_slow(below, p);
        return;
    }
    if (mic_unlikely(left == 0)) mic_free_emptied(page);
}

/* ---- resizing ---- */

/* A block that grows is likely to grow again: lists do, by an eighth at a time. Beyond a page of the
   system the room that it gets for that costs address space, and memory only when it is used. Spans
   have room behind them by themselves. */
#define GROW_WITH_ROOM_BYTES ((size_t)4096)

static void *own_grow(void *p, size_t size, size_t usable)
{
    void *const fresh = mic_malloc(size + size / 2);
    if (mic_unlikely(fresh == NULL)) return mic_realloc(p, size, false);
    memcpy(fresh, p, usable);
    mic_free(p);
    return fresh;
}

static __attribute__((noinline)) void *own_realloc_slow(const PyMemAllocatorEx *below, void *p,
                                                        size_t size, bool active)
{
    if (p == NULL && active) return mic_malloc(size);
    if (p == NULL || !mic_is_owned(p)) return below->realloc(below->ctx, p, size);
    const size_t usable = mic_usable_size(p);
    if (size > usable && size >= GROW_WITH_ROOM_BYTES && size <= MIC_CLASS_REQUEST_MAX / 3 * 2)
        return own_grow(p, size, usable);
    return mic_realloc(p, size, false);
}

/* Plain blocks of this thread, which lists and byte arrays grow through, are dealt with here: they
   stay while at least half of them is in use, or move to a block of a small class. All others go
   the long way. */
mic_inline void *own_realloc_in(const PyMemAllocatorEx *below, void *p, size_t size, bool active)
{
    mic_page_t *page = NULL;
    if (mic_unlikely(CFG_BITS) || mic_unlikely(size > MIC_TABLE_REQUEST_MAX) ||
        mic_unlikely(!mic_page_find_main(p, &page)) ||
        mic_unlikely(mic_load_fast(&page->owner) != (uintptr_t)mic_tls.record))
        return own_realloc_slow(below, p, size, active);
    const size_t usable = page->block_bytes;
    if (size <= usable && size >= usable / 2) return p;
    void *const fresh = mic_malloc(size);
    if (mic_unlikely(fresh == NULL)) return NULL;
    memcpy(fresh, p, mic_min(usable, size));
    mic_free(p);
    return fresh;
}

/* ---- one set of functions for each domain ---- */

MIMPY_DOMAIN_HOOKS(own, mimpy_hooks_own);

/* ---- array data ---- */

/* Of the classes up to 1 KiB those that a multiple of 64 bytes gets have blocks of a multiple of 64
   bytes, and so has every page its start: they are aligned as they are. */
#define DATA_SMALL_MAX (MIC_TABLE_REQUEST_MAX & ~(MIMPY_DATA_ALIGN - 1))
mic_inline bool data_is_small(size_t size) { return !CFG_BITS && size <= DATA_SMALL_MAX; }

static void *data_malloc(size_t size)
{
    if (mic_likely(data_is_small(size))) return mic_malloc(mic_align_up(size, MIMPY_DATA_ALIGN));
    return mic_alloc_aligned(size, MIMPY_DATA_ALIGN, 0, false);
}

static void *data_calloc(size_t count, size_t size)
{
    const size_t total = mic_api_total(count, size);
    if (!data_is_small(total)) return mic_alloc_aligned(total, MIMPY_DATA_ALIGN, 0, true);
    void *const p = mic_malloc(mic_align_up(total, MIMPY_DATA_ALIGN));
    return p == NULL ? NULL : memset(p, 0, total);
}

static __attribute__((noinline)) bool data_free_slow(void *p)
{
    if (!mic_is_owned(p)) return false;
    mic_free_slow(p);
    return true;
}

static bool data_free_if_owned(void *p)
{
    mic_page_t *page = NULL;
    uint32_t left = 0; /* not needed; compilers warn */
    if (mic_unlikely(!mic_page_find_main(p, &page)) ||
        mic_unlikely(mic_load_fast(&page->owner) != (uintptr_t)mic_tls.record) ||
        mic_unlikely(!mic_page_try_put(page, p, &left)))
        return data_free_slow(p);
    if (mic_unlikely(left == 0)) mic_free_emptied(page);
    return true;
}

const mimpy_data_t mimpy_data_own = {data_malloc, data_calloc, data_free_if_owned};
