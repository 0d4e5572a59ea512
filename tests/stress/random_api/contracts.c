/* Calls that must fail, and questions about anything: what the contracts say of impossible
   arguments, of addresses that are nobody's, and of names. */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "random_api.h"
#include "stress.h"

_Thread_local bool expects_error;

static const size_t impossible[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX,       SIZE_MAX - 8,
                                    SIZE_MAX - 4096,         PTRDIFF_MAX,    (size_t)1 << 62,
                                    SIZE_MAX - 70000,        (size_t)5 << 40};

void ask_too_much(actor_t *a)
{
    request_t r;
    block_t *const b = &a->blocks[below(a, SLOTS)];
    const bool old = b->p != NULL && !b->foreign && chance(a, 2);
    const function_t *const f =
        old ? &resize_functions[below(a, resize_count)] : &alloc_functions[below(a, alloc_count)];
    if ((f->flags & (NEW | TEXT | WIDE)) || !any_request(a, f->flags, &r)) return;
    r.bytes = impossible[below(a, sizeof impossible / sizeof *impossible)];
    if ((f->flags & ALIGN) && chance(a, 2)) {
        r.align = (size_t)1 << (48 + below(a, 16));
        r.bytes = below(a, 1000) + 1;
    } else if ((f->flags & OFFSET) && chance(a, 2)) {
        r.offset = SIZE_MAX - below(a, 100);
    }
    r.unit = chance(a, 2) ? 1 : below(a, 1000) + 1;
    r.count = r.unit == 1 ? r.bytes : r.bytes / r.unit + 1;
    const int expected = (f->flags & ALIGN) && chance(a, 4) ? EINVAL : ENOMEM;
    if (expected == EINVAL) {
        static const size_t bad[] = {0, 3, 24, 4097, SIZE_MAX, (size_t)3 << 40};
        r.align = bad[below(a, 6)];
        if (is_posix_memalign(f) && r.align == 0) r.align = 3 * sizeof(void *);
        if (r.bytes > 5000) r.bytes = r.unit = 100;
        r.count = 1;
        if (is_posix_memalign(f) && r.align < sizeof(void *)) r.align = 24;
    }
    r.p = old ? b->p : NULL;
    if (old) leave(a, b);
    errno = OTHER_ERRNO;
    expects_error = true;
    stress_require(f->call(&r) == NULL);
    expects_error = false;
    stress_require(errno == expected || (f->flags & NO_ERRNO));
    if (f->flags & TOLD) stress_require(r.told == 0);
    if (!old) return;
    if (f->flags & FREES)
        b->p = NULL;
    else
        return_unchanged(a, b);
}

void ask_about_anything(actor_t *a)
{
    int local = 0;
    void *result = NULL, *const foreign = malloc(1); /* of the C library */
    uintptr_t address = (uintptr_t)stress_next(&a->r) >> below(a, 64);
    switch (below(a, 4)) {
    case 0:
        address = (uintptr_t)&local;
        break;
    case 1:
        address = (uintptr_t)foreign;
        break;
    case 2:
        address = (uintptr_t)actors + below(a, sizeof actors);
        break;
    default:
        break;
    }
    void *const p = (void *)address;
    errno = OTHER_ERRNO;
    const bool ours = mi_is_in_heap_region(p);
    const bool in_heap = mi_any_heap_contains(p);
    if (alone) stress_require(mi_check_owned(p) == in_heap && (mi_heap_of(p) != NULL) == in_heap);
    if (alone && !a->member && mi_heap_contains(NULL, p)) stress_require(in_heap);
    if (!ours && ((uintptr_t)p >> 47) == 0) {
        if (!CFG_BITS) stress_require(mi_usable_size(p) == 0 && mi_malloc_usable_size(p) == 0);
        stress_require(mi_heap_of(p) == NULL && !mi_free_if_owned(p));
        stress_require(!mi_realloc_if_owned(p, 10, &result) && result == NULL);
        mi_cfree(p);
    }
    stress_require(errno == OTHER_ERRNO);
    free(foreign);
}

void ask_good_size(actor_t *a)
{
    const size_t bytes = any_size(a), good = mi_good_size(bytes);
    stress_require(good >= bytes && mi_malloc_good_size(bytes) == good);
    stress_require(mi_good_size(good) == good);
    if (guarded || may_fail) return;
    void *const p = mi_heap_malloc(NULL, bytes);
    stress_require(p != NULL && mi_usable_size(p) == good);
    mi_free(p);
}

void copy_names(actor_t *a)
{
    char *copy = NULL, path[PATH_MAX];
    size_t size = 1;
    const heap_t *const h = any_heap(a);
    if (may_fail || (h != NULL && h->arena != NULL)) return;
    mi_heap_t *const heap = h == NULL ? NULL : h->heap;
    errno = OTHER_ERRNO;
    stress_require(mi_dupenv_s(&copy, &size, "MI_TEST_RANDOM_API") == 0 && errno == OTHER_ERRNO);
    stress_require(copy != NULL && strcmp(copy, "here") == 0 && size == 5);
    mi_free(copy);
    stress_require(mi_dupenv_s(&copy, &size, "MI_TEST_NOT_SET") == 0 && copy == NULL && size == 0);
    copy = chance(a, 2) ? mi_realpath("/proc/../", NULL) : mi_heap_realpath(heap, "/proc/..", NULL);
    stress_require(copy != NULL && strcmp(copy, "/") == 0);
    mi_free(copy);
    stress_require(mi_heap_realpath(heap, "/", path) == path && path[1] == 0);
    stress_require(mi_realpath("/nothing/there", NULL) == NULL && errno == ENOENT);
    stress_require(mi_strdup(NULL) == NULL && mi_heap_strndup(heap, NULL, 3) == NULL);
}
