/* override */
/* A library that allocates is loaded, used by threads, unloaded, again and again; a thread outlives
   it each time. What its blocks took comes back. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mimalloc.h"
#include "stress.h"

static const char source[] =
    "#include <stdlib.h>\n"
    "#include <string.h>\n"
    "static __thread char *mine[64]; static char *all[4096];\n"
    "__attribute__((constructor)) static void start(void) {\n"
    "  for (int i = 0; i < 4096; i++) all[i] = calloc(1, 16 + i % 700); }\n"
    "__attribute__((destructor)) static void end(void) {\n"
    "  for (int i = 0; i < 4096; i++) free(all[i]); }\n"
    "void *work(int n) { for (int i = 0; i < 64; i++) {\n"
    "  free(mine[i]); mine[i] = malloc(100 + 50 * i + n);\n"
    "  memset(mine[i], n, 100); }\n"
    "  for (int i = 1; i < 64; i++) { free(mine[i]); mine[i] = 0; }\n"
    "  char *p = mine[0]; mine[0] = 0; return p; }\n";

typedef void *work_fun(int);
static work_fun *work;
static pthread_barrier_t loaded, unloaded;

static void *thread(void *arg)
{
    void *const p = work((int)(size_t)arg);
    pthread_barrier_wait(&loaded);
    pthread_barrier_wait(&unloaded); /* the library is gone */
    free(p);
    free(malloc(1000));
    return NULL;
}

static bool build(const char *directory, char *library, size_t size)
{
    char command[2048], path[1024];
    snprintf(path, sizeof path, "%s/plugin.c", directory);
    snprintf(library, size, "%s/plugin.so", directory);
    FILE *const f = fopen(path, "w");
    if (f == NULL) return false;
    fputs(source, f);
    fclose(f);
    snprintf(command, sizeof command, "cc -shared -fPIC -o %s %s 2>/dev/null", library, path);
    const bool ok = system(command) == 0;
    unlink(path);
    return ok;
}

int main(void)
{
    stress_begin("reload");
    char directory[] = "/tmp/mimalloc-reload-XXXXXX", library[256];
    if (stress_under_sanitizer() || mkdtemp(directory) == NULL) return STRESS_SKIPPED;
    if (!build(directory, library, sizeof library)) {
        rmdir(directory);
        return STRESS_SKIPPED; /* no compiler */
    }
    size_t rss = 0;
    const size_t cycles = stress_scaled(4000, 100);
    for (size_t i = 0; i < cycles; i++) {
        void *const handle = dlopen(library, RTLD_NOW);
        stress_require(handle != NULL);
        void *const symbol = dlsym(handle, "work");
        memcpy(&work, &symbol, sizeof symbol);
        pthread_barrier_init(&loaded, NULL, 3);
        pthread_barrier_init(&unloaded, NULL, 3);
        pthread_t t[2];
        for (size_t k = 0; k < 2; k++)
            stress_require(pthread_create(&t[k], NULL, thread, (void *)(i + k)) == 0);
        void *const p = work((int)i);
        stress_require(mi_is_in_heap_region(p));
        pthread_barrier_wait(&loaded);
        stress_require(dlclose(handle) == 0);
        pthread_barrier_wait(&unloaded);
        for (int k = 0; k < 2; k++) pthread_join(t[k], NULL);
        free(p);
        if (i == 20) rss = stress_rss_kib();
    }
    unlink(library);
    rmdir(directory);
    printf("%zu cycles, resident %zu -> %zu KiB\n", cycles, rss, stress_rss_kib());
    stress_require(stress_rss_kib() <= rss + 2048);
    return 0;
}
