/* operator new in a process without a C++ runtime: there is nobody to throw, so it reports and
   aborts. tests/api/cxx_new.c has the other side. */
#include <signal.h>

#include "api_test.h"

static void run_new(void *arg)
{
    (void)arg;
    mi_option_enable(mi_option_show_errors);
    (void)!mi_new(API_HUGE);
}

static void run_new_aligned(void *arg)
{
    (void)arg;
    mi_option_enable(mi_option_show_errors);
    (void)!mi_new_aligned(API_HUGE, 64);
}

static void run_new_n(void *arg)
{
    (void)arg;
    mi_option_enable(mi_option_show_errors);
    (void)!mi_new_n(API_HUGE, 4);
}

static void run_new_realloc(void *arg)
{
    (void)arg;
    mi_option_enable(mi_option_show_errors);
    (void)!mi_new_realloc(mi_malloc(10), API_HUGE);
}

static void expect_abort(void (*run)(void *arg))
{
    char text[4000];
    const int status = api_run_child(run, NULL, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "mimalloc: error: operator new: no memory for "));
    assert_non_null(strstr(text, "no C++ runtime to throw\n"));
}

void cxx_throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv");
#pragma weak cxx_throw_bad_alloc

static void throwing_functions_abort(void **state)
{
    (void)state;
    if (cxx_throw_bad_alloc != NULL) skip(); /* a sanitizer brought the runtime along */
    expect_abort(run_new);
    expect_abort(run_new_aligned);
    expect_abort(run_new_n);
    expect_abort(run_new_realloc);
}

static void nothrow_functions_return_null(void **state)
{
    (void)state;
    api_assert_fails(mi_new_nothrow(API_HUGE), ENOMEM);
    api_assert_fails(mi_new_aligned_nothrow(API_HUGE, 64), ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(throwing_functions_abort),
        cmocka_unit_test(nothrow_functions_return_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
