/* Frees what malloc never gave: an address on the stack, one in the data segment, a wild one.
 * Afterwards allocation must still work. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char data[4096];

int main(void)
{
    char stack[256] = {0};
    void *volatile wrong[] = {stack + 64, data + 128, (void *)(uintptr_t)0x1000};
    char *before = malloc(40);
    strcpy(before, "still here");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) free(wrong[i]);
    for (int i = 0; i < 1000; i++) free(malloc((size_t)i));
    printf("%s\n", before);
    free(before);
    return 0;
}
