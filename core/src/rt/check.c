/* Where failed assertions end; see base/check.h. Writes to stderr only: the heap is damaged, and a
   callback of the user's would use it. */
#include "base/check.h"

#include "os/os.h"
#include "rt/report.h"

bool mic_deep_enabled = false;

/* "core/src/page/remote.c" and longer paths: the last two parts are enough to find it */
static const char *check_short_path(const char *file)
{
    const char *previous = file, *last = file;
    for (const char *at = file; *at != 0; at++) {
        if (*at == '/') {
            previous = last;
            last = at + 1;
        }
    }
    return previous;
}

mic_noreturn mic_cold void mic_check_failed(const char *what, const char *file, int line)
{
    char text[MIC_REPORT_LINE_BYTES];
    size_t length = mic_format(text, sizeof text - 1, "mimalloc: check failed at %s:%d: %s",
                               check_short_path(file), line, what);
    if (length > sizeof text - 2) length = sizeof text - 2;
    text[length++] = '\n';
    mic_report_flush(); /* what was reported before may explain it */
    mic_os_write_stderr(text, length);
    mic_os_abort();
}
