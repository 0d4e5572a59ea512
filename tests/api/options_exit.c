/* Option destroy_on_exit: what is released when, and that the process gets to its end. */
#include <pthread.h>

#include "api_test.h"

static char stderr_text[4096];

static void *use_heap(void *arg)
{
    void *const p = mi_heap_malloc((mi_heap_t *)arg, 5000);
    memset(p, 1, 5000);
    return p;
}

/* Heaps with blocks of every kind, of threads that ended and of this one. */
static mi_heap_t *populated_heap(void)
{
    mi_heap_t *const heap = mi_heap_new();
    pthread_t thread;
    if (pthread_create(&thread, NULL, use_heap, heap) != 0) _exit(90);
    pthread_join(thread, NULL);
    for (size_t size = 8; size < 3 * MIC_MIB; size *= 3)
        memset(mi_heap_malloc(heap, size), 1, size);
    return heap;
}

static void *last_words; /* of the main heap, and of one that is destroyed */

static void at_exit(void)
{
    /* our own destructor has not run yet */
    if (mi_usable_size(last_words) == 0) _exit(91);
    memset(last_words, 3, 100);
    void *const p = mi_malloc(1000);
    if (p == NULL) _exit(92);
    mi_free(p);
}

static void leave_by_exit(void *option)
{
    alarm(300); /* a deadlock ends here */
    mi_option_set(mi_option_destroy_on_exit, *(const long *)option);
    for (int i = 0; i < 5; i++) (void)populated_heap();
    last_words = mi_heap_malloc(populated_heap(), 100);
    atexit(at_exit);
    exit(7);
}

static void a_process_with_live_heaps_ends(void **state)
{
    (void)state;
    static const long values[] = {0, 1, 2, -1};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const int status = api_run_child(leave_by_exit, (void *)(uintptr_t)&values[i], stderr_text,
                                         sizeof stderr_text);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
    }
}

static void *volatile large; /* or compilers leave out the writing */

static void done_with_option(void *arg)
{
    const long option = *(const long *)arg;
    mi_option_set(mi_option_destroy_on_exit, option);
    char *const main_block = mi_malloc(100);
    api_fill(main_block, 100, 3);
    mi_heap_t *const heap = populated_heap();
    char *const heap_block = mi_heap_malloc(heap, 100);
    large = mi_heap_malloc(heap, 40 * MIC_MIB);
    memset(large, 1, 40 * MIC_MIB);
    size_t before, after;
    mi_process_info(NULL, NULL, NULL, &before, NULL, NULL, NULL, NULL);
    errno = 35;
    mi_process_done();
    if (errno != 35) _exit(1);
    mi_process_info(NULL, NULL, NULL, &after, NULL, NULL, NULL, NULL);
    const bool destroyed = option > 0;
    if (mi_any_heap_contains(heap_block) == destroyed) _exit(2);
    if (destroyed && after + 30 * MIC_MIB > before) _exit(3);
    if (!destroyed && after + 30 * MIC_MIB < before) _exit(4);
    if (!api_is_filled(main_block, 100, 3)) _exit(5);
    mi_free(main_block);
    mi_process_done(); /* again: nothing more to do */
    void *const p = mi_malloc(2000);
    if (p == NULL) _exit(6);
    mi_free(p);
    exit(0);
}

static void process_done_destroys_heaps_but_the_main_one(void **state)
{
    (void)state;
    static const long values[] = {0, 1, 2};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const int status = api_run_child(done_with_option, (void *)(uintptr_t)&values[i],
                                         stderr_text, sizeof stderr_text);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_with_live_heaps_ends),
        cmocka_unit_test(process_done_destroys_heaps_but_the_main_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
