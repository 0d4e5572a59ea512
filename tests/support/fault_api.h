/* Included before everything else into a test that runs under the fault sweep: its calls of the
   library go through fault_api.c, and its main hands the tests to fault_sweep.c.

   A call that is refused because of the failure that the sweep made is checked (NULL with ENOMEM,
   old block unharmed) and made once more with nothing failing: so the test itself sees a library
   that works, and all that it asserts must hold. */
#ifndef FAULT_API_H
#define FAULT_API_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault_table.h"
#include "mimalloc-ext.h"
#include "mimalloc-stats.h"

#define FAULT_ENUM6(type, name, parameters, arguments, old, promise) FAULT_##name,
#define FAULT_ENUM5(type, name, parameters, arguments, refused) FAULT_##name,
#define FAULT_ENUM3(name, parameters, arguments) FAULT_##name,
#define FAULT_ENUM2(name, type) FAULT_##name,
#define FAULT_ENUM1(name) FAULT_##name,
typedef enum fault_function {
    FAULT_BLOCKS(FAULT_ENUM6) FAULT_NEWS(FAULT_ENUM6) FAULT_ACTIONS(FAULT_ENUM3)
        FAULT_WALKS(FAULT_ENUM2) FAULT_FLAGS(FAULT_ENUM5) FAULT_SPECIALS(FAULT_ENUM1)
            FAULT_FUNCTIONS
} fault_function_t;
extern const char *const fault_function_names[FAULT_FUNCTIONS];

#define FAULT_DECLARE6(type, name, parameters, arguments, old, promise)                            \
    type fault_##name parameters;
#define FAULT_DECLARE2(name, type)                                                                 \
    bool fault_##name(type h, bool blocks, mi_block_visit_fun *visitor, void *arg);
#define FAULT_DECLARE5(type, name, parameters, arguments, refused) type fault_##name parameters;
#define FAULT_DECLARE3(name, parameters, arguments) void fault_##name parameters;
FAULT_BLOCKS(FAULT_DECLARE6)
FAULT_NEWS(FAULT_DECLARE6)
FAULT_ACTIONS(FAULT_DECLARE3)
FAULT_WALKS(FAULT_DECLARE2)
FAULT_FLAGS(FAULT_DECLARE5)
mi_subproc_id_t fault_mi_subproc_new(void);
void fault_mi_subproc_add_current_thread(mi_subproc_id_t id);
mi_theap_t *fault_mi_theap_get_default(void);
mi_theap_t *fault_mi_theap_set_default(mi_theap_t *h);
void *fault_mi_reallocf(void *p, size_t n);
void *fault_mi_heap_reallocf(mi_heap_t *h, void *p, size_t n);
int fault_mi_posix_memalign(void **p, size_t alignment, size_t n);
int fault_mi_reallocarr(void *p, size_t count, size_t n);
int fault_mi_dupenv_s(char **buf, size_t *size, const char *name);
bool fault_mi_free_if_owned(void *p);
bool fault_mi_realloc_if_owned(void *p, size_t n, void **result);
void fault_mi_register_output(mi_output_fun *out, void *arg);
void fault_mi_register_error(mi_error_fun *fun, void *arg);

/* ---- fault_sweep.c; more of it in fault_sweep.h ---- */
int fault_run_group(const struct CMUnitTest *tests, size_t count, CMFixtureFunction setup,
                    CMFixtureFunction teardown);

#ifndef FAULT_API_PLAIN
#undef cmocka_run_group_tests
#undef cmocka_run_group_tests_name
#define cmocka_run_group_tests_name(name, tests, setup, teardown)                                  \
    cmocka_run_group_tests(tests, setup, teardown)
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    fault_run_group(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

#define mi_heap_malloc fault_mi_heap_malloc
#define mi_heap_zalloc fault_mi_heap_zalloc
#define mi_heap_calloc fault_mi_heap_calloc
#define mi_heap_malloc_small fault_mi_heap_malloc_small
#define mi_heap_zalloc_small fault_mi_heap_zalloc_small
#define mi_heap_malloc_aligned fault_mi_heap_malloc_aligned
#define mi_heap_realloc fault_mi_heap_realloc
#define mi_theap_malloc fault_mi_theap_malloc
#define mi_theap_zalloc fault_mi_theap_zalloc
#define mi_theap_calloc fault_mi_theap_calloc
#define mi_theap_malloc_small fault_mi_theap_malloc_small
#define mi_theap_zalloc_small fault_mi_theap_zalloc_small
#define mi_theap_malloc_aligned fault_mi_theap_malloc_aligned
#define mi_theap_realloc fault_mi_theap_realloc
#define mi_heap_mallocn fault_mi_heap_mallocn
#define mi_heap_malloc_aligned_at fault_mi_heap_malloc_aligned_at
#define mi_heap_zalloc_aligned fault_mi_heap_zalloc_aligned
#define mi_heap_zalloc_aligned_at fault_mi_heap_zalloc_aligned_at
#define mi_heap_calloc_aligned fault_mi_heap_calloc_aligned
#define mi_heap_calloc_aligned_at fault_mi_heap_calloc_aligned_at
#define mi_heap_strdup fault_mi_heap_strdup
#define mi_heap_strndup fault_mi_heap_strndup
#define mi_heap_realpath fault_mi_heap_realpath
#define mi_heap_reallocn fault_mi_heap_reallocn
#define mi_heap_realloc_aligned fault_mi_heap_realloc_aligned
#define mi_heap_realloc_aligned_at fault_mi_heap_realloc_aligned_at
#define mi_heap_rezalloc fault_mi_heap_rezalloc
#define mi_heap_recalloc fault_mi_heap_recalloc
#define mi_heap_rezalloc_aligned fault_mi_heap_rezalloc_aligned
#define mi_heap_rezalloc_aligned_at fault_mi_heap_rezalloc_aligned_at
#define mi_heap_recalloc_aligned fault_mi_heap_recalloc_aligned
#define mi_heap_recalloc_aligned_at fault_mi_heap_recalloc_aligned_at
#define mi_stats_get_json fault_mi_stats_get_json
#define mi_stats_as_json fault_mi_stats_as_json
#define mi_subproc_stats_get_json fault_mi_subproc_stats_get_json
#define mi_heap_stats_get_json fault_mi_heap_stats_get_json
#define mi_heap_new fault_mi_heap_new
#define mi_heap_new_in_arena fault_mi_heap_new_in_arena
#define mi_heap_theap fault_mi_heap_theap
#define mi_malloc fault_mi_malloc
#define mi_calloc fault_mi_calloc
#define mi_zalloc fault_mi_zalloc
#define mi_mallocn fault_mi_mallocn
#define mi_malloc_small fault_mi_malloc_small
#define mi_zalloc_small fault_mi_zalloc_small
#define mi_realloc fault_mi_realloc
#define mi_reallocn fault_mi_reallocn
#define mi_reallocarray fault_mi_reallocarray
#define mi_strdup fault_mi_strdup
#define mi_strndup fault_mi_strndup
#define mi_mbsdup fault_mi_mbsdup
#define mi_wcsdup fault_mi_wcsdup
#define mi_realpath fault_mi_realpath
#define mi_malloc_aligned fault_mi_malloc_aligned
#define mi_malloc_aligned_at fault_mi_malloc_aligned_at
#define mi_zalloc_aligned fault_mi_zalloc_aligned
#define mi_zalloc_aligned_at fault_mi_zalloc_aligned_at
#define mi_calloc_aligned fault_mi_calloc_aligned
#define mi_calloc_aligned_at fault_mi_calloc_aligned_at
#define mi_memalign fault_mi_memalign
#define mi_aligned_alloc fault_mi_aligned_alloc
#define mi_valloc fault_mi_valloc
#define mi_pvalloc fault_mi_pvalloc
#define mi_realloc_aligned fault_mi_realloc_aligned
#define mi_realloc_aligned_at fault_mi_realloc_aligned_at
#define mi_rezalloc fault_mi_rezalloc
#define mi_recalloc fault_mi_recalloc
#define mi_rezalloc_aligned fault_mi_rezalloc_aligned
#define mi_rezalloc_aligned_at fault_mi_rezalloc_aligned_at
#define mi_recalloc_aligned fault_mi_recalloc_aligned
#define mi_recalloc_aligned_at fault_mi_recalloc_aligned_at
#define mi_aligned_recalloc fault_mi_aligned_recalloc
#define mi_aligned_offset_recalloc fault_mi_aligned_offset_recalloc
#define mi_umalloc fault_mi_umalloc
#define mi_ucalloc fault_mi_ucalloc
#define mi_umalloc_small fault_mi_umalloc_small
#define mi_uzalloc_small fault_mi_uzalloc_small
#define mi_umalloc_aligned fault_mi_umalloc_aligned
#define mi_uzalloc_aligned fault_mi_uzalloc_aligned
#define mi_urealloc fault_mi_urealloc
#define mi_new fault_mi_new
#define mi_new_aligned fault_mi_new_aligned
#define mi_new_nothrow fault_mi_new_nothrow
#define mi_new_aligned_nothrow fault_mi_new_aligned_nothrow
#define mi_new_n fault_mi_new_n
#define mi_new_realloc fault_mi_new_realloc
#define mi_new_reallocn fault_mi_new_reallocn
#define mi_heap_alloc_new fault_mi_heap_alloc_new
#define mi_heap_alloc_new_n fault_mi_heap_alloc_new_n
#define mi_reserve_os_memory fault_mi_reserve_os_memory
#define mi_reserve_os_memory_ex fault_mi_reserve_os_memory_ex
#define mi_reserve_huge_os_pages_at fault_mi_reserve_huge_os_pages_at
#define mi_reserve_huge_os_pages_at_ex fault_mi_reserve_huge_os_pages_at_ex
#define mi_reserve_huge_os_pages_interleave fault_mi_reserve_huge_os_pages_interleave
#define mi_manage_os_memory fault_mi_manage_os_memory
#define mi_manage_os_memory_ex fault_mi_manage_os_memory_ex
#define mi_manage_memory fault_mi_manage_memory
#define mi_free fault_mi_free
#define mi_free_small fault_mi_free_small
#define mi_cfree fault_mi_cfree
#define mi_free_size fault_mi_free_size
#define mi_free_size_aligned fault_mi_free_size_aligned
#define mi_free_aligned fault_mi_free_aligned
#define mi_ufree fault_mi_ufree
#define mi_collect fault_mi_collect
#define mi_collect_reduce fault_mi_collect_reduce
#define mi_process_init fault_mi_process_init
#define mi_thread_init fault_mi_thread_init
#define mi_thread_done fault_mi_thread_done
#define mi_thread_idle fault_mi_thread_idle
#define mi_heap_delete fault_mi_heap_delete
#define mi_heap_destroy fault_mi_heap_destroy
#define mi_heap_collect fault_mi_heap_collect
#define mi_subproc_destroy fault_mi_subproc_destroy
#define mi_subproc_add_current_thread fault_mi_subproc_add_current_thread
#define mi_theap_collect fault_mi_theap_collect
#define mi_heap_visit_blocks fault_mi_heap_visit_blocks
#define mi_heap_visit_abandoned_blocks fault_mi_heap_visit_abandoned_blocks
#define mi_theap_visit_blocks fault_mi_theap_visit_blocks
#define mi_reallocf fault_mi_reallocf
#define mi_heap_reallocf fault_mi_heap_reallocf
#define mi_subproc_new fault_mi_subproc_new
#define mi_theap_get_default fault_mi_theap_get_default
#define mi_theap_set_default fault_mi_theap_set_default
#define mi_posix_memalign fault_mi_posix_memalign
#define mi_reallocarr fault_mi_reallocarr
#define mi_dupenv_s fault_mi_dupenv_s
#define mi_free_if_owned fault_mi_free_if_owned
#define mi_realloc_if_owned fault_mi_realloc_if_owned
#define mi_register_output fault_mi_register_output
#define mi_register_error fault_mi_register_error
#endif

#endif
