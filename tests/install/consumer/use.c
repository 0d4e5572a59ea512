/* Uses the installed headers and library; prints what it found. */
#include <mimalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *ours = mi_malloc(100);
    char *theirs = malloc(100);
    if (ours == NULL || theirs == NULL) return 1;
    memset(ours, 1, 100);
    memset(theirs, 2, 100);
    printf("version %d, malloc is %s\n", mi_version(),
           mi_is_in_heap_region(theirs) ? "ours" : "foreign");
    free(theirs);
    mi_free(ours);
    return 0;
}
