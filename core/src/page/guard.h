/* Guards of big blocks (policy "bits" only; elsewhere these do nothing): OS pages that cannot be
   touched on both sides of each block above 64 KiB. They cost no mapping where the kernel has light
   guards, and are removed before their slices are given back. A guard that cannot be had is left
   out.

       large |G|block 0 |G|block 1 |G| ...        G: one OS page
       span  |....G|block            |GGGG|       to the end of its last slice */
#ifndef MIC_PAGE_GUARD_H
#define MIC_PAGE_GUARD_H

#include "page/page.h"

/* Of the blocks [from, to) of a large page, about to be carved. */
void mic_guard_blocks(const mic_page_t *page, size_t from, size_t to);
/* Of a span, all of them. */
void mic_guard_span(const mic_page_t *page);
/* The one behind a span, before it is resized or moved. */
void mic_unguard_tail(const mic_page_t *page);
void mic_guard_tail(const mic_page_t *page);
/* Makes all of the blocks read as zero by giving their memory back. False: the system refused, or
   it is the program's memory. */
bool mic_page_purge(const mic_page_t *page);
/* Hardened: a span that is to be freed reads as zero from now on (MIC_PAGE_CLEARED or EMPTIED);
   `keep`: it may keep its memory. Not under a lock: it takes as long as writing the block. */
void mic_page_clear_span(mic_page_t *page, bool keep);
/* Makes a span that cannot be purged read as zero; what nobody touched stays so. */
void mic_page_clear_used(const mic_page_t *page);
/* Before the page's run is given back. */
void mic_unguard_page(const mic_page_t *page);

#endif
