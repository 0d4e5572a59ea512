/* A bit of everything a program does with memory, and then again after memory was short.

       sample work               all kinds of blocks, threads, a fork: nothing may fail
       sample tolerant           the same; a call may fail with ENOMEM if nothing else breaks
       sample recover            the same, for one failure: afterwards nothing may fail any more
       sample short MIB          work, take up to MIB until malloc fails, free, work
       sample lower MIB          the same with RLIMIT_AS lowered by the running program
       sample trivial            one block

   The last line it prints begins with "ok". */
#include "check.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

int malloc_trim(size_t pad) __attribute__((weak)); /* not in every C library */

static bool tolerant;
static size_t failures;
static bool limited;                   /* thread stacks come out of the same limit */
static size_t largest_work = 64 * MIB; /* what growing blocks grow to */

/* The result of an allocating call, or NULL if that is allowed. */
static void *may_fail(void *p)
{
    if (p != NULL) return p;
    require(errno == ENOMEM);
    require(tolerant);
    __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
    return NULL;
}

static const size_t sizes[] = {1,      8,      16,      24,      100,     256,   1000,
                               4096,   8192,   10000,   40000,   65536,   70000, 300000,
                               524288, 600000, 1 << 20, 5 << 20, 20 << 20};
#define SIZES (sizeof sizes / sizeof *sizes)

/* large blocks are not touched everywhere: page faults would be most of the time */
static size_t step_of(size_t bytes) { return bytes <= 65536 ? 256 : bytes / 24 & ~(size_t)7; }

static void work_sizes(void)
{
    size_t count = SIZES; /* three of each, and four threads do it at a time */
    while (sizes[count - 1] * 4 > largest_work) count--;
    void *blocks[SIZES][3];
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < 3; k++) {
            errno = 0;
            blocks[i][k] = may_fail(malloc(sizes[i]));
            if (blocks[i][k] != NULL) pattern_write(blocks[i][k], sizes[i], step_of(sizes[i]));
        }
        errno = 0;
        char *const zero = may_fail(calloc(1, sizes[i]));
        for (size_t at = 0; zero != NULL && at < sizes[i];
             at += at < 4096 ? 1 : step_of(sizes[i]) + 1)
            require(zero[at] == 0);
        if (zero != NULL) memset(zero, 0x77, sizes[i] < 20000 ? sizes[i] : 20000);
        free(zero);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < 3; k++) {
            if (blocks[i][k] != NULL)
                require(pattern_is(blocks[i][k], sizes[i], sizes[i], step_of(sizes[i])));
            free(blocks[i][k]);
        }
    }
}

static void work_small(void)
{
    enum { COUNT = 3000 };
    static _Thread_local void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        errno = 0;
        blocks[i] = may_fail(malloc(16 + i % 500));
        if (blocks[i] != NULL) pattern_write(blocks[i], 16 + i % 500, 64);
    }
    for (size_t i = 0; i < COUNT; i++) {
        if (blocks[i] != NULL) require(pattern_is(blocks[i], 16 + i % 500, 16 + i % 500, 64));
        free(blocks[i]);
    }
}

/* To `want` bytes; a failure keeps the old block. */
static char *grow(char *p, size_t *have, size_t want)
{
    errno = 0;
    char *const q = may_fail(realloc(p, want));
    if (q == NULL) {
        require(pattern_is(p, *have, *have, step_of(*have)));
        return p;
    }
    require(pattern_is(q, *have, *have < want ? *have : want, step_of(*have)));
    *have = want;
    pattern_write(q, want, step_of(want));
    return q;
}

/* Grows to 64 MiB, by doubling and by a little, then shrinks. */
static void work_realloc(void)
{
    size_t have = 64;
    errno = 0;
    char *p = may_fail(malloc(have));
    if (p == NULL) return;
    pattern_write(p, have, step_of(have));
    for (size_t want = have; want < largest_work;) {
        want = want < MIB ? want * 2 : want + want / 2 + 12345;
        p = grow(p, &have, want);
    }
    for (size_t want = have; want > 1000; want /= 7) p = grow(p, &have, want / 7);
    free(p);
}

/* Neighbours that cannot grow where they are: moved by page tables, and back into what they left. */
static void work_moves(void)
{
    enum { COUNT = 6 };
    char *blocks[COUNT];
    size_t have[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        errno = 0;
        have[i] = 2 * MIB;
        blocks[i] = may_fail(malloc(have[i]));
        if (blocks[i] != NULL) pattern_write(blocks[i], have[i], step_of(have[i]));
    }
    for (size_t want = 5 * MIB; want < largest_work; want *= 3)
        for (size_t i = 0; i < COUNT; i++)
            if (blocks[i] != NULL) blocks[i] = grow(blocks[i], &have[i], want);
    for (size_t i = 0; i < COUNT; i++) free(blocks[i]);
}

static void work_aligned(void)
{
    for (size_t alignment = 32; alignment <= largest_work / 16; alignment *= 8) {
        void *p = NULL;
        const int error = posix_memalign(&p, alignment, 3 * alignment / 2);
        errno = error;
        if (error != 0) p = NULL;
        if (may_fail(p) == NULL) continue;
        require((uintptr_t)p % alignment == 0);
        memset(p, 0x11, 3 * alignment / 2);
        free(p);
        errno = 0;
        p = may_fail(aligned_alloc(alignment, alignment));
        require((uintptr_t)p % alignment == 0);
        if (p != NULL) memset(p, 0x22, alignment);
        free(p);
    }
}

static void *thread_main(void *block)
{
    if (block != NULL) require(pattern_is(block, 5000, 5000, 64));
    free(block); /* of another thread */
    work_small();
    work_sizes();
    errno = 0;
    void *const p = may_fail(malloc(777));
    if (p != NULL) pattern_write(p, 777, 64);
    return p;
}

static void work_threads(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    bool made[THREADS];
    pthread_attr_t attributes;
    require(pthread_attr_init(&attributes) == 0);
    require(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
    for (size_t i = 0; i < THREADS; i++) {
        errno = 0;
        void *const block = may_fail(malloc(5000));
        if (block != NULL) pattern_write(block, 5000, 64);
        const int error = pthread_create(&threads[i], &attributes, thread_main, block);
        made[i] = error == 0;
        if (made[i]) continue;
        errno = error;
        require(tolerant);
        free(block);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *p = NULL;
        if (!made[i]) continue;
        require(pthread_join(threads[i], &p) == 0);
        if (p != NULL) require(pattern_is(p, 777, 777, 64));
        free(p);
    }
}

static void work_fork(void)
{
    errno = 0;
    char *const p = may_fail(malloc(3 * MIB));
    if (p != NULL) pattern_write(p, 3 * MIB, 4096);
    const pid_t child = fork();
    if (child == 0) {
        if (p != NULL) require(pattern_is(p, 3 * MIB, 3 * MIB, 4096));
        free(p);
        work_small();
        work_threads();
        _exit(0);
    }
    if (child < 0) {
        require(tolerant);
    } else {
        int status;
        require(waitpid(child, &status, 0) == child && status == 0);
    }
    free(p);
}

static void work(void)
{
    work_small();
    work_sizes();
    work_realloc();
    work_moves();
    work_aligned();
    if (limited && malloc_trim != NULL) malloc_trim(0);
    work_threads();
    work_fork();
}

/* ---- shortage ---- */

typedef struct link {
    struct link *next;
    size_t bytes;
} link_t;

static size_t take_all(link_t **list, size_t bytes, size_t most)
{
    size_t sum = 0;
    while (sum < most) {
        errno = 0;
        link_t *const b = malloc(bytes);
        if (b == NULL) {
            require(errno == ENOMEM);
            break;
        }
        pattern_write(b + 1, bytes - sizeof *b, bytes / 2);
        b->next = *list;
        b->bytes = bytes;
        *list = b;
        sum += bytes;
    }
    return sum;
}

static void give_all(link_t *list)
{
    while (list != NULL) {
        link_t *const next = list->next;
        require(pattern_is(list + 1, list->bytes - sizeof *list, list->bytes, list->bytes / 2));
        free(list);
        list = next;
    }
}

/* Nothing is left: every call says so and breaks nothing. */
static void check_short(link_t *list)
{
    void *p = &p;
    errno = 0;
    require(calloc(64, MIB) == NULL && errno == ENOMEM);
    errno = 0;
    require(aligned_alloc(MIB, 64 * MIB) == NULL && errno == ENOMEM);
    require(posix_memalign(&p, 4096, 64 * MIB) == ENOMEM && p == &p);
    if (list == NULL) return;
    errno = 0;
    require(realloc(list, list->bytes + 64 * MIB) == NULL && errno == ENOMEM);
    require(pattern_is(list + 1, list->bytes - sizeof *list, list->bytes, list->bytes / 2));
}

static void shortage(size_t most)
{
    static const size_t steps[] = {16 * MIB, 1 * MIB, 200000, 20000, 2000, 100};
    for (size_t round = 0; round < 3; round++) {
        link_t *list = NULL;
        size_t sum = 0, largest = 0;
        for (size_t i = round; i < sizeof steps / sizeof *steps; i += 1 + round)
            sum += take_all(&list, steps[i], most - (sum < most ? sum : most));
        if (sum < most) check_short(list);
        give_all(list);
        list = NULL;
        largest = take_all(&list, 24 * MIB, most); /* what was small blocks serves as large ones */
        give_all(list);
        printf("round %zu: took %zu MiB, then %zu MiB in large blocks\n", round, sum / MIB,
               largest / MIB);
    }
}

static void lower_address_limit(size_t bytes)
{
    volatile char stack[1 << 20]; /* a stack cannot grow any more then: the rest of it must exist */
    for (size_t i = 0; i < sizeof stack; i += 4096) stack[i] = 0;
    struct rlimit limit;
    require(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes;
    require(setrlimit(RLIMIT_AS, &limit) == 0);
}

int main(int argc, char **argv)
{
    const char *const what = argc > 1 ? argv[1] : "work";
    const size_t most = argc > 2 ? strtoull(argv[2], NULL, 10) * MIB : 0;
    limited = most != 0;
    if (most != 0 && most < GIB) largest_work = most / 64;
    setvbuf(stdout, NULL, _IOLBF, 0);
    const bool recover = strcmp(what, "recover") == 0;
    tolerant = recover || strcmp(what, "tolerant") == 0;
    if (strcmp(what, "trivial") == 0) {
        char *const p = malloc(100);
        require(p != NULL);
        p[99] = 1;
        free(p);
    } else if (strcmp(what, "short") == 0) {
        work();
        shortage(most);
        work();
    } else if (strcmp(what, "lower") == 0) {
        /* thread stacks, the reservation and what fork needs are address space of before: what is
           tested is that failing system calls do not break anything */
        work();
        lower_address_limit(most);
        tolerant = true;
        work();
        lower_address_limit(RLIM_INFINITY);
        tolerant = false;
        work();
    } else {
        work();
        if (recover && failures != 0) {
            tolerant = false;
            work();
        }
    }
    printf("ok, %zu calls failed\n", failures);
    return 0;
}
