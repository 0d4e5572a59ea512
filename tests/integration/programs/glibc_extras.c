/* glibc's own additions to malloc; prints "name value" lines for the test to judge. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 2000, BLOCK = 20000 }; /* 40 MB */

static void *blocks[BLOCKS];

static long resident_kib(void)
{
    long size = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%ld %ld", &size, &resident) != 2) exit(3);
    fclose(statm);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void show_mallinfo(const char *when)
{
    struct mallinfo2 info = mallinfo2();
    printf("%s.arena %zu\n%s.hblks %zu\n%s.hblkhd %zu\n%s.uordblks %zu\n%s.fordblks %zu\n", when,
           info.arena, when, info.hblks, when, info.hblkhd, when, info.uordblks, when,
           info.fordblks);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    show_mallinfo("start");
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK);
        memset(blocks[i], 1, BLOCK);
    }
    show_mallinfo("full");
    printf("full.resident %ld\n", resident_kib());

    FILE *xml = fopen(argv[1], "w");
    if (xml == NULL) return 2;
    printf("malloc_info %d\n", malloc_info(0, xml));
    fclose(xml);
    FILE *nowhere = fopen("/dev/null", "w");
    errno = 0;
    int refused = malloc_info(1, nowhere);
    printf("malloc_info.bad_option %d\n", refused != 0);
    fclose(nowhere);

    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    show_mallinfo("empty");
    printf("malloc_trim %d\n", malloc_trim(0));
    printf("trimmed.resident %ld\n", resident_kib());
    printf("malloc_trim.again %d\n", malloc_trim(0));

    printf("mallopt.arena_max %d\n", mallopt(M_ARENA_MAX, 2));
    printf("mallopt.mmap_threshold %d\n", mallopt(M_MMAP_THRESHOLD, 256 * 1024));
    printf("mallopt.unknown %d\n", mallopt(-12345, 1));
    free(malloc(100));
    printf("usable %zu\n", malloc_usable_size(NULL));
    fflush(stdout);
    malloc_stats();
    return 0;
}
