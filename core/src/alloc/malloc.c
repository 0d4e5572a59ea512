/* Allocation's slow path: threads that are not ready, refills, big blocks, blocks for threads that
   have ended. Any thread. */
#include <errno.h>
#include <string.h>

#include "alloc/slow.h"
#include "base/check.h"
#include "heap/sample.h"
#include "os/os.h"
#include "rt/report.h"

/* ---- deferred free ---- */

static mic_callback_t deferred;
static mic_atomic(uint64_t) deferred_calls; /* [atomic: relaxed; any] of all threads, so far */
#define DEFERRED_PERIOD 256                 /* slow paths */

void mic_register_deferred(mic_deferred_fun *fun, void *arg)
{
    mic_callback_set(&deferred, (uintptr_t)fun, arg);
}

/* Holding no lock and not inside the allocator as a forked child sees it: the callback may
   allocate, free, fork, and end the thread's record: the caller looks at mic_tls again. Not again
   from within itself; it may be left by longjmp or an exception, so who comes from a frame that is
   not below the one noted is not inside any more. */
void mic_deferred_call(mic_record_t *record, bool force)
{
    void *arg = NULL;
    const uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (frame < record->callback_frame) return;
    record->callback_frame = 0;
    mic_deferred_fun *const fun = (mic_deferred_fun *)mic_callback_get(&deferred, &arg);
    if (fun == NULL) return;
    record->callback_frame = frame;
    fun(force, mic_fetch_add_relaxed(&deferred_calls, 1) + 1, arg);
    if (record == mic_tls.record) record->callback_frame = 0; /* else see mic_thread_attach_to */
}

/* ---- periodic work ---- */

/* Slow paths between looks at the inbox while the class has blocks of its own (a refill looks
   before it takes a fresh page): a drain is worth more when more has come together. */
#define DRAIN_PERIOD 4
/* Between other periodic work, at most; a multiple. */
#define TICK_PERIOD (CFG_BITS ? 16 : DRAIN_PERIOD)

void mic_slow_tick(mic_record_t *record)
{
    record->heartbeat++;
    if (mic_unlikely(record->heartbeat % DEFERRED_PERIOD == 0)) {
        mic_deferred_call(record, false);
        if (record != mic_tls.record) return; /* somebody else's by now */
    }
    mic_record_enter(record);
    if (record->heartbeat % DRAIN_PERIOD == 0 && !mic_inbox_is_empty(&record->inbox))
        mic_record_drain(record);
    if (mic_unlikely(mic_load_relaxed(&record->asked) != 0)) mic_record_attend(record);
    mic_purge_run(false);
    mic_record_leave(record);
    if (CFG_BITS) mic_report_noted();
}

/* ---- one block from a thread heap that the caller has authority over ---- */

/* In an arena of its own there may be no room for a page of 8 or 64 slices, but for one block. */
static bool alloc_is_bound(const mic_theap_t *theap)
{
    const mic_heap_t *const heap = mic_theap_heap(theap);
    return heap != NULL && heap->place.arena != 0;
}

/* *zeroed: what of the block is known to be zero already; the first word never is. */
static void *alloc_from(mic_theap_t *theap, size_t bytes, bool *zeroed)
{
    *zeroed = false;
    if (bytes <= MIC_CLASS_REQUEST_MAX) {
        const unsigned cls = mic_class_of_request(bytes);
        mic_block_t *block = mic_active_take(theap, cls);
        if (block == NULL) block = mic_theap_refill(theap, cls, zeroed);
        if (block != NULL || bytes <= MIC_SMALL_BLOCK_MAX || !alloc_is_bound(theap)) return block;
    }
    mic_page_t *const page = mic_theap_new_span(theap, bytes, MIC_SLICE_BYTES, zeroed);
    return page == NULL ? NULL : page->start;
}

/* Used memory that is this large is cheaper given back and taken fresh than cleared, unless all of
   it is written soon after; whoever asks for so many zeroes often does not. */
#define CLEAR_BY_PURGE_BYTES (4 * MIC_MIB)
/* From here on the same if at most half of it is in memory: clearing would fetch the rest. */
#define CLEAR_LOOK_BYTES (256 * MIC_KIB)
#define CLEAR_LOOK_SHARE 2

static bool clear_by_purge(const void *start, size_t bytes)
{
    if (bytes >= CLEAR_BY_PURGE_BYTES) return true;
    return bytes >= CLEAR_LOOK_BYTES && mic_os_resident(start, bytes) <= bytes / CLEAR_LOOK_SHARE;
}

void mic_clear_span(void *start, size_t bytes)
{
    size_t purged = mic_align_down(bytes, mic_os_info.page_bytes);
    if (!clear_by_purge(start, purged) || !mic_arena_zero(start, purged)) purged = 0;
    memset((char *)start + purged, 0, bytes - purged);
}

/* All that the program can use: what it gains by resizing must be zero too. */
static size_t alloc_clear_bytes(const void *p, size_t bytes)
{
    if (bytes > MIC_SMALL_BLOCK_MAX && bytes <= MIC_CLASS_REQUEST_MAX) {
        const mic_page_t *const page = mic_page_of(p);
        if (page->kind == MIC_PAGE_SPAN) return page->block_bytes; /* see alloc_from */
    }
    return mic_good_size(bytes);
}

static void *alloc_clear(void *p, size_t bytes, bool zeroed)
{
    if (zeroed)
        ((mic_block_t *)p)->next = NULL; /* the link is all that was written */
    else
        mic_clear_span(p, alloc_clear_bytes(p, bytes));
    return p;
}

/* For threads whose record was handed over: the shared late record, under its lock. */
static void *alloc_late(mic_theap_t *theap, size_t bytes, bool *zeroed)
{
    if (!mic_inbox_is_empty(&mic_record_late.inbox)) mic_record_drain_late();
    mic_lock_acquire(&mic_late_lock);
    void *const p = alloc_from(theap, bytes, zeroed);
    mic_lock_release(&mic_late_lock);
    if (CFG_HARDENED) mic_report_noted();
    return p;
}

/* Debug: the laws hold after each slow path. Other threads may unlink spans meanwhile. */
static void alloc_check_deep(const mic_theap_t *theap)
{
    mic_lock_acquire(&theap->record->lock);
    mic_assert_deep(mic_theap_is_valid(theap));
    mic_lock_release(&theap->record->lock);
}

static void *alloc_ready(mic_theap_t *theap, size_t bytes, bool *zeroed)
{
    mic_record_t *const record = theap->record;
    mic_record_enter(record);
    void *const p = alloc_from(theap, bytes, zeroed);
    if (mic_unlikely(mic_load_relaxed(&mic_sampling) != 0))
        mic_sample_pass(theap, bytes <= MIC_CLASS_REQUEST_MAX ? mic_class_of_request(bytes)
                                                              : MIC_CLASS_SPAN);
    if (CFG_DEBUG && mic_deep_enabled) alloc_check_deep(theap);
    mic_record_leave(record);
    if (CFG_HARDENED) mic_report_noted();
    return p;
}

static mic_theap_t *alloc_theap_of_thread(void)
{
    if (mic_thread_is_ready() || mic_thread_attach()) return mic_tls.theap;
    return mic_process_start() ? &mic_record_late.theap : NULL;
}

/* The thread heap that serves a request: another than asked for when the thread is not ready yet,
   has ended, ended its record in a callback since it asked, or gave its default heap to a heap that
   is gone. NULL: no memory. */
static mic_theap_t *alloc_theap(mic_theap_t *theap)
{
    if (mic_unlikely(theap == &mic_theap_empty)) return alloc_theap_of_thread();
    if (mic_unlikely(theap->record != mic_tls.record) && theap->record != &mic_record_late)
        return mic_theap_is_open(theap) ? mic_heap_theap(mic_theap_heap(theap))
                                        : alloc_theap_of_thread();
    if (mic_likely(theap == &theap->record->theap) || mic_theap_is_open(theap)) return theap;
    if (mic_tls.theap == theap) mic_tls.theap = &theap->record->theap;
    return &theap->record->theap;
}

void *mic_alloc_sampled_in(mic_theap_t *theap, size_t bytes, size_t alignment, size_t offset,
                           bool zero)
{
    theap = alloc_theap(theap);
    return theap == NULL ? NULL : mic_sample(theap, bytes, alignment, offset, zero);
}

/* Periodic work; the user's callback may have ended the thread's record. NULL: no memory. */
static mic_theap_t *alloc_tick(mic_theap_t *theap)
{
    mic_slow_tick(theap->record);
    return alloc_theap(theap);
}

static void *alloc_once(mic_theap_t *theap, size_t bytes, bool *zeroed)
{
    theap = alloc_theap(theap);
    if (theap == NULL) return NULL;
    if (mic_unlikely(theap->record == &mic_record_late)) return alloc_late(theap, bytes, zeroed);
    if (bytes <= MIC_CLASS_REQUEST_MAX) {
        mic_block_t *const block = mic_active_take(theap, mic_class_of_request(bytes));
        if (block != NULL) {
            *zeroed = false;
            return block;
        }
    }
    theap = alloc_tick(theap);
    if (theap == NULL) return NULL;
    if (mic_unlikely(theap->record == &mic_record_late)) return alloc_late(theap, bytes, zeroed);
    return alloc_ready(theap, bytes, zeroed);
}

/* Also what is not memory but addresses, and the charge for it. */
static void alloc_collect_all(void)
{
    mic_guarded_flush();
    mic_collect(true);
}

static void *alloc_failed(size_t bytes)
{
    mic_report_error(bytes > MIC_SIZE_MAX ? EOVERFLOW : ENOMEM,
                     "out of memory: request of %zu bytes", bytes);
    errno = ENOMEM;
    return NULL;
}

/* The next slow path does periodic work. With policy "bits" they are so frequent that most of them
   have nothing to do. */
mic_inline bool alloc_ticks(const mic_record_t *record)
{
    const unsigned long long next = record->heartbeat + 1;
    return next % DRAIN_PERIOD == 0 &&
           (!CFG_BITS || next % TICK_PERIOD == 0 || !mic_inbox_is_empty(&record->inbox));
}

/* The miss that comes most often: the active set is used up, and its page has more: a list of what
   was freed meanwhile, or another word, which has few blocks, often one or two. Leaves periodic
   work to other slow paths, one in DRAIN_PERIOD at least if others have freed anything. */
static mic_block_t *alloc_again(mic_theap_t *theap, size_t bytes)
{
    mic_record_t *const record = mic_tls.record;
    if (bytes > MIC_CLASS_REQUEST_MAX || theap != &record->theap ||
        mic_load_relaxed(&mic_sampling) != 0)
        return NULL;
    const unsigned cls = bytes <= MIC_TABLE_REQUEST_MAX ? mic_theap_class(theap, bytes)
                                                        : mic_class_of_request(bytes);
    mic_block_t *block = mic_active_take(theap, cls); /* larger ones always come here */
    if (block != NULL || alloc_ticks(record)) return block;
    mic_record_enter(record);
    block = mic_theap_refill_freed(theap, cls);
    mic_record_leave(record);
    if (CFG_HARDENED) mic_report_noted();
    if (block != NULL) record->heartbeat++;
    return block;
}

mic_inline void *alloc_unsampled(mic_theap_t *theap, size_t bytes, bool zero)
{
    bool zeroed;
    void *p = alloc_once(theap, bytes, &zeroed);
    if (mic_unlikely(p == NULL)) {
        alloc_collect_all();
        p = alloc_once(theap, bytes, &zeroed);
        if (p == NULL) return alloc_failed(bytes);
    }
    return zero ? alloc_clear(p, bytes, zeroed) : p;
}

void *mic_alloc_unsampled_in(mic_theap_t *theap, size_t bytes, bool zero)
{
    if (mic_unlikely(bytes > MIC_REQUEST_MAX)) return alloc_failed(bytes);
    return alloc_unsampled(theap, bytes, zero);
}

void *mic_alloc_slow_in(mic_theap_t *theap, size_t bytes, bool zero)
{
    mic_block_t *const block = alloc_again(theap, bytes);
    if (mic_likely(block != NULL)) return zero ? alloc_clear(block, bytes, CFG_HARDENED) : block;
    if (mic_unlikely(bytes > MIC_REQUEST_MAX)) return alloc_failed(bytes);
    if (mic_unlikely(mic_load_relaxed(&mic_sampling) != 0)) {
        void *const guarded = mic_alloc_sampled_in(theap, bytes, 1, 0, zero);
        if (guarded != NULL) return guarded;
    }
    return alloc_unsampled(theap, bytes, zero);
}

/* Policy "bits": another word of the same page, which happens every few blocks. Not inlined, but
   called last: what one of them saves the other and the look before need not. */
static mic_noinline void *alloc_next(mic_theap_t *theap, mic_page_t *page, size_t bytes)
{
    mic_block_t *const block = mic_active_take_next(theap, page);
    if (mic_unlikely(block == NULL)) return mic_alloc_slow_in(theap, bytes, false);
    theap->record->heartbeat++;
    return block;
}
static mic_noinline void *alloc_next_part(mic_theap_t *theap, mic_page_t *page, size_t bytes)
{
    mic_block_t *const block = mic_active_take_part(theap, page);
    if (mic_unlikely(block == NULL)) return mic_alloc_slow_in(theap, bytes, false);
    theap->record->heartbeat++;
    return block;
}

/* The page whose next word serves the request; NULL: go the long way. */
mic_inline mic_page_t *alloc_next_page(const mic_theap_t *theap, size_t bytes)
{
    const mic_record_t *const record = mic_tls.record;
    if (mic_unlikely(bytes > MIC_TABLE_REQUEST_MAX) || mic_unlikely(theap != &record->theap) ||
        mic_unlikely(mic_load_relaxed(&mic_sampling) != 0) || alloc_ticks(record))
        return NULL;
    return theap->active[mic_theap_class(theap, bytes)];
}

void *mic_malloc_slow(size_t bytes)
{
    mic_theap_t *const theap = mic_tls.theap;
    if (CFG_BITS && !CFG_HARDENED) {
        mic_page_t *const page = alloc_next_page(theap, bytes);
        if (mic_likely(page != NULL))
            return mic_page_can_extend(page) ? alloc_next_part(theap, page, bytes)
                                             : alloc_next(theap, page, bytes);
    }
    return mic_alloc_slow_in(theap, bytes, false);
}

void *mic_heap_malloc_slow(mic_heap_t *heap, size_t bytes)
{
    mic_theap_t *const theap = mic_heap_theap(heap == NULL ? &mic_subproc_current()->main : heap);
    return theap == NULL ? alloc_failed(bytes) : mic_malloc_in(theap, bytes);
}

void *mic_malloc_in(mic_theap_t *theap, size_t bytes)
{
    if (mic_likely(bytes <= MIC_TABLE_REQUEST_MAX) &&
        mic_likely(theap->record != &mic_record_late)) {
        mic_block_t *const block = mic_active_take_for(theap, bytes);
        if (mic_likely(block != NULL)) return block;
    }
    return mic_alloc_slow_in(theap, bytes, false);
}

void *mic_zalloc_in(mic_theap_t *theap, size_t bytes)
{
    if (mic_likely(bytes <= MIC_TABLE_REQUEST_MAX) &&
        mic_likely(theap->record != &mic_record_late)) {
        const unsigned cls = mic_theap_class(theap, bytes);
        mic_block_t *const block = mic_active_take(theap, cls);
        if (mic_likely(block != NULL))
            return CFG_HARDENED ? block : memset(block, 0, mic_class_bytes(cls) - MIC_CANARY_BYTES);
    }
    return mic_alloc_slow_in(theap, bytes, true);
}

void *mic_alloc_count_in(mic_theap_t *theap, size_t count, size_t bytes, bool zero)
{
    size_t total;
    if (mic_unlikely(mic_mul_overflow(count, bytes, &total))) return alloc_failed(SIZE_MAX);
    return zero ? mic_zalloc_in(theap, total) : mic_malloc_in(theap, total);
}

/* alignment, or room to grow behind a start of that phase */
typedef struct span_wish {
    size_t bytes, alignment, phase;
    bool growing;
} span_wish_t;

static mic_page_t *span_from(mic_theap_t *theap, const span_wish_t *wish, bool *zeroed)
{
    return wish->growing ? mic_theap_new_growing_span(theap, wish->bytes, wish->phase, zeroed)
                         : mic_theap_new_span(theap, wish->bytes, wish->alignment, zeroed);
}

static mic_page_t *span_once(mic_theap_t *theap, const span_wish_t *wish, bool *zeroed)
{
    theap = alloc_theap(theap);
    if (theap != NULL && theap->record != &mic_record_late) theap = alloc_tick(theap);
    if (theap == NULL) return NULL;
    mic_page_t *page;
    if (theap->record != &mic_record_late) {
        mic_record_enter(mic_tls.record);
        page = span_from(theap, wish, zeroed);
        mic_record_leave(mic_tls.record);
        if (CFG_HARDENED) mic_report_noted();
    } else {
        mic_lock_acquire(&mic_late_lock);
        page = span_from(theap, wish, zeroed);
        mic_lock_release(&mic_late_lock);
    }
    return page;
}

mic_page_t *mic_alloc_growing_span_in(mic_theap_t *theap, size_t bytes, size_t phase)
{
    if (bytes > MIC_REQUEST_MAX) return NULL;
    const span_wish_t wish = {.bytes = bytes, .phase = phase, .growing = true};
    bool zeroed;
    return span_once(theap, &wish, &zeroed);
}

void *mic_alloc_span_in(mic_theap_t *theap, size_t bytes, size_t alignment, bool zero)
{
    if (bytes > MIC_REQUEST_MAX || alignment > MIC_REQUEST_MAX) return alloc_failed(bytes);
    const span_wish_t wish = {.bytes = bytes, .alignment = alignment};
    bool zeroed;
    mic_page_t *page = span_once(theap, &wish, &zeroed);
    if (page == NULL) {
        alloc_collect_all();
        page = span_once(theap, &wish, &zeroed);
        if (page == NULL) return alloc_failed(bytes);
    }
    if (zero && !zeroed) mic_clear_span(page->start, page->block_bytes);
    return page->start;
}
