/* Walking over areas and blocks: complete, exact for what stands still, safe while others run. */
#include <pthread.h>
#include <stdatomic.h>

#include "api_test.h"

/* ---- blocks that are looked for ---- */

enum { MOST = 4096 };
typedef struct expected {
    size_t count;
    struct {
        void *block;
        size_t size;
        int seen;
    } at[MOST];
} expected_t;

typedef struct walk {
    expected_t *expected;
    const mi_heap_t *heap; /* all calls must be for this one */
    size_t areas, blocks;  /* seen */
    size_t unknown;        /* blocks that are not expected */
    size_t used;           /* what the areas said */
    size_t stop_after;     /* calls; 0: never */
    size_t calls;
    const mi_heap_area_t *area;
    const char *bad;
} walk_t;

static void expect(expected_t *expected, void *block, size_t size)
{
    assert_non_null(block);
    assert_true(expected->count < MOST);
    expected->at[expected->count].block = block;
    expected->at[expected->count++].size = size;
}

/* An aligned pointer may lie inside of what is visited. */
static void find(walk_t *walk, const char *block, size_t size)
{
    for (size_t i = 0; i < walk->expected->count; i++) {
        const char *const p = walk->expected->at[i].block;
        if (p < block || p >= block + size) continue;
        walk->expected->at[i].seen++;
        if (p + walk->expected->at[i].size > block + size) walk->bad = "a block is too small";
        return;
    }
    walk->unknown++;
}

static bool visit(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                  void *arg)
{
    walk_t *const walk = (walk_t *)arg;
    walk->calls++;
    if (heap != walk->heap) walk->bad = "another heap";
    if (block == NULL) {
        walk->area = area;
        walk->areas++;
        walk->used += area->used;
        if (area->committed > area->reserved) walk->bad = "more committed than reserved";
        if (area->block_size > area->full_block_size) walk->bad = "more than a full block";
        if (area->blocks == NULL || area->reserved < area->full_block_size)
            walk->bad = "an area without room for a block";
        if (size != area->block_size) walk->bad = "not the area's block size";
    } else {
        walk->blocks++;
        const char *const p = (const char *)block, *const start = (const char *)area->blocks;
        if (area != walk->area && area->blocks != walk->area->blocks)
            walk->bad = "a block before its area";
        if (p < start || p + size > start + area->reserved) walk->bad = "outside of the area";
        if ((size_t)(p - start) % area->full_block_size != 0) walk->bad = "not where a block is";
        if (size != area->block_size) walk->bad = "not the area's block size";
        if (walk->expected != NULL) find(walk, p, size);
    }
    return walk->stop_after == 0 || walk->calls < walk->stop_after;
}

static void check_seen_once(const walk_t *walk)
{
    if (walk->bad != NULL) fail_msg("%s", walk->bad);
    for (size_t i = 0; i < walk->expected->count; i++)
        if (walk->expected->at[i].seen != 1)
            fail_msg("%zu bytes: seen %d times", walk->expected->at[i].size,
                     walk->expected->at[i].seen);
    assert_int_equal(walk->unknown, 0);
    assert_int_equal(walk->blocks, walk->expected->count);
}

static void forget_seen(expected_t *expected)
{
    for (size_t i = 0; i < expected->count; i++) expected->at[i].seen = 0;
}

/* Blocks of every kind of page, some of each freed again. */
static void fill(expected_t *expected, mi_heap_t *heap)
{
    static const size_t sizes[] = {1,      16,      48,      100,      1000,
                                   8000,   30000,   65536,   200000,   524288,
                                   700000, 2000000, 5000000, 40000000, 100000000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const int count = sizes[s] < 10000 ? 200 : sizes[s] < 1000000 ? 10 : 2;
        for (int i = 0; i < count; i++) {
            void *const p = mi_heap_malloc(heap, sizes[s]);
            if (i % 3 == 1)
                mi_free(p);
            else
                expect(expected, p, sizes[s]);
        }
    }
    for (size_t alignment = 32; alignment <= 8 * MIC_MIB; alignment *= 2) {
        expect(expected, mi_heap_malloc_aligned(heap, 100, alignment), 100);
        expect(expected, mi_heap_malloc_aligned(heap, alignment + 5000, alignment),
               alignment + 5000);
        expect(expected, mi_heap_malloc_aligned_at(heap, 200, alignment, 24), 200);
    }
}

/* ---- one thread ---- */

static void every_kind_of_block_is_visited_once(void **state)
{
    (void)state;
    static expected_t expected;
    memset(&expected, 0, sizeof expected);
    mi_heap_t *const heap = mi_heap_new();
    void *const elsewhere = mi_malloc(100);
    fill(&expected, heap);
    walk_t walk = {.expected = &expected, .heap = heap};
    errno = 17;
    assert_true(mi_heap_visit_blocks(heap, true, visit, &walk));
    assert_int_equal(errno, 17);
    check_seen_once(&walk);
    assert_int_equal(walk.used, walk.blocks);

    /* those of the thread are all there are */
    forget_seen(&expected);
    walk_t own = {.expected = &expected, .heap = heap};
    assert_true(mi_theap_visit_blocks(mi_heap_theap(heap), true, visit, &own));
    check_seen_once(&own);
    walk_t none = {.expected = &expected, .heap = heap};
    assert_true(mi_heap_visit_abandoned_blocks(heap, true, visit, &none));
    assert_int_equal(none.calls, 0);

    mi_heap_destroy(heap);
    mi_free(elsewhere);
}

static void areas_alone(void **state)
{
    (void)state;
    static expected_t expected;
    memset(&expected, 0, sizeof expected);
    mi_heap_t *const heap = mi_heap_new();
    fill(&expected, heap);
    walk_t walk = {.heap = heap};
    assert_true(mi_heap_visit_blocks(heap, false, visit, &walk));
    if (walk.bad != NULL) fail_msg("%s", walk.bad);
    assert_int_equal(walk.blocks, 0);
    assert_true(walk.areas > 20);
    assert_int_equal(walk.used, expected.count);
    mi_heap_destroy(heap);
}

static void the_visitor_stops_it(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    for (int i = 0; i < 10; i++) assert_non_null(mi_heap_malloc(heap, 100));
    for (size_t calls = 1; calls < 8; calls++) {
        walk_t walk = {.heap = heap, .stop_after = calls};
        assert_false(mi_heap_visit_blocks(heap, true, visit, &walk));
        assert_int_equal(walk.calls, calls);
    }
    walk_t walk = {.heap = heap, .stop_after = 1};
    assert_false(mi_theap_visit_blocks(mi_heap_theap(heap), true, visit, &walk));
    mi_heap_destroy(heap);
}

static void an_empty_heap_has_no_blocks(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    walk_t walk = {.heap = heap};
    assert_true(mi_heap_visit_blocks(heap, true, visit, &walk));
    assert_int_equal(walk.calls, 0);
    mi_free(mi_heap_malloc(heap, 100));
    assert_true(mi_heap_visit_blocks(heap, true, visit, &walk));
    assert_int_equal(walk.blocks, 0);
    mi_heap_destroy(heap);
}

static void the_main_heap_can_be_walked(void **state)
{
    (void)state;
    static expected_t expected;
    memset(&expected, 0, sizeof expected);
    for (int i = 0; i < 100; i++) expect(&expected, mi_malloc((size_t)i * 50), (size_t)i * 50);
    expect(&expected, mi_malloc(3000000), 3000000);
    mi_heap_t *const heaps[] = {mi_heap_main(), NULL};
    for (int i = 0; i < 2; i++) {
        forget_seen(&expected);
        walk_t walk = {.expected = &expected, .heap = mi_heap_main()};
        assert_true(mi_heap_visit_blocks(heaps[i], true, visit, &walk));
        if (walk.bad != NULL) fail_msg("%s", walk.bad);
        for (size_t k = 0; k < expected.count; k++) assert_int_equal(expected.at[k].seen, 1);
    }
    for (size_t k = 0; k < expected.count; k++) mi_free(expected.at[k].block);
}

static bool free_it(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                    void *arg)
{
    (void)heap, (void)area, (void)size;
    if (block != NULL) {
        ++*(size_t *)arg;
        mi_free(block);
    }
    return true;
}

static void the_visitor_may_free(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    for (int i = 0; i < 2000; i++) assert_non_null(mi_heap_malloc(heap, (size_t)i * 37));
    for (int i = 0; i < 5; i++) assert_non_null(mi_heap_malloc(heap, 3 * MIC_MIB));
    size_t freed = 0;
    assert_true(mi_heap_visit_blocks(heap, true, free_it, &freed));
    assert_int_equal(freed, 2005);
    walk_t walk = {.heap = heap};
    assert_true(mi_heap_visit_blocks(heap, true, visit, &walk));
    assert_int_equal(walk.blocks, 0);
    mi_heap_destroy(heap);
}

static bool allocate_more(const mi_heap_t *heap, const mi_heap_area_t *area, void *block,
                          size_t size, void *arg)
{
    (void)area, (void)size;
    size_t *const budget = (size_t *)arg;
    if (block == NULL || *budget == 0) return true;
    --*budget;
    return mi_heap_malloc((mi_heap_t *)heap, *budget % 50 == 0 ? 700000 : *budget * 11) != NULL;
}

static void the_visitor_may_allocate(void **state)
{
    (void)state;
    static expected_t expected;
    memset(&expected, 0, sizeof expected);
    mi_heap_t *const heap = mi_heap_new();
    for (size_t i = 0; i < 500; i++) expect(&expected, mi_heap_malloc(heap, i * 7), i * 7);
    size_t budget = 1000;
    assert_true(mi_heap_visit_blocks(heap, true, allocate_more, &budget));
    walk_t walk = {.expected = &expected, .heap = heap};
    assert_true(mi_heap_visit_blocks(heap, true, visit, &walk));
    if (walk.bad != NULL) fail_msg("%s", walk.bad);
    for (size_t i = 0; i < expected.count; i++) assert_int_equal(expected.at[i].seen, 1);
    assert_int_equal(walk.blocks, expected.count + 1000 - budget);
    mi_heap_destroy(heap);
}

/* ---- several threads ---- */

typedef struct other {
    mi_heap_t *heap;
    expected_t expected;
    atomic_bool stop;
    pthread_barrier_t barrier;
} other_t;
static other_t other;

static void *fill_other(void *arg)
{
    (void)arg;
    fill(&other.expected, other.heap);
    return NULL;
}

static void blocks_of_ended_threads(void **state)
{
    (void)state;
    memset(&other, 0, sizeof other);
    other.heap = mi_heap_new();
    void *const mine = mi_heap_malloc(other.heap, 12345); /* before, so it is not in their pages */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fill_other, NULL), 0);
    pthread_join(thread, NULL);

    walk_t ended = {.expected = &other.expected, .heap = other.heap};
    assert_true(mi_heap_visit_abandoned_blocks(other.heap, true, visit, &ended));
    check_seen_once(&ended);

    forget_seen(&other.expected);
    expect(&other.expected, mine, 12345);
    walk_t all = {.expected = &other.expected, .heap = other.heap};
    assert_true(mi_heap_visit_blocks(other.heap, true, visit, &all));
    check_seen_once(&all);
    walk_t own = {.expected = &other.expected, .heap = other.heap};
    assert_true(mi_theap_visit_blocks(mi_heap_theap(other.heap), true, visit, &own));
    assert_int_equal(own.blocks, 1);
    mi_heap_destroy(other.heap);
}

/* Frees of other threads are collected before blocks are told. */
static void *free_all(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < other.expected.count; i++) mi_free(other.expected.at[i].block);
    return NULL;
}

static void what_others_freed_is_not_visited(void **state)
{
    (void)state;
    memset(&other, 0, sizeof other);
    other.heap = mi_heap_new();
    fill(&other.expected, other.heap);
    void *const kept = mi_heap_malloc(other.heap, 48);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, free_all, NULL), 0);
    pthread_join(thread, NULL);
    static expected_t left;
    memset(&left, 0, sizeof left);
    expect(&left, kept, 48);
    walk_t walk = {.expected = &left, .heap = other.heap};
    assert_true(mi_heap_visit_blocks(other.heap, true, visit, &walk));
    check_seen_once(&walk);
    mi_heap_destroy(other.heap);
}

/* Keeps blocks from before the walk, and allocates and frees others all the time. */
static void *churn(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 1000; i++) {
        const size_t size = i % 100 == 0 ? 600000 : i * 5;
        expect(&other.expected, mi_heap_malloc(other.heap, size), size);
    }
    enum { LIVE = 200 };
    static void *live[LIVE];
    for (size_t i = 0; i < 5000; i += API_TIMES(1, 50))
        mi_free(mi_heap_malloc(other.heap, i)); /* slow paths */
    mi_thread_idle();
    pthread_barrier_wait(&other.barrier);
    for (size_t i = 0; i < API_TIMES(SIZE_MAX, 500) && !atomic_load(&other.stop); i++) {
        mi_free(live[i % LIVE]);
        live[i % LIVE] = mi_heap_malloc(other.heap, i % 997 == 0 ? 900000 : i * 13 % 6000);
    }
    for (size_t i = 0; i < LIVE; i++) mi_free(live[i]);
    return NULL;
}

static void walking_while_another_thread_runs(void **state)
{
    (void)state;
    memset(&other, 0, sizeof other);
    pthread_barrier_init(&other.barrier, NULL, 2);
    other.heap = mi_heap_new();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, churn, NULL), 0);
    pthread_barrier_wait(&other.barrier);
    for (int round = 0; round < API_TIMES(100, 5); round++) {
        forget_seen(&other.expected);
        walk_t walk = {.expected = &other.expected, .heap = other.heap};
        assert_true(mi_heap_visit_blocks(other.heap, true, visit, &walk));
        if (walk.bad != NULL) fail_msg("round %d: %s", round, walk.bad);
        for (size_t i = 0; i < other.expected.count; i++)
            if (other.expected.at[i].seen != 1)
                fail_msg("round %d: %zu bytes: seen %d times", round, other.expected.at[i].size,
                         other.expected.at[i].seen);
    }
    atomic_store(&other.stop, true);
    pthread_join(thread, NULL);
    forget_seen(&other.expected);
    walk_t walk = {.expected = &other.expected, .heap = other.heap};
    assert_true(mi_heap_visit_blocks(other.heap, true, visit, &walk));
    check_seen_once(&walk); /* at rest it is exact */
    mi_heap_destroy(other.heap);
    pthread_barrier_destroy(&other.barrier);
}

/* Their pages change hands while they are walked over. */
static void *leave_blocks(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < API_TIMES(300, 70); i++) {
        const size_t size = 16 + other.expected.count % 64 * 100;
        void *const p = mi_heap_malloc(other.heap, size), *const q =
                                                              mi_heap_malloc(other.heap, size);
        expect(&other.expected, p, size);
        mi_free(q); /* room for who takes the page over */
    }
    return NULL;
}

static void *adopt(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < API_TIMES(SIZE_MAX, 4) && !atomic_load(&other.stop); i++) {
        enum { LIVE = API_TIMES(300, 70) };
        void *live[LIVE];
        for (size_t k = 0; k < LIVE; k++) live[k] = mi_heap_malloc(other.heap, 16 + k % 64 * 100);
        for (size_t k = 0; k < LIVE; k++) mi_free(live[k]);
        if (i % 3 == 0) mi_thread_done(); /* and leaves them again */
    }
    return NULL;
}

static void walking_while_pages_change_hands(void **state)
{
    (void)state;
    memset(&other, 0, sizeof other);
    other.heap = mi_heap_new();
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, leave_blocks, NULL), 0);
        pthread_join(thread, NULL);
    }
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, adopt, NULL), 0);
    int missed = 0, twice = 0;
    for (int round = 0; round < API_TIMES(300, 10); round++) {
        forget_seen(&other.expected);
        walk_t walk = {.expected = &other.expected, .heap = other.heap};
        assert_true(mi_heap_visit_blocks(other.heap, true, visit, &walk));
        if (walk.bad != NULL) fail_msg("round %d: %s", round, walk.bad);
        for (size_t i = 0; i < other.expected.count; i++) {
            missed += other.expected.at[i].seen == 0;
            twice += other.expected.at[i].seen > 1;
        }
    }
    atomic_store(&other.stop, true);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    if (missed + twice > 0) fail_msg("missed %d times, seen twice %d times", missed, twice);
    mi_heap_destroy(other.heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_block_is_visited_once),
        cmocka_unit_test(areas_alone),
        cmocka_unit_test(the_visitor_stops_it),
        cmocka_unit_test(an_empty_heap_has_no_blocks),
        cmocka_unit_test(the_main_heap_can_be_walked),
        cmocka_unit_test(the_visitor_may_free),
        cmocka_unit_test(the_visitor_may_allocate),
        cmocka_unit_test(blocks_of_ended_threads),
        cmocka_unit_test(what_others_freed_is_not_visited),
        cmocka_unit_test(walking_while_another_thread_runs),
        cmocka_unit_test(walking_while_pages_change_hands),
    };
    return cmocka_run_group_tests_name("walking", tests, NULL, NULL);
}
