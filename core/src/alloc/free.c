/* Freeing's slow path: everything but a plain local block. Any thread; never makes a thread ready,
   never changes errno. */
#include <errno.h>

#include "alloc/slow.h"
#include "base/check.h"
#include "heap/held.h"
#include "os/os.h"
#include "page/guard.h"
#include "rt/report.h"

bool mic_locate(const void *p, mic_located_t *at)
{
    mic_page_t *page = NULL; /* nearly always the first slice of a page of the main region */
    if (mic_unlikely(!mic_page_find_main(p, &page)) || mic_unlikely(mic_page_owner(page) == 0)) {
        page = mic_page_of(p);
        if (page == NULL) return false;
    }
    const mic_block_check_t check = mic_page_locate(page, p, &at->index);
    if (check == MIC_BLOCK_OUTSIDE) return false;
    at->page = page;
    at->block = mic_page_block(page, at->index);
    at->inner = check == MIC_BLOCK_INNER;
    return true;
}

void mic_free_emptied(mic_page_t *page)
{
    mic_record_t *const record = mic_tls.record;
    mic_record_enter(record);
    mic_theap_page_emptied(page);
    mic_record_leave(record);
}

static mic_cold void free_report_twice(mic_page_t *page, size_t index)
{
    const mic_located_t at = {page, mic_page_block(page, index), index, false};
    mic_report_misuse(MIC_VERDICT_FREE, "free", at.block, &at);
}

/* The page's owner was seen to be the calling thread, by this owner word. */
static mic_noinline void free_local_slow(mic_page_t *page, size_t index, uintptr_t owner)
{
    mic_record_t *const record = mic_tls.record;
    bool ok = true;
    mic_record_enter(record);
    if ((owner & MIC_OWNER_FULL) != 0) ok = mic_theap_page_unfull(page, record, index);
    if (mic_likely(ok) && mic_page_put(page, index) == 0) mic_theap_page_emptied(page);
    mic_record_leave(record);
    if (mic_unlikely(!ok)) free_report_twice(page, index);
}

void mic_free_span(mic_page_t *page)
{
    if (mic_page_is_sampled(page)) mic_guarded_note_free(page);
    if ((page->flags & MIC_PAGE_EMPTIED) == 0 && mic_purge_at_once(mic_page_run(page)))
        page->flags |= MIC_PAGE_EMPTIED;
    if (CFG_HARDENED) mic_page_clear_span(page, mic_held_keeps(page));
    mic_record_t *record;
    while ((record = mic_record_of_owner(mic_page_owner(page))) != NULL) {
        mic_lock_acquire(&record->lock);
        if (mic_record_of_owner(mic_page_owner(page)) == record) {
            (void)mic_remote_clear(page); /* not set when realloc moved the block */
            mic_theap_release_page_locked(page);
            mic_lock_release(&record->lock);
            return;
        }
        mic_lock_release(&record->lock); /* the record's pages moved meanwhile */
    }
    free_report_twice(page, 0); /* by another thread, after this one had looked at the block */
}

/* Cheap and nearly always false: the block's word has no other block left. */
mic_inline bool free_fills_word(uint64_t word, size_t index, uint32_t reserved)
{
    if (mic_likely((word & (word + 1)) != 0)) return false; /* not even all of the lower ones */
    const size_t first = index & ~(size_t)63;
    const size_t n = reserved - first < 64 ? reserved - first : 64;
    return word == mic_bit_mask(0, (unsigned)n);
}

/* RF.20: the block was perhaps the last of a full page: then nobody else can reach the page, and
   its owner may be asleep for long. Released under the owner's record lock, as by the owner. */
static bool free_last_of_full(mic_page_t *page, mic_atomic(uint64_t) *words, uint32_t reserved)
{
    if (!mic_remote_all(words, reserved)) return false;
    const uintptr_t owner = mic_page_owner_seen(page);
    if ((owner & MIC_OWNER_TAGS) != MIC_OWNER_FULL) return false;
    mic_record_t *const record = mic_record_of_owner(owner);
    mic_lock_acquire(&record->lock);
    /* whatever page it is by now: full, of this record, and nothing live in it. Policy "bits": nor
       a block that its owner has freed, too, which RF.10 is to report */
    const bool last = mic_page_owner_seen(page) == owner && mic_remote_all(words, page->reserved) &&
                      (!CFG_BITS || mic_bits_all_remote(page) == page->reserved);
    if (last) {
        page->used -= mic_remote_clear(page);
        mic_theap_release_page_locked(page);
    }
    mic_lock_release(&record->lock);
    return last;
}

/* RF.2-7. Not inlined, like all that is rare here: what it needs would be saved for each free. */
static mic_noinline void free_notify(mic_page_t *page)
{
    mic_record_notify(page, mic_thread_is_ready() ? mic_tls.record : NULL);
}

mic_inline void free_tell(mic_page_t *page)
{
    if (!mic_remote_is_told(page)) free_notify(page);
}

static mic_noinline void free_filled_word(mic_page_t *page, mic_atomic(uint64_t) *words,
                                          uint32_t reserved)
{
    if (!free_last_of_full(page, words, reserved)) free_tell(page);
}

mic_inline void free_remote(mic_page_t *page, mic_atomic(uint64_t) *words, size_t index)
{
    /* before RF.1: afterwards the page may change hands */
    const uint32_t reserved = page->reserved;
    const bool span = page->kind == MIC_PAGE_SPAN;
    if (CFG_HARDENED) mic_bits_clear_block(page, index);
    uint64_t word;
    if (mic_unlikely(!mic_remote_set_in(words, index, &word)))
        free_report_twice(page, index);
    else if (mic_unlikely(span))
        mic_free_span(page);
    else if (mic_unlikely(free_fills_word(word, index, reserved)))
        free_filled_word(page, words, reserved);
    else
        free_tell(page);
}

/* Policy "bits": a block of our own in another slice of a page than the first, or hardened a long
   one in any; false: not so, or something is wrong. */
mic_inline bool free_far_local(void *p)
{
    mic_page_t *page = NULL;
    mic_plain_t found;
    if (mic_unlikely(!mic_page_find_main(p, &page)) || (!CFG_HARDENED && page->back == 0))
        return false;
    page -= page->back; /* what a slice says that is of no page any more is looked at, too */
    if (mic_load_fast(&page->owner) != (uintptr_t)mic_tls.record ||
        mic_unlikely(!mic_bits_is_plain_far(page, p, &found)))
        return false;
    if (mic_unlikely(mic_bits_put_start(page, found.index) == 0)) mic_free_emptied(page);
    return true;
}

/* Another thread's block in the first slice of a page of the main region, or with policy "list" one
   of an own page that is full; false: none such. */
mic_inline bool free_plain(void *p)
{
    mic_page_t *page = NULL;
    if (mic_unlikely(!mic_page_find_main(p, &page))) return false;
    const uintptr_t owner = mic_page_owner(page);
    const bool own = mic_record_of_owner(owner) == mic_tls.record;
    if (mic_unlikely(owner == 0) || mic_unlikely((owner & MIC_OWNER_INNER) != 0) ||
        (own && (CFG_BITS || (owner & MIC_OWNER_TAGS) != MIC_OWNER_FULL)))
        return false;
    size_t index;
    if (CFG_BITS) {
        mic_plain_t found;
        if (mic_likely(page->kind != MIC_PAGE_SPAN && mic_bits_is_plain(page, p, &found)))
            index = found.index;
        else if (mic_bits_check(page, p, &index) != MIC_VERDICT_OK)
            return false;
    } else {
        const size_t offset = (size_t)((char *)p - page->start);
        index = mic_page_index_of(page, offset);
        if (mic_unlikely(index * page->block_bytes != offset) ||
            mic_unlikely(index >= page->reserved))
            return false;
        if (own) {
            free_local_slow(page, index, owner);
            return true;
        }
    }
    if (CFG_BITS) {
        free_remote(page, mic_bits_remote_of(page->live), index);
        return true;
    }
    const size_t slice =
        ((uintptr_t)page - mic_load_fast(&mic_region.descriptors)) / MIC_DESCRIPTOR_BYTES;
    const uintptr_t words = mic_load_fast(&mic_region.remote) + slice * MIC_SLICE_BITMAPS_BYTES;
    free_remote(page, (mic_atomic(uint64_t) *)words, index);
    return true;
}

/* Not a plain block of a small page's owner, a page with inner pointers, or of the first slice.
   Not inlined, so that the more frequent way around it needs no room on the stack. */
static mic_noinline void free_located(void *p)
{
    if (CFG_BITS && !CFG_HARDENED && free_far_local(p)) return;
    mic_located_t at;
    const mic_verdict_t verdict = mic_examine(p, &at);
    if (mic_unlikely(verdict != MIC_VERDICT_OK)) {
        mic_report_misuse(verdict, "free", p, &at);
        return;
    }
    /* a span's owner sets its bit like everybody else: one of two frees is the second */
    const uintptr_t owner = mic_page_owner(at.page);
    if (mic_record_of_owner(owner) == mic_tls.record && at.page->kind != MIC_PAGE_SPAN)
        free_local_slow(at.page, at.index, owner);
    else
        free_remote(at.page, mic_arena_remote_words(at.page->arena, at.page->start), at.index);
}

void mic_free_slow(void *p)
{
    if (CFG_HARDENED && free_far_local(p)) return;
    if (mic_likely(free_plain(p)) || p == NULL) return; /* by far the most frequent here */
    free_located(p);
}

bool mic_is_owned(const void *p)
{
    mic_located_t at;
    return mic_locate(p, &at);
}

size_t mic_usable_size(const void *p)
{
    /* some programs ask for every block; no more is checked here than free's fast path does */
    mic_page_t *page = NULL;
    if (!CFG_BITS && mic_likely(mic_page_find_main(p, &page))) {
        const uintptr_t owner = mic_page_owner(page);
        if (mic_likely(owner != 0) && mic_likely((owner & MIC_OWNER_INNER) == 0))
            return page->block_bytes;
    }
    mic_located_t at;
    if (p == NULL) return 0;
    const mic_verdict_t verdict = mic_examine(p, &at);
    if (mic_likely(verdict == MIC_VERDICT_OK)) return mic_located_usable(&at, p);
    if (CFG_BITS) mic_report_misuse(verdict, "usable size", p, &at);
    return 0;
}
