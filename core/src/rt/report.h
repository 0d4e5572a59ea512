/* Every message of the library: texts, formatting without stdio (formats %s %d %zu %zx %p %c %% and
   widths), output and error callbacks, message budgets (max_errors, max_warnings). Never allocates,
   takes no lock while a user's callback runs, safe on any thread; a message from inside a callback
   goes straight to stderr.

   Messages before the constructor ran are kept (16 KiB); they go to stderr when it runs, unless an
   output function is registered by then, and are replayed to the first one that ever is. */
#ifndef MIC_RT_REPORT_H
#define MIC_RT_REPORT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/compiler.h"

typedef void mic_output_fun(const char *text, void *arg);
typedef void mic_error_fun(int error, void *arg);

/* longest line, with its terminating zero; longer ones are cut */
#define MIC_REPORT_LINE_BYTES 512

void mic_report_set_output(mic_output_fun *fun, void *arg); /* NULL: stderr */
void mic_report_set_error(mic_error_fun *fun, void *arg);

/* A function that the program registers, and its argument: both change together. */
typedef struct mic_callback {
    mic_atomic(uintptr_t) fun; /* [lock: report; read by anyone] 0 = none */
    void *arg;                 /* [lock: report] */
} mic_callback_t;
void mic_callback_set(mic_callback_t *callback, uintptr_t fun, void *arg);
/* Returns the function; 0: none. One relaxed load then. */
uintptr_t mic_callback_get(mic_callback_t *callback, void **arg);

/* snprintf for the formats above; always terminates, returns the full length. */
size_t mic_format(char *buffer, size_t size, const char *format, ...) mic_printf(3, 4);
size_t mic_format_va(char *buffer, size_t size, const char *format, va_list args);

/* One line through the output function; "mimalloc: " and the line feed are added. */
void mic_report(const char *format, ...) mic_printf(1, 2);
/* Same, when option verbose is on (level 1). */
void mic_report_verbose(const char *format, ...) mic_printf(1, 2);
/* "mimalloc: warning: ..." when show_errors or verbose is on, up to max_warnings; `always` prints
   it in any case (bad options). */
void mic_report_warning(bool always, const char *format, ...) mic_printf(2, 3);

/* A user's mistake or a failure: prints "mimalloc: error: ..." when show_errors is on (up to
   max_errors) and calls the error callback. Error codes:
     EAGAIN double free, EFAULT corrupted heap, EINVAL invalid pointer, ENOMEM, EOVERFLOW.
   Without a callback: misuse and damage abort in debug and secure, ENOMEM and EOVERFLOW abort with
   CFG_XMALLOC. Returns otherwise. Keeps errno. */
void mic_report_error(int error, const char *format, ...) mic_printf(2, 3);
/* From now on EAGAIN, EFAULT and EINVAL are printed also if show_errors is not on, unless somebody
   has set it to 0. */
void mic_report_show_misuse(void);

/* Prints through a given function (mi_*_print_out) exactly what the format says, one call for each
   call; out NULL = the report output. */
void mic_report_to(mic_output_fun *out, void *arg, const char *format, ...) mic_printf(3, 4);

/* The library's constructor ran: options are known, early messages may go out. */
void mic_report_ready(void);
/* Before the process is stopped: early messages go out. Nothing when the lock is taken, since the
   process may be stopping because of that very lock. */
void mic_report_flush(void);

/* The calling thread ends: whatever it left without returning from. */
void mic_report_thread_ended(void);

/* ---- fork ---- */
void mic_report_lock_for_fork(void);
void mic_report_unlock_after_fork(bool child);

#endif
