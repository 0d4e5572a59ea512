/* What a forked child pays for does not grow with the address space of blocks that nobody touched:
   counted in page faults of children. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mimalloc.h"
#include "stress.h"

#define LARGE_BYTES ((size_t)64 << 30)
#define FORKS 4
#define FAULTS_MAX 4000 /* in each child; one for each OS page of descriptors would be 32,768 */

static void *worker(void *arg)
{
    mi_free(mi_malloc(100));
    return arg;
}

static size_t faults_of_children(void)
{
    struct rusage use;
    stress_require(getrusage(RUSAGE_CHILDREN, &use) == 0);
    return (size_t)use.ru_minflt;
}

int main(void)
{
    stress_begin("fork_large");
    void *const large = mi_malloc(LARGE_BYTES);
    if (large == NULL) return STRESS_SKIPPED; /* no address space for it: nothing to see */
    pthread_t thread; /* the child of a process with one thread has nothing to do */
    stress_require(pthread_create(&thread, NULL, worker, NULL) == 0);
    pthread_join(thread, NULL);
    const size_t before = faults_of_children();
    for (size_t i = 0; i < FORKS; i++) {
        const pid_t pid = fork();
        stress_require(pid >= 0);
        if (pid == 0) _exit(0);
        int status;
        stress_require(waitpid(pid, &status, 0) == pid);
        stress_require(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    stress_require(faults_of_children() - before < FORKS * FAULTS_MAX);
    mi_free(large);
    return 0;
}
