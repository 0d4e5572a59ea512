/* core/src/rt/format.c: everything it understands, next to what stdio makes of it. */
#include "rt/report.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char text[128];

/* ours and the C library's agree on the text and on its length */
#define SAME(...)                                                                                  \
    do {                                                                                           \
        char expected[128];                                                                        \
        const int length = snprintf(expected, sizeof expected, __VA_ARGS__);                       \
        assert_int_equal(mic_format(text, sizeof text, __VA_ARGS__), length);                      \
        assert_string_equal(text, expected);                                                       \
    } while (0)

static void numbers(void **state)
{
    (void)state;
    SAME("%d %i %d", 0, -1, INT_MAX);
    SAME("%d|%ld|%lld", INT_MIN, LONG_MIN, LLONG_MAX);
    SAME("%u %lu %zu %llu", UINT_MAX, ULONG_MAX, SIZE_MAX, ULLONG_MAX);
    SAME("%x %lx %zx", 0xdeadbeefu, ULONG_MAX, (size_t)255);
    SAME("%5d|%-5d|%05d|%05d|%1d", 42, 42, 42, -42, 12345);
    SAME("%*d|%-*d|%08x", 6, 7, 6, 7, 0xabcu);
}

static void strings(void **state)
{
    (void)state;
    SAME("%s|%10s|%-10s|%2s", "abc", "abc", "abc", "abc");
    SAME("%.2s|%.*s|%5.1s|%.0s|", "abc", 2, "xyz", "abc", "abc");
    SAME("%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd');
    SAME("100%% of %s", "it");
    SAME("%p", (void *)text);
    mic_format(text, sizeof text, "%p", (void *)NULL);
    assert_string_equal(text, "0x0");
    const char *volatile none = NULL; /* out of the compiler's sight */
    mic_format(text, sizeof text, "%s", none);
    assert_string_equal(text, "(null)");
}

static void a_string_is_not_read_beyond_its_precision(void **state)
{
    (void)state;
    const char unterminated[3] = {'a', 'b', 'c'};
    mic_format(text, sizeof text, "%.*s", 3, unterminated);
    assert_string_equal(text, "abc");
}

static void what_does_not_fit_is_cut_and_counted(void **state)
{
    (void)state;
    memset(text, '#', sizeof text);
    assert_int_equal(mic_format(text, 4, "%s", "abcdef"), 6);
    assert_string_equal(text, "abc");
    assert_int_equal(text[4], '#');
    assert_int_equal(mic_format(text, 1, "%d", 123), 3);
    assert_string_equal(text, "");
    text[0] = '#';
    assert_int_equal(mic_format(text, 0, "%d", 123), 3);
    assert_int_equal(text[0], '#');
    assert_int_equal(mic_format(NULL, 0, "%0200d", 1), 200);
}

static void what_is_not_understood_is_shown(void **state)
{
    (void)state;
    const char *volatile format = "%q %"; /* out of the compiler's sight */
    mic_format(text, sizeof text, format, 0);
    assert_string_equal(text, "%q %");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(strings),
        cmocka_unit_test(a_string_is_not_read_beyond_its_precision),
        cmocka_unit_test(what_does_not_fit_is_cut_and_counted),
        cmocka_unit_test(what_is_not_understood_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
