/* Shared by the files of vm/ only. */
#ifndef MIC_VM_VM_INTERNAL_H
#define MIC_VM_VM_INTERNAL_H

#include "rt/lock.h"
#include "vm/arena.h"

extern mic_lock_t mic_arena_lock;

/* Adds an arena of at least `slices` slices if address space allows. */
bool mic_arena_add_locked(size_t slices);
/* Opens the next segment: its descriptors and remote bits become readable. */
bool mic_segment_open_locked(unsigned arena);
/* Makes the first `slices` slices of a segment usable. */
bool mic_segment_commit(unsigned arena, size_t segment, size_t slices);

void mic_purge_lock_for_fork(void);
void mic_purge_unlock_after_fork(void);
void mic_meta_lock_for_fork(void);
void mic_meta_unlock_after_fork(bool child);

#endif
