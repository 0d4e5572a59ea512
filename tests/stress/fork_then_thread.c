/* In a forked child the first to reach the allocator's slow path is a thread that the child made,
   not the one that forked. The thread that forked keeps its heap, alone. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mimalloc.h"
#include "stress.h"

#define BLOCKS 400
#define BYTES 48

static pthread_barrier_t both;

static void work(uint64_t stream)
{
    void *blocks[BLOCKS];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = mi_malloc(BYTES);
            stress_require(blocks[i] != NULL);
            stress_fill(blocks[i], BYTES, stream + (uint64_t)i);
        }
        for (int i = 0; i < BLOCKS; i++) {
            stress_check(blocks[i], BYTES, stream + (uint64_t)i);
            mi_free(blocks[i]);
        }
    }
}

static void *thread(void *arg)
{
    (void)arg;
    void *const first = mi_malloc(BYTES); /* before the forking thread's first slow path */
    pthread_barrier_wait(&both);
    work(1000000);
    mi_free(first);
    return NULL;
}

static void child(void)
{
    stress_limit_seconds(600);
    pthread_t t;
    pthread_barrier_init(&both, NULL, 2);
    stress_require(pthread_create(&t, NULL, thread, NULL) == 0);
    pthread_barrier_wait(&both);
    work(1);
    pthread_join(t, NULL);
    _exit(0);
}

int main(void)
{
    stress_begin("fork_then_thread");
    if (stress_under_sanitizer()) return STRESS_SKIPPED; /* no threads in a forked child there */
    void *keep[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) keep[i] = mi_malloc(BYTES);
    const size_t forks = stress_scaled(400, 20);
    for (size_t i = 0; i < forks; i++) {
        const pid_t pid = fork();
        stress_require(pid >= 0);
        if (pid == 0) child();
        int status;
        stress_require(waitpid(pid, &status, 0) == pid);
        stress_require(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    for (int i = 0; i < BLOCKS; i++) mi_free(keep[i]);
    return 0;
}
