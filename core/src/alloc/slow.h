/* Shared by the files of alloc/ only: the slow path of an allocation. */
#ifndef MIC_ALLOC_SLOW_H
#define MIC_ALLOC_SLOW_H

#include "alloc/alloc.h"
#include "heap/guarded.h"
#include "heap/thread.h"
#include "page/free_set.h"

/* Any size, any thread state; zeroed if asked. NULL with ENOMEM. */
void *mic_alloc_slow_in(mic_theap_t *theap, size_t bytes, bool zero);
/* The same, never a guarded block: it is to hold more than what the program asked for. */
void *mic_alloc_unsampled_in(mic_theap_t *theap, size_t bytes, bool zero);
/* A guarded block if one is due: while mic_sampling only. */
void *mic_alloc_sampled_in(mic_theap_t *theap, size_t bytes, size_t alignment, size_t offset,
                           bool zero);
/* One block in a page of its own whose start is a multiple of alignment (>= a slice). */
void *mic_alloc_span_in(mic_theap_t *theap, size_t bytes, size_t alignment, bool zero);
/* The same with room to grow in place, for a block that realloc made larger before; starts `phase`
   slices after a multiple of a segment. NULL without an error when there is no such room. */
mic_page_t *mic_alloc_growing_span_in(mic_theap_t *theap, size_t bytes, size_t phase);
/* The page gets the tag for pointers that are not the start of a block; the caller owns a block of
   it that it has just allocated, and hands out p. */
void mic_alloc_mark_inner(void *block, const void *p);

/* Block that holds p and its page, for any p; false when p is in no block of ours. The page is
   stable while the block is live. */
typedef struct mic_located {
    mic_page_t *page;
    char *block;
    size_t index;
    bool inner; /* p is not the block's start */
} mic_located_t;
bool mic_locate(const void *p, mic_located_t *at);

/* Whether p is a pointer that this library handed out and the program still has: to be asked before
   anything is done with a block, on every path alike. With policy "list" it is known only that
   there is such a block. *at is set but for foreign pointers. */
mic_verdict_t mic_examine(const void *p, mic_located_t *at);
/* The one line for a misuse: `verb` names what was tried. What follows is up to the program's error
   handler; without one secure and debug builds stop. */
void mic_report_misuse(mic_verdict_t verdict, const char *verb, const void *p,
                       const mic_located_t *at);
/* What was found while locks were held: frees that turned out to be second ones when they were
   collected; hardened: freed spans that were written to. */
void mic_report_noted(void);

/* Usable bytes behind a pointer that was examined. */
mic_inline size_t mic_located_usable(const mic_located_t *at, const void *p)
{
    if (mic_page_is_sampled(at->page)) return mic_guarded_bytes(at->page);
    return mic_page_usable(at->page) - (size_t)((const char *)p - at->block);
}

/* Makes used memory, of a span if it is large, read as zero. */
void mic_clear_span(void *start, size_t bytes);
/* RF.12a: who frees a span holds its only block and releases it, whoever owns the page. */
void mic_free_span(mic_page_t *page);

/* Periodic work of a slow path of a ready thread, before it does what it came for. The record may
   not be the thread's any more afterwards. */
void mic_slow_tick(mic_record_t *record);
/* The user's deferred-free callback, if there is one. */
void mic_deferred_call(mic_record_t *record, bool force);

#endif
