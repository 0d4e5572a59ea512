/* The C heap functions of the process: symbol interposition on ELF. In the shared library these win
   by coming first (LD_PRELOAD or link order), in a static program by being linked before the C
   library.

   Pointers that are not ours arrive here too: the dynamic linker hands out memory before we are
   there. Freeing them is ignored (a message with show_errors), their usable size is 0.

   <stdlib.h> is left out on purpose: the attributes of its declarations are not wanted here. */
#include "api/api.h"

/* ---- the two fast paths, inlined once more ---- */

mic_export mic_entry void *malloc(size_t size) { return mic_malloc(size); }

mic_export mic_entry void free(void *p) { mic_free(p); }

/* ---- the rest of C and POSIX ---- */

mic_export void *calloc(size_t count, size_t size) { return mi_calloc(count, size); }

mic_export void *realloc(void *p, size_t newsize) { return mic_realloc(p, newsize, false); }

mic_export void *aligned_alloc(size_t alignment, size_t size)
{
    return mic_alloc_aligned(size, alignment, 0, false);
}

mic_export int posix_memalign(void **p, size_t alignment, size_t size)
{
    return mi_posix_memalign(p, alignment, size);
}

mic_export char *strdup(const char *s) { return mi_strdup(s); }

mic_export char *strndup(const char *s, size_t n) { return mi_strndup(s, n); }

/* C23 */
mic_export void free_sized(void *p, size_t size)
{
    mic_api_free_hinted(p, size, 0, MIC_SAID_REQUEST);
}

mic_export void free_aligned_sized(void *p, size_t alignment, size_t size)
{
    mi_free_size_aligned(p, size, alignment);
}

/* ---- BSD, macOS, old Unix, Windows ---- */

mic_export void *reallocarray(void *p, size_t count, size_t size)
{
    return mi_reallocn(p, count, size);
}

/* weak: programs bring their own */
mic_export __attribute__((weak)) int reallocarr(void *ptrp, size_t count, size_t size)
{
    return mi_reallocarr(ptrp, count, size);
}

mic_export void *reallocf(void *p, size_t newsize) { return mi_reallocf(p, newsize); }

mic_export size_t malloc_size(const void *p) { return mic_usable_size(p); }

mic_export size_t malloc_usable_size(void *p) { return mic_usable_size(p); }

mic_export size_t malloc_good_size(size_t size) { return mic_good_size(size); }

mic_export void *memalign(size_t alignment, size_t size)
{
    return mic_alloc_aligned(size, alignment, 0, false);
}

mic_export void *valloc(size_t size) { return mi_valloc(size); }

mic_export void *pvalloc(size_t size) { return mi_pvalloc(size); }

mic_export void vfree(void *p) { mic_free(p); }

mic_export void cfree(void *p) { mic_free(p); }

mic_export void *_aligned_malloc(size_t alignment, size_t size)
{
    return mic_alloc_aligned(size, alignment, 0, false);
}

/* ---- the names that the C library's own parts and old programs use ---- */

mic_export void *__libc_malloc(size_t size) { return mic_malloc(size); }

mic_export void __libc_free(void *p) { mic_free(p); }

mic_export void __libc_cfree(void *p) { mic_free(p); }

mic_export void *__libc_calloc(size_t count, size_t size) { return mi_calloc(count, size); }

mic_export void *__libc_realloc(void *p, size_t newsize) { return mic_realloc(p, newsize, false); }

mic_export void *__libc_memalign(size_t alignment, size_t size)
{
    return mic_alloc_aligned(size, alignment, 0, false);
}

mic_export void *__libc_valloc(size_t size) { return mi_valloc(size); }

mic_export void *__libc_pvalloc(size_t size) { return mi_pvalloc(size); }

mic_export int __posix_memalign(void **p, size_t alignment, size_t size)
{
    return mi_posix_memalign(p, alignment, size);
}
