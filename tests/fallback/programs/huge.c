/* Arenas of real huge pages. Usage: huge reserve|large|none|option [pages or MiB]
     reserve N   N pages of 1 GiB, or as much in pages of 2 MiB, are to be had
     large N     N MiB in pages of 2 MiB
     none        there are none: an error, and everything else works
     option N    options had N MiB reserved at start */
#include "check.h"

#include <mimalloc.h>

static size_t huge_kib(void) { return proc_number("/proc/self/smaps_rollup", "Private_Hugetlb:"); }

/* Every byte of a heap's arena; pages are not given back before the process ends. */
static void work(mi_arena_id_t arena, size_t bytes)
{
    size_t size;
    char *const start = mi_arena_area(arena, &size);
    require(start != NULL && size == bytes);
    for (int round = 0; round < 2; round++) {
        mi_heap_t *const heap = mi_heap_new_in_arena(arena);
        require(heap != NULL);
        char *const all = mi_heap_zalloc(heap, bytes);
        require(all == start);
        for (size_t at = 0; at < bytes; at += 4096) require(all[at] == 0);
        pattern_write(all, bytes, 4096);
        require(pattern_is(all, bytes, bytes, 4096));
        require(mi_heap_malloc(heap, 100) == NULL && errno == ENOMEM);
        mi_heap_destroy(heap);
        mi_collect(true);
        require(huge_kib() >= bytes >> 10);
    }
    mi_heap_t *const heap = mi_heap_new_in_arena(arena);
    char *blocks[1000];
    for (int i = 0; i < 1000; i++) {
        blocks[i] = mi_heap_malloc(heap, 3000);
        require(blocks[i] != NULL && mi_arena_contains(arena, blocks[i]));
        pattern_write(blocks[i], 3000, 8);
    }
    /* out of it, by copying, or in it */
    char *const moved = mi_realloc(mi_heap_malloc(heap, 5 * MIB), 900 * MIB);
    require(moved != NULL);
    mi_free(moved);
    for (int i = 0; i < 1000; i++) {
        require(pattern_is(blocks[i], 3000, 3000, 8));
        mi_free(blocks[i]);
    }
    mi_heap_destroy(heap);
}

int main(int argc, char **argv)
{
    require(argc >= 2);
    const size_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    mi_arena_id_t arena = NULL;
    if (strcmp(argv[1], "reserve") == 0) {
        /* one more than there are: what there is will do */
        require(mi_reserve_huge_os_pages_at_ex(n + 1, 0, 60000, true, &arena) == 0);
        work(arena, n * GIB);
        printf("ok, %zu MiB in huge pages\n", huge_kib() >> 10);
    } else if (strcmp(argv[1], "large") == 0) {
        require(mi_reserve_os_memory_ex(n * MIB, true, true, true, &arena) == 0);
        work(arena, n * MIB);
        printf("ok, %zu MiB in huge pages\n", huge_kib() >> 10);
    } else if (strcmp(argv[1], "none") == 0) {
        size_t pages = 7;
        const size_t mappings = mapping_count();
        for (int i = 0; i < 3; i++) {
            require(mi_reserve_huge_os_pages_at_ex(3, -1, 0, true, &arena) == ENOMEM);
            require(arena == NULL);
            require(mi_reserve_huge_os_pages(2, 0, &pages) == ENOMEM && pages == 0);
            require(mi_reserve_huge_os_pages_interleave(2, 2, 1000) == ENOMEM);
            /* ordinary memory where large pages cannot be had */
            require(mi_reserve_os_memory_ex(64 * MIB, true, true, true, &arena) == 0);
        }
        require(mapping_count() <= mappings + 4); /* no hole is left, so mappings merge */
        mi_heap_t *const heap = mi_heap_new_in_arena(arena);
        char *const p = mi_heap_malloc(heap, 60 * MIB);
        require(p != NULL);
        pattern_write(p, 60 * MIB, 64);
        require(pattern_is(p, 60 * MIB, 60 * MIB, 64));
        char *const q = malloc(200 * MIB);
        require(q != NULL);
        pattern_write(q, 200 * MIB, 64);
        free(q);
        require(huge_kib() == 0);
        printf("ok, none\n");
    } else {
        char *const p = malloc(50 * MIB);
        require(p != NULL);
        pattern_write(p, 50 * MIB, 64);
        require(huge_kib() >= n << 10);
        free(p);
        printf("ok, %zu MiB in huge pages\n", huge_kib() >> 10);
    }
    return 0;
}
