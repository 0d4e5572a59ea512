/* Address space: arenas, their segments and slices, and where descriptors are. Knows slices, not
   blocks. Arena 0 is the main region, by far the largest. Others of the system's memory come into
   being when it is full or could not be made large; they and arena 0 serve every sub-process.
   Arenas that the program asked for or gave (vm/program.h) serve one.

       reservation |descriptor|descriptor| ...   128 bytes per slice, committed with the segment
       reservation |bitmaps of slice 0| ...      a bit per 16 bytes, or more: base/config.h
       reservation |segment 0 (32 MiB)|segment 1| ...
   All of them inaccessible until committed; segments are opened lowest first, so the opened ones
   are a prefix and `slices` tells whether a descriptor may be read.

   Claiming slices is lock-free (a compare-and-swap on a word of the segment's free set); the arena
   lock guards opening segments, committing, and spans. */
#ifndef MIC_VM_ARENA_H
#define MIC_VM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/config.h"
#include "base/size_class.h"

/* What the fast paths need of arena 0. Until initialised base is 2^63, so that NULL and every other
   address fall outside. */
typedef struct mic_region {
    mic_atomic(uint64_t) base;   /* [lock: arena] set once */
    mic_atomic(uint64_t) slices; /* [lock: arena] slices with readable descriptors, a prefix */
    mic_atomic(uintptr_t) descriptors; /* [lock: arena] set once, before base */
    mic_atomic(uintptr_t) remote;      /* [lock: arena] remote bits; set once, before base */
} mic_region_t;
extern mic_hidden mic_region_t mic_region mic_aligned(MIC_CACHE_LINE);

#define MIC_ENDS_WORDS (MIC_PAGES_END_IN_GUARDS ? MIC_SEGMENT_WORDS : 1)

typedef struct mic_segment {
    mic_atomic(uint64_t) free[MIC_SEGMENT_WORDS];  /* [atomic] 1 = slice is free */
    mic_atomic(uint64_t) dirty[MIC_SEGMENT_WORDS]; /* [atomic] 1 = handed out since last purged */
    mic_atomic(uint64_t) holes[MIC_SEGMENT_WORDS]; /* [atomic, by who claimed the slice] 1 = not
                                                      committed, although below `committed` */
    mic_atomic(uint64_t) ends[MIC_ENDS_WORDS];     /* [atomic, by who claimed the slice] 1 = its
                                                      last OS page is inaccessible */
    mic_atomic(uint32_t) committed;                /* [lock: arena] slices, a prefix */
    mic_atomic(uint32_t) tag;                      /* [lock: arena] whom it serves, see below */
    mic_atomic(uint64_t) purge_at_ms; /* [atomic: hint] when its free slices are due, 0 = nothing */
    mic_atomic(uint32_t) paged;       /* [atomic: relaxed] ever had pages of more than a block */
    mic_atomic(uint32_t) unknown;     /* [atomic: relaxed] clean slices need not read as zero */
    mic_atomic(uint32_t) begins; /* [lock: arena] 1 + first slice that may be used, 0 = nobody has
                                    it yet (vm/ranges.c); builds without ranges do not look */
    uint32_t unused32;
    uint64_t unused[MIC_PAGES_END_IN_GUARDS ? 4 : 3];
} mic_segment_t;
_Static_assert(sizeof(mic_segment_t) % MIC_CACHE_LINE == 0, "one segment, whole lines");

/* The tag of a segment:
        31         16 15          0
       |    owner    |  1 + lane   |     lane: what it serves, 0 = any
   The owner is a sub-process, or an arena of the program that has the segment for itself. Pages of
   different owners never share a segment: the owner changes while all slices are claimed, and who
   claimed a slice looks at it again. A lane is the kind of a page, and then a hint; or from
   MIC_LANE_RANGES on a range of size classes, to which the segment belongs for good. */
#define MIC_TAG_OWNER_SHIFT 16
#define MIC_OWNER_ARENA 0x8000u /* + index of an arena; below: index of a sub-process */

/* 1 + lane */
mic_inline uint32_t mic_tag_kind(uint32_t tag)
{
    return tag & (((uint32_t)1 << MIC_TAG_OWNER_SHIFT) - 1);
}
mic_inline uint32_t mic_segment_kind(const mic_segment_t *s)
{
    return mic_tag_kind(mic_load_relaxed(&s->tag));
}

#define MIC_ARENA_MAX 255u
#define MIC_PAGE_KINDS 4u
#define MIC_LANE_RANGES (MIC_PAGE_KINDS + 1) /* + the lowest class of the range; below: room */
#define MIC_LANES (MIC_CLASSES_HAVE_RANGES ? MIC_LANE_RANGES + MIC_CLASS_COUNT : MIC_PAGE_KINDS)
#define MIC_HINT_NONE UINT64_MAX

/* What a program's arena needs from the program; NULL: the system's calls. See mi_commit_fun_t. */
typedef bool mic_commit_fun(bool commit, void *start, size_t bytes, bool *is_zero, void *arg);

/* Fields are [const] while the arena is in use (`use`, vm/place.h). Slots are used again, but never
   with other descriptors: these are not unmapped, and pending and link are type-stable. */
typedef struct mic_arena {
    uintptr_t base; /* first slice, aligned to a segment, or only to a slice */
    size_t slice_count;
    size_t segment_count;
    char *descriptors;
    char *remote; /* remote bits */
    mic_segment_t *segments;
    mic_atomic(uint64_t) use;    /* [lock: arena] state, kind, sub-process, node; vm/place.h */
    mic_atomic(uint64_t) opened; /* [lock: arena] segments opened, a prefix; 0 if it is a part of
                                    arena 0, whose descriptors it uses */
    mic_atomic(uint64_t) hint[MIC_LANES]; /* [atomic: hint] lowest segment that may have room; of a
                                             range MIC_HINT_NONE until it has any */
    /* for mic_arena_find, which may look while the slot is used again */
    mic_atomic(uint32_t) stamp;    /* [lock: arena] changes before the two below do */
    mic_atomic(uint32_t) readable; /* [lock: arena] slices with readable descriptors */
    mic_atomic(uint64_t) first;    /* [lock: arena] base */
    /* arenas of the program only */
    mic_atomic(uint32_t) freed; /* [atomic: relaxed] runs given back so far */
    mic_atomic(uint32_t)
        full_at[MIC_LANES]; /* [atomic: hint] 1 + `freed` when there was no room, 0 = unknown */
    size_t capacity;        /* slices that the descriptors are for; 0 = none of its own */
    size_t reserved_bytes;  /* of address space, by the library for this arena alone */
    bool was_opened;        /* any segment, ever */
    bool is_part;           /* of arena 0 */
    bool starts_committed;  /* all of it, when a segment is opened */
    bool starts_zero;       /* what was never handed out reads as zero */
    mic_commit_fun *commit_fun;
    void *commit_arg;
} mic_arena_t;

extern mic_hidden mic_arena_t mic_arenas[MIC_ARENA_MAX];
extern mic_atomic(uint32_t) mic_arena_count;

/* A run of claimed slices. */
typedef struct mic_run {
    uint32_t slice; /* first, counted from the arena's base */
    uint32_t count;
    uint8_t arena;
    bool zero; /* reads as zero */
} mic_run_t;

/* Reserves the main region. Idempotent under the caller's own guard (heap/init.c). False: there is
   no address space at all. */
bool mic_arena_init(void);
/* Before the code is unloaded: address space that was never used goes back. Only that: the process
   may be ending, and other threads go on. What does not fit into the rest gets arenas of its
   own. */
void mic_arena_trim(void);
/* Warns of what options asked to reserve and was not to be had, once the process can allocate: the
   function that the program registered for messages may do so. */
void mic_arena_start_tell(void);

/* Where slices may come from: a first-class heap may be bound to an arena, belongs to a
   sub-process, and may prefer a NUMA node. */
typedef struct mic_place {
    uint16_t arena;   /* 1 + index of the only arena to take from, 0 = any that is not exclusive */
    uint16_t subproc; /* 0 = the main one */
    mic_atomic(int32_t) numa; /* [atomic: relaxed; any] node to prefer, -1 = none */
} mic_place_t;
extern mic_hidden const mic_place_t mic_place_any;

/* What a run is for: a page of `kind` (vm knows it as a number below MIC_PAGE_KINDS), or more
   exactly one of a class of that kind. */
mic_inline unsigned mic_run_kind(unsigned kind, unsigned cls)
{
    return MIC_CLASSES_HAVE_RANGES ? kind | (cls + 1) << 8 : kind;
}
/* Claims `count` slices for a page of `kind` (see mic_run_kind), at a multiple of
   `align_slices` (a power of two), in `place`. Commits them. False when memory is out. */
bool mic_run_alloc(unsigned kind, size_t count, size_t align_slices, const mic_place_t *place,
                   mic_run_t *run);
/* Gives slices back; they are purged after the purge delay. run.zero: they read as zero, as if
   purged already. */
void mic_run_free(mic_run_t run);
/* A span that is known to grow: placed `phase` slices (below a segment's) into segments of its own,
   with as much room behind it. False: no address space for that, take mic_run_alloc. */
bool mic_run_alloc_room(size_t count, size_t phase, const mic_place_t *place, mic_run_t *run);
/* Makes a span's run longer in place; *zero: the new slices read as zero. */
bool mic_run_grow(mic_run_t run, size_t count, bool *zero);

/* False: the memory is the program's or made of huge pages. It must not be moved by page tables,
   and does not read as zero when it was given back. */
bool mic_arena_is_ordinary(unsigned arena);
/* Makes used memory read as zero by giving it back; false: it is as it was. */
bool mic_arena_zero(void *start, size_t bytes);

mic_inline char *mic_run_start(mic_run_t run)
{
    return (char *)mic_arenas[run.arena].base + ((size_t)run.slice << MIC_SLICE_SHIFT);
}
mic_inline char *mic_arena_descriptor(unsigned arena, size_t slice)
{
    return mic_arenas[arena].descriptors + slice * MIC_DESCRIPTOR_BYTES;
}
/* remote-free bits of the page that starts at `start`; a fixed address for each slice */
mic_inline mic_atomic(uint64_t) *mic_arena_remote_words(unsigned arena, const char *start)
{
    const mic_arena_t *const a = &mic_arenas[arena];
    const size_t slice = ((uintptr_t)start - a->base) >> MIC_SLICE_SHIFT;
    return (mic_atomic(uint64_t) *)(void *)(a->remote + slice * MIC_SLICE_BITMAPS_BYTES);
}
/* A page of more than one block may have been there: only such pages are ever in an inbox. */
mic_inline bool mic_arena_segment_was_paged(unsigned arena, size_t segment)
{
    return mic_load_relaxed(&mic_arenas[arena].segments[segment].paged) != 0;
}
/* Arena and slice of any address with a readable descriptor. */
bool mic_arena_find(const void *p, unsigned *arena, size_t *slice);

/* OS pages of the arena may be made inaccessible: not those of the program's memory, nor huge
   ones. */
bool mic_arena_may_guard(unsigned arena);
/* Bytes at the end of each small and medium page of the arena that are left inaccessible. */
size_t mic_arena_end_bytes(unsigned arena);
/* Advice about huge pages for a range that was just mapped. */
void mic_arena_advise(void *address, size_t bytes);

/* ---- purging (vm/purge.c): one engine, driven by slow paths and by collect ---- */
/* Purges what is due; force: everything free, now. Cheap when nothing is due. */
void mic_purge_run(bool force);
/* When the next is due (ms), as far as known; 0 = nothing is. */
uint64_t mic_purge_next(void);
/* How long free memory waits; false: for ever. */
bool mic_purge_delay(uint64_t *delay_ms);
void mic_purge_note_freed(const mic_arena_t *arena, mic_segment_t *segment);
/* A run that is about to be freed and too large to wait for the purge delay. True: it was purged,
   it reads as zero. */
bool mic_purge_at_once(mic_run_t run);

/* ---- permanent metadata: zeroed, never given back, cache-line aligned ---- */
void *mic_meta_alloc(size_t bytes, size_t alignment);

/* ---- numbers for statistics; current values, racy sums ---- */
typedef struct mic_vm_counts {
    mic_atomic(uint64_t) reserved_bytes, committed_bytes, committed_peak;
    mic_atomic(uint64_t) used_slices, used_slices_peak; /* in pages */
    mic_atomic(uint64_t) dirty_slices; /* handed out since last purged: what is held at most */
    mic_atomic(uint64_t) purged_bytes, purge_calls, commit_calls, reserve_calls;
} mic_vm_counts_t;
extern mic_vm_counts_t mic_vm_counts;

/* ---- fork ---- */
void mic_arena_lock_for_fork(void);
void mic_arena_unlock_after_fork(bool child);

#endif
