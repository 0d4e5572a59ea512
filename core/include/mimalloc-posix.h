/** @file mimalloc-posix.h
    The functions that other C libraries have beside the standard ones, and what C++ needs; included
    by mimalloc.h, whose general rules hold here. */
#ifndef MIMALLOC_POSIX_H
#define MIMALLOC_POSIX_H

#include <wchar.h>

#include "mimalloc-types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name POSIX, BSD and others
    @{ */

/** mi_free() that silently ignores what is not a block of this library. */
mi_decl_export void mi_cfree(void *p) mi_attr_noexcept;
/** mi_expand() under its Windows name: NULL with ENOMEM when the block is too small. */
mi_decl_export void *mi__expand(void *p, size_t newsize) mi_attr_noexcept;
/** mi_usable_size() under its macOS name. */
mi_decl_nodiscard mi_decl_export size_t mi_malloc_size(const void *p) mi_attr_noexcept;
/** mi_good_size() under its macOS name. */
mi_decl_nodiscard mi_decl_export size_t mi_malloc_good_size(size_t size) mi_attr_noexcept;
/** mi_usable_size() under its glibc name. */
mi_decl_nodiscard mi_decl_export size_t mi_malloc_usable_size(const void *p) mi_attr_noexcept;

/** Allocates size bytes at a multiple of alignment; never touches errno.
    @param p         out: the block; untouched on failure
    @param alignment a power of two and a multiple of sizeof(void*)
    @param size      bytes
    @return 0; EINVAL if p is NULL or alignment is not as said; ENOMEM */
mi_decl_export int mi_posix_memalign(void **p, size_t alignment, size_t size) mi_attr_noexcept;
/** mi_malloc_aligned() with the arguments the other way round.
    @return the block; NULL with ENOMEM, or with EINVAL if alignment is not a power of two */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_memalign(size_t alignment, size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2)
    mi_attr_alloc_align(1);
/** Allocates size bytes at the start of an OS page. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_valloc(size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
/** Allocates whole OS pages, enough for size bytes. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_pvalloc(size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
/** mi_memalign() under its C11 name; size need not be a multiple of alignment. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_aligned_alloc(size_t alignment, size_t size) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(2) mi_attr_alloc_align(1);

/** mi_reallocn() under its BSD name. */
mi_decl_nodiscard mi_decl_export void *mi_reallocarray(void *p, size_t count,
                                                       size_t size) mi_attr_noexcept
    mi_attr_alloc_size2(2, 3);
/** Resizes the block whose address is stored at ptrp, and stores the new address there.
    @param ptrp  address of a pointer to the block; the pointer may be NULL
    @param count with count 0 the block is freed and NULL is stored
    @param size  bytes of one element
    @return 0, or an error that errno is set to as well, the block being unchanged: EINVAL if ptrp
            is NULL or size is 0, EOVERFLOW if count times size overflows, ENOMEM */
mi_decl_nodiscard mi_decl_export int mi_reallocarr(void *ptrp, size_t count,
                                                   size_t size) mi_attr_noexcept;
/** mi_recalloc_aligned() under its Windows name. */
mi_decl_nodiscard mi_decl_export void *mi_aligned_recalloc(void *p, size_t newcount, size_t size,
                                                           size_t alignment) mi_attr_noexcept
    mi_attr_alloc_size2(2, 3) mi_attr_alloc_align(4);
/** mi_recalloc_aligned_at() under its Windows name. */
mi_decl_nodiscard mi_decl_export void *mi_aligned_offset_recalloc(void *p, size_t newcount,
                                                                  size_t size, size_t alignment,
                                                                  size_t offset) mi_attr_noexcept
    mi_attr_alloc_size2(2, 3);

/** mi_free() for callers who know the size the block was asked for. Debug and secure builds report
    a size that it does not have room for (EINVAL), and free the block all the same. */
mi_decl_export void mi_free_size(void *p, size_t size) mi_attr_noexcept;
/** mi_free() for callers who know size and alignment. Debug and secure builds report what cannot
    be (EINVAL), and free the block all the same. */
mi_decl_export void mi_free_size_aligned(void *p, size_t size, size_t alignment) mi_attr_noexcept;
/** mi_free() for callers who know the alignment. Debug and secure builds report an address that is
    not aligned so (EINVAL), and free the block all the same. */
mi_decl_export void mi_free_aligned(void *p, size_t alignment) mi_attr_noexcept;
/** @} */

/** @name Strings
    @{ */

/** Copies the value of an environment variable into a block.
    @param buf  out: the copy; NULL if the variable is not set or the call fails
    @param size out: bytes of the copy with its NUL, 0 if there is none; may be NULL
    @param name of the variable
    @return 0; EINVAL if buf or name is NULL; ENOMEM. Leaves errno alone. Must not run while another
            thread changes the environment. */
mi_decl_export int mi_dupenv_s(char **buf, size_t *size, const char *name) mi_attr_noexcept;
/** mi_dupenv_s() for wide strings, which only Windows has in its environment.
    @return EINVAL; `*buf` is NULL and `*size` is 0 */
mi_decl_export int mi_wdupenv_s(wchar_t **buf, size_t *size, const wchar_t *name) mi_attr_noexcept;
/** Copies a wide string into a block. @return the copy; NULL if s is NULL; NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict wchar_t *
mi_wcsdup(const wchar_t *s) mi_attr_noexcept mi_attr_malloc;
/** Copies a multi-byte string into a block. @return the copy; NULL if s is NULL or with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict unsigned char *
mi_mbsdup(const unsigned char *s) mi_attr_noexcept mi_attr_malloc;
/** @} */

/** @name C++
    What operator new does, for C and C++. When there is no memory the handler of
    std::set_new_handler is called and the request tried again; without a handler std::bad_alloc is
    thrown. In a process without a C++ runtime the failure is reported and the process aborts. These
    functions do not set errno to anything in particular. @{ */

/** operator new. @return the block, never NULL */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *mi_new(size_t size) mi_attr_malloc
    mi_attr_alloc_size(1);
/** operator new with an alignment, a power of two. @return the block, never NULL */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_new_aligned(size_t size, size_t alignment) mi_attr_malloc mi_attr_alloc_size(1)
    mi_attr_alloc_align(2);
/** operator new(std::nothrow). The handler must not throw. @return the block, or NULL */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_new_nothrow(size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
/** mi_new_aligned() that returns NULL instead of throwing. The handler must not throw. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_new_aligned_nothrow(size_t size, size_t alignment) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(1) mi_attr_alloc_align(2);
/** mi_new() of count times size bytes. On overflow the handler is called once, then it throws. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *mi_new_n(size_t count,
                                                                 size_t size) mi_attr_malloc
    mi_attr_alloc_size2(1, 2);
/** mi_realloc() that fails as mi_new() does. @return the block, never NULL */
mi_decl_nodiscard mi_decl_export void *mi_new_realloc(void *p, size_t newsize)
    mi_attr_alloc_size(2);
/** mi_new_realloc() to newcount times size bytes; overflow as in mi_new_n(). */
mi_decl_nodiscard mi_decl_export void *mi_new_reallocn(void *p, size_t newcount, size_t size)
    mi_attr_alloc_size2(2, 3);
/** @} */

#ifdef __cplusplus
}
#endif

#endif
