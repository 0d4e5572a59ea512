/* The order in which arenas are tried, and owners of segments; see place.h. */
#include "vm/place.h"

#include "base/check.h"
#include "rt/options.h"
#include "vm/vm_internal.h"

const mic_place_t mic_place_any = {.arena = 0, .subproc = 0, .numa = -1};
mic_atomic(uint32_t) mic_arena_programs;

enum { RANK_NEAR, RANK_PROGRAM, RANK_SYSTEM, RANK_FAR, RANKS };

static unsigned place_rank(const mic_place_t *place, uint64_t use)
{
    if (mic_use_state(use) != MIC_ARENA_READY) return RANKS;
    const unsigned kind = mic_use_kind(use);
    if ((kind & MIC_ARENA_SYSTEM) != 0)
        return mic_option(MIC_OPTION_DISALLOW_OS_ALLOC) > 0 ? RANKS : RANK_SYSTEM;
    if ((kind & MIC_ARENA_EXCLUSIVE) != 0 || mic_use_subproc(use) != place->subproc) return RANKS;
    const int numa = mic_use_numa(use);
    const int wanted = mic_load_relaxed(&place->numa);
    if (wanted < 0 || numa < 0) return RANK_PROGRAM;
    return wanted == numa ? RANK_NEAR : RANK_FAR;
}

mic_search_t mic_search_start(const mic_place_t *place, size_t slices)
{
    mic_search_t search = {.place = place, .slices = slices, .next = 0, .rank = RANK_NEAR};
    if (mic_load_acquire(&mic_arena_programs) == 0) search.rank = RANK_SYSTEM;
    return search;
}

/* The arena that the place names, once. */
static bool search_named(mic_search_t *search, unsigned *arena)
{
    *arena = search->place->arena - 1u;
    if (search->next++ != 0 || *arena >= mic_load_acquire(&mic_arena_count)) return false;
    return mic_use_state(mic_load_acquire(&mic_arenas[*arena].use)) == MIC_ARENA_READY;
}

static bool search_extend(const mic_search_t *search, uint32_t seen)
{
    return search->rank == RANK_SYSTEM && search->slices != 0 &&
           mic_option(MIC_OPTION_DISALLOW_OS_ALLOC) <= 0 && mic_arena_extend(seen, search->slices);
}

bool mic_search_next(mic_search_t *search, unsigned *arena)
{
    if (search->place->arena != 0) return search_named(search, arena);
    while (search->rank < RANKS) {
        const uint32_t count = mic_load_acquire(&mic_arena_count);
        while (search->next < count) {
            *arena = search->next++;
            const uint64_t use = mic_load_acquire(&mic_arenas[*arena].use);
            if (place_rank(search->place, use) == search->rank) return true;
        }
        if (search_extend(search, count)) continue; /* with what is new */
        search->rank++;
        search->next = 0;
    }
    return false;
}

uint32_t mic_owner_in(unsigned arena, const mic_place_t *place)
{
    const bool system = (mic_arena_kind(&mic_arenas[arena]) & MIC_ARENA_SYSTEM) != 0;
    return system ? place->subproc : MIC_OWNER_ARENA | arena;
}

bool mic_segment_take_locked(mic_arena_t *a, size_t segment, uint32_t tag)
{
    mic_segment_t *const s = &a->segments[segment];
    const size_t slices = mic_segment_slices(a, segment);
    const uint32_t owner = mic_tag_owner(tag);
    if (mic_segment_owner(s) == owner) {
        if (!mic_segment_is_free(s, slices)) return false;
        mic_store_relaxed(&s->tag, tag);
        return true;
    }
    const size_t first = mic_segment_first(s);
    if (!mic_segment_may_take(s, owner) || !mic_slices_claim(s, first, slices - first))
        return false;
    mic_store_relaxed(&s->tag, tag); /* published by giving the slices back */
    mic_slices_unclaim(s, first, slices - first);
    return true;
}
