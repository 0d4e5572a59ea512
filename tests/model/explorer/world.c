/* See world.h. This file is compiled like the shipping code: its plain accesses are checked for
   data races, but for the ghost, which is not part of the program. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "rt/lock.h"

#define GHOST __attribute__((no_sanitize("thread"), noinline))
#define CLS 15u /* 512-byte blocks: 128 of them, two words of bits */
/* the last page has its two blocks in one word */
#define FIRST_INDEX(p) ((p) == PAGES - 1 ? 10u : 63u)
#define BOXES 4

mic_page_t world_pages[PAGES] mic_aligned(128);
static struct {
    mic_record_t record mic_aligned(128);
} records[RECORDS];
mic_record_t mic_record_late mic_aligned(128);
mic_lock_t mic_late_lock = MIC_LOCK_INIT(MIC_RANK_LATE);
static char memory[PAGES << MIC_SLICE_SHIFT] mic_aligned(65536);
static mic_atomic(uint64_t) bits[PAGES * MIC_REMOTE_BITMAP_BYTES / 8];
static mic_atomic(uintptr_t) boxes[BOXES];
static mic_lock_t arena_lock = MIC_LOCK_INIT(MIC_RANK_ARENA);
static bool page_is_free[PAGES]; /* [lock: arena] */

mic_arena_t mic_arenas[MIC_ARENA_MAX];
mic_region_t mic_region mic_aligned(64);
const mic_theap_t mic_theap_empty;
bool mic_deep_enabled;

/* ---- other layers ---- */

mic_noreturn mic_cold void mic_check_failed(const char *what, const char *file, int line)
{
    model_fail("check failed at %s:%d: %s", file, line, what);
}

void mic_lock_acquire(mic_lock_t *lock) { model_lock_acquire(lock, lock->rank); }
bool mic_lock_try(mic_lock_t *lock) { return model_lock_try(lock, lock->rank); }
void mic_lock_release(mic_lock_t *lock) { model_lock_release(lock); }
void mic_lock_acquire_pair(mic_lock_t *first, mic_lock_t *second)
{
    model_lock_acquire_pair(first, second, first->rank);
}
void mic_lock_release_pair(mic_lock_t *first, mic_lock_t *second)
{
    model_lock_release(second);
    model_lock_release(first);
}
void mic_lock_acquire_for_fork(mic_lock_t *lock) { mic_lock_acquire(lock); }
void mic_lock_reset(mic_lock_t *lock) { (void)lock; }

bool mic_arena_find(const void *p, unsigned *arena, size_t *slice)
{
    *arena = 0;
    *slice = ((uintptr_t)p - (uintptr_t)memory) >> MIC_SLICE_SHIFT;
    return *slice < PAGES;
}

/* ---- ghost ---- */

typedef enum { BLOCK_FREE, BLOCK_LIVE, BLOCK_FREEING } block_state;
static struct {
    block_state state[PAGES][BLOCKS];
    bool blocked[RECORDS + 1];
    bool orphan[RECORDS + 1];
} ghost;

/* RECORDS is the late record. */
GHOST mic_record_t *world_record(int number)
{
    return number < RECORDS ? &records[number].record : &mic_record_late;
}

GHOST static int record_number(const mic_record_t *record)
{
    for (int r = 0; r <= RECORDS; r++)
        if (record == world_record(r)) return r;
    model_fail("an owner word leads to no record");
}

GHOST static void ghost_set(int page, int at, block_state from, block_state to)
{
    model_check(ghost.state[page][at] == from, "block %d of page %d: state %d, expected %d", at,
                page, ghost.state[page][at], from);
    ghost.state[page][at] = to;
}

GHOST static uint64_t ghost_word(int page, int at)
{
    const unsigned index = FIRST_INDEX(page) + (unsigned)at;
    const uint64_t *const w = (const uint64_t *)(const void *)bits +
                              (size_t)page * (MIC_REMOTE_BITMAP_BYTES / 8) + index / 64;
    return *w >> (index % 64) & 1;
}

GHOST static mic_block_t *block_of(int page, int at)
{
    return (mic_block_t *)(void *)(memory + ((size_t)page << MIC_SLICE_SHIFT) +
                                   (FIRST_INDEX(page) + (unsigned)at) * 512u);
}

GHOST static world_block block_find(const mic_block_t *block)
{
    const size_t offset = (size_t)((const char *)block - memory);
    const int page = (int)(offset >> MIC_SLICE_SHIFT);
    const size_t index = (offset & (MIC_SLICE_BYTES - 1)) / 512;
    model_check(offset < sizeof memory && index - FIRST_INDEX(page) < BLOCKS && offset % 512 == 0,
                "a list of blocks leads astray");
    return (world_block){page, (int)(index - FIRST_INDEX(page))};
}

/* The local list holds each free block once and no other. Whoever calls owns the page. */
GHOST static void ghost_collected(mic_page_t *page)
{
    bool seen[BLOCKS] = {false};
    const int p = (int)(page - world_pages);
    uint32_t n = 0;
    for (const mic_block_t *b = page->local; b != NULL; b = b->next) {
        const world_block at = block_find(b);
        model_check(at.page == p, "page %d lists a block of page %d", p, at.page);
        model_check(!seen[at.at], "block %d of page %d is on the list twice", at.at, p);
        model_check(ghost.state[p][at.at] != BLOCK_LIVE, "block %d of page %d came back while live",
                    at.at, p);
        seen[at.at] = true;
        ghost.state[p][at.at] = BLOCK_FREE;
        n++;
    }
    for (int i = 0; i < BLOCKS; i++)
        model_check(seen[i] || ghost.state[p][i] != BLOCK_FREE, "block %d of page %d is lost", i,
                    p);
    model_check(page->used == page->capacity - n, "page %d: used is wrong", p);
}

GHOST static void ghost_authority(const mic_page_t *page)
{
    const mic_record_t *const record = page->theap->record;
    model_check(model_lock_is_mine(&record->lock), "page %d is collected without its record's lock",
                (int)(page - world_pages));
    model_check(!record->in_pool, "page %d is collected while its record is in the pool",
                (int)(page - world_pages));
}

GHOST static void ghost_released(const mic_page_t *page)
{
    const int p = (int)(page - world_pages);
    for (int i = 0; i < BLOCKS; i++) {
        model_check(ghost.state[p][i] == BLOCK_FREE, "page %d is released with a block out", p);
        model_check(ghost_word(p, i) == 0, "page %d is released with a bit set", p);
    }
}

GHOST static void ghost_orphan(const mic_record_t *record, bool is)
{
    ghost.orphan[record_number(record)] = is;
}

GHOST static void ghost_all_free(int page)
{
    for (int i = 0; i < BLOCKS; i++) ghost.state[page][i] = BLOCK_FREE;
}

/* ---- what heap/theap.c does ---- */

static void page_unlink_locked(mic_page_t *page)
{
    mic_theap_t *const theap = page->theap;
    if (page->all_prev != NULL)
        page->all_prev->all_next = page->all_next;
    else
        theap->pages = page->all_next;
    if (page->all_next != NULL) page->all_next->all_prev = page->all_prev;
}

static void release_locked(mic_page_t *page)
{
    ghost_authority(page);
    ghost_released(page);
    page_unlink_locked(page);
    mic_page_owner_clear(page);
    mic_lock_acquire(&arena_lock);
    page_is_free[page - world_pages] = true;
    mic_lock_release(&arena_lock);
}

bool mic_theap_collect_page_locked(mic_page_t *page)
{
    ghost_authority(page);
    mic_remote_collect(page);
    ghost_collected(page);
    if (page->used == 0) {
        release_locked(page);
        return false;
    }
    if ((mic_page_owner(page) & MIC_OWNER_FULL) != 0 && page->local != NULL)
        mic_page_owner_tag(page, 0, MIC_OWNER_FULL);
    return true;
}

/* The blocks were freed one way or another. */
static void release_all_locked(mic_page_t *page)
{
    ghost_all_free((int)(page - world_pages));
    release_locked(page);
}

static void page_link_locked(mic_page_t *page, mic_record_t *record)
{
    page->theap = &record->theap;
    page->all_prev = NULL;
    page->all_next = record->theap.pages;
    if (page->all_next != NULL) page->all_next->all_prev = page;
    record->theap.pages = page;
}

/* All blocks carved and handed out. */
static void page_make(int p, mic_record_t *record)
{
    mic_page_t *const page = &world_pages[p];
    const mic_run_t run = {.slice = (uint32_t)p, .count = 1, .arena = 0, .zero = false};
    mic_page_init(page, run, CLS, 0);
    page->carve_first = FIRST_INDEX(p);
    mic_block_t *last;
    mic_page_extend(page, BLOCKS * 512, &last);
    mic_lock_acquire(&record->lock);
    page_link_locked(page, record);
    mic_lock_release(&record->lock);
    for (int i = 0; i < BLOCKS; i++) ghost_set(p, i, BLOCK_FREE, BLOCK_LIVE);
    mic_page_owner_publish(page, &record->inbox, MIC_OWNER_FULL);
}

/* ---- setting up ---- */

void world_reset(void)
{
    mic_pool_reset();
    memset(world_pages, 0, sizeof world_pages);
    memset((void *)bits, 0, sizeof bits);
    memset((void *)boxes, 0, sizeof boxes);
    memset(page_is_free, 0, sizeof page_is_free);
    memset(&ghost, 0, sizeof ghost);
    for (int r = 0; r <= RECORDS; r++) {
        mic_record_t *const record = world_record(r);
        memset((void *)record, 0, sizeof *record);
        record->lock.rank = MIC_RANK_RECORD;
        record->theap.record = record;
        if (r < RECORDS)
            model_name(&record->inbox, "inbox%d", r);
        else
            model_name(&record->inbox, "inbox_late");
        model_name(&record->lock, "record%d.lock", r);
    }
    mic_store_relaxed(&mic_record_late.inbox.word, MIC_INBOX_ORPHAN);
    mic_arenas[0].base = (uintptr_t)memory;
    mic_arenas[0].slice_count = PAGES;
    mic_arenas[0].descriptors = (char *)world_pages;
    mic_arenas[0].remote = (char *)(void *)bits;
    /* somebody notified before: its mark is no part of the protocol */
    mic_store_relaxed(&world_pages[0].pending, 1);
    mic_record_notify(&world_pages[0], NULL);
    mic_store_relaxed(&world_pages[0].pending, 0);
    for (int p = 0; p < PAGES; p++) {
        model_name(&world_pages[p], "page%d", p);
        model_name(&world_pages[p].pending, "page%d.pending", p);
        model_name(&world_pages[p].link, "page%d.link", p);
        model_name(&world_pages[p].used, "page%d.used", p);
        model_name(&world_pages[p].local, "page%d.local", p);
        model_name(&world_pages[p].flags, "page%d.flags", p);
        for (int i = 0; i < BLOCKS; i++) {
            model_name(block_of(p, i), "page%d block %d", p, i);
            model_name((char *)(void *)bits + (size_t)p * MIC_REMOTE_BITMAP_BYTES + (size_t)i * 8,
                       "page%d.word[%d]", p, i);
        }
        model_exclusive(&world_pages[p].link);
    }
    for (int i = 0; i < BOXES; i++) model_name(&boxes[i], "box%d", i);
    mic_pool_lock_for_fork(); /* the only way to learn its address */
    model_name(model_lock_latest(), "pool lock");
    mic_pool_unlock_after_fork(false);
    model_name(&arena_lock, "arena lock");
    model_name(&mic_late_lock, "late lock");
}

void world_give(int page, mic_record_t *record) { page_make(page, record); }

void world_orphan(mic_record_t *record)
{
    ghost_orphan(record, true);
    model_check(mic_pool_put(record), "set-up: inbox is not empty");
}

void world_blocks(mic_record_t *record) { ghost.blocked[record_number(record)] = true; }

void world_late_token(int page, mic_record_t *record)
{
    page_make(page, record);
    mic_record_notify(&world_pages[page], NULL);
    mic_lock_acquire(&record->lock);
    release_all_locked(&world_pages[page]);
    mic_lock_release(&record->lock);
}

void world_free_page(int page) { page_is_free[page] = true; }

/* ---- what threads do ---- */

static void free_block(mic_record_t *mine, int p, int at, mic_theap_t *adopter)
{
    mic_page_t *const page = &world_pages[p];
    mic_block_t *const block = block_of(p, at);
    block->next = (mic_block_t *)(uintptr_t)0x55; /* the user's last word */
    model_note("free block %d of page %d", at, p);
    ghost_set(p, at, BLOCK_LIVE, BLOCK_FREEING);
    if (mine != NULL && mic_record_of_owner(mic_load_fast(&page->owner)) == mine) {
        ghost_set(p, at, BLOCK_FREEING, BLOCK_FREE);
        mic_page_push_local(page, block);
        if (page->used == 0) {
            mic_lock_acquire(&mine->lock);
            mic_theap_collect_page_locked(page);
            mic_lock_release(&mine->lock);
        }
        return;
    }
    model_check(mic_remote_set(page, FIRST_INDEX(p) + (unsigned)at), "double free of %d in page %d",
                at, p);
    mic_record_notify(page, adopter);
    model_note("free of block %d of page %d is done", at, p);
}

void world_free(mic_record_t *mine, int p, int at) { free_block(mine, p, at, NULL); }

void world_notify(int page) { mic_record_notify(&world_pages[page], NULL); }

bool world_take(mic_record_t *mine, world_block *out)
{
    for (mic_page_t *page = mine->theap.pages; page != NULL; page = page->all_next) {
        mic_block_t *const block = page->local;
        if (block == NULL) continue;
        page->local = block->next;
        page->used++;
        block->next = NULL;
        *out = block_find(block);
        ghost_set(out->page, out->at, BLOCK_FREE, BLOCK_LIVE);
        model_note("malloc block %d of page %d", out->at, out->page);
        return true;
    }
    return false;
}

int world_claim(mic_record_t *mine)
{
    int p = PAGES - 1;
    mic_lock_acquire(&arena_lock);
    while (p >= 0 && !page_is_free[p]) p--;
    if (p >= 0) page_is_free[p] = false;
    mic_lock_release(&arena_lock);
    if (p < 0) return -1;
    model_note("claims page %d", p);
    page_make(p, mine);
    return p;
}

void world_poll(mic_record_t *mine)
{
    mic_lock_acquire(&mine->lock);
    for (mic_page_t *page = mine->theap.pages; page != NULL; page = page->all_next) {
        if ((page->flags & MIC_PAGE_POLL) == 0) continue;
        mic_remote_collect(page);
        page->flags |= MIC_PAGE_POLL; /* the token is still away */
        ghost_collected(page);
    }
    mic_lock_release(&mine->lock);
}

void world_exit(mic_record_t *mine)
{
    model_note("thread exit");
    ghost_orphan(mine, true);
    mic_record_put_back(mine);
}

mic_record_t *world_adopt(void)
{
    mic_record_t *const record = mic_pool_take_any();
    if (record == NULL) return NULL;
    mic_record_adopt(record);
    record->state = MIC_RECORD_LIVE;
    ghost_orphan(record, false);
    model_note("adopted inbox%d", record_number(record));
    return record;
}

/* RF.16; authority over both records */
static bool move_page(mic_page_t *page, mic_record_t *from, mic_record_t *to)
{
    mic_lock_acquire_pair(&from->lock, &to->lock);
    const bool ok = mic_record_of_owner(mic_page_owner(page)) == from;
    if (ok) {
        model_note("moves page %d to inbox%d", (int)(page - world_pages), record_number(to));
        page_unlink_locked(page);
        page_link_locked(page, to);
        mic_page_owner_publish(page, &to->inbox, mic_page_owner(page) & MIC_OWNER_TAGS);
    }
    mic_lock_release_pair(&from->lock, &to->lock);
    return ok;
}

bool mic_theap_adopt_page(mic_page_t *page, mic_theap_t *from, mic_theap_t *to)
{
    if (mic_record_of_owner(mic_page_owner_seen(page)) != from->record) return false;
    return page->theap == from && move_page(page, from->record, to->record);
}

void world_steal(mic_record_t *mine)
{
    mic_record_t *const from = mic_pool_take_any();
    if (from == NULL) return;
    mic_record_adopt(from);
    if (from->theap.pages != NULL) (void)move_page(from->theap.pages, from, mine);
    mic_record_put_back(from);
}

void world_free_taking_over(mic_record_t *mine, int p, int at)
{
    free_block(mine, p, at, &mine->theap);
}

void world_destroy(mic_record_t *record)
{
    mic_lock_acquire(&record->lock);
    while (record->theap.pages != NULL) {
        mic_page_t *const page = record->theap.pages;
        mic_remote_collect(page);
        release_all_locked(page);
    }
    mic_lock_release(&record->lock);
}

void world_send(int box, world_block block)
{
    mic_store_release(&boxes[box], (uintptr_t)(1 + block.page * BLOCKS + block.at));
}

bool world_receive(int box, world_block *block)
{
    const uintptr_t value = mic_load_acquire(&boxes[box]);
    if (value == 0) return false;
    *block = (world_block){(int)((value - 1) / BLOCKS), (int)((value - 1) % BLOCKS)};
    return true;
}

/* ---- at the end ---- */

GHOST static const mic_page_t *inbox_first(const mic_record_t *record)
{
    uintptr_t word;
    memcpy(&word, (const void *)&record->inbox.word, sizeof word);
    return (const mic_page_t *)(word & ~MIC_INBOX_ORPHAN);
}

GHOST static const mic_page_t *link_of(const mic_page_t *page)
{
    const mic_page_t *next;
    memcpy((void *)&next, (const void *)&page->link, sizeof next);
    return next;
}

GHOST static void check_quiescent(void)
{
    int linked_at[PAGES];
    for (int p = 0; p < PAGES; p++) linked_at[p] = -1;
    for (int r = 0; r <= RECORDS; r++) {
        const mic_record_t *const record = world_record(r);
        for (const mic_page_t *page = inbox_first(record); page != NULL; page = link_of(page)) {
            const int p = (int)(page - world_pages);
            model_check(p >= 0 && p < PAGES, "inbox %d is linked to nowhere", r);
            model_check(linked_at[p] < 0, "page %d is linked twice", p);
            linked_at[p] = r;
        }
        uintptr_t word;
        memcpy(&word, (const void *)&record->inbox.word, sizeof word);
        const bool tagged = (word & MIC_INBOX_ORPHAN) != 0;
        model_check(record->in_pool == ghost.orphan[r], "record %d: orphan %d, in the pool %d", r,
                    ghost.orphan[r], record->in_pool);
        model_check(tagged == (ghost.orphan[r] || r == RECORDS), "record %d: tag %d", r, tagged);
        if (tagged)
            model_check(word == MIC_INBOX_ORPHAN, "something sleeps in the inbox of orphan %d", r);
    }
    for (int p = 0; p < PAGES; p++) {
        const mic_page_t *const page = &world_pages[p];
        uint32_t pending;
        uintptr_t owner;
        memcpy(&pending, (const void *)&page->pending, sizeof pending);
        memcpy(&owner, (const void *)&page->owner, sizeof owner);
        model_check((linked_at[p] >= 0) == (pending == 1), "page %d: pending %u, linked %d", p,
                    pending, linked_at[p]);
        for (int i = 0; i < BLOCKS; i++) {
            if (ghost_word(p, i) == 0) continue;
            const mic_record_t *const record = mic_record_of_owner(owner);
            model_check(ghost.state[p][i] == BLOCK_FREEING, "page %d: stray bit %d", p, i);
            model_check(linked_at[p] >= 0, "bit lost: page %d has bit %d and is in no inbox", p, i);
            model_check((page->flags & MIC_PAGE_POLL) != 0 ||
                            (record != NULL && linked_at[p] == record_number(record)),
                        "misrouted: page %d has bit %d, its token is with %d and it is not polled",
                        p, i, linked_at[p]);
        }
    }
}

void world_check(void)
{
    check_quiescent();
    for (int round = 0; round < 2; round++)
        for (int r = 0; r < RECORDS; r++) {
            mic_record_t *const record = world_record(r);
            if (!ghost.blocked[r] && !record->in_pool) mic_record_drain(record);
        }
    for (int r = 0; r < RECORDS; r++)
        if (!world_record(r)->in_pool && !ghost.blocked[r]) world_poll(world_record(r));
    check_quiescent();
    for (int p = 0; p < PAGES; p++) {
        const mic_record_t *const record = mic_record_of_owner(mic_page_owner(&world_pages[p]));
        if (record == NULL || ghost.blocked[record_number(record)]) continue;
        for (int i = 0; i < BLOCKS; i++)
            model_check(ghost.state[p][i] != BLOCK_FREEING, "block %d of page %d never came back",
                        i, p);
        ghost_collected(&world_pages[p]);
    }
}
