/* Freeing and resizing what is not a block: reported with the exact message, then ignored. Secure
   builds stop instead when nobody handles errors. */
#include <pthread.h>
#include <signal.h>

#include "api_test.h"

static char static_area[128];

typedef struct pointer_case {
    const char *name;
    void *p;
    size_t class_bytes;
} pointer_case_t;

static size_t cases(pointer_case_t all[16], char *stack)
{
    static char *big;
    if (big == NULL) big = mi_malloc(1 << 20);
    const pointer_case_t list[] = {
        {"static memory", static_area, 0},
        {"static memory, not aligned", static_area + 3, 0},
        {"the stack", stack, 0},
        {"a function", (void *)(uintptr_t)&cases, 0},
        {"not canonical", (void *)((uintptr_t)0xdead << 48 | 0x1230), 0},
        {"all ones", (void *)~(uintptr_t)0, 0},
        {"a small number", (void *)16, 0},
        {"an odd number", (void *)1, 0},
        {"far behind our blocks", big + ((size_t)1 << 36), 0},
        /* the fast path does not check pointers into the first 64 KiB */
        {"inside a big block", big + 2 * MIC_SLICE_BYTES, 1 << 20},
        {"inside a big block, not aligned", big + MIC_SLICE_BYTES + 7777, 1 << 20},
    };
    memcpy(all, list, sizeof list);
    return sizeof list / sizeof list[0];
}

/* class_bytes: of the block that the pointer points into, 0: none */
static void expect_report(const char *name, const char *verb, const void *p, size_t class_bytes)
{
    char expected[200];
    if (class_bytes == 0)
        snprintf(expected, sizeof expected,
                 "mimalloc: error: %s of %p, which is not a block of this allocator\n", verb, p);
    else
        snprintf(expected, sizeof expected,
                 "mimalloc: error: %s of %p, which is not the start of a block "
                 "(%zu bytes, heap 0)\n",
                 verb, p, class_bytes);
    if (strcmp(api_record.text, expected) != 0)
        fail_msg("%s: got '%s', expected '%s'", name, api_record.text, expected);
    assert_int_equal(api_record.errors, 1);
    assert_int_equal(api_record.last_error, EINVAL);
}

static void free_is_reported_and_ignored(void **state)
{
    (void)state;
    char stack[64] = {0};
    pointer_case_t all[16];
    const size_t count = cases(all, stack);
    for (size_t i = 0; i < count; i++) {
        api_record_start();
        errno = 71;
        mi_free(all[i].p);
        assert_int_equal(errno, 71);
        api_record_stop();
        expect_report(all[i].name, "free", all[i].p, all[i].class_bytes);
    }
    assert_true(api_is_zero(stack, sizeof stack));
    assert_true(api_is_zero(static_area, sizeof static_area));
    mi_free(mi_malloc(100)); /* all is well */
}

static void realloc_is_reported_and_null(void **state)
{
    (void)state;
    char stack[64] = {0};
    pointer_case_t all[16];
    const size_t count = cases(all, stack);
    for (size_t i = 0; i < count; i++) {
        api_record_start();
        api_assert_fails(mi_realloc(all[i].p, 100), EINVAL);
        api_record_stop();
        expect_report(all[i].name, "realloc", all[i].p, all[i].class_bytes);

        api_record_start();
        api_assert_fails(mi_realloc_aligned(all[i].p, 100, 64), EINVAL);
        api_record_stop();
        expect_report(all[i].name, "realloc", all[i].p, all[i].class_bytes);

        api_record_start();
        api_assert_fails(mi_reallocf(all[i].p, 100), EINVAL);
        api_record_stop();
        assert_int_equal(api_record.last_error, EINVAL);
    }
    assert_true(api_is_zero(static_area, sizeof static_area));
}

static void *free_there(void *p)
{
    mi_free(p);
    return NULL;
}

/* In release builds the local fast path does not check, but a free of another thread's block looks. */
static void interior_pointers_of_other_threads_are_reported(void **state)
{
    (void)state;
    char *const p = mi_malloc(1000);
    api_fill(p, 1000, 1);
    api_record_start();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, free_there, p + 16), 0);
    pthread_join(thread, NULL);
    api_record_stop();
    expect_report("interior, remote", "free", p + 16, 1024);
    assert_true(api_is_filled(p, 1000, 1));
    mi_free(p);
}

static void silent_child(void *arg)
{
    mi_free(static_area);
    mi_free(arg);
    mi_free(mi_malloc(10));
}

static void loud_child(void *arg)
{
    mi_option_enable(mi_option_show_errors);
    silent_child(arg);
}

static void without_callbacks(void **state)
{
    (void)state;
    char text[4000];
    int status = api_run_child(silent_child, &status, text, sizeof text);
    if (API_CANARY) {
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    } else {
        assert_int_equal(status, 0);
        if (!CFG_SHOW_ERRORS) assert_string_equal(text, "");
    }
    status = api_run_child(loud_child, &status, text, sizeof text);
    assert_int_equal(status == 0, !API_CANARY);
    char expected[200];
    snprintf(expected, sizeof expected,
             "mimalloc: error: free of %p, which is not a block of this allocator\n",
             (void *)static_area);
    assert_non_null(strstr(text, expected));
}

static void ignore_error(int error, void *arg) { (void)error, (void)arg; }

static void many_child(void *arg)
{
    (void)arg;
    mi_option_enable(mi_option_show_errors);
    mi_option_set(mi_option_max_errors, 3);
    mi_register_error(ignore_error, NULL);
    for (int i = 0; i < 100; i++) mi_free(static_area);
}

static void messages_are_limited(void **state)
{
    (void)state;
    char text[4000];
    const int status = api_run_child(many_child, NULL, text, sizeof text);
    assert_int_equal(status, 0);
    int count = 0;
    for (const char *at = text; (at = strstr(at, "mimalloc: error: ")) != NULL; at++) count++;
    assert_int_equal(count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_is_reported_and_ignored),
        cmocka_unit_test(realloc_is_reported_and_null),
        cmocka_unit_test(interior_pointers_of_other_threads_are_reported),
        cmocka_unit_test(without_callbacks),
        cmocka_unit_test(messages_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
