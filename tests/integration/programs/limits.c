/* What is too large to exist gives NULL and ENOMEM, and leaves the old block as it was. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(const char *what, void *result)
{
    printf("%s: %s, %s\n", what, result == NULL ? "NULL" : "a block", strerrorname_np(errno));
    errno = 0;
}

int main(void)
{
    volatile size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        char *old = malloc(100);
        memset(old, 'x', 100);
        errno = 0;
        show("malloc", malloc(n));
        show("calloc", calloc(1, n));
        show("realloc of NULL", realloc(NULL, n));
        show("realloc", realloc(old, n));
        show("aligned_alloc", aligned_alloc(64, n));
        show("memalign", memalign(4096, n));
        show("valloc", valloc(n));
        void *untouched = old;
        int code = posix_memalign(&untouched, 64, n);
        printf("posix_memalign: %s, %s\n", strerrorname_np(code),
               untouched == old ? "pointer untouched" : "pointer changed");
        errno = 0;
        int kept = 1;
        for (int k = 0; k < 100; k++) kept &= old[k] == 'x';
        printf("old block %s\n", kept ? "kept" : "LOST");
        free(old);
    }
    volatile size_t many = SIZE_MAX / 8 + 2;
    errno = 0;
    show("calloc that overflows", calloc(many, 8));
    show("reallocarray that overflows", reallocarray(NULL, many, 8));

    /* What succeeds leaves errno alone. */
    errno = EDOM;
    void *block = malloc(100);
    block = realloc(block, 1000000);
    free(block);
    free(calloc(1000, 1000));
    free(NULL);
    printf("after success: %s\n", strerrorname_np(errno));

    void *nothing = malloc(0);
    printf("malloc(0): %s\n", nothing == NULL ? "NULL" : "a block");
    free(nothing);
    return 0;
}
