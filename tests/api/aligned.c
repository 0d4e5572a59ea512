/* Allocating and resizing with an alignment. */
#include "api_test.h"

static const size_t sizes[] = {0,    1,    15,    16,    17,     40,     100,
                               1000, 4096, 10000, 70000, 700000, 3000000};
#define SIZES (sizeof sizes / sizeof sizes[0])

static void every_alignment_and_size(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= 128 * MIC_MIB; alignment *= 2) {
        for (size_t s = 0; s < SIZES; s++) {
            void *p, *q;
            api_assert_works(p, mi_malloc_aligned(sizes[s], alignment));
            api_assert_works(q, mi_malloc_aligned(sizes[s], alignment));
            api_assert_aligned(p, alignment);
            api_assert_aligned(q, alignment);
            assert_true(mi_usable_size(p) >= sizes[s]);
            api_fill(p, sizes[s], 1);
            api_fill(q, sizes[s], 2);
            assert_true(api_is_filled(p, sizes[s], 1));
            mi_free(p);
            assert_true(api_is_filled(q, sizes[s], 2));
            mi_free(q);
        }
    }
}

static void the_usable_size_is_usable(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= MIC_MIB; alignment *= API_TIMES(2u, 32u)) {
        for (size_t s = 0; s < SIZES; s++) {
            void *blocks[4];
            for (int i = 0; i < 4; i++) {
                blocks[i] = mi_malloc_aligned_at(sizes[s], alignment, 8 * (size_t)i);
                assert_non_null(blocks[i]);
                api_use_all(blocks[i]);
                memset(api_opaque_pointer(blocks[i]), i, mi_usable_size(blocks[i]));
            }
            for (int i = 0; i < 4; i++) {
                const unsigned char *const p = blocks[i];
                if (sizes[s] > 0) assert_true(p[0] == i && p[sizes[s] - 1] == i);
                mi_free(blocks[i]);
            }
        }
    }
}

static void every_offset(void **state)
{
    (void)state;
    static const size_t offsets[] = {0, 1, 8, 16, 24, 4095, 4096, 5000, 65536, 1000003};
    for (size_t alignment = 1; alignment <= 4 * MIC_MIB; alignment *= 2) {
        for (size_t o = 0; o < sizeof offsets / sizeof offsets[0]; o++) {
            char *p;
            api_assert_works(p, mi_malloc_aligned_at(200, alignment, offsets[o]));
            api_assert_aligned((uintptr_t)p + offsets[o], alignment);
            api_fill(p, 200, 1);
            api_assert_works(p, mi_realloc_aligned_at(p, 9000, alignment, offsets[o]));
            api_assert_aligned((uintptr_t)p + offsets[o], alignment);
            assert_true(api_is_filled(p, 200, 1));
            assert_true(mi_usable_size(p) >= 9000);
            mi_free(p);
            api_assert_works(p, mi_zalloc_aligned_at(200, alignment, offsets[o]));
            api_assert_aligned((uintptr_t)p + offsets[o], alignment);
            assert_true(api_is_zero(p, 200));
            mi_free(p);
            api_assert_works(p, mi_calloc_aligned_at(20, 10, alignment, offsets[o]));
            api_assert_aligned((uintptr_t)p + offsets[o], alignment);
            assert_true(api_is_zero(p, 200));
            mi_free(p);
        }
    }
}

static void bad_alignments_are_einval(void **state)
{
    (void)state;
    static const size_t bad[] = {0, 3, 24, 48, 100, SIZE_MAX, (size_t)1 << 63 | 1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const size_t a = api_opaque(bad[i]);
        api_assert_fails(mi_malloc_aligned(100, a), EINVAL);
        api_assert_fails(mi_malloc_aligned_at(100, a, 8), EINVAL);
        api_assert_fails(mi_zalloc_aligned(100, a), EINVAL);
        api_assert_fails(mi_calloc_aligned(10, 10, a), EINVAL);
        api_assert_fails(mi_memalign(a, 100), EINVAL);
        api_assert_fails(mi_aligned_alloc(a, 100), EINVAL);
        void *const p = mi_malloc(100);
        assert_non_null(p);
        api_fill(p, 100, 8);
        api_assert_fails(mi_realloc_aligned(p, 5000, a), EINVAL);
        assert_true(api_is_filled(p, 100, 8));
        mi_free(p);
    }
}

static void alignments_nobody_has_memory_for(void **state)
{
    (void)state;
    api_assert_fails(mi_malloc_aligned(1, api_opaque((size_t)1 << 62)), ENOMEM);
    api_assert_fails(mi_malloc_aligned(1, api_opaque((size_t)1 << 63)), ENOMEM);
    api_assert_fails(mi_malloc_aligned_at(1, api_opaque((size_t)1 << 63), 8), ENOMEM);
}

static void realloc_aligned_keeps_a_block_that_fits(void **state)
{
    (void)state;
    char *const p = mi_malloc_aligned(1000, 256);
    assert_non_null(p);
    api_fill(p, 1000, 4);
    char *q;
    api_assert_works(q, mi_realloc_aligned(p, 990, 256));
    assert_ptr_equal(p, q);
    api_assert_works(q, mi_realloc_aligned(q, 100000, 256));
    api_assert_aligned(q, 256);
    assert_true(api_is_filled(q, 990, 4));
    api_assert_works(q, mi_realloc_aligned(q, 10, 4096));
    api_assert_aligned(q, 4096);
    assert_true(api_is_filled(q, 10, 4));
    mi_free(q);
}

static void realloc_aligned_aligns_what_was_not(void **state)
{
    (void)state;
    for (size_t alignment = 32; alignment <= MIC_MIB; alignment *= 2) {
        /* the second block of a class cannot be aligned as much */
        char *a = mi_malloc(48), *b = mi_malloc(48);
        assert_true(a != NULL && b != NULL);
        api_fill(a, 48, 1);
        api_fill(b, 48, 2);
        a = mi_realloc_aligned(a, 48, alignment);
        b = mi_realloc_aligned(b, 48, alignment);
        api_assert_aligned(a, alignment);
        api_assert_aligned(b, alignment);
        assert_true(api_is_filled(a, 48, 1));
        assert_true(api_is_filled(b, 48, 2));
        mi_free(a);
        mi_free(b);
    }
}

static void plain_realloc_of_an_aligned_block(void **state)
{
    (void)state;
    for (size_t offset = 0; offset < 64; offset += 8) {
        char *p = mi_malloc_aligned_at(100, 64, offset);
        assert_non_null(p);
        api_fill(p, 100, 6);
        api_assert_works(p, mi_realloc(p, 10000));
        assert_true(api_is_filled(p, 100, 6));
        api_assert_works(p, mi_realloc(p, 50));
        assert_true(api_is_filled(p, 50, 6));
        mi_free(p);
    }
}

static void resized_without_its_offset(void **state)
{
    (void)state;
    for (size_t offset = 1; offset < 16; offset++) {
        for (size_t size = 20; size < 200000; size *= 3) {
            char *const p = mi_malloc_aligned_at(size, 64, offset), *q = NULL;
            api_assert_aligned((uintptr_t)p + offset, 64);
            api_fill(p, size, 7);
            api_assert_works(q, mi_realloc(p, size)); /* a block like any other from here on */
            api_assert_aligned(q, 16);
            assert_true(api_is_filled(q, size, 7));
            char *const z = mi_zalloc_aligned_at(size, 64, offset), *y = NULL;
            api_assert_works(y, mi_rezalloc_aligned(z, size, 4));
            api_assert_aligned(y, 16);
            mi_free(q);
            mi_free(y);
        }
    }
}

static void many_at_once(void **state)
{
    (void)state;
    enum { BLOCKS = 2000 };
    static char *blocks[BLOCKS];
    for (size_t alignment = 32; alignment <= 4096; alignment *= 4) {
        for (unsigned i = 0; i < BLOCKS; i++) {
            blocks[i] = mi_malloc_aligned_at(i % 300, alignment, i % 5 * 8);
            api_assert_aligned((uintptr_t)blocks[i] + i % 5 * 8, alignment);
            api_fill(blocks[i], i % 300, i);
        }
        for (unsigned i = 0; i < BLOCKS; i++) {
            const unsigned j = i * 7 % BLOCKS; /* in another order */
            assert_true(api_is_filled(blocks[j], j % 300, j));
            mi_free(blocks[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_alignment_and_size),
        cmocka_unit_test(the_usable_size_is_usable),
        cmocka_unit_test(every_offset),
        cmocka_unit_test(bad_alignments_are_einval),
        cmocka_unit_test(alignments_nobody_has_memory_for),
        cmocka_unit_test(realloc_aligned_keeps_a_block_that_fits),
        cmocka_unit_test(realloc_aligned_aligns_what_was_not),
        cmocka_unit_test(plain_realloc_of_an_aligned_block),
        cmocka_unit_test(resized_without_its_offset),
        cmocka_unit_test(many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
