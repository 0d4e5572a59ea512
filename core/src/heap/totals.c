/* What is counted when pages come and go; what thread heaps counted, put together. See theap.h. */
#include "base/compiler.h"
#include "heap/theap.h"

mic_level_t mic_theap_class_slices[MIC_CLASS_COUNT + 1];
mic_atomic(uint64_t) mic_theap_class_blocks[MIC_CLASS_COUNT];

void mic_theap_count_page(mic_theap_t *theap, const mic_page_t *page)
{
    mic_level_up(&mic_theap_class_slices[page->cls], page->slices);
    mic_level_up(&mic_levels[MIC_LEVEL_PAGES], 1);
    theap->totals.n[MIC_TOTAL_PAGES]++;
    if (page->cls != MIC_CLASS_SPAN) {
        /* it is needed: all blocks of the class's other pages are in use */
        const uint64_t blocks = (uint64_t)theap->class_pages[page->cls] * page->reserved;
        mic_peak_up(&mic_theap_class_blocks[page->cls], blocks);
        return;
    }
    mic_level_up(&mic_levels[MIC_LEVEL_SPANS], 1);
    theap->totals.n[MIC_TOTAL_SPANS]++;
    theap->totals.n[MIC_TOTAL_SPAN_BYTES] += page->block_bytes;
}

void mic_theap_uncount_page(const mic_page_t *page)
{
    mic_level_down(&mic_theap_class_slices[page->cls], page->slices);
    mic_level_down(&mic_levels[MIC_LEVEL_PAGES], 1);
    if (page->cls == MIC_CLASS_SPAN) mic_level_down(&mic_levels[MIC_LEVEL_SPANS], 1);
}

void mic_theap_count_resized(size_t before, size_t after)
{
    mic_level_t *const slices = &mic_theap_class_slices[MIC_CLASS_SPAN];
    if (after > before)
        mic_level_up(slices, after - before);
    else
        mic_level_down(slices, before - after);
}

#define TOTALS (sizeof((mic_theap_totals_t *)0)->n / sizeof(uint64_t))

mic_racy_read void mic_theap_totals_add(const mic_theap_totals_t *from, mic_theap_totals_t *to)
{
    for (size_t i = 0; i < TOTALS; i++) to->n[i] += from->n[i];
}

void mic_theap_move_totals(mic_theap_t *theap, mic_theap_totals_t *restrict to)
{
    mic_theap_totals_t *restrict const from = &theap->totals;
    /* the end of a heap should cost little: it looked at its pages already */
    for (size_t i = theap->pages_left ? 0 : MIC_TOTAL_SPANS; i < MIC_TOTAL_COUNT; i++) {
        to->n[i] += from->n[i];
        from->n[i] = 0;
    }
    theap->pages_left = false;
}
