/* Attribute macros, constants and types of the interface; included by mimalloc.h. */
#ifndef MIMALLOC_TYPES_H
#define MIMALLOC_TYPES_H

#include <stdbool.h>
#include <stddef.h>

/** Version of the interface: major * 10000 + minor * 100 + patch. */
#define MI_MALLOC_VERSION 30403

/** Largest request of the `_small` functions, in machine words. */
#define MI_SMALL_WSIZE_MAX 128
/** Largest request of the `_small` functions, in bytes. */
#define MI_SMALL_SIZE_MAX (MI_SMALL_WSIZE_MAX * sizeof(void *))

/* ---- attributes: each is empty where the compiler has nothing like it ---- */

#if defined(__cplusplus) && __cplusplus >= 201703L
#define mi_decl_nodiscard [[nodiscard]]
#elif defined(__GNUC__)
#define mi_decl_nodiscard __attribute__((warn_unused_result))
#else
#define mi_decl_nodiscard
#endif

#if defined(__cplusplus)
#define mi_attr_noexcept noexcept
#elif defined(__GNUC__)
#define mi_attr_noexcept __attribute__((nothrow))
#else
#define mi_attr_noexcept
#endif

#if defined(__GNUC__)
#define mi_decl_export __attribute__((visibility("default")))
#define mi_decl_noinline __attribute__((noinline))
#define mi_decl_cold __attribute__((cold))
#define mi_decl_thread __thread
#define mi_decl_align(bytes) __attribute__((aligned(bytes)))
#define mi_attr_malloc __attribute__((malloc))
#define mi_attr_alloc_size(arg) __attribute__((alloc_size(arg)))
#define mi_attr_alloc_size2(arg1, arg2) __attribute__((alloc_size(arg1, arg2)))
#define mi_attr_alloc_align(arg) __attribute__((alloc_align(arg)))
#else
#define mi_decl_export
#define mi_decl_noinline
#define mi_decl_cold
#define mi_decl_thread
#define mi_decl_align(bytes)
#define mi_attr_malloc
#define mi_attr_alloc_size(arg)
#define mi_attr_alloc_size2(arg1, arg2)
#define mi_attr_alloc_align(arg)
#endif
/* the malloc attribute says the same, and more */
#define mi_decl_restrict

#if defined(_WIN32)
#define mi_cdecl __cdecl
#else
#define mi_cdecl
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- handles ---- */

/** A first-class heap; opaque. */
typedef struct mi_heap_s mi_heap_t;
/** The part of a heap that one thread owns; opaque. */
typedef struct mi_theap_s mi_theap_t;
/** An arena, a range of memory that heaps can be bound to; NULL: none. */
typedef void *mi_arena_id_t;
/** A sub-process: an isolated set of heaps and arenas. */
typedef struct mi_subproc_id_s {
    void *_mi_subproc_id; /**< not for programs; NULL: none */
} mi_subproc_id_t;

/** A range of equal blocks, as a heap visitor sees it. Sizes in bytes. */
typedef struct mi_heap_area_s {
    void *blocks;           /**< start of the first block */
    size_t reserved;        /**< bytes of address space */
    size_t committed;       /**< bytes that can be used now */
    size_t used;            /**< blocks in use, a count */
    size_t block_size;      /**< bytes a program can use of each block */
    size_t full_block_size; /**< bytes from one block to the next */
    void *reserved1;        /**< not for programs */
} mi_heap_area_t;

/* ---- callbacks. All but mi_commit_fun_t are called without a lock of the library held. ---- */

/** Called now and then on slow paths; see mi_register_deferred_free().
    @param force     a forced collection is on: free as much as possible
    @param heartbeat grows with every call on a thread
    @param arg       as registered */
typedef void(mi_cdecl mi_deferred_free_fun)(bool force, unsigned long long heartbeat, void *arg);

/** Takes a piece of a message; see mi_register_output().
    @param msg text, terminated by NUL, not always a whole line
    @param arg as registered */
typedef void(mi_cdecl mi_output_fun)(const char *msg, void *arg);

/** Takes an error; see mi_register_error().
    @param err EAGAIN, EFAULT, EINVAL, ENOMEM or EOVERFLOW
    @param arg as registered */
typedef void(mi_cdecl mi_error_fun)(int err, void *arg);

/** Visits an area (block is NULL) or a block of it; returns false to stop. */
typedef bool(mi_cdecl mi_block_visit_fun)(const mi_heap_t *heap, const mi_heap_area_t *area,
                                          void *block, size_t block_size, void *arg);

/** Visits a heap; returns false to stop. */
typedef bool(mi_cdecl mi_heap_visit_fun)(mi_heap_t *heap, void *arg);

/** Commits or gives back a range of memory that the program manages itself; returns success. The
    library may hold locks meanwhile: the function must neither use it nor wait for a thread that
    may be using it, such as one that allocates or frees with a lock taken that the function takes.
    It must return: left by longjmp or an exception, it leaves these locks taken. A function for
    messages, for errors or for deferred freeing may be left so.
    @param commit  true: make usable; false: give back
    @param start   first byte
    @param size    bytes
    @param is_zero out: the range reads as zero; may be NULL
    @param arg     as registered */
typedef bool(mi_cdecl mi_commit_fun_t)(bool commit, void *start, size_t size, bool *is_zero,
                                       void *arg);

#ifdef __cplusplus
}
#endif

#endif
