/* See world.h. This file is compiled like the shipping code: its plain accesses are checked for
   data races, but for the ghost, which is not part of the program. */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc/slow.h"
#include "base/check.h"
#include "heap/active.h"
#include "heap/guarded.h"
#include "heap/held.h"
#include "heap/purger.h"
#include "heap/sample.h"
#include "heap/thread.h"
#include "os/os.h"
#include "rt/lock.h"
#include "rt/report.h"

#define GHOST __attribute__((no_sanitize("thread"), noinline))
#define CLS                                                                                        \
    (MIC_CLASS_SMALL_LAST +                                                                        \
     4u) /* of kind medium: no page is kept for being all that its class has */
#define BLOCK_BYTES 512u
/* Two words, a block at the end of the first and one at the start of the second, the rest never
   carved; or one word with both blocks, all that the page has: only that one can be full with all
   its bits set (RF.20). With policy "bits" only small pages have more than one word, so most are
   one word of 64 blocks, the last two of which are carved. */
#define ONE_WORD(p) ((p) == PAGES - 1 || ghost.one_word)
#define SMALL(p) (CFG_BITS && ghost.small && !ONE_WORD(p))
#define RESERVED(p) (ONE_WORD(p) ? (unsigned)BLOCKS : CFG_BITS && !SMALL(p) ? 64u : 128u)
#define FIRST_INDEX(p) (ONE_WORD(p) ? 0u : RESERVED(p) == 64 ? 62u : 63u)
#define BOXES 4

mic_page_t world_pages[PAGES] mic_aligned(128);
static struct {
    mic_record_t record mic_aligned(128);
} records[RECORDS];
mic_record_t mic_record_late mic_aligned(128);
mic_lock_t mic_late_lock = MIC_LOCK_INIT(MIC_RANK_LATE);
static char memory[PAGES << MIC_SLICE_SHIFT] mic_aligned(65536);
static mic_atomic(uint64_t) bits[PAGES * MIC_SLICE_BITMAPS_BYTES / 8];
static mic_atomic(uintptr_t) boxes[BOXES];
static mic_theap_t side mic_aligned(128); /* of a heap, where one is deleted */
static mic_lock_t arena_lock = MIC_LOCK_INIT(MIC_RANK_ARENA);
static bool page_is_free[PAGES];         /* [lock: arena] */
static int page_wanted;                  /* set-up: the page to be made next, -1: any */
static bool page_none[MODEL_THREAD_MAX]; /* this thread gets no page */

mic_arena_t mic_arenas[MIC_ARENA_MAX];
mic_region_t mic_region mic_aligned(64);
mic_os_info_t mic_os_info;
bool mic_deep_enabled;
_Alignas(128) mic_record_front_t mic_record_boot_mark;
_Alignas(128) mic_record_front_t mic_record_gone_mark;
mic_thread_local mic_tls_t mic_tls;

typedef enum { BLOCK_FREE, BLOCK_LIVE, BLOCK_FREEING } block_state;
static struct {
    block_state state[PAGES][BLOCKS];
    bool blocked[RECORDS + 1];
    bool orphan[RECORDS + 1];
    bool one_word, small, next;
    int twice, reported; /* frees that are one too many, and reports of them */
    bool twice_may_pass; /* the page may be gone before the second free is found */
    mic_tls_t tls[MODEL_THREAD_MAX];
} ghost;

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

/* what is counted is no part of the protocol */
void mic_count(mic_counter_t counter, uint64_t n) { (void)counter, (void)n; }
void mic_theap_count_page(mic_theap_t *theap, const mic_page_t *page) { (void)theap, (void)page; }
void mic_theap_uncount_page(const mic_page_t *page) { (void)page; }
void mic_theap_count_resized(size_t before, size_t after) { (void)before, (void)after; }
/* pages are small enough as they are */
mic_record_t *mic_record_first(void) { return NULL; }
/* the explorer knows no streaming stores */
int mic_os_barrier(void) { return 0; }
/* when it is time to look; what that does is for scenarios to call */
void __wrap_mic_record_reap_others(const mic_record_t *self) { (void)self; }

bool mic_arena_find(const void *p, unsigned *arena, size_t *slice)
{
    *arena = 0;
    *slice = ((uintptr_t)p - (uintptr_t)memory) >> MIC_SLICE_SHIFT;
    return *slice < PAGES;
}

/* ---- ghost ---- */

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

/* The words of a block, as many as MIC_SLICE_BITMAPS: remote, live, ... */
GHOST static const mic_atomic(uint64_t) *words_of(int page, unsigned index)
{
    return bits + (size_t)page * (MIC_SLICE_BITMAPS_BYTES / 8) + mic_remote_at(index);
}

GHOST static uint64_t ghost_bit(int page, int at, int which)
{
    const unsigned index = FIRST_INDEX(page) + (unsigned)at;
    const uint64_t *const w = (const uint64_t *)(const void *)words_of(page, index) + which;
    return *w >> (index % 64) & 1;
}

GHOST static uint64_t ghost_word(int page, int at) { return ghost_bit(page, at, 0); }

GHOST static mic_block_t *block_of(int page, int at)
{
    return (mic_block_t *)(void *)(memory + ((size_t)page << MIC_SLICE_SHIFT) +
                                   (FIRST_INDEX(page) + (unsigned)at) * BLOCK_BYTES);
}

GHOST static world_block block_find(const mic_block_t *block)
{
    const size_t offset = (size_t)((const char *)block - memory);
    const int page = (int)(offset >> MIC_SLICE_SHIFT);
    const size_t index = (offset & (MIC_SLICE_BYTES - 1)) / BLOCK_BYTES;
    model_check(offset < sizeof memory && index - FIRST_INDEX(page) < BLOCKS &&
                    offset % BLOCK_BYTES == 0,
                "a list of blocks leads astray");
    return (world_block){page, (int)(index - FIRST_INDEX(page))};
}

/* Policy "bits": a block is in the page's free set if malloc does not have it, and neither bit is
   set. Of two frees at once the remote bit may be left alone. */
GHOST static void ghost_collected_bits(const mic_page_t *page)
{
    const int p = (int)(page - world_pages);
    const mic_word_t *const word = &mic_page_theap(page)->word[CLS];
    const bool active = (page->flags & MIC_PAGE_ACTIVE) != 0;
    uint32_t n = 0;
    for (int i = 0; i < BLOCKS; i++) {
        const unsigned index = FIRST_INDEX(p) + (unsigned)i;
        const bool live = ghost_bit(p, i, 1) != 0, remote = ghost_word(p, i) != 0;
        const bool taken =
            active && word->live == words_of(p, index) + 1 && (word->bits >> (index % 64) & 1) != 0;
        block_state *const state = &ghost.state[p][i];
        n += !live && !taken;
        model_check(!(live && taken), "block %d of page %d is live and in the active word", i, p);
        if (live) {
            model_check(*state != BLOCK_FREE, "block %d of page %d is lost", i, p);
        } else if (!remote || ghost.twice == 0) {
            model_check(*state != BLOCK_LIVE, "block %d of page %d came back while live", i, p);
            *state = BLOCK_FREE;
        }
    }
    model_check(page->used == page->capacity - n, "page %d: used is %u of %u, %u are free", p,
                page->used, page->capacity, n);
}

/* The local list holds each free block once and no other. Whoever calls owns the page. */
GHOST static void ghost_collected(mic_page_t *page)
{
    if (CFG_BITS) {
        if (page->kind != MIC_PAGE_SPAN) ghost_collected_bits(page);
        return;
    }
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
    if ((page->flags & MIC_PAGE_ACTIVE) != 0)
        for (const mic_block_t *b = mic_page_theap(page)->list[CLS]; b != NULL; b = b->next)
            seen[block_find(b).at] = true;
    for (int i = 0; i < BLOCKS; i++)
        model_check(seen[i] || ghost.state[p][i] != BLOCK_FREE, "block %d of page %d is lost", i,
                    p);
    model_check(page->used == page->capacity - n, "page %d: used is wrong", p);
}

GHOST static void ghost_authority(const mic_page_t *page)
{
    const mic_record_t *const record = mic_page_theap(page)->record;
    model_check(model_lock_is_mine(&record->lock), "page %d is collected without its record's lock",
                (int)(page - world_pages));
    model_check(!record->in_pool, "page %d is collected while its record is in the pool",
                (int)(page - world_pages));
}

GHOST static void ghost_released(const mic_page_t *page)
{
    const int p = (int)(page - world_pages);
    model_check(model_lock_is_mine(&mic_page_theap(page)->record->lock),
                "page %d is released without its record's lock", p);
    model_check(page->used == 0, "page %d is released, used is %u", p, page->used);
    for (int i = 0; i < BLOCKS; i++) {
        model_check(ghost.state[p][i] != BLOCK_LIVE, "page %d is released with a block out", p);
        model_check(ghost_word(p, i) == 0 || ghost.twice_may_pass,
                    "page %d is released with a bit set", p);
        ghost.state[p][i] = BLOCK_FREE;
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

/* ---- slices ---- */

const mic_place_t mic_place_any = {.numa = -1};

bool mic_run_alloc(unsigned kind, size_t count, size_t align_slices, const mic_place_t *place,
                   mic_run_t *run)
{
    (void)kind, (void)count, (void)align_slices, (void)place;
    if (page_none[model_self()]) return false;
    mic_lock_acquire(&arena_lock);
    int p = page_wanted >= 0 ? page_wanted : PAGES - 1;
    while (page_wanted < 0 && p >= 0 && !page_is_free[p]) p--;
    if (p >= 0) page_is_free[p] = false;
    mic_lock_release(&arena_lock);
    if (p < 0) return false;
    model_note("claims page %d", p);
    *run = (mic_run_t){.slice = (uint32_t)p, .count = 1, .arena = 0, .zero = false};
    return true;
}

void mic_run_free(mic_run_t run)
{
    const int p = (int)run.slice;
    model_note("releases page %d", p);
    ghost_released(&world_pages[p]);
    mic_lock_acquire(&arena_lock);
    page_is_free[p] = true;
    mic_lock_release(&arena_lock);
}

void mic_purger_news(void) {}
bool mic_purge_at_once(mic_run_t run) { return (void)run, false; }
/* nothing is sampled here */
mic_atomic(uint32_t) mic_sampling;
char *mic_guarded_block(const mic_page_t *page) { return (void)page, NULL; }
size_t mic_guarded_bytes(const mic_page_t *page) { return (void)page, 0; }
bool mic_guarded_is_whole(const mic_page_t *page) { return (void)page, true; }
void mic_guarded_note_free(const mic_page_t *page) { (void)page; }
bool mic_guarded_was(const void *p, size_t *bytes, uint64_t *heap)
{
    return (void)p, (void)bytes, (void)heap, false;
}
void mic_guarded_tell(const void *p) { (void)p; }
bool mic_held_put(mic_page_t *page) { return (void)page, false; }
bool mic_held_keeps(const mic_page_t *page) { return (void)page, false; }
bool mic_held_find(const void *p, mic_held_t *held) { return (void)p, (void)held, false; }
int mic_os_purge(void *address, size_t bytes) { return (void)address, (void)bytes, ENOTSUP; }
size_t mic_os_resident(const void *address, size_t bytes) { return (void)address, bytes; }
bool mic_os_each_run(const void *start, size_t bytes, mic_os_run_fun *fun, void *arg)
{
    return (void)start, (void)bytes, (void)fun, (void)arg, true;
}
bool mic_arena_may_guard(unsigned arena) { return (void)arena, false; }
size_t mic_arena_end_bytes(unsigned arena) { return (void)arena, 0; }
int mic_os_guard(void *address, size_t bytes) { return (void)address, (void)bytes, 0; }
void mic_os_unguard(void *address, size_t bytes, size_t count)
{
    (void)address, (void)bytes, (void)count;
}
/* every choice is the same: which block it is does not matter */
void mic_random_seed(mic_random_t *source) { *source = (mic_random_t){0, 0, 1}; }
uint64_t mic_random_secret(void) { return 0x5eed; }
bool mic_held_take(mic_theap_t *theap, size_t block_bytes, size_t align_slices, mic_run_t *run)
{
    (void)theap, (void)block_bytes, (void)align_slices, (void)run;
    return false;
}
bool __wrap_mic_page_unmove(mic_page_t *page, size_t first)
{
    return (void)page, (void)first, false;
}

/* ---- wrapped: the linker gives us the calls from other files ---- */

void __real_mic_page_init(mic_page_t *page, mic_run_t run, unsigned cls, size_t block_bytes);
mic_block_t *__real_mic_page_extend(mic_page_t *page, size_t bytes, mic_block_t **last);
void __real_mic_bits_extend(mic_page_t *page, uint32_t blocks);
bool __real_mic_theap_collect_page_locked(mic_page_t *page);

/* The class has the page's kind, not its blocks. */
void __wrap_mic_page_init(mic_page_t *page, mic_run_t run, unsigned cls, size_t block_bytes)
{
    __real_mic_page_init(page, run, cls, block_bytes);
    page->reserved = RESERVED(run.slice);
    page->block_bytes = BLOCK_BYTES;
    page->stride = BLOCK_BYTES;
    page->reciprocal = UINT64_MAX / BLOCK_BYTES + 1;
    page->carve_first = FIRST_INDEX(run.slice);
    if (SMALL(run.slice) || ghost.next) page->kind = MIC_PAGE_SMALL;
    if (!CFG_BITS || page->reserved <= 64) return; /* else there is a word that it did not see */
    for (int b = 0; b < MIC_SLICE_BITMAPS; b++)
        mic_store_relaxed(page->live - 1 + MIC_SLICE_BITMAPS + b, 0);
}

void __wrap_mic_bits_extend(mic_page_t *page, uint32_t blocks)
{
    (void)blocks;
    if (page->capacity < BLOCKS) __real_mic_bits_extend(page, BLOCKS);
}

mic_block_t *__wrap_mic_page_extend(mic_page_t *page, size_t bytes, mic_block_t **last)
{
    (void)bytes;
    if (page->capacity == BLOCKS) return NULL;
    return __real_mic_page_extend(page, BLOCKS * BLOCK_BYTES, last);
}

bool __wrap_mic_theap_collect_page_locked(mic_page_t *page)
{
    ghost_authority(page);
    const bool ok = __real_mic_theap_collect_page_locked(page);
    if (ok) ghost_collected(page);
    return ok;
}

/* ---- threads ---- */

GHOST static void world_switch(int from, int to)
{
    ghost.tls[from] = mic_tls;
    mic_tls = ghost.tls[to];
}

/* The running thread has this record; NULL: none yet. */
GHOST static void world_be(mic_record_t *mine)
{
    mic_tls.record = mine != NULL ? mine : MIC_RECORD_BOOT;
    mic_tls.theap = mine != NULL ? &mine->theap : (mic_theap_t *)(uintptr_t)&mic_theap_empty;
}

GHOST static bool has_block(const mic_theap_t *theap)
{
    const mic_page_t *const active = theap->active[CLS];
    return !mic_active_is_empty(theap, CLS) || theap->queue[CLS] != NULL ||
           (active != NULL &&
            (CFG_BITS ? mic_page_local_count(active) != 0 : active->local != NULL));
}

/* Malloc, of which the world wants to know where the block comes from. */
static world_block take_block(mic_record_t *mine)
{
    bool zero;
    mic_block_t *block = mic_active_take(&mine->theap, CLS);
    mic_page_t *const page = mine->theap.active[CLS];
    if (block == NULL && CFG_BITS && ghost.next && page != NULL) /* as mic_malloc_slow */
        block = mic_page_can_extend(page) ? mic_active_take_part(&mine->theap, page)
                                          : mic_active_take_next(&mine->theap, page);
    if (block == NULL) {
        mic_record_enter(mine);
        if (CFG_BITS) block = mic_active_take_freed(&mine->theap, CLS); /* as alloc_again */
        if (block == NULL) block = mic_theap_refill(&mine->theap, CLS, &zero);
        mic_record_leave(mine);
    }
    if (block == NULL) return (world_block){-1, 0};
    block->next = NULL;
    const world_block at = block_find(block);
    model_check(ghost.state[at.page][at.at] != BLOCK_LIVE,
                "block %d of page %d is handed out twice", at.at, at.page);
    ghost.state[at.page][at.at] = BLOCK_LIVE;
    model_note("malloc block %d of page %d", at.at, at.page);
    return at;
}

/* The active page has nothing left, malloc finds that out and gets no other: now it is full. */
static void fill_active(mic_record_t *mine)
{
    bool zero;
    if (!mic_active_is_empty(&mine->theap, CLS)) return; /* it is of a page made anew */
    page_none[model_self()] = true;
    mic_block_t *const block = mic_theap_refill(&mine->theap, CLS, &zero);
    page_none[model_self()] = false;
    if (block != NULL) mic_free(block); /* it drained first and found one */
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
    for (int t = 0; t < MODEL_THREAD_MAX; t++) {
        world_be(NULL);
        ghost.tls[t] = mic_tls;
    }
    model_on_switch = world_switch;
    model_private(&mic_tls, sizeof mic_tls);
    memset(&side, 0, sizeof side);
    page_wanted = -1;
    memset(page_none, 0, sizeof page_none);
    mic_os_info.page_bytes = 4096;
    for (int r = 0; r <= RECORDS; r++) {
        mic_record_t *const record = world_record(r);
        memset((void *)record, 0, sizeof *record);
        record->lock.rank = MIC_RANK_RECORD;
        mic_theap_init(&record->theap, record, NULL);
        model_quiet(&record->busy, sizeof record->busy);
        model_quiet(&record->state, sizeof record->state);
        model_quiet(&record->theap.heap, sizeof record->theap.heap);
        if (r < RECORDS)
            model_name(&record->inbox, "inbox%d", r);
        else
            model_name(&record->inbox, "inbox_late");
        model_name(&record->lock, "record%d.lock", r);
    }
    if (CFG_BITS) mic_canary_start();
    mic_store_relaxed(&mic_record_late.inbox.word, MIC_INBOX_ORPHAN);
    mic_store_relaxed(&mic_record_late.state, MIC_RECORD_ORPHAN);
    mic_store_relaxed(&mic_region.base, (uintptr_t)memory);
    mic_store_relaxed(&mic_region.descriptors, (uintptr_t)world_pages);
    mic_store_relaxed(&mic_region.remote, (uintptr_t)(void *)bits);
    mic_store_relaxed(&mic_region.slices, PAGES);
    model_quiet(&mic_region.base, sizeof mic_region.base);
    model_quiet(&mic_region.descriptors, sizeof mic_region.descriptors);
    model_quiet(&mic_region.remote, sizeof mic_region.remote);
    model_quiet(&mic_region.slices, sizeof mic_region.slices);
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
        model_in_order(&world_pages[p].used, sizeof world_pages[p].used);
        model_name(&world_pages[p].local, "page%d.local", p);
        model_name(&world_pages[p].flags, "page%d.flags", p);
        model_name(&world_pages[p].theap, "page%d.theap", p);
        model_quiet(&world_pages[p].theap, sizeof world_pages[p].theap); /* under a lock, here */
        model_name(&world_pages[p].kind, "page%d.kind", p);
        model_name(&world_pages[p].reserved, "page%d.reserved", p);
        for (unsigned i = 0; i < 2; i++) {
            model_name(words_of(p, i * 64), "page%d.word[%u]", p, i);
            if (CFG_BITS) model_name(words_of(p, i * 64) + 1, "page%d.live[%u]", p, i);
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

void world_one_word(void) { ghost.one_word = true; }
void world_small(void) { ghost.small = true; }
void world_next(void) { ghost.one_word = ghost.next = true; }

void world_twice(int frees, bool may_pass)
{
    ghost.twice = frees;
    ghost.twice_may_pass = may_pass;
}

void world_heap(mic_record_t *record)
{
    mic_theap_init(&side, record, NULL);
    model_quiet(&side.heap, sizeof side.heap);
    record->theaps = &side;
    mic_lock_acquire(&record->lock);
    mic_theap_merge_locked(&record->theap, &side);
    mic_lock_release(&record->lock);
}

void world_give_active(int page, mic_record_t *record)
{
    page_wanted = page;
    for (int i = 0; i < BLOCKS; i++) (void)take_block(record);
    page_wanted = -1;
}

void world_give(int page, mic_record_t *record)
{
    world_give_active(page, record);
    fill_active(record);
}

void world_orphan(mic_record_t *record)
{
    ghost_orphan(record, true);
    model_check(mic_pool_put(record), "set-up: inbox is not empty");
}

void world_blocks(mic_record_t *record) { ghost.blocked[record_number(record)] = true; }

void world_late_token(int page, mic_record_t *record)
{
    world_give(page, record);
    mic_record_notify(&world_pages[page], NULL);
    world_destroy(record);
}

void world_free_page(int page) { page_is_free[page] = true; }

/* ---- what threads do ---- */

GHOST static bool is_owner(const mic_record_t *record, int p)
{
    uintptr_t owner;
    memcpy(&owner, (const void *)&world_pages[p].owner, sizeof owner);
    return record != NULL && mic_record_of_owner(owner) == record;
}

void world_free(mic_record_t *mine, int p, int at)
{
    mic_block_t *const block = block_of(p, at);
    world_be(mine);
    block->next = (mic_block_t *)(uintptr_t)0x55; /* the user's last word */
    model_note("free block %d of page %d", at, p);
    ghost_set(p, at, BLOCK_LIVE, is_owner(mine, p) ? BLOCK_FREE : BLOCK_FREEING);
    mic_free(block);
    model_note("free of block %d of page %d is done", at, p);
}

GHOST static void ghost_free_again(int page, int at)
{
    if (ghost.state[page][at] == BLOCK_LIVE) ghost.state[page][at] = BLOCK_FREEING;
}

void world_free_again(mic_record_t *mine, int p, int at)
{
    world_be(mine);
    model_note("free block %d of page %d, perhaps again", at, p);
    ghost_free_again(p, at);
    mic_free(block_of(p, at));
    model_note("free of block %d of page %d is done", at, p);
}

GHOST void mic_report_error(int error, const char *format, ...)
{
    (void)format;
    const bool gone = error == EINVAL && ghost.twice_may_pass; /* with its page */
    if ((error != EAGAIN && !gone) || ghost.reported == ghost.twice)
        model_fail("misuse reported: error %d", error);
    ghost.reported++;
    model_note("a double free is reported");
}

GHOST void world_must_be_reported(void)
{
    model_check(ghost.reported != 0, "a double free is not reported");
}

void world_merge(mic_record_t *mine)
{
    world_be(mine);
    mic_record_enter(mine);
    mic_lock_acquire(&mine->lock);
    mic_theap_merge_locked(&side, &mine->theap);
    mic_lock_release(&mine->lock);
    mic_record_leave(mine);
}

void world_notify(int page)
{
    mic_record_notify(&world_pages[page], mic_thread_is_ready() ? mic_tls.record : NULL);
}

void world_late_half(mic_record_t *mine, int page)
{
    world_be(mine);
    world_notify(page);
}

bool world_take(mic_record_t *mine, world_block *out)
{
    world_be(mine == &mic_record_late ? NULL : mine);
    if (!has_block(&mine->theap)) return false;
    *out = take_block(mine);
    return out->page >= 0;
}

int world_claim(mic_record_t *mine)
{
    world_be(mine);
    const world_block first = take_block(mine);
    for (int i = 1; first.page >= 0 && i < BLOCKS; i++) (void)take_block(mine);
    return first.page;
}

bool world_malloc(mic_record_t *mine, world_block *out)
{
    world_be(mine);
    *out = take_block(mine);
    return out->page >= 0;
}

void world_fill(mic_record_t *mine)
{
    world_be(mine);
    fill_active(mine);
}

void world_poll(mic_record_t *mine)
{
    world_be(mine);
    mic_theap_collect(&mine->theap);
}

void world_exit(mic_record_t *mine)
{
    model_note("thread exit");
    world_be(NULL);
    ghost_orphan(mine, true);
    if (mine->theap.active[CLS] != NULL || mine->theap.polls != 0) mic_theap_collect(&mine->theap);
    mic_store_relaxed(&mine->state, MIC_RECORD_ORPHAN);
    mic_record_put_back(mine);
}

mic_record_t *world_adopt(void)
{
    mic_record_t *const record = mic_pool_take_any(NULL);
    if (record == NULL) return NULL;
    mic_record_adopt(record);
    mic_store_relaxed(&record->state, MIC_RECORD_LIVE);
    world_be(record);
    ghost_orphan(record, false);
    model_note("adopted inbox%d", record_number(record));
    return record;
}

void world_steal(mic_record_t *mine)
{
    world_be(mine);
    mic_record_t *const from = mic_pool_take_any(NULL);
    if (from == NULL) return;
    mic_record_adopt(from);
    mic_lock_acquire(&from->lock);
    mic_page_t *const page = from->theap.pages;
    mic_lock_release(&from->lock);
    if (page != NULL && mic_theap_adopt_page(page, from, mine))
        model_note("moved page %d to inbox%d", (int)(page - world_pages), record_number(mine));
    mic_record_put_back(from);
}

void world_reap(mic_record_t *mine, mic_record_t *record)
{
    world_be(mine);
    mic_record_enter(mine);
    mic_record_reap(record);
    mic_record_leave(mine);
}

void world_destroy(mic_record_t *record)
{
    mic_lock_acquire(&record->lock);
    for (const mic_page_t *p = record->theap.pages; p != NULL; p = p->all_next)
        ghost_all_free((int)(p - world_pages)); /* freed one way or another */
    mic_theap_destroy_locked(&record->theap, 0);
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
            /* a free page's first user clears what a second free left */
            if (ghost_word(p, i) == 0 || (ghost.twice_may_pass && owner == 0)) continue;
            const mic_record_t *const record = mic_record_of_owner(owner);
            model_check(ghost.state[p][i] == BLOCK_FREEING || ghost.twice != 0,
                        "page %d: stray bit %d", p, i);
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
    mic_report_noted();
    model_check(ghost.twice_may_pass || ghost.reported == ghost.twice,
                "%d of %d double frees were reported", ghost.reported, ghost.twice);
    for (int r = 0; r <= RECORDS; r++)
        model_check(mic_theap_is_valid(&world_record(r)->theap), "thread heap %d is not valid", r);
    for (int p = 0; p < PAGES; p++) {
        const mic_record_t *const record = mic_record_of_owner(mic_page_owner(&world_pages[p]));
        if (record == NULL || ghost.blocked[record_number(record)]) continue;
        ghost_collected(&world_pages[p]);
        for (int i = 0; i < BLOCKS; i++)
            model_check(ghost.state[p][i] != BLOCK_FREEING, "block %d of page %d never came back",
                        i, p);
    }
}
