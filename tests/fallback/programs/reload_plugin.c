/* A library that has an allocator of its own inside is opened, used and closed, again and again:
   what it reserved and used goes with it, but for a little of each time.

       reload_plugin PLUGIN TIMES HOW     PLUGIN: this file with -DPLUGIN and the archive
       HOW: free, leak, thread, late: destructors use it too, exit: the same in exit */
#ifdef PLUGIN
#include <stddef.h>
#include <string.h>

#include "mimalloc.h"

int work(int leak)
{
    static void *blocks[64];
    for (int i = 0; i < 64; i++) {
        blocks[i] = mi_malloc((size_t)1000 << i % 12);
        if (blocks[i] == NULL) return 1;
        memset(blocks[i], 1, 1000);
    }
    for (int i = leak; i < 64; i++) mi_free(blocks[i]);
    return 0;
}

int late;

/* in the order of destructors before that of the allocator, or behind it */
__attribute__((destructor)) static void work_at_the_end(void)
{
    if (late && work(0) != 0) __builtin_trap();
}
__attribute__((destructor(101))) static void work_at_the_very_end(void)
{
    if (late && work(1) != 0) __builtin_trap();
}
#else
#include "check.h"

#include <dlfcn.h>
#include <pthread.h>

static int (*work)(int leak);

static void *work_in_thread(void *unused)
{
    require(work(0) == 0);
    return unused;
}

int main(int argc, char **argv)
{
    require(argc == 4);
    const int times = atoi(argv[2]);
    const bool leaks = strcmp(argv[3], "leak") == 0, in_thread = strcmp(argv[3], "thread") == 0;
    size_t resident = 0, reserved = 0, maps = 0;
    for (int i = 0; i < times; i++) {
        void *const plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        require(plugin != NULL);
        *(void **)(void *)&work = dlsym(plugin, "work");
        require(work != NULL && work(leaks ? 3 : 0) == 0);
        int *const late = dlsym(plugin, "late");
        require(late != NULL);
        *late = strcmp(argv[3], "late") == 0 || strcmp(argv[3], "exit") == 0;
        if (in_thread) {
            pthread_t t;
            require(pthread_create(&t, NULL, work_in_thread, NULL) == 0);
            require(pthread_join(t, NULL) == 0);
        }
        if (strcmp(argv[3], "exit") == 0) {
            puts("ok");
            exit(0);
        }
        require(dlclose(plugin) == 0);
        require(dlopen(argv[1], RTLD_NOLOAD | RTLD_NOW) == NULL);
        if (i != 9) continue;
        resident = proc_number("/proc/self/status", "VmRSS:");
        reserved = proc_number("/proc/self/status", "VmSize:");
        maps = mapping_count();
    }
    const size_t n = (size_t)times - 10;
    resident = proc_number("/proc/self/status", "VmRSS:") - resident;
    reserved = proc_number("/proc/self/status", "VmSize:") - reserved;
    maps = mapping_count() - maps;
    printf("ok, of each time %zu KiB of memory, %zu MiB of addresses, %zu.%02zu mappings stay\n",
           resident / n, reserved / n / 1024, maps / n, maps * 100 / n % 100);
    return 0;
}
#endif
