/* Memory that a growing block left behind is used, freed, given back, and cleared memory again: what
   the system says of it must be true. */
#include "check.h"

enum { COUNT = 6 };

int main(void)
{
    for (int round = 0; round < 4; round++) {
        char *grown[COUNT], *after[COUNT];
        for (int i = 0; i < COUNT; i++) require((grown[i] = malloc(4 * MIB)) != NULL);
        for (int i = 0; i < COUNT; i++) memset(grown[i], 0x55, 4 * MIB);
        for (int i = 0; i < COUNT; i++) require((grown[i] = realloc(grown[i], 20 * MIB)) != NULL);
        for (int i = 0; i < COUNT; i++) require((after[i] = malloc(4 * MIB)) != NULL);
        for (int i = 0; i < COUNT; i++) memset(after[i], 0x66, 4 * MIB);
        for (int i = 0; i < COUNT; i++) free(after[i]);
        for (int i = 0; i < COUNT; i++) {
            char *const zero = calloc(1, 4 * MIB);
            require(zero != NULL);
            for (size_t at = 0; at < 4 * MIB; at++) require(zero[at] == 0);
            after[i] = zero;
        }
        for (int i = 0; i < COUNT; i++) free(after[i]);
        for (int i = 0; i < COUNT; i++) free(grown[i]);
    }
    puts("ok");
    return 0;
}
