/* Guarding objects of a thread heap: whatever is sampled, every block is as good as any other. */
#include "api_test.h"

/* Where nothing is guarded these have no effect, but are there. */
static void guarding_changes_no_result(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_t *const theap = mi_heap_theap(heap);
    mi_theap_guarded_set_size_bound(theap, 100, 200);
    mi_theap_guarded_set_sample_rate(theap, 2, 1);
    for (size_t n = 0; n < 400; n++) {
        void *const p = mi_theap_malloc(theap, n);
        assert_non_null(p);
        assert_true(mi_usable_size(p) >= n);
        assert_ptr_equal(mi_heap_of(p), heap);
        api_use_all(p);
        mi_free(p);
    }
    mi_theap_guarded_set_sample_rate(theap, 0, 0);
    mi_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guarding_changes_no_result),
    };
    return cmocka_run_group_tests_name("guarding", tests, NULL, NULL);
}
