/* Sub-processes: isolated sets of heaps, threads and memory. */
#include <pthread.h>

#include "api_test.h"

enum { BLOCKS = 2000 };

typedef struct member {
    mi_subproc_id_t subproc;
    mi_subproc_id_t current; /* as the thread saw it */
    mi_heap_t *main_heap;
    mi_heap_t *heap; /* a second one of the sub-process */
    void *plain[BLOCKS], *extra[BLOCKS];
    int (*then)(struct member *);
    int result;
} member_t;

static bool same(mi_subproc_id_t a, mi_subproc_id_t b)
{
    return a._mi_subproc_id == b._mi_subproc_id;
}

static size_t block_size(int i) { return i % 100 == 99 ? 600000 : (size_t)i % 50 * 40; }

static void *join_and_fill(void *arg)
{
    member_t *const member = (member_t *)arg;
    mi_subproc_add_current_thread(member->subproc);
    member->current = mi_subproc_current();
    member->main_heap = mi_heap_main();
    member->heap = mi_heap_new();
    for (int i = 0; i < BLOCKS; i++) {
        member->plain[i] = mi_malloc(block_size(i));
        member->extra[i] = mi_heap_malloc(member->heap, block_size(i));
    }
    if (member->then != NULL) member->result = member->then(member);
    return NULL;
}

static void run_member(member_t *member)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, join_and_fill, member), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static member_t member; /* the tests use one at a time */

static void member_new(void)
{
    memset(&member, 0, sizeof member);
    member.subproc = mi_subproc_new();
    assert_non_null(member.subproc._mi_subproc_id);
}

static void threads_are_in_the_main_one(void **state)
{
    (void)state;
    assert_true(same(mi_subproc_current(), mi_subproc_main()));
    assert_non_null(mi_subproc_main()._mi_subproc_id);
}

static void new_ones_differ(void **state)
{
    (void)state;
    errno = 33;
    const mi_subproc_id_t a = mi_subproc_new(), b = mi_subproc_new();
    assert_int_equal(errno, 33);
    assert_non_null(a._mi_subproc_id);
    assert_non_null(b._mi_subproc_id);
    assert_false(same(a, b));
    assert_false(same(a, mi_subproc_main()));
    assert_true(same(mi_subproc_current(), mi_subproc_main()));
    mi_subproc_destroy(a);
    mi_subproc_destroy(b);
}

static void a_thread_allocates_in_its_own(void **state)
{
    (void)state;
    member_new();
    run_member(&member);
    assert_true(same(member.current, member.subproc));
    assert_ptr_not_equal(member.main_heap, mi_heap_main());
    assert_non_null(member.heap);
    assert_ptr_not_equal(member.heap, member.main_heap);
    for (int i = 0; i < BLOCKS; i++) {
        assert_ptr_equal(mi_heap_of(member.plain[i]), member.main_heap);
        assert_ptr_equal(mi_heap_of(member.extra[i]), member.heap);
        assert_false(mi_heap_contains(mi_heap_main(), member.plain[i]));
        api_use_all(member.plain[i]); /* by any thread */
    }
    for (int i = 0; i < BLOCKS; i += 2) mi_free(member.plain[i]); /* too */
    mi_subproc_destroy(member.subproc);
}

/* What an ended thread left is taken by threads of the same sub-process only. */
static void memory_does_not_cross(void **state)
{
    (void)state;
    member_new();
    run_member(&member);
    for (int i = 0; i < BLOCKS; i++) /* room in every page */
        if (i % 2 == 1) mi_free(member.plain[i]);
    static void *mine[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        mine[i] = mi_malloc(block_size(i));
        assert_ptr_equal(mi_heap_of(mine[i]), mi_heap_main());
        for (int k = 0; k < BLOCKS; k += 2)
            if ((uintptr_t)mine[i] / MIC_SLICE_BYTES ==
                (uintptr_t)member.plain[k] / MIC_SLICE_BYTES)
                fail_msg("a page is shared");
    }
    for (int i = 0; i < BLOCKS; i++) mi_free(mine[i]);

    static member_t second;
    memset(&second, 0, sizeof second);
    second.subproc = member.subproc;
    run_member(&second);
    assert_ptr_equal(second.main_heap, member.main_heap);
    int shared = 0;
    for (int i = 0; i < BLOCKS; i++)
        for (int k = 0; k < BLOCKS; k += 2)
            shared += second.plain[i] != member.plain[k] &&
                      (uintptr_t)second.plain[i] / MIC_SLICE_BYTES ==
                          (uintptr_t)member.plain[k] / MIC_SLICE_BYTES;
    assert_true(shared > 0);
    mi_subproc_destroy(member.subproc);
}

/* ---- visiting heaps ---- */

typedef struct seen {
    mi_heap_t *heaps[64];
    int count;
    int stop_after;
} seen_t;

static bool see(mi_heap_t *heap, void *arg)
{
    seen_t *const seen = (seen_t *)arg;
    if (seen->count < 64) seen->heaps[seen->count] = heap;
    seen->count++;
    return seen->count != seen->stop_after;
}

static int times(const seen_t *seen, const mi_heap_t *heap)
{
    int found = 0;
    for (int i = 0; i < seen->count && i < 64; i++) found += seen->heaps[i] == heap;
    return found;
}

static void heaps_are_visited(void **state)
{
    (void)state;
    member_new();
    run_member(&member);
    mi_heap_t *const a = mi_heap_new(), *const b = mi_heap_new();

    seen_t here = {0};
    assert_true(mi_subproc_visit_heaps(mi_subproc_main(), see, &here));
    assert_int_equal(here.count, 3);
    assert_int_equal(times(&here, mi_heap_main()), 1);
    assert_int_equal(times(&here, a), 1);
    assert_int_equal(times(&here, b), 1);

    seen_t there = {0};
    assert_true(mi_subproc_visit_heaps(member.subproc, see, &there));
    assert_int_equal(there.count, 2);
    assert_int_equal(times(&there, member.main_heap), 1);
    assert_int_equal(times(&there, member.heap), 1);

    mi_heap_destroy(a);
    seen_t less = {0};
    assert_true(mi_subproc_visit_heaps(mi_subproc_main(), see, &less));
    assert_int_equal(less.count, 2);
    assert_int_equal(times(&less, a), 0);

    seen_t stopped = {.stop_after = 1};
    assert_false(mi_subproc_visit_heaps(mi_subproc_main(), see, &stopped));
    assert_int_equal(stopped.count, 1);
    mi_heap_delete(b);
    mi_subproc_destroy(member.subproc);
}

static bool count_block(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                        void *arg)
{
    (void)heap, (void)area, (void)size;
    *(size_t *)arg += block != NULL;
    return true;
}

static bool count_blocks(mi_heap_t *heap, void *arg)
{
    return mi_heap_visit_blocks(heap, true, count_block, arg);
}

static void all_blocks_can_be_visited(void **state)
{
    (void)state;
    member_new();
    run_member(&member);
    size_t blocks = 0;
    assert_true(mi_subproc_visit_heaps(member.subproc, count_blocks, &blocks));
    assert_int_equal(blocks, 2 * BLOCKS);
    mi_subproc_destroy(member.subproc);
}

/* ---- the end ---- */

static size_t commit_now(void)
{
    size_t commit;
    mi_process_info(NULL, NULL, NULL, NULL, NULL, &commit, NULL, NULL);
    return commit;
}

static void destroying_frees_everything(void **state)
{
    (void)state;
    mi_collect(true);
    const size_t before = commit_now();
    for (int round = 0; round < API_TIMES(20, 2); round++) {
        member_new();
        run_member(&member);
        mi_subproc_destroy(member.subproc);
        for (int i = 0; i < BLOCKS; i++) {
            assert_null(mi_heap_of(member.plain[i]));
            assert_null(mi_heap_of(member.extra[i]));
        }
    }
    mi_collect(true);
    assert_true(commit_now() < before + 64 * MIC_MIB);
}

static void the_main_one_stays(void **state)
{
    (void)state;
    void *const p = mi_malloc(100);
    api_record_start();
    mi_subproc_destroy(mi_subproc_main());
    mi_subproc_destroy((mi_subproc_id_t){NULL});
    mi_subproc_add_current_thread((mi_subproc_id_t){NULL});
    api_record_stop();
    assert_ptr_equal(mi_heap_of(p), mi_heap_main());
    assert_true(same(mi_subproc_current(), mi_subproc_main()));
    mi_free(p);
}

static int heap_life(member_t *self)
{
    (void)self;
    for (int i = 0; i < 100; i++) {
        mi_heap_t *const heap = mi_heap_new();
        void *const p = mi_heap_malloc(heap, 100);
        if (mi_heap_of(p) != heap) return 1;
        if (i % 2 == 0) {
            mi_heap_destroy(heap);
        } else {
            mi_heap_delete(heap);
            if (mi_heap_of(p) != mi_heap_main()) return 2;
            mi_free(p);
        }
    }
    mi_collect(true);
    return 0;
}

static void heaps_live_and_end_inside(void **state)
{
    (void)state;
    member_new();
    member.then = heap_life;
    run_member(&member);
    assert_int_equal(member.result, 0);
    mi_subproc_destroy(member.subproc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_in_the_main_one),
        cmocka_unit_test(new_ones_differ),
        cmocka_unit_test(a_thread_allocates_in_its_own),
        cmocka_unit_test(memory_does_not_cross),
        cmocka_unit_test(heaps_are_visited),
        cmocka_unit_test(all_blocks_can_be_visited),
        cmocka_unit_test(destroying_frees_everything),
        cmocka_unit_test(the_main_one_stays),
        cmocka_unit_test(heaps_live_and_end_inside),
    };
    return cmocka_run_group_tests_name("sub-processes", tests, NULL, NULL);
}
