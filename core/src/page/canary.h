/* Canary: the last 8 bytes of every block of a size class, seven secret ones and a zero, different
   for each address. Written when a block is carved; it stays there while the block is handed out
   and freed, over and over, and is looked at by every free, realloc, usable-size query and heap
   destruction. So a write beyond the end of a block is found, and strings that were not ended are.

       block |user's bytes ...                  |0|7 secret bytes|
                                                 ^ block + block_bytes - 8

   A block that was handed out by a pointer into it (an offset that does not agree with the
   alignment) carries the canary of that pointer's address: this is how free knows that it was. */
#ifndef MIC_PAGE_CANARY_H
#define MIC_PAGE_CANARY_H

#include "page/page.h"

/* [const from start] an odd secret times 256 */
extern mic_hidden uint64_t mic_canary_key;

/* Before the first page exists. */
void mic_canary_start(void);

mic_inline uint64_t mic_canary_of(const void *p)
{
    return ((uintptr_t)p + 1) * mic_canary_key; /* odd times odd times 256 */
}

mic_inline uint64_t *mic_canary_place(const mic_page_t *page, const void *block)
{
    return (uint64_t *)(void *)((char *)(uintptr_t)block + page->block_bytes - MIC_CANARY_BYTES);
}

#endif
