/* Growing and shrinking blocks, with and without alignment. Any thread. */
#include <errno.h>
#include <string.h>

#include "alloc/slow.h"
#include "base/check.h"
#include "rt/report.h"

size_t mic_good_size(size_t bytes)
{
    if (bytes <= MIC_LARGE_BLOCK_MAX) return mic_class_bytes(mic_class_of(bytes));
    if (bytes > MIC_SIZE_MAX - MIC_SLICE_BYTES) return bytes;
    return mic_align_up(bytes, MIC_SLICE_BYTES);
}

static void *resize_foreign(const void *p)
{
    mic_report_error(EINVAL, "realloc of %p, which is not a block of this allocator", p);
    errno = EINVAL;
    return NULL;
}

/* At least half of the block stays in use. */
static bool resize_fits(size_t usable, size_t bytes)
{
    return bytes != 0 && bytes <= usable && bytes >= usable / 2;
}

/* A fresh block of realloc(p, 0): its first byte is zero. */
static void *resize_minimal(void *fresh)
{
    if (fresh != NULL) *(char *)fresh = 0;
    return fresh;
}

static void *resize_move(void *p, void *fresh, size_t usable, size_t bytes, bool zero)
{
    if (fresh == NULL) return NULL;
    const size_t copy = mic_min(usable, bytes);
    memcpy(fresh, p, copy);
    if (zero && bytes > copy) memset((char *)fresh + copy, 0, mic_usable_size(fresh) - copy);
    mic_free(p);
    return bytes == 0 ? resize_minimal(fresh) : fresh;
}

void *mic_realloc(void *p, size_t bytes, bool zero)
{
    if (p == NULL)
        return bytes == 0 ? resize_minimal(mic_malloc(0))
               : zero     ? mic_zalloc(bytes)
                          : mic_malloc(bytes);
    const size_t usable = mic_usable_size(p);
    if (mic_unlikely(usable == 0)) return resize_foreign(p);
    if (resize_fits(usable, bytes)) return p;
    return resize_move(p, mic_malloc(bytes), usable, bytes, zero);
}

void *mic_realloc_aligned(void *p, size_t bytes, size_t alignment, size_t offset, bool zero)
{
    if (p == NULL) return mic_alloc_aligned(bytes, alignment, offset, zero);
    const size_t usable = mic_usable_size(p);
    if (mic_unlikely(usable == 0)) return resize_foreign(p);
    const bool aligned =
        mic_is_power_of_two(alignment) && (((uintptr_t)p + offset) & (alignment - 1)) == 0;
    if (aligned && resize_fits(usable, bytes)) return p;
    return resize_move(p, mic_alloc_aligned(bytes, alignment, offset, false), usable, bytes, zero);
}

void *mic_expand(void *p, size_t bytes)
{
    return p != NULL && bytes <= mic_usable_size(p) ? p : NULL;
}
