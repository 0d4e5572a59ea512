/* Prints which shared object each allocation function comes from. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static const char *usual[] = {"malloc",
                                  "calloc",
                                  "realloc",
                                  "free",
                                  "posix_memalign",
                                  "aligned_alloc",
                                  "malloc_usable_size",
                                  NULL};
    const char **names = argc > 1 ? (const char **)argv + 1 : usual;
    for (; *names != NULL; names++) {
        Dl_info info;
        void *address = dlsym(RTLD_DEFAULT, *names);
        const char *owner = "-";
        if (address != NULL && dladdr(address, &info) != 0) owner = info.dli_fname;
        printf("%s %s\n", *names, owner);
    }
    return 0;
}
