/* musl_late LIBRARY: a thread that is there before the library is loaded, and threads that come later,
   use it; each has thread variables of its own, and what one leaves behind is freed by another. */
#include "check.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>

enum { THREADS = 4, ROUNDS = 50, BLOCKS = 200 };

static void *(*allocate)(size_t);
static void (*release)(void *);
static sem_t loaded;
static void *left[THREADS + 1][BLOCKS];

static void *work(void *argument)
{
    const size_t self = (size_t)argument;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            const size_t bytes = 16 + (self * 131 + round * 37 + i * 97) % 20000;
            char *const p = allocate(bytes);
            require(p != NULL);
            memset(p, (int)self + 1, bytes);
            if (left[self][i] != NULL) {
                require(*(char *)left[self][i] == (char)(self + 1));
                release(left[self][i]);
            }
            left[self][i] = p;
        }
    }
    return NULL;
}

static void *early(void *argument)
{
    require(sem_wait(&loaded) == 0);
    return work(argument);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS + 1];
    require(argc == 2 && sem_init(&loaded, 0, 0) == 0);
    require(pthread_create(&threads[THREADS], NULL, early, (void *)(size_t)THREADS) == 0);
    void *const library = dlopen(argv[1], RTLD_NOW);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror()), _exit(5);
    *(void **)(void *)&allocate = dlsym(library, "mi_malloc");
    *(void **)(void *)&release = dlsym(library, "mi_free");
    require(allocate != NULL && release != NULL);
    require(sem_post(&loaded) == 0);
    for (size_t i = 0; i < THREADS; i++)
        require(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (size_t i = 0; i <= THREADS; i++) require(pthread_join(threads[i], NULL) == 0);
    for (size_t i = 0; i <= THREADS; i++)
        for (size_t k = 0; k < BLOCKS; k++) {
            require(*(char *)left[i][k] == (char)(i + 1));
            release(left[i][k]);
        }
    printf("ok\n");
    return 0;
}
