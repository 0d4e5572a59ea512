/* Thread end, fork, who is who, and the thread of the library: what pthread has of the contract of
   os.h. Any thread. */
#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "os/os.h"

static pthread_key_t os_thread_key;
static mic_atomic(uint32_t) os_thread_key_ready; /* [atomic: relaxed] */

int mic_os_thread_exit_init(void (*at_exit)(void *pass))
{
    const int error = pthread_key_create(&os_thread_key, at_exit);
    mic_store_relaxed(&os_thread_key_ready, error == 0);
    return error;
}

void mic_os_thread_exit_end(void)
{
    if (mic_load_relaxed(&os_thread_key_ready) == 0) return;
    mic_store_relaxed(&os_thread_key_ready, 0);
    (void)pthread_key_delete(os_thread_key);
}

void mic_os_thread_arm(void *pass)
{
    const int saved = errno;
    if (mic_load_relaxed(&os_thread_key_ready) != 0 && pthread_getspecific(os_thread_key) == NULL)
        (void)pthread_setspecific(os_thread_key, pass);
    errno = saved;
}

uint64_t mic_os_process_id(void) { return (uint64_t)getpid(); }

uint64_t mic_os_thread_id(void) { return (uint64_t)syscall(SYS_gettid); }

bool mic_os_thread_is_alive(uint64_t id)
{
    const int saved = errno;
    const bool dead = syscall(SYS_tgkill, getpid(), (pid_t)id, 0) != 0 && errno == ESRCH;
    errno = saved;
    return !dead;
}

/* ---- the library's own thread ---- */

/* For what the thread calls: far more than that takes, far less than a program's own. */
#define OS_STACK_BYTES ((size_t)(MIC_TSAN ? 1024 : 64) * 1024)

static pthread_t os_own_thread;  /* [who started it] */
static void (*os_own_run)(void); /* [who started it] */

static void *os_own_main(void *unused)
{
    /* by the system's call: not every C library has the function */
    (void)prctl(PR_SET_NAME, "mi-purge", 0, 0, 0);
    os_own_run();
    return unused;
}

/* The C library's part of a stack, thread-local storage for one, has a size that it need not tell;
   where a small stack is refused, one as large as the program's threads have will do. */
static int os_own_start(void)
{
    pthread_attr_t attributes;
    const long least = sysconf(_SC_THREAD_STACK_MIN);
    int error = pthread_attr_init(&attributes);
    if (error != 0) return error;
    error = pthread_attr_setstacksize(&attributes,
                                      OS_STACK_BYTES + (least > 0 ? (size_t)least : 16384));
    if (error == 0) error = pthread_create(&os_own_thread, &attributes, os_own_main, NULL);
    if (error == EINVAL) error = pthread_create(&os_own_thread, NULL, os_own_main, NULL);
    (void)pthread_attr_destroy(&attributes);
    return error;
}

int mic_os_thread_start(void (*run)(void))
{
    const int saved = errno;
    sigset_t all, before;
    (void)sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before); /* the thread inherits it */
    if (error == 0) {
        os_own_run = run;
        error = os_own_start();
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    errno = saved;
    return error;
}

void mic_os_thread_join(uint64_t milliseconds)
{
    if (pthread_equal(os_own_thread, pthread_self()) != 0) return;
    const int saved = errno;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(milliseconds / 1000);
    (void)pthread_timedjoin_np(os_own_thread, NULL, &until);
    errno = saved;
}

int mic_os_on_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return pthread_atfork(prepare, parent, child);
}

#endif
