/* fake-os */
/* Aligned allocation: natural, by class, by span, by an offset; what none of them may cost. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/slow.h"
#include "fake_os.h"
#include "vm/arena.h"

static uint64_t used(void)
{
    mic_collect(true);
    return mic_load_relaxed(&mic_vm_counts.used_slices);
}

static void test_every_alignment(void **state)
{
    (void)state;
    const uint64_t before = used();
    for (size_t alignment = 1; alignment <= 256 * MIC_MIB; alignment *= 2) {
        for (size_t bytes = 0; bytes <= 3 * MIC_MIB; bytes = bytes * 5 + 1) {
            for (size_t offset = 0; offset <= 24; offset += 8) {
                errno = 5;
                char *const p = mic_alloc_aligned(bytes, alignment, offset, true);
                assert_non_null(p);
                assert_int_equal(errno, 5);
                assert_int_equal(((uintptr_t)p + offset) % alignment, 0);
                const size_t usable = mic_usable_size(p);
                assert_true(usable >= bytes);
                if (bytes > 0) assert_true(p[0] == 0 && p[bytes - 1] == 0);
                p[0] = p[usable - 1] = 1;
                mic_free(p);
            }
        }
    }
    assert_int_equal(used(), before);
}

/* Without an offset the block is the start of a block: no padding, no tag. */
static void test_no_inner_pointers(void **state)
{
    (void)state;
    for (size_t alignment = 16; alignment <= 4 * MIC_MIB; alignment *= 2) {
        char *const p = mic_alloc_aligned(100, alignment, 0, false);
        mic_located_t at;
        assert_true(mic_locate(p, &at));
        assert_false(at.inner);
        assert_int_equal(mic_page_owner(at.page) & MIC_OWNER_INNER, 0);
        /* a multiple of the alignment as offset is none */
        char *const q = mic_alloc_aligned(100, alignment, 3 * alignment, false);
        assert_true(mic_locate(q, &at));
        assert_false(at.inner);
        mic_free(p);
        mic_free(q);
    }
}

static void test_memory_of_a_class(void **state)
{
    (void)state;
    if (CFG_BITS) skip(); /* canaries and guards take their part */
    /* up to 64 KiB a block of the class that holds it, above an aligned run of slices */
    for (size_t alignment = 16; alignment <= MIC_SLICE_BYTES; alignment *= 2) {
        char *const p = mic_alloc_aligned(alignment, alignment, 0, false);
        /* a canary costs a class, and perhaps more for the alignment */
        assert_true(CFG_BITS ? mic_usable_size(p) >= alignment
                             : mic_usable_size(p) == mic_good_size(alignment));
        mic_free(p);
    }
    const uint64_t before = used();
    char *const p = mic_alloc_aligned(1, 8 * MIC_MIB, 0, false);
    assert_int_equal(mic_usable_size(p), mic_span_block_bytes(1));
    assert_int_equal(mic_load_relaxed(&mic_vm_counts.used_slices), before + 1 + MIC_SPAN_LEAD);
    mic_free(p);
    assert_int_equal(used(), before);
}

static void test_impossible(void **state)
{
    (void)state;
    static const size_t none[] = {0, 3, 24, 48, 4095, (size_t)1 << 63 | 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        errno = 0;
        assert_null(mic_alloc_aligned(100, none[i], 0, false));
        assert_int_equal(errno, EINVAL);
    }
    for (size_t offset = 0; offset <= 8; offset += 8) {
        static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
                                       (size_t)PTRDIFF_MAX};
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            errno = 0;
            assert_null(mic_alloc_aligned(sizes[i], 4096, offset, true));
            assert_int_equal(errno, ENOMEM);
        }
        errno = 0;
        assert_null(mic_alloc_aligned(1, (size_t)1 << 63, offset, false));
        assert_int_equal(errno, ENOMEM);
    }
}

static void *late_main(void *arg)
{
    (void)arg;
    mic_thread_detach(true);
    char *const p = mic_alloc_aligned(1000, 256, 8, true);
    assert_non_null(p);
    assert_false(mic_thread_is_ready());
    assert_int_equal(((uintptr_t)p + 8) % 256, 0);
    return p;
}

/* A thread that has ended gets its block from the late record; anybody frees it. */
static void test_late(void **state)
{
    (void)state;
    const uint64_t before = used();
    pthread_t thread;
    void *p = NULL;
    assert_int_equal(pthread_create(&thread, NULL, late_main, NULL), 0);
    pthread_join(thread, &p);
    assert_true(mic_usable_size(p) >= 1000);
    mic_free(p);
    assert_int_equal(used(), before); /* the late record keeps no page either */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_alignment),
        cmocka_unit_test(test_no_inner_pointers),
        cmocka_unit_test(test_memory_of_a_class),
        cmocka_unit_test(test_impossible),
        cmocka_unit_test(test_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
