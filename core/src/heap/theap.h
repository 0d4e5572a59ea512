/* Thread heap: the part of one heap that one thread owns. For each size class the active list that
   malloc pops from, the active page it came from, and the queue of other pages with room.

   The list that malloc pops from lives here, not in the page: malloc touches no descriptor. Blocks
   on it count as used. The byte table maps (size + 15) / 16 to the class for sizes to 4 KiB; a
   constant empty thread heap with the same table makes a thread's first malloc an ordinary miss.

   The record's embedded thread heap belongs to the main heap of its sub-process; those of other
   heaps are made when the thread first uses the heap, and when their heap goes they wait, with all
   tables empty, in record->theap_free for the next one. A thread heap stays with its record for
   ever: whoever finds theap->heap == h in a record has that record's thread heap of h.

   Owned by the record's authority; `pages` under record->lock. */
#ifndef MIC_HEAP_THEAP_H
#define MIC_HEAP_THEAP_H

#include "page/bits.h"
#include "rt/counters.h"

struct mic_record;
struct mic_heap;
struct mic_subproc;

/* What statistics tell that pages cannot, counted where blocks come and go in bulk: below
   MIC_CLASS_COUNT, for each class, the blocks that went to active lists, without those that came
   back from them; with the list that is there now subtracted, blocks ever allocated. */
enum {
    MIC_TOTAL_SPANS = MIC_CLASS_COUNT, /* made */
    MIC_TOTAL_SPAN_BYTES,              /* of them, when they were made */
    MIC_TOTAL_PAGES,                   /* made, of any kind */
    MIC_TOTAL_EXTENDED,                /* times that untouched blocks were carved */
    MIC_TOTAL_RETIRED,                 /* pages that emptied and were kept */
    MIC_TOTAL_SEARCHES,                /* for a page with room, ... */
    MIC_TOTAL_SEARCHED,                /* ... and the pages they looked at */
    MIC_TOTAL_COUNT
};
typedef struct mic_theap_totals {
    uint64_t n[(MIC_TOTAL_COUNT + 1u) & ~1u]; /* an even number: two are added at a time */
} mic_theap_totals_t;
_Static_assert(MIC_CLASS_COUNT <= 64, "a bit each, below");

/* [owner] guarded sampling (heap/sample.h) */
typedef struct mic_sample {
    size_t rate;               /* one in so many, 0 = none */
    size_t left;               /* allocations before the next one that is guarded */
    size_t least, most;        /* bytes of requests that are */
    uint64_t state;            /* of its random numbers */
    uint32_t seen;             /* options as of this change */
    bool has_rate, has_bounds; /* its own, which options do not change */
} mic_sample_t;

typedef struct mic_theap {
    union { /* active sets, by free-set policy; offset 0: malloc indexes from here */
        mic_block_t *list[MIC_CLASS_COUNT]; /* [owner] */
        struct {
            mic_word_t word[CFG_BITS ? MIC_CLASS_COUNT : 1]; /* [owner] */
            uint64_t rotation;                               /* [owner] see mic_bits_take; odd */
            mic_random_t random;                             /* [owner] */
            /* [owner] of the active pages: see mic_bits_refill */
            uint64_t ahead[CFG_BITS ? MIC_CLASS_COUNT : 1];
            /* [owner] hardened: blocks handed to malloc, ever */
            uint32_t taken[CFG_HARDENED ? MIC_CLASS_COUNT : 1];
        };
    };
    uint8_t class_of[(MIC_TABLE_ENTRIES + 7) / 8 * 8]; /* [const] mic_theap_class */
    struct mic_record *record;                         /* [const] */
    mic_page_t *active[MIC_CLASS_COUNT];               /* [owner] */
    mic_page_t *queue[MIC_CLASS_COUNT];      /* [owner] first page with room, not the active one */
    mic_page_t *queue_last[MIC_CLASS_COUNT]; /* [owner] */
    uint32_t given[MIC_CLASS_COUNT]; /* [owner] length of the active list when it was made */
    mic_page_t *pages;               /* [lock: record] all pages, by all_next */
    size_t page_count;               /* [lock: record] */
    uint32_t polls;                  /* [owner] pages with the poll mark, at least */
    uint32_t poll_wait;              /* [owner] fresh pages until they are looked at again */
    mic_atomic(uintptr_t) heap;  /* [lock: record; read by anyone] its heap | MIC_THEAP_CLOSED; 0 =
                                   of none */
    bool kept;                   /* [lock: record] closed, and its pages do not go to another */
    struct mic_theap *heap_next; /* [lock: heaps] of the same heap; stays when it goes */
    struct mic_theap *record_next, *record_prev; /* [lock: record] others of the same record */
    uint32_t class_pages[MIC_CLASS_COUNT + 1];   /* [lock: record] pages of each class */
    /* [owner] how many it had when it last needed one more, or has had since, if fewer */
    uint32_t class_need[MIC_CLASS_COUNT];
    size_t tidy_level; /* [owner] pages from which on empty ones are looked for; heap/reap.c */
    bool pages_left;   /* [lock: record] a class may have totals and no page */
    uint64_t in_order; /* [owner] classes whose active list is as it was carved, a bit each */
    mic_theap_totals_t totals; /* [owner] since it joined its heap */
    mic_sample_t sample;       /* [owner] */
} mic_theap_t;

_Static_assert(offsetof(mic_theap_t, list) == 0, "malloc indexes from the thread heap's address");

/* of a request of at most MIC_TABLE_REQUEST_MAX */
mic_inline unsigned mic_theap_class(const mic_theap_t *theap, size_t bytes)
{
    return theap->class_of[MIC_TABLE_INDEX(bytes)] / MIC_TABLE_SCALE;
}

/* the constant thread heap of threads that are not ready: every list is empty */
extern const mic_theap_t mic_theap_empty;

/* slices in pages of each class, and spans; the whole process */
extern mic_level_t mic_theap_class_slices[MIC_CLASS_COUNT + 1];
/* the most blocks of a class that one thread heap had in use when it needed one more page */
extern mic_atomic(uint64_t) mic_theap_class_blocks[MIC_CLASS_COUNT]; /* [atomic: relaxed] */

void mic_theap_init(mic_theap_t *theap, struct mic_record *record, struct mic_heap *heap);
/* Policy "bits": what its random choices come from is new. */
void mic_theap_reseed(mic_theap_t *theap);

/* ---- heap word ----   |63 ... 1|0|
                         |  heap  |C|
   C = its heap was deleted: it belongs to the main heap, nothing is allocated from it any more, and
   its pages go to the record's default thread heap when the record's authority gets to it. */
#define MIC_THEAP_CLOSED ((uintptr_t)1)

mic_inline struct mic_heap *mic_theap_heap(const mic_theap_t *theap)
{
    return (struct mic_heap *)(mic_load_relaxed(&theap->heap) & ~MIC_THEAP_CLOSED);
}
mic_inline bool mic_theap_is_closed(const mic_theap_t *theap)
{
    return (mic_load_relaxed(&theap->heap) & MIC_THEAP_CLOSED) != 0;
}
/* of a heap that is there */
mic_inline bool mic_theap_is_open(const mic_theap_t *theap)
{
    return mic_theap_heap(theap) != NULL && !mic_theap_is_closed(theap);
}
/* open, and of this heap */
mic_inline bool mic_theap_is_of(const mic_theap_t *theap, const struct mic_heap *heap)
{
    return mic_load_relaxed(&theap->heap) == (uintptr_t)heap;
}

/* ---- slow path pieces; the caller has authority over the record ---- */

/* The next non-empty active list of the class: the block to return, or NULL when out of memory.
   *fresh_zero: the block reads as zero but for its first word. */
mic_block_t *mic_theap_refill(mic_theap_t *theap, unsigned cls, bool *fresh_zero);
/* Policy "list": the same of what was freed into the active page or the first one of the queue,
   without work that can wait. NULL: ask mic_theap_refill. */
mic_block_t *mic_theap_refill_freed(mic_theap_t *theap, unsigned cls);
/* One block of its own run of slices. alignment: a power of two, at least a slice.  The block
   starts at the page's start. */
/* A page on a claimed run, linked and owned. Of a span only: block_bytes; its guards are there. */
mic_page_t *mic_theap_add_page(mic_theap_t *theap, unsigned cls, mic_run_t run, size_t block_bytes,
                               bool guarded);
mic_page_t *mic_theap_new_span(mic_theap_t *theap, size_t bytes, size_t alignment, bool *zero);
/* The same, with room to grow in place; it starts `phase` slices after a multiple of a segment.
   NULL when there is no such room. */
mic_page_t *mic_theap_new_growing_span(mic_theap_t *theap, size_t bytes, size_t phase, bool *zero);

/* The run of a span was made longer or is being made shorter by its block's user. */
void mic_theap_resize_span(mic_page_t *page, size_t slices, size_t block_bytes);
/* A full page of the calling thread's record is about to get this block back: it loses the tag and
   joins its queue. False, and nothing happened: policy "bits", the block is not in use any more. */
bool mic_theap_page_unfull(mic_page_t *page, struct mic_record *record, size_t index);
/* A local free emptied the page: it is released unless it is all its class has. */
void mic_theap_page_emptied(mic_page_t *page);

/* RF.10 and 12 under record->lock. False: the page was released, it may be somebody else's now. */
bool mic_theap_collect_page_locked(mic_page_t *page);
/* Unlinks the page from everything and gives its slices back. */
void mic_theap_release_page_locked(mic_page_t *page);

/* Returns all active lists to their pages, looks at the words of polled pages, releases empty
   pages; for collect and thread end. Afterwards no page is active. The second: the caller holds
   record->lock. */
void mic_theap_collect(mic_theap_t *theap);
/* Before a page of the class is added: if pages became more, releases those that nobody uses;
   heap/reap.c. */
void mic_theap_tidy(mic_theap_t *theap, unsigned cls);
void mic_theap_collect_locked(mic_theap_t *theap);
/* RF.16: moves one page with room of the class from an orphan's thread heap to the queue of `to`,
   of the same heap; authority over both. False: there is none. */
bool mic_theap_steal_page(mic_theap_t *from, mic_theap_t *to, unsigned cls);

/* RF.16 for a given page: if it is still of the orphan `from`, it moves to the thread heap that
   `to` has of the same heap; authority over both records. */
bool mic_theap_adopt_page(mic_page_t *page, struct mic_record *from, struct mic_record *to);

/* Between them no page moves between records (RF.16), so that whoever looks at the page lists of
   all records, one after the other, sees each page once. Looked at with both records locked: nobody
   who has locked either of them since can miss it. A forked child forgets all that held them: one
   whose handler of a signal forked ends there what the child never began. */
uint32_t mic_theap_moves_hold(void);
void mic_theap_moves_release(uint32_t hold);
bool mic_theap_moves_are_held(void);
void mic_theap_moves_forget(void);

/* All pages of `from` that hold blocks go to `to`, of the same record; `from` is empty then. The
   caller has authority. */
void mic_theap_merge_locked(mic_theap_t *from, mic_theap_t *to);
/* RF.19: releases all pages, whatever lives in them. Needs no authority over the record, only that
   nobody uses the heap. keep: up to so many small pages that were hardly used stay, as the active
   pages of their classes, for the next heap. */
void mic_theap_destroy_locked(mic_theap_t *theap, size_t keep);

/* May be stale unless the caller has authority. */
mic_inline bool mic_theap_has_room(const mic_theap_t *theap, unsigned cls)
{
    return theap->active[cls] != NULL || theap->queue[cls] != NULL;
}

/* A page is about to be linked, under record->lock; is gone; a span's number of slices changed. */
void mic_theap_count_page(mic_theap_t *theap, const mic_page_t *page);
void mic_theap_uncount_page(const mic_page_t *page);
void mic_theap_count_resized(size_t before, size_t after);
/* What was counted goes to `to`; the thread heap begins again from 0. */
void mic_theap_move_totals(mic_theap_t *theap, mic_theap_totals_t *to);
/* Adds totals as they are, also while their thread goes on. */
void mic_theap_totals_add(const mic_theap_totals_t *from, mic_theap_totals_t *to);

/* Another thread's active list as it is now, and how long it was when it was made. */
const mic_block_t *mic_theap_list_seen(const mic_theap_t *theap, unsigned cls);
size_t mic_theap_given_seen(const mic_theap_t *theap, unsigned cls);
/* Policy "bits": blocks that malloc may take, as it is now. */
size_t mic_theap_left_seen(const mic_theap_t *theap, unsigned cls);

bool mic_theap_is_valid(const mic_theap_t *theap);
/* Policy "bits": a live block beyond whose end somebody wrote; NULL: none. Under record->lock. */
void *mic_theap_find_damage(const mic_theap_t *theap);

#endif
