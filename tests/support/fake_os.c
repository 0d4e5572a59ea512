/* The fake operating system of the unit tests; see fake_os.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "fake_os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"

#ifndef MREMAP_DONTUNMAP /* in old headers */
#define MREMAP_DONTUNMAP 4
#endif

#define FAKE_RECORDS 4096
#define FAKE_RANGES 1024
#define FAKE_VARIABLES 64
#define FAKE_STDERR_BYTES 65536
#define FAKE_CLOCK_START_MS 1000000u
#define FAKE_MAP_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define FAKE_SCRIBBLE 0xdb /* what lazily purged memory reads as */

typedef struct fake_range {
    char *start;
    size_t bytes;
    size_t committed_pages;
    unsigned char *committed; /* one for each OS page; a mapping of its own */
} fake_range_t;

mic_os_info_t mic_os_info = {.page_bytes = 4096, .address_limit = SIZE_MAX};
struct fake_os_settings fake_os_settings;
fake_os_tally_t *fake_os_tally;
jmp_buf fake_os_abort_point;
bool fake_os_abort_armed;

/* guards everything below; a plain pthread mutex, since our own locks are under test */
static pthread_mutex_t fake_mutex = PTHREAD_MUTEX_INITIALIZER;

static fake_range_t fake_ranges[FAKE_RANGES];
static size_t fake_committed_pages, fake_reserved_bytes;

/* what fake_os_reset resets: all zero, since the core may call before any constructor ran */
static struct {
    size_t counts[FAKE_OS_KINDS + 1];
    fake_os_record_t records[FAKE_RECORDS];
    fake_os_kind_t fail_kind;
    size_t fail_in; /* calls until the failure, counting it; 0 = none */
    bool fail_on;   /* all that follow fail too */
    int fail_error;
    size_t failures;
    size_t failed[FAKE_OS_KINDS + 1];
    uint64_t clock_ms, cpu_ns; /* clock: since FAKE_CLOCK_START_MS */
    const char *variables[FAKE_VARIABLES][2];
    size_t variable_count;
    char text[FAKE_STDERR_BYTES];
    size_t text_length, text_writes;
} fake;

static _Noreturn void fake_complain(const char *what, const void *address, size_t bytes)
{
    fprintf(stderr, "fake_os: bad call: %s: %p + %zu\n", what, address, bytes);
    abort();
}

void fake_os_reset(void)
{
    memset(&fake, 0, sizeof fake);
    memset(&fake_os_settings, 0, sizeof fake_os_settings);
    fake_os_abort_armed = false;
    mic_os_info = (mic_os_info_t){.page_bytes = 4096, .address_limit = SIZE_MAX};
}

/* ---- records and failures ---- */

static void fake_tally(size_t *words, fake_os_kind_t kind) /* other processes may do the same */
{
    __atomic_fetch_add(&words[FAKE_OS_ANY], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&words[kind], 1, __ATOMIC_RELAXED);
}

/* The error that a call is to return, 0 when it is to work. The mutex is held. */
static int fake_failure(fake_os_kind_t kind)
{
    if (fake.fail_in == 0 || (fake.fail_kind != FAKE_OS_ANY && fake.fail_kind != kind)) return 0;
    if (fake.fail_in > 1) {
        fake.fail_in--;
        return 0;
    }
    if (!fake.fail_on) fake.fail_in = 0;
    fake.failures++;
    fake.failed[FAKE_OS_ANY]++;
    fake.failed[kind]++;
    if (fake_os_tally != NULL) fake_tally(fake_os_tally->failed, kind);
    return fake.fail_error;
}

static void fake_note(fake_os_kind_t kind, void *address, size_t bytes, size_t extra, int error)
{
    if (fake.counts[FAKE_OS_ANY] < FAKE_RECORDS)
        fake.records[fake.counts[FAKE_OS_ANY]] =
            (fake_os_record_t){kind, address, bytes, extra, error};
    fake.counts[FAKE_OS_ANY]++;
    fake.counts[kind]++;
    if (fake_os_tally != NULL) fake_tally(fake_os_tally->counts, kind);
}

void fake_os_fail(fake_os_kind_t kind, size_t n, int error, bool all)
{
    pthread_mutex_lock(&fake_mutex);
    fake.fail_kind = kind;
    fake.fail_in = n;
    fake.fail_on = all;
    fake.fail_error = error;
    fake.failures = 0;
    pthread_mutex_unlock(&fake_mutex);
}

static size_t fake_locked_read(const size_t *word)
{
    pthread_mutex_lock(&fake_mutex);
    const size_t value = *word;
    pthread_mutex_unlock(&fake_mutex);
    return value;
}

size_t fake_os_failures(void) { return fake_locked_read(&fake.failures); }
size_t fake_os_failed(fake_os_kind_t kind) { return fake_locked_read(&fake.failed[kind]); }
size_t fake_os_count(fake_os_kind_t kind) { return fake_locked_read(&fake.counts[kind]); }

const fake_os_record_t *fake_os_record(fake_os_kind_t kind, size_t i)
{
    for (size_t at = 0; at < fake.counts[FAKE_OS_ANY] && at < FAKE_RECORDS; at++) {
        if (kind != FAKE_OS_ANY && fake.records[at].kind != kind) continue;
        if (i-- == 0) return &fake.records[at];
    }
    return NULL;
}

void fake_os_forget(void)
{
    pthread_mutex_lock(&fake_mutex);
    memset(fake.counts, 0, sizeof fake.counts);
    pthread_mutex_unlock(&fake_mutex);
}

size_t fake_os_committed_bytes(void) { return fake_committed_pages * mic_os_info.page_bytes; }
size_t fake_os_reserved_bytes(void) { return fake_reserved_bytes; }

/* ---- address space ---- */

/* The reservation that contains a range; complains if there is none. The mutex is held. */
static fake_range_t *fake_find(const void *address, size_t bytes)
{
    if (((uintptr_t)address | bytes) % mic_os_info.page_bytes != 0)
        fake_complain("not whole OS pages", address, bytes);
    for (size_t i = 0; i < FAKE_RANGES; i++) {
        fake_range_t *const range = &fake_ranges[i];
        const uintptr_t offset = (uintptr_t)address - (uintptr_t)range->start;
        if (range->start != NULL && offset <= range->bytes && bytes <= range->bytes - offset)
            return range;
    }
    fake_complain("not reserved", address, bytes);
}

static void fake_mark(fake_range_t *range, const void *address, size_t bytes, bool committed)
{
    const size_t first = (size_t)((const char *)address - range->start) / mic_os_info.page_bytes;
    const size_t end = first + bytes / mic_os_info.page_bytes;
    for (size_t i = first; i < end && (committed || range->committed_pages > 0); i++) {
        const size_t change = (size_t)committed - (size_t)range->committed[i]; /* -1, 0, 1 */
        range->committed[i] = committed;
        range->committed_pages += change;
        fake_committed_pages += change;
    }
}

static bool fake_is_committed(const fake_range_t *range, const void *address, size_t bytes)
{
    const size_t first = (size_t)((const char *)address - range->start) / mic_os_info.page_bytes;
    return memchr(range->committed + first, 0, bytes / mic_os_info.page_bytes) == NULL;
}

static int fake_reserve(size_t bytes, size_t alignment, void **address)
{
    const size_t page = mic_os_info.page_bytes;
    if (bytes == 0 || bytes % page != 0 || (alignment & (alignment - 1)) != 0)
        fake_complain("reserve: bad arguments", NULL, bytes);
    if (bytes - 1 > fake_os_settings.reserve_limit - 1) return ENOMEM; /* limit 0: never */
    size_t free_slot = 0;
    while (free_slot < FAKE_RANGES && fake_ranges[free_slot].start != NULL) free_slot++;
    if (free_slot == FAKE_RANGES) fake_complain("reserve: too many ranges", NULL, bytes);

    const size_t slack = alignment > page ? alignment : 0; /* stays mapped */
    char *const p = mmap(NULL, bytes + slack, PROT_NONE, FAKE_MAP_FLAGS, -1, 0);
    if (p == MAP_FAILED) return ENOMEM;
    char *const start = (char *)mic_align_up((uintptr_t)p, slack != 0 ? slack : page);

    unsigned char *const committed =
        mmap(NULL, bytes / page, PROT_READ | PROT_WRITE, FAKE_MAP_FLAGS, -1, 0);
    if (committed == MAP_FAILED) fake_complain("no memory for the fake itself", start, bytes);
    fake_ranges[free_slot] = (fake_range_t){start, bytes, 0, committed};
    fake_reserved_bytes += bytes;
    *address = start;
    return 0;
}

int mic_os_reserve(size_t bytes, size_t alignment, void **address)
{
    const int saved = errno;
    pthread_mutex_lock(&fake_mutex);
    void *result = NULL;
    int error = fake_failure(FAKE_OS_RESERVE);
    if (error == 0) error = fake_reserve(bytes, alignment, &result);
    if (error == 0) *address = result;
    fake_note(FAKE_OS_RESERVE, result, bytes, alignment, error);
    pthread_mutex_unlock(&fake_mutex);
    errno = saved;
    return error;
}

void mic_os_unreserve(void *address, size_t bytes)
{
    const int saved = errno;
    pthread_mutex_lock(&fake_mutex);
    fake_range_t *const range = fake_find(address, bytes);
    if (range->start != address || range->bytes != bytes)
        fake_complain("unreserve: only part of a reservation", address, bytes);
    fake_mark(range, address, bytes, false);
    munmap(range->committed, bytes / mic_os_info.page_bytes);
    munmap(address, bytes);
    fake_reserved_bytes -= bytes;
    *range = (fake_range_t){0};
    fake_note(FAKE_OS_UNRESERVE, address, bytes, 0, 0);
    pthread_mutex_unlock(&fake_mutex);
    errno = saved;
}

/* Calls on a part of a reservation: what they have in common. */
static int fake_change(fake_os_kind_t kind, void *address, size_t bytes, size_t extra)
{
    const int saved = errno;
    pthread_mutex_lock(&fake_mutex);
    fake_range_t *const range = fake_find(address, bytes);
    const int error = kind == FAKE_OS_UNGUARD ? 0 : fake_failure(kind);
    const bool keeps = kind == FAKE_OS_PURGE || kind == FAKE_OS_PURGE_LAZY ||
                       kind == FAKE_OS_REFRESH || kind == FAKE_OS_GUARD || kind == FAKE_OS_UNGUARD;
    if (keeps && !fake_is_committed(range, address, bytes))
        fake_complain("not committed", address, bytes);
    bool ok = true;
    if (error == 0 && kind == FAKE_OS_COMMIT) {
        ok = mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0;
        fake_mark(range, address, bytes, true);
    } else if (error == 0 && kind == FAKE_OS_MAP_HUGE) {
        ok = mmap(address, bytes, PROT_READ | PROT_WRITE, FAKE_MAP_FLAGS | MAP_FIXED, -1, 0) !=
             MAP_FAILED;
        fake_mark(range, address, bytes, true);
    } else if (error == 0 && kind == FAKE_OS_DECOMMIT) {
        ok = mmap(address, bytes, PROT_NONE, FAKE_MAP_FLAGS | MAP_FIXED, -1, 0) != MAP_FAILED;
        fake_mark(range, address, bytes, false);
    } else if (error == 0 && (kind == FAKE_OS_PURGE || kind == FAKE_OS_REFRESH)) {
        ok = madvise(address, bytes, MADV_DONTNEED) == 0;
    } else if (error == 0 && kind == FAKE_OS_PURGE_LAZY) {
        memset(address, FAKE_SCRIBBLE, bytes);
    } else if (error == 0 && kind == FAKE_OS_GUARD) {
        ok =
            madvise(address, bytes, MADV_DONTNEED) == 0 && mprotect(address, bytes, PROT_NONE) == 0;
    } else if (kind == FAKE_OS_UNGUARD) {
        ok = mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0;
    }
    if (!ok) fake_complain("the system refused", address, bytes);
    fake_note(kind, address, bytes, extra, error);
    pthread_mutex_unlock(&fake_mutex);
    errno = saved;
    return error;
}

int mic_os_commit(void *p, size_t n) { return fake_change(FAKE_OS_COMMIT, p, n, 0); }
int mic_os_decommit(void *p, size_t n) { return fake_change(FAKE_OS_DECOMMIT, p, n, 0); }
int mic_os_purge(void *p, size_t n) { return fake_change(FAKE_OS_PURGE, p, n, 0); }
int mic_os_purge_lazy(void *p, size_t n) { return fake_change(FAKE_OS_PURGE_LAZY, p, n, 0); }
void mic_os_in_memory(const void *p, size_t pages, unsigned char *in)
{
    void *const from = (void *)(uintptr_t)p;
    const bool told = mincore(from, pages * mic_os_info.page_bytes, in) == 0;
    if (!told || fake_os_settings.nothing_resident)
        memset(in, !fake_os_settings.nothing_resident, pages);
}
int mic_os_refresh(void *p, size_t n) { return fake_change(FAKE_OS_REFRESH, p, n, 0); }
int mic_os_guard(void *p, size_t n) { return fake_change(FAKE_OS_GUARD, p, n, 0); }
void mic_os_unguard(void *p, size_t n, size_t count)
{
    (void)fake_change(FAKE_OS_UNGUARD, p, n, count);
}
bool mic_os_is_unloadable(void) { return false; }
void mic_os_seal(void *p, size_t n) { (void)p, (void)n; }
int mic_os_advise_huge(void *p, size_t n, bool allow)
{
    return fake_change(FAKE_OS_ADVISE_HUGE, p, n, allow);
}

/* Ordinary memory. */
int mic_os_map_huge(void *p, size_t n, size_t page_bytes, int numa_node)
{
    if (((uintptr_t)p | n) % page_bytes != 0) fake_complain("not whole huge pages", p, n);
    fake_os_settings.huge_node = numa_node;
    return fake_change(FAKE_OS_MAP_HUGE, p, n, page_bytes);
}

unsigned mic_os_numa_nodes(void)
{
    return fake_os_settings.numa_nodes != 0 ? fake_os_settings.numa_nodes : 1;
}

/* Truly, or by copying; the target may be uncommitted. */
static void fake_move(void *from, void *to, size_t bytes)
{
    const int saved = errno;
    const int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    if (mremap(from, bytes, bytes, flags, to) == MAP_FAILED) {
        mprotect(to, bytes, PROT_READ | PROT_WRITE);
        memcpy(to, from, bytes);
        madvise(from, bytes, MADV_DONTNEED);
    }
    errno = saved;
}

int mic_os_move(void *from, void *to, size_t bytes)
{
    pthread_mutex_lock(&fake_mutex);
    if (!fake_is_committed(fake_find(from, bytes), from, bytes))
        fake_complain("not committed", from, bytes);
    const int error = fake_failure(FAKE_OS_MOVE);
    if (error == 0) {
        fake_move(from, to, bytes);
        fake_mark(fake_find(to, bytes), to, bytes, true);
    }
    fake_note(FAKE_OS_MOVE, to, bytes, (size_t)from, error);
    pthread_mutex_unlock(&fake_mutex);
    return error;
}

size_t mic_os_move_limit(void)
{
    return fake_os_settings.move_limit != 0 ? fake_os_settings.move_limit : 4096;
}

/* ---- waiting, time, randomness ---- */

static void fake_futex(uint32_t *word, int operation, uint32_t value)
{
    const int saved = errno;
    syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
    errno = saved;
}

void mic_os_wait(uint32_t *word, uint32_t value) { fake_futex(word, FUTEX_WAIT_PRIVATE, value); }
void mic_os_wait_ms(uint32_t *word, uint32_t value, uint64_t milliseconds)
{
    const int saved = errno;
    const struct timespec time = {.tv_sec = (time_t)(milliseconds / 1000 % 1000000),
                                  .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &time, NULL, 0);
    errno = saved;
}
void mic_os_wake_one(uint32_t *word) { fake_futex(word, FUTEX_WAKE_PRIVATE, 1); }
void mic_os_yield(void) { sched_yield(); }
int mic_os_barrier(void) { return 0; }

static uint64_t fake_locked_add(uint64_t *word, uint64_t step)
{
    pthread_mutex_lock(&fake_mutex);
    const uint64_t value = *word += step;
    pthread_mutex_unlock(&fake_mutex);
    return value;
}

void fake_os_set_clock_ms(uint64_t ms) { fake_locked_add(&fake.clock_ms, ms - mic_os_clock_ms()); }
void fake_os_advance_clock_ms(uint64_t ms) { fake_locked_add(&fake.clock_ms, ms); }
uint64_t mic_os_clock_ms(void)
{
    return FAKE_CLOCK_START_MS + fake_locked_add(&fake.clock_ms, fake_os_settings.clock_step_ms);
}

uint64_t mic_os_clock_ns(void)
{
    if (!fake_os_settings.process_is_real) return mic_os_clock_ms() * 1000000u;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t mic_os_thread_cpu_ns(void)
{
    return fake_locked_add(&fake.cpu_ns, fake_os_settings.cpu_step_ns);
}

void mic_os_random(void *bytes, size_t count) /* splitmix64 */
{
    for (size_t at = 0; at < count; at += 8) {
        uint64_t x = fake_locked_add(&fake_os_settings.seed, 0x9e3779b97f4a7c15u);
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        x ^= x >> 31;
        memcpy((char *)bytes + at, &x, count - at < 8 ? count - at : 8);
    }
}

/* ---- process ---- */

void mic_os_init(void) {}

/* Resident now: the second number of statm. */
static size_t fake_real_rss(void)
{
    char text[128];
    const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    const ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    text[n > 0 ? n : 0] = 0;
    const char *const second = strchr(text, ' ');
    return second == NULL ? 0 : strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

void mic_os_process_info(mic_os_process_t *info)
{
    *info = fake_os_settings.process;
    if (!fake_os_settings.process_is_real) return;
    const int saved = errno;
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    info->user_ms = (uint64_t)use.ru_utime.tv_sec * 1000u;
    info->system_ms = (uint64_t)use.ru_stime.tv_sec * 1000u;
    info->page_faults = (size_t)(use.ru_minflt + use.ru_majflt);
    info->rss_bytes = fake_real_rss();
    info->peak_rss_bytes = (size_t)use.ru_maxrss * 1024u;
    if (info->peak_rss_bytes < info->rss_bytes) info->peak_rss_bytes = info->rss_bytes;
    errno = saved;
}

void fake_os_setenv(const char *name, const char *value)
{
    if (fake.variable_count == FAKE_VARIABLES) fake_complain("too many variables", name, 0);
    fake.variables[fake.variable_count][0] = name;
    fake.variables[fake.variable_count++][1] = value;
}

bool mic_os_environment_has(const char *prefix, bool *ready)
{
    *ready = !fake_os_settings.environment_missing;
    for (size_t i = *ready ? fake.variable_count : 0; i-- > 0;) {
        if (strncasecmp(fake.variables[i][0], prefix, strlen(prefix)) == 0) return true;
    }
    return false;
}

const char *mic_os_getenv(const char *name)
{
    for (size_t i = fake.variable_count; i-- > 0;) { /* the last one counts */
        if (strcasecmp(fake.variables[i][0], name) == 0) return fake.variables[i][1];
    }
    return NULL;
}

void mic_os_write_stderr(const char *text, size_t length)
{
    pthread_mutex_lock(&fake_mutex);
    fake.text_writes++;
    if (length < FAKE_STDERR_BYTES - fake.text_length) {
        memcpy(fake.text + fake.text_length, text, length);
        fake.text_length += length;
        fake.text[fake.text_length] = 0;
    }
    pthread_mutex_unlock(&fake_mutex);
}

const char *fake_os_stderr(void) { return fake.text; }
size_t fake_os_stderr_writes(void) { return fake.text_writes; }

void fake_os_clear_stderr(void)
{
    fake.text_length = fake.text_writes = 0;
    fake.text[0] = 0;
}

mic_noreturn void mic_os_abort(void)
{
    if (fake_os_abort_armed) {
        fake_os_abort_armed = false;
        longjmp(fake_os_abort_point, 1);
    }
    fprintf(stderr, "fake_os: abort; stderr so far:\n%s", fake.text);
    abort();
}

/* ---- thread end, fork ---- */

static pthread_key_t fake_key = (pthread_key_t)-1; /* invalid until created */

/* Calls that are not about memory. */
static int fake_other(fake_os_kind_t kind)
{
    pthread_mutex_lock(&fake_mutex);
    const int error = fake_failure(kind);
    fake_note(kind, NULL, 0, 0, error);
    pthread_mutex_unlock(&fake_mutex);
    return error;
}

int mic_os_thread_exit_init(void (*at_exit)(void *pass))
{
    const int error = fake_other(FAKE_OS_THREAD_KEY);
    return error != 0 ? error : pthread_key_create(&fake_key, at_exit);
}

void mic_os_thread_exit_end(void) {} /* nothing is unloaded */

void mic_os_thread_arm(void *pass)
{
    if (fake_other(FAKE_OS_THREAD_ARM) == 0 && pthread_getspecific(fake_key) == NULL)
        (void)pthread_setspecific(fake_key, pass);
}

uint64_t mic_os_thread_id(void) { return (uint64_t)syscall(SYS_gettid); }

bool mic_os_thread_is_alive(uint64_t id)
{
    const int saved = errno;
    const bool found = syscall(SYS_tgkill, getpid(), (pid_t)id, 0) == 0;
    errno = saved;
    return found && id != fake_os_settings.dead_thread;
}

int mic_os_on_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    const int error = fake_other(FAKE_OS_ON_FORK);
    return error != 0 ? error : pthread_atfork(prepare, parent, child);
}

/* There are no threads but the test's. */
int mic_os_thread_start(void (*run)(void))
{
    fake_os_settings.thread_run = run;
    fake_os_settings.thread_starts++;
    return EAGAIN;
}
void mic_os_thread_join(uint64_t milliseconds) { (void)milliseconds; }

bool fake_os_strict_overcommit;
bool mic_os_strict_overcommit(void) { return fake_os_strict_overcommit; }
uint64_t mic_os_process_id(void) { return (uint64_t)getpid(); }
