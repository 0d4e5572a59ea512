/* Visiting the pages and blocks of a heap; see walk.h. First the heap's pages are noted, then each
   is looked at under its record's lock, and shown to the visitor with no lock held: the visitor may
   allocate and free, other threads may do so too. While pages are noted none moves from one record
   to another: each is noted once. */
#include "alloc/walk.h"

#include <errno.h>

#include "heap/guarded.h"
#include "heap/thread.h"
#include "os/os.h"
#include "page/free_set.h"
#include "rt/lock.h"

typedef struct walk_list {
    mic_page_t **pages; /* in a mapping of its own: in a heap it would change what is looked at */
    size_t count, room; /* count > room: so many there are, and none is listed beyond room */
} walk_list_t;

typedef struct walk_note {
    const mic_walk_t *walk;
    walk_list_t *list;
} walk_note_t;

static bool walk_wants(const mic_walk_t *walk, const mic_theap_t *theap)
{
    if (walk->theap != NULL && walk->theap != theap) return false;
    return !walk->abandoned || mic_load_relaxed(&theap->record->state) != MIC_RECORD_LIVE;
}

static bool walk_take(mic_theap_t *theap, void *arg)
{
    const walk_note_t *const note = arg;
    walk_list_t *const list = note->list;
    if (!walk_wants(note->walk, theap)) return true;
    for (mic_page_t *p = theap->pages; p != NULL; p = p->all_next, list->count++)
        if (list->count < list->room) list->pages[list->count] = p;
    return true;
}

/* Room for `count` pages; 0: gives it back. */
static int walk_make_room(walk_list_t *list, size_t count)
{
    if (list->pages != NULL) mic_os_unreserve(list->pages, list->room * sizeof *list->pages);
    *list = (walk_list_t){NULL, 0, 0};
    if (count == 0) return 0;
    const size_t bytes = mic_align_up(count * sizeof *list->pages, mic_os_info.page_bytes);
    void *memory;
    int error = mic_os_reserve(bytes, 0, &memory);
    if (error != 0) return error;
    list->pages = memory;
    list->room = bytes / sizeof *list->pages;
    return mic_os_commit(memory, bytes);
}

/* All pages that are wanted. Other threads make new ones meanwhile: once more, with more room. */
static int walk_list(const mic_walk_t *walk, walk_list_t *list)
{
    walk_note_t note = {walk, list};
    for (;;) {
        list->count = 0;
        const uint32_t hold = mic_theap_moves_hold();
        (void)mic_heap_each_theap(walk->heap, walk_take, &note);
        mic_theap_moves_release(hold);
        if (list->count <= list->room) return 0;
        const int error = walk_make_room(list, list->count + list->count / 4 + 64);
        if (error != 0) return error;
    }
}

/* The record that owns the page, locked, if the page still is one of the heap; else NULL. */
static mic_record_t *walk_lock(const mic_walk_t *walk, const mic_page_t *page)
{
    for (;;) {
        mic_record_t *const record = mic_record_of_owner(mic_page_owner_seen(page));
        if (record == NULL) return NULL;
        mic_lock_acquire(&record->lock);
        if (mic_record_of_owner(mic_page_owner_seen(page)) == record) {
            const mic_theap_t *const theap = mic_page_theap(page);
            if (mic_theap_heap(theap) == walk->heap && walk_wants(walk, theap)) return record;
            mic_lock_release(&record->lock);
            return NULL;
        }
        mic_lock_release(&record->lock);
    }
}

static bool walk_show(const mic_walk_t *walk, const mic_area_t *area, const uint64_t *bits)
{
    const size_t words = mic_divide_up(area->reserved / area->block_bytes, 64);
    if (!walk->fun(walk->heap, area, NULL, walk->arg)) return false;
    if (!walk->blocks) return true;
    for (size_t i = 0; i < words; i++) {
        for (uint64_t word = bits[i]; word != 0; word &= word - 1) {
            const size_t index = i * 64 + mic_bit_lowest(word);
            char *const block = (char *)area->blocks + index * area->block_bytes;
            if (!walk->fun(walk->heap, area, block, walk->arg)) return false;
        }
    }
    return true;
}

static bool walk_page(const mic_walk_t *walk, const mic_page_t *page)
{
    uint64_t bits[MIC_PAGE_BITS_WORDS];
    mic_record_t *const record = walk_lock(walk, page);
    if (record == NULL) return true;
    const mic_theap_t *const theap = mic_page_theap(page);
    const mic_page_seen_t seen = mic_page_see(page);
    const mic_block_t *const list =
        seen.active && !CFG_BITS ? mic_theap_list_seen(theap, page->cls) : NULL;
    const bool span = page->kind == MIC_PAGE_SPAN; /* its user may resize it meanwhile */
    const size_t stride = span ? seen.block_bytes : page->stride;
    mic_area_t area = {.used = mic_page_live_bits(page, list, bits),
                       .blocks = page->start,
                       .block_bytes = stride,
                       .usable = span ? seen.block_bytes : mic_page_usable(page),
                       .reserved = page->reserved * stride,
                       .committed = seen.capacity * stride};
    if (mic_page_is_sampled(page)) { /* the pointer that the program has */
        area.blocks = mic_guarded_block(page);
        area.usable = mic_guarded_bytes(page);
    }
    mic_lock_release(&record->lock);
    return walk_show(walk, &area, bits);
}

bool mic_heap_walk(const mic_walk_t *walk)
{
    walk_list_t list = {NULL, 0, 0};
    const int error = walk_list(walk, &list);
    bool go_on = error == 0;
    for (size_t i = 0; go_on && i < list.count; i++) go_on = walk_page(walk, list.pages[i]);
    (void)walk_make_room(&list, 0);
    if (error != 0) errno = ENOMEM;
    return go_on;
}
