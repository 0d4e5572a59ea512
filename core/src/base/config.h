/* Build modes and geometry: every feature is a constant 0 or 1 in every build, tested with plain
   `if`, so that both sides always compile. Not for: run-time options (rt/options.h). */
#ifndef MIC_BASE_CONFIG_H
#define MIC_BASE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

/* ---- build modes (given by the build system; a plain compile gets the release build) ---- */
#ifndef MIC_MODE_SECURE
#define MIC_MODE_SECURE 0
#endif
#ifndef MIC_MODE_HARDENED
#define MIC_MODE_HARDENED 0
#endif
#ifndef MIC_MODE_DEBUG
#define MIC_MODE_DEBUG 0
#endif
#ifndef MIC_OVERRIDE
#define MIC_OVERRIDE 0
#endif
#ifndef MIC_CFG_XMALLOC
#define MIC_CFG_XMALLOC 0
#endif
#ifndef MIC_CFG_SHOW_ERRORS
#define MIC_CFG_SHOW_ERRORS 0
#endif
#ifndef MIC_CFG_GUARDED
#define MIC_CFG_GUARDED 0
#endif
#ifndef MIC_CFG_NO_THP
#define MIC_CFG_NO_THP 0
#endif
#ifndef MIC_CFG_SKIP_COLLECT_ON_EXIT
#define MIC_CFG_SKIP_COLLECT_ON_EXIT 0
#endif
#ifndef MIC_CFG_PREFETCH_NEXT
#define MIC_CFG_PREFETCH_NEXT 0
#endif

/* Free-set policy (page/free_set.h): 0 = lists through the free blocks, 1 = bits outside them. */
#ifndef MIC_CFG_BITS
#define MIC_CFG_BITS (MIC_MODE_DEBUG || MIC_MODE_SECURE || MIC_MODE_HARDENED)
#endif

#define CFG_BITS MIC_CFG_BITS
#define CFG_DEBUG MIC_MODE_DEBUG
#define CFG_SECURE (MIC_MODE_SECURE || MIC_MODE_HARDENED)
#define CFG_HARDENED MIC_MODE_HARDENED
#define CFG_ASSERT (MIC_MODE_DEBUG || MIC_MODE_SECURE || MIC_MODE_HARDENED)
#define CFG_XMALLOC MIC_CFG_XMALLOC
#define CFG_SHOW_ERRORS MIC_CFG_SHOW_ERRORS
#define CFG_NO_THP MIC_CFG_NO_THP
#define CFG_SKIP_COLLECT_ON_EXIT MIC_CFG_SKIP_COLLECT_ON_EXIT
#define CFG_PREFETCH_NEXT MIC_CFG_PREFETCH_NEXT

_Static_assert(!(MIC_MODE_HARDENED && !MIC_MODE_SECURE), "hardened is secure plus more");
_Static_assert(sizeof(void *) == 8, "64-bit targets only");

/* Other threads see a thread's plain stores, streaming ones apart, in the order in which it makes
   them. */
#if defined(__x86_64__)
#define MIC_STORES_IN_ORDER 1
#else
#define MIC_STORES_IN_ORDER 0
#endif

/* ---- geometry ----
   arena   |segment|segment|...           one contiguous reservation
   segment |slice 0|slice 1|slice 2| ...  32 MiB
   slice   32 KiB; 64 KiB where OS pages may be as large, and in checking builds, whose order of
           blocks is the less to be guessed the more there are in a page. A page is a run of slices
           that serves one size class */
#ifndef MIC_SLICE_SHIFT
#if defined(__x86_64__) && !MIC_CFG_BITS
#define MIC_SLICE_SHIFT 15
#else
#define MIC_SLICE_SHIFT 16
#endif
#endif
#define MIC_SLICE_BYTES ((size_t)1 << MIC_SLICE_SHIFT)
#define MIC_SEGMENT_SHIFT 25
#define MIC_SEGMENT_BYTES ((size_t)1 << MIC_SEGMENT_SHIFT)
#define MIC_SEGMENT_SLICES ((size_t)1 << (MIC_SEGMENT_SHIFT - MIC_SLICE_SHIFT))
#define MIC_SEGMENT_WORDS (MIC_SEGMENT_SLICES / 64)
/* arenas that the program makes or gives begin and end at a multiple of this */
#define MIC_ARENA_ALIGN_BYTES ((size_t)65536)
_Static_assert(65536 >> MIC_SLICE_SHIFT << MIC_SLICE_SHIFT == 65536, "whole slices");
#define MIC_DESCRIPTOR_BYTES ((size_t)128)

#define MIC_ALIGN_MAX_NATURAL ((size_t)16)
#define MIC_BLOCK_MIN_BYTES ((size_t)16)
/* one bit for each possible block of a slice */
#define MIC_REMOTE_BITMAP_BYTES (MIC_SLICE_BYTES / MIC_BLOCK_MIN_BYTES / 8)
/* What a slice has of bitmaps, outside of it: remote bits; with policy "bits" live bits, in the
   hardened build two for blocks in quarantine. They take turns word by word, since a free looks at
   all that is about its block. Most pages need the first words only: a power of two from slice to
   slice would put those of all pages into a few sets of the cache. */
#define MIC_SLICE_BITMAPS (CFG_HARDENED ? 4 : CFG_BITS ? 2 : 1)
#define MIC_SLICE_BITMAPS_BYTES                                                                    \
    (MIC_SLICE_BITMAPS * MIC_REMOTE_BITMAP_BYTES + (CFG_BITS ? MIC_CACHE_LINE : 0))
/* In the hardened build the last OS page of a small or medium page is inaccessible. */
#define MIC_PAGES_END_IN_GUARDS CFG_HARDENED
/* In the hardened build segments serve one size class for good (vm/ranges.c). */
#define MIC_CLASSES_HAVE_RANGES CFG_HARDENED
#define MIC_BITMAP_WORDS (MIC_REMOTE_BITMAP_BYTES / 8)

/* What the end of every block is for: see page/canary.h. */
#define MIC_CANARY_BYTES ((size_t)(CFG_BITS ? 8 : 0))

#define MIC_KIB ((size_t)1024)
#define MIC_MIB ((size_t)1024 * 1024)
#define MIC_GIB ((size_t)1024 * 1024 * 1024)

#define MIC_SIZE_MAX ((size_t)PTRDIFF_MAX)
/* Larger requests fail at once: the bookkeeping alone would take seconds and gigabytes. */
#define MIC_REQUEST_MAX ((size_t)1 << 42)
#define MIC_CACHE_LINE 64

#endif
