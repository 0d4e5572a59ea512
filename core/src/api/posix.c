/* The names that POSIX, BSD, macOS, glibc and Windows have for the same things. */
#include "alloc/slow.h"
#include "api/api.h"
#include "heap/thread.h"
#include "os/os.h"
#include "rt/report.h"

void mi_cfree(void *p)
{
    if (mic_is_owned(p)) mic_free(p);
}

void *mi__expand(void *p, size_t newsize) { return mi_expand(p, newsize); }

size_t mi_malloc_size(const void *p) { return mic_usable_size(p); }

size_t mi_malloc_usable_size(const void *p) { return mic_usable_size(p); }

size_t mi_malloc_good_size(size_t size) { return mic_good_size(size); }

int mi_posix_memalign(void **p, size_t alignment, size_t size)
{
    if (p == NULL) return EINVAL;
    if (alignment % sizeof(void *) != 0 || !mic_is_power_of_two(alignment)) return EINVAL;

    const int saved = errno; /* POSIX: the result says it all */
    void *const block = mic_alloc_aligned(size, alignment, 0, false);
    if (block == NULL) {
        errno = saved;
        return ENOMEM;
    }
    *p = block;
    return 0;
}

void *mi_memalign(size_t alignment, size_t size)
{
    return mic_alloc_aligned(size, alignment, 0, false);
}

void *mi_aligned_alloc(size_t alignment, size_t size)
{
    return mic_alloc_aligned(size, alignment, 0, false);
}

/* This may be the first call of all. What is known of the system is written once, while nobody else
   reads it. */
static size_t posix_page_bytes(void)
{
    const int saved = errno;
    (void)mic_process_start();
    errno = saved;
    return mic_os_info.page_bytes;
}

void *mi_valloc(size_t size) { return mic_alloc_aligned(size, posix_page_bytes(), 0, false); }

void *mi_pvalloc(size_t size)
{
    const size_t page = posix_page_bytes();
    if (size > MIC_SIZE_MAX - page) return mi_valloc(size); /* fails there */
    return mic_alloc_aligned(mic_align_up(size, page), page, 0, false);
}

void *mi_reallocarray(void *p, size_t count, size_t size) { return mi_reallocn(p, count, size); }

int mi_reallocarr(void *ptrp, size_t count, size_t size)
{
    if (ptrp == NULL || size == 0) return errno = EINVAL;
    size_t total;
    if (mic_mul_overflow(count, size, &total)) return errno = EOVERFLOW;

    void **const slot = (void **)ptrp;
    if (total == 0) {
        mic_free(*slot);
        *slot = NULL;
        return 0;
    }
    void *const block = mic_realloc(*slot, total, false);
    if (block == NULL) return errno;
    *slot = block;
    return 0;
}

void *mi_aligned_recalloc(void *p, size_t newcount, size_t size, size_t alignment)
{
    return mi_recalloc_aligned_at(p, newcount, size, alignment, 0);
}

void *mi_aligned_offset_recalloc(void *p, size_t newcount, size_t size, size_t alignment,
                                 size_t offset)
{
    return mi_recalloc_aligned_at(p, newcount, size, alignment, offset);
}

/* What the caller knows of the block is not needed: its page knows. In checking builds the two must
   agree. */

/* Where a medium or large page could not be had a block has whole slices (alloc/malloc.c). */
static bool posix_is_in_spare_span(const mic_page_t *page, size_t usable, size_t size)
{
    return page->kind == MIC_PAGE_SPAN && size > MIC_SMALL_BLOCK_MAX &&
           usable < mic_good_size(size) + 2 * MIC_SLICE_BYTES;
}

static bool posix_size_is_possible(const void *p, size_t size, size_t alignment, mic_said_t said)
{
    mic_located_t at;
    const size_t usable = mic_locate(p, &at) ? mic_located_usable(&at, p) : 0;
    if (usable == 0) return true; /* not ours: free tells */
    if (size > usable) return false;
    if (usable != 0 && mic_page_is_sampled(at.page)) /* it knows what was asked for */
        return said == MIC_SAID_AT_MOST || mic_max(size, 1) == usable;
    if (said == MIC_SAID_AT_MOST || mic_good_size(size) == usable) return true;
    if (posix_is_in_spare_span(at.page, usable, size)) return true;
    /* resizing leaves a block where it is while half of it is used; an aligned one may be larger */
    return said == MIC_SAID_REQUEST && mic_max(size, alignment) >= usable / 2;
}

mic_noinline void mic_api_free_checked(void *p, size_t size, size_t alignment, mic_said_t said)
{
    if (p != NULL && !posix_size_is_possible(p, size, alignment, said))
        mic_report_error(EINVAL, "free of %p, which is not a block of %zu bytes", p, size);
    else if (alignment != 0 && (uintptr_t)p % alignment != 0)
        mic_report_error(EINVAL, "free of %p, which is not aligned to %zu bytes", p, alignment);
    mic_free(p);
}

mic_entry void mi_free_size(void *p, size_t size)
{
    mic_api_free_hinted(p, size, 0, MIC_SAID_AT_MOST);
}

mic_entry void mi_free_size_aligned(void *p, size_t size, size_t alignment)
{
    mic_api_free_hinted(p, size, alignment, MIC_SAID_REQUEST);
}

void mi_free_aligned(void *p, size_t alignment)
{
    mic_api_free_hinted(p, 0, alignment, MIC_SAID_AT_MOST);
}
