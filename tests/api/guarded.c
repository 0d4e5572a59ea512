/* Guarded sampling: a block that was sampled lies between inaccessible pages, at the end of its own
   or at their start; freed it is inaccessible; where it came from is told. That a block is guarded
   shows in its usable size, which is exactly what was asked for. */
#include <pthread.h>
#include <unistd.h>

#include "api_test.h"

enum { BYTES = 37, BLOCKS = 100, MANY = 40000, RATE = 100, THREADS = 3, ROUNDS = 300 };

static bool is_guarded(const void *p) { return mi_usable_size(p) == BYTES; }

static mi_theap_t *sample(size_t rate)
{
    mi_theap_t *const theap = mi_theap_get_default();
    mi_theap_guarded_set_size_bound(theap, 0, (size_t)1 << 30);
    mi_theap_guarded_set_sample_rate(theap, rate, 0);
    return theap;
}

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static void each_block_is_guarded(void **state)
{
    (void)state;
    void *p[BLOCKS];
    size_t at_start = 0, at_end = 0;
    (void)sample(1);
    for (size_t i = 0; i < BLOCKS; i++) {
        p[i] = mi_malloc(BYTES);
        memset(p[i], (int)i, BYTES);
        assert_true(is_guarded(p[i]));
        api_assert_aligned(p[i], 16);
        at_start += (uintptr_t)p[i] % page_bytes() == 0;
        at_end += ((uintptr_t)p[i] + BYTES + 15) / 16 * 16 % page_bytes() == 0;
    }
    assert_int_equal(at_start + at_end, BLOCKS);
    assert_true(at_start > BLOCKS / 5 && at_end > BLOCKS / 5);
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t k = 0; k < BYTES; k++) assert_int_equal(((char *)p[i])[k], (char)i);
        mi_free(p[i]);
    }
    (void)sample(0);
}

static void so_are_those_of_other_functions(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_t *const theap = mi_heap_theap(heap);
    mi_theap_guarded_set_sample_rate(theap, 1, 0);
    (void)sample(1);
    for (int i = 0; i < 20; i++) {
        char *const zero = mi_zalloc(BYTES);
        assert_true(is_guarded(zero));
        for (size_t k = 0; k < BYTES; k++) assert_int_equal(zero[k], 0);
        void *const aligned = mi_malloc_aligned(BYTES, (size_t)16 << i % 10);
        assert_true(is_guarded(aligned));
        api_assert_aligned(aligned, (size_t)16 << i % 10);
        char *const offset = mi_malloc_aligned_at(BYTES, 64, 24);
        assert_true(is_guarded(offset));
        api_assert_aligned(offset + 24, 64);
        void *const of_heap = mi_heap_malloc(heap, BYTES);
        assert_true(is_guarded(of_heap));
        assert_ptr_equal(mi_heap_of(of_heap), heap);
        char *grown = mi_malloc(10);
        memset(grown, 7, 10);
        grown = mi_realloc(grown, BYTES);
        assert_true(is_guarded(grown));
        for (size_t k = 0; k < 10; k++) assert_int_equal(grown[k], 7);
        grown = mi_realloc(grown, 3 << 20);
        assert_int_equal(mi_usable_size(grown), 3 << 20);
        mi_free_size(zero, BYTES);
        mi_free_aligned(aligned, (size_t)16 << i % 10);
        mi_free(offset);
        mi_free(grown);
        if (i % 2 == 0) mi_free(of_heap);
    }
    mi_heap_destroy(heap);
    (void)sample(0);
}

static bool count_one(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t bytes,
                      void *arg)
{
    (void)heap, (void)area;
    if (block != NULL && is_guarded(block) && bytes == BYTES) ++*(size_t *)arg;
    return true;
}

static void walks_show_the_programs_pointer(void **state)
{
    (void)state;
    mi_heap_t *const heap = mi_heap_new();
    mi_theap_guarded_set_sample_rate(mi_heap_theap(heap), 1, 0);
    for (int i = 0; i < 10; i++) assert_non_null(mi_heap_malloc(heap, BYTES));
    size_t count = 0;
    assert_true(mi_heap_visit_blocks(heap, true, count_one, &count));
    assert_int_equal(count, 10);
    mi_heap_destroy(heap);
}

/* ---- the option, set while threads run ---- */

static pthread_barrier_t steps;

/* Once the list that there was is used up, each block is guarded. */
static void each_is_guarded_soon(void)
{
    void *p = mi_malloc(BYTES);
    for (int i = 0; i < MANY && !is_guarded(p); i++) {
        mi_free(p);
        p = mi_malloc(BYTES);
    }
    for (int i = 0; i < BLOCKS; i++) {
        assert_true(is_guarded(p));
        mi_free(p);
        p = mi_malloc(BYTES);
    }
    mi_free(p);
}

static void none_is_guarded(void)
{
    for (int i = 0; i < MANY; i++) {
        void *const p = mi_malloc(BYTES);
        assert_false(is_guarded(p));
        mi_free(p);
    }
}

static void *follow(void *arg)
{
    (void)arg;
    none_is_guarded();
    pthread_barrier_wait(&steps); /* it is set */
    pthread_barrier_wait(&steps);
    each_is_guarded_soon();
    pthread_barrier_wait(&steps); /* and 0 again */
    pthread_barrier_wait(&steps);
    none_is_guarded();
    return NULL;
}

static void the_option_is_followed(void **state)
{
    (void)state;
    pthread_t thread;
    pthread_barrier_init(&steps, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, follow, NULL), 0);
    none_is_guarded();
    pthread_barrier_wait(&steps);
    errno = 5;
    mi_option_set(mi_option_guarded_sample_rate, 1);
    assert_int_equal(errno, 5);
    pthread_barrier_wait(&steps);
    void *const big = mi_malloc(5000); /* a slow path of its own */
    assert_int_equal(mi_usable_size(big), 5000);
    mi_free(big);
    each_is_guarded_soon();
    pthread_barrier_wait(&steps);
    mi_option_set(mi_option_guarded_min, BYTES + 1);
    none_is_guarded();
    mi_option_set(mi_option_guarded_min, 0);
    each_is_guarded_soon();
    mi_option_disable(mi_option_guarded_sample_rate);
    pthread_barrier_wait(&steps);
    none_is_guarded();
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&steps);
}

static void a_rate_of_its_own_stays(void **state)
{
    (void)state;
    (void)sample(0);
    mi_option_set(mi_option_guarded_sample_rate, 1);
    none_is_guarded();
    mi_option_set(mi_option_guarded_sample_rate, 0);
}

/* About one in so many, whatever is served by the fast path. */
static void about_one_in_the_rate(void **state)
{
    (void)state;
    size_t guarded = 0;
    (void)sample(RATE);
    for (size_t i = 0; i < MANY; i++) {
        void *const p = mi_malloc(BYTES);
        guarded += is_guarded(p);
        mi_free(p);
    }
    print_message("%zu of %d at a rate of %d\n", guarded, MANY, RATE);
    assert_in_range(guarded, MANY / RATE / 2, MANY / RATE * 3 / 2);
    (void)sample(0);
    for (size_t i = 0; i < MANY; i++) {
        void *const p = mi_malloc(BYTES);
        assert_false(is_guarded(p));
        mi_free(p);
    }
}

static void only_sizes_between_the_bounds(void **state)
{
    (void)state;
    mi_theap_t *const theap = sample(1);
    mi_theap_guarded_set_size_bound(theap, BYTES, BYTES + 1);
    for (int i = 0; i < 50; i++) {
        void *const p = mi_malloc(BYTES), *const less = mi_malloc(BYTES - 1);
        assert_true(is_guarded(p));
        assert_int_not_equal(mi_usable_size(less), BYTES - 1);
        mi_free(p);
        mi_free(less);
    }
    (void)sample(0);
}

/* ---- what is found ---- */

/* In a process of its own that the environment tells to sample, as a program would be run. */

static int misuse(const char *how)
{
    volatile char *const p = api_opaque_pointer(mi_malloc(BYTES)); /* on purpose */
    p[0] = 1;
    if (strcmp(how, "large") == 0) {
        (void)!mi_malloc(PTRDIFF_MAX);
    } else if (strcmp(how, "twice") == 0) {
        mi_free((void *)p);
        mi_free((void *)p);
    } else if (strcmp(how, "after") == 0) {
        mi_free((void *)p);
        p[5] = 1;
    } else if (strcmp(how, "behind") == 0) {
        for (size_t i = 0; i < 2 * page_bytes(); i++) p[i] = 1;
    } else {
        for (size_t i = 1; i < 2 * page_bytes(); i++) p[-(intptr_t)i] = 1;
    }
    return 0;
}

static void start_misuse(void *how)
{
    setenv("MIMALLOC_GUARDED_SAMPLE_RATE", "1", 1);
    execl("/proc/self/exe", "guarded", "misuse", (char *)how, (char *)NULL);
}

/* Whoever samples wants to read of errors, in builds too that keep quiet otherwise. */
static void errors_are_told(void **state)
{
    (void)state;
    static char text[20000];
    static char how[] = "twice";
    (void)api_run_child(start_misuse, how, text, sizeof text);
    assert_non_null(strstr(text, "error: double free of"));
    assert_non_null(strstr(text, "allocated by thread"));
    if (CFG_DEBUG) return; /* there all errors are shown */
    static char large[] = "large";
    text[0] = 0;
    (void)api_run_child(start_misuse, large, text, sizeof text);
    assert_null(strstr(text, "error: "));
}

static void accesses_beside_are_told(void **state)
{
    (void)state;
    static char text[20000];
    static const struct {
        const char *how, *told;
    } rows[] = {{"after", "5 bytes into a freed block"},
                {"behind", "bytes behind a block"},
                {"before", "bytes before a block"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int status =
            api_run_child(start_misuse, (void *)(uintptr_t)rows[i].how, text, sizeof text);
        assert_int_not_equal(status, 0); /* sanitizers make an exit of the signal */
        assert_non_null(strstr(text, rows[i].told));
        assert_non_null(strstr(text, "(37 bytes, heap 0)"));
        const char *const made = strstr(text, "allocated by thread");
        assert_non_null(made);
        assert_non_null(strstr(made, "#2 0x"));
        if (i == 0) assert_non_null(strstr(strstr(made, "freed by thread"), "#2 0x"));
    }
}

static void small_overflows_are_seen_by_free(void **state)
{
    (void)state;
    (void)sample(1);
    for (int i = 0; i < 20; i++) {
        char *const p = mi_malloc(BYTES);
        memset(api_opaque_pointer(p), 0, api_opaque(BYTES + 1));
        api_record_start();
        mi_free(p);
        api_record_stop();
        assert_int_equal(api_record.errors, 1);
        assert_int_equal(api_record.last_error, EFAULT);
        char *const q = mi_malloc(BYTES);
        mi_free(q);
        api_record_start();
        mi_free(api_opaque_pointer(q));
        assert_null(mi_realloc(api_opaque_pointer(q), 100));
        api_record_stop();
        assert_int_equal(api_record.errors, 2);
        assert_int_equal(api_record.last_error, EAGAIN);
    }
    (void)sample(0);
}

/* ---- threads ---- */

static void *shared[THREADS][ROUNDS];

static void *allocate(void *arg)
{
    const uintptr_t mine = (uintptr_t)arg;
    size_t guarded = 0;
    mi_theap_guarded_set_sample_rate(mi_theap_get_default(), 3, 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        char *const p = mi_malloc(BYTES);
        guarded += is_guarded(p);
        memset(p, (int)mine, BYTES);
        __atomic_store_n(&shared[mine][i], p, __ATOMIC_RELEASE);
        void *const other =
            __atomic_exchange_n(&shared[(mine + 1) % THREADS][i], NULL, __ATOMIC_ACQ_REL);
        mi_free(other);
    }
    return (void *)guarded;
}

/* An alignment takes a larger block: that one is not guarded where the program's request is not. */
static void requests_are_looked_at_and_not_what_they_take(void **state)
{
    (void)state;
    mi_theap_t *const theap = sample(1);
    mi_theap_guarded_set_size_bound(theap, BYTES + 1, 1 << 20);
    for (size_t i = 0; i < BLOCKS; i++) {
        char *const large = mi_malloc_aligned(BYTES, 8192), *const offset =
                                                                mi_malloc_aligned_at(BYTES, 64, 8);
        char *const slices = mi_malloc_aligned_at(BYTES, 1 << 17, 8);
        api_assert_aligned(large, 8192);
        api_assert_aligned(offset + 8, 64);
        api_assert_aligned(slices + 8, 1 << 17);
        assert_true(mi_usable_size(large) >= BYTES && mi_usable_size(offset) >= BYTES);
        assert_true(mi_usable_size(slices) >= BYTES);
        memset(offset, 1, BYTES);
        assert_true(mi_free_if_owned(offset) && mi_free_if_owned(large));
        assert_true(mi_free_if_owned(slices));
    }
    (void)sample(0);
}

static void threads_have_them_too(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, allocate, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *guarded = NULL;
        pthread_join(threads[i], &guarded);
        assert_true((uintptr_t)guarded > ROUNDS / 10);
    }
    for (size_t t = 0; t < THREADS; t++)
        for (size_t i = 0; i < ROUNDS; i++) mi_free(shared[t][i]);
}

int main(int argc, char **argv)
{
    if (argc > 2) return misuse(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_option_is_followed), /* before the thread has a rate of its own */
        cmocka_unit_test(each_block_is_guarded),
        cmocka_unit_test(so_are_those_of_other_functions),
        cmocka_unit_test(walks_show_the_programs_pointer),
        cmocka_unit_test(about_one_in_the_rate),
        cmocka_unit_test(a_rate_of_its_own_stays),
        cmocka_unit_test(only_sizes_between_the_bounds),
        cmocka_unit_test(small_overflows_are_seen_by_free),
        cmocka_unit_test(accesses_beside_are_told),
        cmocka_unit_test(errors_are_told),
        cmocka_unit_test(requests_are_looked_at_and_not_what_they_take),
        cmocka_unit_test(threads_have_them_too),
    };
    return cmocka_run_group_tests_name("guarded", tests, NULL, NULL);
}
