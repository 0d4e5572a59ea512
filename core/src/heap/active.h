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

mic_inline mic_block_t *mic_active_take_of(mic_theap_t *theap, mic_word_t *word)
{
    mic_block_t *const taken = mic_bits_take(word, &theap->rotation);
    if (CFG_HARDENED && mic_likely(taken != NULL) &&
        mic_unlikely(!mic_bits_is_clear(taken, word->last)))
        return mic_active_look_again(taken, word->last);
    return taken;
}

mic_inline mic_block_t *mic_active_take(mic_theap_t *theap, unsigned cls)
{
    if (CFG_BITS) return mic_active_take_of(theap, &theap->word[cls]);
    mic_block_t *const block = theap->list[cls];
    if (mic_unlikely(block == NULL)) return NULL;
    mic_block_t *const next = block->next;
    theap->list[cls] = next;
    if (CFG_PREFETCH_NEXT) mic_prefetch(next);
    return block;
}

/* The same for a request of at most MIC_TABLE_REQUEST_MAX. */
mic_inline mic_block_t *mic_active_take_for(mic_theap_t *theap, size_t bytes)
{
    if (CFG_BITS) {
        const size_t at = theap->class_of[MIC_TABLE_INDEX(bytes)];
        /* scaled already: malloc needs no shift */
        char *word = (char *)theap->word + at * (sizeof(mic_word_t) / MIC_TABLE_SCALE);
        return mic_active_take_of(theap, (mic_word_t *)(void *)word);
    }
    return mic_active_take(theap, mic_theap_class(theap, bytes));
}

/* Policy "bits": of an active page that is carved so little is free that others had better take
   turns: a refill gives what is free in a word, and less than four blocks in each are hardly worth
   one. */
mic_inline bool mic_active_is_meagre(const mic_theap_t *theap, const mic_page_t *page)
{
    return theap->queue[page->cls] != NULL && mic_page_local_count(page) < page->reserved / 16;
}

/* Policy "bits" without quarantine: the set gets the next word but for one block. */
mic_inline mic_block_t *mic_active_take_word(mic_theap_t *theap, mic_page_t *page, uint64_t ahead,
                                             bool part)
{
    const unsigned cls = page->cls;
    const uint64_t random = mic_random_next(&theap->random);
    uint32_t n = 0;
    mic_block_t *const block =
        mic_bits_take_next(page, &theap->word[cls], &ahead, random, part, &n);
    if (mic_unlikely(block == NULL)) return NULL;
    theap->ahead[cls] = ahead;
    theap->given[cls] = n - 1;
    theap->totals.n[cls] += n;
    theap->rotation ^= random & ~(uint64_t)63; /* stays odd */
    return block;
}

/* Blocks that a page keeps free if it can, so that which one comes next cannot be told, and one
   that was freed does not come back at once. */
#define MIC_CHOICE 64u
#define MIC_CHOICE_BYTES ((size_t)(CFG_HARDENED ? 40 : 8) * MIC_KIB)
/* Of small blocks it is that many, ... */
#define MIC_CHOICE_SMALL ((size_t)272)
/* ... and so many of others: of those above MIC_CHOICE_FAIR it would take too much memory. */
#define MIC_CHOICE_FAIR ((size_t)1280)
#define MIC_CHOICE_LEAST(stride) ((stride) <= MIC_CHOICE_FAIR ? 15u : 4u)
#define MIC_CHOICE_LARGE 2u /* one of them may have been freed a moment ago */

/* A page has half of that, or cannot have more: nothing is carved. */
mic_inline bool mic_active_has_choice(const mic_page_t *page)
{
    if (!mic_page_can_extend(page)) return true;
    if (mic_unlikely(mic_bits_are_few(page))) {
        const uint64_t bits = mic_bits_free_few(page) & mic_load_relaxed(mic_bits_more_of(page));
        return bits != 0; /* medium pages can extend when they are new, only */
    }
    const size_t has = mic_page_local_count(page);
    return has >= MIC_CHOICE / 2 || (has >= MIC_CHOICE_LEAST(page->stride) / 2 &&
                                     has * page->stride >= MIC_CHOICE_BYTES / 2);
}

/* Policy "bits" without quarantine: the set is used up, and its page `mic_page_can_extend`, but has
   a choice without that. Of larger blocks a refill hands out a part only (mic_bits_thin). NULL:
   nothing happened. */
mic_inline mic_block_t *mic_active_take_part(mic_theap_t *theap, mic_page_t *page)
{
    if (mic_bits_are_few(page) || page->stride > MIC_THIN_STRIDE || !mic_active_has_choice(page) ||
        mic_unlikely(page->carve_first + page->capacity > page->reserved))
        return NULL;
    uint64_t ahead = theap->ahead[page->cls];
    if (ahead == 0) {
        const uint32_t first = page->carve_first;
        if (mic_likely(first % 64 + page->capacity <= 64))
            ahead = (uint64_t)1 << (first / 64); /* one word: it is looked at anyway */
        else
            ahead = mic_bits_look_through_part(page);
    }
    return ahead == 0 ? NULL : mic_active_take_word(theap, page, ahead, true);
}

/* The same of a page that is carved, if it is known where more is: the miss of malloc that comes
   most often by far. */
mic_inline mic_block_t *mic_active_take_next(mic_theap_t *theap, mic_page_t *page)
{
    uint64_t ahead = theap->ahead[page->cls];
    if (ahead == 0) { /* nothing to look through where there is one word only */
        if (page->reserved > 64 || mic_bits_are_few(page) || mic_active_is_meagre(theap, page))
            return NULL;
        ahead = 1;
    }
    return mic_active_take_word(theap, page, ahead, false);
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
