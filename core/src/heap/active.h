/* The active sets of a thread heap, one for each class: what malloc takes blocks from, and where
   they come from. All that depends on the free-set policy (page/free_set.h) is here and in page/.

   [owner] everything; the blocks of an active set count as used by their page, the active one of
   the class. */
#ifndef MIC_HEAP_ACTIVE_H
#define MIC_HEAP_ACTIVE_H

#include "heap/theap.h"
#include "page/free_set.h"

/* Hardened: a free block that is not clear at the first look: a long one is looked at here; else it
   was written to, which is reported, and the block is clear afterwards. Returns it: as
   the last call of malloc it needs no frame there. */
mic_block_t *mic_active_look_again(mic_block_t *block, size_t last)
    __attribute__((returns_nonnull));

/* Hardened: keeps such a block, or a span that was written to while it was held, to be reported
   when no lock is held: a program's error handler may need it. */
void mic_active_note_written(const void *block, size_t bytes);
/* The last one that was kept, and its size. NULL: none since the last call. */
void *mic_active_written(size_t *bytes);

mic_inline mic_block_t *mic_active_take(mic_theap_t *theap, unsigned cls)
{
    if (CFG_BITS) {
        mic_word_t *word = &theap->word[cls];
        mic_opaque(word);
        mic_block_t *const taken = mic_bits_take(word, &theap->rotation);
        if (CFG_HARDENED && mic_likely(taken != NULL) &&
            mic_unlikely(!mic_bits_is_clear(taken, word->last)))
            return mic_active_look_again(taken, word->last);
        return taken;
    }
    mic_block_t *const block = theap->list[cls];
    if (mic_unlikely(block == NULL)) return NULL;
    mic_block_t *const next = block->next;
    theap->list[cls] = next;
    if (CFG_PREFETCH_NEXT) mic_prefetch(next);
    return block;
}

/* Policy "bits": of an active page that is carved so little is free that others had better take
   turns: a refill gives what is free in a word, and less than four blocks in each are hardly worth
   one. */
mic_inline bool mic_active_is_meagre(const mic_theap_t *theap, const mic_page_t *page)
{
    return theap->queue[page->cls] != NULL && mic_page_local_count(page) < page->reserved / 16;
}

/* Policy "bits" without quarantine: the set is used up, and it is known where in the active page
   more is: the miss of malloc that comes most often by far. NULL: nothing happened. */
mic_inline mic_block_t *mic_active_take_next(mic_theap_t *theap, unsigned cls)
{
    mic_page_t *const page = theap->active[cls];
    if (page == NULL || mic_page_can_extend(page)) return NULL;
    uint64_t ahead = theap->ahead[cls];
    if (ahead == 0) { /* nothing to look through where there is one word only */
        if (page->reserved > 64 || mic_bits_are_few(page) || mic_active_is_meagre(theap, page))
            return NULL;
        ahead = 1;
    }
    const uint64_t random = mic_random_next(&theap->random);
    uint32_t n = 0;
    mic_block_t *const block = mic_bits_take_next(page, &theap->word[cls], &ahead, random, &n);
    if (mic_unlikely(block == NULL)) return NULL;
    theap->ahead[cls] = ahead;
    theap->given[cls] = n - 1;
    theap->totals.n[cls] += n;
    theap->rotation ^= random & ~(uint64_t)63; /* stays odd */
    return block;
}

mic_inline bool mic_active_is_empty(const mic_theap_t *theap, unsigned cls)
{
    return CFG_BITS ? theap->word[cls].bits == 0 : theap->list[cls] == NULL;
}

/* An empty set gets blocks of the active page of its class, carved if need be: one is returned,
   NULL when the page has none. *fresh_zero: the block reads as zero, but for its first word with
   policy "list". */
mic_block_t *mic_active_refill(mic_theap_t *theap, mic_page_t *page, bool *fresh_zero);
/* The same of the active page of a class, if there is one, without knowing whether the block is
   zero. Policy "list": only what was freed into the page, if that is not too little. NULL: nothing
   happened, go the long way. */
mic_block_t *mic_active_take_freed(mic_theap_t *theap, unsigned cls);
/* Without quarantine: the active page has nothing but a few freed blocks, and others wait with
   perhaps more. */
bool mic_active_is_poor(const mic_theap_t *theap, unsigned cls);
/* At most `most` stay for malloc, the others go back to the page. Returns how many stay. */
size_t mic_active_cut(mic_theap_t *theap, mic_page_t *page, size_t most);
/* All go back to the page. */
void mic_active_return(mic_theap_t *theap, mic_page_t *page);
/* How many there are; nobody uses the thread heap. */
size_t mic_active_left(const mic_theap_t *theap, const mic_page_t *page);
/* They go with their page. */
void mic_active_forget(mic_theap_t *theap, unsigned cls);
bool mic_active_is_valid(const mic_theap_t *theap, const mic_page_t *page);

#endif
