/* Messages: composing lines, where they go, and what an error leads to; the contract is report.h.
   Any thread, any time. A line is composed on the stack and leaves in one piece.

   A message goes, in this order of preference:
       from inside a callback of the same thread      stderr
       a function is registered                       that function
       the constructor has not run yet                the early text, while it fits
       otherwise                                      stderr
   The early text goes to stderr when the constructor runs (unless a function is registered by
   then), and to the first function that is ever registered. */
#include "rt/report.h"

#include <errno.h>
#include <stdint.h>

#include "base/config.h"
#include "os/os.h"
#include "rt/lock.h"
#include "rt/options.h"

#define REPORT_PREFIX "mimalloc: "
#define REPORT_EARLY_BYTES (16 * MIC_KIB)
#define REPORT_CALLBACKS_AT_ONCE 64

static mic_lock_t report_lock = MIC_LOCK_INIT(MIC_RANK_REPORT);

static struct {
    mic_output_fun *output;         /* [lock: report] */
    void *output_arg;               /* [lock: report] */
    mic_error_fun *error;           /* [lock: report] */
    void *error_arg;                /* [lock: report] */
    bool ready;                     /* [lock: report] the constructor ran */
    bool replayed;                  /* [lock: report] a function had the early text */
    size_t early_length;            /* [lock: report] */
    char early[REPORT_EARLY_BYTES]; /* [lock: report] fixed once ready or replayed */
} report;

/* [atomic: relaxed] messages so far, for the budgets */
static mic_atomic(uint64_t) report_errors, report_warnings;

/* ---- threads inside a callback. A table and not a thread-local flag: the library's thread-local
   storage is spent on the fast paths. ---- */

/* [atomic: relaxed] thread identities; written by the thread itself, read by it */
static mic_atomic(uintptr_t) report_callers[REPORT_CALLBACKS_AT_ONCE];
/* [whose place it is] of the thread's stack when it took the place */
static mic_atomic(uintptr_t) report_frames[REPORT_CALLBACKS_AT_ONCE];

/* A callback may be left without returning, by longjmp or by an exception. What it calls has frames
   below the one noted; who comes from above that is not inside any more. */
static mic_noinline bool callback_is_inside(uintptr_t *frame)
{
    const uintptr_t self = mic_thread_self();
    *frame = (uintptr_t)__builtin_frame_address(0);
    for (size_t i = 0; i < REPORT_CALLBACKS_AT_ONCE; i++) {
        if (mic_load_relaxed(&report_callers[i]) != self) continue;
        if (*frame < mic_load_relaxed(&report_frames[i])) return true;
        mic_store_relaxed(&report_callers[i], 0);
    }
    return false;
}

/* For functions that are about to use more of the stack before they call anything. */
static void callback_look(void)
{
    uintptr_t frame;
    (void)callback_is_inside(&frame);
}

void mic_report_thread_ended(void)
{
    const uintptr_t self = mic_thread_self();
    for (size_t i = 0; i < REPORT_CALLBACKS_AT_ONCE; i++)
        if (mic_load_relaxed(&report_callers[i]) == self) mic_store_relaxed(&report_callers[i], 0);
}

/* False: nested, or too many threads are inside one. */
static bool callback_try_enter(size_t *slot)
{
    uintptr_t frame;
    if (callback_is_inside(&frame)) return false;
    for (size_t i = 0; i < REPORT_CALLBACKS_AT_ONCE; i++) {
        uintptr_t expected = 0;
        if (mic_cas_acquire(&report_callers[i], &expected, mic_thread_self())) {
            mic_store_relaxed(&report_frames[i], frame);
            *slot = i;
            return true;
        }
    }
    return false;
}

static void callback_leave(size_t slot) { mic_store_relaxed(&report_callers[slot], 0); }

void mic_callback_set(mic_callback_t *callback, uintptr_t fun, void *arg)
{
    mic_lock_acquire(&report_lock);
    callback->arg = arg;
    mic_store_relaxed(&callback->fun, fun);
    mic_lock_release(&report_lock);
}

uintptr_t mic_callback_get(mic_callback_t *callback, void **arg)
{
    if (mic_load_relaxed(&callback->fun) == 0) return 0;
    mic_lock_acquire(&report_lock);
    const uintptr_t fun = mic_load_relaxed(&callback->fun);
    *arg = callback->arg;
    mic_lock_release(&report_lock);
    return fun;
}

/* ---- where text goes ---- */

static void report_deliver(const char *text, size_t length)
{
    size_t slot = 0;
    const bool may_call = callback_try_enter(&slot);
    mic_lock_acquire(&report_lock);
    mic_output_fun *const output = report.output;
    void *const arg = report.output_arg;
    const bool keep = output == NULL && !report.ready && !report.replayed &&
                      report.early_length + length < REPORT_EARLY_BYTES;
    if (keep) {
        for (size_t i = 0; i < length; i++) report.early[report.early_length++] = text[i];
    }
    mic_lock_release(&report_lock);
    if (!keep) {
        if (output != NULL && may_call) {
            output(text, arg);
        } else {
            mic_os_write_stderr(text, length);
        }
    }
    if (may_call) callback_leave(slot);
}

void mic_report_set_output(mic_output_fun *fun, void *arg)
{
    mic_lock_acquire(&report_lock);
    report.output = fun;
    report.output_arg = arg;
    const bool replay = fun != NULL && !report.replayed;
    if (replay) report.replayed = true;
    const bool has_text = report.early_length > 0;
    mic_lock_release(&report_lock);
    size_t slot;
    if (!replay || !has_text || !callback_try_enter(&slot)) return;
    const int saved = errno;
    fun(report.early, arg);
    errno = saved;
    callback_leave(slot);
}

void mic_report_set_error(mic_error_fun *fun, void *arg)
{
    mic_lock_acquire(&report_lock);
    report.error = fun;
    report.error_arg = arg;
    mic_lock_release(&report_lock);
}

void mic_report_ready(void)
{
    mic_lock_acquire(&report_lock);
    const bool print = !report.ready && !report.replayed && report.early_length > 0;
    report.ready = true;
    mic_lock_release(&report_lock);
    if (print) mic_os_write_stderr(report.early, report.early_length);
}

void mic_report_flush(void)
{
    if (!mic_lock_try(&report_lock)) return;
    mic_lock_release(&report_lock);
    mic_report_ready();
}

void mic_report_lock_for_fork(void) { mic_lock_acquire_for_fork(&report_lock); }

void mic_report_unlock_after_fork(bool child)
{
    if (!child) {
        mic_lock_release(&report_lock);
        return;
    }
    mic_lock_reset(&report_lock);
    for (size_t i = 0; i < REPORT_CALLBACKS_AT_ONCE; i++) { /* the other threads are gone */
        if (mic_load_relaxed(&report_callers[i]) != mic_thread_self())
            mic_store_relaxed(&report_callers[i], 0);
    }
}

/* ---- lines ---- */

typedef struct report_line {
    size_t length;
    char text[MIC_REPORT_LINE_BYTES];
} report_line_t;

/* "mimalloc: <kind><text>\n"; what does not fit ends in "...". */
static void line_compose(report_line_t *line, const char *kind, const char *format, va_list args)
{
    const size_t room = sizeof line->text - 1; /* for the line feed */
    size_t at = mic_format(line->text, room, REPORT_PREFIX "%s", kind);
    at += mic_format_va(line->text + at, room - at, format, args);
    if (at >= room) {
        at = room - 1;
        for (size_t i = 1; i <= 3; i++) line->text[at - i] = '.';
    }
    if (line->text[at - 1] != '\n') line->text[at++] = '\n';
    line->text[at] = 0;
    line->length = at;
}

static mic_noinline void report_line_in(const char *kind, const char *format, va_list args)
{
    const int saved = errno;
    report_line_t line;
    line_compose(&line, kind, format, args);
    report_deliver(line.text, line.length);
    errno = saved;
}

static void report_line(const char *kind, const char *format, va_list args)
{
    callback_look();
    report_line_in(kind, format, args);
}

void mic_report(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_line("", format, args);
    va_end(args);
}

void mic_report_verbose(const char *format, ...)
{
    if (mic_option(MIC_OPTION_VERBOSE) <= 0) return;
    va_list args;
    va_start(args, format);
    report_line("", format, args);
    va_end(args);
}

void mic_report_to(mic_output_fun *out, void *arg, const char *format, ...)
{
    const int saved = errno;
    char text[MIC_REPORT_LINE_BYTES];
    va_list args;
    va_start(args, format);
    size_t length = mic_format_va(text, sizeof text, format, args);
    va_end(args);
    if (length >= sizeof text) length = sizeof text - 1;
    size_t slot = 0;
    if (out == NULL) {
        report_deliver(text, length);
    } else if (callback_try_enter(&slot)) {
        out(text, arg);
        callback_leave(slot);
    } else {
        out(text, arg); /* asked for from inside a callback: still what the caller wants */
    }
    errno = saved;
}

/* ---- budgets, warnings, errors ---- */

/* A negative maximum: no limit. The first message over it says that there will be no more. */
static bool budget_take(mic_atomic(uint64_t) *count, mic_option_t option, const char *what)
{
    const long maximum = mic_option(option);
    if (maximum < 0) return true;
    const uint64_t before = mic_fetch_add_relaxed(count, 1);
    if (before == (uint64_t)maximum && maximum > 0)
        mic_report("more %ss are not shown (option max_%ss is %ld)", what, what, maximum);
    return before < (uint64_t)maximum;
}

static bool report_wanted(void)
{
    return mic_option(MIC_OPTION_SHOW_ERRORS) > 0 || mic_option(MIC_OPTION_VERBOSE) > 0;
}

/* [atomic: relaxed] mistakes are shown even if other errors are not */
static mic_atomic(uint32_t) report_misuse;

void mic_report_show_misuse(void) { mic_store_relaxed(&report_misuse, 1); }

static bool error_wanted(int error)
{
    const bool misuse = error != ENOMEM && error != EOVERFLOW;
    return report_wanted() || (misuse && mic_load_relaxed(&report_misuse) != 0 &&
                               mic_option_is_default(MIC_OPTION_SHOW_ERRORS));
}

void mic_report_warning(bool always, const char *format, ...)
{
    if (!always &&
        !(report_wanted() && budget_take(&report_warnings, MIC_OPTION_MAX_WARNINGS, "warning")))
        return;
    va_list args;
    va_start(args, format);
    report_line("warning: ", format, args);
    va_end(args);
}

/* What happens when nobody handles the error. */
static bool error_aborts(int error)
{
    if (error == EFAULT) return CFG_ASSERT;
    if (error == ENOMEM || error == EOVERFLOW) return CFG_XMALLOC;
    return CFG_ASSERT && (error == EAGAIN || error == EINVAL);
}

void mic_report_error(int error, const char *format, ...)
{
    const int saved = errno;
    mic_lock_acquire(&report_lock);
    mic_error_fun *const handler = report.error;
    void *const arg = report.error_arg;
    mic_lock_release(&report_lock);

    const bool aborts = handler == NULL && error_aborts(error);
    if (aborts ||
        (error_wanted(error) && budget_take(&report_errors, MIC_OPTION_MAX_ERRORS, "error"))) {
        va_list args;
        va_start(args, format);
        report_line("error: ", format, args);
        va_end(args);
    }
    size_t slot;
    if (aborts) {
        mic_report_flush(); /* nothing may stay behind in the early text */
        mic_os_abort();
    }
    if (handler != NULL && callback_try_enter(&slot)) {
        handler(error, arg);
        callback_leave(slot);
    }
    errno = saved;
}
