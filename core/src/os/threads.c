/* Thread end, fork, and who is who: pthread's part of the contract of os.h. Any thread. */
#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
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

int mic_os_on_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return pthread_atfork(prepare, parent, child);
}

#endif
