/* Stack traces and faults; see trace.h. */
#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os/trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/atomic.h"

/* Of glibc, which loads the compiler's unwinder when it is first called; other C libraries and
   fully static programs have none, or not all. */
#pragma weak backtrace
#pragma weak dladdr
int backtrace(void **frames, int most);

/* [atomic: release by start, acquire] */
static mic_atomic(uint32_t) trace_on;

/* Of this file and of whoever asks: they say nothing about the program. */
#define TRACE_SKIPPED 2

void mic_trace_start(void)
{
    void *frame; /* what it sets up the first time is there afterwards */
    const int saved = errno;
    if (backtrace != NULL) (void)backtrace(&frame, 1);
    errno = saved;
    mic_store_release(&trace_on, 1); /* pairs with mic_trace_take */
}

void mic_trace_take(mic_trace_t *trace)
{
    void *frames[TRACE_SKIPPED + MIC_TRACE_FRAMES];
    const int saved = errno;
    memset(trace, 0, sizeof *trace);
    if (backtrace != NULL && mic_load_acquire(&trace_on) != 0) {
        const int n = backtrace(frames, TRACE_SKIPPED + MIC_TRACE_FRAMES);
        for (int i = TRACE_SKIPPED; i < n; i++)
            trace->frames[i - TRACE_SKIPPED] = (uintptr_t)frames[i];
    }
    errno = saved;
}

const char *mic_trace_file(uintptr_t address, uintptr_t *offset)
{
    Dl_info info;
    if (dladdr == NULL || dladdr((const void *)address, &info) == 0 || info.dli_fname == NULL)
        return NULL;
    *offset = address - (uintptr_t)info.dli_fbase;
    return info.dli_fname;
}

/* ---- faults ---- */

static void (*fault_told)(uintptr_t address); /* [const from start] */
static struct sigaction fault_before;         /* [const from start] */

static void fault_handle(int number, siginfo_t *info, void *context)
{
    (void)context;
    const int saved = errno;
    if (info->si_code > 0) fault_told((uintptr_t)info->si_addr);
    /* the access is tried again, and meets what was there before us */
    (void)sigaction(number, &fault_before, NULL);
    if (info->si_code <= 0) (void)raise(number); /* sent by somebody: nothing is tried again */
    errno = saved;
}

void mic_trace_on_fault(void (*on_fault)(uintptr_t address))
{
    if (fault_told != NULL) return;
    fault_told = on_fault;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = fault_handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    (void)sigaction(SIGSEGV, &action, &fault_before);
}

void mic_trace_end(void)
{
    struct sigaction now;
    if (fault_told == NULL || sigaction(SIGSEGV, NULL, &now) != 0) return;
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == fault_handle)
        (void)sigaction(SIGSEGV, &fault_before, NULL);
}
#else
typedef int mic_os_trace_is_not_here;
#endif
