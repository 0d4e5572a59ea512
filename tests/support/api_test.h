/* What the tests of the public interface share: cmocka with what it needs, checks of errno, patterns
   in blocks, and a recorder for messages and errors. A header only: the functions call the library,
   which comes before the objects of this folder when linking. */
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

#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "mimalloc-ext.h"

/* secure and debug builds have canaries, which cost the larger natural alignments */
#define API_CANARY (CFG_SECURE || CFG_DEBUG)
/* they also look at the handles and hints they are given */
#define API_CHECKED (CFG_SECURE || CFG_DEBUG)

/* How often something is done: under the fault sweep, which runs the test once for each call to the
   system that it makes, as often as the ways through the library differ. */
#ifdef FAULT_API_H
#define API_SWEPT 1
#define API_TIMES(usual, swept) (swept)
#else
#define API_SWEPT 0
#define API_TIMES(usual, swept) (usual)
#endif

/* A value the compiler knows nothing of: requests that cannot be met are warned of otherwise. */
static volatile uintptr_t api_zero;

static inline size_t api_opaque(size_t value) { return value + api_zero; }

static inline void *api_opaque_pointer(void *p) { return (char *)p + api_zero; }

#define API_HUGE api_opaque((size_t)PTRDIFF_MAX + 1)

/* Compilers know that some of these functions do not touch errno. */
#define api_forget_memory() __asm__ volatile("" ::: "memory")

/* The call's value must be NULL with errno set to `error`. */
#define api_assert_fails(call, error)                                                              \
    do {                                                                                           \
        errno = 0;                                                                                 \
        const void *volatile api_result = (call); /* compilers leave out unused blocks */          \
        api_forget_memory();                                                                       \
        const int api_errno = errno;                                                               \
        assert_null(api_result);                                                                   \
        assert_int_equal(api_errno, error);                                                        \
    } while (0)

/* Stores the call's value in `to`; it must not be NULL, and errno must not change. */
#define api_assert_works(to, call)                                                                 \
    do {                                                                                           \
        errno = 4711;                                                                              \
        (to) = (call);                                                                             \
        api_forget_memory();                                                                       \
        const int api_errno = errno;                                                               \
        assert_non_null(to);                                                                       \
        assert_int_equal(api_errno, 4711);                                                         \
    } while (0)

#define api_assert_aligned(p, alignment) assert_int_equal((uintptr_t)(p) % (alignment), 0)

static inline bool api_piece_is_zero(const char *b, size_t bytes)
{
    return bytes == 0 || (b[0] == 0 && memcmp(b, b + 1, bytes - 1) == 0);
}

/* Under the sweep of large blocks only both ends, and some of each 512 KiB in between. */
enum { API_END = 32 * 1024, API_STEP = 512 * 1024, API_PIECE = 1024 };

static inline bool api_is_zero(const void *p, size_t bytes)
{
    const char *const b = (const char *)p;
    if (!API_SWEPT || bytes <= 4 * API_END) return api_piece_is_zero(b, bytes);
    bool zero = api_piece_is_zero(b, API_END) && api_piece_is_zero(b + bytes - API_END, API_END);
    for (size_t at = API_END; zero && at < bytes - API_END; at += API_STEP)
        zero = api_piece_is_zero(b + at, API_PIECE);
    return zero;
}

/* memset, of what api_is_zero looks at */
static inline void api_set(void *p, int value, size_t bytes)
{
    char *const b = (char *)api_opaque_pointer(p); /* compilers know of fewer bytes */
    if (!API_SWEPT || bytes <= 4 * API_END) {
        memset(b, value, bytes);
        return;
    }
    memset(b, value, API_END);
    memset(b + bytes - API_END, value, API_END);
    for (size_t at = API_END; at < bytes - API_END; at += API_STEP)
        memset(b + at, value, API_PIECE);
}

static inline unsigned char api_pattern(size_t i, unsigned seed)
{
    return (unsigned char)(1 + (i * 31 + seed * 17) % 255); /* never 0 */
}

/* Bytes that depend on place and seed: all of the first 8 KiB, then one in 509, which is enough to
   see blocks overlap and quick with sanitizers; under the sweep one in 512 Ki behind the first 64
   KiB. */
static inline size_t api_next(size_t i)
{
    if (i < 8192) return i + 1;
    return i + (API_SWEPT && i >= 64 * 1024 ? 524287 : 509);
}

static inline void api_fill(void *p, size_t bytes, unsigned seed)
{
    unsigned char *const b = (unsigned char *)p;
    for (size_t i = 0; i < bytes; i = api_next(i)) b[i] = api_pattern(i, seed);
}

static inline bool api_is_filled(const void *p, size_t bytes, unsigned seed)
{
    const unsigned char *const b = (const unsigned char *)p;
    for (size_t i = 0; i < bytes; i = api_next(i))
        if (b[i] != api_pattern(i, seed)) return false;
    return true;
}

/* Writes all over the bytes the block has room for, the last one too, and reads them back. */
static inline void api_use_all(void *p)
{
    unsigned char *const b = (unsigned char *)api_opaque_pointer(p); /* more than was asked for */
    const size_t usable = mi_usable_size(b);
    assert_true(usable > 0);
    b[usable - 1] = 0;
    api_fill(b, usable, 5);
    assert_true(api_is_filled(b, usable, 5));
}

/* Leaves non-zero memory in free blocks of many sizes, to be found by who forgets to clear. */
static inline void api_soil(void)
{
    enum { BLOCKS = API_TIMES(8, 2) };
    for (size_t size = 8; size <= 4 * 1024 * 1024; size = size < 64 ? size + 8 : size * 5 / 4) {
        void *blocks[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = mi_malloc(size);
            assert_non_null(blocks[i]);
            api_set(blocks[i], 0xee, size);
        }
        for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
        if (size > 1024 * 1024) size *= 2; /* a few are enough */
    }
}

/* ---- recorder: from start to stop all messages and errors end here, errors being shown ---- */

typedef struct api_record {
    char text[16384];
    size_t length;
    int errors; /* calls of the error callback */
    int last_error;
    long show_errors; /* as it was before */
} api_record_t;
static api_record_t api_record;

/* An output function for mi_*_print_out that appends to the record. */
static inline void api_record_out(const char *text, void *arg)
{
    (void)arg;
    const size_t length = strlen(text);
    if (api_record.length + length >= sizeof api_record.text) return;
    memcpy(api_record.text + api_record.length, text, length + 1);
    api_record.length += length;
}

static inline void api_record_error(int error, void *arg)
{
    (void)arg;
    api_record.errors++;
    api_record.last_error = error;
}

static inline void api_record_start(void)
{
    const long show_errors = mi_option_get(mi_option_show_errors);
    mi_option_enable(mi_option_show_errors);
    mi_option_set(mi_option_max_errors, -1);
    mi_register_output(api_record_out, NULL);
    mi_register_error(api_record_error, NULL);
    memset(&api_record, 0, sizeof api_record); /* early messages were replayed just now */
    api_record.show_errors = show_errors;
}

static inline void api_record_stop(void)
{
    mi_register_output(NULL, NULL);
    mi_register_error(NULL, NULL);
    mi_option_set(mi_option_show_errors, api_record.show_errors);
}

/* ---- children ---- */

/* Runs the function in a child process; returns its wait status. What the child writes to stderr is
   stored, terminated. */
static inline int api_run_child(void (*run)(void *arg), void *arg, char *stderr_text, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        run(arg);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], stderr_text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    stderr_text[length] = 0;
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

#endif
