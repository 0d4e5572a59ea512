/* A record's table of its thread heaps: nearly all are found, none of a heap that is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "heap/table.h"
#include "heap/thread.h"

#define COUNT 3000

static mic_heap_t *heap[COUNT];

static mic_theap_t *find(int i) { return mic_theap_table_find(mic_tls.record, heap[i]); }

static int make(int n)
{
    int found = 0;
    for (int i = 0; i < n; i++) {
        heap[i] = mic_heap_new(&mic_subproc_main, 0);
        assert_non_null(heap[i]);
        assert_null(find(i)); /* whatever used its place before */
        assert_ptr_equal(mic_theap_heap(mic_heap_theap(heap[i])), heap[i]);
    }
    for (int i = 0; i < n; i++) {
        const mic_theap_t *const theap = find(i);
        if (theap != NULL) assert_ptr_equal(theap, mic_heap_theap(heap[i]));
        found += theap != NULL;
    }
    return found;
}

/* programs with few heaps need none */
static void few_have_no_table(void **state)
{
    (void)state;
    mic_free(mic_malloc(1));
    (void)make(16);
    assert_null(mic_tls.record->theap_table);
    for (int i = 0; i < 16; i++) mic_heap_destroy(heap[i]);
}

static void many_are_found(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        /* where heaps lie at random, some fall into one slot */
        assert_true(make(COUNT) > COUNT - COUNT / (CFG_BITS ? 8 : 20));
        const mic_record_t *const record = mic_tls.record;
        assert_true(record->theap_table_slots >= (size_t)4 * record->theap_made);
        assert_true(record->theap_table_slots <= (size_t)16 * COUNT);
        for (int i = 0; i < COUNT; i++) {
            (round % 2 == 0 ? mic_heap_destroy : mic_heap_delete)(heap[i]);
            assert_null(find(i));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_have_no_table),
        cmocka_unit_test(many_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
