/* Threads open a library, use it, and close it; some of its blocks are freed after it is closed
 * and by other threads. argv: library, rounds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, KEPT = 200 };

static const char *library;
static size_t lengths[THREADS];

static void *work(void *number)
{
    size_t me = (size_t)number;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) return fprintf(stderr, "%s\n", dlerror()), NULL;
    char *(*make)(int) = (char *(*)(int))dlsym(handle, "plugin_make");
    void (*release)(char *) = (void (*)(char *))dlsym(handle, "plugin_free");
    char **kept = malloc(KEPT * sizeof *kept);
    for (int i = 0; i < KEPT; i++) {
        kept[i] = make(i);
        release(make(i + 1));
    }
    lengths[me] = 0;
    for (int i = 0; i < KEPT; i++) lengths[me] += strlen(kept[i]);
    dlclose(handle);
    return kept; /* freed by the main thread, when the library may be gone */
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    library = argv[1];
    int rounds = atoi(argv[2]);
    for (int round = 0; round < rounds; round++) {
        pthread_t threads[THREADS];
        for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
        for (size_t i = 0; i < THREADS; i++) {
            void *kept = NULL;
            pthread_join(threads[i], &kept);
            if (kept == NULL) return 1;
            for (int k = 0; k < KEPT; k++) free(((char **)kept)[k]);
            free(kept);
        }
    }
    printf("%d rounds, %zu %zu %zu %zu\n", rounds, lengths[0], lengths[1], lengths[2], lengths[3]);
    return 0;
}
