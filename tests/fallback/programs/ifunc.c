/* malloc in an IFUNC resolver: while the program is being relocated, before any constructor and
   before the C library has set environ. */
#include "check.h"

static char *early[40];
static int environ_was_set;

static int answer(void) { return 4711; }

static int (*resolve(void))(void)
{
    for (size_t i = 0; i < 40; i++) {
        const size_t bytes = (size_t)16 << i % 18;
        early[i] = malloc(bytes);
        if (early[i] == NULL) return NULL;
        early[i][0] = (char)i;
        early[i][bytes - 1] = (char)i;
    }
    for (size_t i = 0; i < 40; i += 2) free(early[i]);
    environ_was_set = environ != NULL;
    return answer;
}

int question(void) __attribute__((ifunc("resolve")));

int main(void)
{
    require(question() == 4711);
    for (size_t i = 1; i < 40; i += 2) {
        require(early[i][0] == (char)i);
        free(early[i]);
    }
    for (size_t bytes = 16; bytes < 8 * MIB; bytes *= 2) {
        void *const p = malloc(bytes);
        require(p != NULL);
        memset(p, 1, bytes);
        free(p);
    }
    printf("ok, environ %s\n", environ_was_set ? "was set" : "was not set yet");
    return 0;
}
