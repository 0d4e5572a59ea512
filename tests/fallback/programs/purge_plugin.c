/* A library that has an allocator of its own inside is opened, used and closed, again and again:
   when it is gone, none of its threads may be there.

       purge_plugin PLUGIN TIMES     PLUGIN: this file with -DPLUGIN and the archive */
#ifdef PLUGIN
#include <stddef.h>
#include <string.h>

void *mi_malloc(size_t bytes);
void mi_free(void *p);

int work(void)
{
    static void *blocks[4096];
    for (int i = 0; i < 4096; i++) {
        blocks[i] = mi_malloc(1000);
        if (blocks[i] == NULL) return 1;
        memset(blocks[i], 1, 1000);
    }
    for (int i = 0; i < 4096; i++) mi_free(blocks[i]);
    return 0;
}
#else
#include "check.h"

#include <dirent.h>
#include <dlfcn.h>
#include <time.h>

static int tasks(void)
{
    int n = 0;
    DIR *const d = opendir("/proc/self/task");
    require(d != NULL);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    require(argc == 3);
    int most = 0;
    for (int i = 0; i < atoi(argv[2]); i++) {
        void *const plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        require(plugin != NULL);
        int (*work)(void);
        *(void **)(void *)&work = dlsym(plugin, "work");
        require(work != NULL && work() == 0);
        const int n = tasks();
        if (n > most) most = n;
        const struct timespec nap = {0, i % 20 * 200000};
        nanosleep(&nap, NULL); /* at every moment of what the thread does */
        require(dlclose(plugin) == 0);
        require(dlopen(argv[1], RTLD_NOLOAD | RTLD_NOW) == NULL);
        /* what has ended is listed for a moment more */
        for (int waited = 0; tasks() > 1 && waited < 20000; waited++) usleep(1000);
        require(tasks() == 1);
    }
    require(most == 2);
    puts("ok");
    return 0;
}
#endif
