/* A thread that starts guarded sampling while another one is about to: it gets the rate that it asked
   for, and does not wait while the other one is in the C library, which gets ready to unwind. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mimalloc.h"

enum { BYTES = 37 };

/* the usable size of a guarded block is what was asked for */
static bool is_sampled(void)
{
    mi_theap_t *const theap = mi_theap_get_default();
    mi_theap_guarded_set_size_bound(theap, 0, (size_t)1 << 30);
    mi_theap_guarded_set_sample_rate(theap, 1, 0);
    void *const p = mi_malloc(BYTES);
    const bool yes = mi_usable_size(p) == BYTES;
    mi_free(p);
    return yes;
}

static size_t unwound;
static bool second_is_sampled;

static void *start_too(void *arg)
{
    second_is_sampled = is_sampled();
    return arg;
}

/* Instead of the C library's. */
int backtrace(void **frames, int most);
int backtrace(void **frames, int most)
{
    pthread_t thread;
    if (unwound++ == 0 && pthread_create(&thread, NULL, start_too, NULL) == 0)
        pthread_join(thread, NULL);
    for (int i = 0; i < most; i++) frames[i] = NULL;
    return most;
}

static void who_comes_second_is_sampled(void **state)
{
    (void)state;
    assert_true(is_sampled());
    assert_true(unwound > 0);
    assert_true(second_is_sampled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_comes_second_is_sampled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
