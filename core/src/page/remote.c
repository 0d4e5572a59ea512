/* The remote-free protocol's atomics, one file; see remote.h and docs/protocols/remote_free.md.
   Any thread may call the freer's part; the taker's part needs authority over the record. */
#include "page/remote.h"

#include "base/check.h"
#include "page/bits.h"

mic_atomic(uint64_t) *mic_remote_words(const mic_page_t *page, size_t *end)
{
    *end = mic_remote_at(page->reserved + 63);
    return mic_arena_remote_words(page->arena, page->start);
}

bool mic_remote_set(mic_page_t *page, size_t index)
{
    uint64_t word;
    return mic_remote_set_in(mic_arena_remote_words(page->arena, page->start), index, &word);
}

bool mic_remote_all(mic_atomic(uint64_t) *words, uint32_t reserved)
{
    for (uint32_t i = 0; i < reserved; i += 64) {
        const uint64_t mask = mic_bit_mask(0, reserved - i < 64 ? reserved - i : 64);
        /* RF.20 acquire: the slices are given back with everything that the freers wrote */
        if ((mic_load_acquire(&words[mic_remote_at(i)]) & mask) != mask) return false;
    }
    return true;
}

/* RF.6: pushes the page, whose token is in the caller's hand, and keeps the tag. */
static bool remote_push(mic_inbox_t *inbox, mic_page_t *page)
{
    uintptr_t head = mic_load_relaxed(&inbox->word);
    do {
        mic_store_relaxed(&page->link, head & ~MIC_INBOX_ORPHAN);
        /* release: publishes the link, pairs with the takers' acquire (RF.8). No ABA: takers
           always take everything */
    } while (!mic_cas_release(&inbox->word, &head, (uintptr_t)page | (head & MIC_INBOX_ORPHAN)));
    return (head & MIC_INBOX_ORPHAN) != 0;
}

mic_inbox_t *mic_remote_notify(mic_page_t *page)
{
    for (;;) {
        /* RF.2 seq_cst: reads only, while the page is pending anyway */
        if (mic_load_seqcst(&page->pending) != 0) return NULL;
        /* RF.3 seq_cst: one winner; acquires the link (pairs with RF.9's exchange) */
        if (mic_exchange_seqcst(&page->pending, 1) != 0) return NULL;
        /* RF.4 seq_cst: now and not earlier, the page may have changed hands since RF.1; touch
           nothing else of it */
        const uintptr_t owner = mic_load_seqcst(&page->owner);
        if (owner != 0) {
            mic_inbox_t *const inbox = mic_owner_inbox(owner);
            return remote_push(inbox, page) ? inbox : NULL;
        }
        /* RF.5 nobody to tell; the second look closes the race with the next owner */
        (void)mic_exchange_seqcst(&page->pending, 0);
        if (mic_load_seqcst(&page->owner) == 0) return NULL;
    }
}

mic_page_t *mic_inbox_take(mic_inbox_t *inbox)
{
    /* RF.8 acquire: all links of the list */
    return (mic_page_t *)(mic_fetch_and_acquire(&inbox->word, MIC_INBOX_ORPHAN) &
                          ~MIC_INBOX_ORPHAN);
}

mic_page_t *mic_inbox_take_untag(mic_inbox_t *inbox)
{
    /* RF.13 acquire, as RF.8 */
    return (mic_page_t *)(mic_exchange_acquire(&inbox->word, 0) & ~MIC_INBOX_ORPHAN);
}

bool mic_inbox_try_orphan(mic_inbox_t *inbox)
{
    uintptr_t empty = 0;
    /* RF.15 acq_rel: a push learns of the tag from its own compare-and-swap */
    return mic_cas_acqrel(&inbox->word, &empty, MIC_INBOX_ORPHAN);
}

uintptr_t mic_remote_untoken(mic_page_t **list)
{
    mic_page_t *const page = *list;
    /* RF.9: the link first (after the next line somebody else may write it), then the token,
       then the owner (earlier, a wake-up would be lost) */
    *list = (mic_page_t *)mic_load_relaxed(&page->link);
    (void)mic_exchange_seqcst(&page->pending, 0);
    return mic_load_seqcst(&page->owner);
}

uint32_t mic_remote_collect(mic_page_t *page)
{
    size_t end;
    mic_atomic(uint64_t) *const words = mic_remote_words(page, &end);
    uint32_t collected = 0;
    for (size_t i = 0, w = 0; i < end; i += MIC_SLICE_BITMAPS, w++) {
        /* RF.10 load seq_cst: the other side of RF.1-2 */
        const uint64_t seen = mic_load_seqcst(&words[i]);
        if (seen == 0) continue;
        if (CFG_BITS) {
            collected += mic_bits_collect(page, w, seen);
            /* release: who sees that the bits are gone sees that the live bits are, too
               (mic_bits_look). Bits set since the look: their freers tell again */
            (void)mic_fetch_and_release(&words[i], ~seen);
            continue;
        }
        /* acquire: the blocks' contents as their freers left them (pairs with RF.1) */
        uint64_t bits = mic_exchange_acquire(&words[i], 0);
        const uint32_t n = mic_bit_count(bits);
        mic_require(n <= page->used && "more blocks freed than were handed out");
        /* the freers' processors have them: fetched one after the other, each push would wait */
        for (uint64_t rest = bits; rest != 0; rest &= rest - 1)
            mic_prefetch(mic_page_block(page, w * 64 + mic_bit_lowest(rest)));
        while (bits != 0) {
            const size_t index = w * 64 + mic_bit_lowest(bits);
            bits &= bits - 1;
            (void)mic_page_push_local(page, (mic_block_t *)mic_page_block(page, index));
        }
        collected += n;
    }
    page->flags &= (uint8_t)~MIC_PAGE_POLL;
    return collected;
}

void mic_page_owner_publish(mic_page_t *page, mic_inbox_t *inbox, uintptr_t tags)
{
    mic_require(((uintptr_t)inbox & MIC_OWNER_TAGS) == 0);
    /* RF.17 seq_cst both: either the holder of a late token sees the new owner, or the new owner
       sees the token and polls */
    mic_store_seqcst(&page->owner, (uintptr_t)inbox | tags);
    if (mic_load_seqcst(&page->pending) != 0) page->flags |= MIC_PAGE_POLL;
}

void mic_page_owner_clear(mic_page_t *page) { mic_store_seqcst(&page->owner, 0); /* RF.12 */ }

void mic_page_owner_tag(mic_page_t *page, uintptr_t set, uintptr_t clear)
{
    const uintptr_t owner = mic_load_relaxed(&page->owner);
    /* release: a freer that reads the owner from this store must see the record initialised */
    mic_store_release(&page->owner, (owner & ~clear) | set);
}

bool mic_remote_any(const mic_page_t *page)
{
    size_t end;
    mic_atomic(uint64_t) *const words = mic_remote_words(page, &end);
    for (size_t i = 0; i < end; i += MIC_SLICE_BITMAPS)
        if (mic_load_seqcst(&words[i]) != 0) return true;
    return false;
}

uint32_t mic_remote_clear(mic_page_t *page)
{
    size_t end;
    uint32_t cleared = 0;
    mic_atomic(uint64_t) *const words = mic_remote_words(page, &end);
    for (size_t i = 0, w = 0; i < end; i += MIC_SLICE_BITMAPS, w++) {
        /* first, as in RF.10: nothing is live in the page any more */
        if (CFG_BITS) mic_store_relaxed(mic_bits_live_of(page, w), 0);
        cleared += mic_bit_count(mic_exchange_acqrel(&words[i], 0)); /* RF.12a, as RF.10 */
    }
    return cleared;
}

uint32_t mic_remote_count(const mic_page_t *page)
{
    size_t end;
    uint32_t set = 0;
    mic_atomic(uint64_t) *const words = mic_remote_words(page, &end);
    for (size_t i = 0; i < end; i += MIC_SLICE_BITMAPS)
        set += mic_bit_count(mic_load_relaxed(&words[i]));
    return set;
}

void mic_remote_reset_token(mic_page_t *page) { mic_store_relaxed(&page->pending, 0); }
