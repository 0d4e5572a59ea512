/* core/src/rt/check.c and base/check.h: what a failed check prints, and which levels are on. */
/* fake-os */
#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_os.h"
#include "rt/options.h"

static int setup(void **state)
{
    (void)state;
    fake_os_reset();
    return 0;
}

static void a_failed_check_says_what_and_where_and_stops(void **state)
{
    (void)state;
    fake_os_expect_abort(mic_check_failed("1 == 2", "/long/way/core/src/page/remote.c", 77));
    assert_string_equal(fake_os_stderr(), "mimalloc: check failed at page/remote.c:77: 1 == 2\n");
    assert_int_equal(fake_os_stderr_writes(), 1);
    fake_os_clear_stderr();
    fake_os_expect_abort(mic_check_failed("x", "plain.c", 1));
    assert_string_equal(fake_os_stderr(), "mimalloc: check failed at plain.c:1: x\n");
}

static void long_conditions_are_cut(void **state)
{
    (void)state;
    char what[2000];
    memset(what, 'x', sizeof what);
    what[sizeof what - 1] = 0;
    fake_os_expect_abort(mic_check_failed(what, "a.c", 1));
    const size_t length = strlen(fake_os_stderr());
    assert_true(length > 400 && length < 520);
    assert_int_equal(fake_os_stderr()[length - 1], '\n');
}

static void require_holds_in_every_build(void **state)
{
    (void)state;
    volatile int one = 1;
    mic_require(one == 1);
    fake_os_expect_abort(mic_require(one == 2));
    assert_non_null(strstr(fake_os_stderr(), "one == 2"));
}

static void assert_follows_the_build(void **state)
{
    (void)state;
    volatile int one = 1;
    mic_assert(one == 1);
    if (CFG_ASSERT) {
        fake_os_expect_abort(mic_assert(one == 2));
    } else {
        mic_assert(one == 2);
    }
}

static void deep_checks_are_switched_at_run_time(void **state)
{
    (void)state;
    volatile int one = 1;
    mic_option_set(MIC_OPTION_DEBUG_DEEP, 0);
    assert_false(mic_deep_enabled);
    mic_assert_deep(one == 2);
    mic_option_set(MIC_OPTION_DEBUG_DEEP, 1);
    assert_true(mic_deep_enabled);
    if (CFG_DEBUG) {
        fake_os_expect_abort(mic_assert_deep(one == 2));
    } else {
        mic_assert_deep(one == 2);
    }
    mic_option_set(MIC_OPTION_DEBUG_DEEP, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_failed_check_says_what_and_where_and_stops, setup),
        cmocka_unit_test_setup(long_conditions_are_cut, setup),
        cmocka_unit_test_setup(require_holds_in_every_build, setup),
        cmocka_unit_test_setup(assert_follows_the_build, setup),
        cmocka_unit_test_setup(deep_checks_are_switched_at_run_time, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
