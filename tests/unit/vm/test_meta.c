/* fake-os */
/* Permanent metadata: alignment, zeroes, committing in steps, new ranges, failures. Each case is a
   process of its own, since what is reserved stays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_os.h"
#include "fresh_process.h"
#include "vm/vm_internal.h"

#define STEP (64 * MIC_KIB)

static void run_alignment(long argument)
{
    (void)argument;
    char *last = NULL;
    for (size_t bytes = 1; bytes < 5000; bytes = bytes * 2 + 1) {
        for (size_t alignment = MIC_CACHE_LINE; alignment <= 4096; alignment *= 4) {
            char *const p = mic_meta_alloc(bytes, alignment);
            fresh_require(p != NULL && (uintptr_t)p % alignment == 0);
            fresh_require(last == NULL || p >= last); /* apart, whole cache lines each */
            for (size_t i = 0; i < bytes; i++) fresh_require(p[i] == 0);
            memset(p, 0x5a, bytes);
            last = p + (bytes + MIC_CACHE_LINE - 1) / MIC_CACHE_LINE * MIC_CACHE_LINE;
        }
    }
}

/* One reservation; memory is committed by the step, and only what is used. */
static void run_steps(long argument)
{
    (void)argument;
    fresh_require(mic_meta_init() && mic_meta_init());
    fresh_require(fake_os_count(FAKE_OS_RESERVE) == 1 && fake_os_committed_bytes() == 0);
    for (size_t used = 0; used < 10 * STEP; used += 1024) {
        fresh_require(mic_meta_alloc(1024, 64) != NULL);
        fresh_require(fake_os_committed_bytes() == (used / STEP + 1) * STEP);
    }
    fresh_require(mic_meta_alloc(3 * STEP + 1, 64) != NULL); /* more than a step at a time */
    fresh_require(fake_os_count(FAKE_OS_RESERVE) == 1);
}

/* Address space is short: all sizes down to what is needed are tried. */
static void before_limit(long limit) { fake_os_settings.reserve_limit = (size_t)limit; }

static void run_limit(long limit)
{
    fresh_require(mic_meta_alloc(100, 64) != NULL);
    fresh_require(fake_os_reserved_bytes() <= (size_t)limit);
    fresh_require(2 * fake_os_reserved_bytes() > (size_t)limit / 2);
    /* what does not fit into one range needs another */
    const size_t count = 3 * (size_t)limit / STEP;
    for (size_t i = 0; i < count; i++) {
        char *const p = mic_meta_alloc(STEP - 64, 64);
        fresh_require(p != NULL && p[0] == 0);
        memset(p, 1, STEP - 64);
    }
    errno = 7;
    fresh_require(mic_meta_alloc((size_t)limit + STEP, 64) == NULL); /* larger than any range */
    fresh_require(mic_meta_alloc(100, 64) != NULL && errno == 7);
}

/* Nothing is had, or no memory: NULL, and it works afterwards, without a hole. */
static void run_failures(long argument)
{
    (void)argument;
    fake_os_fail(FAKE_OS_RESERVE, 1, ENOMEM, true);
    fresh_require(!mic_meta_init());
    fresh_require(mic_meta_alloc(100, 64) == NULL);
    fake_os_fail(FAKE_OS_COMMIT, 1, ENOMEM, true);
    fresh_require(mic_meta_init());
    fresh_require(mic_meta_alloc(100, 64) == NULL && mic_meta_alloc(100, 64) == NULL);
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    char *const p = mic_meta_alloc(128, 64);
    fresh_require(p != NULL);
    fake_os_fail(FAKE_OS_COMMIT, 1, ENOMEM, true);
    fresh_require(mic_meta_alloc(STEP, 64) == NULL); /* the rest of the step is not enough */
    fresh_require(mic_meta_alloc(128, 64) == p + 128);
    fake_os_fail(FAKE_OS_ANY, 0, 0, false);
    fresh_require(mic_meta_alloc(STEP, 64) == (void *)(p + 256));
    fresh_require(fake_os_count(FAKE_OS_UNRESERVE) == 0);
}

const fresh_case_t fresh_cases[] = {{"alignment", NULL, run_alignment},
                                    {"steps", NULL, run_steps},
                                    {"limit", before_limit, run_limit},
                                    {"failures", NULL, run_failures},
                                    {NULL, NULL, NULL}};

static void test_alignment(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("alignment", 0), 0);
}
static void test_steps(void **state) { (void)state, assert_int_equal(fresh_run("steps", 0), 0); }
static void test_limit(void **state)
{
    (void)state;
    for (long limit = (long)STEP; limit <= 64 * (long)MIC_MIB; limit *= 32)
        assert_int_equal(fresh_run("limit", limit), 0);
}
static void test_failures(void **state)
{
    (void)state;
    assert_int_equal(fresh_run("failures", 0), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1) return fresh_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
