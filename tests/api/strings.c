/* Copies of strings, paths and environment variables. */
#include <limits.h>
#include <unistd.h>
#include <wchar.h>

#include "api_test.h"

static void strdup_copies(void **state)
{
    (void)state;
    char text[5000];
    for (size_t length = 0; length < sizeof text; length = length * 2 + 1) {
        memset(text, 'x', length);
        text[length] = 0;
        char *copy;
        api_assert_works(copy, mi_strdup(text));
        assert_string_equal(copy, text);
        assert_true(mi_usable_size(copy) > length);
        mi_free(copy);
        unsigned char *bytes;
        api_assert_works(bytes, mi_mbsdup((const unsigned char *)text));
        assert_string_equal((char *)bytes, text);
        mi_free(bytes);
    }
    assert_null(mi_strdup(NULL));
    assert_null(mi_mbsdup(NULL));
}

static void strndup_copies_at_most_n(void **state)
{
    (void)state;
    static const char text[] = "a line of text";
    char *copy;
    for (size_t n = 0; n < 30; n++) {
        api_assert_works(copy, mi_strndup(text, n));
        const size_t length = n < strlen(text) ? n : strlen(text);
        assert_int_equal(strlen(copy), length);
        assert_memory_equal(copy, text, length);
        mi_free(copy);
    }
    /* n bytes without a terminator are enough */
    const char raw[4] = {'a', 'b', 'c', 'd'};
    api_assert_works(copy, mi_strndup(raw, sizeof raw));
    assert_string_equal(copy, "abcd");
    mi_free(copy);
    api_assert_works(copy, mi_strndup(text, api_opaque(SIZE_MAX)));
    assert_string_equal(copy, text);
    mi_free(copy);
    assert_null(mi_strndup(NULL, 5));
}

static void wcsdup_copies(void **state)
{
    (void)state;
    wchar_t *copy;
    api_assert_works(copy, mi_wcsdup(L"wide \u20ac"));
    assert_int_equal(wcscmp(copy, L"wide \u20ac"), 0);
    mi_free(copy);
    api_assert_works(copy, mi_wcsdup(L""));
    assert_int_equal(copy[0], 0);
    mi_free(copy);
    assert_null(mi_wcsdup(NULL));
}

static void realpath_resolves(void **state)
{
    (void)state;
    char buffer[PATH_MAX], here[PATH_MAX];
    char *path = mi_realpath("/usr/../usr/./bin/..", NULL);
    assert_string_equal(path, "/usr");
    assert_true(mi_any_heap_contains(path));
    mi_free(path);
    assert_ptr_equal(mi_realpath("/usr/../usr", buffer), buffer);
    assert_string_equal(buffer, "/usr");
    path = mi_realpath(".", NULL);
    assert_non_null(path);
    assert_string_equal(path, realpath(".", here));
    mi_free(path);
    api_assert_fails(mi_realpath("/there/is/no/such/file", NULL), ENOENT);
    api_assert_fails(mi_realpath("/there/is/no/such/file", buffer), ENOENT);
    api_assert_fails(mi_realpath("", NULL), ENOENT);
}

static void dupenv_copies(void **state)
{
    (void)state;
    char *value = NULL;
    size_t size = 77;
    assert_int_equal(setenv("API_TEST_VARIABLE", "a value", 1), 0);
    errno = 5;
    assert_int_equal(mi_dupenv_s(&value, &size, "API_TEST_VARIABLE"), 0);
    assert_string_equal(value, "a value");
    assert_int_equal(size, 8);
    mi_free(value);
    assert_int_equal(mi_dupenv_s(&value, NULL, "API_TEST_VARIABLE"), 0);
    assert_string_equal(value, "a value");
    mi_free(value);

    assert_int_equal(unsetenv("API_TEST_VARIABLE"), 0);
    assert_int_equal(mi_dupenv_s(&value, &size, "API_TEST_VARIABLE"), 0);
    assert_null(value);
    assert_int_equal(size, 0);
    assert_int_equal(mi_dupenv_s(NULL, &size, "HOME"), EINVAL);
    assert_int_equal(mi_dupenv_s(&value, &size, NULL), EINVAL);
    assert_int_equal(errno, 5);

    wchar_t *wide = L"";
    size = 77;
    assert_int_equal(mi_wdupenv_s(&wide, &size, L"HOME"), EINVAL);
    assert_null(wide);
    assert_int_equal(size, 0);
    assert_int_equal(mi_wdupenv_s(NULL, NULL, L"HOME"), EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strdup_copies), cmocka_unit_test(strndup_copies_at_most_n),
        cmocka_unit_test(wcsdup_copies), cmocka_unit_test(realpath_resolves),
        cmocka_unit_test(dupenv_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
