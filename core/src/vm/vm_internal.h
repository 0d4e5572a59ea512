/* Shared by the files of vm/ only. */
#ifndef MIC_VM_VM_INTERNAL_H
#define MIC_VM_VM_INTERNAL_H

#include "rt/lock.h"
#include "vm/arena.h"
#include "vm/place.h"

extern mic_lock_t mic_arena_lock;

/* There are more arenas than `seen`, or one more could be made with room for `slices`. */
bool mic_arena_extend(uint32_t seen, size_t slices);
/* An unused slot with descriptors for `slices` slices; 0: for a part of arena 0. False: no slot, no
   address space. */
bool mic_arena_slot_locked(size_t slices, unsigned *index);
/* The slot is not used after all. */
void mic_arena_slot_drop_locked(unsigned index);
/* A slot with an arena of exactly `slices` slices of fresh address space. */
bool mic_arena_reserve_locked(size_t slices, size_t alignment, unsigned *index);
/* The slot's arena is [base, base + slices); its segments are opened as they are used. */
void mic_arena_set_locked(unsigned index, uintptr_t base, size_t slices);
/* Its addresses lead nowhere any more. */
void mic_arena_unset_locked(unsigned index);
/* Opens the next `count` segments: their descriptors and remote bits become readable. */
bool mic_segment_open_locked(unsigned arena, size_t count);
/* The same without bits: nobody can use a segment before mic_segment_begin_locked, and then from
   slice `first` on. */
bool mic_window_open_locked(unsigned arena, size_t count);
bool mic_segment_begin_locked(const mic_arena_t *a, size_t segment, size_t first, uint32_t tag);
/* Makes the first `slices` slices of a segment usable, but for holes. */
bool mic_segment_commit(unsigned arena, size_t segment, size_t slices);
/* Makes claimed slices usable and marks them as handed out; *zero: they read as zero. */
bool mic_slices_use(unsigned arena, size_t segment, size_t first, size_t count, bool *zero);
/* Of claimed and committed slices: the last one ends in an inaccessible OS page, or does not; the
   others do not (vm/ends.c). */
void mic_slices_end(unsigned arena, size_t segment, size_t first, size_t count, bool guarded);
void mic_count_committed(uint64_t bytes);
void mic_uncount_committed(uint64_t bytes);

/* ---- slices of one segment (vm/run.c); any thread ---- */

#define MIC_SPAN_KIND (MIC_PAGE_KINDS - 1)
/* kind in a tag: room behind a growing span, not to be used while anything else is */
#define MIC_SEGMENT_ROOM ((uint32_t)MIC_PAGE_KINDS + 1)

size_t mic_segment_slices(const mic_arena_t *a, size_t segment);
/* Those below are never used. */
mic_inline size_t mic_segment_first(const mic_segment_t *s)
{
    const uint32_t begins = MIC_CLASSES_HAVE_RANGES ? mic_load_relaxed(&s->begins) : 0;
    return begins == 0 ? 0 : begins - 1;
}
/* Open, but nobody has it yet. */
mic_inline bool mic_segment_is_spare(const mic_segment_t *s)
{
    return MIC_CLASSES_HAVE_RANGES && mic_load_relaxed(&s->begins) == 0;
}
/* the first `slices` of them, but for those never used */
bool mic_segment_is_free(const mic_segment_t *s, size_t slices);
/* All of the slices or none. */
bool mic_slices_claim(mic_segment_t *s, size_t first, size_t count);
void mic_slices_unclaim(mic_segment_t *s, size_t first, size_t count);
void mic_slices_count_claimed(size_t count);
/* The slices of a word hold nothing any more, or are nobody's yet. */
void mic_slices_clean(mic_segment_t *s, size_t word, uint64_t bits);

/* ---- ranges of size classes (vm/ranges.c) ---- */

typedef struct mic_ranges {
    uint32_t classes;       /* [const while in use] so many share a range; 0 = no ranges */
    uint32_t window_length; /* [const while in use] segments set aside for ranges at a time */
    uint32_t window_from, window_end; /* [lock: arena] the last of them */
    uint32_t spans_from;              /* [lock: arena] those below are of ranges */
} mic_ranges_t;
extern mic_hidden mic_ranges_t mic_arena_ranges[MIC_CLASSES_HAVE_RANGES ? MIC_ARENA_MAX : 1];
mic_inline mic_ranges_t *mic_ranges_of(const mic_arena_t *a)
{
    return &mic_arena_ranges[MIC_CLASSES_HAVE_RANGES ? a - mic_arenas : 0];
}
/* Of an arena of the system that was just made. */
void mic_ranges_divide(const mic_arena_t *a);
/* What segments of the arena serve a run of `kind` (mic_run_kind). */
mic_inline bool mic_lane_is_range(uint32_t lane)
{
    return MIC_CLASSES_HAVE_RANGES && lane >= MIC_LANE_RANGES;
}
unsigned mic_lane_of_class(const mic_arena_t *a, unsigned kind);
mic_inline unsigned mic_lane_of(const mic_arena_t *a, unsigned kind)
{
    return MIC_CLASSES_HAVE_RANGES ? mic_lane_of_class(a, kind) : kind;
}
/* Kind of the pages of a lane. */
unsigned mic_lane_kind(uint32_t lane);
/* A segment that nobody has yet becomes the tag's, a range's, for runs of `count` slices. */
bool mic_range_take_locked(unsigned arena, uint32_t tag, size_t count, size_t *at);

/* Segments [from, from + need) are wholly free and may become the owner's; those not opened yet are
   being opened. False: *in_the_way is the last one that is not, or the end when none can be
   opened. */
bool mic_segments_idle_locked(unsigned arena, size_t from, size_t need, uint32_t owner, bool any,
                              size_t *in_the_way);
bool mic_span_alloc(size_t count, size_t align, const mic_place_t *place, mic_run_t *run);
/* Once, when arena 0 is there: what options ask for. */
void mic_program_start(void);
/* Arenas that are to go, go if nothing is in use any more. */
void mic_program_bury(void);
/* Makes all of segments [from, to) usable with one call if none is in use yet: for speed, what is
   not done here mic_segment_commit does. */
bool mic_segments_commit(unsigned arena, size_t from, size_t to);

/* `count` slices were taken for pages of `kind`; fresh: they hold nothing yet. If much lies free
   elsewhere, waiting to be purged, some of it goes. Holding no lock. */
void mic_purge_compensate(unsigned kind, size_t count, bool fresh);
/* Before memory is committed where what is committed counts (strict overcommit): if much lies free,
   waiting to be purged, all of it goes. Holding no lock. */
void mic_purge_relieve(void);
/* Notes that some free slices were not purged, being a short run or the system having refused for
   the moment: the next forced purge sees to them. */
mic_inline void mic_purge_when_forced(mic_segment_t *s)
{
    uint64_t none = 0; /* somebody may have noted a time meanwhile */
    (void)mic_cas_acquire(&s->purge_at_ms, &none, UINT64_MAX);
}
/* Gives claimed slices back in the way of their arena. True: they are clean now. */
bool mic_slices_give_back(const mic_arena_t *a, size_t segment, size_t first, size_t count);

/* Nobody purges between the two: for fork, and before arenas go. */
void mic_purge_pause(void);
void mic_purge_resume(void);
void mic_purge_lock_for_fork(void);
void mic_purge_unlock_after_fork(bool child);
/* Reserves address space for permanent metadata. */
bool mic_meta_init(void);
/* What was never committed of it goes. */
void mic_meta_trim(void);
void mic_meta_lock_for_fork(void);
void mic_meta_unlock_after_fork(bool child);

#endif
