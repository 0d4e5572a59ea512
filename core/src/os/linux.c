/* Linux: every system call of the library. No stdio, no dlsym, nothing that allocates.
   madvise goes straight to the kernel: some libraries interpose the libc function. */
#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/atomic.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* of the kernel's own headers, which a C library need not bring along */
#define OS_FUTEX_WAIT_PRIVATE 128
#define OS_FUTEX_WAKE_PRIVATE 129

#ifndef MADV_DONTDUMP
#define MADV_DONTDUMP 16
#define MADV_DODUMP 17
#endif
#ifndef MADV_FREE
#define MADV_FREE 8
#endif

mic_os_info_t mic_os_info = {.page_bytes = 4096, .address_limit = SIZE_MAX};

extern char **environ;

static int os_madvise(void *address, size_t bytes, int advice)
{
    const int saved = errno;
    const int error = syscall(SYS_madvise, address, bytes, advice) == 0 ? 0 : errno;
    errno = saved;
    return error;
}

/* First bytes of a file of /proc or /sys; 0 when it cannot be read. */
static size_t os_read_file(const char *path, char *buffer, size_t size)
{
    const int saved = errno;
    size_t length = 0;
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        const long n = syscall(SYS_read, fd, buffer, size - 1);
        if (n > 0) length = (size_t)n;
        syscall(SYS_close, fd);
    }
    buffer[length] = 0;
    errno = saved;
    return length;
}

static size_t os_limit(int resource)
{
    struct rlimit limit;
    if (syscall(SYS_prlimit64, 0, resource, NULL, &limit) != 0) return SIZE_MAX;
    return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)limit.rlim_cur;
}

void mic_os_init(void)
{
    const int saved = errno;
    const unsigned long page = getauxval(AT_PAGESZ);
    if (page != 0) mic_os_info.page_bytes = page;
    mic_os_info.secure_execution = getauxval(AT_SECURE) != 0;
    mic_os_info.address_limit = os_limit(RLIMIT_AS);
    errno = saved;
}

bool mic_os_strict_overcommit(void)
{
    static mic_atomic(uint32_t) known; /* 1 + the answer */
    uint32_t value = mic_load_relaxed(&known);
    if (value == 0) {
        char text[8];
        const bool read = os_read_file("/proc/sys/vm/overcommit_memory", text, sizeof text) > 0;
        const bool strict = (read && text[0] == '2') || os_limit(RLIMIT_DATA) != SIZE_MAX;
        value = strict ? 2 : 1;
        mic_store_relaxed(&known, value);
    }
    return value == 2;
}

static void *os_reserve_at(void *hint, size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    return mmap(hint, bytes, PROT_NONE, flags, -1, 0);
}

/* An aligned range cut out of a longer one. */
static void *os_reserve_longer(size_t bytes, size_t alignment)
{
    char *const p = os_reserve_at(NULL, bytes + alignment);
    if (p == MAP_FAILED) return NULL;
    const uintptr_t mask = (uintptr_t)alignment - 1;
    char *const start = p + ((alignment - ((uintptr_t)p & mask)) & mask);
    char *const end = p + bytes + alignment;
    if (start != p) munmap(p, (size_t)(start - p));
    if (end != start + bytes) munmap(start + bytes, (size_t)(end - (start + bytes)));
    return start;
}

/* Without a longer one, for which there is no room: at an aligned place below where it would be. */
static void *os_reserve_tight(size_t bytes, size_t alignment)
{
    char *p = os_reserve_at(NULL, bytes);
    for (int attempt = 0; attempt < 3 && p != MAP_FAILED; attempt++) {
        if (((uintptr_t)p & (alignment - 1)) == 0) return p;
        munmap(p, bytes);
        if (attempt < 2) p = os_reserve_at((void *)((uintptr_t)p & ~(alignment - 1)), bytes);
    }
    return NULL;
}

int mic_os_reserve(size_t bytes, size_t alignment, void **address)
{
    const int saved = errno;
    void *p;
    if (alignment <= mic_os_info.page_bytes) {
        p = os_reserve_at(NULL, bytes);
        if (p == MAP_FAILED) p = NULL;
    } else {
        p = os_reserve_longer(bytes, alignment);
        if (p == NULL) p = os_reserve_tight(bytes, alignment);
    }
    const int error = p == NULL ? (errno == 0 ? ENOMEM : errno) : 0;
    if (p != NULL) {
        (void)os_madvise(p, bytes, MADV_DONTDUMP);
        *address = p;
    }
    errno = saved;
    return error;
}

/* Of the module that this is linked into; made by the linker. */
extern const char __ehdr_start[] __attribute__((weak, visibility("hidden")));
extern ElfW(Dyn) _DYNAMIC[] __attribute__((weak, visibility("hidden")));

bool mic_os_is_unloadable(void)
{
    if (__ehdr_start == NULL || _DYNAMIC == NULL) return false;
    const ElfW(Ehdr) *const header = (const ElfW(Ehdr) *)(const void *)__ehdr_start;
    if (getauxval(AT_PHDR) == (uintptr_t)__ehdr_start + header->e_phoff) return false;
    for (const ElfW(Dyn) *d = _DYNAMIC; d->d_tag != DT_NULL; d++)
        if (d->d_tag == DT_FLAGS_1 && (d->d_un.d_val & DF_1_NODELETE) != 0) return false;
    return true;
}

void mic_os_unreserve(void *address, size_t bytes)
{
    const int saved = errno;
    munmap(address, bytes);
    errno = saved;
}

int mic_os_commit(void *address, size_t bytes)
{
    const int saved = errno;
    int error = 0;
    if (mprotect(address, bytes, PROT_READ | PROT_WRITE) != 0) error = errno;
    errno = saved;
    if (error == 0) (void)os_madvise(address, bytes, MADV_DODUMP);
    return error;
}

int mic_os_decommit(void *address, size_t bytes)
{
    const int saved = errno;
    int error = 0;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (mmap(address, bytes, PROT_NONE, flags, -1, 0) == MAP_FAILED) error = errno;
    errno = saved;
    if (error == 0) (void)os_madvise(address, bytes, MADV_DONTDUMP);
    return error;
}

int mic_os_purge(void *address, size_t bytes) { return os_madvise(address, bytes, MADV_DONTNEED); }

void mic_os_in_memory(const void *address, size_t pages, unsigned char *in)
{
    const int saved = errno;
    void *const from = (void *)(uintptr_t)address;
    if (mincore(from, pages * mic_os_info.page_bytes, in) != 0) memset(in, 1, pages);
    errno = saved;
}

int mic_os_purge_lazy(void *address, size_t bytes) { return os_madvise(address, bytes, MADV_FREE); }

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* without DONTUNMAP the source would be a hole in which other threads' mappings land */
#define OS_MOVE_FLAGS (MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)

/* BROKEN: a move failed after the kernel had dropped the target, or what moving leaves behind is no
   memory like any other; none is tried any more */
enum { OS_MOVE_UNKNOWN, OS_MOVE_WORKS, OS_MOVE_BROKEN };
static mic_atomic(uint32_t) os_move_state; /* [atomic: relaxed] */

/* The emulator qemu-user takes the source for unmapped; later it answers MADV_DONTNEED there with
   success and does nothing. So it is tried once. */
static uint32_t os_move_try(void)
{
    const size_t bytes = mic_os_info.page_bytes;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *const p = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p == MAP_FAILED) return OS_MOVE_UNKNOWN;
    volatile char *const source = p;
    uint32_t state = OS_MOVE_WORKS;
    *source = 1;
    if (mremap(p, bytes, bytes, OS_MOVE_FLAGS, p + bytes) == MAP_FAILED) {
        state = errno == ENOMEM ? OS_MOVE_UNKNOWN : OS_MOVE_BROKEN;
        munmap(p, bytes); /* and not the target, which may be somebody else's by now */
    } else {
        *source = 2;
        if (madvise(p, bytes, MADV_DONTNEED) != 0 || *source != 0) state = OS_MOVE_BROKEN;
        munmap(p, 2 * bytes);
    }
    return state;
}

/* mremap drops the target first and may fail then, which leaves a hole: when a limit is exceeded
   that was lowered since the start (moving needs as much as dropping gave back), when the charge of
   strict overcommit is refused, before Linux 6.17 also when the source is more than one mapping.
   The first two are known beforehand, the last is repaired. */
static bool os_may_move(void)
{
    if (mic_load_relaxed(&os_move_state) == OS_MOVE_BROKEN || mic_os_strict_overcommit() ||
        os_limit(RLIMIT_AS) < mic_os_info.address_limit || os_limit(RLIMIT_DATA) != SIZE_MAX)
        return false;
    if (mic_load_relaxed(&os_move_state) == OS_MOVE_UNKNOWN)
        mic_store_relaxed(&os_move_state, os_move_try());
    return mic_load_relaxed(&os_move_state) == OS_MOVE_WORKS;
}

static void os_refill(void *address, size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *const p = mmap(address, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p == MAP_FAILED) return; /* the target is still there */
    if (p == address)
        mic_store_relaxed(&os_move_state, OS_MOVE_BROKEN);
    else
        munmap(p, bytes); /* before Linux 4.17: there is something at the address */
}

int mic_os_move(void *from, void *to, size_t bytes)
{
    const int saved = errno;
    int error = 0;
    if (!os_may_move()) {
        error = ENOMEM;
    } else if (mremap(from, bytes, bytes, OS_MOVE_FLAGS, to) == MAP_FAILED) {
        error = errno;
        os_refill(to, bytes);
    }
    errno = saved;
    return error;
}

size_t mic_os_move_limit(void)
{
    static mic_atomic(uint64_t) limit;
    uint64_t value = mic_load_relaxed(&limit);
    if (value == 0) {
        char text[24];
        uint64_t mappings = 0;
        (void)os_read_file("/proc/sys/vm/max_map_count", text, sizeof text);
        for (const char *c = text; *c >= '0' && *c <= '9'; c++)
            mappings = mappings * 10 + (uint64_t)(*c - '0');
        value = (mappings == 0 ? 65530 : mappings) / 16 + 1;
        mic_store_relaxed(&limit, value);
    }
    return (size_t)value;
}

int mic_os_refresh(void *address, size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    const int saved = errno;
    int error = 0;
    if (mmap(address, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) error = errno;
    errno = saved;
    return error;
}

/* ---- guards ---- */

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

/* [atomic: relaxed] ranges that are protected instead of guarded: each costs two mappings */
static mic_atomic(uint64_t) os_protected_count;

int mic_os_guard(void *address, size_t bytes)
{
    if (os_madvise(address, bytes, MADV_GUARD_INSTALL) == 0) return 0;
    if (mic_fetch_add_relaxed(&os_protected_count, 1) >= mic_os_move_limit()) {
        mic_fetch_sub_relaxed(&os_protected_count, 1);
        return ENOMEM;
    }
    const int saved = errno;
    const int error = mprotect(address, bytes, PROT_NONE) == 0 ? 0 : errno;
    errno = saved;
    if (error != 0) mic_fetch_sub_relaxed(&os_protected_count, 1);
    return error;
}

void mic_os_unguard(void *address, size_t bytes, size_t count)
{
    (void)os_madvise(address, bytes, MADV_GUARD_REMOVE);
    const uint64_t protected = mic_load_relaxed(&os_protected_count);
    if (protected == 0) return;
    /* which guards are which is not known: what is accessible stays so */
    const int saved = errno;
    if (mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0)
        mic_fetch_sub_relaxed(&os_protected_count, count < protected ? count : protected);
    errno = saved;
}

void mic_os_seal(void *address, size_t bytes)
{
    const int saved = errno;
    (void)syscall(SYS_mseal, address, bytes, 0);
    errno = saved;
}

#ifndef MAP_HUGETLB
#define MAP_HUGETLB 0x40000
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define OS_MPOL_PREFERRED 1
#define OS_NODES_MAX 1024

/* A wish: when it cannot be met, the memory comes from elsewhere. */
static void os_prefer_node(void *address, size_t bytes, int node)
{
    unsigned long mask[OS_NODES_MAX / (8 * sizeof(unsigned long))] = {0};
    const unsigned bits = 8 * sizeof(unsigned long);
    if (node < 0 || node >= OS_NODES_MAX) return;
    mask[(unsigned)node / bits] = 1ul << ((unsigned)node % bits);
    (void)syscall(SYS_mbind, address, bytes, OS_MPOL_PREFERRED, mask, OS_NODES_MAX + 1, 0);
}

/* Never over the range itself: when the pool is short, that would leave a hole. Without NORESERVE:
   touching would end the process. */
int mic_os_map_huge(void *address, size_t bytes, size_t page_bytes, int numa_node)
{
    const int saved = errno;
    const int flags =
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (__builtin_ctzll(page_bytes) << MAP_HUGE_SHIFT);
    int error = 0;
    void *const p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p == MAP_FAILED) {
        error = errno;
    } else {
        os_prefer_node(p, bytes, numa_node);
        const int refused = os_madvise(p, bytes, MADV_POPULATE_WRITE);
        if (refused != 0 && refused != EINVAL) error = ENOMEM; /* EINVAL: before Linux 5.14 */
        if (error == 0 &&
            mremap(p, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, address) == MAP_FAILED)
            error = EFAULT;
        if (error != 0) munmap(p, bytes);
    }
    errno = saved;
    return error;
}

/* "0", "0-3", "0,2-5" */
unsigned mic_os_numa_nodes(void)
{
    static mic_atomic(uint32_t) known;
    uint32_t nodes = mic_load_relaxed(&known);
    if (nodes != 0) return nodes;
    char text[64];
    (void)os_read_file("/sys/devices/system/node/online", text, sizeof text);
    uint32_t number = 0;
    for (const char *c = text; *c != 0; c++) {
        if (*c >= '0' && *c <= '9')
            number = number * 10 + (uint32_t)(*c - '0');
        else
            number = 0;
        if (number + 1 > nodes) nodes = number + 1;
    }
    if (nodes == 0 || nodes > OS_NODES_MAX) nodes = 1;
    mic_store_relaxed(&known, nodes);
    return nodes;
}

int mic_os_advise_huge(void *address, size_t bytes, bool allow)
{
    return os_madvise(address, bytes, allow ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

void mic_os_wait(uint32_t *word, uint32_t while_value)
{
    const int saved = errno;
    syscall(SYS_futex, word, OS_FUTEX_WAIT_PRIVATE, while_value, NULL, NULL, 0);
    errno = saved;
}

#define OS_WAIT_MOST_MS ((uint64_t)1 << 40)

void mic_os_wait_ms(uint32_t *word, uint32_t while_value, uint64_t milliseconds)
{
    if (milliseconds > OS_WAIT_MOST_MS) {
        mic_os_wait(word, while_value);
        return;
    }
    const int saved = errno;
    const struct timespec time = {.tv_sec = (time_t)(milliseconds / 1000),
                                  .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    syscall(SYS_futex, word, OS_FUTEX_WAIT_PRIVATE, while_value, &time, NULL, 0);
    errno = saved;
}

void mic_os_wake_one(uint32_t *word)
{
    const int saved = errno;
    syscall(SYS_futex, word, OS_FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}

void mic_os_yield(void) { sched_yield(); }

static bool os_membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

int mic_os_barrier(void)
{
    enum { PRIVATE_EXPEDITED = 8, REGISTER = 16 }; /* of linux/membarrier.h */
    const int saved = errno;
    bool ok = os_membarrier(PRIVATE_EXPEDITED);
    if (!ok && errno == EPERM) ok = os_membarrier(REGISTER) && os_membarrier(PRIVATE_EXPEDITED);
    const int error = ok ? 0 : errno;
    errno = saved;
    return error;
}

static uint64_t os_clock(clockid_t id)
{
    struct timespec t = {0, 0};
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t mic_os_clock_ms(void) { return os_clock(CLOCK_MONOTONIC_COARSE) / 1000000u; }
uint64_t mic_os_clock_ns(void) { return os_clock(CLOCK_MONOTONIC); }
uint64_t mic_os_thread_cpu_ns(void) { return os_clock(CLOCK_THREAD_CPUTIME_ID); }

/* Each word goes through a multiplication, so that little that differs makes all of it differ. */
static void os_random_fallback(uint64_t words[4])
{
    uint64_t given[2] = {0, 0};
    const void *const bytes = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    if (bytes != NULL) memcpy(given, bytes, sizeof given);
    uint64_t x = given[0] ^ os_clock(CLOCK_MONOTONIC) ^ (uint64_t)(uintptr_t)&given ^
                 (uint64_t)getpid() << 40;
    for (int i = 0; i < 4; i++) {
        x = (x ^ given[i % 2]) * 0x9e3779b97f4a7c15u;
        x ^= x >> 29;
        words[i] = x ^ os_clock(CLOCK_THREAD_CPUTIME_ID) << 20;
    }
}

#ifndef GRND_NONBLOCK
#define GRND_NONBLOCK 1
#endif

void mic_os_random(void *bytes, size_t count)
{
    const int saved = errno;
    uint64_t words[4];
    os_random_fallback(words);
    uint64_t fresh[4] = {0, 0, 0, 0};
    /* early in the system's life it would wait */
    (void)syscall(SYS_getrandom, fresh, sizeof fresh, GRND_NONBLOCK);
    for (int i = 0; i < 4; i++) words[i] ^= fresh[i];
    memcpy(bytes, words, count < sizeof words ? count : sizeof words);
    errno = saved;
}

void mic_os_process_info(mic_os_process_t *info)
{
    memset(info, 0, sizeof *info);
    const int saved = errno;
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) == 0) {
        info->user_ms =
            (uint64_t)use.ru_utime.tv_sec * 1000u + (uint64_t)use.ru_utime.tv_usec / 1000u;
        info->system_ms =
            (uint64_t)use.ru_stime.tv_sec * 1000u + (uint64_t)use.ru_stime.tv_usec / 1000u;
        info->page_faults = (size_t)(use.ru_minflt + use.ru_majflt);
        info->peak_rss_bytes = (size_t)use.ru_maxrss * 1024u;
    }
    /* ru_maxrss survives exec: what this program itself reached is VmHWM */
    char text[2048];
    const size_t length = os_read_file("/proc/self/status", text, sizeof text);
    const char *const keys[2] = {"VmHWM:", "VmRSS:"};
    for (int i = 0; i < 2 && length > 0; i++) {
        const char *at = strstr(text, keys[i]);
        if (at == NULL) continue;
        size_t kib = 0;
        for (at += 6; *at == ' ' || *at == '\t'; at++) {
        }
        for (; *at >= '0' && *at <= '9'; at++) kib = kib * 10 + (size_t)(*at - '0');
        if (i == 0) info->peak_rss_bytes = kib * 1024;
        if (i == 1) info->rss_bytes = kib * 1024;
    }
    /* a process in very many groups: their list comes before */
    if (info->rss_bytes == 0 && os_read_file("/proc/self/statm", text, sizeof text) > 0) {
        const char *at = strchr(text, ' ');
        size_t pages = 0;
        for (at = at == NULL ? "" : at + 1; *at >= '0' && *at <= '9'; at++)
            pages = pages * 10 + (size_t)(*at - '0');
        info->rss_bytes = pages * mic_os_info.page_bytes;
    }
    errno = saved;
}

/* In whatever case. strncasecmp would do, but for its tables: 64 KiB of libc more in memory. */
static bool os_begins_with(const char *text, const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        if ((c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) != name[i]) return false;
    }
    return true;
}

bool mic_os_environment_has(const char *prefix, bool *ready)
{
    const size_t n = strlen(prefix);
    *ready = environ != NULL; /* an IFUNC resolver may allocate before libc has set it */
    for (char **e = environ; e != NULL && *e != NULL; e++)
        if (os_begins_with(*e, prefix, n)) return true;
    return false;
}

const char *mic_os_getenv(const char *name)
{
    const size_t n = strlen(name);
    for (char **e = environ; e != NULL && *e != NULL; e++)
        if (os_begins_with(*e, name, n) && (*e)[n] == '=') return *e + n + 1;
    return NULL;
}

void mic_os_write_stderr(const char *text, size_t length)
{
    const int saved = errno;
    while (length > 0) {
        const long n = syscall(SYS_write, 2, text, length);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        text += n;
        length -= (size_t)n;
    }
    errno = saved;
}

mic_noreturn void mic_os_abort(void) { abort(); }

#endif
