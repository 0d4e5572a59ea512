/* core/src/base/size_class.h: every size up to the largest class, and every class. */
#include "base/size_class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_size_fits_its_class_and_no_smaller_one(void **state)
{
    (void)state;
    unsigned last = 0;
    for (size_t size = 0; size <= MIC_LARGE_BLOCK_MAX; size++) {
        const unsigned cls = mic_class_of(size);
        /* plain conditions: a million assertions would take seconds */
        if (cls >= MIC_CLASS_COUNT) fail_msg("%zu: class %u", size, cls);
        if (cls < last || cls > last + 1) fail_msg("%zu: class %u after %u", size, cls, last);
        if (mic_class_bytes(cls) < size) fail_msg("%zu: does not fit class %u", size, cls);
        if (cls > 0 && mic_class_bytes(cls - 1) >= size) fail_msg("%zu: fits below %u", size, cls);
        last = cls;
    }
    assert_int_equal(last, MIC_CLASS_COUNT - 1);
}

static void classes_grow_in_multiples_of_16(void **state)
{
    (void)state;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        const size_t bytes = mic_class_bytes(cls);
        assert_int_equal(bytes % MIC_BLOCK_MIN_BYTES, 0);
        assert_int_equal(mic_class_of(bytes), cls);
        if (cls > 0) assert_true(bytes > mic_class_bytes(cls - 1));
    }
}

static void powers_of_two_are_classes(void **state)
{
    (void)state;
    for (size_t size = MIC_BLOCK_MIN_BYTES; size <= MIC_LARGE_BLOCK_MAX; size *= 2)
        assert_int_equal(mic_class_bytes(mic_class_of(size)), size);
}

static void waste_is_bounded(void **state)
{
    (void)state;
    for (unsigned cls = MIC_CLASS_LINEAR; cls < MIC_CLASS_COUNT; cls++) {
        const size_t least = mic_class_bytes(cls - 1) + 1;
        assert_true(mic_class_bytes(cls) - least < least / MIC_CLASS_STEPS + 1);
    }
}

static void powers_of_two_with_a_canary_have_little_waste(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= MIC_CLASS_FITS; i++) {
        const size_t size = (size_t)64 << i;
        assert_int_equal(mic_class_bytes(mic_class_of_request(size)), size + 16);
    }
}

static void steps_lead_from_class_to_class(void **state)
{
    (void)state;
    for (size_t size = 1; size <= MIC_LARGE_BLOCK_MAX; size++) {
        const size_t up = mic_align_up(size, mic_class_step(size));
        if (mic_class_bytes(mic_class_of(up)) != up) fail_msg("%zu: no class", up);
        if (up - size >= mic_max(16, size / MIC_CLASS_STEPS)) fail_msg("%zu: %zu", size, up);
    }
}

static void limits_are_where_page_kinds_change(void **state)
{
    (void)state;
    assert_int_equal(mic_class_of(0), 0);
    assert_int_equal(mic_class_of(1), 0);
    assert_int_equal(mic_class_bytes(0), MIC_BLOCK_MIN_BYTES);
    assert_int_equal(mic_class_of(128), MIC_CLASS_LINEAR - 1);
    assert_int_equal(mic_class_of(129), MIC_CLASS_LINEAR);
    const size_t small_most = MIC_SMALL_BLOCK_MAX + (MIC_CLASS_FITS == 0 ? 0 : 16);
    assert_int_equal(mic_class_of(small_most), MIC_CLASS_SMALL_LAST);
    assert_int_equal(mic_class_of(small_most + 1), MIC_CLASS_SMALL_LAST + 1);
    assert_int_equal(mic_class_of(MIC_MEDIUM_BLOCK_MAX), MIC_CLASS_MEDIUM_LAST);
    assert_int_equal(mic_class_of(MIC_LARGE_BLOCK_MAX), MIC_CLASS_LARGE_LAST);
    assert_int_equal(MIC_CLASS_SPAN, MIC_CLASS_LARGE_LAST + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_fits_its_class_and_no_smaller_one),
        cmocka_unit_test(classes_grow_in_multiples_of_16),
        cmocka_unit_test(powers_of_two_are_classes),
        cmocka_unit_test(waste_is_bounded),
        cmocka_unit_test(powers_of_two_with_a_canary_have_little_waste),
        cmocka_unit_test(steps_lead_from_class_to_class),
        cmocka_unit_test(limits_are_where_page_kinds_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
