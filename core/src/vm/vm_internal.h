/* Shared by the files of vm/ only. */
#ifndef MIC_VM_VM_INTERNAL_H
#define MIC_VM_VM_INTERNAL_H

#include "rt/lock.h"
#include "vm/arena.h"

extern mic_lock_t mic_arena_lock;

/* Adds an arena of at least `slices` slices if address space allows. */
bool mic_arena_add_locked(size_t slices);
/* Opens the next `count` segments: their descriptors and remote bits become readable. */
bool mic_segment_open_locked(unsigned arena, size_t count);
/* Makes the first `slices` slices of a segment usable. */
bool mic_segment_commit(unsigned arena, size_t segment, size_t slices);

/* ---- slices of one segment (vm/run.c); any thread ---- */

#define MIC_SPAN_KIND (MIC_PAGE_KINDS - 1)
/* value of mic_segment.kind: room behind a growing span, not to be used while anything else is */
#define MIC_SEGMENT_ROOM ((uint32_t)MIC_PAGE_KINDS + 1)

size_t mic_segment_slices(const mic_arena_t *a, size_t segment);
/* the first `slices` of them */
bool mic_segment_is_free(const mic_segment_t *s, size_t slices);
/* All of the slices or none. */
bool mic_slices_claim(mic_segment_t *s, size_t first, size_t count);
void mic_slices_unclaim(mic_segment_t *s, size_t first, size_t count);
/* Marks as handed out; true if all of it was purged or never used. */
bool mic_slices_mark_dirty(mic_segment_t *s, size_t first, size_t count);
void mic_slices_count_claimed(size_t count);
/* Arena `arena` is there, or could be made with room for `slices` where `place` names none. */
bool mic_arena_exists(unsigned arena, size_t slices, const mic_place_t *place);
mic_inline bool mic_place_has(const mic_place_t *place, unsigned arena)
{
    return place->arena == 0 || place->arena == arena + 1;
}

bool mic_span_alloc(size_t count, size_t align, const mic_place_t *place, mic_run_t *run);
/* Makes all of segments [from, to) usable with one call if none is in use yet: for speed, what is
   not done here mic_segment_commit does. */
bool mic_segments_commit(unsigned arena, size_t from, size_t to);

/* Before memory that was never used is taken: if much lies free elsewhere, waiting to be purged, it
   goes first. Holding no lock. */
void mic_purge_relieve(void);

void mic_purge_lock_for_fork(void);
void mic_purge_unlock_after_fork(void);
/* Reserves address space for permanent metadata. */
bool mic_meta_init(void);
void mic_meta_lock_for_fork(void);
void mic_meta_unlock_after_fork(bool child);

#endif
