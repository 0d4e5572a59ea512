/* core/src/base/bits.h: against slow, obvious versions. */
#include "base/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* xorshift64: repeatable */
static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void scans_find_the_outermost_bits(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 10000; i++) {
        const uint64_t x = next_random(&seed) >> (i % 64) << (i % 17);
        if (x == 0) continue;
        unsigned lowest = 64, highest = 0, count = 0;
        for (unsigned bit = 0; bit < 64; bit++) {
            if ((x >> bit & 1) == 0) continue;
            if (lowest == 64) lowest = bit;
            highest = bit;
            count++;
        }
        assert_int_equal(mic_bit_lowest(x), lowest);
        assert_int_equal(mic_bit_highest(x), highest);
        assert_int_equal(mic_bit_count(x), count);
    }
    assert_int_equal(mic_bit_count(0), 0);
    assert_int_equal(mic_bit_lowest((uint64_t)1 << 63), 63);
    assert_int_equal(mic_bit_highest(1), 0);
}

static void powers_of_two(void **state)
{
    (void)state;
    assert_false(mic_is_power_of_two(0));
    for (unsigned bit = 0; bit < 64; bit++) {
        const size_t x = (size_t)1 << bit;
        assert_true(mic_is_power_of_two(x));
        if (bit > 1) assert_false(mic_is_power_of_two(x - 1));
        if (bit > 0) assert_false(mic_is_power_of_two(x + 1));
    }
    assert_false(mic_is_power_of_two(SIZE_MAX));
}

static void rounding(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= 64; alignment *= 2) {
        for (size_t x = 0; x < 300; x++) {
            const size_t up = mic_align_up(x, alignment), down = mic_align_down(x, alignment);
            assert_true(up % alignment == 0 && up >= x && up - x < alignment);
            assert_true(down % alignment == 0 && down <= x && x - down < alignment);
        }
    }
    assert_int_equal(mic_align_down(SIZE_MAX, 4096), SIZE_MAX - 4095);
    assert_int_equal(mic_divide_up(0, 7), 0);
    assert_int_equal(mic_divide_up(14, 7), 2);
    assert_int_equal(mic_divide_up(15, 7), 3);
    assert_int_equal(mic_min(3, 5), 3);
    assert_int_equal(mic_max(3, 5), 5);
}

static void multiplication_notices_overflow(void **state)
{
    (void)state;
    size_t product = 0;
    assert_false(mic_mul_overflow(SIZE_MAX, 1, &product));
    assert_true(product == SIZE_MAX);
    assert_false(mic_mul_overflow(SIZE_MAX, 0, &product));
    assert_int_equal(product, 0);
    assert_false(mic_mul_overflow((size_t)1 << 32, ((size_t)1 << 32) - 1, &product));
    assert_true(mic_mul_overflow((size_t)1 << 32, (size_t)1 << 32, &product));
    assert_true(mic_mul_overflow(SIZE_MAX, 2, &product));
}

static void masks_cover_exactly_their_bits(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 64; n++) {
        for (unsigned at = 0; at + n <= 64; at++) {
            const uint64_t mask = mic_bit_mask(at, n);
            assert_int_equal(mic_bit_count(mask), n);
            assert_int_equal(mic_bit_lowest(mask), at);
            assert_int_equal(mic_bit_highest(mask), at + n - 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans_find_the_outermost_bits),
        cmocka_unit_test(powers_of_two),
        cmocka_unit_test(rounding),
        cmocka_unit_test(multiplication_notices_overflow),
        cmocka_unit_test(masks_cover_exactly_their_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
