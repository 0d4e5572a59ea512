/* The public functions whose calls fail under the fault sweep: how each is declared, which block of
   its caller it works on, and what its text promises beside NULL and ENOMEM. A function that is
   missing here is not repeated when memory is short; the test that calls it then fails.

   BLOCK(type, name, parameters, arguments, old block, promise on failure)
   NEW(the same): fails by throwing, errno means nothing
   ACTION(name, parameters, arguments): cannot fail; errno stays as it was
   FLAG(type, name, parameters, arguments, what a refusal is): errno means nothing
   WALK(name, type of what is walked): false with ENOMEM
   SPECIAL(name): written out in fault_api.c */
#ifndef FAULT_TABLE_H
#define FAULT_TABLE_H

#define FAULT_NO_SIZE (size == NULL || *size == 0)

#define FAULT_HEAP_BLOCKS(BLOCK)                                                                   \
    BLOCK(void *, mi_heap_malloc, (mi_heap_t * h, size_t n), (h, n), NULL, true)                   \
    BLOCK(void *, mi_heap_zalloc, (mi_heap_t * h, size_t n), (h, n), NULL, true)                   \
    BLOCK(void *, mi_heap_calloc, (mi_heap_t * h, size_t c, size_t n), (h, c, n), NULL, true)      \
    BLOCK(void *, mi_heap_malloc_small, (mi_heap_t * h, size_t n), (h, n), NULL, true)             \
    BLOCK(void *, mi_heap_zalloc_small, (mi_heap_t * h, size_t n), (h, n), NULL, true)             \
    BLOCK(void *, mi_heap_malloc_aligned, (mi_heap_t * h, size_t n, size_t a), (h, n, a), NULL,    \
          true)                                                                                    \
    BLOCK(void *, mi_heap_realloc, (mi_heap_t * h, void *p, size_t n), (h, p, n), p, true)         \
    BLOCK(void *, mi_theap_malloc, (mi_theap_t * h, size_t n), (h, n), NULL, true)                 \
    BLOCK(void *, mi_theap_zalloc, (mi_theap_t * h, size_t n), (h, n), NULL, true)                 \
    BLOCK(void *, mi_theap_calloc, (mi_theap_t * h, size_t c, size_t n), (h, c, n), NULL, true)    \
    BLOCK(void *, mi_theap_malloc_small, (mi_theap_t * h, size_t n), (h, n), NULL, true)           \
    BLOCK(void *, mi_theap_zalloc_small, (mi_theap_t * h, size_t n), (h, n), NULL, true)           \
    BLOCK(void *, mi_theap_malloc_aligned, (mi_theap_t * h, size_t n, size_t a), (h, n, a), NULL,  \
          true)                                                                                    \
    BLOCK(void *, mi_theap_realloc, (mi_theap_t * h, void *p, size_t n), (h, p, n), p, true)       \
    BLOCK(void *, mi_heap_mallocn, (mi_heap_t * h, size_t c, size_t n), (h, c, n), NULL, true)     \
    BLOCK(void *, mi_heap_malloc_aligned_at, (mi_heap_t * h, size_t n, size_t a, size_t o),        \
          (h, n, a, o), NULL, true)                                                                \
    BLOCK(void *, mi_heap_zalloc_aligned, (mi_heap_t * h, size_t n, size_t a), (h, n, a), NULL,    \
          true)                                                                                    \
    BLOCK(void *, mi_heap_zalloc_aligned_at, (mi_heap_t * h, size_t n, size_t a, size_t o),        \
          (h, n, a, o), NULL, true)                                                                \
    BLOCK(void *, mi_heap_calloc_aligned, (mi_heap_t * h, size_t c, size_t n, size_t a),           \
          (h, c, n, a), NULL, true)                                                                \
    BLOCK(void *, mi_heap_calloc_aligned_at,                                                       \
          (mi_heap_t * h, size_t c, size_t n, size_t a, size_t o), (h, c, n, a, o), NULL, true)    \
    BLOCK(char *, mi_heap_strdup, (mi_heap_t * h, const char *s), (h, s), NULL, true)              \
    BLOCK(char *, mi_heap_strndup, (mi_heap_t * h, const char *s, size_t n), (h, s, n), NULL,      \
          true)                                                                                    \
    BLOCK(char *, mi_heap_realpath, (mi_heap_t * h, const char *name, char *to), (h, name, to),    \
          NULL, true)                                                                              \
    BLOCK(void *, mi_heap_reallocn, (mi_heap_t * h, void *p, size_t c, size_t n), (h, p, c, n), p, \
          true)                                                                                    \
    BLOCK(void *, mi_heap_realloc_aligned, (mi_heap_t * h, void *p, size_t n, size_t a),           \
          (h, p, n, a), p, true)                                                                   \
    BLOCK(void *, mi_heap_realloc_aligned_at,                                                      \
          (mi_heap_t * h, void *p, size_t n, size_t a, size_t o), (h, p, n, a, o), p, true)        \
    BLOCK(void *, mi_heap_rezalloc, (mi_heap_t * h, void *p, size_t n), (h, p, n), p, true)        \
    BLOCK(void *, mi_heap_recalloc, (mi_heap_t * h, void *p, size_t c, size_t n), (h, p, c, n), p, \
          true)                                                                                    \
    BLOCK(void *, mi_heap_rezalloc_aligned, (mi_heap_t * h, void *p, size_t n, size_t a),          \
          (h, p, n, a), p, true)                                                                   \
    BLOCK(void *, mi_heap_rezalloc_aligned_at,                                                     \
          (mi_heap_t * h, void *p, size_t n, size_t a, size_t o), (h, p, n, a, o), p, true)        \
    BLOCK(void *, mi_heap_recalloc_aligned,                                                        \
          (mi_heap_t * h, void *p, size_t c, size_t n, size_t a), (h, p, c, n, a), p, true)        \
    BLOCK(void *, mi_heap_recalloc_aligned_at,                                                     \
          (mi_heap_t * h, void *p, size_t c, size_t n, size_t a, size_t o), (h, p, c, n, a, o), p, \
          true)                                                                                    \
    BLOCK(char *, mi_stats_get_json, (size_t n, char *to), (n, to), NULL, true)                    \
    BLOCK(char *, mi_stats_as_json, (mi_stats_t * stats, size_t n, char *to), (stats, n, to),      \
          NULL, true)                                                                              \
    BLOCK(char *, mi_subproc_stats_get_json, (mi_subproc_id_t id, size_t n, char *to),             \
          (id, n, to), NULL, true)                                                                 \
    BLOCK(char *, mi_heap_stats_get_json, (mi_heap_t * h, size_t n, char *to), (h, n, to), NULL,   \
          true)                                                                                    \
    BLOCK(mi_heap_t *, mi_heap_new, (void), (), NULL, true)                                        \
    BLOCK(mi_heap_t *, mi_heap_new_in_arena, (mi_arena_id_t id), (id), NULL, true)                 \
    BLOCK(mi_theap_t *, mi_heap_theap, (mi_heap_t * h), (h), NULL, true)

#define FAULT_BLOCKS(BLOCK)                                                                        \
    BLOCK(void *, mi_malloc, (size_t n), (n), NULL, true)                                          \
    BLOCK(void *, mi_calloc, (size_t c, size_t n), (c, n), NULL, true)                             \
    BLOCK(void *, mi_zalloc, (size_t n), (n), NULL, true)                                          \
    BLOCK(void *, mi_mallocn, (size_t c, size_t n), (c, n), NULL, true)                            \
    BLOCK(void *, mi_malloc_small, (size_t n), (n), NULL, true)                                    \
    BLOCK(void *, mi_zalloc_small, (size_t n), (n), NULL, true)                                    \
    BLOCK(void *, mi_realloc, (void *p, size_t n), (p, n), p, true)                                \
    BLOCK(void *, mi_reallocn, (void *p, size_t c, size_t n), (p, c, n), p, true)                  \
    BLOCK(void *, mi_reallocarray, (void *p, size_t c, size_t n), (p, c, n), p, true)              \
    BLOCK(char *, mi_strdup, (const char *s), (s), NULL, true)                                     \
    BLOCK(char *, mi_strndup, (const char *s, size_t n), (s, n), NULL, true)                       \
    BLOCK(unsigned char *, mi_mbsdup, (const unsigned char *s), (s), NULL, true)                   \
    BLOCK(wchar_t *, mi_wcsdup, (const wchar_t *s), (s), NULL, true)                               \
    BLOCK(char *, mi_realpath, (const char *name, char *to), (name, to), NULL, true)               \
    BLOCK(void *, mi_malloc_aligned, (size_t n, size_t a), (n, a), NULL, true)                     \
    BLOCK(void *, mi_malloc_aligned_at, (size_t n, size_t a, size_t o), (n, a, o), NULL, true)     \
    BLOCK(void *, mi_zalloc_aligned, (size_t n, size_t a), (n, a), NULL, true)                     \
    BLOCK(void *, mi_zalloc_aligned_at, (size_t n, size_t a, size_t o), (n, a, o), NULL, true)     \
    BLOCK(void *, mi_calloc_aligned, (size_t c, size_t n, size_t a), (c, n, a), NULL, true)        \
    BLOCK(void *, mi_calloc_aligned_at, (size_t c, size_t n, size_t a, size_t o), (c, n, a, o),    \
          NULL, true)                                                                              \
    BLOCK(void *, mi_memalign, (size_t a, size_t n), (a, n), NULL, true)                           \
    BLOCK(void *, mi_aligned_alloc, (size_t a, size_t n), (a, n), NULL, true)                      \
    BLOCK(void *, mi_valloc, (size_t n), (n), NULL, true)                                          \
    BLOCK(void *, mi_pvalloc, (size_t n), (n), NULL, true)                                         \
    BLOCK(void *, mi_realloc_aligned, (void *p, size_t n, size_t a), (p, n, a), p, true)           \
    BLOCK(void *, mi_realloc_aligned_at, (void *p, size_t n, size_t a, size_t o), (p, n, a, o), p, \
          true)                                                                                    \
    BLOCK(void *, mi_rezalloc, (void *p, size_t n), (p, n), p, true)                               \
    BLOCK(void *, mi_recalloc, (void *p, size_t c, size_t n), (p, c, n), p, true)                  \
    BLOCK(void *, mi_rezalloc_aligned, (void *p, size_t n, size_t a), (p, n, a), p, true)          \
    BLOCK(void *, mi_rezalloc_aligned_at, (void *p, size_t n, size_t a, size_t o), (p, n, a, o),   \
          p, true)                                                                                 \
    BLOCK(void *, mi_recalloc_aligned, (void *p, size_t c, size_t n, size_t a), (p, c, n, a), p,   \
          true)                                                                                    \
    BLOCK(void *, mi_recalloc_aligned_at, (void *p, size_t c, size_t n, size_t a, size_t o),       \
          (p, c, n, a, o), p, true)                                                                \
    BLOCK(void *, mi_aligned_recalloc, (void *p, size_t c, size_t n, size_t a), (p, c, n, a), p,   \
          true)                                                                                    \
    BLOCK(void *, mi_aligned_offset_recalloc, (void *p, size_t c, size_t n, size_t a, size_t o),   \
          (p, c, n, a, o), p, true)                                                                \
    BLOCK(void *, mi_umalloc, (size_t n, size_t * size), (n, size), NULL, FAULT_NO_SIZE)           \
    BLOCK(void *, mi_ucalloc, (size_t c, size_t n, size_t * size), (c, n, size), NULL,             \
          FAULT_NO_SIZE)                                                                           \
    BLOCK(void *, mi_umalloc_small, (size_t n, size_t * size), (n, size), NULL, FAULT_NO_SIZE)     \
    BLOCK(void *, mi_uzalloc_small, (size_t n, size_t * size), (n, size), NULL, FAULT_NO_SIZE)     \
    BLOCK(void *, mi_umalloc_aligned, (size_t n, size_t a, size_t * size), (n, a, size), NULL,     \
          FAULT_NO_SIZE)                                                                           \
    BLOCK(void *, mi_uzalloc_aligned, (size_t n, size_t a, size_t * size), (n, a, size), NULL,     \
          FAULT_NO_SIZE)                                                                           \
    BLOCK(void *, mi_urealloc, (void *p, size_t n, size_t *before, size_t *size),                  \
          (p, n, before, size), p,                                                                 \
          FAULT_NO_SIZE && (before == NULL || *before == mi_usable_size(p)))                       \
    FAULT_HEAP_BLOCKS(BLOCK)

#define FAULT_NEWS(NEW)                                                                            \
    NEW(void *, mi_new, (size_t n), (n), NULL, true)                                               \
    NEW(void *, mi_new_aligned, (size_t n, size_t a), (n, a), NULL, true)                          \
    NEW(void *, mi_new_nothrow, (size_t n), (n), NULL, true)                                       \
    NEW(void *, mi_new_aligned_nothrow, (size_t n, size_t a), (n, a), NULL, true)                  \
    NEW(void *, mi_new_n, (size_t c, size_t n), (c, n), NULL, true)                                \
    NEW(void *, mi_new_realloc, (void *p, size_t n), (p, n), p, true)                              \
    NEW(void *, mi_new_reallocn, (void *p, size_t c, size_t n), (p, c, n), p, true)                \
    NEW(void *, mi_heap_alloc_new, (mi_heap_t * h, size_t n), (h, n), NULL, true)                  \
    NEW(void *, mi_heap_alloc_new_n, (mi_heap_t * h, size_t c, size_t n), (h, c, n), NULL, true)

#define FAULT_ACTIONS(ACTION)                                                                      \
    ACTION(mi_free, (void *p), (p))                                                                \
    ACTION(mi_free_small, (void *p), (p))                                                          \
    ACTION(mi_cfree, (void *p), (p))                                                               \
    ACTION(mi_free_size, (void *p, size_t n), (p, n))                                              \
    ACTION(mi_free_size_aligned, (void *p, size_t n, size_t a), (p, n, a))                         \
    ACTION(mi_free_aligned, (void *p, size_t a), (p, a))                                           \
    ACTION(mi_ufree, (void *p, size_t *size), (p, size))                                           \
    ACTION(mi_collect, (bool force), (force))                                                      \
    ACTION(mi_collect_reduce, (size_t target), (target))                                           \
    ACTION(mi_process_init, (void), ())                                                            \
    ACTION(mi_thread_init, (void), ())                                                             \
    ACTION(mi_thread_done, (void), ())                                                             \
    ACTION(mi_thread_idle, (void), ())                                                             \
    ACTION(mi_heap_delete, (mi_heap_t * h), (h))                                                   \
    ACTION(mi_heap_destroy, (mi_heap_t * h), (h))                                                  \
    ACTION(mi_heap_collect, (mi_heap_t * h, bool force), (h, force))                               \
    ACTION(mi_subproc_destroy, (mi_subproc_id_t id), (id))                                         \
    ACTION(mi_theap_collect, (mi_theap_t * h, bool force), (h, force))

#define FAULT_FLAGS(FLAG)                                                                          \
    FLAG(int, mi_reserve_os_memory, (size_t n, bool commit, bool large), (n, commit, large),       \
         result != 0)                                                                              \
    FLAG(int, mi_reserve_os_memory_ex,                                                             \
         (size_t n, bool commit, bool large, bool alone, mi_arena_id_t *id),                       \
         (n, commit, large, alone, id), result != 0)                                               \
    FLAG(int, mi_reserve_huge_os_pages_at, (size_t n, int node, size_t ms), (n, node, ms),         \
         result != 0)                                                                              \
    FLAG(int, mi_reserve_huge_os_pages_at_ex,                                                      \
         (size_t n, int node, size_t ms, bool alone, mi_arena_id_t *id), (n, node, ms, alone, id), \
         result != 0)                                                                              \
    FLAG(int, mi_reserve_huge_os_pages_interleave, (size_t n, size_t nodes, size_t ms),            \
         (n, nodes, ms), result != 0)                                                              \
    FLAG(bool, mi_manage_os_memory,                                                                \
         (void *p, size_t n, bool committed, bool pinned, bool zero, int node),                    \
         (p, n, committed, pinned, zero, node), !result)                                           \
    FLAG(bool, mi_manage_os_memory_ex,                                                             \
         (void *p, size_t n, bool committed, bool pinned, bool zero, int node, bool alone,         \
          mi_arena_id_t *id),                                                                      \
         (p, n, committed, pinned, zero, node, alone, id), !result)                                \
    FLAG(bool, mi_manage_memory,                                                                   \
         (void *p, size_t n, bool committed, bool pinned, bool zero, int node, bool alone,         \
          mi_commit_fun_t *fun, void *arg, mi_arena_id_t *id),                                     \
         (p, n, committed, pinned, zero, node, alone, fun, arg, id), !result)

#define FAULT_WALKS(WALK)                                                                          \
    WALK(mi_heap_visit_blocks, mi_heap_t *)                                                        \
    WALK(mi_heap_visit_abandoned_blocks, mi_heap_t *)                                              \
    WALK(mi_theap_visit_blocks, const mi_theap_t *)

#define FAULT_SPECIALS(SPECIAL)                                                                    \
    SPECIAL(mi_reallocf)                                                                           \
    SPECIAL(mi_heap_reallocf)                                                                      \
    SPECIAL(mi_subproc_add_current_thread)                                                         \
    SPECIAL(mi_subproc_new)                                                                        \
    SPECIAL(mi_theap_get_default)                                                                  \
    SPECIAL(mi_theap_set_default)                                                                  \
    SPECIAL(mi_posix_memalign)                                                                     \
    SPECIAL(mi_reallocarr)                                                                         \
    SPECIAL(mi_dupenv_s)                                                                           \
    SPECIAL(mi_free_if_owned)                                                                      \
    SPECIAL(mi_realloc_if_owned)

#endif
