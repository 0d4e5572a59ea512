/** @file mimalloc.h
    A memory allocator: the C interface.

    Rules for every function, unless its own text says otherwise:
    - Sizes, alignments and offsets are in bytes.
    - Any thread may call it, at any time, and may free or resize a block of any other thread.
    - A function that returns memory returns NULL and sets errno to ENOMEM when there is none, when
      a size is over PTRDIFF_MAX, or when count times size overflows. It does not touch errno when
      it succeeds. Freeing never touches errno.
    - A request of 0 bytes yields a block of its own, as small as blocks come.
    - Every block is aligned to 16 bytes; a block of a power of two up to 4 KiB, to its size; a
      multiple of 4 KiB, to 4 KiB. (Builds with canaries, secure and debug: always 16.)
    - When resizing fails the old block stays as it was.
    - The cost does not depend on the size, except where memory is zeroed or copied.

    mimalloc-ext.h has what other versions of this interface do not have. */
#ifndef MIMALLOC_H
#define MIMALLOC_H

#include "mimalloc-types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name The standard functions
    @{ */

/** Allocates memory that is not initialised.
    @param size bytes
    @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_malloc(size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);

/** Allocates count times size bytes that read as zero.
    @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_calloc(size_t count, size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(1, 2);

/** Resizes a block; it may move. Contents are kept up to the smaller of the two sizes.
    @param p       a block, or NULL: then the same as mi_malloc()
    @param newsize bytes; 0 yields a minimal block whose first byte is zero, and p is freed
    @return the block; NULL with ENOMEM, or with EINVAL if p is not a block of this library */
mi_decl_nodiscard mi_decl_export void *mi_realloc(void *p, size_t newsize) mi_attr_noexcept
    mi_attr_alloc_size(2);

/** Tells whether a block can hold newsize bytes where it is, and makes it so if it can.
    @return p, or NULL with ENOMEM: nothing changed */
mi_decl_nodiscard mi_decl_export void *mi_expand(void *p, size_t newsize) mi_attr_noexcept
    mi_attr_alloc_size(2);

/** Frees a block.
    @param p a block, or NULL. An address that is in no page of this library is reported to
             mi_register_error() (EINVAL) and ignored; so is, where the slow path sees it, a pointer
             into a block (EINVAL) or a block freed before (EAGAIN). The release build's fast path,
             a free by the thread that owns the page, does not look for the latter two. */
mi_decl_export void mi_free(void *p) mi_attr_noexcept;

/** Copies a string into a block. @param s the string, or NULL
    @return the copy; NULL if s is NULL; NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict char *
mi_strdup(const char *s) mi_attr_noexcept mi_attr_malloc;

/** Copies at most n bytes of a string into a block and adds a NUL.
    @return the copy; NULL if s is NULL; NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict char *
mi_strndup(const char *s, size_t n) mi_attr_noexcept mi_attr_malloc;

/** The absolute path of a file, without symbolic links.
    @param fname         a path
    @param resolved_name PATH_MAX bytes for the result, or NULL: then the result is a block
    @return the result; NULL with ENOMEM or what realpath() of the C library sets */
mi_decl_nodiscard mi_decl_export char *mi_realpath(const char *fname,
                                                   char *resolved_name) mi_attr_noexcept;
/** @} */

/** @name More ways to allocate
    @{ */

/** mi_malloc() for sizes up to MI_SMALL_SIZE_MAX; larger ones work, with no gain. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_malloc_small(size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);

/** mi_zalloc() for sizes up to MI_SMALL_SIZE_MAX; larger ones work, with no gain. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_zalloc_small(size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);

/** Allocates size bytes that read as zero. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_zalloc(size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);

/** Allocates count times size bytes, not initialised. @return the block, or NULL with ENOMEM */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_mallocn(size_t count, size_t size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(1, 2);

/** mi_realloc() to count times size bytes. */
mi_decl_nodiscard mi_decl_export void *mi_reallocn(void *p, size_t count,
                                                   size_t size) mi_attr_noexcept
    mi_attr_alloc_size2(2, 3);

/** mi_realloc() that frees p when it fails. */
mi_decl_nodiscard mi_decl_export void *mi_reallocf(void *p, size_t newsize) mi_attr_noexcept
    mi_attr_alloc_size(2);

/** Bytes of a block that the program may use, at least as many as it asked for.
    @param p a block, or NULL
    @return bytes; 0 for NULL and for what is not a block of this library, which debug and secure
            builds report (EINVAL) */
mi_decl_nodiscard mi_decl_export size_t mi_usable_size(const void *p) mi_attr_noexcept;

/** What mi_usable_size() of a new block for a request would be; size itself if it is impossible. */
mi_decl_nodiscard mi_decl_export size_t mi_good_size(size_t size) mi_attr_noexcept;

/** mi_free() for a block of one of the `_small` functions. */
mi_decl_export void mi_free_small(void *p) mi_attr_noexcept;
/** @} */

/** @name Alignment
    `alignment` is a power of two; anything else yields NULL with EINVAL. It may be larger than the
    size, and the size need not be a multiple. For the `_at` functions the address `offset` bytes
    into the block is the aligned one; offset may lie behind the end. Blocks are freed and resized
    like any other; only the functions below keep the alignment. @{ */

/** Allocates size bytes at a multiple of alignment. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_malloc_aligned(size_t size, size_t alignment) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(1) mi_attr_alloc_align(2);
/** Allocates size bytes such that block + offset is aligned. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_malloc_aligned_at(size_t size, size_t alignment, size_t offset) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(1);
/** mi_malloc_aligned() that zeroes. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_zalloc_aligned(size_t size, size_t alignment) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(1) mi_attr_alloc_align(2);
/** mi_malloc_aligned_at() that zeroes. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_zalloc_aligned_at(size_t size, size_t alignment, size_t offset) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size(1);
/** mi_zalloc_aligned() of count times size bytes. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_calloc_aligned(size_t count, size_t size, size_t alignment) mi_attr_noexcept mi_attr_malloc
    mi_attr_alloc_size2(1, 2) mi_attr_alloc_align(3);
/** mi_zalloc_aligned_at() of count times size bytes. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_calloc_aligned_at(size_t count, size_t size, size_t alignment,
                     size_t offset) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(1, 2);
/** mi_realloc() whose result is aligned, wherever p was. */
mi_decl_nodiscard mi_decl_export void *mi_realloc_aligned(void *p, size_t newsize,
                                                          size_t alignment) mi_attr_noexcept
    mi_attr_alloc_size(2) mi_attr_alloc_align(3);
/** mi_realloc() such that block + offset is aligned, wherever p was. */
mi_decl_nodiscard mi_decl_export void *
mi_realloc_aligned_at(void *p, size_t newsize, size_t alignment, size_t offset) mi_attr_noexcept
    mi_attr_alloc_size(2);
/** @} */

/** @name Resizing blocks of zeroes
    For blocks that came from a function that zeroes and were resized with these functions only:
    bytes that the block never had before read as zero. Bytes that were lost by shrinking and come
    back by growing are zero or what they were. @{ */

/** mi_realloc() that zeroes what is gained. */
mi_decl_nodiscard mi_decl_export void *mi_rezalloc(void *p, size_t newsize) mi_attr_noexcept
    mi_attr_alloc_size(2);
/** mi_rezalloc() to newcount times size bytes. */
mi_decl_nodiscard mi_decl_export void *mi_recalloc(void *p, size_t newcount,
                                                   size_t size) mi_attr_noexcept
    mi_attr_alloc_size2(2, 3);
/** mi_realloc_aligned() that zeroes what is gained. */
mi_decl_nodiscard mi_decl_export void *mi_rezalloc_aligned(void *p, size_t newsize,
                                                           size_t alignment) mi_attr_noexcept
    mi_attr_alloc_size(2) mi_attr_alloc_align(3);
/** mi_realloc_aligned_at() that zeroes what is gained. */
mi_decl_nodiscard mi_decl_export void *
mi_rezalloc_aligned_at(void *p, size_t newsize, size_t alignment, size_t offset) mi_attr_noexcept
    mi_attr_alloc_size(2);
/** mi_rezalloc_aligned() to newcount times size bytes. */
mi_decl_nodiscard mi_decl_export void *mi_recalloc_aligned(void *p, size_t newcount, size_t size,
                                                           size_t alignment) mi_attr_noexcept
    mi_attr_alloc_size2(2, 3) mi_attr_alloc_align(4);
/** mi_rezalloc_aligned_at() to newcount times size bytes. */
mi_decl_nodiscard mi_decl_export void *mi_recalloc_aligned_at(void *p, size_t newcount, size_t size,
                                                              size_t alignment,
                                                              size_t offset) mi_attr_noexcept
    mi_attr_alloc_size2(2, 3);
/** @} */

/** @name Functions that return the size of the block as well
    Each sets `*block_size` to what mi_usable_size() says of the block, 0 on failure: all of these
    bytes may be used. The pointer may be NULL. @{ */

/** mi_malloc() and the size of the block. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_umalloc(size_t size, size_t *block_size) mi_attr_noexcept mi_attr_malloc;
/** mi_calloc() and the size of the block; zero up to count times size. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_ucalloc(size_t count, size_t size, size_t *block_size) mi_attr_noexcept mi_attr_malloc;
/** mi_realloc() and the sizes of the old and the new block.
    @param p               a block, or NULL
    @param newsize         bytes
    @param block_size_pre  out: size of p's block before, 0 if p is NULL; may be NULL
    @param block_size_post out: size of the result's block, 0 on failure; may be NULL */
mi_decl_nodiscard mi_decl_export void *mi_urealloc(void *p, size_t newsize, size_t *block_size_pre,
                                                   size_t *block_size_post) mi_attr_noexcept;
/** mi_free() and the size the block had, 0 for NULL. */
mi_decl_export void mi_ufree(void *p, size_t *block_size) mi_attr_noexcept;
/** mi_malloc_aligned() and the size of the block. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_umalloc_aligned(size_t size, size_t alignment,
                   size_t *block_size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_align(2);
/** mi_zalloc_aligned() and the size of the block. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_uzalloc_aligned(size_t size, size_t alignment,
                   size_t *block_size) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_align(2);
/** mi_malloc_small() and the size of the block. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_umalloc_small(size_t size, size_t *block_size) mi_attr_noexcept mi_attr_malloc;
/** mi_zalloc_small() and the size of the block. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void *
mi_uzalloc_small(size_t size, size_t *block_size) mi_attr_noexcept mi_attr_malloc;
/** @} */

#ifdef __cplusplus
}
#endif

/** @name Allocation by type: tp is a type, n a count, p a block of that type
    @{ */
/** A block for one object. */
#define mi_malloc_tp(tp) ((tp *)mi_malloc(sizeof(tp)))
/** A block of zeroes for one object. */
#define mi_zalloc_tp(tp) ((tp *)mi_zalloc(sizeof(tp)))
/** A block of zeroes for n objects. */
#define mi_calloc_tp(tp, n) ((tp *)mi_calloc(n, sizeof(tp)))
/** A block for n objects. */
#define mi_mallocn_tp(tp, n) ((tp *)mi_mallocn(n, sizeof(tp)))
/** Resizes p to n objects. */
#define mi_reallocn_tp(p, tp, n) ((tp *)mi_reallocn(p, n, sizeof(tp)))
/** Resizes p to n objects and zeroes what is gained. */
#define mi_recalloc_tp(p, tp, n) ((tp *)mi_recalloc(p, n, sizeof(tp)))
/** @} */

#include "mimalloc-arena.h"
#include "mimalloc-heap.h"
#include "mimalloc-options.h"
#include "mimalloc-posix.h"
#include "mimalloc-process.h"
#include "mimalloc-stats.h"

#ifdef __cplusplus
#include "mimalloc-stl.h"
#endif

#endif
