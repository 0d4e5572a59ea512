/* Counting and finding the live blocks of a page, for statistics and walks, while its thread goes
   on allocating and freeing. The descriptor is stable, since the caller holds the lock of the
   page's record; counts and lists are read as they are. A list may change under the reader, and a
   link may be what a program just wrote into its block: each is checked before it is followed, and
   no list is followed for longer than the page has blocks. */
#include "base/check.h"
#include "page/bits.h"

/* A block of the page at a link that may be anything; NULL ends a list. */
mic_racy_read static const mic_block_t *look_next(const mic_page_t *page, const mic_block_t *block,
                                                  size_t *index)
{
    const mic_block_t *const next = *(mic_block_t *const volatile *)&block->next;
    return next != NULL && mic_page_locate(page, next, index) == MIC_BLOCK_START ? next : NULL;
}

static const mic_block_t *look_first(const mic_page_t *page, const mic_block_t *list, size_t *index)
{
    return list != NULL && mic_page_locate(page, list, index) == MIC_BLOCK_START ? list : NULL;
}

mic_racy_read static const mic_block_t *look_local(const mic_page_t *page)
{
    return *(mic_block_t *const volatile *)&page->local;
}

mic_racy_read static void look_numbers(const volatile mic_page_t *page, mic_page_seen_t *seen)
{
    seen->used = page->used;
    seen->capacity = page->capacity;
    seen->block_bytes = page->block_bytes;
    seen->slices = page->slices;
    seen->active = (page->flags & MIC_PAGE_ACTIVE) != 0;
}

mic_page_seen_t mic_page_see(const mic_page_t *page)
{
    mic_page_seen_t seen;
    look_numbers(page, &seen);
    if (page->kind == MIC_PAGE_SPAN) {
        seen.used = seen.capacity = 1;
        seen.active = false; /* its flags are its user's */
    } else if (CFG_BITS) {
        seen.used = mic_bits_live_count(page);
        return seen;
    }
    seen.used -= mic_min(seen.used, mic_remote_count(page));
    return seen;
}

size_t mic_page_list_length(const mic_page_t *page, const mic_block_t *list)
{
    size_t index, n = 0;
    for (const mic_block_t *b = look_first(page, list, &index); b != NULL && n < page->reserved;
         b = look_next(page, b, &index))
        n++;
    return n;
}

static void look_clear_list(const mic_page_t *page, const mic_block_t *list, uint64_t *bits)
{
    size_t index, n = 0;
    for (const mic_block_t *b = look_first(page, list, &index); b != NULL && n < page->reserved;
         b = look_next(page, b, &index), n++)
        bits[index / 64] &= ~((uint64_t)1 << (index % 64));
}

/* Carving starts at carve_first and goes round. */
static void look_set_carved(const mic_page_t *page, uint64_t *bits)
{
    const uint32_t capacity = (uint32_t)mic_min(mic_page_see(page).capacity, page->reserved);
    uint32_t at = page->carve_first;
    for (uint32_t i = 0; i < capacity; i++) {
        bits[at / 64] |= (uint64_t)1 << (at % 64);
        if (++at == page->reserved) at = 0;
    }
}

size_t mic_page_live_bits(const mic_page_t *page, const mic_block_t *active,
                          uint64_t bits[MIC_PAGE_BITS_WORDS])
{
    const size_t words = mic_divide_up(page->reserved, 64);
    size_t end, live = 0;
    mic_atomic(uint64_t) *const remote = mic_remote_words(page, &end);
    for (size_t i = 0; i < words; i++)
        bits[i] = CFG_BITS ? mic_load_relaxed(mic_bits_live_of(page, i)) : 0;
    if (!CFG_BITS) look_set_carved(page, bits);
    if (!CFG_BITS && page->kind != MIC_PAGE_SPAN) {
        look_clear_list(page, look_local(page), bits);
        look_clear_list(page, active, bits);
    }
    for (size_t i = 0; i < words; i++) {
        bits[i] &= ~mic_load_relaxed(&remote[mic_remote_at(i * 64)]);
        live += mic_bit_count(bits[i]);
    }
    return live;
}
