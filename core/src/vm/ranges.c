/* Ranges of size classes, of the hardened build: a segment that served pages of a class serves no
   other, so that no address is ever a block's of one size and then of another, and what leaves the
   segments of a class, an overflow or a write at a chosen distance, has to guess where others are.

       arena 0   |.|c|.|.|a|.|b|.|.|a|.| ... |span|span|span| ...      128 segments, then the others
                  a window: each class takes segments at random        as before

   The first segment of a class is used from a random slice on. All draws are from the key source.
   A segment of a window that nobody has yet (mic_segment_is_spare) has a record and descriptors
   that read as zero, so to everybody else it looks as if all its slices were taken. Memory is
   committed as in other segments. Each class costs a mapping of its own, and a page or two of
   records: so a window is no longer than that few of them share a page.

   Where there are few segments neighbouring classes share a range, 2, 4, ... 32 of them; below
   512 MiB, under strict overcommit (where all that is committed counts), and in arenas of the
   program all classes of a kind do, as in other builds. When all is in use, classes and spans take
   free slices of any range: nobody goes without memory because it lies in the wrong place. */
#include "os/os.h"
#include "rt/random.h"
#include "vm/vm_internal.h"

/* segments of a window in an arena that is large enough for it, and first slices at random */
#define WINDOW_SEGMENTS 128u
#define WINDOW_SHARE 4 /* of the arena, at most, for one segment of each range */
#define RANGE_CLASSES_MAX 32u

mic_ranges_t mic_arena_ranges[MIC_CLASSES_HAVE_RANGES ? MIC_ARENA_MAX : 1];

unsigned mic_lane_kind(uint32_t lane)
{
    if (!mic_lane_is_range(lane)) return lane;
    const uint32_t cls = lane - MIC_LANE_RANGES;
    return cls <= MIC_CLASS_SMALL_LAST ? 0 : cls <= MIC_CLASS_MEDIUM_LAST ? 1 : 2;
}

/* The lowest class of the range of `cls`; those of a range are of one kind. */
static unsigned range_first(unsigned kind, unsigned cls, unsigned classes)
{
    static const unsigned lowest[MIC_PAGE_KINDS] = {0, MIC_CLASS_SMALL_LAST + 1,
                                                    MIC_CLASS_MEDIUM_LAST + 1, 0};
    return (unsigned)mic_max(lowest[kind], cls & ~(classes - 1));
}

unsigned mic_lane_of_class(const mic_arena_t *a, unsigned kind)
{
    const unsigned page_kind = kind & 255, after = kind >> 8; /* 1 + class */
    const unsigned classes = mic_ranges_of(a)->classes;
    if (!MIC_CLASSES_HAVE_RANGES || after == 0 || classes == 0) return page_kind;
    return MIC_LANE_RANGES + range_first(page_kind, after - 1, classes);
}

static unsigned ranges_count(unsigned classes)
{
    unsigned n = 0;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++)
        n += range_first(mic_lane_kind(MIC_LANE_RANGES + cls), cls, classes) == cls;
    return n;
}

void mic_ranges_divide(const mic_arena_t *a)
{
    if (!MIC_CLASSES_HAVE_RANGES) return;
    const size_t segments = a->slice_count / MIC_SEGMENT_SLICES;
    unsigned classes = 1;
    while (classes <= RANGE_CLASSES_MAX && ranges_count(classes) * WINDOW_SHARE > segments)
        classes *= 2;
    if (classes > RANGE_CLASSES_MAX || mic_os_strict_overcommit()) return;
    const bool long_windows = segments >= (size_t)WINDOW_SEGMENTS * WINDOW_SHARE;
    *mic_ranges_of(a) = (mic_ranges_t){
        .classes = classes,
        .window_length = long_windows ? WINDOW_SEGMENTS : ranges_count(classes),
    };
}

static size_t range_below(uint64_t random, size_t n)
{
    return (size_t)((random & UINT32_MAX) * n >> 32);
}

/* Any segment of the window that nobody has. */
static bool window_pick(const mic_arena_t *a, uint64_t random, size_t *at)
{
    const mic_ranges_t *const r = mic_ranges_of(a);
    const size_t length = r->window_end - r->window_from;
    const size_t first = range_below(random, length);
    for (size_t i = 0; i < length; i++) {
        *at = r->window_from + (first + i) % length;
        if (mic_segment_is_spare(&a->segments[*at])) return true;
    }
    return false;
}

/* The next segments that were never used; half of what is left stays for spans. */
static bool window_open_locked(unsigned arena)
{
    const mic_arena_t *const a = &mic_arenas[arena];
    mic_ranges_t *const r = mic_ranges_of(a);
    const size_t from = mic_arena_usable(a);
    const size_t whole = a->slice_count / MIC_SEGMENT_SLICES;
    const size_t left = whole - mic_min(from, whole);
    size_t length = mic_min(r->window_length, mic_divide_up(left, 2));
    while (length > 0 && !mic_window_open_locked(arena, length)) length /= 2;
    if (length == 0) return false;
    r->window_from = (uint32_t)from;
    r->window_end = (uint32_t)(from + length);
    if (from == r->spans_from) r->spans_from = r->window_end;
    return true;
}

bool mic_range_take_locked(unsigned arena, uint32_t tag, size_t count, size_t *at)
{
    if (!MIC_CLASSES_HAVE_RANGES) return false;
    const mic_arena_t *const a = &mic_arenas[arena];
    const uint64_t random = mic_random_secret();
    const bool is_first = mic_load_relaxed(&a->hint[mic_tag_kind(tag) - 1]) == MIC_HINT_NONE;
    if (!window_pick(a, random, at) && (!window_open_locked(arena) || !window_pick(a, random, at)))
        return false;
    size_t first = 0;
    if (is_first && mic_ranges_of(a)->window_length == WINDOW_SEGMENTS)
        first = range_below(random >> 32, MIC_SEGMENT_SLICES / count) * count;
    return mic_segment_begin_locked(a, *at, first, tag);
}
