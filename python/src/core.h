/* The instance of the allocator that the package works with: the copy linked into the extension,
   or, in a process that has the library already (LD_PRELOAD, or linked to the program), that one:
   two would each know only their own blocks.

   Chosen once, when the extension is first loaded; constant afterwards. Any thread. */
#ifndef MIMPY_CORE_H
#define MIMPY_CORE_H

#include <stdbool.h>

#include "mimalloc-ext.h"
#include "mimalloc-stats.h"
#include "mimalloc.h"

/* Every function of the library that is called through the table. */
#define MIMPY_CORE_FUNCTIONS(X)                                                                    \
    X(version)                                                                                     \
    X(malloc)                                                                                      \
    X(calloc)                                                                                      \
    X(realloc)                                                                                     \
    X(free)                                                                                        \
    X(free_if_owned)                                                                               \
    X(realloc_if_owned)                                                                            \
    X(is_in_heap_region)                                                                           \
    X(usable_size)                                                                                 \
    X(malloc_aligned)                                                                              \
    X(calloc_aligned)                                                                              \
    X(realloc_aligned)                                                                             \
    X(collect)                                                                                     \
    X(heap_new)                                                                                    \
    X(heap_delete)                                                                                 \
    X(heap_destroy)                                                                                \
    X(heap_collect)                                                                                \
    X(heap_contains)                                                                               \
    X(heap_main)                                                                                   \
    X(heap_malloc_aligned)                                                                         \
    X(heap_zalloc_aligned)                                                                         \
    X(heap_calloc_aligned)                                                                         \
    X(heap_realloc_aligned)                                                                        \
    X(heap_stats_get_json)                                                                         \
    X(heap_visit_blocks)                                                                           \
    X(subproc_main)                                                                                \
    X(subproc_visit_heaps)                                                                         \
    X(subproc_stats_get_json)                                                                      \
    X(option_get)                                                                                  \
    X(option_set)

#define MIMPY_CORE_MEMBER(name) __typeof__(&mi_##name) name;
typedef struct mimpy_core {
    MIMPY_CORE_FUNCTIONS(MIMPY_CORE_MEMBER)
} mimpy_core_t;

/* Blocks at multiples of 64 bytes, for array data: as fast as the instance can. */
#define MIMPY_DATA_ALIGN ((size_t)64)
typedef struct mimpy_data {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    bool (*free_if_owned)(void *p);
} mimpy_data_t;
extern const mimpy_data_t mimpy_data_own;    /* owned.c */
extern const mimpy_data_t mimpy_data_shared; /* core.c */
extern const mimpy_data_t *mimpy_data;       /* of the instance in use */

/* Set by mimpy_core_choose; the table is never changed afterwards. */
extern const mimpy_core_t *mimpy_core;

/* Finds the instance; to be called before anything else, again at will. */
void mimpy_core_choose(void);
/* Registers fork handlers that take and release a lock under which the instance is called. The
   instance's own come first, so that its locks are taken last. */
void mimpy_core_at_fork(void (*take)(void), void (*release)(void));
/* The instance is the process's, not the extension's own. */
bool mimpy_core_is_shared(void);
/* The instance also serves malloc of the process. */
bool mimpy_core_is_malloc(void);
/* File that the instance is in; "" if unknown. */
const char *mimpy_core_path(void);

#endif
