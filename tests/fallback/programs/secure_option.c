/* Prints the value of an option, for a copy that runs as another user than it was started by. */
#include "check.h"

long mi_option_get(int option);

int main(void)
{
    free(malloc(10));
    printf("ok, purge_delay %ld, effective user %d\n", mi_option_get(15), (int)geteuid());
    return 0;
}
