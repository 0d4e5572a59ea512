/* Guards of big blocks; see guard.h. Whoever may carve, resize or release the page calls. */
#include "page/guard.h"

#include <string.h>

#include "os/os.h"

static bool guard_wanted(const mic_page_t *page)
{
    return CFG_BITS && mic_arena_may_guard(page->arena);
}

void mic_guard_blocks(const mic_page_t *page, size_t from, size_t to)
{
    if (page->kind != MIC_PAGE_LARGE || !guard_wanted(page)) return;
    const size_t guard = mic_os_info.page_bytes;
    for (size_t i = from; i < to; i++) {
        char *const block = mic_page_block(page, i);
        if (i == 0) (void)mic_os_guard(block - guard, guard);
        (void)mic_os_guard(block + page->block_bytes, guard);
    }
}

static char *guard_tail(const mic_page_t *page, size_t *bytes)
{
    char *const end = page->start + ((size_t)page->slices << MIC_SLICE_SHIFT);
    char *const tail = page->start + page->block_bytes;
    *bytes = (size_t)(end - tail);
    return tail;
}

void mic_guard_tail(const mic_page_t *page)
{
    size_t bytes;
    char *const tail = guard_tail(page, &bytes);
    if (bytes != 0 && guard_wanted(page)) (void)mic_os_guard(tail, bytes);
}

void mic_unguard_tail(const mic_page_t *page)
{
    size_t bytes;
    char *const tail = guard_tail(page, &bytes);
    if (bytes != 0 && guard_wanted(page)) mic_os_unguard(tail, bytes, 1);
}

void mic_guard_span(const mic_page_t *page)
{
    if (!guard_wanted(page)) return;
    if (page->lead != 0)
        (void)mic_os_guard(page->start - mic_os_info.page_bytes, mic_os_info.page_bytes);
    mic_guard_tail(page);
}

bool mic_page_purge(const mic_page_t *page)
{
    return mic_arena_may_guard(page->arena) &&
           mic_os_purge(page->start, (size_t)page->slices << MIC_SLICE_SHIFT) == 0;
}

/* Clearing a span takes a tenth of the time that faulting it in again does. But what is not in
   memory would be fetched for it: so it is given back unless half of it is there, by two looks at
   parts of it. */
#define CLEAR_LOOK_BYTES (64 * MIC_KIB)

static bool clear_is_resident(const mic_page_t *page)
{
    const size_t quarter = mic_align_down(page->block_bytes / 4, mic_os_info.page_bytes);
    const size_t bytes = mic_min(quarter, CLEAR_LOOK_BYTES);
    return mic_os_resident(page->start + quarter, bytes) >= bytes / 2 &&
           mic_os_resident(page->start + 3 * quarter, bytes) >= bytes / 2;
}

/* What is not in memory was never touched, which a look leaves so, or it was swapped out. */
static bool clear_run(void *start, size_t bytes, bool resident, void *arg)
{
    (void)arg;
    char *at = start, *const end = at + bytes;
    const size_t step = resident ? bytes : mic_os_info.page_bytes;
    for (; at < end; at += step)
        if (resident || at[0] != 0 || memcmp(at, at + 1, step - 1) != 0) memset(at, 0, step);
    return true;
}

void mic_page_clear_used(const mic_page_t *page)
{
    (void)mic_os_each_run(page->start, page->block_bytes, clear_run, NULL);
}

void mic_page_clear_span(mic_page_t *page, bool keep)
{
    if ((page->flags & (MIC_PAGE_EMPTIED | MIC_PAGE_CLEARED)) != 0) return;
    keep = keep && page->moved_end[0] == 0 && clear_is_resident(page);
    if (!keep && mic_page_purge(page)) {
        page->flags |= MIC_PAGE_EMPTIED;
        return;
    }
    if (keep)
        memset(page->start, 0, page->block_bytes);
    else
        mic_page_clear_used(page);
    page->flags |= MIC_PAGE_CLEARED;
}

void mic_unguard_page(const mic_page_t *page)
{
    if (!guard_wanted(page)) return;
    if (page->kind == MIC_PAGE_SPAN) {
        if (page->lead != 0)
            mic_os_unguard(page->start - mic_os_info.page_bytes, mic_os_info.page_bytes, 1);
        mic_unguard_tail(page);
    } else if (page->kind == MIC_PAGE_LARGE && page->capacity != 0) {
        const size_t guard = mic_os_info.page_bytes;
        mic_os_unguard(page->start - guard, guard + (size_t)page->capacity * page->stride,
                       (size_t)page->capacity + 1);
    }
}
