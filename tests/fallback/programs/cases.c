/* Small cases of one program each; `cases NAME [ARG]`. The last line printed begins with "ok". */
#include "check.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- locked memory ---- */

/* ARG: flags of mlockall. With a finite RLIMIT_MEMLOCK and without the right to exceed it, little
   can be had while memory is locked; afterwards all is well. */
static void case_locked(const char *arg)
{
    const bool all = strcmp(arg, "current+future") == 0;
    const int flags = (all ? MCL_CURRENT : 0) | MCL_FUTURE;
    const int error = mlockall(flags) == 0 ? 0 : errno;
    printf("mlockall: errno %d\n", error);
    size_t failed = 0;
    void *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        const size_t bytes = (size_t)16 << i % 17;
        errno = 0;
        blocks[i] = malloc(bytes);
        if (blocks[i] == NULL) {
            require(errno == ENOMEM);
            failed++;
            continue;
        }
        pattern_write(blocks[i], bytes, 512);
        if (i % 3 != 0) continue;
        free(blocks[i]);
        blocks[i] = NULL;
    }
    malloc_trim(0); /* locked memory cannot be purged: what follows must be zero all the same */
    for (size_t bytes = 16; bytes <= 2 * MIB; bytes *= 2) {
        char *const zero = calloc(1, bytes);
        for (size_t at = 0; zero != NULL && at < bytes; at++) require(zero[at] == 0);
        if (zero != NULL) memset(zero, 1, bytes);
        free(zero);
    }
    for (size_t i = 0; i < 200; i++)
        if (blocks[i] != NULL)
            require(pattern_is(blocks[i], (size_t)16 << i % 17, (size_t)16 << i % 17, 512));
    require(munlockall() == 0);
    for (size_t i = 0; i < 200; i++) free(blocks[i]);
    for (size_t bytes = 16; bytes <= 32 * MIB; bytes *= 2) {
        char *const p = malloc(bytes);
        require(p != NULL);
        pattern_write(p, bytes, 4096);
        free(p);
    }
    printf("ok, %zu of 200 failed, peak resident %zu MiB\n", failed,
           proc_number("/proc/self/status", "VmHWM:") / 1024);
}

/* ---- charges of strict overcommit ---- */

static void case_charge(const char *arg)
{
    enum { COUNT = 16 };
    const size_t bytes = strtoull(arg, NULL, 10) * MIB / COUNT;
    void *blocks[COUNT];
    free(malloc(100));
    const size_t before = proc_number("/proc/meminfo", "Committed_AS:");
    for (size_t i = 0; i < COUNT; i++) require((blocks[i] = malloc(bytes)) != NULL);
    const size_t taken = proc_number("/proc/meminfo", "Committed_AS:");
    for (size_t i = 0; i < COUNT; i++) free(blocks[i]);
    malloc_trim(0);
    const size_t after = proc_number("/proc/meminfo", "Committed_AS:");
    for (size_t i = 0; i < COUNT; i++) {
        require((blocks[i] = calloc(1, bytes)) != NULL);
        require(*(uint64_t *)blocks[i] == 0);
        pattern_write(blocks[i], bytes, MIB);
    }
    for (size_t i = 0; i < COUNT; i++) free(blocks[i]);
    printf("ok, MiB charged: %ld taken, %ld left\n", ((long)taken - (long)before) / 1024,
           ((long)after - (long)before) / 1024);
}

/* ---- a limit of memory that counts pages ---- */

static void case_cycle(const char *arg)
{
    static const size_t sizes[] = {48, 100, 1000, 5000, 30000, 200000, 3 << 20, 24 << 20};
    const size_t total = strtoull(arg, NULL, 10) * MIB;
    for (size_t round = 0; round < 24; round++) {
        const size_t bytes = sizes[round % (sizeof sizes / sizeof *sizes)];
        void **list = NULL;
        for (size_t sum = 0; sum + bytes <= total; sum += bytes) {
            void **const p = malloc(bytes);
            require(p != NULL);
            memset(p, 0x33, bytes);
            *p = list;
            list = p;
        }
        while (list != NULL) {
            void **const next = *list;
            free(list);
            list = next;
        }
    }
    printf("ok\n");
}

/* ---- a start that fails ---- */

/* The first malloc finds no address space at all, a later one does. */
static void case_late_start(const char *arg)
{
    (void)arg;
    volatile char stack[1 << 18]; /* a stack cannot grow meanwhile */
    for (size_t i = 0; i < sizeof stack; i += 4096) stack[i] = 0;
    struct rlimit limit;
    require(getrlimit(RLIMIT_AS, &limit) == 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = MIB;
    require(setrlimit(RLIMIT_AS, &limit) == 0);
    errno = 0;
    require(malloc(100) == NULL && errno == ENOMEM);
    require(calloc(1, 100000) == NULL && errno == ENOMEM);
    free(NULL);
    limit.rlim_cur = before;
    require(setrlimit(RLIMIT_AS, &limit) == 0);
    void *const p = malloc(100);
    require(p != NULL);
    free(p);
    printf("ok\n");
}

/* ---- a limit that is lowered while running ---- */

/* A block of 3 MiB that has no room behind it, made larger: it moves. */
static void grow(void)
{
    char *volatile p = malloc(3 * MIB), *volatile behind = malloc(3 * MIB);
    require(p != NULL && behind != NULL);
    pattern_write(p, 3 * MIB, 4096);
    char *const q = realloc(p, 40 * MIB);
    if (q == NULL) return; /* memory is short */
    require(pattern_is(q, 3 * MIB, 3 * MIB, 4096));
}

/* The library looks at the limit once: a move by page tables would lose its target if it took the
   lower one for that of the start. */
static void case_lowered_valloc(const char *arg)
{
    (void)arg;
    volatile char stack[1 << 18]; /* a stack cannot grow any more then */
    for (size_t i = 0; i < sizeof stack; i += 4096) stack[i] = 0;
    grow();
    struct rlimit limit;
    require(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = 64 * MIB;
    require(setrlimit(RLIMIT_AS, &limit) == 0);
    free(valloc(1));
    grow();
    free(pvalloc(1));
    grow();
    printf("ok\n");
}

/* ---- the number of mappings ---- */

/* Takes every mapping that the system allows; gives all back but a few when told so. */
static void *mappings_taken;
static size_t mappings_bytes;

static size_t take_mappings(void)
{
    mappings_bytes = (size_t)1 << 30;
    char *const p = mmap(NULL, mappings_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(p != MAP_FAILED);
    mappings_taken = p;
    size_t count = 0;
    for (size_t at = 4096; at < mappings_bytes; at += 8192, count += 2)
        if (mprotect(p + at, 4096, PROT_READ) != 0) break;
    return count;
}

static void give_mappings(void) { require(munmap(mappings_taken, mappings_bytes) == 0); }

static void work_sizes(bool may_fail)
{
    for (size_t bytes = 16; bytes <= 64 * MIB; bytes *= 2) {
        errno = 0;
        char *p = malloc(bytes);
        if (p == NULL) {
            require(may_fail && errno == ENOMEM);
            continue;
        }
        pattern_write(p, bytes, 65536);
        errno = 0;
        char *const q = realloc(p, bytes * 3);
        require(q != NULL || (may_fail && errno == ENOMEM));
        if (q != NULL) p = q;
        require(pattern_is(p, bytes, bytes, 65536));
        free(p);
    }
}

static void case_mappings(const char *arg)
{
    (void)arg;
    for (size_t round = 0; round < 2; round++) {
        if (round == 1) work_sizes(false);
        const size_t count = take_mappings();
        printf("round %zu: %zu mappings more\n", round, count);
        work_sizes(true);
        give_mappings();
        work_sizes(false);
    }
    printf("ok\n");
}

#define MOVED_OLD (2 * MIB)
#define MOVED_NEW (5 * MIB)

/* A block that had to move because another one stood behind it. */
static char *moved_block(void)
{
    char *const p = malloc(MOVED_OLD);
    char *const neighbour = malloc(MOVED_OLD);
    require(p != NULL && neighbour != NULL);
    pattern_write(p, MOVED_OLD, 512 * 1024);
    char *const q = realloc(p, MOVED_NEW);
    require(q != NULL && pattern_is(q, MOVED_OLD, MOVED_OLD, 512 * 1024));
    *neighbour = 1;
    free(neighbour);
    return q;
}

/* ARG: LIVE,ROUNDS. That many blocks live at a time; a moved one costs two mappings until it is
   freed. */
static void case_moves(const char *arg)
{
    char *end;
    const size_t live = strtoull(arg, &end, 10);
    const size_t rounds = strtoull(end + 1, NULL, 10);
    char **const blocks = malloc(live * sizeof *blocks);
    size_t counts[3] = {0, 0, 0}; /* after the first round, at most, at the end */
    for (size_t round = 0; round <= rounds; round++) {
        for (size_t i = 0; i < live; i++) blocks[i] = moved_block();
        if (round == 1) counts[1] = mapping_count();
        for (size_t i = 0; i < live; i++) {
            require(pattern_is(blocks[i], MOVED_OLD, MOVED_OLD, 512 * 1024));
            char *const tail = blocks[i] + MOVED_OLD;
            pattern_write(tail, MOVED_NEW - MOVED_OLD, MIB);
        }
        for (size_t i = 0; i < live; i++) free(blocks[i]);
        char *const zero = calloc(1, 40 * MIB);
        require(zero != NULL);
        for (size_t at = 0; round % 50 < 2 && at < 40 * MIB; at += 4096) require(zero[at] == 0);
        free(zero);
        if (round == 0) counts[0] = mapping_count();
    }
    counts[2] = mapping_count();
    printf("ok, mappings: %zu before, %zu at most, %zu after\n", counts[0], counts[1], counts[2]);
}

/* Blocks that are more than one mapping: parts locked or advised by the program, and made in
   different generations of forks. */
static void case_split(const char *arg)
{
    (void)arg;
    for (size_t kind = 0; kind < 4; kind++) {
        const size_t bytes = 8 * MIB;
        char *p = malloc(bytes);
        void *const neighbour = malloc(MIB);
        require(p != NULL && neighbour != NULL);
        char *const page = (char *)(((uintptr_t)p + 3 * MIB + 4095) & ~(uintptr_t)4095);
        pattern_write(p, bytes, 4096);
        if (kind == 0) (void)madvise(page, MIB, MADV_DONTFORK);
        if (kind == 1) (void)mlock(page, MIB);
        if (kind == 2) (void)madvise(page, MIB, MADV_NOHUGEPAGE);
        p = realloc(p, 200 * MIB);
        require(p != NULL && pattern_is(p, bytes, bytes, 4096));
        for (size_t at = 8 * MIB; at < 200 * MIB; at += MIB) p[at] = 1;
        free(p);
        free(neighbour);
        const pid_t child = fork(); /* the next block is of another generation */
        if (child == 0) {
            work_sizes(false);
            _exit(0);
        }
        int status;
        require(waitpid(child, &status, 0) == child && status == 0);
    }
    work_sizes(false);
    printf("ok\n");
}

/* The advice against huge pages holds for all of our memory, also where a moved block was freed. */
static void case_advice(const char *arg)
{
    (void)arg;
    char *blocks[8];
    for (size_t i = 0; i < 8; i++) blocks[i] = moved_block();
    const uintptr_t at = (uintptr_t)blocks[3];
    for (size_t i = 0; i < 8; i++) free(blocks[i]);
    FILE *const f = fopen("/proc/self/smaps", "r");
    require(f != NULL);
    char line[512];
    bool here = false, advised = false;
    while (fgets(line, sizeof line, f) != NULL) {
        size_t from, to;
        if (sscanf(line, "%zx-%zx ", &from, &to) == 2) here = from <= at && at < to;
        if (here && strncmp(line, "VmFlags:", 8) == 0) advised = strstr(line, " nh") != NULL;
    }
    fclose(f);
    require(advised);
    printf("ok\n");
}

/* ---- core files, resident memory ---- */

static const char mark[] = "a mark to be found in the core file, made at run time: %d";

/* ARG MiB in use, and as much that was freed; then "abort" or waiting for the end of input. */
static void case_core(const char *arg)
{
    enum { COUNT = 100 };
    const size_t bytes = strtoull(arg, NULL, 10) * MIB / COUNT;
    char *blocks[2 * COUNT];
    for (size_t i = 0; i < 2 * COUNT; i++) {
        require((blocks[i] = malloc(i < COUNT ? bytes : 60000)) != NULL);
        memset(blocks[i], 0x41, i < COUNT ? bytes : 60000);
    }
    snprintf(blocks[COUNT / 2], 100, mark, 4711);
    for (size_t i = COUNT; i < 2 * COUNT; i++) free(blocks[i]);
    printf("ready %zu\n", proc_number("/proc/self/status", "VmRSS:"));
    fflush(stdout);
    if (strchr(arg, 'a') != NULL) abort();
    while (getchar() != EOF) {
    }
    printf("ok\n");
}

static void case_resident(const char *arg)
{
    const size_t kib = strtoull(arg, NULL, 10);
    for (size_t sum = 0, bytes = 16; sum < kib * 1024; sum += bytes, bytes = bytes % 1500 + 24) {
        char *const p = malloc(bytes);
        require(p != NULL);
        memset(p, 0x42, bytes);
    }
    printf("ok, %zu KiB\n", proc_number("/proc/self/status", "RssAnon:"));
}

/* ---- fork handlers and destructors that allocate ---- */

static unsigned long handler_calls;

static void handler(void)
{
    void *blocks[60];
    for (size_t i = 0; i < 60; i++) {
        require((blocks[i] = malloc((size_t)24 << i % 16)) != NULL);
        memset(blocks[i], 1, 24);
    }
    for (size_t i = 0; i < 60; i++) free(blocks[i]);
    handler_calls++;
}

static volatile bool churn_stop;

static void *churn(void *unused)
{
    (void)unused;
    while (!churn_stop) {
        void *blocks[50];
        for (size_t i = 0; i < 50; i++) blocks[i] = malloc((size_t)32 << i % 14);
        for (size_t i = 0; i < 50; i++) free(blocks[i]);
    }
    return NULL;
}

/* ARG: "before": registered before the first malloc, so their prepare runs after the library's. */
static void case_atfork(const char *arg)
{
    pthread_t threads[2];
    if (strcmp(arg, "before") != 0) free(malloc(10));
    require(pthread_atfork(handler, handler, handler) == 0);
    for (size_t i = 0; i < 2; i++) require(pthread_create(&threads[i], NULL, churn, NULL) == 0);
    for (size_t i = 0; i < 100; i++) {
        const pid_t child = fork();
        require(child >= 0);
        if (child == 0) {
            handler();
            _exit(0);
        }
        int status;
        require(waitpid(child, &status, 0) == child && status == 0);
    }
    churn_stop = true;
    for (size_t i = 0; i < 2; i++) require(pthread_join(threads[i], NULL) == 0);
    require(handler_calls == 200);
    printf("ok\n");
}

static pthread_key_t keys[2];
static char *kept[2000]; /* blocks of the last pass, for the main thread to free */
static size_t kept_count;
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

static void last_words(pthread_key_t key, void *value)
{
    const uintptr_t pass = (uintptr_t)value;
    char *const p = malloc(100 * pass);
    require(p != NULL);
    pattern_write(p, 100 * pass, 8);
    void *const q = realloc(malloc(3000), 300000);
    require(q != NULL);
    free(q);
    if (pass < 4) {
        require(pattern_is(p, 100 * pass, 100 * pass, 8));
        free(p);
        require(pthread_setspecific(key, (void *)(pass + 1)) == 0);
        return;
    }
    pthread_mutex_lock(&kept_lock);
    kept[kept_count++] = p;
    pthread_mutex_unlock(&kept_lock);
}

static void last_words_0(void *value) { last_words(keys[0], value); }
static void last_words_1(void *value) { last_words(keys[1], value); }

static void *short_thread(void *allocates)
{
    if (allocates != NULL) free(malloc(50));
    require(pthread_setspecific(keys[0], (void *)1) == 0);
    require(pthread_setspecific(keys[1], (void *)1) == 0);
    return NULL;
}

/* One key is older than the library's, one younger: it runs before and after it in each pass. */
static void case_destructor(const char *arg)
{
    (void)arg;
    require(pthread_key_create(&keys[0], last_words_0) == 0);
    free(malloc(10));
    require(pthread_key_create(&keys[1], last_words_1) == 0);
    for (size_t i = 0; i < 400; i++) {
        pthread_t threads[2];
        for (size_t k = 0; k < 2; k++)
            require(pthread_create(&threads[k], NULL, short_thread, i % 2 ? keys : NULL) == 0);
        for (size_t k = 0; k < 2; k++) require(pthread_join(threads[k], NULL) == 0);
    }
    require(kept_count == 1600);
    for (size_t i = 0; i < kept_count; i++) {
        require(pattern_is(kept[i], 400, 400, 8));
        free(kept[i]);
    }
    const size_t resident = proc_number("/proc/self/status", "RssAnon:");
    require(resident < 16 * 1024);
    printf("ok, %zu KiB\n", resident);
}

/* ---- ---- */

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const char *arg);
    } cases[] = {{"locked", case_locked},
                 {"charge", case_charge},
                 {"cycle", case_cycle},
                 {"late_start", case_late_start},
                 {"advice", case_advice},
                 {"mappings", case_mappings},
                 {"moves", case_moves},
                 {"split", case_split},
                 {"core", case_core},
                 {"resident", case_resident},
                 {"atfork", case_atfork},
                 {"destructor", case_destructor},
                 {"lowered_valloc", case_lowered_valloc}};
    static char out[4096];
    setvbuf(stdout, out, _IOLBF, sizeof out);
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(argv[1], cases[i].name) != 0) continue;
        cases[i].run(argc > 2 ? argv[2] : "");
        return 0;
    }
    require(!"a case of that name");
}
