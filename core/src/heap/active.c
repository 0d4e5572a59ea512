/* Filling and emptying active sets; see active.h. The caller has authority over the record. */
#include "heap/active.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "heap/record.h"
#include "heap/thread.h"
#include "os/os.h"
#include "rt/report.h"

/* Fewer blocks than this on a page's list: carve some more with them, while it is cheap. */
#define REFILL_FEW 4
#define REFILL_FEW_BYTES_MAX 1024
/* memory that was used before is resident already: carve more of it at a time */
#define REFILL_EXTEND_DIRTY_FACTOR 4

/* A heap of its own is perhaps there for one request: it gets few blocks first. */
#define REFILL_EXTEND_FEW 16

static bool active_is_default(const mic_theap_t *theap) { return theap == &theap->record->theap; }

static size_t active_extend_bytes(const mic_theap_t *theap, const mic_page_t *page)
{
    size_t bytes = mic_os_info.page_bytes * REFILL_EXTEND_DIRTY_FACTOR;
    if ((page->flags & MIC_PAGE_FRESH_ZERO) != 0) {
        /* to the end of the OS page: the next one is touched when it is needed */
        const size_t at = (page->carve_first + page->capacity) % page->reserved;
        const uintptr_t from = (uintptr_t)page->start + at * page->stride;
        bytes = mic_align_up(from + 1, mic_os_info.page_bytes) - from;
        if (bytes < page->block_bytes) bytes += mic_os_info.page_bytes;
    }
    if (active_is_default(theap)) return bytes;
    return mic_min(bytes, mic_max(page->capacity, REFILL_EXTEND_FEW) * page->block_bytes);
}

/* The list becomes the active one, but for its first block, which is returned. */
mic_inline mic_block_t *refill_hand_out(mic_theap_t *theap, unsigned cls, mic_block_t *list,
                                        uint32_t n, bool in_order)
{
    const uint64_t bit = (uint64_t)1 << cls;
    theap->given[cls] = n - 1;
    theap->totals.n[cls] += n;
    theap->in_order = (theap->in_order & ~bit) | (in_order ? bit : 0);
    mic_compiler_barrier();
    theap->list[cls] = list->next;
    return list;
}

bool mic_active_is_poor(const mic_theap_t *theap, unsigned cls)
{
    const mic_page_t *const page = theap->active[cls];
    if (CFG_HARDENED || theap->queue[cls] == NULL || mic_page_can_extend(page)) return false;
    const uint32_t count = mic_page_local_count(page);
    if (CFG_BITS) return count != 0 && theap->ahead[cls] == 0 && mic_active_is_meagre(theap, page);
    return count != 0 && count < REFILL_FEW;
}

static mic_block_t *refill_list(mic_theap_t *theap, mic_page_t *page, bool *fresh_zero)
{
    const unsigned cls = page->cls;
    const uint32_t count = mic_page_local_count(page);
    const uint32_t capacity = page->capacity;
    mic_block_t *list = count != 0 ? mic_page_take_local(page) : NULL;
    const bool few = count < REFILL_FEW && page->block_bytes <= REFILL_FEW_BYTES_MAX;
    if ((list == NULL || few) && mic_page_can_extend(page)) {
        const bool zero = (page->flags & MIC_PAGE_FRESH_ZERO) != 0;
        mic_block_t *last;
        const size_t bytes = active_extend_bytes(theap, page);
        mic_block_t *const fresh = mic_page_extend(page, bytes, &last);
        theap->totals.n[MIC_TOTAL_EXTENDED]++;
        *fresh_zero = zero && list == NULL;
        if (list == NULL) {
            list = fresh;
        } else { /* behind the blocks that are warm */
            mic_block_t *end = list;
            /* a block that was freed twice makes a ring of it */
            for (uint32_t i = 1; i < count && end->next != NULL; i++) end = end->next;
            end->next = fresh;
        }
    }
    if (list == NULL) return NULL;
    return refill_hand_out(theap, cls, list, count + (page->capacity - capacity), count == 0);
}

static void bits_carve(const mic_theap_t *theap, mic_page_t *page)
{
    const size_t stride = page->stride;
    uint32_t want = MIC_CHOICE;
    if (stride > MIC_CHOICE_SMALL) want = (uint32_t)mic_min(want, MIC_CHOICE_BYTES / stride);
    want = (uint32_t)mic_max(want, page->kind == MIC_PAGE_LARGE ? MIC_CHOICE_LARGE
                                                                : MIC_CHOICE_LEAST(stride));
    if (!active_is_default(theap)) want = (uint32_t)mic_min(want, REFILL_EXTEND_FEW);
    if (mic_bits_are_medium(page)) want = page->reserved; /* nothing is touched */
    const uint32_t has = mic_bits_available(page, (uint32_t)mic_max(1, want / 2));
    if (has >= want / 2 && has != 0) return;
    /* what shares the last OS page costs nothing more */
    const uint32_t least = (uint32_t)(active_extend_bytes(theap, page) / stride);
    mic_bits_extend(page, (uint32_t)mic_max(want, least));
}

/* Hardened: allocations of the class for which a block that was freed stays out of use, at least.
   So many blocks of each class, or twice, are what quarantine holds of a thread's memory: of small
   ones a page, which ages when all of it was handed out; else half of that, since each class has
   its own, and what is looked at had better be in a cache near by. */
#define HELD_BLOCKS_MAX 1024u
#define HELD_BLOCKS_MIN 8u
#define HELD_BLOCKS_MIN_LARGE 4u
#define HELD_BYTES ((size_t)30 * MIC_KIB)
#define HELD_BYTES_SMALL ((size_t)60 * MIC_KIB)
#define HELD_SMALL ((size_t)128)

static uint32_t bits_wait(const mic_page_t *page)
{
    const size_t bytes = page->block_bytes <= HELD_SMALL ? HELD_BYTES_SMALL : HELD_BYTES;
    const size_t least = page->kind == MIC_PAGE_LARGE ? HELD_BLOCKS_MIN_LARGE : HELD_BLOCKS_MIN;
    return (uint32_t)mic_max(least, mic_min(HELD_BLOCKS_MAX, bytes / page->block_bytes));
}

static void bits_age(const mic_theap_t *theap, mic_page_t *page)
{
    const uint32_t now = theap->taken[page->cls];
    if (now - page->stamp < bits_wait(page)) return;
    mic_bits_age(page);
    page->stamp = now;
}

static mic_atomic(uintptr_t) written_block; /* [atomic: release] 0: none */
static mic_atomic(uint64_t) written_bytes;  /* [atomic: relaxed] */

void mic_active_note_written(const void *block, size_t bytes)
{
    mic_store_relaxed(&written_bytes, bytes);
    mic_store_release(&written_block, (uintptr_t)block);
}

void *mic_active_written(size_t *bytes)
{
    if (mic_likely(mic_load_relaxed(&written_block) == 0)) return NULL;
    void *const block = (void *)mic_exchange_acqrel(&written_block, 0);
    *bytes = (size_t)mic_load_relaxed(&written_bytes);
    return block;
}

mic_block_t *mic_active_look_again(mic_block_t *block, size_t last)
{
    const bool large = (last & MIC_LAST_LARGE) != 0;
    if ((last & MIC_LAST_FRESH) != 0) return block;
    if ((last & MIC_LAST_FAR) != 0)
        last = mic_bits_last(mic_page_of(block)) | (last & MIC_LAST_LARGE);
    if (last > MIC_LOOK_LONG &&
        (large ? mic_bits_is_clear_large(block, last) : mic_bits_is_clear_long(block, last)))
        return block;
    const size_t usable = (last & ~(size_t)MIC_LAST_MARKS) + 8;
    /* a function of the program that gets the error may not return, nor fork where a child would
       find this thread inside of the allocator; without a record the late lock is held */
    if (mic_thread_is_ready() && mic_load_relaxed(&mic_tls.record->busy) == 0)
        mic_report_error(EFAULT,
                         "malloc of %p, which was written to after it was freed (%zu bytes)",
                         (void *)block, usable + MIC_CANARY_BYTES);
    else /* told when the slow path is over */
        mic_active_note_written(block, usable + MIC_CANARY_BYTES);
    memset(block, 0, usable);
    return block;
}

mic_inline mic_block_t *refill_word(mic_theap_t *theap, mic_page_t *page)
{
    const unsigned cls = page->cls;
    const uint32_t n = mic_bits_refill(page, &theap->word[cls], &theap->ahead[cls], &theap->random);
    if (mic_unlikely(n == 0)) return NULL;
    theap->given[cls] = n - 1;
    if (CFG_HARDENED) theap->taken[cls] += n;
    theap->totals.n[cls] += n;
    theap->rotation ^= mic_random_next(&theap->random) & ~(uint64_t)1; /* stays odd */
    return mic_active_take(theap, cls);
}

static mic_block_t *refill_bits(mic_theap_t *theap, mic_page_t *page, bool *fresh_zero)
{
    const unsigned cls = page->cls;
    const bool untouched = page->capacity == 0;
    if (CFG_HARDENED && untouched) page->stamp = theap->taken[cls];
    if (CFG_HARDENED) bits_age(theap, page);
    const uint32_t capacity = page->capacity;
    if (mic_page_can_extend(page)) bits_carve(theap, page);
    if (page->capacity != capacity) {
        theap->totals.n[MIC_TOTAL_EXTENDED]++;
        theap->ahead[cls] = 0;
    }
    *fresh_zero = CFG_HARDENED || (untouched && (page->flags & MIC_PAGE_FRESH_ZERO) != 0);
    return refill_word(theap, page);
}

mic_block_t *mic_active_refill(mic_theap_t *theap, mic_page_t *page, bool *fresh_zero)
{
    return CFG_BITS ? refill_bits(theap, page, fresh_zero) : refill_list(theap, page, fresh_zero);
}

mic_block_t *mic_active_take_freed(mic_theap_t *theap, unsigned cls)
{
    mic_page_t *const page = theap->active[cls];
    if (page == NULL) return NULL;
    if (CFG_BITS) {
        bool fresh_zero;
        if (mic_active_is_poor(theap, cls)) return NULL;
        if (!CFG_HARDENED && mic_likely(mic_active_has_choice(page)))
            return refill_word(theap, page);
        return refill_bits(theap, page, &fresh_zero);
    }
    const uint32_t count = mic_page_local_count(page);
    if (count < REFILL_FEW) {
        /* a refill would do the same for large blocks, if there is no other page */
        const bool large = page->block_bytes > REFILL_FEW_BYTES_MAX;
        if (count == 0 || !large || theap->queue[cls] != NULL) return NULL;
    }
    return refill_hand_out(theap, cls, mic_page_take_local(page), count, false);
}

/* How long a list is that is as it was carved need not be counted: it goes to where carving
   stopped. */
size_t mic_active_left(const mic_theap_t *theap, const mic_page_t *page)
{
    const unsigned cls = page->cls;
    if (CFG_BITS) return mic_bit_count(theap->word[cls].bits);
    const mic_block_t *block = theap->list[cls];
    if (block != NULL && (theap->in_order >> cls & 1) != 0) {
        uint32_t end = page->carve_first + page->capacity;
        if (end > page->reserved) end -= page->reserved;
        return end - mic_page_index_of(page, (size_t)((const char *)block - page->start));
    }
    size_t n = 0;
    for (; block != NULL; block = block->next) n++;
    return n;
}

static size_t active_cut_list(mic_theap_t *theap, mic_page_t *page, size_t most)
{
    mic_block_t **end = &theap->list[page->cls];
    size_t stay = 0;
    for (; stay < most && *end != NULL; stay++) end = &(*end)->next;
    mic_block_t *const rest = *end;
    *end = NULL;
    mic_compiler_barrier();
    const uint32_t used = page->used;
    mic_page_return_active(page, rest);
    const uint32_t back = used - page->used;
    theap->given[page->cls] -= back;
    theap->totals.n[page->cls] -= back;
    theap->in_order &= ~((uint64_t)1 << page->cls);
    return stay;
}

size_t mic_active_cut(mic_theap_t *theap, mic_page_t *page, size_t most)
{
    if (!CFG_BITS) return active_cut_list(theap, page, most);
    mic_word_t *const word = &theap->word[page->cls];
    const uint32_t back = mic_bits_cut(page, word, most);
    theap->given[page->cls] -= back;
    theap->totals.n[page->cls] -= back;
    if (CFG_HARDENED) theap->taken[page->cls] -= back;
    return mic_bit_count(word->bits);
}

void mic_active_return(mic_theap_t *theap, mic_page_t *page)
{
    const unsigned cls = page->cls;
    theap->totals.n[cls] -= mic_active_left(theap, page); /* they were not allocated after all */
    if (CFG_BITS) {
        mic_bits_give_back(page, &theap->word[cls]);
    } else {
        mic_block_t *const list = theap->list[cls];
        theap->list[cls] = NULL;
        mic_compiler_barrier();
        mic_page_return_active(page, list);
    }
    theap->given[cls] = 0;
}

void mic_active_forget(mic_theap_t *theap, unsigned cls)
{
    if (CFG_BITS)
        theap->word[cls].bits = 0;
    else
        theap->list[cls] = NULL;
    theap->given[cls] = 0;
}

bool mic_active_is_valid(const mic_theap_t *theap, const mic_page_t *page)
{
    const bool active = (page->flags & MIC_PAGE_ACTIVE) != 0;
    if (CFG_BITS) return mic_bits_is_valid(page, active ? &theap->word[page->cls] : NULL);
    return mic_page_is_valid(page, active ? theap->list[page->cls] : NULL);
}
