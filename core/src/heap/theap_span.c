/* Thread heaps: pages with one block, of any size; see theap.h. The caller has authority over the
   record. */
#include "heap/heap.h"
#include "heap/held.h"
#include "heap/purger.h"
#include "page/free_set.h"

/* Of a run whose block is to be aligned the slices in front of the last one before it go back. */
static void span_trim_lead(mic_run_t *run, size_t align_slices)
{
    if (MIC_SPAN_LEAD == 0 || align_slices <= MIC_SPAN_LEAD) return;
    mic_run_t front = *run;
    front.count = (uint32_t)(align_slices - MIC_SPAN_LEAD);
    run->slice += front.count;
    run->count -= front.count;
    mic_run_free(front);
}

/* The last that is done for a span. It may grow unseen, and the next slow path may be far away: so
   what else its thread was asked for waits, but not this. */
static mic_page_t *span_add(mic_theap_t *theap, mic_run_t run, size_t block_bytes)
{
    mic_page_t *const page = mic_theap_add_page(theap, MIC_CLASS_SPAN, run, block_bytes, false);
    mic_record_t *const record = theap->record;
    if (mic_unlikely((mic_load_relaxed(&record->asked) & MIC_ASKED_PURGER) != 0))
        mic_purger_attend(record, true);
    return page;
}

mic_page_t *mic_theap_new_span(mic_theap_t *theap, size_t bytes, size_t alignment, bool *zero)
{
    const size_t slices = mic_span_slices(bytes);
    const size_t align_slices = mic_max(1, alignment >> MIC_SLICE_SHIFT);
    const size_t lead = MIC_SPAN_LEAD == 0 ? 0 : align_slices;
    mic_run_t run;
    if (slices + lead > UINT32_MAX || align_slices > UINT32_MAX) return NULL;
    const size_t block_bytes = mic_span_block_bytes(bytes);
    if (mic_held_take(theap, block_bytes, align_slices, &run)) {
        *zero = run.zero;
        return mic_theap_add_page(theap, MIC_CLASS_SPAN, run, block_bytes, true);
    }
    if (!mic_run_alloc(MIC_PAGE_SPAN, slices + lead, align_slices, mic_theap_place(theap), &run))
        return NULL;
    *zero = run.zero;
    span_trim_lead(&run, align_slices);
    return span_add(theap, run, block_bytes);
}

mic_page_t *mic_theap_new_growing_span(mic_theap_t *theap, size_t bytes, size_t phase, bool *zero)
{
    const size_t slices = mic_span_slices(bytes);
    const size_t run_phase = (phase + MIC_SEGMENT_SLICES - MIC_SPAN_LEAD) % MIC_SEGMENT_SLICES;
    mic_run_t run;
    if (slices > UINT32_MAX - MIC_SPAN_LEAD ||
        !mic_run_alloc_room(slices + MIC_SPAN_LEAD, run_phase, mic_theap_place(theap), &run))
        return NULL;
    *zero = run.zero;
    return span_add(theap, run, mic_span_block_bytes(bytes));
}

void mic_theap_resize_span(mic_page_t *page, size_t slices, size_t block_bytes)
{
    const size_t before = page->slices;
    mic_page_resize_span(page, slices, block_bytes);
    mic_theap_count_resized(before, slices);
}
