/* Sub-processes from inside: heaps that threads of another sub-process use, what goes when one ends,
   objects used again. The contract of the functions is in tests/api. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "base/check.h"
#include "heap/thread.h"
#include "mimalloc.h"

static int setup(void **state)
{
    (void)state;
    mic_deep_enabled = true;
    mic_free(mic_malloc(1));
    mic_collect(true);
    return 0;
}

static uint64_t used(void) { return mic_load_relaxed(&mic_vm_counts.used_slices); }

/* A thread of a sub-process: takes blocks there, and one in a heap of another one. */
typedef struct member {
    mic_subproc_t *subproc;
    mic_heap_t *foreign; /* of another sub-process, or NULL */
    mic_heap_t *heap;    /* a second one of the sub-process */
    char *in_main, *in_heap, *in_foreign;
} member_t;

static void *member_work(void *arg)
{
    member_t *const member = arg;
    mic_subproc_join(member->subproc);
    if (mic_subproc_current() != member->subproc) abort();
    member->heap = mic_heap_new(member->subproc, 0);
    member->in_main = mic_malloc(100);
    member->in_heap = mic_heap_malloc(member->heap, 100);
    if (member->foreign != NULL) {
        member->in_foreign = mic_heap_malloc(member->foreign, 5000);
        memset(member->in_foreign, 7, 5000);
    }
    return NULL;
}

static member_t member_run(mic_heap_t *foreign)
{
    member_t member = {.subproc = mic_subproc_new(), .foreign = foreign};
    pthread_t thread;
    assert_non_null(member.subproc);
    assert_int_equal(pthread_create(&thread, NULL, member_work, &member), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(mic_heap_of(member.in_main), &member.subproc->main);
    assert_ptr_equal(mic_heap_of(member.in_heap), member.heap);
    return member;
}

static void all_goes_with_it(void **state)
{
    (void)state;
    const uint64_t before = used();
    for (int i = 0; i < 20; i++) {
        const member_t member = member_run(NULL);
        if (i % 2 == 0) mic_heap_delete(member.heap);
        mic_subproc_destroy(member.subproc);
        assert_null(mic_heap_of(member.in_main));
        assert_null(mic_heap_of(member.in_heap));
        mic_collect(true);
        assert_int_equal(used(), before);
    }
}

/* The thread's record goes back to the main sub-process; what it holds for a heap of it stays. */
static void heaps_of_others_stay(void **state)
{
    (void)state;
    mic_heap_t *const heap = mic_heap_new(&mic_subproc_main, 0);
    void *const mine = mic_heap_malloc(heap, 5000);
    const member_t member = member_run(heap);
    mic_subproc_destroy(member.subproc);
    assert_ptr_equal(mic_heap_of(member.in_foreign), heap);
    for (int i = 0; i < 5000; i++) assert_int_equal(member.in_foreign[i], 7);
    for (int i = 0; i < 10;
         i++) { /* its list of thread heaps is whole: others take no part of it */
        mic_heap_t *const next = mic_heap_new(&mic_subproc_main, 0);
        mic_free(mic_heap_malloc(next, 5000));
        mic_heap_destroy(next);
    }
    assert_ptr_equal(mic_heap_of(mine), heap);
    mic_heap_destroy(heap);
    assert_null(mic_heap_of(member.in_foreign));
}

/* This thread, of the main sub-process, uses heaps of another one. */
static void foreign_users_take_nothing_along(void **state)
{
    (void)state;
    const uint64_t before = used();
    const member_t member = member_run(NULL);
    void *const in_main = mic_heap_malloc(&member.subproc->main, 100);
    void *const in_heap = mic_heap_malloc(member.heap, 100);
    assert_ptr_equal(mic_heap_of(in_main), &member.subproc->main);
    assert_ptr_equal(mic_heap_of(in_heap), member.heap);
    mic_heap_delete(member.heap); /* to the main heap of its sub-process, not to this thread's */
    assert_ptr_equal(mic_heap_of(in_heap), &member.subproc->main);
    mic_subproc_destroy(member.subproc);
    assert_null(mic_heap_of(in_main));
    assert_null(mic_heap_of(in_heap));

    const member_t again = member_run(NULL);
    assert_ptr_equal(again.subproc, member.subproc);
    assert_null(again.subproc->main.theaps);
    const void *const page = mic_page_of(mic_heap_malloc(again.heap, 100));
    mic_heap_destroy(again.heap); /* nor do its pages stay at hand for this thread's next heap */
    mic_heap_t *const heap = mic_heap_new(&mic_subproc_main, 0);
    assert_ptr_not_equal(mic_page_of(mic_heap_malloc(heap, 100)), page);
    mic_heap_destroy(heap);
    mic_subproc_destroy(again.subproc);
    mic_collect(true);
    assert_int_equal(used(), before);
}

static void silent(const char *text, void *arg)
{
    (void)text;
    ++*(int *)arg;
}

static void it_ends_once(void **state)
{
    (void)state;
    int warnings = 0;
    mic_subproc_t *const a = mic_subproc_new();
    mi_register_output(silent, &warnings);
    warnings = 0;
    mic_subproc_destroy(a);
    mic_subproc_destroy(a);
    mic_subproc_destroy(&mic_subproc_main);
    mi_register_output(NULL, NULL);
    mic_subproc_t *const b = mic_subproc_new(), *const c = mic_subproc_new();
    assert_ptr_not_equal(b, c);
    mic_subproc_destroy(b);
    mic_subproc_destroy(c);
}

static bool visit_and_make(mi_heap_t *heap, void *arg)
{
    (void)heap;
    if (mi_heap_new() == NULL) return false;
    return ++*(int *)arg < 100;
}

/* Heaps that the visitor makes come before those that are still to be visited. */
static void heaps_are_visited_once(void **state)
{
    (void)state;
    mic_subproc_t *const subproc = &mic_subproc_main;
    for (int i = 0; i < 5; i++) assert_non_null(mic_heap_new(subproc, 0));
    int visits = 0;
    assert_true(mi_subproc_visit_heaps(mi_subproc_main(), visit_and_make, &visits));
    assert_int_equal(visits, 1 + 5 + 1); /* the first is made while the main heap is visited */
    while (subproc->heaps != NULL) mic_heap_destroy(subproc->heaps);
}

/* Half of the numbers mean arenas where whole segments are set aside. */
static void there_are_not_more_than_numbers(void **state)
{
    (void)state;
    mic_subproc_t *all = NULL, *subproc;
    uint16_t most = 0;
    size_t count = 0;
    for (; (subproc = mic_subproc_new()) != NULL; count++) {
        if (subproc->index > most) most = subproc->index;
        subproc->next = all;
        all = subproc;
    }
    assert_int_equal(errno, ENOMEM);
    assert_true(count < MIC_OWNER_ARENA && most < MIC_OWNER_ARENA);
    while (all != NULL) {
        subproc = all;
        all = subproc->next;
        mic_subproc_destroy(subproc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_goes_with_it, setup),
        cmocka_unit_test_setup(heaps_of_others_stay, setup),
        cmocka_unit_test_setup(foreign_users_take_nothing_along, setup),
        cmocka_unit_test_setup(it_ends_once, setup),
        cmocka_unit_test_setup(heaps_are_visited_once, setup),
        cmocka_unit_test_setup(there_are_not_more_than_numbers, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
