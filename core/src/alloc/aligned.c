/* Aligned allocation. Pages start at multiples of a slice and have no header, so a class whose
   block size is a multiple of the alignment has only aligned blocks: no padding, no inner pointers.
   Above a slice a block gets a run of slices at an aligned address. Only an offset that does not
   agree with the alignment needs a pointer into a block. Any thread. */
#include <errno.h>
#include <string.h>

#include "alloc/slow.h"
#include "base/check.h"
#include "heap/sample.h"
#include "os/os.h"
#include "rt/report.h"

/* Guarding was decided on with what the program asked for: not once more with what that takes. */
static void *aligned_plain(mic_theap_t *theap, size_t bytes, bool zero)
{
    if (mic_unlikely(mic_load_relaxed(&mic_sampling) != 0))
        return mic_alloc_unsampled_in(theap, bytes, zero);
    return zero ? mic_zalloc_in(theap, bytes) : mic_malloc_in(theap, bytes);
}

static void *aligned_from_class(mic_theap_t *theap, size_t bytes, size_t alignment, bool zero)
{
    size_t block = mic_max(bytes + MIC_CANARY_BYTES, alignment);
    block = mic_align_up(block, mic_max(mic_class_step(block), alignment));
    /* large blocks with guards between them are aligned to OS pages only */
    if (CFG_BITS && block > MIC_MEDIUM_BLOCK_MAX && alignment > mic_os_info.page_bytes)
        return mic_alloc_span_in(theap, bytes, MIC_SLICE_BYTES, zero);
    return aligned_plain(theap, block - MIC_CANARY_BYTES, zero);
}

void mic_alloc_mark_inner(void *block, const void *p)
{
    mic_page_t *const page = mic_page_of(block);
    if (CFG_BITS) mic_bits_mark_inner(page, block, p);
    if (mic_thread_is_ready()) {
        mic_page_owner_tag(page, MIC_OWNER_INNER, 0);
    } else { /* the late record's: tags change under its lock */
        mic_lock_acquire(&mic_late_lock);
        mic_page_owner_tag(page, MIC_OWNER_INNER, 0);
        mic_lock_release(&mic_late_lock);
    }
}

static void *aligned_at_offset(mic_theap_t *theap, size_t bytes, size_t alignment, size_t offset,
                               bool zero)
{
    if (bytes > MIC_SIZE_MAX - alignment) return mic_alloc_slow_in(theap, SIZE_MAX, false);
    char *const block = aligned_plain(theap, bytes + alignment - 1, zero);
    if (block == NULL) return NULL;
    const uintptr_t miss = ((uintptr_t)block + offset) & (alignment - 1);
    if (miss == 0) return block;
    mic_alloc_mark_inner(block, block + (alignment - miss));
    return block + (alignment - miss);
}

void *mic_alloc_aligned_in(mic_theap_t *theap, size_t bytes, size_t alignment, size_t offset,
                           bool zero)
{
    if (mic_unlikely(!mic_is_power_of_two(alignment))) {
        errno = EINVAL;
        return NULL;
    }
    if (mic_unlikely(bytes > MIC_SIZE_MAX)) return mic_alloc_slow_in(theap, bytes, false);
    if (mic_unlikely(mic_load_relaxed(&mic_sampling) != 0)) {
        void *const guarded = mic_alloc_sampled_in(theap, bytes, alignment, offset, zero);
        if (guarded != NULL) return guarded;
    }
    if (mic_likely((offset & (alignment - 1)) == 0)) {
        if (alignment <= MIC_ALIGN_MAX_NATURAL) return aligned_plain(theap, bytes, zero);
        if (alignment <= MIC_SLICE_BYTES && bytes <= MIC_CLASS_REQUEST_MAX)
            return aligned_from_class(theap, bytes, alignment, zero);
        return mic_alloc_span_in(theap, bytes, mic_max(alignment, MIC_SLICE_BYTES), zero);
    }
    return aligned_at_offset(theap, bytes, alignment, offset, zero);
}
