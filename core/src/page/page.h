/* One page: a run of slices that serves one size class. Its descriptor is 128 bytes outside the
   page, found by arithmetic (vm/arena.h). Knows blocks; knows neither queues' order nor heaps.

       slice  |block|block|block| ... |tail|          no header: block i starts at start + i * bytes
       line 1 |owner|local list or bits|counts|class|size|reciprocal|   every local free's
       line 2 |pending|link|thread heap|links ...|    others' and slow paths'

   Laws (mic_page_is_valid checks them):
       local + active list + live + freed remotely and not collected = capacity
       used = capacity - local          never carved = reserved - capacity
   `capacity` counts the blocks carved so far, `reserved` those that fit; a block on the thread
   heap's active list counts as used, so malloc need not touch the descriptor.

   The first slice has the descriptor. Inner slices' descriptors hold owner = 0 and the distance
   back. `pending` and `link` are type-stable: nothing but the remote-free protocol writes them,
   not even when the page is released and its slices serve something else (page/remote.h). */
#ifndef MIC_PAGE_PAGE_H
#define MIC_PAGE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/config.h"
#include "base/size_class.h"
#include "vm/arena.h"

typedef struct mic_block {
    struct mic_block *next;
} mic_block_t;

struct mic_theap;

typedef enum mic_page_kind {
    MIC_PAGE_SMALL = 0, /* 1 slice, blocks to an eighth of it */
    MIC_PAGE_MEDIUM,    /* 4 or 8 slices, blocks to one slice */
    MIC_PAGE_LARGE,     /* as many as its one block, to 8; with policy "bits" 64 slices */
    MIC_PAGE_SPAN       /* any number of slices, exactly one block */
} mic_page_kind_t;

/* ---- owner word ----   |63 ... 6|.|3|2|1|0|
                          | record |0|P|S|I|F|   0 = free page or inner slice
   A tag makes the owner compare of free fail on purpose. */
#define MIC_OWNER_FULL                                                                             \
    ((uintptr_t)1) /* no free block: in no queue; its first free brings it back */
#define MIC_OWNER_INNER ((uintptr_t)2)   /* handed out a pointer that is not the start of a block */
#define MIC_OWNER_SAMPLED ((uintptr_t)4) /* reserved for sampled blocks */
#define MIC_OWNER_SPAN ((uintptr_t)8)    /* whoever frees the block releases the page */
#define MIC_OWNER_TAGS ((uintptr_t)63)

/* [owner] bits of mic_page.flags */
#define MIC_PAGE_FRESH_ZERO 1u /* blocks not carved yet read as zero */
#define MIC_PAGE_POLL 2u       /* its token may be with a thread that never runs: look at words */
#define MIC_PAGE_QUEUED 4u     /* in the queue of its class */
#define MIC_PAGE_ACTIVE 8u     /* its thread heap's active page of the class */
#define MIC_PAGE_UNUSED 32u    /* [lock: record] RF.21, about to be released */
/* [exclusive: the only block's user] */
#define MIC_PAGE_EMPTIED 16u /* span whose memory was moved away or given back: it reads as zero */
#define MIC_PAGE_CLEARED 64u /* hardened: so does this one, which kept its memory */

/* How often a span may be moved by page tables before it is copied. */
#define MIC_MOVED_PIECES 4

typedef struct mic_page {
    /* line 1 */
    mic_atomic(uintptr_t) owner; /* [atomic: remote free] inbox address | tags */
    union {                      /* by policy, see page/free_set.h */
        mic_block_t *local;      /* [owner] list: freed here, not handed to the thread heap yet */
        mic_atomic(uint64_t) *live; /* [const from init] bits: of the blocks in use */
    };
    uint32_t used;      /* [owner] capacity - blocks on `local` */
    uint32_t capacity;  /* [owner] blocks carved */
    uint32_t reserved;  /* [const from init] blocks that fit */
    uint8_t cls;        /* [const from init] size class or MIC_CLASS_SPAN */
    uint8_t kind;       /* [const from init] mic_page_kind_t */
    uint8_t flags;      /* [owner] MIC_PAGE_* */
    uint8_t arena;      /* [const from init] index of its arena */
    size_t block_bytes; /* [const from init] */
    uint32_t slices;    /* [const from init] length of the run */
    uint32_t back;      /* [const] distance to the first slice; 0 there */
    union {
        struct {
            uint32_t carve_first; /* [const from init] index of the block carved first */
            uint32_t stride;      /* [const from init] from block to block: block_bytes or more */
        };
        uint64_t handed_out; /* [exclusive] span: offset of the pointer that its user has */
    };
    uint64_t reciprocal; /* [const from init] ceil(2^64 / stride) */
    /* line 2 */
    mic_atomic(uint32_t) pending; /* [atomic: remote free] the token; type-stable */
    union {
        uint32_t lead;  /* [const from init] span: slices of its run before it, for a guard */
        uint32_t stamp; /* [owner] others: when blocks last left quarantine */
    };
    mic_atomic(uintptr_t) link;  /* [token holder] next page of an inbox; type-stable */
    mic_atomic(uintptr_t) theap; /* [lock: record; read by anyone] its thread heap */
    char *start;                 /* [const from init] first byte of the page */
    union {
        struct {
            struct mic_page *next, *prev; /* [owner] queue of its class */
        };
        uint32_t moved_end[MIC_MOVED_PIECES]; /* [exclusive] ends of moved pieces */
    };
    struct mic_page *all_next, *all_prev; /* [lock: record] all pages of the thread heap */
} mic_page_t;

_Static_assert(sizeof(mic_page_t) == MIC_DESCRIPTOR_BYTES, "two cache lines");
_Static_assert(offsetof(mic_page_t, pending) == 64, "line 2 is what others touch");

__extension__ typedef unsigned __int128 mic_product_t;

/* ---- finding ---- */

/* Descriptor of the main-region slice that holds p; false when p is outside of it. */
mic_inline bool mic_page_find_main(const void *p, mic_page_t **page)
{
    const size_t slice = ((uintptr_t)p - mic_load_fast(&mic_region.base)) >> MIC_SLICE_SHIFT;
    if (mic_unlikely(slice >= mic_load_fast(&mic_region.slices))) return false;
    *page = (mic_page_t *)(mic_load_fast(&mic_region.descriptors) + slice * MIC_DESCRIPTOR_BYTES);
    return true;
}

/* Page that holds any address, of any arena; NULL when the address is in no live page. */
mic_page_t *mic_page_of(const void *p);

/* Of a page that stays: one's own, of a live block, or under its record's lock. */
mic_inline struct mic_theap *mic_page_theap(const mic_page_t *page)
{
    return (struct mic_theap *)mic_load_relaxed(&page->theap);
}
mic_inline void mic_page_set_theap(mic_page_t *page, const struct mic_theap *theap)
{
    mic_store_release(&page->theap, (uintptr_t)theap);
}

mic_inline bool mic_page_is_inner(const mic_page_t *page) { return page->back != 0; }

/* ---- life ---- */

/* Slices in front of the block of a span, for a guard, and bytes that its run must have behind. */
#define MIC_SPAN_LEAD ((size_t)(CFG_BITS ? 1 : 0))
#define MIC_SPAN_TAIL (CFG_BITS ? mic_os_info.page_bytes : (size_t)0) /* os/os.h */

/* Makes a page of a claimed run of slices. Writes everything but pending, link and the remote
   words; `owner` stays 0: the caller publishes it (mic_page_owner_publish) when the page is
   linked. The descriptor is that of the run's slice MIC_SPAN_LEAD for spans, for others of its
   first; block_bytes matters for spans only. */
void mic_page_init(mic_page_t *page, mic_run_t run, unsigned cls, size_t block_bytes);
/* A small page, before anything of it is carved: about half of its blocks are never used, if that
   leaves enough to choose from. */
void mic_page_halve(mic_page_t *page);
/* Slices and geometry of a class */
size_t mic_page_slices_of_class(unsigned cls);
mic_page_kind_t mic_page_kind_of_class(unsigned cls);
mic_run_t mic_page_run(const mic_page_t *page);

/* ---- spans in the hands of their only block's user ---- */

/* The run becomes longer (claimed already) or shorter (the caller gives the tail back). Guards are
   the caller's business. */
void mic_page_resize_span(mic_page_t *page, size_t slices, size_t block_bytes);
/* Moves the contents of a span to a fresh larger one, by page tables where possible, else by
   copying. A span that was moved, and then grew in place, consists of pieces: each is a mapping of
   its own until the span is freed. */
void mic_page_move(mic_page_t *from, mic_page_t *to);
/* Before slices [first, end of the span) are given back: merges mappings that came from elsewhere.
   True: they read as zero now. */
bool mic_page_unmove(mic_page_t *page, size_t first);

/* ---- blocks ---- */

mic_inline size_t mic_page_index_of(const mic_page_t *page, size_t offset)
{
    return (size_t)(((mic_product_t)offset * page->reciprocal) >> 64);
}

typedef enum mic_block_check {
    MIC_BLOCK_START,
    MIC_BLOCK_INNER,
    MIC_BLOCK_OUTSIDE
} mic_block_check_t;

/* Where p points to in the page: the start of a carved block, inside one, or neither.
   *index is set for the first two. Spans: exact division is replaced by comparison. */
mic_block_check_t mic_page_locate(const mic_page_t *page, const void *p, size_t *index);

mic_inline void *mic_page_block(const mic_page_t *page, size_t index)
{
    /* of a span the only index is 0 */
    return page->start + index * (CFG_BITS ? page->stride : page->block_bytes);
}

/* ---- free-set policy "list" (release builds): take, return, refill, count ----
   Every multi-store step is ordered so that a forked child, which sees a prefix of the stores,
   loses a block and never lists it twice. */

/* A local free. Returns `used`: 0 = the page is empty. Else the page may be another's by now, by
   RF.21: its owner must not look at it again. */
mic_inline uint32_t mic_page_push_local(mic_page_t *page, mic_block_t *block)
{
    block->next = page->local;
    mic_compiler_barrier();
    page->local = block;
    mic_compiler_barrier();
    const uint32_t left = page->used - 1;
    page->used = left;
    return left;
}

/* Hands the whole local list out for the active list; they count as used from now on. */
mic_inline mic_block_t *mic_page_take_local(mic_page_t *page)
{
    mic_block_t *const list = page->local;
    page->local = NULL;
    mic_compiler_barrier();
    page->used = page->capacity;
    mic_compiler_barrier();
    return list;
}

/* blocks on the local list; exact while the active list of the page is counted as used */
mic_inline uint32_t mic_page_local_count(const mic_page_t *page)
{
    return page->capacity - page->used;
}

mic_inline bool mic_page_can_extend(const mic_page_t *page)
{
    return page->capacity < page->reserved;
}

/* Carves up to about `bytes` of untouched blocks (at least one) and returns them as a list that
   counts as used; *last is its last block. The caller checked that the page can extend. */
mic_block_t *mic_page_extend(mic_page_t *page, size_t bytes, mic_block_t **last);

/* Puts blocks of the active list back (collect, thread end). */
void mic_page_return_active(mic_page_t *page, mic_block_t *list);

/* Nothing lives in the page any more, whatever did: as mic_page_init leaves it, but owned. Clears
   tags, flags and the words of remote frees. */
void mic_page_empty(mic_page_t *page);

/* ---- looking at a page that another thread may be using; see page/look.c ---- */

/* A bit for each possible block of a page. */
#define MIC_PAGE_BITS_WORDS (MIC_SLICE_BYTES / MIC_BLOCK_MIN_BYTES / 64)

/* Which blocks are in use: bits[i / 64] bit i % 64. `active`, with policy "list", is the thread
   heap's list of the active page. Exact for the page of a thread that stands still; else each
   answer is right for some moment since its last slow path. Any thread, under the lock of the
   page's record. Returns how many. */
size_t mic_page_live_bits(const mic_page_t *page, const mic_block_t *active,
                          uint64_t bits[MIC_PAGE_BITS_WORDS]);
/* What changes in a page while its thread goes on. */
typedef struct mic_page_seen {
    size_t used;     /* blocks in use, or on the active list of policy "list" */
    size_t capacity; /* blocks carved */
    size_t block_bytes, slices;
    bool active; /* its thread heap's active page */
} mic_page_seen_t;
mic_page_seen_t mic_page_see(const mic_page_t *page);
/* Length of an active list of the page. */
size_t mic_page_list_length(const mic_page_t *page, const mic_block_t *list);

/* Debug: counts lists, checks the laws; `active` is the thread heap's list of the active page. */
bool mic_page_is_valid(const mic_page_t *page, const mic_block_t *active);

#endif
