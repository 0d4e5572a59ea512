/* fake-os */
/* Freeing's slow path: where an address lies, usable sizes, full pages, spans, other threads'
   blocks, blocks that are none, and that none of it touches errno. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/slow.h"
#include "base/config.h"
#include "fake_os.h"
#include "rt/report.h"
#include "vm/arena.h"

static int errors, last_error;

static void note_error(int error, void *arg)
{
    (void)arg;
    errors++;
    last_error = error;
}

static int setup(void **state)
{
    (void)state;
    errors = 0;
    mic_report_set_error(note_error, NULL);
    mic_collect(true);
    return 0;
}

static uint64_t used(void)
{
    mic_collect(true);
    return mic_load_relaxed(&mic_vm_counts.used_slices);
}

static void *free_there(void *p)
{
    errno = 9;
    mic_free(p);
    assert_int_equal(errno, 9);
    return NULL;
}

static void free_in_thread(void *p)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, free_there, p), 0);
    pthread_join(thread, NULL);
}

static const size_t sizes[] = {1, 100, 1024, 5000, 60000, 300000, 600000, 40 * MIC_MIB};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* Every byte of a block belongs to it, by start and by inner address. */
static void test_locate(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        char *const p = mic_malloc(sizes[s]);
        assert_non_null(p);
        const size_t usable = mic_usable_size(p);
        assert_true(usable >= sizes[s]);
        mic_located_t at;
        for (size_t i = 0; i < usable; i += 1 + usable / 100) {
            assert_true(mic_locate(p + i, &at));
            assert_ptr_equal(at.block, p);
            assert_int_equal(at.inner, i != 0);
            assert_true(mic_is_owned(p + i));
            /* no inner pointer of this page was handed out */
            assert_int_equal(mic_examine(p + i, &at) == MIC_VERDICT_OK, i == 0);
        }
        assert_true(mic_locate(p + usable - 1, &at));
        assert_ptr_equal(at.block, p);
        mic_free(p);
    }
}

static void test_not_ours(void **state)
{
    (void)state;
    char here;
    void *const foreign[] = {&here,
                             (void *)1,
                             (void *)~(uintptr_t)0,
                             (void *)((uintptr_t)1 << 63),
                             (void *)((uintptr_t)1 << 40),
                             &errors};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        mic_located_t at;
        assert_false(mic_locate(foreign[i], &at));
        assert_false(mic_is_owned(foreign[i]));
        assert_int_equal(mic_usable_size(foreign[i]), 0);
        errno = 9;
        mic_free(foreign[i]);
        assert_int_equal(errno, 9);
        /* builds that check report the question for the size too */
        assert_int_equal(errors, CFG_BITS ? 2 : 1);
        assert_int_equal(last_error, EINVAL);
        errors = 0;
    }
    mic_free(NULL);
    assert_int_equal(mic_usable_size(NULL), 0);
    assert_int_equal(errors, 0);
}

/* By the owner, in two orders, by another thread: the slices come back. */
static void test_comes_back(void **state)
{
    (void)state;
    enum { BLOCKS = 300 };
    static void *blocks[BLOCKS];
    for (size_t s = 0; s < SIZES - 1; s++) {
        for (int way = 0; way < 3; way++) {
            const uint64_t before = used();
            for (int i = 0; i < BLOCKS; i++) {
                blocks[i] = mic_malloc(sizes[s]);
                assert_non_null(blocks[i]);
                *(int *)blocks[i] = i;
            }
            errno = 9;
            for (int i = 0; i < BLOCKS; i++) {
                const int k = way == 1 ? BLOCKS - 1 - i : i;
                assert_int_equal(*(int *)blocks[k], k);
                if (way == 2 && i % 50 == 0)
                    free_in_thread(blocks[k]);
                else
                    mic_free(blocks[k]);
            }
            assert_int_equal(errno, 9);
            assert_int_equal(used(), before);
        }
    }
    assert_int_equal(errors, 0);
}

/* A full page gets a block back and serves it again. */
static void test_full_page(void **state)
{
    (void)state;
    const uint64_t before = used();
    enum { SIZE = 8192 - MIC_CANARY_BYTES, BLOCKS = 40 };
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) blocks[i] = mic_malloc(SIZE);
    mic_page_t *const page = mic_page_of(blocks[0]);
    assert_true((mic_page_owner(page) & MIC_OWNER_FULL) != 0);
    mic_free(blocks[0]);
    assert_true((mic_page_owner(page) & MIC_OWNER_FULL) == 0);
    assert_true(mic_theap_is_valid(mic_tls.theap));
    for (int i = 1; i < BLOCKS; i++) mic_free(blocks[i]);
    assert_int_equal(used(), before);
}

/* RF.20: all blocks of a full page are freed elsewhere, and its owner does nothing. */
static void test_full_page_elsewhere(void **state)
{
    (void)state;
    enum { SIZE = 8192 - MIC_CANARY_BYTES };
    const uint64_t before = used();
    char *blocks[64];
    size_t count = 0;
    while (count < 64) blocks[count++] = mic_malloc(SIZE);
    mic_page_t *const page = mic_page_of(blocks[10]);
    assert_true((mic_page_owner(page) & MIC_OWNER_FULL) != 0);
    const uint64_t full = mic_load_relaxed(&mic_vm_counts.used_slices);
    const uint32_t slices = page->slices;
    for (size_t i = 0; i < count; i++) {
        if (mic_page_of(blocks[i]) != page || i == 10) continue;
        free_in_thread(blocks[i]);
        blocks[i] = NULL;
    }
    assert_int_equal(mic_load_relaxed(&mic_vm_counts.used_slices), full);
    free_in_thread(blocks[10]);
    assert_int_equal(mic_load_relaxed(&mic_vm_counts.used_slices), full - slices);
    for (size_t i = 0; i < count; i++)
        if (i != 10) mic_free(blocks[i]);
    assert_int_equal(used(), before);
}

/* A span goes at once, whoever frees it; twice is once too often. */
static void test_span(void **state)
{
    (void)state;
    for (int there = 0; there < 2; there++) {
        const uint64_t before = used();
        void *const p = mic_malloc(100 * MIC_MIB); /* larger than any that is held */
        assert_non_null(p);
        if (there)
            free_in_thread(p);
        else
            mic_free(p);
        assert_int_equal(mic_load_relaxed(&mic_vm_counts.used_slices), before);
        assert_int_equal(errors, there);
        mic_free(p);
        assert_int_equal(errors, there + 1); /* no block of ours any more */
    }
}

static void test_remote_twice(void **state)
{
    (void)state;
    void *const keep = mic_malloc(700), *const p = mic_malloc(700);
    free_in_thread(p);
    free_in_thread(p);
    assert_int_equal(errors, 1);
    assert_int_equal(last_error, EAGAIN);
    mic_free(keep);
}

/* Pointers into blocks are freed where one was handed out. */
static void test_inner(void **state)
{
    (void)state;
    char *const plain = mic_malloc(5000);
    free_in_thread(plain + 16); /* the owner's fast path does not look */
    assert_int_equal(errors, 1);
    assert_int_equal(last_error, EINVAL);
    mic_free(plain);
    const uint64_t before = used();
    for (int there = 0; there < 2; there++) {
        char *const p = mic_alloc_aligned(3000, 1024, 8, false);
        assert_int_equal(((uintptr_t)p + 8) % 1024, 0);
        assert_true(mic_usable_size(p) >= 3000);
        if (there)
            free_in_thread(p);
        else
            mic_free(p);
    }
    assert_int_equal(errors, 1);
    assert_int_equal(used(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_locate, setup),
        cmocka_unit_test_setup(test_not_ours, setup),
        cmocka_unit_test_setup(test_comes_back, setup),
        cmocka_unit_test_setup(test_full_page, setup),
        cmocka_unit_test_setup(test_full_page_elsewhere, setup),
        cmocka_unit_test_setup(test_span, setup),
        cmocka_unit_test_setup(test_remote_twice, setup),
        cmocka_unit_test_setup(test_inner, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
