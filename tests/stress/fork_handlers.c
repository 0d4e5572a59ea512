/* Fork handlers that were registered before the library's own run while it holds all its locks for
   the fork. They may allocate, free and give memory back. The first fork comes while another thread
   makes the first allocation of the process. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mimalloc.h"
#include "stress.h"

#define BLOCKS 200
#define TIME_LIMIT_S 600

static atomic_bool stop;
static size_t handled;

static void use_memory(void)
{
    static void *kept[BLOCKS]; /* what one call leaves, the next one frees */
    for (size_t i = 0; i < BLOCKS; i++) {
        mi_free(kept[i]);
        kept[i] = mi_malloc(i * 1000);
        stress_require(kept[i] != NULL);
    }
    mi_collect(true);
    handled++;
}

static void *worker(void *arg)
{
    stress_random_t r = stress_random((uint64_t)(uintptr_t)arg);
    while (!atomic_load(&stop)) mi_free(mi_malloc(stress_size(&r, 2000000)));
    return NULL;
}

/* Before the library's constructor, which registers its own. */
__attribute__((constructor(101))) static void first(void)
{
    stress_require(pthread_atfork(use_memory, use_memory, use_memory) == 0);
}

int main(void)
{
    stress_begin("fork_handlers");
    stress_limit_seconds(TIME_LIMIT_S);
    pthread_t thread;
    stress_require(pthread_create(&thread, NULL, worker, (void *)1) == 0);
    const size_t forks = stress_scaled(100, 10);
    for (size_t i = 0; i < forks; i++) {
        const pid_t pid = fork();
        stress_require(pid >= 0);
        if (pid == 0) {
            stress_limit_seconds(TIME_LIMIT_S);
            use_memory();
            _exit(0);
        }
        int status;
        stress_require(waitpid(pid, &status, 0) == pid);
        stress_require(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    stress_require(handled == 2 * forks);
    return 0;
}
