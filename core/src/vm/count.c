/* Counting segments; see count.h. */
#include "vm/count.h"

#include <string.h>

#include "vm/vm_internal.h"

static unsigned count_use(const mic_segment_t *s, size_t slices)
{
    const uint32_t kind = mic_segment_kind(s);
    if (mic_segment_is_free(s, slices))
        return kind == MIC_SEGMENT_ROOM ? MIC_SEGMENTS_ROOM : MIC_SEGMENTS_IDLE;
    return kind == 0 || kind == MIC_SEGMENT_ROOM ? MIC_SPAN_KIND : mic_lane_kind(kind - 1);
}

static void count_segment(const mic_segment_t *s, size_t slices, mic_segment_counts_t *counts)
{
    const size_t first = mic_segment_first(s);
    if (mic_segment_is_spare(s)) return;
    size_t committed = mic_min(slices, mic_load_relaxed(&s->committed)) - first;
    for (size_t w = 0; w < MIC_SEGMENT_WORDS; w++)
        committed -= mic_min(committed, mic_bit_count(mic_load_relaxed(&s->holes[w])));
    counts->opened++;
    counts->by_use[count_use(s, slices)]++;
    counts->bytes += slices << MIC_SLICE_SHIFT;
    counts->committed_bytes += committed << MIC_SLICE_SHIFT;
}

void mic_segments_count(unsigned subproc, mic_segment_counts_t *counts)
{
    memset(counts, 0, sizeof *counts);
    for (uint32_t i = 0; i < mic_load_acquire(&mic_arena_count); i++) {
        const mic_arena_t *const a = &mic_arenas[i];
        const uint64_t use = mic_load_acquire(&a->use);
        if (mic_use_state(use) != MIC_ARENA_READY && mic_use_state(use) != MIC_ARENA_DYING)
            continue;
        const size_t opened = mic_arena_usable(a);
        for (size_t k = 0; k < opened; k++) {
            const mic_segment_t *const s = &a->segments[k];
            const uint32_t owner = mic_segment_owner(s);
            const bool of_arena = (owner & MIC_OWNER_ARENA) != 0;
            /* a part of arena 0 is counted as that arena's */
            if (of_arena && owner != (MIC_OWNER_ARENA | i)) continue;
            if ((of_arena ? mic_use_subproc(use) : owner) == subproc)
                count_segment(s, mic_segment_slices(a, k), counts);
        }
    }
}
