/* Slots of guarded blocks; see guarded.h. */
#include "heap/guarded.h"

#include <string.h>

#include "base/check.h"
#include "heap/heap.h"
#include "os/os.h"
#include "page/free_set.h"
#include "rt/lock.h"
#include "rt/report.h"
#include "vm/place.h"

typedef enum guarded_state {
    GUARDED_NEVER = 0,
    GUARDED_BUSY, /* in the hands of whoever made it so */
    GUARDED_LIVE,
    GUARDED_FREED /* its run is hidden */
} guarded_state_t;

typedef struct guarded_slot {
    mic_atomic(uint32_t) state; /* [lock: guarded; read by anyone] */
    mic_run_t run;              /* [busy] all of it */
    char *low, *high;           /* [busy] the accessible pages */
    char *block;                /* [busy] */
    size_t bytes;               /* [busy] */
    uint64_t heap;              /* [busy] number of its heap */
    uint64_t made_by, freed_by; /* [busy] ids of threads */
    mic_trace_t made, freed;    /* [busy; freed: who frees] */
} guarded_slot_t;

static mic_lock_t guarded_lock = MIC_LOCK_INIT(MIC_RANK_HELD);
static mic_atomic(uintptr_t) guarded_table; /* [atomic: release by start, acquire] */
static uint32_t guarded_used;               /* [lock: guarded] slots below were used */
static uint32_t guarded_freed;              /* [lock: guarded] slots in state FREED */
static mic_random_t guarded_random;         /* [lock: guarded] */
static uint64_t guarded_pattern_secret;     /* [const from start] */

/* NULL before the start, and if it failed. */
static guarded_slot_t *guarded_slots(void)
{
    return (guarded_slot_t *)mic_load_acquire(&guarded_table);
}

/* ---- faults ---- */

static void guarded_tell_trace(const char *what, uint64_t thread, const mic_trace_t *trace)
{
    mic_report("  %s by thread %zu", what, (size_t)thread);
    for (size_t i = 0; i < MIC_TRACE_FRAMES && trace->frames[i] != 0; i++) {
        uintptr_t offset = 0;
        const char *const file = mic_trace_file(trace->frames[i], &offset);
        if (file != NULL)
            mic_report("    #%zu %p %s+0x%zx", i, (void *)trace->frames[i], file, (size_t)offset);
        else
            mic_report("    #%zu %p", i, (void *)trace->frames[i]);
    }
}

static void guarded_tell_slot(const guarded_slot_t *slot)
{
    guarded_tell_trace("allocated", slot->made_by, &slot->made);
    if (mic_load_relaxed(&slot->state) == GUARDED_FREED)
        guarded_tell_trace("freed", slot->freed_by, &slot->freed);
}

static bool guarded_covers(const guarded_slot_t *slot, uintptr_t address)
{
    const uint32_t state = mic_load_acquire(&slot->state);
    if (state != GUARDED_LIVE && state != GUARDED_FREED) return false;
    return address - (uintptr_t)mic_run_start(slot->run) < (size_t)slot->run.count
                                                               << MIC_SLICE_SHIFT;
}

/* In the handler of a signal: no lock, the slot is read as it is. */
static void guarded_on_fault(uintptr_t address)
{
    for (size_t i = 0; i < MIC_GUARDED_SLOTS; i++) {
        const guarded_slot_t *const slot = &guarded_slots()[i];
        if (!guarded_covers(slot, address)) continue;
        const uintptr_t block = (uintptr_t)slot->block, end = block + slot->bytes;
        const char *const freed = mic_load_relaxed(&slot->state) == GUARDED_FREED ? "freed " : "";
        if (address < block)
            mic_report("error: use of %p, %zu bytes before a %sblock at %p (%zu bytes, heap %zu)",
                       (void *)address, (size_t)(block - address), freed, (void *)block,
                       slot->bytes, (size_t)slot->heap);
        else if (address >= end)
            mic_report("error: use of %p, %zu bytes behind a %sblock at %p (%zu bytes, heap %zu)",
                       (void *)address, (size_t)(address - end), freed, (void *)block, slot->bytes,
                       (size_t)slot->heap);
        else
            mic_report("error: use of %p, %zu bytes into a %sblock at %p (%zu bytes, heap %zu)",
                       (void *)address, (size_t)(address - block), freed, (void *)block,
                       slot->bytes, (size_t)slot->heap);
        guarded_tell_slot(slot);
        return;
    }
}

static bool guarded_make_table_locked(void)
{
    if (guarded_slots() != NULL) return true;
    if (!CFG_BITS) mic_random_start();
    mic_random_seed(&guarded_random);
    guarded_pattern_secret = mic_random_secret() | 0x0101010101010101u;
    void *const table = mic_meta_alloc(MIC_GUARDED_SLOTS * sizeof(guarded_slot_t), MIC_CACHE_LINE);
    mic_store_release(&guarded_table, (uintptr_t)table); /* pairs with guarded_slots */
    return table != NULL;
}

/* Who comes while another thread starts it waits for the table, but not for the C library to get
   ready to unwind: that may be waiting for a lock of the dynamic linker which the caller holds.
   Until then there are no traces. */
bool mic_guarded_start(void)
{
    static mic_atomic(uint32_t) traced;
    mic_lock_acquire(&guarded_lock);
    const bool ok = guarded_make_table_locked();
    mic_lock_release(&guarded_lock);
    if (!ok || mic_exchange_acqrel(&traced, 1) != 0) return ok;
    mic_trace_start();
    mic_trace_on_fault(guarded_on_fault);
    return true;
}

/* ---- slots ---- */

static void guarded_set_state(guarded_slot_t *slot, guarded_state_t state)
{
    mic_store_release(&slot->state, (uint32_t)state);
}

/* Its run, hidden, goes back. */
static void guarded_release(const guarded_slot_t *slot)
{
    mic_run_t run = slot->run;
    run.zero = false;
    mic_os_unguard(mic_run_start(run), (size_t)run.count << MIC_SLICE_SHIFT, 3);
    mic_run_free(run);
}

/* A freed one, at random. */
static guarded_slot_t *guarded_take_freed_locked(void)
{
    if (guarded_freed == 0) return NULL;
    uint32_t i = mic_random_below(&guarded_random, guarded_used);
    while (mic_load_relaxed(&guarded_slots()[i].state) != GUARDED_FREED)
        if (++i == guarded_used) i = 0;
    guarded_freed--;
    guarded_set_state(&guarded_slots()[i], GUARDED_BUSY);
    return &guarded_slots()[i];
}

/* NULL: all of them live. */
static guarded_slot_t *guarded_take_slot(void)
{
    guarded_slot_t *slot;
    mic_lock_acquire(&guarded_lock);
    const bool fresh = guarded_used < MIC_GUARDED_SLOTS;
    if (fresh) {
        slot = &guarded_slots()[guarded_used++];
        guarded_set_state(slot, GUARDED_BUSY);
    } else {
        slot = guarded_take_freed_locked();
    }
    mic_lock_release(&guarded_lock);
    if (!fresh && slot != NULL && slot->run.count != 0) guarded_release(slot);
    return slot;
}

/* Without a run. */
static void guarded_put_slot(guarded_slot_t *slot)
{
    slot->run.count = 0;
    slot->block = slot->low = slot->high = NULL;
    slot->bytes = 0;
    mic_lock_acquire(&guarded_lock);
    guarded_set_state(slot, GUARDED_FREED);
    guarded_freed++;
    mic_lock_release(&guarded_lock);
}

/* ---- pages ---- */

/* spans are never moved when they are guarded: the last mark is the slot's number and 1 */
static guarded_slot_t *guarded_slot_of(const mic_page_t *page)
{
    return &guarded_slots()[page->moved_end[MIC_MOVED_PIECES - 1] - 1];
}

static char guarded_pattern(const char *at)
{
    return (char)(guarded_pattern_secret >> ((uintptr_t)at & 7) * 8);
}

/* at multiples of 8 the pattern is the secret, so most of a page needs no look at bytes */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest byte comes first");
typedef uint64_t guarded_word_t __attribute__((may_alias));

static bool guarded_has_pattern(const char *from, const char *to)
{
    uint64_t wrong = 0;
    for (; from < to && ((uintptr_t)from & 7) != 0; from++)
        wrong |= (unsigned char)(*from ^ guarded_pattern(from));
    for (; to - from >= 8; from += 8)
        wrong |= *(const guarded_word_t *)(const void *)from ^ guarded_pattern_secret;
    for (; from < to; from++) wrong |= (unsigned char)(*from ^ guarded_pattern(from));
    return wrong == 0;
}

static void guarded_set_pattern(char *from, const char *to)
{
    for (; from < to && ((uintptr_t)from & 7) != 0; from++) *from = guarded_pattern(from);
    for (; to - from >= 8; from += 8) *(guarded_word_t *)(void *)from = guarded_pattern_secret;
    for (; from < to; from++) *from = guarded_pattern(from);
}

/* Where the block lies in its pages. */
static void guarded_place(guarded_slot_t *slot, size_t bytes, size_t alignment, size_t offset,
                          bool at_end)
{
    const uintptr_t low = (uintptr_t)slot->low, high = (uintptr_t)slot->high;
    const uintptr_t last = (high - bytes + offset) & ~(uintptr_t)(alignment - 1);
    const uintptr_t first = mic_align_up(low + offset, alignment);
    slot->block = (char *)((at_end ? last : first) - offset);
    slot->bytes = bytes;
    guarded_set_pattern(slot->low, slot->block);
    guarded_set_pattern(slot->block + bytes, slot->high);
}

static bool guarded_place_is_ordinary(const mic_run_t *run)
{
    return mic_arena_may_guard(run->arena) &&
           (mic_arena_kind(&mic_arenas[run->arena]) & MIC_ARENA_SYSTEM) != 0;
}

/* Slices with the pages of the block between guards; front: a multiple of the alignment. */
static bool guarded_make_run(const mic_theap_t *theap, guarded_slot_t *slot, size_t front,
                             size_t room)
{
    const mic_heap_t *const heap = mic_theap_heap(theap);
    const size_t page = mic_os_info.page_bytes;
    const size_t lead = MIC_SPAN_LEAD << MIC_SLICE_SHIFT;
    const size_t slices = mic_divide_up(lead + front + room + page, MIC_SLICE_BYTES);
    mic_run_t run;
    if (!mic_run_alloc(MIC_PAGE_SPAN, slices, 1, heap == NULL ? &mic_place_any : &heap->place,
                       &run))
        return false;
    if (!guarded_place_is_ordinary(&run)) {
        mic_run_free(run);
        return false;
    }
    slot->run = run;
    slot->heap = heap == NULL ? 0 : heap->number;
    slot->low = mic_run_start(run) + lead + front;
    slot->high = slot->low + room;
    char *const end = mic_run_start(run) + (slices << MIC_SLICE_SHIFT);
    (void)mic_os_guard(slot->low - front, front);
    (void)mic_os_guard(slot->high, (size_t)(end - slot->high));
    return true;
}

void *mic_guarded_alloc(mic_theap_t *theap, size_t bytes, size_t alignment, size_t offset,
                        bool zero)
{
    const size_t page_bytes = mic_os_info.page_bytes;
    const size_t front = mic_max(page_bytes, alignment);
    const size_t slack = (offset & (alignment - 1)) == 0 ? 0 : alignment;
    bytes = mic_max(bytes, 1);
    if (bytes > MIC_GUARDED_BYTES_MAX || alignment > MIC_SLICE_BYTES) return NULL;
    guarded_slot_t *const slot = guarded_take_slot();
    if (slot == NULL) return NULL;
    if (!guarded_make_run(theap, slot, front, mic_align_up(bytes + slack, page_bytes))) {
        guarded_put_slot(slot);
        return NULL;
    }
    const bool zeroed = slot->run.zero;
    guarded_place(slot, bytes, alignment, offset & (alignment - 1), (mic_random_secret() & 1) != 0);
    if (zero && !zeroed) memset(slot->block, 0, bytes);
    memset(&slot->freed, 0, sizeof slot->freed);
    slot->freed_by = 0;
    mic_trace_take(&slot->made);
    slot->made_by = mic_os_thread_id();
    const size_t span = (size_t)slot->run.count - MIC_SPAN_LEAD;
    mic_page_t *const page =
        mic_theap_add_page(theap, MIC_CLASS_SPAN, slot->run, span << MIC_SLICE_SHIFT, true);
    page->moved_end[MIC_MOVED_PIECES - 1] = (uint32_t)(slot - guarded_slots()) + 1;
    if (CFG_BITS) page->handed_out = (uint64_t)(slot->block - page->start);
    guarded_set_state(slot, GUARDED_LIVE);
    mic_page_owner_tag(page, MIC_OWNER_SAMPLED | MIC_OWNER_INNER, 0);
    return slot->block;
}

char *mic_guarded_block(const mic_page_t *page) { return guarded_slot_of(page)->block; }
size_t mic_guarded_bytes(const mic_page_t *page) { return guarded_slot_of(page)->bytes; }

bool mic_guarded_is_whole(const mic_page_t *page)
{
    const guarded_slot_t *const slot = guarded_slot_of(page);
    return guarded_has_pattern(slot->low, slot->block) &&
           guarded_has_pattern(slot->block + slot->bytes, slot->high);
}

void mic_guarded_note_free(const mic_page_t *page)
{
    guarded_slot_t *const slot = guarded_slot_of(page);
    mic_trace_take(&slot->freed);
    slot->freed_by = mic_os_thread_id();
}

void mic_guarded_put(mic_page_t *page)
{
    guarded_slot_t *const slot = guarded_slot_of(page);
    page->moved_end[MIC_MOVED_PIECES - 1] = 0;
    (void)mic_os_guard(mic_run_start(slot->run), (size_t)slot->run.count << MIC_SLICE_SHIFT);
    mic_page_owner_clear(page); /* RF.12 */
    mic_lock_acquire(&guarded_lock);
    guarded_set_state(slot, GUARDED_FREED);
    guarded_freed++;
    mic_lock_release(&guarded_lock);
}

/* ---- what is told ---- */

static const guarded_slot_t *guarded_find_locked(const void *p)
{
    for (uint32_t i = 0; i < guarded_used; i++)
        if (guarded_slots()[i].block == p && guarded_covers(&guarded_slots()[i], (uintptr_t)p))
            return &guarded_slots()[i];
    return NULL;
}

bool mic_guarded_was(const void *p, size_t *bytes, uint64_t *heap)
{
    if (guarded_slots() == NULL) return false;
    mic_lock_acquire(&guarded_lock);
    const guarded_slot_t *const slot = guarded_find_locked(p);
    const bool freed = slot != NULL && mic_load_relaxed(&slot->state) == GUARDED_FREED;
    if (freed) *bytes = slot->bytes;
    if (freed) *heap = slot->heap;
    mic_lock_release(&guarded_lock);
    return freed;
}

void mic_guarded_tell(const void *p)
{
    guarded_slot_t copy;
    if (guarded_slots() == NULL) return;
    mic_lock_acquire(&guarded_lock);
    const guarded_slot_t *const slot = guarded_find_locked(p);
    if (slot != NULL) copy = *slot;
    mic_lock_release(&guarded_lock);
    if (slot != NULL) guarded_tell_slot(&copy); /* what prints may allocate */
}

void mic_guarded_flush(void)
{
    if (guarded_slots() == NULL) return;
    for (uint32_t i = 0; i < MIC_GUARDED_SLOTS; i++) {
        guarded_slot_t *const slot = &guarded_slots()[i];
        mic_lock_acquire(&guarded_lock);
        const bool mine = mic_load_relaxed(&slot->state) == GUARDED_FREED && slot->run.count != 0;
        if (mine) {
            guarded_freed--;
            guarded_set_state(slot, GUARDED_BUSY);
        }
        mic_lock_release(&guarded_lock);
        if (!mine) continue;
        guarded_release(slot);
        guarded_put_slot(slot);
    }
}

void mic_guarded_lock_for_fork(void) { mic_lock_acquire_for_fork(&guarded_lock); }

void mic_guarded_unlock_after_fork(bool child)
{
    mic_lock_release_after_fork(&guarded_lock, child);
}
