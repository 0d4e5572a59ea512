/* Reserving arenas and opening their segments; see arena.h. Everything here runs under the arena
   lock, on slow paths. */
#include "vm/arena.h"

#include "base/check.h"
#include "os/os.h"
#include "rt/counters.h"
#include "rt/options.h"
#include "vm/vm_internal.h"

mic_region_t mic_region mic_aligned(MIC_CACHE_LINE) = {.base = (uintptr_t)1 << 63};
mic_arena_t mic_arenas[MIC_ARENA_MAX];
mic_atomic(uint32_t) mic_arena_count;
mic_vm_counts_t mic_vm_counts;
mic_lock_t mic_arena_lock = MIC_LOCK_INIT(MIC_RANK_ARENA);

#define REGION_MAX ((size_t)1 << 40)
#define REGION_SLOW_MAX ((size_t)4 * MIC_GIB)
/* the first reservation, a gigabyte for records, took longer than this: the system walks what it
   reserves (qemu-user) */
#define RESERVE_SLOW_NS 500000u
/* the shortest arena, and the first step of committing a segment */
#define SHORTEST_SLICES (MIC_MIB >> MIC_SLICE_SHIFT)
/* Arrays at the same offset of an OS page as the blocks they describe made the same code 2.3 times
   slower (4 KiB store-to-load aliasing). */
#define DESCRIPTOR_SHIFT_BYTES ((size_t)1920)
#define REMOTE_SHIFT_BYTES ((size_t)2624)

static size_t arena_meta_bytes(size_t per_slice, size_t slices, size_t shift)
{
    return mic_align_up(slices * per_slice + shift, MIC_SLICE_BYTES);
}

static size_t slot_meta_bytes(size_t slices)
{
    const size_t segments = mic_divide_up(slices, MIC_SEGMENT_SLICES);
    return arena_meta_bytes(MIC_DESCRIPTOR_BYTES, slices, DESCRIPTOR_SHIFT_BYTES) +
           arena_meta_bytes(MIC_SLICE_BITMAPS_BYTES, slices, REMOTE_SHIFT_BYTES) +
           arena_meta_bytes(sizeof(mic_segment_t), segments, 0);
}

void mic_arena_advise(void *address, size_t bytes)
{
    if (CFG_NO_THP || mic_option(MIC_OPTION_ALLOW_THP) == 0)
        (void)mic_os_advise_huge(address, bytes, false);
}

bool mic_arena_may_guard(unsigned arena)
{
    return (mic_arena_kind(&mic_arenas[arena]) & (MIC_ARENA_PINNED | MIC_ARENA_GIVEN)) == 0;
}

/* Reserves what describes `slices` slices. */
static bool slot_describe(mic_arena_t *arena, size_t slices)
{
    const size_t sizes[2] = {arena_meta_bytes(MIC_DESCRIPTOR_BYTES, slices, DESCRIPTOR_SHIFT_BYTES),
                             arena_meta_bytes(MIC_SLICE_BITMAPS_BYTES, slices, REMOTE_SHIFT_BYTES)};
    void *meta;
    if (mic_os_reserve(slot_meta_bytes(slices), 0, &meta) != 0) return false;
    arena->descriptors = (char *)meta + DESCRIPTOR_SHIFT_BYTES;
    arena->remote = (char *)meta + sizes[0] + REMOTE_SHIFT_BYTES;
    arena->segments = (mic_segment_t *)(void *)((char *)meta + sizes[0] + sizes[1]);
    arena->capacity = slices;
    mic_fetch_add_relaxed(&mic_vm_counts.reserve_calls, 1);
    return true;
}

bool mic_arena_slot_locked(size_t slices, unsigned *index)
{
    const uint32_t count = mic_load_relaxed(&mic_arena_count);
    uint32_t at = count; /* one whose descriptors suffice, else one without any, else a new one */
    for (uint32_t i = 0; i < count; i++) {
        const mic_arena_t *const a = &mic_arenas[i];
        if (mic_use_state(mic_load_relaxed(&a->use)) != MIC_ARENA_UNUSED) continue;
        if (a->capacity == 0) at = i;
        if (slices == 0 ? a->capacity == 0 : a->capacity >= slices) {
            at = i;
            break;
        }
    }
    if (at >= MIC_ARENA_MAX) return false;
    mic_arena_t *const arena = &mic_arenas[at];
    if (arena->capacity < slices && !slot_describe(arena, slices)) return false;
    const unsigned generation = mic_use_generation(mic_load_relaxed(&arena->use)) + 1;
    mic_store_relaxed(&arena->use,
                      mic_use_make(MIC_ARENA_MAKING, MIC_ARENA_SYSTEM, 0, -1, generation));
    if (at == count) mic_store_release(&mic_arena_count, count + 1);
    *index = at;
    return true;
}

void mic_arena_slot_drop_locked(unsigned index)
{
    mic_arena_t *const arena = &mic_arenas[index];
    mic_store_relaxed(&arena->use,
                      mic_use_with_state(mic_load_relaxed(&arena->use), MIC_ARENA_UNUSED));
    if (arena->capacity == 0 || arena->was_opened) return;
    /* nobody ever used the descriptors */
    mic_os_unreserve(arena->descriptors - DESCRIPTOR_SHIFT_BYTES, slot_meta_bytes(arena->capacity));
    arena->capacity = 0;
}

void mic_arena_set_locked(unsigned index, uintptr_t base, size_t slices)
{
    mic_arena_t *const arena = &mic_arenas[index];
    mic_store_relaxed(&arena->stamp, mic_load_relaxed(&arena->stamp) + 1);
    mic_store_release(&arena->readable, 0);
    mic_store_release(&arena->first, base); /* whoever sees it sees the new stamp */
    arena->base = base;
    arena->slice_count = slices;
    arena->segment_count = mic_divide_up(slices, MIC_SEGMENT_SLICES);
    arena->is_part = arena->starts_committed = false;
    arena->starts_zero = true;
    arena->reserved_bytes = 0;
    arena->commit_fun = NULL;
    arena->commit_arg = NULL;
    if (MIC_CLASSES_HAVE_RANGES) *mic_ranges_of(arena) = (mic_ranges_t){0};
    mic_store_relaxed(&arena->opened, 0);
    mic_store_relaxed(&arena->freed, 0);
    for (unsigned lane = 0; lane < MIC_LANES; lane++) {
        mic_store_relaxed(&arena->hint[lane], mic_lane_is_range(lane) ? MIC_HINT_NONE : 0);
        mic_store_relaxed(&arena->full_at[lane], 0);
    }
}

void mic_arena_unset_locked(unsigned index)
{
    mic_arena_t *const arena = &mic_arenas[index];
    mic_store_relaxed(&arena->stamp, mic_load_relaxed(&arena->stamp) + 1);
    mic_store_release(&arena->readable, 0);
    mic_store_release(&arena->opened, 0);
}

bool mic_arena_reserve_locked(size_t slices, size_t alignment, unsigned *index)
{
    const size_t bytes = slices << MIC_SLICE_SHIFT;
    void *base = NULL;
    if (!mic_arena_slot_locked(slices, index)) return false;
    if (mic_os_reserve(bytes, alignment, &base) != 0) {
        mic_arena_slot_drop_locked(*index);
        return false;
    }
    mic_arena_set_locked(*index, (uintptr_t)base, slices);
    mic_arenas[*index].reserved_bytes = bytes;
    mic_arena_advise(base, bytes);
    mic_fetch_add_relaxed(&mic_vm_counts.reserved_bytes, bytes);
    mic_fetch_add_relaxed(&mic_vm_counts.reserve_calls, 1);
    return true;
}

/* One arena of the system of exactly `slices` slices; false when a reservation fails. */
static bool arena_reserve_locked(size_t slices)
{
    unsigned index;
    const size_t alignment = slices >= MIC_SEGMENT_SLICES ? MIC_SEGMENT_BYTES : MIC_SLICE_BYTES;
    if (!mic_arena_reserve_locked(slices, alignment, &index)) return false;
    if (MIC_CLASSES_HAVE_RANGES) mic_ranges_divide(&mic_arenas[index]);
    const uint64_t use = mic_load_relaxed(&mic_arenas[index].use);
    mic_store_release(&mic_arenas[index].use, mic_use_with_state(use, MIC_ARENA_READY));
    return true;
}

/* Halves until it fits: to one segment, then to a single short one, never below `least`. */
static bool arena_ladder_locked(size_t slices, size_t least)
{
    for (; slices >= least; slices /= 2)
        if (arena_reserve_locked(slices)) return true;
    return false;
}

/* Whether the system gives any address space at all. */
static bool space_is_left(void)
{
    void *p;
    if (mic_os_reserve(SHORTEST_SLICES << MIC_SLICE_SHIFT, 0, &p) != 0) return false;
    mic_os_unreserve(p, SHORTEST_SLICES << MIC_SLICE_SHIFT);
    return true;
}

bool mic_arena_init(void)
{
    static bool failed; /* one call at a time: of who starts the process */
    if (failed && !space_is_left()) return false; /* one system call, not all sizes again */
    size_t bytes = REGION_MAX;
    if (mic_os_info.address_limit != SIZE_MAX)
        bytes = mic_min(bytes, mic_align_down(mic_os_info.address_limit / 4, MIC_SEGMENT_BYTES));
    const size_t wanted = (size_t)mic_option(MIC_OPTION_REGION_SIZE) * MIC_KIB;
    if (wanted != 0) bytes = mic_min(bytes, mic_align_up(wanted, MIC_SEGMENT_BYTES));
    const uint64_t before = mic_os_thread_cpu_ns();
    failed = !mic_meta_init();
    if (failed) return false;
    if (bytes > REGION_SLOW_MAX && wanted == 0 && mic_os_thread_cpu_ns() - before > RESERVE_SLOW_NS)
        bytes = REGION_SLOW_MAX;
    bytes = mic_max(bytes, MIC_SEGMENT_BYTES);
    mic_lock_acquire(&mic_arena_lock);
    const bool ok = arena_ladder_locked(bytes >> MIC_SLICE_SHIFT, SHORTEST_SLICES);
    if (ok) {
        mic_store_relaxed(&mic_region.descriptors, (uintptr_t)mic_arenas[0].descriptors);
        mic_store_relaxed(&mic_region.remote, (uintptr_t)mic_arenas[0].remote);
        mic_store_release(&mic_region.base, mic_arenas[0].base);
    }
    mic_lock_release(&mic_arena_lock);
    failed = !ok;
    if (ok) mic_program_start();
    return ok;
}

static bool arena_is_system(const mic_arena_t *a)
{
    const uint64_t use = mic_load_relaxed(&a->use);
    return (mic_use_kind(use) & MIC_ARENA_SYSTEM) != 0 && mic_use_state(use) == MIC_ARENA_READY;
}

static bool arena_add_locked(size_t slices)
{
    const size_t least = mic_align_up(slices, SHORTEST_SLICES);
    size_t wanted = mic_align_up(least, MIC_SEGMENT_SLICES);
    /* few arenas rather than many: as large as everything so far */
    size_t have = 0;
    for (uint32_t i = 0; i < mic_load_relaxed(&mic_arena_count); i++)
        if (arena_is_system(&mic_arenas[i])) have += mic_arenas[i].slice_count;
    /* under a limit a good part is left to others */
    wanted = mic_max(wanted, mic_os_info.address_limit == SIZE_MAX ? have : have / 4);
    wanted = mic_align_up(wanted, MIC_SEGMENT_SLICES);
    if (wanted > least && arena_ladder_locked(wanted, mic_max(least, SHORTEST_SLICES))) return true;
    return arena_reserve_locked(least);
}

/* Enough segments that were never opened: if those could not be had, memory is short and not
   address space; another arena would not help. */
static bool arena_has_unopened_locked(size_t slices)
{
    for (uint32_t i = 0; i < mic_load_relaxed(&mic_arena_count); i++) {
        const mic_arena_t *const a = &mic_arenas[i];
        const size_t opened = mic_load_relaxed(&a->opened) * MIC_SEGMENT_SLICES;
        if (arena_is_system(a) && opened < a->slice_count && a->slice_count - opened >= slices)
            return true;
    }
    return false;
}

bool mic_arena_extend(uint32_t seen, size_t slices)
{
    mic_lock_acquire(&mic_arena_lock);
    const bool ok = seen < mic_load_relaxed(&mic_arena_count) ||
                    (!arena_has_unopened_locked(slices) && arena_add_locked(slices));
    mic_lock_release(&mic_arena_lock);
    return ok;
}

/* Commits [from, to) widened to OS pages. */
static bool arena_commit_meta(char *from, size_t bytes)
{
    const uintptr_t first = mic_align_down((uintptr_t)from, mic_os_info.page_bytes);
    const uintptr_t end = mic_align_up((uintptr_t)from + bytes, mic_os_info.page_bytes);
    return mic_os_commit((void *)first, end - first) == 0;
}

/* Lets records and descriptors of segments [from, from + count) be used. */
static bool arena_commit_segments(const mic_arena_t *arena, size_t from, size_t count)
{
    const size_t first = from * MIC_SEGMENT_SLICES;
    const size_t slices = mic_min(count * MIC_SEGMENT_SLICES, arena->slice_count - first);
    return arena_commit_meta((char *)&arena->segments[from], count * sizeof(mic_segment_t)) &&
           arena_commit_meta(arena->descriptors + first * MIC_DESCRIPTOR_BYTES,
                             slices * MIC_DESCRIPTOR_BYTES);
}

/* The same for the bits. */
static bool arena_commit_bits(const mic_arena_t *arena, size_t from, size_t count)
{
    const size_t first = from * MIC_SEGMENT_SLICES;
    const size_t slices = mic_min(count * MIC_SEGMENT_SLICES, arena->slice_count - first);
    return arena_commit_meta(arena->remote + first * MIC_SLICE_BITMAPS_BYTES,
                             slices * MIC_SLICE_BITMAPS_BYTES);
}

/* Bits of a word of slices, of which [first, end) are there. */
static uint64_t segment_word(size_t w, size_t first, size_t end)
{
    const size_t n = end <= w * 64 ? 0 : mic_min(64, end - w * 64);
    const size_t skip = first <= w * 64 ? 0 : mic_min(64, first - w * 64);
    return n <= skip ? 0 : mic_bit_mask((unsigned)skip, (unsigned)(n - skip));
}

/* A segment as it is when nothing was handed out yet; slices that a short segment does not have
   count as taken, and so do those below `first`. */
static void segment_init(const mic_arena_t *arena, mic_segment_t *s, size_t first, size_t slices,
                         uint32_t tag)
{
    const bool by_program = arena->commit_fun != NULL;
    for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++) {
        const bool are_holes = by_program && !arena->starts_committed;
        mic_store_relaxed(&s->holes[w], are_holes ? segment_word(w, 0, slices) : 0);
        mic_slices_clean(s, w, ~(uint64_t)0); /* after a store: a read would cost a fault more */
    }
    for (size_t w = 0; w < MIC_ENDS_WORDS; w++) mic_store_relaxed(&s->ends[w], 0);
    const bool committed = by_program || arena->starts_committed;
    mic_store_relaxed(&s->committed, (uint32_t)(committed ? slices : first));
    mic_store_relaxed(&s->tag, tag);
    mic_store_relaxed(&s->purge_at_ms, 0);
    mic_store_relaxed(&s->unknown, !arena->starts_zero);
    if (MIC_CLASSES_HAVE_RANGES) mic_store_relaxed(&s->begins, (uint32_t)first + 1);
    for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++) /* from here on it may be claimed */
        mic_store_release(&s->free[w], segment_word(w, first, slices));
}

static void arena_publish_segments(unsigned index, size_t opened)
{
    mic_arena_t *const arena = &mic_arenas[index];
    const size_t end = mic_min(opened * MIC_SEGMENT_SLICES, arena->slice_count);
    arena->was_opened = true;
    mic_store_release(&arena->opened, opened);
    mic_store_release(&arena->readable, (uint32_t)end);
    if (index == 0) mic_store_release(&mic_region.slices, end);
}

bool mic_segment_open_locked(unsigned index, size_t count)
{
    mic_arena_t *const arena = &mic_arenas[index];
    const size_t opened = mic_load_relaxed(&arena->opened);
    if (arena->is_part || count > arena->segment_count - opened) return false;
    if (!arena_commit_segments(arena, opened, count) || !arena_commit_bits(arena, opened, count))
        return false;
    const uint32_t owner =
        (mic_arena_kind(arena) & MIC_ARENA_SYSTEM) != 0 ? 0 : MIC_OWNER_ARENA | index;
    for (size_t i = opened; i < opened + count; i++) {
        const size_t slices = mic_segment_slices(arena, i);
        segment_init(arena, &arena->segments[i], 0, slices, owner << MIC_TAG_OWNER_SHIFT);
        if (arena->starts_committed) mic_count_committed(slices << MIC_SLICE_SHIFT);
    }
    arena_publish_segments(index, opened + count);
    return true;
}

static void arena_refuse_huge(char *from, size_t bytes)
{
    const size_t page = mic_os_info.page_bytes;
    (void)mic_os_advise_huge((void *)mic_align_up((uintptr_t)from, page),
                             mic_align_down(bytes - page, page), false);
}

bool mic_window_open_locked(unsigned index, size_t count)
{
    if (!MIC_CLASSES_HAVE_RANGES) return false;
    mic_arena_t *const arena = &mic_arenas[index];
    const size_t opened = mic_load_relaxed(&arena->opened);
    const size_t slices = count * MIC_SEGMENT_SLICES, first = opened * MIC_SEGMENT_SLICES;
    /* a few here and there will be written */
    arena_refuse_huge(arena->descriptors + first * MIC_DESCRIPTOR_BYTES,
                      slices * MIC_DESCRIPTOR_BYTES);
    arena_refuse_huge(arena->remote + first * MIC_SLICE_BITMAPS_BYTES,
                      slices * MIC_SLICE_BITMAPS_BYTES);
    if (!arena_commit_segments(arena, opened, count)) return false;
    arena_publish_segments(index, opened + count);
    return true;
}

bool mic_segment_begin_locked(const mic_arena_t *a, size_t segment, size_t first, uint32_t tag)
{
    if (!MIC_CLASSES_HAVE_RANGES || !arena_commit_bits(a, segment, 1)) return false;
    segment_init(a, &a->segments[segment], first, mic_segment_slices(a, segment), tag);
    return true;
}

void mic_count_committed(uint64_t bytes)
{
    const uint64_t now = mic_fetch_add_relaxed(&mic_vm_counts.committed_bytes, bytes) + bytes;
    if (now > mic_load_relaxed(&mic_vm_counts.committed_peak))
        mic_store_relaxed(&mic_vm_counts.committed_peak, now);
    mic_fetch_add_relaxed(&mic_vm_counts.commit_calls, 1);
}

void mic_uncount_committed(uint64_t bytes)
{
    mic_fetch_sub_relaxed(&mic_vm_counts.committed_bytes, bytes);
    mic_count(MIC_COUNT_DECOMMITTED_BYTES, bytes);
}

static bool segment_commit_to(mic_segment_t *s, char *start, size_t have, size_t to)
{
    if (mic_os_commit(start + (have << MIC_SLICE_SHIFT), (to - have) << MIC_SLICE_SHIFT) != 0)
        return false;
    mic_count_committed((to - have) << MIC_SLICE_SHIFT);
    mic_store_release(&s->committed, (uint32_t)to);
    return true;
}

bool mic_segments_commit(unsigned index, size_t from, size_t to)
{
    mic_arena_t *const arena = &mic_arenas[index];
    char *const start = (char *)arena->base + from * MIC_SEGMENT_BYTES;
    bool ok = true;
    mic_lock_acquire(&mic_arena_lock);
    for (size_t i = from; ok && i < to; i++)
        ok = mic_load_relaxed(&arena->segments[i].committed) == 0 &&
             mic_segment_slices(arena, i) == MIC_SEGMENT_SLICES;
    if (ok) ok = mic_os_commit(start, (to - from) * MIC_SEGMENT_BYTES) == 0;
    for (size_t i = from; ok && i < to; i++)
        mic_store_release(&arena->segments[i].committed, (uint32_t)MIC_SEGMENT_SLICES);
    if (ok) mic_count_committed((to - from) * MIC_SEGMENT_BYTES);
    mic_lock_release(&mic_arena_lock);
    return ok;
}

bool mic_segment_commit(unsigned index, size_t segment, size_t slices)
{
    mic_arena_t *const arena = &mic_arenas[index];
    mic_segment_t *const s = &arena->segments[segment];
    if (mic_load_acquire(&s->committed) >= slices) return true;
    mic_purge_relieve();
    mic_lock_acquire(&mic_arena_lock);
    bool ok = true;
    const size_t have = mic_load_relaxed(&s->committed);
    if (have < slices) {
        /* 1 MiB, then doubling: a 2 MiB range that is not wholly committed cannot become huge, so
           small processes stay small; halved when memory is short */
        const size_t first = segment * MIC_SEGMENT_SLICES;
        const size_t end = mic_min(MIC_SEGMENT_SLICES, arena->slice_count - first);
        char *const start = (char *)arena->base + (first << MIC_SLICE_SHIFT);
        const size_t skip = mic_segment_first(s);
        const size_t step = skip + mic_max(SHORTEST_SLICES, (have - skip) * 2);
        size_t to = mic_min(end, mic_max(slices, step));
        while (!(ok = segment_commit_to(s, start, have, to)) && to > slices)
            to = mic_max(slices, have + (to - have) / 2);
    }
    mic_lock_release(&mic_arena_lock);
    return ok;
}

/* Whole OS pages of [from, end). */
static void arena_unreserve_between(char *from, char *end)
{
    const uintptr_t first = mic_align_up((uintptr_t)from, mic_os_info.page_bytes);
    const uintptr_t stop = mic_align_down((uintptr_t)end, mic_os_info.page_bytes);
    if (first < stop) mic_os_unreserve((void *)first, stop - first);
}

/* Segments that were never opened, and what would have described them. */
static void arena_trim_locked(mic_arena_t *a)
{
    const size_t opened = mic_load_relaxed(&a->opened), slices = opened * MIC_SEGMENT_SLICES;
    if (slices >= a->slice_count || a->capacity < a->slice_count) return;
    const size_t left = (a->slice_count - slices) << MIC_SLICE_SHIFT;
    char *const meta = a->descriptors - DESCRIPTOR_SHIFT_BYTES;
    char *const meta_end = meta + slot_meta_bytes(a->capacity);
    arena_unreserve_between(a->descriptors + slices * MIC_DESCRIPTOR_BYTES,
                            a->remote - REMOTE_SHIFT_BYTES);
    arena_unreserve_between(a->remote + slices * MIC_SLICE_BITMAPS_BYTES, (char *)a->segments);
    arena_unreserve_between((char *)&a->segments[opened], meta_end);
    mic_os_unreserve((char *)a->base + (slices << MIC_SLICE_SHIFT), left);
    a->slice_count = a->capacity = slices;
    a->segment_count = opened;
    a->reserved_bytes -= left;
    mic_fetch_sub_relaxed(&mic_vm_counts.reserved_bytes, left);
    mic_count(MIC_COUNT_UNRESERVED_BYTES, left);
}

void mic_arena_trim(void)
{
    mic_lock_acquire(&mic_arena_lock);
    for (uint32_t i = 0; i < mic_load_relaxed(&mic_arena_count); i++)
        if (arena_is_system(&mic_arenas[i]) && mic_arenas[i].reserved_bytes != 0)
            arena_trim_locked(&mic_arenas[i]);
    mic_lock_release(&mic_arena_lock);
    mic_meta_trim();
}

bool mic_arena_find(const void *p, unsigned *arena, size_t *slice)
{
    const uint32_t count = mic_load_acquire(&mic_arena_count);
    for (uint32_t i = 0; i < count; i++) {
        const mic_arena_t *const a = &mic_arenas[i];
        const uint32_t stamp = mic_load_acquire(&a->stamp);
        const size_t at = ((uintptr_t)p - mic_load_acquire(&a->first)) >> MIC_SLICE_SHIFT;
        if (at >= mic_load_acquire(&a->readable)) continue;
        /* the slot was used again meanwhile: p was in neither arena, or it could not go */
        if (mic_load_relaxed(&a->stamp) != stamp) continue;
        *arena = i;
        *slice = at;
        return true;
    }
    return false;
}

void mic_arena_lock_for_fork(void)
{
    mic_purge_lock_for_fork();
    mic_lock_acquire_for_fork(&mic_arena_lock);
    mic_meta_lock_for_fork();
}

void mic_arena_unlock_after_fork(bool child)
{
    mic_meta_unlock_after_fork(child);
    mic_lock_release_after_fork(&mic_arena_lock, child);
    mic_purge_unlock_after_fork(child);
}
