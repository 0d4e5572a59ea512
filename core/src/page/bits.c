/* Policy "bits": slow paths; see bits.h. The owner of the page calls everything but
   mic_bits_check. */
#include "page/bits.h"

#include <string.h>

#include "base/check.h"
#include "os/os.h"
#include "page/guard.h"

uint64_t mic_canary_key;

void mic_canary_start(void) { mic_canary_key = (mic_random_secret() | 1) << 8; }

/* ---- which blocks there are ---- */

static uint32_t bits_words(const mic_page_t *page) { return (page->reserved + 63) / 64; }

/* bits of word `w` that lie in blocks [from, to) */
static uint64_t bits_between(size_t w, size_t from, size_t to)
{
    const size_t first = w * 64;
    const size_t low = mic_max(first, from), high = mic_min(first + 64, to);
    return low >= high ? 0 : mic_bit_mask((unsigned)(low - first), (unsigned)(high - low));
}

/* Carving starts at carve_first and goes on at the page's first block. */
mic_inline uint64_t bits_carved(const mic_page_t *page, size_t w)
{
    const size_t end = (size_t)page->carve_first + page->capacity;
    if (page->capacity == page->reserved)
        return w * 64 + 64 <= page->reserved ? ~(uint64_t)0 : bits_between(w, 0, page->reserved);
    if (end <= page->reserved) return bits_between(w, page->carve_first, end);
    return bits_between(w, page->carve_first, page->reserved) |
           bits_between(w, 0, end - page->reserved);
}

static uint64_t bits_free(const mic_page_t *page, size_t w)
{
    mic_atomic(uint64_t) *const live = mic_bits_live_of(page, w);
    uint64_t taken = mic_load_relaxed(live) | mic_load_relaxed(mic_bits_remote_of(live));
    if (CFG_HARDENED)
        taken |=
            mic_load_relaxed(mic_bits_young_of(live)) | mic_load_relaxed(mic_bits_old_of(live));
    if (taken == ~(uint64_t)0) return 0; /* most often, with quarantine */
    return bits_carved(page, w) & ~taken;
}

/* Hardened: blocks that nobody had yet, and of which whole OS pages may never have been touched. To
   look at one would cost each of these a page fault, and the write that follows another. They are
   not looked at, and handed out apart from the others. */
static bool bits_has_fresh(const mic_page_t *page)
{
    return CFG_HARDENED && page->block_bytes > MIC_SOME_BYTES && page->kind != MIC_PAGE_SPAN;
}

void mic_bits_age(mic_page_t *page)
{
    for (uint32_t w = 0; w < bits_words(page); w++) {
        mic_atomic(uint64_t) *const live = mic_bits_live_of(page, w);
        const uint64_t busy = mic_load_relaxed(live) | mic_load_relaxed(mic_bits_remote_of(live));
        const uint64_t young = mic_load_relaxed(mic_bits_young_of(live));
        mic_store_relaxed(mic_bits_old_of(live), young);
        mic_compiler_barrier();
        mic_store_relaxed(mic_bits_young_of(live), young & busy);
    }
}

/* They are on their way to the user. */
static void bits_hold(mic_atomic(uint64_t) *live, uint64_t bits)
{
    mic_atomic(uint64_t) *const young = mic_bits_young_of(live), *const old = mic_bits_old_of(live);
    mic_store_relaxed(young, mic_load_relaxed(young) | bits);
    mic_store_relaxed(old, mic_load_relaxed(old) | bits);
}

uint32_t mic_bits_available(const mic_page_t *page, uint32_t enough)
{
    if (mic_bits_are_few(page)) /* medium ones are carved when nothing is yet */
        return mic_bit_count(mic_bits_free_few(page) & mic_load_relaxed(mic_bits_more_of(page)));
    if (!CFG_HARDENED) return mic_page_local_count(page);
    uint32_t count = 0;
    for (uint32_t w = 0; w < bits_words(page) && count < enough; w++)
        count += mic_bit_count(bits_free(page, w));
    return count;
}

/* ---- clear blocks: hardened ---- */

void mic_bits_clear_long(void *block, size_t last) { memset(block, 0, last + 8); }

/* A multiple of 64 bytes. */
static bool bits_is_clear_range(const char *at, const char *end)
{
    mic_pair_t any = {0, 0};
    for (; at < end; at += 64) {
        const mic_pair_t *const pair = (const void *)at;
        any |= (pair[0] | pair[1]) | (pair[2] | pair[3]);
        mic_opaque(at);
    }
    return (any[0] | any[1]) == 0;
}

/* A multiple of 128 bytes from the start on, and the rest from the end, some of it twice. */
bool mic_bits_is_clear_long(const void *block, size_t last)
{
    const char *const at = block;
    mic_assert(last >= 128);
    if (*(const mic_word64_t *)(const void *)(at + last) != 0) return false;
    return bits_is_clear_range(at, at + mic_align_down(last, 128)) &&
           bits_is_clear_range(at + last - 128, at + last);
}

/* From here on asking the system what of the block is in memory takes less time than clearing it,
   if that is little. */
#define LARGE_LOOK_BYTES (128 * MIC_KIB)

static bool bits_is_large(const mic_page_t *page)
{
    return page->kind == MIC_PAGE_LARGE && page->block_bytes > LARGE_LOOK_BYTES &&
           mic_arena_may_guard(page->arena);
}

/* The block's whole OS pages without the last one, where the canary is. */
static size_t bits_large_bytes(size_t last) { return mic_align_down(last, mic_os_info.page_bytes); }

/* What is in memory stays there: a page fault takes longer than clearing ten OS pages. What is not
   may have been swapped out. */
static bool bits_clear_run(void *start, size_t bytes, bool resident, void *arg)
{
    (void)arg;
    if (resident || mic_os_purge(start, bytes) != 0) memset(start, 0, bytes);
    return true;
}

static void bits_clear_large(char *block, size_t last)
{
    const size_t whole = bits_large_bytes(last);
    (void)mic_os_each_run(block, whole, bits_clear_run, NULL);
    memset(block + whole, 0, last + 8 - whole);
}

static bool bits_look_run(void *start, size_t bytes, bool resident, void *arg)
{
    (void)arg;
    const char *const at = start;
    return !resident || bits_is_clear_range(at, at + bytes);
}

bool mic_bits_is_clear_runs(const void *start, size_t bytes)
{
    return mic_os_each_run(start, bytes, bits_look_run, NULL);
}

bool mic_bits_is_clear_large(const void *block, size_t last)
{
    last &= ~(size_t)MIC_LAST_MARKS;
    const size_t whole = bits_large_bytes(last);
    if (!mic_bits_is_clear_runs(block, whole)) return false;
    const char *const rest = (const char *)block + whole; /* a multiple of 16 and 8 bytes too */
    const size_t left = last - whole;
    return left > MIC_LOOK_LONG ? mic_bits_is_clear_long(rest, left)
                                : mic_bits_is_clear(rest, left);
}

void mic_bits_clear_block(const mic_page_t *page, size_t index)
{
    if (!CFG_HARDENED || page->kind == MIC_PAGE_SPAN) return;
    char *const block = mic_page_block(page, index);
    if (bits_is_large(page))
        bits_clear_large(block, mic_bits_last(page));
    else if (mic_bits_last(page) > MIC_CLEAR_LONG)
        mic_bits_clear_long(block, mic_bits_last(page));
    else
        mic_bits_clear(block, mic_bits_last(page));
}

uint32_t mic_bits_put_start(mic_page_t *page, size_t index)
{
    mic_atomic(uint64_t) *const live = mic_bits_live_of(page, index >> 6);
    mic_bits_clear_block(page, index);
    mic_compiler_barrier();
    mic_store_relaxed(live, mic_load_relaxed(live) & ~((uint64_t)1 << (index & 63)));
    mic_compiler_barrier();
    const uint32_t left = page->used - 1;
    page->used = left;
    return left;
}

/* One after the other takes longer, but there are guards between large ones. */
static void bits_clear_blocks(const mic_page_t *page, uint32_t at, uint32_t n)
{
    if (page->kind != MIC_PAGE_LARGE)
        memset(mic_page_block(page, at), 0, (size_t)n * page->stride);
    else
        for (uint32_t i = at; i < at + n; i++) mic_bits_clear_block(page, i);
}

/* A word of the page gets the blocks that are carved now, or none of them. */
static void bits_note_carved(const mic_page_t *page, mic_atomic(uint64_t) *word, uint64_t bits)
{
    mic_store_relaxed(word, (page->capacity == 0 ? 0 : mic_load_relaxed(word)) | bits);
}

void mic_bits_extend(mic_page_t *page, uint32_t blocks)
{
    uint32_t at = page->carve_first + page->capacity;
    if (at >= page->reserved) at -= page->reserved;
    const uint32_t room = page->reserved - page->capacity;
    /* not around the corner */
    const uint32_t n = (uint32_t)mic_min(blocks, mic_min(room, page->reserved - at));
    const bool medium = mic_bits_are_medium(page);
    mic_guard_blocks(page, at, at + n);
    if (mic_bits_are_few(page) || bits_has_fresh(page)) {
        const bool set = CFG_HARDENED ? (page->flags & MIC_PAGE_FRESH_ZERO) != 0 : !medium;
        bits_note_carved(page, mic_bits_more_of(page), set ? mic_bit_mask(at, n) : 0);
    }
    if (medium) bits_note_carved(page, mic_bits_fresh_of(page), mic_bit_mask(at, n));
    if (CFG_HARDENED && (page->flags & MIC_PAGE_FRESH_ZERO) == 0) bits_clear_blocks(page, at, n);
    char *block = mic_page_block(page, at);
    for (uint32_t i = 0; !medium && i < n; i++, block += page->stride)
        *mic_canary_place(page, block) = mic_canary_of(block);
    mic_compiler_barrier();
    page->capacity += n;
}

/* ---- malloc's side ---- */

/* Fresh blocks that one is chosen from. Any of the page would be harder to guess, but touch more of
   the memory that pages which came and went have left here. */
#define FRESH_CHOICE 8u

static uint64_t bits_choose_fresh(uint64_t fresh, mic_random_t *random)
{
    const unsigned choice = (unsigned)mic_min(FRESH_CHOICE, mic_bit_count(fresh));
    for (uint32_t skip = mic_random_below(random, choice); skip > 0; skip--) fresh &= fresh - 1;
    return fresh & -fresh;
}

/* The only one of `taken`. Its canary is there before anybody may take it. */
static void bits_take_fresh(mic_page_t *page, uint64_t taken)
{
    mic_atomic(uint64_t) *const fresh = mic_bits_fresh_of(page);
    void *const block = mic_page_block(page, mic_bit_lowest(taken));
    *mic_canary_place(page, block) = mic_canary_of(block);
    mic_compiler_barrier();
    mic_store_relaxed(fresh, mic_load_relaxed(fresh) & ~taken);
}

uint32_t mic_bits_refill_few(mic_page_t *page, mic_word_t *word, mic_random_t *random)
{
    mic_assert(page->reserved <= 64);
    mic_atomic(uint64_t) *const rested = mic_bits_more_of(page);
    const bool large = page->kind == MIC_PAGE_LARGE;
    const uint64_t bits = mic_bits_free_few(page);
    if (bits == 0) return 0;
    const uint64_t fresh = large ? 0 : bits & mic_load_relaxed(mic_bits_fresh_of(page));
    uint64_t from = bits & mic_load_relaxed(rested), taken = 0;
    const uint32_t n = large ? 1 : (uint32_t)mic_max(1, mic_bit_count(from) / 2);
    if (from == 0) from = fresh != 0 ? bits_choose_fresh(fresh, random) : bits;
    /* from a random one on, and round the corner */
    const uint32_t first = page->carve_first + mic_random_below(random, page->capacity);
    uint64_t left = from & ~(uint64_t)0 << (first & 63);
    for (uint32_t i = 0; i < n; i++) {
        if (left == 0) left = from;
        taken |= left & -left;
        left &= left - 1;
    }
    if ((taken & fresh) != 0) bits_take_fresh(page, taken);
    mic_store_relaxed(rested, bits & ~(taken | fresh));
    word->base = page->start;
    word->live = page->live;
    word->stride = page->stride;
    mic_word_aim_at(word, taken, n);
    page->used += n;
    mic_compiler_barrier();
    word->bits = taken;
    return n;
}

_Static_assert(MIC_BITMAP_WORDS <= 64, "a bit for each word, below");

/* Words [from, to) with free blocks, a bit each. */
static uint64_t bits_find_between(const mic_page_t *page, size_t from, size_t to)
{
    uint64_t found = 0;
    for (size_t w = from; w < to; w++) found |= (uint64_t)(bits_free(page, w) != 0) << w;
    return found;
}

/* The same of a page that is carved, without quarantine. */
static uint64_t bits_find_carved(const mic_page_t *page)
{
    uint64_t found = 0;
    for (size_t w = 0, words = bits_words(page); w < words; w++) {
        const uint64_t lives = mic_load_relaxed(mic_bits_live_of(page, w));
        found |= (uint64_t)(mic_bits_free_carved(page, w, lives) != 0) << w;
    }
    return found;
}

/* The same of the whole page. Words that are not carved yet, which most pages' are, are not looked
   at. */
static uint64_t bits_find(const mic_page_t *page)
{
    const uint32_t first = page->carve_first, end = first + page->capacity;
    if (!CFG_HARDENED && page->capacity == page->reserved) return bits_find_carved(page);
    if (end <= page->reserved) return bits_find_between(page, first / 64, mic_divide_up(end, 64));
    return bits_find_between(page, first / 64, bits_words(page)) |
           bits_find_between(page, 0, mic_divide_up(end - page->reserved, 64));
}

uint64_t mic_bits_look_through(const mic_page_t *page)
{
    return mic_page_local_count(page) == 0 ? 0 : bits_find(page); /* no need to look at each word */
}

uint64_t mic_bits_look_through_part(const mic_page_t *page)
{
    uint64_t found = 0;
    const size_t first = page->carve_first, end = first + page->capacity;
    for (size_t w = first / 64; w * 64 < end; w++) {
        const uint64_t lives = mic_load_relaxed(mic_bits_live_of(page, w));
        found |= (uint64_t)(mic_bits_free_part(page, w, lives) != 0) << w;
    }
    return found;
}

uint64_t mic_bits_free_in(const mic_page_t *page, size_t w) { return bits_free(page, w); }

/* The fresh ones or the others, the more of a kind the likelier. */
uint64_t mic_bits_take_some(mic_page_t *page, uint64_t bits, mic_random_t *random)
{
    const uint64_t fresh = bits & mic_load_relaxed(mic_bits_more_of(page));
    if (fresh == 0) return bits;
    return mic_random_below(random, mic_bit_count(bits)) < mic_bit_count(fresh) ? fresh
                                                                                : bits & ~fresh;
}

/* Fewer are no choice. Blocks up to THIN_DENSE only if most of them lie side by side, as they were
   carved: they are many, and a refill takes as long as handing out three. */
#define THIN_LEAST 6
#define THIN_DENSE 640

/* As malloc uses up a short run, the gap behind the block that it took last grows, so that the one
   behind the gap is the next more and more often. With each mask that is another one. */
uint64_t mic_bits_thin(const mic_page_t *page, uint64_t bits, uint32_t n, mic_random_t *random)
{
    static const uint64_t masks[4] = {0x5555555555555555, 0x3333333333333333, 0x9249249249249249,
                                      0x94a5294a5294a529};
    if (n < THIN_LEAST) return bits;
    if (page->stride <= THIN_DENSE && mic_bit_count(bits & bits >> 1) * 4 < n * 3) return bits;
    const uint64_t next = mic_random_next(random);
    const unsigned by = (unsigned)(next >> 58);
    const uint64_t mask = masks[next & 3];
    const uint64_t some = bits & (mask >> by | mask << (-by & 63));
    return some == 0 ? bits : some;
}

void mic_bits_held(mic_page_t *page, mic_word_t *word, uint64_t bits)
{
    size_t last = mic_bits_last(page);
    if (bits_is_large(page)) last |= MIC_LAST_LARGE;
    if (bits_has_fresh(page)) {
        const uint64_t fresh = mic_load_relaxed(mic_bits_more_of(page));
        if ((fresh & bits) != 0) last |= MIC_LAST_FRESH;
        mic_store_relaxed(mic_bits_more_of(page), fresh & ~bits);
    }
    if (last > MIC_LAST_MOST) last = MIC_LAST_MOST | (last & MIC_LAST_MARKS) | MIC_LAST_FAR;
    word->last = (uint16_t)last;
    bits_hold(word->live, bits);
}

uint32_t mic_bits_cut(mic_page_t *page, mic_word_t *word, size_t most)
{
    uint64_t back = word->bits;
    for (; most > 0 && back != 0; most--) back &= back - 1;
    word->bits &= ~back;
    mic_compiler_barrier();
    if (CFG_HARDENED) { /* nobody had them */
        mic_atomic(uint64_t) *const young = mic_bits_young_of(word->live);
        mic_atomic(uint64_t) *const old = mic_bits_old_of(word->live);
        mic_store_relaxed(young, mic_load_relaxed(young) & ~back);
        mic_store_relaxed(old, mic_load_relaxed(old) & ~back);
    }
    page->used -= mic_bit_count(back);
    return mic_bit_count(back);
}

void mic_bits_give_back(mic_page_t *page, mic_word_t *word)
{
    const uint32_t n = mic_bit_count(word->bits);
    word->bits = 0;
    mic_compiler_barrier();
    page->used -= n;
}

/* ---- free's side ---- */

mic_verdict_t mic_bits_check(const mic_page_t *page, const void *p, size_t *index)
{
    const mic_block_check_t place = mic_page_locate(page, p, index);
    const bool inner = place == MIC_BLOCK_INNER;
    if (place == MIC_BLOCK_OUTSIDE) return MIC_VERDICT_INNER;
    if (inner && (mic_page_owner(page) & MIC_OWNER_INNER) == 0) return MIC_VERDICT_INNER;
    if (!mic_bits_is_in_use(page, *index)) return inner ? MIC_VERDICT_INNER : MIC_VERDICT_FREE;
    if (page->kind == MIC_PAGE_SPAN)
        return (uintptr_t)p - (uintptr_t)page->start == page->handed_out ? MIC_VERDICT_OK
                                                                         : MIC_VERDICT_INNER;
    const void *const block = mic_page_block(page, *index);
    const uint64_t canary = *mic_canary_place(page, block);
    if (canary == mic_canary_of(p)) return MIC_VERDICT_OK;
    return inner && canary == mic_canary_of(block) ? MIC_VERDICT_INNER : MIC_VERDICT_DAMAGED;
}

uint32_t mic_bits_put(mic_page_t *page, size_t index)
{
    if ((mic_page_owner(page) & MIC_OWNER_INNER) != 0) {
        void *const block = mic_page_block(page, index);
        *mic_canary_place(page, block) = mic_canary_of(block);
    }
    return mic_bits_put_start(page, index);
}

/* [atomic: relaxed] for the next slow path that may report */
static mic_atomic(uintptr_t) bits_freed_twice;

void *mic_bits_freed_twice(void)
{
    if (mic_likely(mic_load_relaxed(&bits_freed_twice) == 0)) return NULL;
    return (void *)mic_exchange_acqrel(&bits_freed_twice, 0);
}

uint32_t mic_bits_collect(mic_page_t *page, size_t word, uint64_t bits)
{
    mic_atomic(uint64_t) *const live = mic_bits_live_of(page, word);
    const uint64_t before = mic_load_relaxed(live);
    const uint64_t twice = bits & ~before;
    if (mic_unlikely(twice != 0))
        mic_store_relaxed(&bits_freed_twice,
                          (uintptr_t)mic_page_block(page, word * 64 + mic_bit_lowest(twice)));
    const uint32_t n = mic_bit_count(bits & before);
    mic_require(n <= page->used && "more blocks freed than were handed out");
    if ((mic_page_owner(page) & MIC_OWNER_INNER) != 0) {
        for (uint64_t rest = bits & before; rest != 0; rest &= rest - 1) {
            void *const block = mic_page_block(page, word * 64 + mic_bit_lowest(rest));
            *mic_canary_place(page, block) = mic_canary_of(block);
        }
    }
    mic_store_relaxed(live, before & ~bits);
    mic_compiler_barrier();
    page->used -= n;
    return n;
}

void mic_bits_set_live(mic_page_t *page, size_t index)
{
    mic_atomic(uint64_t) *const live = mic_bits_live_of(page, index >> 6);
    mic_store_relaxed(live, mic_load_relaxed(live) | (uint64_t)1 << (index & 63));
}

void mic_bits_mark_inner(mic_page_t *page, void *block, const void *p)
{
    if (page->kind == MIC_PAGE_SPAN) {
        page->handed_out = (uintptr_t)p - (uintptr_t)page->start;
        return;
    }
    *mic_canary_place(page, block) = mic_canary_of(p);
}

/* ---- checks of whole pages ---- */

void *mic_bits_find_damage(const mic_page_t *page)
{
    if (page->kind == MIC_PAGE_SPAN) return NULL;
    /* the canary of a pointer into a block is that of an address which nobody has noted */
    if ((mic_page_owner(page) & MIC_OWNER_INNER) != 0) return NULL;
    for (uint32_t w = 0; w < bits_words(page); w++) {
        for (uint64_t live = mic_load_relaxed(mic_bits_live_of(page, w)); live != 0;
             live &= live - 1) {
            void *const block = mic_page_block(page, (size_t)w * 64 + mic_bit_lowest(live));
            if (*mic_canary_place(page, block) != mic_canary_of(block)) return block;
        }
    }
    return NULL;
}

size_t mic_bits_live_count(const mic_page_t *page)
{
    size_t count = 0;
    for (uint32_t w = 0; w < bits_words(page); w++) {
        mic_atomic(uint64_t) *const live = mic_bits_live_of(page, w);
        count +=
            mic_bit_count(mic_load_relaxed(live) & ~mic_load_relaxed(mic_bits_remote_of(live)));
    }
    return count;
}

uint32_t mic_bits_all_remote(const mic_page_t *page)
{
    uint32_t count = 0;
    for (uint32_t w = 0; w < bits_words(page); w++) {
        mic_atomic(uint64_t) *const live = mic_bits_live_of(page, w);
        const uint64_t remote = mic_load_seqcst(mic_bits_remote_of(live));
        if (remote != mic_load_relaxed(live)) return 0;
        count += mic_bit_count(remote);
    }
    return count;
}

bool mic_bits_is_valid(const mic_page_t *page, const mic_word_t *active)
{
    if (page->back != 0 || page->capacity > page->reserved || page->used > page->capacity)
        return false;
    uint32_t count = active == NULL ? 0 : mic_bit_count(active->bits);
    for (uint32_t w = 0; w < bits_words(page); w++) {
        const uint64_t live = mic_load_relaxed(mic_bits_live_of(page, w));
        if ((live & ~bits_carved(page, w)) != 0) return false;
        if (active != NULL && active->live == mic_bits_live_of(page, w) &&
            (live & active->bits) != 0)
            return false;
        count += mic_bit_count(live);
    }
    /* a forked child may have lost the decrement of a cut free: too high, never too low */
    return page->used >= count;
}
