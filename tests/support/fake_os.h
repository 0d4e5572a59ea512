/* A fake of core/src/os/os.h for unit tests: linked in place of linux.c (marker: fake-os, see
   tests/CMakeLists.txt). Memory is real, so that the code under test works; but every call is
   recorded and checked, any of them can be made to fail, and clock, randomness, environment,
   process numbers, stderr and abort belong to the test.

   The fake stops the test with a message when the code under test breaks the contract: ranges that
   were not reserved or not committed, addresses off a page.

   Fork, thread ends and waiting pass through to the system. Call fake_os_reset in the setup of a
   test. Thread-safe except for reset. */
#ifndef FAKE_OS_H
#define FAKE_OS_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os.h"

/* Back to the defaults below; reservations stay (the code under test may still hold them). */
void fake_os_reset(void);

/* ---- calls ---- */
typedef enum fake_os_kind {
    FAKE_OS_RESERVE,
    FAKE_OS_UNRESERVE, /* cannot fail */
    FAKE_OS_COMMIT,
    FAKE_OS_DECOMMIT,
    FAKE_OS_PURGE,
    FAKE_OS_PURGE_LAZY,
    FAKE_OS_MOVE,
    FAKE_OS_REFRESH,
    FAKE_OS_ADVISE_HUGE,
    FAKE_OS_GUARD,
    FAKE_OS_UNGUARD, /* cannot fail; extra: how many guards */
    FAKE_OS_MAP_HUGE,
    FAKE_OS_THREAD_KEY, /* mic_os_thread_exit_init */
    FAKE_OS_THREAD_ARM, /* failing, it does nothing: the thread's end is not noticed */
    FAKE_OS_ON_FORK,
    FAKE_OS_KINDS,
    FAKE_OS_ANY = FAKE_OS_KINDS /* for the functions below */
} fake_os_kind_t;

typedef struct fake_os_record {
    fake_os_kind_t kind;
    void *address; /* RESERVE: the result, NULL when it failed; MOVE: to */
    size_t bytes;
    size_t extra; /* RESERVE: alignment; MOVE: from; ADVISE_HUGE: allow; MAP_HUGE: page_bytes */
    int error;    /* what the call returned */
} fake_os_record_t;

/* calls of a kind since reset or the last fake_os_forget */
size_t fake_os_count(fake_os_kind_t kind);
/* the i-th of them, of a kind; NULL behind the last one (the first 4096 calls are kept) */
const fake_os_record_t *fake_os_record(fake_os_kind_t kind, size_t i);
static inline const fake_os_record_t *fake_os_last(fake_os_kind_t kind)
{
    return fake_os_record(kind, fake_os_count(kind) - 1);
}
void fake_os_forget(void);
/* bytes that are committed now, over all reservations; and reserved */
size_t fake_os_committed_bytes(void);
/* what mic_os_strict_overcommit answers */
extern bool fake_os_strict_overcommit;
size_t fake_os_reserved_bytes(void);

/* ---- failures ---- */
/* The n-th call of a kind from now on (1 = the next one) returns `error`; `all`: and so do all that
   follow. Replaces what was asked for before; n = 0: nothing fails. */
void fake_os_fail(fake_os_kind_t kind, size_t n, int error, bool all);
static inline void fake_os_fail_at(size_t n, int error)
{
    fake_os_fail(FAKE_OS_ANY, n, error, false);
}
static inline void fake_os_fail_from(size_t n, int error)
{
    fake_os_fail(FAKE_OS_ANY, n, error, true);
}
/* calls that failed because of this, since it was asked for */
size_t fake_os_failures(void);
/* calls of a kind that failed because of any of this since reset */
size_t fake_os_failed(fake_os_kind_t kind);
/* If not NULL: where calls, and those that failed, are counted too; may be in memory that forked
   children share. */
typedef struct fake_os_tally {
    size_t counts[FAKE_OS_KINDS + 1], failed[FAKE_OS_KINDS + 1];
} fake_os_tally_t;
extern fake_os_tally_t *fake_os_tally;

/* ---- time ---- */
/* Stands still until set; starts at 1,000,000 ms. mic_os_clock_ns follows. */
void fake_os_set_clock_ms(uint64_t ms);
void fake_os_advance_clock_ms(uint64_t ms);

/* ---- what a test may set directly; reset makes all of it 0 ---- */
struct fake_os_settings {
    size_t reserve_limit;     /* reservations above this size fail with ENOMEM; 0 = no limit */
    size_t move_limit;        /* mic_os_move_limit; 0 = 4096 */
    uint64_t cpu_step_ns;     /* what each call of mic_os_thread_cpu_ns adds */
    uint64_t seed;            /* mic_os_random: a fixed sequence from here */
    bool environment_missing; /* as before libc has set environ */
    unsigned numa_nodes;      /* 0 = 1 */
    int huge_node;            /* out: what mic_os_map_huge was asked for last */
    uint64_t dead_thread;     /* mic_os_thread_is_alive denies it */
    mic_os_process_t process; /* mic_os_process_info */
    bool process_is_real;     /* mic_os_process_info and mic_os_clock_ns tell the truth */
    bool nothing_resident;    /* mic_os_in_memory says so; else: what is */
    void (*thread_run)(void); /* out: what mic_os_thread_start was to run; it always fails */
    unsigned thread_starts;   /* out: how often */
    uint64_t clock_step_ms;   /* what each look at mic_os_clock_ms adds */
};
extern struct fake_os_settings fake_os_settings;

/* ---- process ---- */
/* Value NULL: as if it were not there. Names and values must live until reset. */
void fake_os_setenv(const char *name, const char *value);
/* what was written to stderr so far (64 KiB at most) */
const char *fake_os_stderr(void);
size_t fake_os_stderr_writes(void);
void fake_os_clear_stderr(void);

/* ---- abort: the statement must end in mic_os_abort, and comes back here. For one thread; locks
   that it held stay held. Needs cmocka.h. ---- */
#define fake_os_expect_abort(statement)                                                            \
    do {                                                                                           \
        fake_os_abort_armed = true;                                                                \
        if (setjmp(fake_os_abort_point) == 0) {                                                    \
            statement;                                                                             \
            fake_os_abort_armed = false;                                                           \
            fail_msg("no abort: %s", #statement);                                                  \
        }                                                                                          \
        fake_os_abort_armed = false;                                                               \
    } while (0)
extern jmp_buf fake_os_abort_point;
extern bool fake_os_abort_armed;

#endif
