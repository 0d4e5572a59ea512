/* What others see of a thread heap while its thread goes on, and what checks find. Any thread; see
   theap.h. */
#include "heap/theap.h"

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

void *mic_theap_find_damage(const mic_theap_t *theap)
{
    void *found = NULL;
    for (const mic_page_t *page = theap->pages; page != NULL && found == NULL;
         page = page->all_next)
        found = mic_bits_find_damage(page);
    return found;
}
