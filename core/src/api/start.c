/* Where the process enters and leaves the library by itself. Neither is needed for malloc to work:
   the first call may come before the constructor, others come after the destructor. */
#include "api/api.h"
#include "diag/diag.h"
#include "heap/heap.h"
#include "heap/purger.h"
#include "heap/sample.h"
#include "heap/thread.h"
#include "rt/options.h"

__attribute__((constructor)) void mic_api_start(void)
{
    const int saved = errno;
    mic_process_constructed();
    mic_report_ready();
    mic_sample_start();
    mic_purger_constructed();
    mic_diag_print_start();
    errno = saved;
}

/* Option destroy_on_exit: 2 = only where the program calls mi_process_done itself. The main heap
   stays: destructors that run later, and the C library, use its blocks. */
static void api_leave(bool called)
{
    const long destroy = mic_option(MIC_OPTION_DESTROY_ON_EXIT);
    mic_diag_print_exit();
    if (destroy <= 0 || (destroy == 2 && !called)) return;
    mic_subproc_destroy_heaps(&mic_subproc_main);
    mic_collect(true);
}

__attribute__((destructor)) static void api_end(void)
{
    const int saved = errno;
    api_leave(false);
    mic_process_destructed();
    if (mic_os_is_unloadable()) {
        /* a program may have loaded a library with this one inside, and unload it now */
        mic_collect_quietly(true);
        mic_arena_trim();
    }
    errno = saved;
}

/* May come before environ is set: not the constructor's whole work. */
void mi_process_init(void)
{
    const int saved = errno;
    (void)mic_process_start();
    errno = saved;
}

void mi_process_done(void)
{
    const int saved = errno;
    api_leave(true);
    errno = saved;
}
