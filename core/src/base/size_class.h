/* Size classes: 16-byte steps to 128 bytes, then 2^MIC_CLASS_STEPS_SHIFT steps per doubling up to
   eight slices. Every block size is a multiple of 16; a power of two is always a class of its own.

       class  0    1    2  ...  7    8    9    10   11   12  ...  51
       bytes  16   32   48      128  160  192  224  256  320      256 Ki      (four steps)

   Pure arithmetic, no state. */
#ifndef MIC_BASE_SIZE_CLASS_H
#define MIC_BASE_SIZE_CLASS_H

#include "base/bits.h"
#include "base/config.h"

#ifndef MIC_CLASS_STEPS_SHIFT
#define MIC_CLASS_STEPS_SHIFT 2
#endif
#define MIC_CLASS_STEPS (1u << MIC_CLASS_STEPS_SHIFT)
#define MIC_CLASS_LINEAR 8u /* classes of 16, 32 ... 128 bytes */

/* at least eight blocks in a page of 1, 8 or 64 slices */
#define MIC_SMALL_BLOCK_SHIFT (MIC_SLICE_SHIFT - 3u)
#define MIC_MEDIUM_BLOCK_SHIFT (MIC_SLICE_SHIFT)
#define MIC_LARGE_BLOCK_SHIFT (MIC_SLICE_SHIFT + 3u)
#define MIC_SMALL_BLOCK_MAX ((size_t)1 << MIC_SMALL_BLOCK_SHIFT)
#define MIC_MEDIUM_BLOCK_MAX ((size_t)1 << MIC_MEDIUM_BLOCK_SHIFT)
#define MIC_LARGE_BLOCK_MAX ((size_t)1 << MIC_LARGE_BLOCK_SHIFT)

/* classes up to 2^b bytes */
#define MIC_CLASS_LAST_OF_SHIFT(b) (MIC_CLASS_LINEAR + ((b)-7u) * MIC_CLASS_STEPS - 1u)
#define MIC_CLASS_SMALL_LAST MIC_CLASS_LAST_OF_SHIFT(MIC_SMALL_BLOCK_SHIFT)
#define MIC_CLASS_MEDIUM_LAST MIC_CLASS_LAST_OF_SHIFT(MIC_MEDIUM_BLOCK_SHIFT)
#define MIC_CLASS_LARGE_LAST MIC_CLASS_LAST_OF_SHIFT(MIC_LARGE_BLOCK_SHIFT)
#define MIC_CLASS_COUNT (MIC_CLASS_LARGE_LAST + 1u)
#define MIC_CLASS_SPAN MIC_CLASS_COUNT /* one block per page */

/* Sizes up to this go through the byte table of the thread heap, one entry per 16 bytes; others
   take the long way each time. With a canary a request of 4 KiB is of the next entry. */
#if MIC_CFG_BITS
#define MIC_TABLE_MAX_BYTES ((size_t)4096 + 16)
#else
#define MIC_TABLE_MAX_BYTES ((size_t)4096)
#endif
#define MIC_TABLE_ENTRIES (MIC_TABLE_MAX_BYTES / 16 + 1)

/* class of a request of `bytes` <= MIC_LARGE_BLOCK_MAX; 0 bytes is served as 16 */
mic_inline unsigned mic_class_of(size_t bytes)
{
    if (bytes <= 128) return bytes == 0 ? 0u : (unsigned)((bytes - 1) >> 4);
    const size_t top = bytes - 1;
    const unsigned b = mic_bit_highest(top);
    return MIC_CLASS_LINEAR + (b - 7) * MIC_CLASS_STEPS +
           ((unsigned)(top >> (b - MIC_CLASS_STEPS_SHIFT)) & (MIC_CLASS_STEPS - 1));
}

/* What may be asked of the byte table, and of classes: a block's end may not be the user's. */
#define MIC_TABLE_REQUEST_MAX (MIC_TABLE_MAX_BYTES - MIC_CANARY_BYTES)
#define MIC_CLASS_REQUEST_MAX (MIC_LARGE_BLOCK_MAX - MIC_CANARY_BYTES)
/* entry of the byte table for a request of `bytes` <= MIC_TABLE_REQUEST_MAX */
#define MIC_TABLE_INDEX(bytes) (((bytes) + MIC_CANARY_BYTES + 15) >> 4)

/* class whose blocks have room for `bytes` <= MIC_CLASS_REQUEST_MAX of the user's */
mic_inline unsigned mic_class_of_request(size_t bytes)
{
    return mic_class_of(bytes + MIC_CANARY_BYTES);
}

mic_inline size_t mic_class_bytes(unsigned cls)
{
    if (cls < MIC_CLASS_LINEAR) return ((size_t)cls + 1) * 16;
    const unsigned k = (cls - MIC_CLASS_LINEAR) >> MIC_CLASS_STEPS_SHIFT;
    const unsigned j = (cls - MIC_CLASS_LINEAR) & (MIC_CLASS_STEPS - 1);
    return ((size_t)MIC_CLASS_STEPS + 1 + j) << (7 - MIC_CLASS_STEPS_SHIFT + k);
}

#endif
