/* operator new from C. The library refers to the C++ runtime weakly, so this program can be one: it
   defines what std::get_new_handler and the throwing function are called in the binary interface.
   Without a runtime: tests/death/new_without_cxx.c. */
#include "api_test.h"

typedef void handler_fun(void);

static handler_fun *installed;
static jmp_buf catcher;
static int calls;

handler_fun *cxx_get_new_handler(void) __asm__("_ZSt15get_new_handlerv");
handler_fun *cxx_get_new_handler(void) { return installed; }

_Noreturn void cxx_throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv");
_Noreturn void cxx_throw_bad_alloc(void) { longjmp(catcher, 1); }

/* gives up at the third call */
static void handler_three(void)
{
    if (++calls == 3) installed = NULL;
}

static void handler_throws(void)
{
    calls++;
    longjmp(catcher, 2);
}

/* True if the call throws: std::bad_alloc, or what the handler throws. */
#define THROWS(call) (setjmp(catcher) != 0 || ((void)!(call), false))

static int setup(void **state)
{
    (void)state;
    installed = NULL;
    calls = 0;
    return 0;
}

static void new_allocates(void **state)
{
    (void)state;
    for (size_t size = 0; size < 5000000; size = size * 3 / 2 + 1) {
        void *p;
        api_assert_works(p, mi_new(size));
        assert_true(mi_usable_size(p) >= size);
        mi_free(p);
        api_assert_works(p, mi_new_nothrow(size));
        mi_free(p);
        api_assert_works(p, mi_new_aligned(size, 128));
        api_assert_aligned(p, 128);
        mi_free(p);
        api_assert_works(p, mi_new_aligned_nothrow(size, 128));
        api_assert_aligned(p, 128);
        mi_free(p);
        api_assert_works(p, mi_new_n(size, 2));
        assert_true(mi_usable_size(p) >= size * 2);
        api_fill(p, size * 2, 1);
        api_assert_works(p, mi_new_realloc(p, size * 3));
        assert_true(api_is_filled(p, size * 2, 1));
        api_assert_works(p, mi_new_reallocn(p, size, 4));
        assert_true(api_is_filled(p, size * 2, 1));
        mi_free(p);
    }
}

static void without_handler_it_throws(void **state)
{
    (void)state;
    assert_true(THROWS(mi_new(API_HUGE)));
    assert_true(THROWS(mi_new_aligned(API_HUGE, 64)));
    assert_true(THROWS(mi_new_n(API_HUGE, 1)));
    assert_true(THROWS(mi_new_n(API_HUGE, 4)));
    assert_true(THROWS(mi_new_realloc(NULL, API_HUGE)));
    assert_true(THROWS(mi_new_reallocn(NULL, API_HUGE, 4)));
}

static void nothrow_returns_null(void **state)
{
    (void)state;
    api_assert_fails(mi_new_nothrow(API_HUGE), ENOMEM);
    api_assert_fails(mi_new_aligned_nothrow(API_HUGE, 64), ENOMEM);
}

static void the_handler_is_asked_again_and_again(void **state)
{
    (void)state;
    installed = handler_three;
    assert_true(THROWS(mi_new(API_HUGE)));
    assert_int_equal(calls, 3);

    calls = 0, installed = handler_three;
    assert_true(THROWS(mi_new_aligned(API_HUGE, 64)));
    assert_int_equal(calls, 3);

    calls = 0, installed = handler_three;
    assert_null(mi_new_nothrow(API_HUGE));
    assert_int_equal(calls, 3);

    calls = 0, installed = handler_three;
    assert_null(mi_new_aligned_nothrow(API_HUGE, 64));
    assert_int_equal(calls, 3);

    calls = 0, installed = handler_three;
    void *const p = mi_malloc(10);
    assert_true(THROWS(mi_new_realloc(p, API_HUGE)));
    assert_int_equal(calls, 3);
    api_use_all(p); /* still there */
    mi_free(p);
}

static void the_handler_may_throw(void **state)
{
    (void)state;
    installed = handler_throws;
    assert_true(THROWS(mi_new(API_HUGE)));
    assert_int_equal(calls, 1);
}

static void overflow_asks_the_handler_once(void **state)
{
    (void)state;
    installed = handler_three;
    assert_true(THROWS(mi_new_n(API_HUGE, 4)));
    assert_int_equal(calls, 1);
    assert_true(THROWS(mi_new_reallocn(NULL, API_HUGE, 4)));
    assert_int_equal(calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(new_allocates, setup),
        cmocka_unit_test_setup(without_handler_it_throws, setup),
        cmocka_unit_test_setup(nothrow_returns_null, setup),
        cmocka_unit_test_setup(the_handler_is_asked_again_and_again, setup),
        cmocka_unit_test_setup(the_handler_may_throw, setup),
        cmocka_unit_test_setup(overflow_asks_the_handler_once, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
