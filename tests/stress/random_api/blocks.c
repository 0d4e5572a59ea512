/* Single blocks: they come, change, go, and are handed to other threads. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "live.h"
#include "random_api.h"
#include "stress.h"

block_t mails[MAILS];
static pthread_mutex_t mails_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint next_mark = 1;
static _Thread_local void *stash[STASH]; /* freed by the deferred function */

/* ---- blocks come ---- */

static void check_alignment(const unsigned char *p, const request_t *r, unsigned flags, bool fresh)
{
    const uintptr_t at = (uintptr_t)p;
    if (flags & OFFSET) {
        stress_require((at + r->offset) % r->align == 0);
        return;
    }
    stress_require(at % r->align == 0);
    if (flags & PAGE) stress_require(at % (size_t)sysconf(_SC_PAGESIZE) == 0);
    if (precise || (flags & (TEXT | WIDE))) return;
    stress_require(at % 16 == 0);
    if (!fresh || CFG_BITS || r->bytes == 0) return;
    if (r->bytes <= 4096 && (r->bytes & (r->bytes - 1)) == 0) stress_require(at % r->bytes == 0);
    if (r->bytes % 4096 == 0) stress_require(at % 4096 == 0);
}

/* fresh: not one that a deleted heap left to the main heap, which stays in its arena */
static void check_place(const actor_t *a, const void *p, mi_heap_t *heap, bool fresh)
{
    stress_require(mi_heap_of(p) == heap);
    stress_require(mi_heap_contains(heap, p) && mi_any_heap_contains(p));
    const heap_t *const h = known_heap(a, heap);
    for (size_t i = 0; i < arena_count; i++) {
        const bool in = mi_arena_contains(arenas[i].id, p);
        if (h != NULL && h->arena == arenas[i].id) stress_require(in);
        if (fresh && arenas[i].exclusive && (h == NULL || h->arena != arenas[i].id))
            stress_require(!in);
    }
}

/* p is what r asked for; old: what was resized to it. */
static void arrive(actor_t *a, block_t *b, void *p, const request_t *r, unsigned flags,
                   const block_t *old)
{
    const size_t usable = mi_usable_size(p);
    mi_heap_t *const heap = target_of(a, r, flags);
    const heap_t *const h = known_heap(a, heap);
    stress_require(usable >= r->bytes);
    if (flags & TOLD) stress_require(r->told == usable);
    check_alignment(p, r, flags, old == NULL);
    check_place(a, p, heap, old == NULL);
    live_add(p, usable == 0 ? 1 : usable);
    *b = (block_t){.p = p,
                   .size = r->bytes,
                   .align = (flags & OFFSET) ? 1
                            : (flags & PAGE) ? (size_t)sysconf(_SC_PAGESIZE)
                                             : r->align,
                   .heap = heap,
                   .mark = old != NULL ? old->mark : atomic_fetch_add(&next_mark, 1),
                   .zero = (flags & ZERO) && (old == NULL || old->zero),
                   .small = (flags & SMALL) != 0,
                   .offset = (flags & OFFSET) != 0,
                   .stays = h != NULL && h->dies && h >= a->heaps && h < a->heaps + HEAPS};
    b->filled = b->zero ? b->size : usable;
    b->had = old != NULL && old->had > b->size ? old->had : b->size;
    if (old == NULL && b->zero) live_check_zero(p, 0, b->size);
    if (old != NULL && b->zero) {
        live_check_zero(p, old->had, b->size);
        live_check_zero_or_kept(p, old->size, old->had < b->size ? old->had : b->size, old->mark);
    }
    live_fill(p, b->filled, b->mark);
    a->bytes += b->size;
}

static void check_text(const void *p, const request_t *r, unsigned flags)
{
    if (flags & TEXT) stress_require(memcmp(p, r->text, r->bytes) == 0);
    if (flags & WIDE) stress_require(memcmp(p, r->wide, r->bytes) == 0);
}

static void *call(const function_t *f, request_t *r)
{
    errno = OTHER_ERRNO;
    void *const p = f->call(r);
    const int error = errno;
    if (p != NULL)
        stress_require(error == OTHER_ERRNO || (f->flags & (NEW | NO_ERRNO)));
    else
        stress_require(error == ENOMEM || (f->flags & NO_ERRNO));
    return p;
}

void make(actor_t *a, block_t *b)
{
    request_t r;
    size_t i = chance(a, 3) ? 0 : below(a, alloc_count);
    const function_t *f = &alloc_functions[i];
    if (chance(a, 30)) { /* resizing nothing */
        i = below(a, resize_count);
        f = &resize_functions[i];
        i += alloc_count;
    }
    if ((f->flags & NEW) && may_fail) return;
    if (!any_request(a, f->flags, &r)) return;
    if ((f->flags & NEW) && arena_may_be_full(a, target_of(a, &r, f->flags))) return;
    counted(i);
    void *const p = call(f, &r);
    if (p == NULL) {
        stress_require(may_fail || arena_may_be_full(a, target_of(a, &r, f->flags)));
        return;
    }
    check_text(p, &r, f->flags);
    arrive(a, b, p, &r, f->flags & (i >= alloc_count && r.bytes == 0 ? ~(unsigned)ZERO : ~0u),
           NULL);
}

/* ---- blocks change ---- */

void leave(actor_t *a, block_t *b)
{
    live_check(b->p, b->filled, b->filled, b->mark);
    live_remove(b->p);
    a->bytes -= b->size;
}

void return_unchanged(actor_t *a, const block_t *b)
{
    const size_t usable = mi_usable_size(b->p);
    live_check(b->p, b->filled, b->filled, b->mark);
    live_add(b->p, usable == 0 ? 1 : usable);
    a->bytes += b->size;
}

void resize(actor_t *a, block_t *b)
{
    request_t r;
    const block_t old = *b;
    const size_t zeroing = old.zero && !chance(a, 4) ? 100 : 1; /* what keeps them is likelier */
    size_t i = chance(a, 3) ? 0 : below(a, resize_count);
    for (size_t n = 0; n < zeroing && !(resize_functions[i].flags & ZERO); n++)
        if (zeroing > 1) i = below(a, resize_count);
    const function_t *const f = &resize_functions[i];
    if ((f->flags & NEW) && may_fail) return;
    if (!any_request(a, f->flags, &r)) return;
    if ((f->flags & NEW) && arena_may_be_full(a, target_of(a, &r, f->flags))) return;
    if (chance(a, 3)) take_size(&r, old.size + below(a, old.size / 4 + 64), f->flags, a);
    if (chance(a, 8)) take_size(&r, old.size - old.size / 8, f->flags, a);
    r.p = old.p;
    counted(alloc_count + i);
    leave(a, b);
    void *const p = call(f, &r);
    if (p == NULL) {
        stress_require(may_fail || arena_may_be_full(a, target_of(a, &r, f->flags)));
        if (f->flags & FREES)
            b->p = NULL;
        else
            return_unchanged(a, b);
        return;
    }
    if (r.bytes == 0)
        stress_require(*(char *)p == 0);
    else
        live_check(p, old.filled, r.bytes, old.mark);
    arrive(a, b, p, &r, f->flags, &old);
}

void expand(actor_t *a, block_t *b)
{
    const size_t usable = mi_usable_size(b->p);
    const size_t bytes = chance(a, 2) ? usable + below(a, 3) - 1 : any_size(a);
    errno = OTHER_ERRNO;
    const void *const p = chance(a, 2) ? mi_expand(b->p, bytes) : mi__expand(b->p, bytes);
    stress_require(p == (bytes <= usable ? b->p : NULL));
    stress_require(errno == (p != NULL ? OTHER_ERRNO : ENOMEM));
}

void look(actor_t *a, block_t *b)
{
    live_check(b->p, b->filled, b->filled, b->mark);
    const size_t usable = mi_usable_size(b->p);
    stress_require(usable >= b->size && mi_malloc_size(b->p) == usable);
    stress_require(mi_malloc_usable_size(b->p) == usable);
    stress_require(
        mi_is_in_heap_region(b->p + below(a, usable + 1) % (usable + 1 - (usable != 0))));
    stress_require(mi_check_owned(b->p));
    if (b->foreign) return;
    check_place(a, b->p, b->heap, false);
    if (alone && mi_unsafe_heap_page_is_under_utilized(b->heap, b->p, below(a, 101)))
        stress_require(mi_heap_contains(b->heap, b->p));
    for (size_t i = 0; i < HEAPS; i++)
        if (a->heaps[i].heap != NULL && a->heaps[i].heap != b->heap)
            stress_require(!mi_heap_contains(a->heaps[i].heap, b->p));
}

/* ---- blocks go ---- */

static void free_any_way(actor_t *a, const block_t *b)
{
    void *p = b->p;
    size_t told;
    const size_t usable = mi_usable_size(p);
    switch (below(a, 16)) {
    case 0:
        mi_cfree(p);
        return;
    case 1:
        mi_free_size(p, b->size);
        return;
    case 2:
        if (!b->offset) break;
        mi_free_aligned(p, b->align);
        return;
    case 3:
    case 4:
        if (b->offset) break;
        mi_free_size_aligned(p, b->size, b->align);
        return;
    case 5:
        mi_ufree(p, &told);
        stress_require(told == usable);
        return;
    case 6:
        stress_require(mi_free_if_owned(p));
        return;
    case 7:
        stress_require(mi_reallocarr(&p, 0, 1) == 0 && p == NULL);
        return;
    case 8:
        if (b->stays || b->foreign) break;
        told = below(a, STASH);
        p = stash[told];
        stash[told] = b->p;
        mi_free(p);
        return;
    case 9:
        if (!b->small) break;
        mi_free_small(p);
        return;
    default:
        break;
    }
    mi_free(p);
}

void drop(actor_t *a, block_t *b)
{
    leave(a, b);
    errno = OTHER_ERRNO;
    free_any_way(a, b);
    stress_require(errno == OTHER_ERRNO);
    b->p = NULL;
}

void free_stash_from(size_t first)
{
    for (size_t i = first; i < STASH; i++) {
        void *const p = stash[i];
        stash[i] = NULL;
        mi_free(p);
    }
}

void free_stash(void) { free_stash_from(0); }

/* ---- blocks of others ---- */

void mail(actor_t *a)
{
    block_t *const b = &a->blocks[below(a, SLOTS)];
    block_t mine = *b;
    if (a->member || mine.stays) return;
    if (mine.p != NULL) {
        const heap_t *const h = known_heap(a, mine.heap);
        if (h != NULL && h >= a->heaps && h < a->heaps + HEAPS) mine.foreign = true;
        a->bytes -= mine.size;
    }
    pthread_mutex_lock(&mails_lock);
    block_t *const there = &mails[below(a, MAILS)];
    *b = *there;
    *there = mine;
    pthread_mutex_unlock(&mails_lock);
    if (b->p != NULL) a->bytes += b->size;
}

static void *free_in_thread(void *arg)
{
    block_t *const b = arg;
    live_check(b->p, b->filled, b->filled, b->mark);
    live_remove(b->p);
    mi_free(b->p); /* perhaps all that this thread ever does here */
    return NULL;
}

void free_elsewhere(actor_t *a)
{
    block_t *const b = &a->blocks[below(a, SLOTS)];
    pthread_t t;
    if (b->p == NULL || in_child) return;
    if (pthread_create(&t, NULL, free_in_thread, b) != 0) {
        stress_require(may_fail);
        return;
    }
    pthread_join(t, NULL);
    a->bytes -= b->size;
    b->p = NULL;
}

void drop_mails(void)
{
    for (size_t i = 0; i < MAILS; i++) {
        if (mails[i].p != NULL) free_in_thread(&mails[i]);
        mails[i].p = NULL;
    }
}
