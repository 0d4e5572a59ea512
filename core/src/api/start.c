/* Where the process enters and leaves the library by itself. Neither is needed for malloc to work:
   the first call may come before the constructor, others come after the destructor. */
#include "api/api.h"
#include "diag/diag.h"
#include "heap/thread.h"

__attribute__((constructor)) void mic_api_start(void)
{
    const int saved = errno;
    mic_process_constructed();
    mic_report_ready();
    mic_diag_print_start();
    errno = saved;
}

__attribute__((destructor)) static void api_end(void) { mic_diag_print_exit(); }

/* May come before environ is set: not the constructor's whole work. */
void mi_process_init(void)
{
    const int saved = errno;
    (void)mic_process_start();
    errno = saved;
}

void mi_process_done(void) { mic_diag_print_exit(); }
