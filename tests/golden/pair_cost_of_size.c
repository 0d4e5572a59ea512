/* Frees the oldest of 16 live blocks and allocates a new one, argv[1] times: all of argv[2] bytes. */
#include <stdlib.h>

enum { LIVE = 16 };

int main(int argc, char **argv)
{
    static void *ring[LIVE];
    unsigned long pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 64;
    for (unsigned long i = 0; i < pairs; i++) {
        free(ring[i % LIVE]);
        ring[i % LIVE] = malloc(bytes);
    }
    return 0;
}
