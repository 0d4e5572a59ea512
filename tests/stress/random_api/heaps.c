/* Heaps: they come, end, are shared by all threads, are the default, and are collected. */
#include <errno.h>

#include "live.h"
#include "random_api.h"
#include "stress.h"

heap_t shared[SHARED];

void make_heap(actor_t *a)
{
    heap_t *const h = &a->heaps[below(a, HEAPS)];
    if (h->heap != NULL) return;
    const size_t arena = below(a, ARENAS);
    *h = (heap_t){.dies = chance(a, 2)};
    if (arena < arena_count && !a->member) h->arena = arenas[arena].id;
    errno = OTHER_ERRNO;
    h->heap = mi_heap_new_in_arena(h->arena);
    stress_require(errno == (h->heap != NULL ? OTHER_ERRNO : ENOMEM));
    stress_require(h->heap != NULL || may_fail);
}

void forget_heap(actor_t *b, const heap_t *h)
{
    for (size_t i = 0; i < SLOTS; i++) {
        block_t *const block = &b->blocks[i];
        if (block->p == NULL || block->heap != h->heap || block->foreign) continue;
        block->heap = b->main;
        block->stays = false;
        if (!h->dies) continue;
        leave(b, block);
        block->p = NULL;
    }
    if (b->def == h->heap) b->def = b->main;
}

void end_this_heap(heap_t *h)
{
    errno = OTHER_ERRNO;
    if (h->dies)
        mi_heap_destroy(h->heap);
    else
        mi_heap_delete(h->heap);
    stress_require(errno == OTHER_ERRNO);
    h->heap = NULL;
}

void end_heap(actor_t *a)
{
    heap_t *const h = &a->heaps[below(a, HEAPS)];
    if (h->heap == NULL) return;
    forget_heap(a, h);
    end_this_heap(h);
}

void share_heaps(bool make_them)
{
    for (size_t i = 0; i < SHARED; i++) {
        heap_t *const h = &shared[i];
        if (make_them) {
            *h = (heap_t){mi_heap_new(), NULL, i % 2 == 0};
            stress_require(h->heap != NULL || may_fail);
        } else if (h->heap != NULL) {
            for (size_t k = 0; k < ACTORS; k++) forget_heap(&actors[k], h);
            for (size_t k = 0; k < MAILS; k++) {
                block_t *const b = &mails[k];
                if (b->p == NULL || b->heap != h->heap || b->foreign) continue;
                b->heap = actors[0].main;
                if (!h->dies) continue;
                live_check(b->p, b->filled, b->filled, b->mark);
                live_remove(b->p);
                b->p = NULL;
            }
            end_this_heap(h);
        }
    }
}

void set_default(actor_t *a)
{
    const heap_t *const h = any_heap(a);
    if (a->late || (h != NULL && h->arena != NULL)) return;
    mi_theap_t *const theap = mi_heap_theap(h == NULL ? NULL : h->heap);
    if (theap == NULL) {
        stress_require(may_fail);
        return;
    }
    errno = OTHER_ERRNO;
    mi_theap_t *const before = mi_theap_get_default();
    stress_require(mi_theap_set_default(theap) == before);
    stress_require(mi_theap_get_default() == theap && errno == OTHER_ERRNO);
    stress_require(mi_theap_set_default(NULL) == theap);
    a->def = h == NULL ? a->main : h->heap;
}

void collect(actor_t *a)
{
    const heap_t *const h = any_heap(a);
    errno = OTHER_ERRNO;
    switch (below(a, 8)) {
    case 0:
        mi_collect(true);
        break;
    case 1:
        mi_collect_reduce(below(a, 1000000));
        break;
    case 2:
        mi_heap_collect(h == NULL ? NULL : h->heap, chance(a, 2));
        break;
    case 3:
        mi_theap_collect(mi_theap_get_default(), chance(a, 2));
        break;
    case 4:
        mi_heap_set_numa_affinity(h == NULL ? NULL : h->heap, (int)below(a, 4) - 1);
        break;
    case 5:
        mi_collect(false);
        break;
    default:
        mi_thread_idle();
        break;
    }
    stress_require(errno == OTHER_ERRNO);
}
