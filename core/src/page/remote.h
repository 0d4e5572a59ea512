/* Remote free: how a block is freed by a thread that does not own its page. One protocol for every
   build; docs/protocols/remote_free.md has the transition table, whose row numbers (RF.n) stand at
   each atomic below. All shared words of the protocol are written here and in remote.c, nowhere
   else.

   Words: page.owner    inbox | tags; 0 = free page or inner slice
          page.pending  the token: 1 = the page is in an inbox or in somebody's hand
          page.link     written only by the holder of the token
          words         one bit per block: freed remotely and not collected yet
          inbox.word    last pushed page | ORPHAN; the list hangs together by page.link

   Not for: deciding who has authority over a record (heap/pool.h), queues, releasing slices. */
#ifndef MIC_PAGE_REMOTE_H
#define MIC_PAGE_REMOTE_H

#include "page/page.h"

/* First member of a thread record, so that an owner word is also a record's address. */
typedef struct mic_inbox {
    mic_atomic(uintptr_t) word; /* [atomic: remote free] page | MIC_INBOX_ORPHAN */
} mic_inbox_t;

#define MIC_INBOX_ORPHAN ((uintptr_t)1)

mic_inline mic_inbox_t *mic_owner_inbox(uintptr_t owner)
{
    return (mic_inbox_t *)(owner & ~MIC_OWNER_TAGS);
}

/* ---- freer ---- */

/* Where the block's bit is among the page's words, which others lie between (base/config.h). */
mic_inline size_t mic_remote_at(size_t index) { return (index >> 6) * MIC_SLICE_BITMAPS; }
/* RF.1: sets the block's bit. False: it was set, the block was freed twice. The caller has the
   block; afterwards only the functions below may touch the page. *word: the block's word then. */
mic_inline bool mic_remote_set_in(mic_atomic(uint64_t) *words, size_t index, uint64_t *word)
{
    const uint64_t bit = (uint64_t)1 << (index & 63);
    /* RF.1 seq_cst: releases the block's contents (pairs with the exchange in RF.10) and is one
       side of the store-load pair with RF.9's exchange and RF.10's load. (Asking for this bit only
       would make one instruction of it on x86-64, "lock bts", which takes longer) */
    const uint64_t old = mic_fetch_or_seqcst(&words[mic_remote_at(index)], bit);
    *word = old | bit;
    return (old & bit) == 0;
}
bool mic_remote_set(mic_page_t *page, size_t index);
/* RF.2 alone: the owner was told already and nothing is left to do. */
mic_inline bool mic_remote_is_told(const mic_page_t *page)
{
    return mic_load_seqcst(&page->pending) != 0;
}
/* RF.20: every one of `reserved` blocks was freed remotely and none collected, as of now. Their
   words (mic_remote_words, from before RF.1) may be looked at any time: their address is fixed. */
bool mic_remote_all(mic_atomic(uint64_t) *words, uint32_t reserved);

/* RF.2-6: tells the owner that the page has bits. Returns the inbox if it carried the ORPHAN tag:
   the caller must reap that record (RF.7), holding no record lock; else NULL. */
mic_inbox_t *mic_remote_notify(mic_page_t *page);

/* ---- taker: must have authority over the inbox's record ---- */

mic_inline bool mic_inbox_is_empty(const mic_inbox_t *inbox)
{
    return (mic_load_relaxed(&inbox->word) & ~MIC_INBOX_ORPHAN) == 0;
}

/* RF.8: takes all pages; the tag stays as it is. */
mic_page_t *mic_inbox_take(mic_inbox_t *inbox);
/* RF.13: takes all pages and removes the tag: the record left the pool. */
mic_page_t *mic_inbox_take_untag(mic_inbox_t *inbox);
/* RF.15: empty -> ORPHAN, under the pool lock. False: something was pushed, drain again. */
bool mic_inbox_try_orphan(mic_inbox_t *inbox);

/* RF.9: gives up the token of the first page of a taken list. Returns the owner as of after that
   and moves *list on; the order of its three steps is what the protocol stands on. */
uintptr_t mic_remote_untoken(mic_page_t **list);

/* RF.10: collects the freed blocks of a page that the caller owns, into its local list.
   Returns how many. Clears the poll mark. */
uint32_t mic_remote_collect(mic_page_t *page);

/* ---- owner word ---- */

mic_inline uintptr_t mic_page_owner(const mic_page_t *page)
{
    return mic_load_relaxed(&page->owner);
}

/* As another thread sees it: with all that the owner wrote before it set the tag it has. */
mic_inline uintptr_t mic_page_owner_seen(const mic_page_t *page)
{
    return mic_load_acquire(&page->owner);
}

/* RF.17: the page gets its owner (init, steal, adoption of a single page); sets the poll mark when
   its token is somewhere else. */
void mic_page_owner_publish(mic_page_t *page, mic_inbox_t *inbox, uintptr_t tags);
/* RF.12: the page has none any more; its slices may be given back after this. */
void mic_page_owner_clear(mic_page_t *page);
/* The owner changes tags: same record, so that nobody's decision depends on it. */
void mic_page_owner_tag(mic_page_t *page, uintptr_t set, uintptr_t clear);

/* All words of the page, every MIC_SLICE_BITMAPS'th one before `end`; for checks, destroy and the
   forked child. */
mic_atomic(uint64_t) *mic_remote_words(const mic_page_t *page, size_t *end);
bool mic_remote_any(const mic_page_t *page);
/* Forgets all bits (span released by its freer, RF.12a). Returns how many were set. */
uint32_t mic_remote_clear(mic_page_t *page);
/* How many bits are set; may be stale (statistics). */
uint32_t mic_remote_count(const mic_page_t *page);

/* Forked child, one thread: forget tokens; see heap/fork.c. */
void mic_remote_reset_token(mic_page_t *page);

#endif
