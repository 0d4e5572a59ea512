/* fake-os */
/* Memory that was used before and is to be zero: cleared, or given back and taken fresh. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "alloc/slow.h"
#include "fake_os.h"

/* A block that was written to and freed, and the next one, zeroed. Returns how often memory was
   given back in between. */
static size_t purges_of_calloc(size_t bytes, bool resident)
{
    unsigned char *p = mic_alloc_slow_in(mic_tls.theap, bytes, false);
    assert_non_null(p);
    memset(p, 0xa5, bytes);
    mic_free(p);
    fake_os_settings.nothing_resident = !resident;
    fake_os_forget();
    p = mic_alloc_slow_in(mic_tls.theap, bytes, true);
    const size_t purges = fake_os_count(FAKE_OS_PURGE);
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != 0) fail_msg("byte %zu of %zu is not zero", i, bytes);
    mic_free(p);
    mic_collect(true);
    return purges;
}

static void test_cleared_or_purged(void **state)
{
    (void)state;
    if (CFG_SECURE) skip(); /* freed spans are held back: the next one is another */
    assert_int_equal(purges_of_calloc((size_t)100 << 10, false), 0);
    assert_int_equal(purges_of_calloc((size_t)1 << 20, true), 0);
    assert_int_equal(purges_of_calloc((size_t)1 << 20, false), 1);
    assert_int_equal(purges_of_calloc(((size_t)1 << 20) + 100, false), 1); /* and the rest */
    assert_int_equal(purges_of_calloc((size_t)5 << 20, true), 1);
}

/* Memory that the program has locked cannot be given back. */
static void test_refused(void **state)
{
    (void)state;
    if (CFG_SECURE) skip();
    unsigned char *p = mic_alloc_slow_in(mic_tls.theap, (size_t)1 << 20, false);
    memset(p, 0xa5, (size_t)1 << 20);
    mic_free(p);
    fake_os_settings.nothing_resident = true;
    fake_os_fail(FAKE_OS_PURGE, 1, EINVAL, true);
    p = mic_alloc_slow_in(mic_tls.theap, (size_t)1 << 20, true);
    assert_true(fake_os_failures() > 0);
    for (size_t i = 0; i < (size_t)1 << 20; i++) assert_int_equal(p[i], 0);
    fake_os_reset();
    mic_free(p);
}

/* Hardened: a freed span reads as zero when its memory cannot be given back, also where the system
   says that nothing is there, as of what is swapped out. */
static void test_freed_and_refused(void **state)
{
    (void)state;
    enum { HIDDEN = 16 << 10, BYTES = 1 << 20, MORE = 100 << 20 };
    if (!CFG_HARDENED) skip();
    for (size_t bytes = BYTES; bytes <= MORE; bytes += MORE - BYTES) {
        unsigned char *const p = mic_alloc_slow_in(mic_tls.theap, bytes, false);
        assert_non_null(p);
        memset(p, 0xa5, bytes / 2);
        fake_os_settings.nothing_resident = true;
        fake_os_fail(FAKE_OS_PURGE, 1, EPERM, true);
        mic_free(p);
        assert_true(fake_os_failures() > 0);
        for (size_t i = HIDDEN; i < bytes; i += 61)
            if (p[i] != 0) fail_msg("byte %zu of %zu is not zero", i, bytes);
        fake_os_reset();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cleared_or_purged),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_freed_and_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
