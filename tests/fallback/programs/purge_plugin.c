/* A library that has an allocator of its own inside is opened, used and closed, again and again:
   when it is gone, none of its threads may be there, also not one that was about to end by itself
   because it was switched off or no thread was left that it could work for.

       purge_plugin PLUGIN TIMES     PLUGIN: this file with -DPLUGIN and the archive */
#ifdef PLUGIN
#include <stddef.h>
#include <string.h>

#include "mimalloc.h"

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

void end_thread(int how)
{
    if (how == 1) mi_option_disable(mi_option_purge_thread);
    if (how == 2) mi_thread_done();
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
        void (*end_thread)(int how);
        *(void **)(void *)&end_thread = dlsym(plugin, "end_thread");
        require(work != NULL && end_thread != NULL && work() == 0);
        const int n = tasks();
        if (n > most) most = n;
        const struct timespec nap = {0, i % 20 * 200000};
        if (i % 3 == 0) nanosleep(&nap, NULL); /* at every moment of what the thread does */
        end_thread(i % 3);
        for (volatile int spin = 0; i % 3 != 0 && spin < i % 100 * 500; spin++) {
        }
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
