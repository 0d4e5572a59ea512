/* Forks again and again while other threads allocate; each child allocates, frees blocks that
 * parent and threads made, starts a thread of its own, and ends. argv: forks, threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHARED = 256 };

static atomic_int stop;
static _Atomic(char *) shared[SHARED];

static unsigned next(unsigned *state) { return *state = *state * 1664525u + 1013904223u; }

static void exchange(unsigned *state)
{
    size_t size = 1 + (next(state) >> 8) % ((next(state) >> 28) ? 600 : 70000);
    char *fresh = malloc(size);
    if (fresh == NULL) abort();
    memset(fresh, 0x5a, size < 64 ? size : 64);
    free(atomic_exchange(&shared[(next(state) >> 8) % SHARED], fresh));
}

static void *work(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    /* The pauses leave room for the child, or most of the time would go into waiting for a turn. */
    for (unsigned i = 1; !atomic_load(&stop); i++) {
        exchange(&state);
        if (i % 500 == 0) usleep(500);
    }
    return NULL;
}

static void *brief(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    for (int i = 0; i < 200; i++) exchange(&state);
    return NULL;
}

static int child(size_t seed)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, brief, (void *)seed) != 0) return 1;
    brief((void *)(seed + 1));
    if (pthread_join(thread, NULL) != 0) return 1;
    for (int i = 0; i < SHARED; i++) free(atomic_exchange(&shared[i], NULL));
    return 0;
}

int main(int argc, char **argv)
{
    int forks = argc > 1 ? atoi(argv[1]) : 100, threads = argc > 2 ? atoi(argv[2]) : 3, bad = 0;
    pthread_t ids[64];
    for (int i = 0; i < threads; i++) pthread_create(&ids[i], NULL, work, (void *)(size_t)(i + 1));
    for (int i = 0; i < forks; i++) {
        pid_t pid = fork();
        if (pid < 0) return perror("fork"), 2;
        if (pid == 0) _exit(child((size_t)i + 100));
        unsigned state = (unsigned)i;
        for (int k = 0; k < 50; k++) exchange(&state);
        int status = 0;
        waitpid(pid, &status, 0);
        bad += status != 0;
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    for (int i = 0; i < SHARED; i++) free(atomic_load(&shared[i]));
    printf("%d forks, %d children failed\n", forks, bad);
    return bad != 0;
}
