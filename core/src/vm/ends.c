/* Guards at the ends of small and medium pages, of the hardened build: an overflow that runs past a
   page faults there. A guard stays when its slices are freed, since most often the next page there
   is of the same length; which slices end in one is noted in the segment, and whoever claims slices
   removes what would be in the way. So a page that is made again costs no system call.

       small   |blocks ...     |G|          1 slice
       medium  |blocks ...                                 |G|   8 slices */
#include "os/os.h"
#include "vm/vm_internal.h"

/* Where OS pages are large a guard would take too much of a page. */
#define ENDS_LEAST_OS_PAGES 8

size_t mic_arena_end_bytes(unsigned arena)
{
    const size_t bytes = mic_os_info.page_bytes;
    const unsigned kind = mic_arena_kind(&mic_arenas[arena]);
    const bool has = MIC_PAGES_END_IN_GUARDS && (kind & MIC_ARENA_SYSTEM) != 0 &&
                     bytes * ENDS_LEAST_OS_PAGES <= MIC_SLICE_BYTES;
    return has ? bytes : 0;
}

/* Takes the marks of slices [first, first + count); returns how many there were. */
static size_t ends_take(mic_segment_t *s, size_t first, size_t count)
{
    size_t taken = 0;
    while (count > 0) {
        const unsigned at = (unsigned)(first & 63);
        const unsigned n = (unsigned)mic_min(count, 64 - at);
        const uint64_t mask = mic_bit_mask(at, n);
        mic_atomic(uint64_t) *const word = &s->ends[first >> 6];
        if ((mic_load_relaxed(word) & mask) != 0)
            taken += mic_bit_count(mic_fetch_and_relaxed(word, ~mask) & mask);
        first += n;
        count -= n;
    }
    return taken;
}

void mic_slices_end(unsigned arena, size_t segment, size_t first, size_t count, bool guarded)
{
    if (!MIC_PAGES_END_IN_GUARDS) return;
    const mic_arena_t *const a = &mic_arenas[arena];
    mic_segment_t *const s = &a->segments[segment];
    char *const start = (char *)a->base + segment * MIC_SEGMENT_BYTES + (first << MIC_SLICE_SHIFT);
    const size_t end_bytes = mic_arena_end_bytes(arena);
    const bool ends = guarded && end_bytes != 0;
    const size_t others = ends ? count - 1 : count;
    const size_t taken = ends_take(s, first, others);
    if (taken != 0) mic_os_unguard(start, others << MIC_SLICE_SHIFT, taken);
    if (!ends) return;
    mic_atomic(uint64_t) *const word = &s->ends[(first + others) >> 6];
    const uint64_t bit = (uint64_t)1 << ((first + others) & 63);
    if ((mic_load_relaxed(word) & bit) != 0) return;
    if (mic_os_guard(start + (count << MIC_SLICE_SHIFT) - end_bytes, end_bytes) == 0)
        mic_fetch_or_relaxed(word, bit);
}
