/* What the tests of the public interface share: cmocka with what it needs, checks of errno, patterns
   in blocks, and a recorder for messages and errors. */
#ifndef API_TEST_H
#define API_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "mimalloc-ext.h"

/* secure and debug builds have canaries, which cost the larger natural alignments */
#define API_CANARY (CFG_SECURE || CFG_DEBUG)

/* A value the compiler knows nothing of: requests that cannot be met are warned of otherwise. */
size_t api_opaque(size_t value);
void *api_opaque_pointer(void *p);
#define API_HUGE api_opaque((size_t)PTRDIFF_MAX + 1)

/* Evaluates to the call's value, which must be NULL with errno set to `error`. */
#define api_assert_fails(call, error)                                                              \
    do {                                                                                           \
        errno = 0;                                                                                 \
        const void *const api_result = (call);                                                     \
        const int api_errno = errno;                                                               \
        assert_null(api_result);                                                                   \
        assert_int_equal(api_errno, error);                                                        \
    } while (0)

/* Stores the call's value in `to`; it must not be NULL, and errno must not change. */
#define api_assert_works(to, call)                                                                 \
    do {                                                                                           \
        errno = 4711;                                                                              \
        (to) = (call);                                                                             \
        const int api_errno = errno;                                                               \
        assert_non_null(to);                                                                       \
        assert_int_equal(api_errno, 4711);                                                         \
    } while (0)

#define api_assert_aligned(p, alignment) assert_int_equal((uintptr_t)(p) % (alignment), 0)

bool api_is_zero(const void *p, size_t bytes);
/* bytes that depend on place and seed */
void api_fill(void *p, size_t bytes, unsigned seed);
bool api_is_filled(const void *p, size_t bytes, unsigned seed);

/* Writes to every byte the block has room for, and reads it back. */
void api_use_all(void *p);

/* Leaves non-zero memory in free blocks of many sizes, to be found by who forgets to clear. */
void api_soil(void);

/* ---- recorder: from start to stop all messages and errors end here, errors being shown ---- */
typedef struct api_record {
    char text[16384];
    size_t length;
    int errors; /* calls of the error callback */
    int last_error;
} api_record_t;
extern api_record_t api_record;
void api_record_start(void);
void api_record_stop(void);
/* An output function for mi_*_print_out that appends to the record. */
void api_record_out(const char *text, void *arg);

/* Runs the function in a child process; returns its wait status. What the child writes to stderr is
   stored, terminated. */
int api_run_child(void (*run)(void *arg), void *arg, char *stderr_text, size_t size);

#endif
