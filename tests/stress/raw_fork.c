/* A child made by the bare system call, without any fork handler, from a process with one thread
   (sandboxes and container tools do this): it may go on allocating, and may make threads. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mimalloc.h"
#include "stress.h"

#define BLOCKS 500
#define BYTES 64
#define THREADS 4

static void work(uint64_t stream)
{
    void *blocks[BLOCKS];
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            stress_require((blocks[i] = mi_malloc(BYTES)) != NULL);
            stress_fill(blocks[i], BYTES, stream + i);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            stress_check(blocks[i], BYTES, stream + i);
            mi_free(blocks[i]);
        }
    }
}

static void *thread(void *arg)
{
    work(1000000 * (uint64_t)(uintptr_t)arg);
    return NULL;
}

static _Noreturn void child(void)
{
    stress_limit_seconds(600);
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        stress_require(pthread_create(&t[i], NULL, thread, (void *)(i + 1)) == 0);
    work(1);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    _exit(0);
}

int main(void)
{
    stress_begin("raw_fork");
    if (stress_under_sanitizer()) return STRESS_SKIPPED;
    void *const keep = mi_malloc(BYTES);
    for (size_t i = 0; i < stress_scaled(400, 20); i++) {
        const long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
        stress_require(pid >= 0);
        if (pid == 0) child();
        int status;
        stress_require(waitpid((pid_t)pid, &status, 0) == pid);
        stress_require(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    mi_free(keep);
    return 0;
}
