/* Arenas of the program: reserved for it, made of huge pages, or of its own memory. Each belongs to
   one sub-process. Any thread, holding no lock; nothing here changes errno.

   What is reserved is a part of arena 0 if there is room: its segments get the arena as owner, and
   blocks in it are found as fast as others. Else, and for the program's own memory, the arena has
   descriptors of its own. */
#ifndef MIC_VM_PROGRAM_H
#define MIC_VM_PROGRAM_H

#include "vm/arena.h"

/* For whom a new arena is. */
typedef struct mic_arena_for {
    uint16_t subproc;
    bool exclusive; /* only for places that name it */
    int numa;       /* node where the memory is or should be, -1 = unknown */
} mic_arena_for_t;

/* At least a segment of address space. committed: all of it at once. large: pages of 2 MiB of the
   system's pool if it has enough of them. Returns 0 or ENOMEM. */
int mic_program_reserve(size_t bytes, bool committed, bool large, const mic_arena_for_t *whom,
                        unsigned *arena);
/* Huge pages are never given back. After a fork the child needs further ones for what it writes; if
   none is left, the system ends it. */
/* Up to `pages` huge pages of 1 GiB, or as much in pages of 2 MiB, until the timeout (0 = none).
   Returns how many; the arena is there if it is not 0. */
size_t mic_program_reserve_huge(size_t pages, uint64_t timeout_ms, const mic_arena_for_t *whom,
                                unsigned *arena);

/* The same on `nodes` nodes (0 = all there are), evenly; *all: no node had none for its share. */
size_t mic_program_interleave_huge(size_t pages, size_t nodes, uint64_t timeout_ms,
                                   const mic_arena_for_t *whom, bool *all);

typedef struct mic_given {
    void *start;
    size_t bytes;
    bool is_committed, is_pinned, is_zero;
    mic_commit_fun *commit_fun;
    void *commit_arg;
} mic_given_t;
/* The program's memory, rounded to slices inwards; down to a single slice. False: nothing is left,
   part of it is in an arena already, or there is no memory for descriptors. */
bool mic_program_manage(const mic_given_t *given, const mic_arena_for_t *whom, unsigned *arena);

/* The arenas of a sub-process that has ended serve nobody any more, and go as soon as nothing in
   them is in use: reserved memory returns to arena 0 or to the system, given memory is left to the
   program (back with its callback). */
void mic_arena_subproc_release(unsigned subproc);

/* ---- ids: what the program sees of an arena; never NULL ---- */
void *mic_arena_id(unsigned arena);
/* False: no arena of the program, or it is gone. */
bool mic_arena_from_id(const void *id, unsigned *arena);
/* Sub-process of an arena of the program. */
unsigned mic_arena_subproc(unsigned arena);

/* ---- looking ---- */
typedef struct mic_arena_area {
    void *start;
    size_t bytes;
} mic_arena_area_t;
mic_arena_area_t mic_arena_area(unsigned arena);
typedef struct mic_arena_info {
    char *start;
    size_t bytes;
    size_t used_slices, committed_slices; /* racy sums */
    size_t free_segments, segments;       /* wholly free; all that were used so far */
    unsigned subproc;
    int numa;
    bool is_system, is_exclusive, is_pinned, is_given, is_part;
} mic_arena_info_t;
/* Arena number `arena`; false: there is none, or it is not ready. Linear in its segments. */
bool mic_arena_info(unsigned arena, mic_arena_info_t *info);

/* Nodes of the machine, or what option use_numa_nodes says; at least 1. */
unsigned mic_numa_nodes(void);
#define MIC_NUMA_NODES_MAX ((size_t)1024)

#endif
