/* late LIBRARY TLS-LIBRARY...: loads the others first, which take static TLS, then the library. */
#include "check.h"

#include <dlfcn.h>

int main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (dlopen(argv[i], RTLD_NOW) == NULL) fprintf(stderr, "%s\n", dlerror()), _exit(4);
    void *const library = dlopen(argv[1], RTLD_NOW);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror()), _exit(5);
    void *(*const allocate)(size_t) = (void *(*)(size_t))dlsym(library, "mi_malloc");
    void (*const release)(void *) = (void (*)(void *))dlsym(library, "mi_free");
    require(allocate != NULL && release != NULL);
    void *const p = allocate(1000);
    require(p != NULL);
    memset(p, 1, 1000);
    release(p);
    printf("ok\n");
    return 0;
}
