/* Can somebody who knows what was allocated tell where the next block will be?

       order        deltas between consecutive allocations of 64 bytes, and of larger ones, in
                    blocks, in fresh processes: entropy of their distribution, share of the most
                    frequent one
       orders       fresh processes that allocate in the same order
       distances    in the hardened build, from the first block of one size to that of another, in
                    fresh processes
       reuse        a freed block comes back after how many allocations that are kept (held), or
                    freed at once (churn): median, and in the hardened build never earlier than
                    quarantine lasts: 60 KiB of blocks, 1024 at most

   Secure and hardened builds have to reach the limits below; the other builds promise nothing, and
   the figures are only printed. */
#include <fcntl.h>
#include <math.h>

#include "api_test.h"

enum { BYTES = 64, RUNS = 32, BLOCKS = 1000, REUSES = 61, MOST_HELD = 20000, DELTAS = 1 << 13 };
enum { SIZES = 9 };
static const size_t sizes[SIZES] = {BYTES, 130, 250, 400, 500, 1000, 2000, 4000, 8000};

typedef struct run {
    int64_t deltas[SIZES][BLOCKS - 1];
    int64_t apart[SIZES - 1];
    uint32_t held[REUSES], churned[REUSES];
} run_t;

/* From 2,000 bytes on fewer are carved at a time; these are what is reached, not what is wanted. */
typedef struct limits {
    double least_bits[SIZES], most_next_percent[SIZES], most_frequent_percent;
    uint32_t least_held, least_churned; /* medians */
    uint32_t never_before;
} limits_t;

static const limits_t secure_limits = {
    {4.5, 4.5, 4.5, 4.5, 4.5, 4.5, 3, 3, 2.6}, {10, 10, 10, 10, 10, 10, 35, 35, 35}, 35, 32, 1, 1};
static const limits_t hardened_limits = {
    {6, 6, 6, 6, 6, 6, 5, 4, 3}, {8, 8, 8, 8, 8, 8, 8, 8, 20}, 20, 1000, 1000,
    61440 / (BYTES + 16)};

/* ---- in a fresh process ---- */

static void measure_order(size_t bytes, int64_t *deltas)
{
    const char *before = mi_malloc(bytes);
    const int64_t stride = (int64_t)mi_usable_size(before) + (API_CANARY ? 8 : 0);
    for (size_t i = 0; i < BLOCKS - 1; i++) {
        const char *const p = mi_malloc(bytes);
        deltas[i] = (p - before) / stride;
        before = p;
    }
}

/* Another number of blocks is live in each trial, so that it begins in another place of a page. */
static void *block_of_trial(size_t trial)
{
    for (size_t i = 0; i < trial % 7; i++) (void)!mi_malloc(BYTES);
    return mi_malloc(BYTES);
}

static uint32_t held_until_back(size_t trial)
{
    static void *held[MOST_HELD];
    void *const p = block_of_trial(trial);
    uint32_t count = 0;
    mi_free(p);
    while (count < MOST_HELD && (held[count++] = mi_malloc(BYTES)) != p) continue;
    for (uint32_t i = 0; i < count; i++) mi_free(held[i]);
    return count;
}

static uint32_t churned_until_back(size_t trial)
{
    void *const p = block_of_trial(trial);
    mi_free(p);
    for (uint32_t count = 1; count < MOST_HELD; count++) {
        void *const q = mi_malloc(BYTES);
        mi_free(q);
        if (q == p) return count;
    }
    return MOST_HELD;
}

static int run_fresh(int fd)
{
    static run_t run;
    const char *const first = mi_malloc(sizes[0]);
    for (size_t i = 1; i < SIZES; i++) run.apart[i - 1] = (const char *)mi_malloc(sizes[i]) - first;
    for (size_t i = 0; i < SIZES; i++) measure_order(sizes[i], run.deltas[i]);
    for (size_t i = 0; i < REUSES; i++) run.held[i] = held_until_back(i);
    for (size_t i = 0; i < REUSES; i++) run.churned[i] = churned_until_back(i);
    return write(fd, &run, sizeof run) == (ssize_t)sizeof run ? 0 : 1;
}

/* ---- the runner ---- */

static run_t runs[RUNS];

static void start_fresh(run_t *run)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char fd[16];
        snprintf(fd, sizeof fd, "%d", ends[1]);
        execl("/proc/self/exe", "predictability", "fresh", fd, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    size_t got = 0;
    for (ssize_t n = 1; n > 0 && got<sizeof *run; got += n> 0 ? (size_t)n : 0)
        n = read(ends[0], (char *)run + got, sizeof *run - got);
    close(ends[0]);
    int status = -1;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(got, sizeof *run);
}

static int start_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < RUNS; i++) start_fresh(&runs[i]);
    return 0;
}

static const limits_t *limits(void)
{
    return CFG_HARDENED ? &hardened_limits : CFG_SECURE ? &secure_limits : NULL;
}

/* Far jumps, to another page or region, count as one delta: that is the worst case. */
static size_t bucket_of(int64_t delta)
{
    const int64_t shifted = delta + DELTAS / 2;
    return shifted < 1 || shifted >= DELTAS ? 0 : (size_t)shifted;
}

static void check_order(size_t size)
{
    double counts[DELTAS] = {0};
    const double all = (double)RUNS * (BLOCKS - 1);
    double bits = 0, most = 0;
    for (size_t r = 0; r < RUNS; r++)
        for (size_t i = 0; i < BLOCKS - 1; i++) counts[bucket_of(runs[r].deltas[size][i])]++;
    for (size_t d = 0; d < DELTAS; d++) {
        if (counts[d] > 0) bits -= counts[d] / all * log2(counts[d] / all);
        if (counts[d] > most) most = counts[d];
    }
    print_message("order of %zu bytes: %.2f bits for each allocation; most frequent delta %.1f %%, "
                  "next block above %.1f %%\n",
                  sizes[size], bits, 100 * most / all, 100 * counts[bucket_of(1)] / all);
    if (limits() == NULL) return;
    assert_true(bits >= limits()->least_bits[size]);
    assert_true(100 * counts[bucket_of(1)] / all <= limits()->most_next_percent[size]);
    assert_true(100 * most / all <= limits()->most_frequent_percent);
}

static void order_is_not_to_be_guessed(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++) check_order(i);
}

static void no_two_runs_have_the_same_order(void **state)
{
    (void)state;
    size_t distinct = 0;
    for (size_t r = 0; r < RUNS; r++) {
        bool seen = false;
        for (size_t q = 0; q < r && !seen; q++)
            seen =
                memcmp(runs[q].deltas[0], runs[r].deltas[0], 16 * sizeof runs[r].deltas[0][0]) == 0;
        distinct += !seen;
    }
    print_message("orders: %zu different ones in %d processes\n", distinct, (int)RUNS);
    if (limits() != NULL) assert_int_equal(distinct, RUNS);
}

/* Slices apart: the place in the page would make any two differ. */
static void sizes_begin_anywhere(void **state)
{
    (void)state;
    for (size_t size = 0; size < SIZES - 1; size++) {
        size_t same = 0;
        for (size_t r = 0; r < RUNS; r++)
            for (size_t q = 0; q < r; q++)
                same += runs[r].apart[size] >> MIC_SLICE_SHIFT ==
                        runs[q].apart[size] >> MIC_SLICE_SHIFT;
        print_message("distances from %zu to %zu bytes: the same in %zu of %d pairs of processes\n",
                      sizes[0], sizes[size + 1], same, RUNS * (RUNS - 1) / 2);
        if (CFG_HARDENED) assert_true(same <= 3); /* of 2^16 or more */
    }
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t median(uint32_t *counts, size_t n)
{
    qsort(counts, n, sizeof counts[0], compare);
    return counts[n / 2];
}

static void blocks_come_back_late(void **state)
{
    (void)state;
    static uint32_t held[RUNS * REUSES], churned[RUNS * REUSES];
    for (size_t r = 0; r < RUNS; r++) {
        memcpy(held + r * REUSES, runs[r].held, sizeof runs[r].held);
        memcpy(churned + r * REUSES, runs[r].churned, sizeof runs[r].churned);
    }
    const uint32_t h = median(held, sizeof held / sizeof held[0]);
    const uint32_t c = median(churned, sizeof churned / sizeof churned[0]);
    print_message(
        "reuse: after %u allocations that are kept, %u that are freed (medians); at least "
        "%u and %u\n",
        (unsigned)h, (unsigned)c, (unsigned)held[0], (unsigned)churned[0]);
    if (limits() == NULL) return;
    assert_true(h >= limits()->least_held);
    assert_true(c >= limits()->least_churned);
    assert_true(held[0] >= limits()->never_before && churned[0] >= limits()->never_before);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "fresh") == 0) return run_fresh(atoi(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_not_to_be_guessed),
        cmocka_unit_test(no_two_runs_have_the_same_order),
        cmocka_unit_test(sizes_begin_anywhere),
        cmocka_unit_test(blocks_come_back_late),
    };
    return cmocka_run_group_tests(tests, start_all, NULL);
}
