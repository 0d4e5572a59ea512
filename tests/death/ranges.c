/* Hardened build: an address that was in a block of one size is never in a block of another, nor does
   a run of pages of one size touch one of another. With all heaps, threads that ended, and memory
   given back in between. */
#include <pthread.h>

#include "api_test.h"
#include "os/os.h"
#include "page/page.h"
#include "vm/vm_internal.h"

static const size_t sizes[] = {10,   40,   100,   200,   500,   1000,
                               3000, 7000, 20000, 50000, 90000, 300000};
enum { SIZES = sizeof sizes / sizeof sizes[0], BYTES = 8 << 20, MOST = 4000, SEEN = 1 << 16 };

typedef struct seen {
    uintptr_t slice; /* 0 = empty */
    uint8_t cls;
} seen_t;
static seen_t seen[SEEN]; /* hashed */

static void note_slice(uintptr_t slice, uint8_t cls)
{
    size_t at = (size_t)(slice * 0x9e3779b97f4a7c15u >> 40) % SEEN;
    while (seen[at].slice != 0 && seen[at].slice != slice) at = (at + 1) % SEEN;
    if (seen[at].slice != 0) assert_int_equal(seen[at].cls, cls);
    seen[at] = (seen_t){slice, cls};
}

static void note(const void *p)
{
    const mic_page_t *const page = mic_page_of(p);
    assert_non_null(page);
    const uintptr_t first = (uintptr_t)page->start >> MIC_SLICE_SHIFT;
    for (uintptr_t i = 0; i < page->slices; i++) note_slice(first + i, page->cls);
    const mic_arena_t *const a = &mic_arenas[page->arena];
    const size_t segment = ((uintptr_t)p - a->base) / MIC_SEGMENT_BYTES;
    note_slice(1 + segment, page->cls); /* and its whole segment */
}

static void *blocks[MOST];

static void use(mi_heap_t *heap, size_t bytes)
{
    const size_t n = mic_min(MOST, BYTES / bytes);
    for (size_t i = 0; i < n; i++) {
        blocks[i] = heap == NULL ? mi_malloc(bytes) : mi_heap_malloc(heap, bytes);
        assert_non_null(blocks[i]);
        note(blocks[i]);
    }
    for (size_t i = 0; i < n; i++) mi_free(blocks[i]);
}

static void *in_thread(void *unused)
{
    for (size_t s = SIZES; s-- > 0;) use(NULL, sizes[s]);
    return unused;
}

static void sizes_share_no_address(void **state)
{
    (void)state;
    mi_free(mi_malloc(1));
    if (mic_arena_ranges[0].classes != 1) skip(); /* too little address space here */
    for (size_t round = 0; round < 3; round++) {
        for (size_t s = 0; s < SIZES; s++) {
            use(NULL, sizes[(s * 5 + round) % SIZES]);
            mi_collect(true);
        }
        mi_heap_t *const heap = mi_heap_new();
        for (size_t s = 0; s < SIZES; s++) use(heap, sizes[(s * 7 + round) % SIZES]);
        mi_heap_destroy(heap);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

/* In a child a size has the place that it has in the parent. */
static void child(void *unused)
{
    (void)unused;
    for (size_t s = 0; s < SIZES; s++) use(NULL, sizes[(s * 11 + 3) % SIZES]);
}
static void nor_in_a_forked_child(void **state)
{
    (void)state;
    char text[200];
    mi_free(mi_malloc(1));
    if (mic_arena_ranges[0].classes != 1) skip();
    for (size_t s = 0; s < SIZES; s++) use(NULL, sizes[s]);
    const int status = api_run_child(child, NULL, text, sizeof text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_share_no_address),
        cmocka_unit_test(nor_in_a_forked_child),
    };
    if (!MIC_CLASSES_HAVE_RANGES) return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
