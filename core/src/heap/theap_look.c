/* What others see of a thread heap while its thread goes on, and what checks find. Any thread; see
   theap.h. */
#include "heap/active.h"
#include "heap/heap.h"

mic_racy_read const mic_block_t *mic_theap_list_seen(const mic_theap_t *theap, unsigned cls)
{
    return *(mic_block_t *const volatile *)&theap->list[cls];
}

mic_racy_read size_t mic_theap_given_seen(const mic_theap_t *theap, unsigned cls)
{
    return *(const volatile uint32_t *)&theap->given[cls];
}

mic_racy_read size_t mic_theap_left_seen(const mic_theap_t *theap, unsigned cls)
{
    return mic_bit_count(*(const volatile uint64_t *)&theap->word[cls].bits);
}

bool mic_theap_is_valid(const mic_theap_t *theap)
{
    size_t count = 0;
    for (const mic_page_t *page = theap->pages; page != NULL; page = page->all_next) {
        const bool active = (page->flags & MIC_PAGE_ACTIVE) != 0;
        const bool queued = (page->flags & MIC_PAGE_QUEUED) != 0;
        const bool full = (mic_page_owner(page) & MIC_OWNER_FULL) != 0;
        const unsigned cls = page->cls;
        if (mic_page_theap(page) != theap) return false;
        if (mic_record_of_owner(mic_page_owner(page)) != theap->record) return false;
        if (page->kind != MIC_PAGE_SPAN) {
            if (active + queued + full != 1) return false;
            if (active && theap->active[cls] != page) return false;
            if (!mic_active_is_valid(theap, page)) return false;
        }
        count++;
    }
    return count == theap->page_count;
}

void *mic_theap_find_damage(const mic_theap_t *theap)
{
    void *found = NULL;
    for (const mic_page_t *page = theap->pages; page != NULL && found == NULL;
         page = page->all_next)
        found = mic_bits_find_damage(page);
    return found;
}

/* [atomic: relaxed]   |31 ... 16|15 ... 0|
                       | forks   | holds  | */
static mic_atomic(uint32_t) theap_moves;
#define MOVES_FORK ((uint32_t)1 << 16)
#define MOVES_FORKS ~(MOVES_FORK - 1)

uint32_t mic_theap_moves_hold(void) { return mic_fetch_add_relaxed(&theap_moves, 1) & MOVES_FORKS; }

void mic_theap_moves_release(uint32_t hold)
{
    uint32_t seen = mic_load_relaxed(&theap_moves);
    while ((seen & MOVES_FORKS) == hold && !mic_cas_acquire(&theap_moves, &seen, seen - 1)) {
    }
}

bool mic_theap_moves_are_held(void) { return (mic_load_relaxed(&theap_moves) & ~MOVES_FORKS) != 0; }

void mic_theap_moves_forget(void)
{
    mic_store_relaxed(&theap_moves, (mic_load_relaxed(&theap_moves) & MOVES_FORKS) + MOVES_FORK);
}
