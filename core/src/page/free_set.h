/* The free set of a page: which of its blocks nobody uses. Two policies behind one small interface;
   base/config.h chooses (CFG_BITS), both are always compiled, and no other code knows which is in.

                 "list" (release)                    "bits" (secure, hardened, debug)
   free blocks   a list through the blocks           a bit each, outside of the blocks
   malloc takes  the first of the active list        a random one of the active word
   refill        the page's whole local list         one word of the page, at random
   free          trusts its pointer                  start of a block, live, not freed by another
                                                     thread, canary whole: exact, on every path
   in blocks     links of free ones                  canaries

   The interface, for a page and for the active set of its class in a thread heap (heap/active.h):

   take the next block     mic_active_take
   return a block          mic_page_check_free, then mic_page_put; on the fast path mic_page_try_put
   refill                  mic_active_refill
   drain of remote words   mic_remote_collect (page/remote.h)
   count                   mic_page_local_count, mic_active_is_empty
   visit live blocks       mic_page_live_bits
   validity                mic_page_is_valid, mic_bits_is_valid

   A page is put to use by mic_page_init, its blocks are carved by refill. `used` counts, in both,
   the carved blocks that are not in the page's free set. */
#ifndef MIC_PAGE_FREE_SET_H
#define MIC_PAGE_FREE_SET_H

#include "os/os.h"
#include "page/bits.h"

/* A free on the fast path: by the owner, of a page in whose first slice p is; *left: what `used` is
   then. False: nothing happened, the slow path looks. */
mic_inline bool mic_page_try_put(mic_page_t *page, void *p, uint32_t *left)
{
    if (CFG_BITS) return mic_bits_try_put(page, p, left);
    *left = mic_page_push_local(page, (mic_block_t *)p);
    return true;
}

/* The same for a block that was looked at. Returns what `used` is then. */
mic_inline uint32_t mic_page_put(mic_page_t *page, size_t index)
{
    if (!CFG_BITS) return mic_page_push_local(page, (mic_block_t *)mic_page_block(page, index));
    return mic_bits_put(page, index);
}

/* Bytes of a block that the user may use. */
mic_inline size_t mic_page_usable(const mic_page_t *page)
{
    return page->block_bytes - (page->kind == MIC_PAGE_SPAN ? 0 : MIC_CANARY_BYTES);
}

/* Geometry of a span for a request: its only block, and slices for it and for the guard behind. */
mic_inline size_t mic_span_block_bytes(size_t bytes)
{
    return mic_align_up(mic_max(bytes, 1), CFG_BITS ? mic_os_info.page_bytes : MIC_SLICE_BYTES);
}
mic_inline size_t mic_span_slices(size_t bytes)
{
    return mic_divide_up(mic_span_block_bytes(bytes) + MIC_SPAN_TAIL, MIC_SLICE_BYTES);
}

/* The only block of a span is in use. */
mic_inline void mic_page_take_span(mic_page_t *page)
{
    page->used = page->capacity = 1;
    if (CFG_BITS) mic_bits_set_live(page, 0);
}

#endif
