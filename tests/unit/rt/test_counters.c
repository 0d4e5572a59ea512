/* core/src/rt/counters.c: events and levels, by one thread and by several. */
#include "rt/counters.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void events_add_up(void **state)
{
    (void)state;
    const uint64_t before = mic_load_relaxed(&mic_counters[MIC_COUNT_CLAIM_ROLLBACKS]);
    mic_count(MIC_COUNT_CLAIM_ROLLBACKS, 1);
    mic_count(MIC_COUNT_CLAIM_ROLLBACKS, 41);
    assert_int_equal(mic_load_relaxed(&mic_counters[MIC_COUNT_CLAIM_ROLLBACKS]), before + 42);
}

static void a_level_knows_total_peak_and_now(void **state)
{
    (void)state;
    mic_level_t level = {0};
    assert_int_equal(mic_level_now(&level), 0);
    mic_level_up(&level, 10);
    mic_level_down(&level, 4);
    mic_level_up(&level, 3);
    assert_int_equal(mic_level_now(&level), 9);
    assert_int_equal(mic_load_relaxed(&level.peak), 10);
    assert_int_equal(mic_load_relaxed(&level.made), 13);
    mic_level_up(&level, 2);
    assert_int_equal(mic_load_relaxed(&level.peak), 11);
    mic_level_down(&level, 11);
    mic_level_restart(&level);
    assert_int_equal(mic_load_relaxed(&level.peak), 0);
    mic_level_up(&level, 1);
    assert_int_equal(mic_load_relaxed(&level.peak), 1);
    assert_int_equal(mic_load_relaxed(&level.made), 16);
}

enum { THREADS = 4, ROUNDS = 20000 };
static mic_level_t shared;

static void *up_and_down(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        mic_level_up(&shared, 3);
        mic_level_down(&shared, 2);
    }
    return NULL;
}

static void no_change_is_lost(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, up_and_down, NULL), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    const uint64_t end = THREADS * ROUNDS;
    assert_int_equal(mic_level_now(&shared), end);
    assert_int_equal(mic_load_relaxed(&shared.made), 3 * end);
    /* the last one up stood at the end plus 2; all of them were up at most */
    assert_in_range(mic_load_relaxed(&shared.peak), end, end + 3 * THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_add_up),
        cmocka_unit_test(a_level_knows_total_peak_and_now),
        cmocka_unit_test(no_change_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
