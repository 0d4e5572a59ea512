/* Freeing with what the caller knows of the block: right hints free it, in every build; wrong ones
   are found where there is time to look (debug and secure builds), and the block is freed anyway. */
#include "api_test.h"
#include "base/size_class.h"

static const size_t sizes[] = {0, 1, 15, 16, 100, 1000, 8192, 50000, 300000, 600000, 5000000};
#define SIZES (sizeof sizes / sizeof sizes[0])

static void right_hints_free(void **state)
{
    (void)state;
    api_record_start();
    errno = 5;
    for (size_t s = 0; s < SIZES; s++) {
        const size_t n = sizes[s];
        void *p = mi_malloc(n);
        mi_free_size(p, n);
        p = mi_malloc(n);
        mi_free_size(p, mi_usable_size(p)); /* what it has room for */
        p = mi_calloc(n, 1);
        mi_free_size(mi_realloc(p, n + 7), n + 7);
        for (size_t alignment = 1; alignment <= 256 * MIC_KIB; alignment *= 4) {
            mi_free_size_aligned(mi_malloc_aligned(n, alignment), n, alignment);
            mi_free_aligned(mi_malloc_aligned(n, alignment), alignment);
            mi_free_size(mi_malloc_aligned(n, alignment), n); /* half of what is known */
        }
        mi_free_size_aligned(mi_malloc(n), n, 8);
        mi_free_aligned(mi_malloc_aligned_at(n, 64, 24), 8);
    }
    mi_free_size(NULL, 100);
    mi_free_size_aligned(NULL, 100, 64);
    mi_free_aligned(NULL, 64);
    assert_int_equal(errno, 5);
    api_record_stop();
    assert_int_equal(api_record.errors, 0);
    assert_string_equal(api_record.text, "");
}

/* In a crowded arena a block may have a page of its own, larger than its class. */
static void right_hints_where_memory_is_short(void **state)
{
    (void)state;
    enum { MOST = 10000, SIZE = MIC_SMALL_BLOCK_MAX + 800 };
    static void *blocks[MOST];
    mi_arena_id_t arena;
    if (mi_reserve_os_memory_ex(mi_arena_min_size(), false, false, true, &arena) != 0) skip();
    mi_heap_t *const heap = mi_heap_new_in_arena(arena);
    int count = 0, larger = 0;
    while (count < MOST &&
           (blocks[count] = mi_heap_malloc(heap, MIC_SMALL_BLOCK_MAX - 200)) != NULL)
        count++;
    for (int i = 0; i < count; i++) /* room for no page of many slices */
        if ((uintptr_t)blocks[i] / MIC_SLICE_BYTES % 8 < 4) mi_free(blocks[i]);
    const bool crowded = count > 3000; /* the system may refuse to commit all of it */
    count = 0;
    while (count < MOST && (blocks[count] = mi_heap_malloc(heap, SIZE)) != NULL)
        larger += mi_usable_size(blocks[count++]) > mi_good_size(SIZE);
    assert_true(count < MOST);
    if (crowded) assert_true(larger > 0);
    api_record_start();
    for (int i = 0; i < count; i++) {
        if (i % 2 == 0)
            mi_free_size_aligned(blocks[i], SIZE, 16);
        else
            mi_free_size(blocks[i], SIZE);
    }
    api_record_stop();
    assert_int_equal(api_record.errors, 0);
    mi_heap_destroy(heap);
}

static void wrong_sizes_are_reported(void **state)
{
    (void)state;
    if (!API_CHECKED) skip();
    for (size_t s = 0; s < SIZES; s++) {
        void *const p = mi_malloc(sizes[s]);
        api_record_start();
        mi_free_size(p, mi_usable_size(p) + 1);
        api_record_stop();
        assert_int_equal(api_record.errors, 1);
        assert_int_equal(api_record.last_error, EINVAL);
        void *const r = mi_malloc(sizes[s] + 1000);
        api_record_start();
        mi_free_size_aligned(r, mi_usable_size(r) / 3, 16);
        api_record_stop();
        assert_int_equal(api_record.errors, 1);
        assert_int_equal(api_record.last_error, EINVAL);
        void *const q = mi_malloc_aligned(sizes[s], 128);
        api_record_start();
        mi_free_size_aligned(q, mi_usable_size(q) + 1, 128);
        api_record_stop();
        assert_int_equal(api_record.errors, 1);
        assert_int_equal(api_record.last_error, EINVAL);
    }
}

static void wrong_alignments_are_reported(void **state)
{
    (void)state;
    if (!API_CHECKED) skip();
    char *p = mi_malloc(100), *const q = mi_malloc(100); /* one of the two starts no page */
    api_record_start();
    mi_free_aligned((uintptr_t)p % 4096 == 0 ? q : p, 4096);
    api_record_stop();
    mi_free((uintptr_t)p % 4096 == 0 ? p : q);
    assert_int_equal(api_record.errors, 1);
    assert_int_equal(api_record.last_error, EINVAL);
    p = mi_malloc(100);
    api_record_start();
    mi_free_size_aligned(p, 100, (size_t)1 << 40);
    api_record_stop();
    assert_int_equal(api_record.errors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_hints_free),
        cmocka_unit_test(right_hints_where_memory_is_short),
        cmocka_unit_test(wrong_sizes_are_reported),
        cmocka_unit_test(wrong_alignments_are_reported),
    };
    return cmocka_run_group_tests_name("free hints", tests, NULL, NULL);
}
