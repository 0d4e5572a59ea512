/* core/src/rt/report.c: where messages go, callbacks, budgets, and what errors lead to. */
/* fake-os */
#include "rt/report.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/config.h"
#include "fake_os.h"
#include "heap/thread.h"
#include "rt/options.h"

/* The library's constructor ends the early phase, so early messages are made in one that runs
   before; the program that floods the early text runs as a child with this variable set. */
#define SCENARIO "MIC_TEST_SCENARIO"
#define FLOOD_LINES 400

__attribute__((constructor(101))) static void report_early(void)
{
    if (getenv(SCENARIO) == NULL) {
        mic_report("early %d", 1);
        mic_report_warning(true, "early %d", 2);
        return;
    }
    for (int i = 0; i < FLOOD_LINES; i++) mic_report("flood %05d %090d", i, i);
}
#define EARLY_TEXT "mimalloc: early 1\nmimalloc: warning: early 2\n"

/* ---- an output function that keeps what it gets ---- */

static char output_text[65536];
static size_t output_calls;
static mic_atomic(uint32_t) output_lines;

static void keep_output(const char *text, void *arg)
{
    assert_ptr_equal(arg, &output_calls);
    assert_true(strlen(output_text) + strlen(text) < sizeof output_text);
    strcat(output_text, text);
    output_calls++;
    errno = 4711;
}

static void listen(void)
{
    output_text[0] = 0;
    output_calls = 0;
    mic_report_set_output(keep_output, &output_calls);
}

static int setup(void **state)
{
    (void)state;
    fake_os_reset();
    mic_report_set_output(NULL, NULL);
    mic_report_set_error(NULL, NULL);
    mic_option_set(MIC_OPTION_VERBOSE, 0);
    mic_option_set(MIC_OPTION_SHOW_ERRORS, 1);
    mic_option_set(MIC_OPTION_MAX_ERRORS, -1);
    mic_option_set(MIC_OPTION_MAX_WARNINGS, -1);
    return 0;
}

/* ---- early messages ---- */

static void early_messages_are_printed_once_and_replayed_once(void **state)
{
    (void)state;
    assert_string_equal(fake_os_stderr(), EARLY_TEXT);
    assert_int_equal(fake_os_stderr_writes(), 1);
    mic_report_ready();
    assert_int_equal(fake_os_stderr_writes(), 1);
    mic_report("late");
    listen();
    assert_string_equal(output_text, EARLY_TEXT);
    listen();
    assert_string_equal(output_text, "");
}

static int scenario_flood(void)
{
    char line[32];
    const char *const text = fake_os_stderr();
    for (int i = 0; i < FLOOD_LINES; i++) {
        mic_format(line, sizeof line, "flood %05d ", i);
        const char *const at = strstr(text, line);
        if (at == NULL || strstr(at + 1, line) != NULL) return 1;
    }
    listen();
    const size_t kept = strlen(output_text);
    return kept > 15 * 1024 && kept < 16 * 1024 && output_calls == 1 ? 0 : 2;
}

static void early_messages_beyond_the_buffer_are_not_lost(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        setenv(SCENARIO, "flood", 1);
        execl("/proc/self/exe", "scenario", (char *)NULL);
        _exit(100);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- lines ---- */

static void a_message_is_one_line_in_one_write(void **state)
{
    (void)state;
    mic_report("%s and %d", "one", 2);
    mic_report("its own line feed\n");
    assert_string_equal(fake_os_stderr(), "mimalloc: one and 2\nmimalloc: its own line feed\n");
    assert_int_equal(fake_os_stderr_writes(), 2);
}

static void long_messages_end_in_dots(void **state)
{
    (void)state;
    mic_report("%0600d", 1);
    const char *const text = fake_os_stderr();
    assert_int_equal(strlen(text), MIC_REPORT_LINE_BYTES - 1);
    assert_string_equal(text + strlen(text) - 4, "...\n");
}

static void messages_go_to_the_function_that_is_registered(void **state)
{
    (void)state;
    listen();
    mic_report("hello");
    assert_string_equal(output_text, "mimalloc: hello\n");
    assert_int_equal(output_calls, 1);
    assert_string_equal(fake_os_stderr(), "");
    mic_report_set_output(NULL, NULL);
    mic_report("again");
    assert_string_equal(fake_os_stderr(), "mimalloc: again\n");
}

static void printing_to_a_function_adds_nothing(void **state)
{
    (void)state;
    output_text[0] = 0;
    mic_report_to(keep_output, &output_calls, "a %d", 1);
    mic_report_to(keep_output, &output_calls, " b\n");
    assert_string_equal(output_text, "a 1 b\n");
    mic_report_to(NULL, NULL, "no prefix");
    assert_string_equal(fake_os_stderr(), "no prefix");
}

static void errno_is_kept(void **state)
{
    (void)state;
    listen();
    errno = 99;
    mic_report("x");
    assert_int_equal(errno, 99);
    mic_report_warning(true, "x");
    assert_int_equal(errno, 99);
    mic_report_to(keep_output, &output_calls, "x");
    assert_int_equal(errno, 99);
    mic_report_error(ENOMEM + 1000, "x");
    assert_int_equal(errno, 99);
}

/* ---- what is shown ---- */

static void verbose_messages_need_the_option(void **state)
{
    (void)state;
    mic_report_verbose("quiet");
    assert_string_equal(fake_os_stderr(), "");
    mic_option_set(MIC_OPTION_VERBOSE, 1);
    mic_report_verbose("loud");
    assert_string_equal(fake_os_stderr(), "mimalloc: loud\n");
}

static void warnings_need_an_option_or_always(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_SHOW_ERRORS, 0);
    mic_report_warning(false, "a");
    mic_report_error(4711, "b");
    mic_report_warning(true, "c");
    assert_string_equal(fake_os_stderr(), "mimalloc: warning: c\n");
    mic_option_set(MIC_OPTION_VERBOSE, 1);
    mic_report_warning(false, "d");
    mic_report_error(4711, "e");
    assert_string_equal(fake_os_stderr(),
                        "mimalloc: warning: c\nmimalloc: warning: d\nmimalloc: error: e\n");
}

/* First of the tests that show warnings and errors: the budgets are the process's. */
static void budgets_end_with_a_notice(void **state)
{
    (void)state;
    mic_option_set(MIC_OPTION_MAX_WARNINGS, 2);
    mic_option_set(MIC_OPTION_MAX_ERRORS, 1);
    for (int i = 0; i < 5; i++) mic_report_warning(false, "w%d", i);
    for (int i = 0; i < 5; i++) mic_report_error(4711, "e%d", i);
    mic_report_warning(true, "always");
    assert_string_equal(fake_os_stderr(),
                        "mimalloc: warning: w0\n"
                        "mimalloc: warning: w1\n"
                        "mimalloc: more warnings are not shown (option max_warnings is 2)\n"
                        "mimalloc: error: e0\n"
                        "mimalloc: more errors are not shown (option max_errors is 1)\n"
                        "mimalloc: warning: always\n");
    fake_os_clear_stderr();
    mic_option_set(MIC_OPTION_MAX_WARNINGS, -1);
    mic_report_warning(false, "w");
    assert_string_equal(fake_os_stderr(), "mimalloc: warning: w\n");
}

/* ---- callbacks ---- */

static void report_from_inside(const char *text, void *arg)
{
    (void)text;
    mic_report("nested in %s", (const char *)arg);
    mic_report_set_output(report_from_inside, arg); /* would deadlock if a lock were held */
}

static void a_message_from_inside_a_callback_goes_to_stderr(void **state)
{
    (void)state;
    mic_report_set_output(report_from_inside, "output");
    mic_report("outer");
    mic_report("outer");
    assert_string_equal(fake_os_stderr(),
                        "mimalloc: nested in output\nmimalloc: nested in output\n");
    fake_os_clear_stderr();
    mic_report_to(report_from_inside, "given", "outer");
    assert_string_equal(fake_os_stderr(), "mimalloc: nested in given\n");
}

static int error_codes[8];
static size_t error_count;

static void keep_error(int error, void *arg)
{
    assert_string_equal(arg, "argument");
    assert_true(error_count < 8);
    error_codes[error_count++] = error;
    mic_report_error(EINVAL, "nested"); /* must not call back again */
    errno = 4711;
}

static void errors_go_to_the_callback_and_then_never_abort(void **state)
{
    (void)state;
    static const int codes[] = {EAGAIN, EFAULT, EINVAL, ENOMEM, EOVERFLOW};
    mic_report_set_error(keep_error, "argument");
    listen();
    error_count = 0;
    errno = 5;
    for (size_t i = 0; i < 5; i++) mic_report_error(codes[i], "code %d", (int)i);
    assert_int_equal(errno, 5);
    assert_int_equal(error_count, 5);
    for (size_t i = 0; i < 5; i++) assert_int_equal(error_codes[i], codes[i]);
    assert_non_null(strstr(output_text, "mimalloc: error: code 4\n"));
    assert_non_null(strstr(fake_os_stderr(), "mimalloc: error: nested\n"));
}

static mic_thread_local jmp_buf left_to;

static void leave(void) { longjmp(left_to, 1); }

static void leave_error(int error, void *arg)
{
    error_codes[error_count++ % 8] = error;
    if (arg != NULL) leave();
}

static void leave_output(const char *text, void *arg)
{
    (void)text;
    (*(size_t *)arg)++;
    leave();
}

/* Also by an exception of C++. */
static void a_callback_may_be_left_by_a_jump(void **state)
{
    (void)state;
    static volatile int i;
    mic_option_set(MIC_OPTION_SHOW_ERRORS, 1);
    mic_report_set_error(leave_error, "leaves");
    listen();
    error_count = 0;
    for (i = 0; i < 5; i++)
        if (setjmp(left_to) == 0) mic_report_error(ENOMEM, "code %d", (int)i);
    assert_int_equal(error_count, 5);
    assert_non_null(strstr(output_text, "mimalloc: error: code 4\n"));
    mic_report("afterwards");
    assert_non_null(strstr(output_text, "mimalloc: afterwards\n"));

    static size_t calls;
    mic_report_set_output(leave_output, &calls);
    for (i = 0; i < 4; i++) {
        if (setjmp(left_to) != 0) continue;
        if (i % 2 == 0)
            mic_report("left");
        else
            mic_report_warning(true, "left");
    }
    assert_int_equal(calls, 4);
    assert_string_equal(fake_os_stderr(), "");
    listen();
    mic_report_set_error(keep_error, "argument");
    error_count = 0;
    mic_report_error(EINVAL, "with another inside");
    assert_int_equal(error_count, 1);
    assert_non_null(strstr(fake_os_stderr(), "mimalloc: error: nested\n"));
    mic_option_set(MIC_OPTION_SHOW_ERRORS, 0);
}

static void leave_thread(int error, void *arg)
{
    (void)error, (void)arg;
    mic_fetch_add_relaxed(&output_lines, 1);
    pthread_exit(NULL);
}

static void *end_in_callback(void *arg)
{
    (void)mic_thread_attach();
    mic_report_error(ENOMEM, "the end");
    return arg;
}

/* More threads than can be in callbacks at once; later ones may have the identity of earlier ones. */
static void threads_may_end_in_a_callback(void **state)
{
    (void)state;
    enum { THREADS = 100 };
    mic_report_set_error(leave_thread, NULL);
    mic_store_relaxed(&output_lines, 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, end_in_callback, NULL), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(mic_load_relaxed(&output_lines), THREADS);
}

static void check_default_action(int error, bool aborts)
{
    mic_option_set(MIC_OPTION_SHOW_ERRORS, 0);
    fake_os_clear_stderr();
    if (aborts) {
        fake_os_expect_abort(mic_report_error(error, "end"));
        assert_string_equal(fake_os_stderr(), "mimalloc: error: end\n"); /* never silently */
    } else {
        mic_report_error(error, "end");
        assert_string_equal(fake_os_stderr(), "");
    }
}

static void errors_abort_as_the_build_says(void **state)
{
    (void)state;
    check_default_action(EFAULT, CFG_ASSERT);
    check_default_action(EAGAIN, CFG_ASSERT);
    check_default_action(EINVAL, CFG_ASSERT);
    check_default_action(ENOMEM, CFG_XMALLOC);
    check_default_action(EOVERFLOW, CFG_XMALLOC);
}

/* ---- threads and fork ---- */

#define THREADS 8
#define ROUNDS 2000

static void count_line(const char *text, void *arg)
{
    (void)arg;
    if (strncmp(text, "mimalloc: thread ", 17) == 0 && text[strlen(text) - 1] == '\n')
        mic_fetch_add_relaxed(&output_lines, 1);
}

static void *report_often(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) mic_report("thread %p line %d", arg, i);
    return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    mic_store_relaxed(&output_lines, 0);
    mic_report_set_output(count_line, NULL);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, report_often, &output_text[i]), 0);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(mic_load_relaxed(&output_lines), THREADS * ROUNDS);
    assert_string_equal(fake_os_stderr(), "");
}

static void *report_until_told(void *arg)
{
    while (mic_load_acquire((mic_atomic(uint32_t) *)arg) == 0) mic_report("thread");
    return NULL;
}

/* The library's own fork handlers take and release the lock. */
static void children_can_report(void **state)
{
    (void)state;
    mic_atomic(uint32_t) stop = 0;
    pthread_t thread;
    assert_true(mic_thread_attach()); /* registers the fork handlers */
    mic_report_set_output(count_line, NULL);
    assert_int_equal(pthread_create(&thread, NULL, report_until_told, (void *)&stop), 0);
    for (int i = 0; i < 50; i++) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(300); /* a hang ends the child */
            mic_store_relaxed(&output_lines, 0);
            mic_report("thread of the child");
            _exit(mic_load_relaxed(&output_lines) == 1 ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    mic_store_release(&stop, 1);
    pthread_join(thread, NULL);
}

int main(void)
{
    if (getenv(SCENARIO) != NULL) return scenario_flood();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_messages_are_printed_once_and_replayed_once), /* first */
        cmocka_unit_test(early_messages_beyond_the_buffer_are_not_lost),
        cmocka_unit_test_setup(budgets_end_with_a_notice, setup), /* second */
        cmocka_unit_test_setup(a_message_is_one_line_in_one_write, setup),
        cmocka_unit_test_setup(long_messages_end_in_dots, setup),
        cmocka_unit_test_setup(messages_go_to_the_function_that_is_registered, setup),
        cmocka_unit_test_setup(printing_to_a_function_adds_nothing, setup),
        cmocka_unit_test_setup(errno_is_kept, setup),
        cmocka_unit_test_setup(verbose_messages_need_the_option, setup),
        cmocka_unit_test_setup(warnings_need_an_option_or_always, setup),
        cmocka_unit_test_setup(a_message_from_inside_a_callback_goes_to_stderr, setup),
        cmocka_unit_test_setup(errors_go_to_the_callback_and_then_never_abort, setup),
        cmocka_unit_test_setup(a_callback_may_be_left_by_a_jump, setup),
        cmocka_unit_test_setup(threads_may_end_in_a_callback, setup),
        cmocka_unit_test_setup(errors_abort_as_the_build_says, setup),
        cmocka_unit_test_setup(threads_do_not_mix_lines, setup),
        cmocka_unit_test_setup(children_can_report, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
