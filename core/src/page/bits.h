/* Free-set policy "bits" (secure, hardened, debug; page/free_set.h has the interface): nothing of
   ours lies in blocks but canaries. A page has two bits for each block, at a fixed address for each
   slice, out of reach of the blocks:

       live    the user has it                        [owner], read by anyone
       remote  freed by another thread, not collected [atomic: remote free]

   and what malloc takes from is one word of 64 blocks at a time, in the thread heap:

       active word  free blocks handed to malloc; they count as used by their page

       free in page  = carved, not live, not remote, not in the active word
       live + active + remote-only... : used = capacity - free in page

   The hardened build has two more, of blocks that are not to be handed out yet, whether free or
   not. A refill sets both for what it takes; the fast paths know nothing of them:

       young   not free when the page's blocks aged last, or handed out since
       old     young before that

   Blocks age after a number of allocations of their class (heap/active.c): old becomes what was
   young, and who is free is young no more. So a block that was freed stays away for one to two
   such periods. Free blocks read as zero, which malloc verifies.

   malloc takes a random one of the active word, so what lies behind a block is not known; a block
   that was freed comes back when its word is picked again, at random, on a refill. A free is legal
   if its pointer is exactly the start of a block that is live and not freed remotely: one rule for
   every path, whoever owns the page.

   Stores are ordered for fork as everywhere (see page.h): a prefix of them never has a block both
   in the active word and live. */
#ifndef MIC_PAGE_BITS_H
#define MIC_PAGE_BITS_H

#include "page/canary.h"
#include "page/remote.h"
#include "rt/random.h"

/* [owner] what malloc takes from, of one size class */
typedef struct mic_word {
    uint64_t bits;              /* blocks of the word that malloc may take */
    char *base;                 /* block of bit 0 */
    mic_atomic(uint64_t) *live; /* live bits of the word */
    uint32_t stride;            /* from block to block */
    uint16_t last;              /* hardened: offset of the last 8 bytes of a block that are the
                                   user's, with marks */
    uint8_t from;               /* where rotations begin, ... */
    uint8_t reach;              /* ... and how far they go, a power of two less one */
} mic_word_t;

/* Rotations for a set that lies between its first bit and the last one, `span` behind it. If they
   came from all 64, the first block of a short run would mostly be the next. */
mic_inline void mic_word_aim(mic_word_t *word, unsigned from, unsigned span)
{
    /* those behind the last bit lead to the first one: a fifth of them or so at most */
    word->from = (uint8_t)from;
    word->reach = (uint8_t)((1u << mic_bit_highest(span + span / 4 + 2)) - 1);
}
mic_inline void mic_word_aim_anywhere(mic_word_t *word)
{
    word->from = 0;
    word->reach = 63;
}
/* For `n` bits. */
mic_inline void mic_word_aim_at(mic_word_t *word, uint64_t bits, uint32_t n)
{
    const unsigned from = mic_bit_lowest(bits);
    if (n >= 48)
        mic_word_aim_anywhere(word);
    else
        mic_word_aim(word, from, mic_bit_highest(bits) - from);
}
/* For blocks of a page that is carved: so many, at least one, are in the word or behind. */
mic_inline void mic_word_aim_carved(mic_word_t *word, size_t blocks)
{
    if (mic_likely(blocks >= 64))
        mic_word_aim_anywhere(word);
    else
        mic_word_aim(word, 0, (unsigned)blocks - 1);
}

/* Marks, above MIC_LOOK_LONG only: see mic_bits_is_clear_large; never handed out before, in fresh
   memory, and larger than an OS page; more than there is room for, so that the page is asked. */
#define MIC_LAST_LARGE 1u
#define MIC_LAST_FRESH 2u
#define MIC_LAST_FAR 4u
#define MIC_LAST_MARKS (MIC_LAST_LARGE | MIC_LAST_FRESH | MIC_LAST_FAR)
#define MIC_LAST_MOST ((size_t)0xfff0)

/* what is wrong with a pointer that is to be freed, resized or measured */
typedef enum mic_verdict {
    MIC_VERDICT_OK = 0,
    MIC_VERDICT_FOREIGN, /* into no page of ours */
    MIC_VERDICT_INNER,   /* points into a block, or behind the last one */
    MIC_VERDICT_FREE,    /* to a block that is free already */
    MIC_VERDICT_DAMAGED  /* to a block whose canary was overwritten */
} mic_verdict_t;

/* ---- words ----   |remote 0|live 0|remote 1|live 1| ...
   hardened:         |remote 0|live 0|young 0|old 0|remote 1| ... */
mic_inline mic_atomic(uint64_t) *mic_bits_live_of(const mic_page_t *page, size_t w)
{
    return page->live + w * MIC_SLICE_BITMAPS;
}
mic_inline mic_atomic(uint64_t) *mic_bits_remote_of(mic_atomic(uint64_t) *live) { return live - 1; }
mic_inline mic_atomic(uint64_t) *mic_bits_young_of(mic_atomic(uint64_t) *live) { return live + 1; }
mic_inline mic_atomic(uint64_t) *mic_bits_old_of(mic_atomic(uint64_t) *live) { return live + 2; }

/* Hardened: a block is cleared when it is freed, and looked at when it is handed out. */
typedef uint64_t mic_pair_t __attribute__((vector_size(16), aligned(16), may_alias));
typedef uint64_t mic_word64_t __attribute__((may_alias));

mic_inline size_t mic_bits_last(const mic_page_t *page)
{
    return page->block_bytes - MIC_CANARY_BYTES - 8;
}

/* `last`: where the last 8 of the block's bytes begin that are the user's, a multiple of 16. What
   lies before them is covered from both sides, some of it twice: no loop for most blocks. Not a
   call: that costs more than most blocks. */
mic_inline void mic_bits_clear(void *block, size_t last)
{
    const mic_pair_t none = {0, 0};
    char *at = block;
    mic_pair_t *const end = (void *)(at + last);
    *(uint64_t *)(void *)end = 0;
    if (mic_likely(last > 32)) {
        if (mic_unlikely(last > 64)) {
            for (; at < (char *)(end - 4); at += 64) {
                mic_pair_t *const four = (void *)at;
                four[0] = four[1] = four[2] = four[3] = none;
                mic_opaque(at); /* else the compiler makes a call of it */
            }
            at = (char *)(end - 4);
        }
        ((mic_pair_t *)(void *)at)[0] = none;
        ((mic_pair_t *)(void *)at)[1] = none;
        end[-2] = end[-1] = none;
    } else if (last != 0) {
        *(mic_pair_t *)(void *)at = none;
        end[-1] = none;
    }
}
/* The same for longer ones, by a call. */
void mic_bits_clear_long(void *block, size_t last);
bool mic_bits_is_clear_long(const void *block, size_t last);
/* From here on a call costs less than 16 bytes at a time. */
#define MIC_CLEAR_LONG ((size_t)512)
#define MIC_LOOK_LONG ((size_t)256)
/* False: it is long. One comparison for most blocks. */
mic_inline bool mic_bits_try_clear(void *block, size_t last)
{
    if (mic_unlikely(last > 64)) {
        if (mic_unlikely(last > MIC_CLEAR_LONG)) return false;
        mic_bits_clear(block, last);
    } else {
        mic_bits_clear(block, last);
    }
    return true;
}
/* Large blocks of the system's memory, for which `last` has a mark: where the system holds no OS
   pages they are clear, and none are fetched for a look. */
bool mic_bits_is_clear_large(const void *block, size_t last);
/* Whole OS pages, those of them that are in memory. */
bool mic_bits_is_clear_runs(const void *start, size_t bytes);

/* False for long ones, and those with the mark: they are not looked at here. */
mic_inline bool mic_bits_is_clear(const void *block, size_t last)
{
    if (mic_unlikely(last > MIC_LOOK_LONG)) return false;
    const char *at = block;
    const mic_pair_t *const end = (const void *)(at + last);
    mic_pair_t any = {*(const mic_word64_t *)(const void *)end, 0};
    if (mic_likely(last > 32)) {
        if (mic_unlikely(last > 64)) {
            for (; at < (const char *)(end - 4); at += 64) {
                const mic_pair_t *const four = (const void *)at;
                any |= four[0] | four[1] | four[2] | four[3];
                mic_opaque(at);
            }
            at = (const char *)(end - 4);
        }
        any |= ((const mic_pair_t *)(const void *)at)[0];
        any |= ((const mic_pair_t *)(const void *)at)[1];
        any |= end[-2] | end[-1];
    } else if (last != 0) {
        any |= *(const mic_pair_t *)(const void *)at | end[-1];
    }
    return (any[0] | any[1]) == 0;
}

/* multiplier with good spectral properties modulo 2^64 that fits an immediate operand */
#define MIC_BITS_STEP ((uint64_t)0x2c1b3c6d)

/* The next block, NULL when there is none; *rotation: state, odd. */
mic_inline mic_block_t *mic_bits_take(mic_word_t *word, uint64_t *rotation)
{
    const uint64_t bits = word->bits;
    if (mic_unlikely(bits == 0)) return NULL;
    const uint64_t next = *rotation * MIC_BITS_STEP;
    *rotation = next;
    uint8_t by = (uint8_t)(next >> 58); /* of bytes two instructions use memory */
    by &= word->reach;
    by = (uint8_t)(by + word->from);
    uint64_t rotated = bits >> (by & 63) | bits << (-by & 63);
    /* the second one, if there is: the first is too often the one behind the block taken last */
    if (CFG_HARDENED && (rotated & (rotated - 1)) != 0) rotated &= rotated - 1;
    const uint64_t lowest = rotated & -rotated;
    mic_opaque(by);
    const uint64_t bit = lowest << (by & 63) | lowest >> (-by & 63);
    mic_opaque(word); /* one instruction on memory, not two */
    word->bits ^= bit;
    mic_compiler_barrier();
    mic_flip_fast(word->live, bit);
    char *const block = word->base + mic_bit_lowest(bit) * word->stride; /* below 64 MiB */
    if (block == NULL) __builtin_unreachable(); /* the caller asks for NULL, too */
    return (mic_block_t *)(void *)block;
}

/* The live bits of a word, and those of blocks that other threads freed. Any thread: first what
   others freed, since who collects clears the live bits before the remote ones (mic_bits_collect);
   the other way round a block could be found in use whose bits are taken between the two loads. */
mic_inline uint64_t mic_bits_look(mic_atomic(uint64_t) *live, uint64_t *remote)
{
    /* acquire: pairs with the release in mic_remote_collect */
    *remote = mic_load_acquire(mic_bits_remote_of(live));
    return mic_load_fast(live); /* only the owner writes it */
}

/* A block, the word of its live bit, and what that is without it. */
typedef struct mic_plain {
    size_t index;
    mic_atomic(uint64_t) *live;
    uint64_t others;
} mic_plain_t;

/* Whether p, so many bytes behind the start of a page that is no span, is the start of a block that
   the program has, if there may be one; *found: which. Any thread; false: mic_bits_check knows
   more. */
mic_inline bool mic_bits_is_plain_at(const mic_page_t *page, const void *p, size_t offset,
                                     mic_plain_t *found)
{
    *found = (mic_plain_t){0, NULL, 0}; /* not needed; compilers warn */
    uint64_t rest;
    const size_t at = mic_multiply_by(offset, &page->reciprocal, &rest);
    if (mic_unlikely(rest >= page->reciprocal)) return false; /* there is a rest */
    found->index = at;
    found->live = mic_bits_live_of(page, at >> 6);
    uint64_t remote;
    found->others = mic_bits_look(found->live, &remote);
    /* the canary last: what is no block may have a guard where it would be */
    return mic_likely(mic_bit_take(&found->others, at)) &&
           mic_likely((remote >> (at & 63) & 1) == 0) &&
           mic_likely(*mic_canary_place(page, p) == mic_canary_of(p));
}

/* p is in the first slice, where all of a page may be blocks. */
mic_inline bool mic_bits_is_plain(const mic_page_t *page, const void *p, mic_plain_t *found)
{
    /* gcc 12 takes an instruction more for one of 64 bits */
    return mic_bits_is_plain_at(page, p, (uint32_t)(uintptr_t)p & (MIC_SLICE_BYTES - 1), found);
}
/* p is anywhere. */
mic_inline bool mic_bits_is_plain_far(const mic_page_t *page, const void *p, mic_plain_t *found)
{
    const size_t offset = (uintptr_t)p - (uintptr_t)page->start;
    return offset < (size_t)page->reserved * page->stride &&
           mic_bits_is_plain_at(page, p, offset, found);
}

/* A free by the owner of the page, whose first slice holds p. False: nothing happened, something is
   wrong or unusual, ask mic_bits_check; or clearing the block is worth a call. *left: what `used`
   is then; if not 0 the page may be another's by now, as with mic_page_push_local. */
mic_inline bool mic_bits_try_put(mic_page_t *page, void *p, uint32_t *left)
{
    mic_plain_t found;
    if (mic_unlikely(!mic_bits_is_plain(page, p, &found))) return false;
    if (CFG_HARDENED) {
        if (mic_unlikely(!mic_bits_try_clear(p, mic_bits_last(page)))) return false;
        mic_compiler_barrier();
    }
    mic_store_fast(found.live, found.others);
    mic_compiler_barrier();
    const uint32_t used = page->used - 1;
    page->used = used;
    *left = used;
    return true;
}

/* ---- the next word: the slow path that comes most often; the caller owns the page ---- */

/* Words of the page with free blocks, a bit each. */
mic_noinline uint64_t mic_bits_look_through(const mic_page_t *page);
/* Blocks of a word that are free, ... */
mic_noinline uint64_t mic_bits_free_in(const mic_page_t *page, size_t w);
/* Hardened: ... and those of them that are handed out, if blocks are larger than this. */
#define MIC_SOME_BYTES (CFG_HARDENED ? 4 * MIC_KIB : MIC_SMALL_BLOCK_MAX)
mic_noinline uint64_t mic_bits_take_some(mic_page_t *page, uint64_t bits, mic_random_t *random);
/* Of up to MIC_THIN_MOST blocks above MIC_THIN_STRIDE about half, not side by side; the others wait
   in the page. */
mic_noinline uint64_t mic_bits_thin(const mic_page_t *page, uint64_t bits, uint32_t n,
                                    mic_random_t *random);
#define MIC_THIN_STRIDE 128u
#define MIC_THIN_MOST 48u
/* Without quarantine, medium and large blocks: the same as mic_bits_refill. They are few, and one
   that was freed must not come back at once, so a refill hands out half of those that were free at
   the last one already, or have rested; if there are none, one that nobody had yet. */
mic_noinline uint32_t mic_bits_refill_few(mic_page_t *page, mic_word_t *word, mic_random_t *random);
mic_inline bool mic_bits_are_few(const mic_page_t *page)
{
    return !CFG_HARDENED && page->kind != MIC_PAGE_SMALL; /* no span is asked about */
}
mic_inline bool mic_bits_are_medium(const mic_page_t *page)
{
    return !CFG_HARDENED && page->kind == MIC_PAGE_MEDIUM;
}
/* What blocks above MIC_SOME_BYTES have, of which there are 64 in a page at most: a word more, that
   live bits leave. Few ones: those that were free at the last refill. */
mic_inline mic_atomic(uint64_t) *mic_bits_more_of(const mic_page_t *page)
{
    return mic_bits_live_of(page, 1);
}
/* Medium ones are carved all at once, and nothing is written: these are the ones that nobody had
   yet. They have no canary, and may have no memory. Any of them may be the next. */
mic_inline mic_atomic(uint64_t) *mic_bits_fresh_of(const mic_page_t *page)
{
    return mic_bits_live_of(page, 2);
}
/* Carving of few ones begins with the first, as pages are made. */
mic_inline uint64_t mic_bits_free_few(const mic_page_t *page)
{
    if (page->capacity == 0) return 0;
    if (mic_unlikely(page->carve_first != 0)) return mic_bits_free_in(page, 0);
    mic_atomic(uint64_t) *const live = page->live;
    return mic_bit_mask(0, page->capacity) &
           ~(mic_load_relaxed(live) | mic_load_relaxed(mic_bits_remote_of(live)));
}
/* Hardened: they are on their way to the user. */
mic_noinline void mic_bits_held(mic_page_t *page, mic_word_t *word, uint64_t bits);

/* words whose bits share a cache line */
#define MIC_WORDS_OF_LINE (MIC_CACHE_LINE / 8 / MIC_SLICE_BITMAPS)

/* A random one of a set that is not empty leaves it. Words of one line go one after the other, the
   next line is a random one: threads that free what was taken before are at work on others. `last`:
   the word before, if it is of the same set, else none. */
mic_inline size_t mic_bits_take_word(uint64_t *set, const mic_page_t *page, size_t last,
                                     mic_random_t *random)
{
    const uint64_t all = *set, line = ((uint64_t)1 << MIC_WORDS_OF_LINE) - 1;
    const size_t mask = MIC_WORDS_OF_LINE - 1;
    if ((all & (all - 1)) == 0) { /* no choice; most often in pages that are not carved yet */
        *set = 0;
        return mic_bit_lowest(all);
    }
    uint64_t some = last < 64 ? all & line << (last & ~mask) : 0;
    if (some == 0) {
        const uint32_t words = (page->reserved + 63) / 64;
        some = all & ~(uint64_t)0 << (mic_random_below(random, words) & ~mask);
    }
    if (some == 0) some = all;
    *set = all ^ (some & -some);
    return mic_bit_lowest(some);
}

/* The same of a set that has one, without a jump that depends on it; `random` is for all that is
   to be chosen. */
mic_inline size_t mic_bits_choose_word(uint64_t all, const mic_page_t *page, size_t last,
                                       uint64_t random)
{
    const uint64_t line = ((uint64_t)1 << MIC_WORDS_OF_LINE) - 1;
    const unsigned mask = MIC_WORDS_OF_LINE - 1;
    const uint32_t words = (page->reserved + 63) / 64;
    const unsigned from = (unsigned)(((random >> 32) * words) >> 32) & ~mask;
    uint64_t some = all & ~(uint64_t)0 << from;
    some = some == 0 ? all : some;
    const uint64_t same = all & line << (last & ~(size_t)mask & 63);
    return mic_bit_lowest(same == 0 ? some : same);
}

/* Without quarantine: the free blocks of a word that has some below `end`, all carved. */
mic_inline uint64_t mic_bits_free_below(const mic_page_t *page, size_t w, uint64_t lives,
                                        size_t end)
{
    const size_t after = end - w * 64; /* blocks from this word on */
    const uint64_t all = ~(uint64_t)0 >> (after < 64 ? 64 - after : 0);
    return all & ~(lives | mic_load_fast(mic_bits_remote_of(mic_bits_live_of(page, w))));
}
/* The same of a page that is carved. */
mic_inline uint64_t mic_bits_free_carved(const mic_page_t *page, size_t w, uint64_t lives)
{
    return mic_bits_free_below(page, w, lives, page->reserved);
}
/* The same of one of which a part is carved that does not go around the corner. */
mic_inline uint64_t mic_bits_free_part(const mic_page_t *page, size_t w, uint64_t lives)
{
    const size_t first = page->carve_first;
    const uint64_t bits = mic_bits_free_below(page, w, lives, first + page->capacity);
    return mic_unlikely(first > w * 64) ? bits & ~(uint64_t)0 << (first - w * 64) : bits;
}
/* Its words with free blocks, a bit each. */
uint64_t mic_bits_look_through_part(const mic_page_t *page);

/* Without quarantine, of a page that is carved, or of which a `part` is: the next of the words that
   are known to have free blocks goes to malloc, but for the one block that is returned. NULL:
   nothing happened, mic_bits_refill may know more. *n: how many. */
mic_inline mic_block_t *mic_bits_take_next(mic_page_t *page, mic_word_t *word, uint64_t *ahead,
                                           uint64_t random, bool part, uint32_t *n)
{
    const size_t last = (size_t)(word->live - page->live) / MIC_SLICE_BITMAPS;
    const bool only = part && (*ahead & (*ahead - 1)) == 0; /* most often */
    const size_t w =
        only ? mic_bit_lowest(*ahead) : mic_bits_choose_word(*ahead, page, last, random);
    mic_atomic(uint64_t) *const live = mic_bits_live_of(page, w);
    const uint64_t lives = mic_load_fast(live);
    const uint64_t bits =
        part ? mic_bits_free_part(page, w, lives) : mic_bits_free_carved(page, w, lives);
    if (mic_unlikely(bits == 0)) return NULL;
    *n = mic_bit_count(bits);
    if (part)
        mic_word_aim_at(word, bits, *n);
    else
        mic_word_aim_carved(word, page->reserved - w * 64);
    const unsigned by = (((unsigned)random & word->reach) + word->from) & 63;
    const uint64_t rotated = bits >> by | bits << (-by & 63);
    const uint64_t lowest = rotated & -rotated;
    const uint64_t bit = lowest << by | lowest >> (-by & 63);
    char *const base = mic_page_block(page, w * 64);
    *ahead ^= (uint64_t)1 << w;
    word->base = base;
    word->live = live;
    word->stride = page->stride;
    page->used += *n;
    mic_compiler_barrier();
    word->bits = bits ^ bit;
    mic_compiler_barrier();
    mic_store_fast(live, lives | bit);
    char *const block = base + mic_bit_lowest(bit) * (size_t)word->stride;
    if (block == NULL) __builtin_unreachable();
    return (mic_block_t *)(void *)block;
}

/* Hands one word of the page's free blocks to malloc, a random one. Returns how many, 0 when there
   is none. *ahead: words that had free blocks when the page was looked through last, and were not
   taken since, a bit each; 0 for a page that was not. Blocks freed meanwhile into others wait until
   it is looked through again. */
mic_inline uint32_t mic_bits_refill(mic_page_t *page, mic_word_t *word, uint64_t *ahead,
                                    mic_random_t *random)
{
    if (mic_bits_are_few(page)) return mic_bits_refill_few(page, word, random);
    uint64_t bits;
    size_t w = (size_t)(word->live - page->live) / MIC_SLICE_BITMAPS;
    do {
        if (*ahead == 0) {
            if (page->reserved <= 64) { /* one word: nothing to look through */
                w = 0;
                bits = mic_bits_free_in(page, 0);
                if (bits == 0) return 0;
                break;
            }
            *ahead = mic_bits_look_through(page);
            if (*ahead == 0) return 0;
            w = 64; /* none */
        }
        w = mic_bits_take_word(ahead, page, w, random);
        if (!CFG_HARDENED && mic_likely(page->capacity == page->reserved))
            bits = mic_bits_free_carved(page, w, mic_load_relaxed(mic_bits_live_of(page, w)));
        else
            bits = mic_bits_free_in(page, w);
    } while (mic_unlikely(bits == 0));
    if (CFG_HARDENED && mic_unlikely(page->block_bytes > MIC_SOME_BYTES))
        bits = mic_bits_take_some(page, bits, random);
    uint32_t n = mic_bit_count(bits);
    if (page->stride > MIC_THIN_STRIDE && n <= MIC_THIN_MOST) {
        bits = mic_bits_thin(page, bits, n, random);
        n = mic_bit_count(bits);
    }
    word->base = mic_page_block(page, w * 64);
    word->live = mic_bits_live_of(page, w);
    word->stride = page->stride;
    mic_word_aim_at(word, bits, n);
    if (CFG_HARDENED) mic_bits_held(page, word, bits);
    page->used += n;
    mic_compiler_barrier();
    word->bits = bits;
    return n;
}

/* ---- slow paths; the caller owns the page, but for check ---- */

/* The rule above, for any pointer into the page; *index: the block that holds it, where there is
   one. May be asked by any thread. */
mic_verdict_t mic_bits_check(const mic_page_t *page, const void *p, size_t *index);
/* A checked block is free; the first: and the page has handed out nothing but starts of blocks.
   Return what `used` is then, as above. */
uint32_t mic_bits_put_start(mic_page_t *page, size_t index);
uint32_t mic_bits_put(mic_page_t *page, size_t index);
/* Carves about `blocks` more. */
void mic_bits_extend(mic_page_t *page, uint32_t blocks);
/* Hardened: time has passed. */
void mic_bits_age(mic_page_t *page);
/* Blocks that could be handed out now, if one that was freed a moment ago is not to come back;
   counted until there are `enough`. */
uint32_t mic_bits_available(const mic_page_t *page, uint32_t enough);
/* Hardened: before another thread than the owner frees the block. */
void mic_bits_clear_block(const mic_page_t *page, size_t index);
/* At most `most` of the active word stay, the others go back to the page: as many as returned. */
uint32_t mic_bits_cut(mic_page_t *page, mic_word_t *word, size_t most);
/* The active word of the page goes back. */
void mic_bits_give_back(mic_page_t *page, mic_word_t *word);
/* The block is live and was not freed by another thread. */
mic_inline bool mic_bits_is_in_use(const mic_page_t *page, size_t index)
{
    uint64_t remote;
    const uint64_t lives = mic_bits_look(mic_bits_live_of(page, index >> 6), &remote);
    return ((lives & ~remote) >> (index & 63) & 1) != 0;
}
/* RF.10 for one word: blocks that others freed. Returns how many of them were live: the others were
   freed twice, at the same moment; the address of one is kept for mic_bits_freed_twice. */
uint32_t mic_bits_collect(mic_page_t *page, size_t word, uint64_t bits);
void *mic_bits_freed_twice(void);
/* The block is in use without malloc having taken it (spans). */
void mic_bits_set_live(mic_page_t *page, size_t index);
/* The block was handed out by this pointer. */
void mic_bits_mark_inner(mic_page_t *page, void *block, const void *p);
/* First live block whose canary was overwritten; NULL when all is well. */
void *mic_bits_find_damage(const mic_page_t *page);
/* Blocks in use; any thread, as of some moment. */
size_t mic_bits_live_count(const mic_page_t *page);
/* The same if others have freed all of them, none twice, else 0. */
uint32_t mic_bits_all_remote(const mic_page_t *page);
bool mic_bits_is_valid(const mic_page_t *page, const mic_word_t *active);

#endif
