/* fake-os */
/* Every operation under "the n-th call to the operating system fails", for n = 1 and up until
   nothing fails any more: it works or says ENOMEM, contents stay, nothing is leaked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "fake_os.h"
#include "fresh_process.h"
#include "heap/thread.h"
#include "vm/arena.h"

#define STEPS_MAX 400

static const size_t sizes[] = {1,
                               16,
                               1000,
                               1024,
                               1025,
                               8192,
                               8193,
                               65536,
                               65537,
                               524288,
                               524289,
                               1000000,
                               4 << 20,
                               5 << 20,
                               (size_t)33 << 20,
                               (size_t)64 << 20,
                               (size_t)100 << 20};
#define SIZES (sizeof sizes / sizeof sizes[0])

static uint64_t used(void)
{
    mic_collect(true);
    return mic_load_relaxed(&mic_vm_counts.used_slices);
}

static void check_result(const void *p)
{
    if (p == NULL)
        fresh_require(errno == ENOMEM);
    else
        fresh_require(errno == 0);
}

static size_t kept; /* bytes of the live block that must still be there */

/* one operation on a live block of `bytes`; returns the block that is live afterwards */
typedef void *operation(void *block, size_t bytes);

static void *op_malloc(void *block, size_t bytes)
{
    errno = 0;
    char *const p = mic_malloc(bytes);
    check_result(p);
    if (p != NULL) {
        p[0] = p[bytes - 1] = 1;
        mic_free(p);
    }
    return block;
}

static void *op_zalloc(void *block, size_t bytes)
{
    errno = 0;
    char *const p = mic_zalloc(bytes);
    check_result(p);
    if (p != NULL) {
        for (size_t i = 0; i < bytes; i += i < MIC_MIB ? 64 : 50000) fresh_require(p[i] == 0);
        fresh_require(p[bytes - 1] == 0);
        memset(p, 0xaa, bytes < 100000 ? bytes : 100000);
        mic_free(p);
    }
    return block;
}

static void *op_aligned(void *block, size_t bytes)
{
    for (size_t alignment = 32; alignment <= (size_t)64 << 20; alignment *= 8) {
        errno = 0;
        char *const p = mic_alloc_aligned(bytes, alignment, 0, false);
        check_result(p);
        fresh_require(((uintptr_t)p & (alignment - 1)) == 0);
        mic_free(p);
        errno = 0;
        char *const q = mic_alloc_aligned(bytes, alignment, 8, true);
        check_result(q);
        if (q != NULL) fresh_require((((uintptr_t)q + 8) & (alignment - 1)) == 0 && q[0] == 0);
        mic_free(q);
    }
    return block;
}

static void *op_grow(void *block, size_t bytes)
{
    errno = 0;
    char *const p = mic_realloc(block, bytes * 2, false);
    check_result(p);
    return p != NULL ? p : block;
}

static void *op_shrink(void *block, size_t bytes)
{
    errno = 0;
    char *const p = mic_realloc(block, bytes / 3 + 1, false);
    check_result(p);
    if (p != NULL) kept = bytes / 3 + 1;
    return p != NULL ? p : block;
}

static operation *const operations[] = {op_malloc, op_zalloc, op_aligned, op_grow, op_shrink};

/* Of large blocks few bytes (zalloc too): each is a fault of the system, for each n. */
static size_t next_byte(size_t i) { return i + (i < MIC_MIB ? 1000 : 50000); }
static void fill(char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i = next_byte(i)) p[i] = (char)(i / 1000);
}
static void check(const char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i = next_byte(i)) fresh_require(p[i] == (char)(i / 1000));
}

/* argument: operation * 2 + (all that follow fail too) */
static void run_operation(long argument)
{
    operation *const op = operations[argument / 2];
    const bool all = argument % 2 != 0;
    fresh_require(mic_malloc(1) != NULL);
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = 1;
        for (; n < STEPS_MAX; n++) {
            const uint64_t before = used();
            char *block = mic_malloc(sizes[s]);
            fresh_require(block != NULL);
            fill(block, sizes[s]);
            kept = sizes[s];
            fake_os_fail(FAKE_OS_ANY, n, ENOMEM, all);
            block = op(block, sizes[s]);
            const size_t failures = fake_os_failures();
            fake_os_fail(FAKE_OS_ANY, 0, 0, false);
            fresh_require(mic_usable_size(block) >= kept);
            check(block, kept);
            mic_free(block);
            fresh_require(used() == before);
            if (failures == 0) break;
            /* and afterwards everything works */
            char *const p = mic_zalloc(sizes[s]);
            fresh_require(p != NULL && p[0] == 0 && p[sizes[s] - 1] == 0);
            mic_free(p);
            fresh_require(mic_theap_is_valid(mic_tls.theap));
        }
        fresh_require(n < STEPS_MAX);
    }
}

const fresh_case_t fresh_cases[] = {{"operation", NULL, run_operation}, {NULL, NULL, NULL}};

static void run_all(long i) { assert_int_equal(fresh_run("operation", i), 0); }
static void fail_malloc(void **state) { (void)state, run_all(0), run_all(1); }
static void fail_zalloc(void **state) { (void)state, run_all(2), run_all(3); }
static void fail_aligned(void **state) { (void)state, run_all(4), run_all(5); }
static void fail_grow(void **state) { (void)state, run_all(6), run_all(7); }
static void fail_shrink(void **state) { (void)state, run_all(8), run_all(9); }

int main(int argc, char **argv)
{
    if (argc > 1) return fresh_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_malloc),  cmocka_unit_test(fail_zalloc),
        cmocka_unit_test(fail_aligned), cmocka_unit_test(fail_grow),
        cmocka_unit_test(fail_shrink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
