/* Frees the oldest of 16 live blocks and allocates a new one, argv[1] times: sizes 16 to 256 bytes.
 * The loop is small, so that what is counted is the allocator. */
#include <stdlib.h>

enum { LIVE = 16, SIZES = 64 };

/* Uniform over 16..256, in an order that repeats only after 64 blocks. */
static const unsigned short sizes[SIZES] = {
    177, 52,  231, 96,  143, 18,  208, 69,  254, 121, 36,  190, 84,  223, 158, 107,
    27,  240, 135, 61,  199, 48,  167, 112, 216, 23,  150, 78,  246, 92,  183, 40,
    128, 204, 57,  235, 16,  162, 100, 219, 74,  194, 31,  139, 250, 88,  172, 45,
    212, 116, 65,  227, 154, 20,  186, 103, 256, 131, 81,  202, 34,  147, 238, 110,
};

int main(int argc, char **argv)
{
    static void *ring[LIVE];
    unsigned long pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    for (unsigned long i = 0; i < pairs; i++) {
        free(ring[i % LIVE]);
        ring[i % LIVE] = malloc(sizes[i % SIZES]);
    }
    return 0;
}
