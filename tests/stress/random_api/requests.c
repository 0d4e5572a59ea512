/* What is asked for: sizes, alignments, heaps, and whole requests for a row of the table. */
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "random_api.h"

#define TEXT_BYTES 70000

static char text[TEXT_BYTES + 1];
static wchar_t wide[TEXT_BYTES / 4 + 1];

void prepare_texts(void)
{
    memset(text, 't', TEXT_BYTES);
    wmemset(wide, L'w', TEXT_BYTES / 4);
}

size_t any_size(actor_t *a)
{
    const size_t dice = below(a, 1000);
    if (dice < 20) return 0;
    if (dice < 150) { /* beside a power of two or half way between two */
        const size_t power = (size_t)8 << below(a, a->bytes < BUDGET ? 18 : 12);
        const size_t near = power + (chance(a, 3) ? power / 2 : 0) + below(a, 20);
        return near < 10 ? 0 : near - 10;
    }
    if (dice < 200) return below(a, 100) * 4096 + (chance(a, 2) ? below(a, 16) : 0);
    if (dice < 500) return below(a, 129);
    if (dice < 750) return below(a, 1200);
    if (dice < 870) return below(a, 9000);
    if (dice < 950) return below(a, 70000);
    if (a->bytes >= BUDGET || dice < 985) return below(a, 700000);
    return below(a, dice < 998 ? 5000000 : 40000000);
}

static size_t any_alignment(actor_t *a)
{
    const size_t dice = below(a, 100);
    return (size_t)1 << (dice < 70 ? below(a, 13) : dice < 95 ? below(a, 18) : below(a, 23));
}

heap_t *any_heap(actor_t *a)
{
    heap_t *const h =
        a->member || chance(a, 2) ? &a->heaps[below(a, HEAPS)] : &shared[below(a, SHARED)];
    return h->heap == NULL || chance(a, 3) ? NULL : h;
}

const heap_t *known_heap(const actor_t *a, const mi_heap_t *heap)
{
    for (size_t i = 0; i < HEAPS; i++)
        if (a->heaps[i].heap == heap) return &a->heaps[i];
    for (size_t i = 0; i < SHARED; i++)
        if (shared[i].heap == heap) return &shared[i];
    return NULL;
}

void take_size(request_t *r, size_t bytes, unsigned flags, actor_t *a)
{
    if ((flags & SMALL) && bytes > MI_SMALL_SIZE_MAX) bytes %= MI_SMALL_SIZE_MAX + 1;
    if (flags & (TEXT | WIDE)) bytes = bytes % (TEXT_BYTES - 4) + 1;
    if (flags & WIDE) bytes = (bytes + 3) / 4 * 4;
    if ((flags & NOT_0) && bytes == 0) bytes = 1;
    static const size_t units[] = {1, 2, 3, 7, 8, 24, 100, 4096};
    r->unit = (flags & COUNT) ? units[below(a, 8)] : bytes;
    r->count = (flags & COUNT) ? bytes / r->unit : 1;
    if ((flags & NOT_0) && r->count == 0) r->count = 1;
    r->bytes = r->count * r->unit;
    if (flags & TEXT) r->text = text + (TEXT_BYTES + 1 - r->bytes);
    if (flags & WIDE) r->wide = wide + (TEXT_BYTES / 4 + 1 - r->bytes / 4);
}

bool any_request(actor_t *a, unsigned flags, request_t *r)
{
    *r = (request_t){.align = 1};
    take_size(r, any_size(a), flags, a);
    if (flags & ALIGN) r->align = any_alignment(a);
    if (flags & OFFSET) r->offset = chance(a, 4) ? any_size(a) : 8 * below(a, 20);
    const heap_t *const h = any_heap(a);
    if (flags & HEAP) r->heap = h != NULL ? h->heap : chance(a, 2) ? a->main : NULL;
    if (flags & THEAP) {
        r->heap = h != NULL ? h->heap : a->main;
        r->theap = mi_heap_theap(r->heap);
        stress_require(r->theap != NULL || may_fail);
        if (r->theap == NULL) return false;
    }
    return true;
}

mi_heap_t *target_of(const actor_t *a, const request_t *r, unsigned flags)
{
    if (!(flags & (HEAP | THEAP))) return a->def;
    return r->heap == NULL ? a->main : r->heap;
}

bool arena_may_be_full(const actor_t *a, const mi_heap_t *target)
{
    const heap_t *const h = known_heap(a, target);
    return h != NULL && h->arena != NULL;
}
