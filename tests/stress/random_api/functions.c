/* The table: name, flags, the call with what request `r` holds. */
#include <errno.h>
#include <unistd.h>

#include "functions.h"
#include "stress.h"

#define N r->bytes
#define CU r->count, r->unit
#define A r->align
#define O r->offset
#define H r->heap
#define T r->theap
#define P r->p

#define ALLOC_FUNCTIONS(F)                                                                         \
    F(mi_malloc, 0, (N))                                                                           \
    F(mi_calloc, ZERO | COUNT, (CU))                                                               \
    F(mi_zalloc, ZERO, (N))                                                                        \
    F(mi_malloc_small, SMALL, (N))                                                                 \
    F(mi_zalloc_small, SMALL | ZERO, (N))                                                          \
    F(mi_mallocn, COUNT, (CU))                                                                     \
    F(mi_strdup, TEXT, (r->text))                                                                  \
    F(mi_strndup, TEXT, (r->text, N - 1))                                                          \
    F(mi_mbsdup, TEXT, ((const unsigned char *)r->text))                                           \
    F(mi_wcsdup, WIDE, (r->wide))                                                                  \
    F(mi_malloc_aligned, ALIGN, (N, A))                                                            \
    F(mi_malloc_aligned_at, ALIGN | OFFSET, (N, A, O))                                             \
    F(mi_zalloc_aligned, ZERO | ALIGN, (N, A))                                                     \
    F(mi_zalloc_aligned_at, ZERO | ALIGN | OFFSET, (N, A, O))                                      \
    F(mi_calloc_aligned, ZERO | COUNT | ALIGN, (CU, A))                                            \
    F(mi_calloc_aligned_at, ZERO | COUNT | ALIGN | OFFSET, (CU, A, O))                             \
    F(mi_umalloc, TOLD, (N, &r->told))                                                             \
    F(mi_ucalloc, TOLD | ZERO | COUNT, (CU, &r->told))                                             \
    F(mi_umalloc_aligned, TOLD | ALIGN, (N, A, &r->told))                                          \
    F(mi_uzalloc_aligned, TOLD | ZERO | ALIGN, (N, A, &r->told))                                   \
    F(mi_umalloc_small, TOLD | SMALL, (N, &r->told))                                               \
    F(mi_uzalloc_small, TOLD | ZERO | SMALL, (N, &r->told))                                        \
    F(mi_memalign, ALIGN, (A, N))                                                                  \
    F(mi_aligned_alloc, ALIGN, (A, N))                                                             \
    F(call_posix_memalign, ALIGN | NO_ERRNO, (r))                                                  \
    F(mi_valloc, PAGE, (N))                                                                        \
    F(call_pvalloc, PAGE, (r))                                                                     \
    F(mi_new, NEW, (N))                                                                            \
    F(mi_new_aligned, NEW | ALIGN, (N, A))                                                         \
    F(mi_new_nothrow, NO_ERRNO, (N))                                                               \
    F(mi_new_aligned_nothrow, NO_ERRNO | ALIGN, (N, A))                                            \
    F(mi_new_n, NEW | COUNT, (CU))                                                                 \
    F(mi_heap_alloc_new, NEW | HEAP, (H, N))                                                       \
    F(mi_heap_alloc_new_n, NEW | HEAP | COUNT, (H, CU))                                            \
    F(mi_heap_malloc, HEAP, (H, N))                                                                \
    F(mi_heap_zalloc, HEAP | ZERO, (H, N))                                                         \
    F(mi_heap_calloc, HEAP | ZERO | COUNT, (H, CU))                                                \
    F(mi_heap_mallocn, HEAP | COUNT, (H, CU))                                                      \
    F(mi_heap_malloc_small, HEAP | SMALL, (H, N))                                                  \
    F(mi_heap_zalloc_small, HEAP | SMALL | ZERO, (H, N))                                           \
    F(mi_heap_strdup, HEAP | TEXT, (H, r->text))                                                   \
    F(mi_heap_strndup, HEAP | TEXT, (H, r->text, N - 1))                                           \
    F(mi_heap_malloc_aligned, HEAP | ALIGN, (H, N, A))                                             \
    F(mi_heap_malloc_aligned_at, HEAP | ALIGN | OFFSET, (H, N, A, O))                              \
    F(mi_heap_zalloc_aligned, HEAP | ZERO | ALIGN, (H, N, A))                                      \
    F(mi_heap_zalloc_aligned_at, HEAP | ZERO | ALIGN | OFFSET, (H, N, A, O))                       \
    F(mi_heap_calloc_aligned, HEAP | ZERO | COUNT | ALIGN, (H, CU, A))                             \
    F(mi_heap_calloc_aligned_at, HEAP | ZERO | COUNT | ALIGN | OFFSET, (H, CU, A, O))              \
    F(mi_theap_malloc, THEAP, (T, N))                                                              \
    F(mi_theap_zalloc, THEAP | ZERO, (T, N))                                                       \
    F(mi_theap_calloc, THEAP | ZERO | COUNT, (T, CU))                                              \
    F(mi_theap_malloc_small, THEAP | SMALL, (T, N))                                                \
    F(mi_theap_zalloc_small, THEAP | SMALL | ZERO, (T, N))                                         \
    F(mi_theap_malloc_aligned, THEAP | ALIGN, (T, N, A))

#define RESIZE_FUNCTIONS(F)                                                                        \
    F(mi_realloc, 0, (P, N))                                                                       \
    F(mi_reallocn, COUNT, (P, CU))                                                                 \
    F(mi_reallocf, FREES, (P, N))                                                                  \
    F(mi_reallocarray, COUNT, (P, CU))                                                             \
    F(call_reallocarr, COUNT | NOT_0, (r))                                                         \
    F(call_realloc_if_owned, NOT_0, (r))                                                           \
    F(mi_urealloc, TOLD, (P, N, NULL, &r->told))                                                   \
    F(mi_new_realloc, NEW, (P, N))                                                                 \
    F(mi_new_reallocn, NEW | COUNT, (P, CU))                                                       \
    F(mi_realloc_aligned, ALIGN, (P, N, A))                                                        \
    F(mi_realloc_aligned_at, ALIGN | OFFSET, (P, N, A, O))                                         \
    F(mi_rezalloc, ZERO, (P, N))                                                                   \
    F(mi_recalloc, ZERO | COUNT, (P, CU))                                                          \
    F(mi_rezalloc_aligned, ZERO | ALIGN, (P, N, A))                                                \
    F(mi_rezalloc_aligned_at, ZERO | ALIGN | OFFSET, (P, N, A, O))                                 \
    F(mi_recalloc_aligned, ZERO | COUNT | ALIGN, (P, CU, A))                                       \
    F(mi_recalloc_aligned_at, ZERO | COUNT | ALIGN | OFFSET, (P, CU, A, O))                        \
    F(mi_aligned_recalloc, ZERO | COUNT | ALIGN, (P, CU, A))                                       \
    F(mi_aligned_offset_recalloc, ZERO | COUNT | ALIGN | OFFSET, (P, CU, A, O))                    \
    F(mi_heap_realloc, HEAP, (H, P, N))                                                            \
    F(mi_heap_reallocn, HEAP | COUNT, (H, P, CU))                                                  \
    F(mi_heap_reallocf, HEAP | FREES, (H, P, N))                                                   \
    F(mi_heap_realloc_aligned, HEAP | ALIGN, (H, P, N, A))                                         \
    F(mi_heap_realloc_aligned_at, HEAP | ALIGN | OFFSET, (H, P, N, A, O))                          \
    F(mi_heap_rezalloc, HEAP | ZERO, (H, P, N))                                                    \
    F(mi_heap_recalloc, HEAP | ZERO | COUNT, (H, P, CU))                                           \
    F(mi_heap_rezalloc_aligned, HEAP | ZERO | ALIGN, (H, P, N, A))                                 \
    F(mi_heap_rezalloc_aligned_at, HEAP | ZERO | ALIGN | OFFSET, (H, P, N, A, O))                  \
    F(mi_heap_recalloc_aligned, HEAP | ZERO | COUNT | ALIGN, (H, P, CU, A))                        \
    F(mi_heap_recalloc_aligned_at, HEAP | ZERO | COUNT | ALIGN | OFFSET, (H, P, CU, A, O))         \
    F(mi_theap_realloc, THEAP, (T, P, N))

static void *call_posix_memalign(request_t *r)
{
    void *p = r;
    const int error = mi_posix_memalign(&p, r->align < sizeof p ? sizeof p : r->align, r->bytes);
    if (error == 0) return p;
    stress_require(p == r && (error == ENOMEM || error == EINVAL));
    errno = error;
    return NULL;
}

static void *call_reallocarr(request_t *r)
{
    void *p = r->p;
    const int error = mi_reallocarr(&p, r->count, r->unit);
    if (error == 0) return p;
    stress_require(error == errno && p == r->p);
    if (error == EOVERFLOW) errno = ENOMEM;
    return NULL;
}

static void *call_realloc_if_owned(request_t *r)
{
    void *p = r;
    if (r->p == NULL) return mi_malloc(r->bytes);
    stress_require(mi_realloc_if_owned(r->p, r->bytes, &p) && p != r);
    return p;
}

static void *call_pvalloc(request_t *r)
{
    void *const p = mi_pvalloc(r->bytes);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (p != NULL) r->bytes = (r->bytes + page - 1) / page * page;
    return p;
}

#define DEFINE(name, flags, args)                                                                  \
    static void *do_##name(request_t *r) { return name args; }
#define ROW(name, flags, args) {#name, flags, do_##name},
ALLOC_FUNCTIONS(DEFINE)
RESIZE_FUNCTIONS(DEFINE)
const function_t alloc_functions[] = {ALLOC_FUNCTIONS(ROW)};
const function_t resize_functions[] = {RESIZE_FUNCTIONS(ROW)};
const size_t alloc_count = sizeof alloc_functions / sizeof *alloc_functions;
const size_t resize_count = sizeof resize_functions / sizeof *resize_functions;

bool is_posix_memalign(const function_t *f) { return f->call == do_call_posix_memalign; }
