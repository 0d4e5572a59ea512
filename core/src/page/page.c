/* Making a page, carving its blocks, finding it; see page.h. The owner calls everything but
   mic_page_of and mic_page_locate, which any thread may call. */
#include "page/page.h"

#include <string.h>

#include "base/check.h"
#include "os/os.h"
#include "page/bits.h"
#include "rt/counters.h"

mic_page_kind_t mic_page_kind_of_class(unsigned cls)
{
    if (cls <= MIC_CLASS_SMALL_LAST) return MIC_PAGE_SMALL;
    if (cls <= MIC_CLASS_MEDIUM_LAST) return MIC_PAGE_MEDIUM;
    return cls <= MIC_CLASS_LARGE_LAST ? MIC_PAGE_LARGE : MIC_PAGE_SPAN;
}

/* With policy "list" a large page is as long as its one block: what is left of it serves a block of
   any other size, where a page of many would keep the most that its class ever had. A medium one is
   half as long as with policy "bits", so that it is empty sooner when its blocks move on. */
size_t mic_page_slices_of_class(unsigned cls)
{
    const mic_page_kind_t kind = mic_page_kind_of_class(cls);
    if (kind == MIC_PAGE_SMALL) return 1;
    if (kind == MIC_PAGE_MEDIUM) return CFG_BITS ? 8 : 4;
    return CFG_BITS ? 64 : mic_divide_up(mic_class_bytes(cls), MIC_SLICE_BYTES);
}

mic_run_t mic_page_run(const mic_page_t *page)
{
    const mic_arena_t *const a = &mic_arenas[page->arena];
    const size_t first = ((uintptr_t)page->start - a->base) >> MIC_SLICE_SHIFT;
    const uint32_t lead = page->kind == MIC_PAGE_SPAN ? page->lead : 0;
    const mic_run_t run = {.slice = (uint32_t)(first - lead),
                           .count = page->slices + lead,
                           .arena = page->arena,
                           .zero = false};
    return run;
}

/* Inner slices lead back to the first. A span writes only the first slice of each further segment:
   a gigabyte of span would otherwise dirty 2 MiB of descriptors (mic_page_of searches there). */
static void page_init_inner(mic_page_t *page, const mic_run_t *run)
{
    const size_t at = run->slice % MIC_SEGMENT_SLICES;
    const bool span = page->kind == MIC_PAGE_SPAN;
    const size_t step = span ? MIC_SEGMENT_SLICES : 1;
    for (size_t i = span ? MIC_SEGMENT_SLICES - at : 1; i < run->count; i += step)
        page[i].back = (uint32_t)i;
}

/* Large blocks have a guard on both sides, so that they lie further apart. */
static size_t page_guard_bytes(const mic_page_t *page)
{
    return CFG_BITS && page->kind == MIC_PAGE_LARGE ? mic_os_info.page_bytes : 0;
}

/* Pages start carving at different OS pages, so that first blocks do not all compete for the same
   cache sets. */
static uint32_t page_carve_first(const mic_page_t *page, uint32_t slice)
{
    if (page->kind != MIC_PAGE_SMALL) return 0;
    const uint32_t first = (((slice * 7u) & 15u) * (page->reserved >> 4)) % page->reserved;
    return CFG_BITS && page->reserved >= 128 ? first & ~(uint32_t)63 : first;
}

static void page_init_blocks(mic_page_t *page, mic_run_t run)
{
    const size_t all = (size_t)(run.count - page->lead) << MIC_SLICE_SHIFT;
    const bool ends = MIC_PAGES_END_IN_GUARDS && page->kind < MIC_PAGE_LARGE;
    const size_t bytes = all - (ends ? mic_arena_end_bytes(run.arena) : 0);
    const size_t guard = page_guard_bytes(page);
    const size_t stride = page->block_bytes + guard;
    const bool span = page->kind == MIC_PAGE_SPAN;
    page->reserved = span ? 1 : (uint32_t)((bytes - guard) / stride);
    if (span) {
        page->handed_out = 0;
    } else {
        page->stride = (uint32_t)stride;
        page->carve_first = page_carve_first(page, run.slice);
    }
    page->reciprocal = UINT64_MAX / stride + 1;
    page->start = mic_run_start(run) + ((size_t)page->lead << MIC_SLICE_SHIFT) + guard;
    if (!CFG_BITS) {
        page->local = NULL;
        return;
    }
    size_t end;
    page->live = mic_remote_words(page, &end) + 1;
    for (size_t i = 0; i < end; i += MIC_SLICE_BITMAPS)
        for (size_t b = 0; b + 1 < MIC_SLICE_BITMAPS; b++) mic_store_relaxed(page->live + i + b, 0);
}

void mic_page_init(mic_page_t *page, mic_run_t run, unsigned cls, size_t block_bytes)
{
    const bool span = cls == MIC_CLASS_SPAN;
    page->used = 0; /* before anything is read: that would cost a fault more */
    mic_assert(mic_page_owner(page) == 0);
    page->capacity = 0;
    page->cls = (uint8_t)cls;
    page->kind = (uint8_t)mic_page_kind_of_class(cls);
    page->flags = run.zero ? MIC_PAGE_FRESH_ZERO : 0;
    page->arena = run.arena;
    page->block_bytes = span ? block_bytes : mic_class_bytes(cls);
    page->lead = span ? (uint32_t)MIC_SPAN_LEAD : 0;
    page->slices = run.count - page->lead;
    page->back = 0;
    mic_page_set_theap(page, NULL);
    page->next = page->prev = NULL;
    page->all_next = page->all_prev = NULL;
    page_init_blocks(page, run);
    run.slice += page->lead;
    run.count -= page->lead;
    page_init_inner(page, &run);
    /* of a correct program they are clear: a page is released when all its bits were taken. A block
       freed twice at the same time may have left one, which must not free a block of this page. */
    if (mic_remote_any(page)) (void)mic_remote_clear(page);
}

/* Fewer blocks than this are no choice. */
#define HALF_BLOCKS_LEAST 7
/* From here on what is left over of a word is left out: it is handed out in an order that is easier
   to guess. */
#define HALF_BLOCKS_WHOLE 256

void mic_page_halve(mic_page_t *page)
{
    uint32_t half = page->reserved / 2;
    mic_assert(page->kind == MIC_PAGE_SMALL && page->capacity == 0);
    if (half < HALF_BLOCKS_LEAST) return;
    if (half >= HALF_BLOCKS_WHOLE) half &= ~(uint32_t)63;
    page->reserved = half;
    page->carve_first = page_carve_first(page, mic_page_run(page).slice);
}

void mic_page_resize_span(mic_page_t *page, size_t slices, size_t block_bytes)
{
    mic_run_t run = mic_page_run(page);
    run.slice += page->lead;
    run.count = (uint32_t)slices;
    page->slices = run.count;
    page->block_bytes = block_bytes;
    page_init_inner(page, &run);
}

/* Each moved piece costs two mappings for as long as it lives. */
static mic_atomic(uint64_t) page_moved_count;

static bool page_move_piece(const mic_page_t *from, mic_page_t *to, size_t first, size_t end)
{
    char *const source = from->start + (first << MIC_SLICE_SHIFT);
    char *const target = to->start + (first << MIC_SLICE_SHIFT);
    const size_t bytes = (end - first) << MIC_SLICE_SHIFT;
    if (mic_fetch_add_relaxed(&page_moved_count, 1) < mic_os_move_limit() &&
        mic_os_move(source, target, bytes) == 0) {
        mic_count(MIC_COUNT_MMAP_CALLS, 1);
        return true;
    }
    mic_fetch_sub_relaxed(&page_moved_count, 1);
    memcpy(target, source, bytes);
    return false;
}

void mic_page_move(mic_page_t *from, mic_page_t *to)
{
    const size_t slices = from->slices;
    /* the last piece has no mark yet; without a free mark the span is copied */
    bool all = from->moved_end[MIC_MOVED_PIECES - 1] == 0 && mic_arena_is_ordinary(from->arena);
    if (!all) memcpy(to->start, from->start, from->block_bytes);
    for (size_t i = 0, first = 0; all && first < slices; i++) {
        const size_t end = from->moved_end[i] != 0 ? from->moved_end[i] : slices;
        all = page_move_piece(from, to, first, end);
        if (all) to->moved_end[i] = (uint32_t)end;
        first = end;
        if (!all && first < slices) /* the rest by copying */
            memcpy(to->start + (first << MIC_SLICE_SHIFT), from->start + (first << MIC_SLICE_SHIFT),
                   (slices - first) << MIC_SLICE_SHIFT);
    }
    if (all) from->flags |= MIC_PAGE_EMPTIED;
}

bool mic_page_unmove(mic_page_t *page, size_t first)
{
    bool moved = false;
    for (size_t i = 0, start = 0; i < MIC_MOVED_PIECES && page->moved_end[i] != 0; i++) {
        const size_t end = page->moved_end[i];
        if (end > first) {
            moved = true;
            page->moved_end[i] = start < first ? (uint32_t)first : 0;
            if (start >= first) mic_fetch_sub_relaxed(&page_moved_count, 1);
        }
        start = end;
    }
    if (!moved) return false;
    char *const start = page->start + (first << MIC_SLICE_SHIFT);
    const size_t bytes = ((size_t)page->slices - first) << MIC_SLICE_SHIFT;
    if (mic_os_refresh(start, bytes) != 0) return false;
    mic_count(MIC_COUNT_MMAP_CALLS, 1);
    mic_arena_advise(start, bytes);
    return true;
}

static bool page_covers(const mic_page_t *page, const void *p)
{
    return mic_page_owner(page) != 0 && page->back == 0 &&
           (uintptr_t)p - (uintptr_t)page->start < (size_t)page->slices << MIC_SLICE_SHIFT;
}

mic_page_t *mic_page_of(const void *p)
{
    unsigned arena;
    size_t slice;
    if (!mic_arena_find(p, &arena, &slice)) return NULL;
    mic_page_t *const page = (mic_page_t *)(void *)mic_arena_descriptor(arena, slice);
    if (page_covers(page, p)) return page;
    if (mic_page_owner(page) != 0) return NULL;
    if (page->back != 0 && page->back <= slice && page_covers(page - page->back, p))
        return page - page->back;
    /* inside a span: its first slice is the nearest owned one before, in this segment or where the
       segment's first slice leads */
    for (size_t i = 1; i <= slice % MIC_SEGMENT_SLICES; i++)
        if (mic_page_owner(page - i) != 0) return page_covers(page - i, p) ? page - i : NULL;
    mic_page_t *const first = page - slice % MIC_SEGMENT_SLICES;
    if (first->back != 0 && first->back <= slice && page_covers(first - first->back, p))
        return first - first->back;
    return NULL;
}

mic_block_check_t mic_page_locate(const mic_page_t *page, const void *p, size_t *index)
{
    const size_t offset = (size_t)((const char *)p - page->start);
    if (page->kind == MIC_PAGE_SPAN) {
        *index = 0;
        if (offset >= page->block_bytes) return MIC_BLOCK_OUTSIDE;
        return offset == 0 ? MIC_BLOCK_START : MIC_BLOCK_INNER;
    }
    const size_t i = mic_page_index_of(page, offset);
    if (i >= page->reserved) return MIC_BLOCK_OUTSIDE;
    *index = i;
    if (!CFG_BITS) return i * page->block_bytes == offset ? MIC_BLOCK_START : MIC_BLOCK_INNER;
    const size_t rest = offset - i * page->stride;
    if (rest >= page->block_bytes) return MIC_BLOCK_OUTSIDE; /* the guard behind it */
    return rest == 0 ? MIC_BLOCK_START : MIC_BLOCK_INNER;
}

mic_block_t *mic_page_extend(mic_page_t *page, size_t bytes, mic_block_t **last)
{
    uint32_t at = page->carve_first + page->capacity;
    if (at >= page->reserved) at -= page->reserved;
    const uint32_t room = mic_page_can_extend(page) ? page->reserved - page->capacity : 0;
    uint32_t n = (uint32_t)mic_max(1, bytes / page->block_bytes);
    n = (uint32_t)mic_min(n, mic_min(room, page->reserved - at)); /* not around the corner */
    mic_assert(n > 0);
    char *p = (char *)mic_page_block(page, at);
    mic_block_t *const first = (mic_block_t *)(void *)p;
    mic_block_t *block = first;
    for (uint32_t i = 1; i < n; i++) {
        p += page->block_bytes;
        mic_block_t *const next = (mic_block_t *)(void *)p;
        block->next = next;
        block = next;
    }
    block->next = NULL;
    *last = block;
    mic_compiler_barrier();
    page->used += n;
    page->capacity += n;
    mic_compiler_barrier();
    return first;
}

void mic_page_return_active(mic_page_t *page, mic_block_t *list)
{
    /* not for ever: a block that was freed twice may have made a ring of it */
    for (uint32_t n = page->capacity; list != NULL && n > 0; n--) {
        mic_block_t *const next = list->next;
        (void)mic_page_push_local(page, list);
        list = next;
    }
}

void mic_page_empty(mic_page_t *page)
{
    /* freed remotely: only what was carved, which goes round from carve_first; the words at both
       ends and the last one of the page may be in use only partly */
    mic_atomic(uint64_t) *const words = mic_arena_remote_words(page->arena, page->start);
    const size_t last = mic_remote_at(page->reserved - 1);
    size_t word = mic_remote_at(page->carve_first);
    for (uint32_t n = (page->capacity + 63) / 64 + 2; n > 0; n--) {
        if (mic_load_relaxed(&words[word]) != 0) mic_store_relaxed(&words[word], 0);
        for (size_t b = 0; b + 1 < MIC_SLICE_BITMAPS; b++)
            mic_store_relaxed(page->live + word + b, 0);
        word = word == last ? 0 : word + MIC_SLICE_BITMAPS;
    }
    if (!CFG_BITS) page->local = NULL;
    page->used = page->capacity = 0;
    page->flags = 0;
    page->next = page->prev = NULL;
    mic_page_owner_tag(page, 0, MIC_OWNER_TAGS);
}

/* Counts a list of blocks of the page; a length beyond capacity or a stray link ends the count. */
static bool page_list_is_valid(const mic_page_t *page, const mic_block_t *list, uint32_t *count)
{
    *count = 0;
    for (; list != NULL; list = list->next) {
        size_t index;
        if (mic_page_locate(page, list, &index) != MIC_BLOCK_START) return false;
        if (++*count > page->capacity) return false;
    }
    return true;
}

bool mic_page_is_valid(const mic_page_t *page, const mic_block_t *active)
{
    uint32_t local, listed;
    if (page->back != 0 || page->capacity > page->reserved || page->used > page->capacity)
        return false;
    if (!page_list_is_valid(page, page->local, &local)) return false;
    if (!page_list_is_valid(page, active, &listed)) return false;
    /* a forked child may have lost the decrement of a cut free: too high, never too low */
    return page->used >= page->capacity - local && local + listed <= page->capacity;
}
