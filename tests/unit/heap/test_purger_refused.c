/* fake-os */
/* The system does not let us make a thread: nobody notices, and it is not tried again and again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "fake_os.h"
#include "mimalloc-options.h"
#include "mimalloc.h"

static void grow(void)
{
    void *blocks[64];
    for (int i = 0; i < 64; i++) {
        blocks[i] = mi_malloc(100000);
        assert_non_null(blocks[i]);
    }
    for (int i = 0; i < 64; i++) mi_free(blocks[i]);
    void *const span = mi_malloc(4000000);
    assert_non_null(span);
    mi_free(span);
}

static void test_refused(void **state)
{
    (void)state;
    fake_os_reset();
    grow();
    assert_int_equal(fake_os_settings.thread_starts, 0);
    errno = 12345;
    mi_option_enable(mi_option_purge_thread);
    for (int i = 0; i < 20; i++) grow();
    assert_int_equal(errno, 12345);
    assert_int_equal(fake_os_settings.thread_starts, 1);
    assert_string_equal(fake_os_stderr(), "");
    /* a program that says it again means it */
    mi_option_disable(mi_option_purge_thread);
    mi_option_enable(mi_option_purge_thread);
    for (int i = 0; i < 20; i++) grow();
    assert_int_equal(fake_os_settings.thread_starts, 2);
}

/* Not in a signal handler's or a lock's way: only where nothing is held, and never on a free. */
static void test_not_before_it_is_needed(void **state)
{
    (void)state;
    fake_os_reset();
    mi_collect(true); /* little is held now */
    mi_option_disable(mi_option_purge_thread);
    mi_option_enable(mi_option_purge_thread);
    void *const small = mi_malloc(100);
    assert_int_equal(fake_os_settings.thread_starts, 0);
    void *const span = mi_malloc(4000000); /* may grow unseen */
    assert_int_equal(fake_os_settings.thread_starts, 1);
    mi_free(span);
    mi_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_not_before_it_is_needed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
