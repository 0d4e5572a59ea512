/* Size classes: 16-byte steps to 128 bytes, then 2^MIC_CLASS_STEPS_SHIFT steps per doubling up to
   eight slices. Every block size is a multiple of 16; a power of two is always a class of its own.

       class  0    1    2  ...  7    8    9    10   11   12  ...  51
       bytes  16   32   48      128  160  192  224  256  320      256 Ki      (four steps)

   Where blocks end in a canary, many blocks have to be a little more than a power of two. They have
   classes of their own, the fitting ones:

       class  0    1    2  ...  7    8    9    10   11   12   13   14  ...  63
       bytes  16   32   48      128  144  160  192  224  256  272  320      512 Ki

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
/* Powers of two from 128 on with a fitting class. */
#if MIC_CFG_BITS
#define MIC_CLASS_FITS 8u
#else
#define MIC_CLASS_FITS 0u
#endif

/* at least eight blocks in a page of 1, 8 or 64 slices; with policy "list" four in one of 4 */
#define MIC_SMALL_BLOCK_SHIFT (MIC_SLICE_SHIFT - 3u)
#define MIC_MEDIUM_BLOCK_SHIFT (MIC_SLICE_SHIFT)
#define MIC_LARGE_BLOCK_SHIFT (MIC_SLICE_SHIFT + 3u)
#define MIC_SMALL_BLOCK_MAX ((size_t)1 << MIC_SMALL_BLOCK_SHIFT)
#define MIC_MEDIUM_BLOCK_MAX ((size_t)1 << MIC_MEDIUM_BLOCK_SHIFT)
#define MIC_LARGE_BLOCK_MAX ((size_t)1 << MIC_LARGE_BLOCK_SHIFT)

/* classes up to 2^b bytes */
#define MIC_CLASS_LAST_OF_SHIFT(b)                                                                 \
    (MIC_CLASS_LINEAR + ((b)-7u) * MIC_CLASS_STEPS - 1u +                                          \
     ((b)-6u <= MIC_CLASS_FITS ? (b)-7u : MIC_CLASS_FITS))
/* seven of the fitting class above */
#define MIC_CLASS_SMALL_LAST                                                                       \
    (MIC_CLASS_LAST_OF_SHIFT(MIC_SMALL_BLOCK_SHIFT) + (MIC_CLASS_FITS != 0 ? 1u : 0u))
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

/* Fitting classes below that of a block of `top` + 1 bytes; b: the highest bit of `top`. */
#define MIC_CLASS_FITS_BELOW(top, b)                                                               \
    ((b)-6u <= MIC_CLASS_FITS ? (b)-7u + ((top) - ((size_t)1 << (b)) >= 16 ? 1u : 0u)              \
                              : MIC_CLASS_FITS)

/* What lies between the class of `bytes` and its neighbours, fitting ones apart: each multiple of
   it, or of a larger power of two, is the size of a class, up to the next power of two. */
mic_inline size_t mic_class_step(size_t bytes)
{
    if (bytes <= 128) return 16;
    return (size_t)1 << (mic_bit_highest(bytes - 1) - MIC_CLASS_STEPS_SHIFT);
}

/* class of a request of `bytes` <= MIC_LARGE_BLOCK_MAX; 0 bytes is served as 16 */
mic_inline unsigned mic_class_of(size_t bytes)
{
    if (bytes <= 128) return bytes == 0 ? 0u : (unsigned)((bytes - 1) >> 4);
    const size_t top = bytes - 1;
    const unsigned b = mic_bit_highest(top);
    return MIC_CLASS_LINEAR + (b - 7) * MIC_CLASS_STEPS +
           ((unsigned)(top >> (b - MIC_CLASS_STEPS_SHIFT)) & (MIC_CLASS_STEPS - 1)) +
           MIC_CLASS_FITS_BELOW(top, b);
}

/* What may be asked of the byte table, and of classes: a block's end may not be the user's. */
#define MIC_TABLE_REQUEST_MAX (MIC_TABLE_MAX_BYTES - MIC_CANARY_BYTES)
#define MIC_CLASS_REQUEST_MAX (MIC_LARGE_BLOCK_MAX - MIC_CANARY_BYTES)
/* entry of the byte table for a request of `bytes` <= MIC_TABLE_REQUEST_MAX */
#define MIC_TABLE_INDEX(bytes) (((bytes) + MIC_CANARY_BYTES + 15) >> 4)
/* ... which is its class times this: with policy "bits" what malloc looks at next is an address of
   eight times the entry, which needs no shift */
#define MIC_TABLE_SCALE (CFG_BITS ? 4u : 1u)

/* class whose blocks have room for `bytes` <= MIC_CLASS_REQUEST_MAX of the user's */
mic_inline unsigned mic_class_of_request(size_t bytes)
{
    return mic_class_of(bytes + MIC_CANARY_BYTES);
}

mic_inline size_t mic_class_bytes(unsigned cls)
{
    if (cls < MIC_CLASS_LINEAR) return ((size_t)cls + 1) * 16;
    unsigned step = cls - MIC_CLASS_LINEAR;
    const unsigned doubling = step / (MIC_CLASS_STEPS + 1);
    if (doubling + 1 <= MIC_CLASS_FITS) {
        if (step == doubling * (MIC_CLASS_STEPS + 1)) return ((size_t)128 << doubling) + 16;
        step -= doubling + 1;
    } else {
        step -= MIC_CLASS_FITS;
    }
    const unsigned k = step >> MIC_CLASS_STEPS_SHIFT;
    const unsigned j = step & (MIC_CLASS_STEPS - 1);
    return ((size_t)MIC_CLASS_STEPS + 1 + j) << (7 - MIC_CLASS_STEPS_SHIFT + k);
}

#endif
