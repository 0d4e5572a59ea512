/* Which arena may serve whom, and in which order arenas are tried. For the files of vm/. */
#ifndef MIC_VM_PLACE_H
#define MIC_VM_PLACE_H

#include "vm/arena.h"

/* mic_arena.use, one word so that it is read as a whole:
        63         48 47         32 31         16 15     8 7      0
       | generation  |  1 + node   | sub-process |  kind  | state  |
   The generation makes ids of arenas that are gone invalid. */
typedef enum mic_arena_state {
    MIC_ARENA_UNUSED, /* the slot may be used */
    MIC_ARENA_MAKING, /* nobody but its maker touches it */
    MIC_ARENA_READY,
    MIC_ARENA_DYING /* serves nobody; goes when all its slices are free */
} mic_arena_state_t;

#define MIC_ARENA_SYSTEM 1u    /* the library's own: serves every sub-process */
#define MIC_ARENA_EXCLUSIVE 2u /* serves only places that name it */
#define MIC_ARENA_PINNED 4u    /* always committed, never given back */
#define MIC_ARENA_GIVEN 8u     /* the memory is the program's */

mic_inline uint64_t mic_use_make(mic_arena_state_t state, unsigned kind, unsigned subproc, int numa,
                                 unsigned generation)
{
    return (uint64_t)state | (uint64_t)kind << 8 | (uint64_t)subproc << 16 |
           (uint64_t)(uint16_t)(numa + 1) << 32 | (uint64_t)generation << 48;
}
mic_inline mic_arena_state_t mic_use_state(uint64_t use) { return (mic_arena_state_t)(use & 255); }
mic_inline unsigned mic_use_kind(uint64_t use) { return use >> 8 & 255; }
mic_inline unsigned mic_use_subproc(uint64_t use) { return use >> 16 & 0xffff; }
mic_inline int mic_use_numa(uint64_t use) { return (int)(use >> 32 & 0xffff) - 1; }
mic_inline unsigned mic_use_generation(uint64_t use) { return (unsigned)(use >> 48); }
mic_inline uint64_t mic_use_with_state(uint64_t use, mic_arena_state_t state)
{
    return (use & ~(uint64_t)255) | (uint64_t)state;
}
mic_inline unsigned mic_arena_kind(const mic_arena_t *a)
{
    return mic_use_kind(mic_load_relaxed(&a->use));
}

/* Arenas of the program that there ever were: without any, only the system's are looked at. */
extern mic_atomic(uint32_t) mic_arena_programs;

/* Goes through the arenas that may serve a place: first those of the program on the node wanted,
   then the program's elsewhere, then the system's, last the program's on other nodes. */
typedef struct mic_search {
    const mic_place_t *place;
    size_t slices; /* make another arena for as many when all were tried; 0 = make none */
    uint32_t next;
    uint32_t rank;
} mic_search_t;
mic_search_t mic_search_start(const mic_place_t *place, size_t slices);
bool mic_search_next(mic_search_t *search, unsigned *arena);

/* Segments that can be used. */
mic_inline size_t mic_arena_usable(const mic_arena_t *a)
{
    return a->is_part ? a->segment_count : mic_load_acquire(&a->opened);
}

/* ---- owners of segments ---- */

mic_inline uint32_t mic_tag_make(uint32_t owner, unsigned lane)
{
    return owner << MIC_TAG_OWNER_SHIFT | (lane + 1);
}
mic_inline uint32_t mic_tag_owner(uint32_t tag) { return tag >> MIC_TAG_OWNER_SHIFT; }
mic_inline uint32_t mic_segment_tag(const mic_segment_t *s) { return mic_load_relaxed(&s->tag); }
mic_inline uint32_t mic_segment_owner(const mic_segment_t *s)
{
    return mic_tag_owner(mic_segment_tag(s));
}
/* The owner of what `place` gets in an arena. */
uint32_t mic_owner_in(unsigned arena, const mic_place_t *place);
/* A wholly free segment may become this owner's. */
mic_inline bool mic_segment_may_take(const mic_segment_t *s, uint32_t owner)
{
    const uint32_t now = mic_segment_owner(s);
    return now == owner || (now & MIC_OWNER_ARENA) == 0;
}
/* Gives a wholly free segment to an owner and a lane (in `tag`). False: it is in use. */
bool mic_segment_take_locked(mic_arena_t *a, size_t segment, uint32_t tag);

#endif
