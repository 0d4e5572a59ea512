/* The only door to the operating system: the contract that linux.c and the tests' fake implement.
   Functions return 0 or an errno value; none of them allocates, none changes errno (mic_os_* save
   and restore it), all may be called from any thread at any time. */
#ifndef MIC_OS_OS_H
#define MIC_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

typedef struct mic_os_info {
    size_t page_bytes;     /* OS page */
    size_t address_limit;  /* RLIMIT_AS in bytes, SIZE_MAX when there is none */
    bool secure_execution; /* AT_SECURE: the environment is not to be trusted */
} mic_os_info_t;

/* Filled by mic_os_init, constant afterwards. */
extern mic_os_info_t mic_os_info;

/* Idempotent. Needs neither environ nor constructors to have run. */
void mic_os_init(void);

/* The code that calls this may be unloaded while the process goes on: it is in a shared library
   that is not marked to stay. */
bool mic_os_is_unloadable(void);

/* ---- address space: reserved memory is inaccessible and costs nothing ---- */
int mic_os_reserve(size_t bytes, size_t alignment, void **address);
void mic_os_unreserve(void *address, size_t bytes);
/* Makes a reserved range readable, writable, part of core files. Fresh ranges read as zero. */
int mic_os_commit(void *address, size_t bytes);
/* Gives the range back completely: reserved again, charge returned (strict overcommit). */
int mic_os_decommit(void *address, size_t bytes);
/* Returns the memory of a committed range: it reads as zero afterwards. EINVAL (locked memory):
   nothing is known about the contents. */
int mic_os_purge(void *address, size_t bytes);
/* Same, lazily (MADV_FREE): contents are unknown afterwards. */
int mic_os_purge_lazy(void *address, size_t bytes);
/* Bit 0 of in[i]: OS page i from the address on is in memory; all are where the system does not
   tell. What is not in memory may have been swapped out. */
void mic_os_in_memory(const void *address, size_t pages, unsigned char *in);
/* Bytes of whole OS pages of the range that are in memory. */
size_t mic_os_resident(const void *address, size_t bytes);
/* For runs of whole OS pages of the range, in order, each as long as all of it is in memory, or
   nothing, but for long ones, which come in parts; until the function says false, which is
   returned then. */
typedef bool mic_os_run_fun(void *start, size_t bytes, bool resident, void *arg);
bool mic_os_each_run(const void *address, size_t bytes, mic_os_run_fun *fun, void *arg);
/* Moves the contents of a committed range to another one by page tables; the source reads as zero
   and stays mapped. Neither is a hole at any moment. An error: nothing happened, the target reads
   as zero. */
int mic_os_move(void *from, void *to, size_t bytes);
/* How many ranges may be moved at a time: each costs two mappings. */
size_t mic_os_move_limit(void);
/* A fresh committed zero range in place of a moved one: its mapping merges with its neighbours. */
int mic_os_refresh(void *address, size_t bytes);
/* vm.overcommit_memory=2, or a limit of data (RLIMIT_DATA): purging does not return the charge of
   committed memory, only decommitting does. Read when first asked for. */
bool mic_os_strict_overcommit(void);
/* Transparent huge pages for a whole range: allowed or not. */
int mic_os_advise_huge(void *address, size_t bytes, bool allow);

/* ---- guards: inaccessible OS pages inside committed ranges ---- */
/* Whatever was there is lost. No mapping is split where the kernel has light guards (Linux 6.13);
   elsewhere, and in locked memory, the range is protected, a limited number of times: ENOMEM then.
   A guard stays through purging and fork. */
int mic_os_guard(void *address, size_t bytes);
/* Removes the guards of the range, `count` of them: it reads as zero where they were. */
void mic_os_unguard(void *address, size_t bytes, size_t count);
/* The range can be neither unmapped nor protected otherwise any more, where the system can do
   that (Linux 6.10). */
void mic_os_seal(void *address, size_t bytes);

/* Pages of 2 MiB or 1 GiB of the system's pool in place of a reserved range: committed, resident if
   the system can tell, never purged; mic_os_decommit gives them back. All multiples of page_bytes.
   numa_node: where to, if there is room; -1 = anywhere. An error: the range is reserved as before;
   EFAULT: it must not be used any more, others may have got its addresses. */
int mic_os_map_huge(void *address, size_t bytes, size_t page_bytes, int numa_node);
/* NUMA nodes of the machine, at least 1. Read when first asked for. */
unsigned mic_os_numa_nodes(void);

/* ---- waiting ---- */
void mic_os_wait(uint32_t *word, uint32_t while_value); /* may return early */
/* The same, for this long at most, and some milliseconds more; UINT64_MAX: however long. */
void mic_os_wait_ms(uint32_t *word, uint32_t while_value, uint64_t milliseconds);
void mic_os_wake_one(uint32_t *word);
void mic_os_yield(void);
/* Whatever other threads of the process stored before this call, streaming stores included, all see
   after it. ENOSYS and others: it cannot be had. The first one may take milliseconds. */
int mic_os_barrier(void);

/* ---- time, randomness ---- */
uint64_t mic_os_clock_ms(void); /* monotonic, coarse, 4.6 ns */
uint64_t mic_os_clock_ns(void); /* monotonic, precise */
uint64_t mic_os_thread_cpu_ns(void);
/* Random bytes, 32 at most: from the system, else from the process's start-up randomness, the clock
   and addresses; never constant. */
void mic_os_random(void *bytes, size_t count);

/* ---- process ---- */
typedef struct mic_os_process {
    uint64_t user_ms, system_ms;
    size_t rss_bytes, peak_rss_bytes;
    size_t page_faults;
} mic_os_process_t;
void mic_os_process_info(mic_os_process_t *info);
/* True if the name of any environment variable begins so; *ready is false while environ is not set.
   Names are given in capitals, variables may be in whatever case. */
bool mic_os_environment_has(const char *prefix, bool *ready);
/* value of an environment variable, or NULL */
const char *mic_os_getenv(const char *name);
void mic_os_write_stderr(const char *text, size_t length);
mic_noreturn void mic_os_abort(void);

/* ---- thread end, fork (pthread) ---- */
/* Registers `at_exit` to run when a thread ends that called mic_os_thread_arm. Once. */
int mic_os_thread_exit_init(void (*at_exit)(void *pass));
/* No more: its code may be about to be unloaded. */
void mic_os_thread_exit_end(void);
/* Id of the calling thread, never 0; whether a thread of this process with that id still runs. */
uint64_t mic_os_process_id(void);
uint64_t mic_os_thread_id(void);
bool mic_os_thread_is_alive(uint64_t id);
/* `pass` is handed to at_exit, unless something else is already; must not be NULL. May allocate
   (glibc: key numbers >= 32). */
void mic_os_thread_arm(void *pass);
int mic_os_on_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

/* ---- a thread of the library's own, one at a time ---- */
/* Runs `run` in a new thread with a small stack and all signals blocked; it ends when `run`
   returns. The one before was joined. Allocates. EAGAIN and others: the system does not let us. */
int mic_os_thread_start(void (*run)(void));
/* Waits until the thread has ended, for this long at most: its code may be about to be unloaded.
   Once for each, in the process that started it; the thread itself, when it is the last of the
   process, does not wait. */
void mic_os_thread_join(uint64_t milliseconds);

#endif
