/* core/src/diag/text.c: numbers as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/config.h"
#include "diag/diag.h"

static char text[MIC_DIAG_TEXT_BYTES];

static void bytes_have_a_unit(void **state)
{
    (void)state;
    assert_string_equal(mic_diag_bytes(0, text), "0 B");
    assert_string_equal(mic_diag_bytes(1023, text), "1023 B");
    assert_string_equal(mic_diag_bytes(1024, text), "1.0 KiB");
    assert_string_equal(mic_diag_bytes(1536, text), "1.5 KiB");
    assert_string_equal(mic_diag_bytes(1024 * 1024 - 1, text), "1.0 MiB"); /* not 1024.0 KiB */
    assert_string_equal(mic_diag_bytes(12 * MIC_MIB, text), "12.0 MiB");
    assert_string_equal(mic_diag_bytes(MIC_GIB * 1024, text), "1.0 TiB");
    assert_string_equal(mic_diag_bytes(SIZE_MAX, text), "16.0 EiB");
    for (size_t shift = 0; shift < 64; shift++) {
        for (size_t less = 0; less < 3; less++) {
            mic_diag_bytes(((size_t)1 << shift) - less, text);
            assert_true(text[0] >= '0' && text[0] <= '9');
        }
    }
}

static void counts_have_separators(void **state)
{
    (void)state;
    assert_string_equal(mic_diag_count(0, text), "0");
    assert_string_equal(mic_diag_count(999, text), "999");
    assert_string_equal(mic_diag_count(1000, text), "1,000");
    assert_string_equal(mic_diag_count(123456, text), "123,456");
    assert_string_equal(mic_diag_count(SIZE_MAX, text), "18,446,744,073,709,551,615");
}

static void times_are_seconds(void **state)
{
    (void)state;
    assert_string_equal(mic_diag_seconds(0, text), "0.000 s");
    assert_string_equal(mic_diag_seconds(1, text), "0.001 s");
    assert_string_equal(mic_diag_seconds(83250, text), "83.250 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_a_unit),
        cmocka_unit_test(counts_have_separators),
        cmocka_unit_test(times_are_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
