/* The public functions under the fault sweep; see fault_api.h. */
#define FAULT_API_PLAIN
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_os.h"
#include "fault_sweep.h"
#include "heap/theap.h"

/* of blocks above this only the first so many bytes are compared */
#define FAULT_COPY_MAX ((size_t)1 << 20)

#define FAULT_NAME6(type, name, parameters, arguments, old, promise) #name,
#define FAULT_NAME5(type, name, parameters, arguments, refused) #name,
#define FAULT_NAME3(name, parameters, arguments) #name,
#define FAULT_NAME2(name, type) #name,
#define FAULT_NAME1(name) #name,
const char *const fault_function_names[FAULT_FUNCTIONS] = {
    FAULT_BLOCKS(FAULT_NAME6) FAULT_NEWS(FAULT_NAME6) FAULT_ACTIONS(FAULT_NAME3)
        FAULT_WALKS(FAULT_NAME2) FAULT_FLAGS(FAULT_NAME5) FAULT_SPECIALS(FAULT_NAME1)};

/* ---- one call ---- */

typedef struct fault_call {
    struct fault_call *outer; /* this one is made by a callback of that one */
    fault_function_t function;
    bool armed;
    bool throws;   /* errno means nothing when it fails */
    bool catches;  /* catcher is set */
    bool repeated; /* with nothing failing */
    int saved_errno;
    size_t failures; /* before */
    const void *old;
    char *copy; /* of the old block */
    size_t usable;
    jmp_buf catcher;
} fault_call_t;

/* the innermost call of the thread: what is reported during it is its doing */
static _Thread_local fault_call_t *fault_current;

static size_t fault_compared(const fault_call_t *call)
{
    return call->usable < FAULT_COPY_MAX ? call->usable : FAULT_COPY_MAX;
}

static void fault_begin(fault_call_t *call, fault_function_t function, const void *old)
{
    const int saved = errno;
    memset(call, 0, offsetof(fault_call_t, catcher));
    call->outer = fault_current;
    call->function = function;
    call->saved_errno = saved;
    call->armed = fault_is_armed();
    fault_current = call;
    if (!call->armed) return;
    call->failures = fake_os_failed(FAKE_OS_ANY);
    call->old = old;
    call->usable = mi_usable_size(old);
    if (old != NULL && call->usable > 0) {
        call->copy = malloc(fault_compared(call));
        fault_require(call->copy != NULL, function);
        memcpy(call->copy, old, fault_compared(call));
    }
    errno = saved;
}

static bool fault_met(const fault_call_t *call)
{
    return call->armed && fake_os_failed(FAKE_OS_ANY) != call->failures;
}

static void fault_end(fault_call_t *call)
{
    const int saved = errno;
    free(call->copy);
    fault_current = call->outer;
    errno = saved;
}

/* After a refusal: the block is as it was, and from now on nothing fails. */
static void fault_refused(fault_call_t *call, int error, bool promise)
{
    fault_require(call->throws || error == ENOMEM, call->function);
    fault_require(promise, call->function);
    if (call->copy != NULL) {
        fault_require(mi_usable_size(call->old) == call->usable, call->function);
        fault_require(memcmp(call->old, call->copy, fault_compared(call)) == 0, call->function);
    }
    fault_disarm();
    call->repeated = true;
    errno = call->saved_errno;
}

/* True: the call was refused because of the failure; it is to be made once more. */
static bool fault_again(fault_call_t *call, bool refused, bool promise)
{
    const int error = errno;
    /* EINVAL is not for want of anything: the test knows why */
    if (!fault_met(call) || (refused && !call->throws && error == EINVAL)) {
        errno = error;
        return false;
    }
    fault_count(call->function, refused);
    if (refused)
        fault_refused(call, error, promise);
    else
        fault_require(error == call->saved_errno, call->function);
    errno = refused ? call->saved_errno : error;
    return refused;
}

#define FAULT_DEFINE_BLOCK(type, name, parameters, arguments, old, promise)                        \
    type fault_##name parameters                                                                   \
    {                                                                                              \
        fault_call_t call;                                                                         \
        fault_begin(&call, FAULT_##name, old);                                                     \
        type result = name arguments;                                                              \
        if (fault_again(&call, result == NULL, result != NULL || (promise)))                       \
            result = name arguments;                                                               \
        fault_end(&call);                                                                          \
        return result;                                                                             \
    }
FAULT_BLOCKS(FAULT_DEFINE_BLOCK)

/* Throwing ends in fault_throw below, or, without a C++ runtime, would end the process. */
#define FAULT_DEFINE_NEW(type, name, parameters, arguments, old, promise)                          \
    type fault_##name parameters                                                                   \
    {                                                                                              \
        fault_call_t call;                                                                         \
        fault_begin(&call, FAULT_##name, old);                                                     \
        call.throws = call.catches = true;                                                         \
        void *volatile result = NULL;                                                              \
        if (setjmp(call.catcher) == 0) result = name arguments;                                    \
        if (fault_again(&call, result == NULL, promise)) result = name arguments;                  \
        fault_end(&call);                                                                          \
        return result;                                                                             \
    }
FAULT_NEWS(FAULT_DEFINE_NEW)

#define FAULT_DEFINE_ACTION(name, parameters, arguments)                                           \
    void fault_##name parameters                                                                   \
    {                                                                                              \
        fault_call_t call;                                                                         \
        fault_begin(&call, FAULT_##name, NULL);                                                    \
        name arguments;                                                                            \
        (void)fault_again(&call, false, true);                                                     \
        fault_end(&call);                                                                          \
    }
FAULT_ACTIONS(FAULT_DEFINE_ACTION)

#define FAULT_DEFINE_FLAG(type, name, parameters, arguments, refused)                              \
    type fault_##name parameters                                                                   \
    {                                                                                              \
        fault_call_t call;                                                                         \
        fault_begin(&call, FAULT_##name, NULL);                                                    \
        call.throws = true;                                                                        \
        type result = name arguments;                                                              \
        if (fault_again(&call, refused, true)) result = name arguments;                            \
        fault_end(&call);                                                                          \
        return result;                                                                             \
    }
FAULT_FLAGS(FAULT_DEFINE_FLAG)

#define FAULT_DEFINE_WALK(name, type)                                                              \
    bool fault_##name(type h, bool blocks, mi_block_visit_fun *visitor, void *arg)                 \
    {                                                                                              \
        fault_call_t call;                                                                         \
        fault_begin(&call, FAULT_##name, NULL);                                                    \
        bool result = name(h, blocks, visitor, arg);                                               \
        if (fault_again(&call, !result && errno == ENOMEM, true))                                  \
            result = name(h, blocks, visitor, arg);                                                \
        fault_end(&call);                                                                          \
        return result;                                                                             \
    }
FAULT_WALKS(FAULT_DEFINE_WALK)

mi_subproc_id_t fault_mi_subproc_new(void)
{
    fault_call_t call;
    fault_begin(&call, FAULT_mi_subproc_new, NULL);
    mi_subproc_id_t result = mi_subproc_new();
    if (fault_again(&call, result._mi_subproc_id == NULL, true)) result = mi_subproc_new();
    fault_end(&call);
    return result;
}

/* Says nothing when it is refused: the thread stays where it was. */
void fault_mi_subproc_add_current_thread(mi_subproc_id_t id)
{
    fault_call_t call;
    fault_begin(&call, FAULT_mi_subproc_add_current_thread, NULL);
    call.throws = true;
    mi_subproc_add_current_thread(id);
    const bool refused =
        id._mi_subproc_id != NULL && mi_subproc_current()._mi_subproc_id != id._mi_subproc_id;
    if (fault_again(&call, refused, true)) mi_subproc_add_current_thread(id);
    fault_end(&call);
}

/* A thread that could not be made ready has the constant thread heap that is always empty. */
static bool fault_is_no_theap(const mi_theap_t *theap)
{
    return (const void *)theap == (const void *)&mic_theap_empty;
}

mi_theap_t *fault_mi_theap_get_default(void)
{
    fault_call_t call;
    fault_begin(&call, FAULT_mi_theap_get_default, NULL);
    call.throws = true; /* errno stays as it was */
    mi_theap_t *result = mi_theap_get_default();
    if (fault_again(&call, fault_is_no_theap(result), true)) result = mi_theap_get_default();
    fault_end(&call);
    return result;
}

mi_theap_t *fault_mi_theap_set_default(mi_theap_t *h)
{
    fault_call_t call;
    fault_begin(&call, FAULT_mi_theap_set_default, NULL);
    call.throws = true;
    mi_theap_t *result = mi_theap_set_default(h);
    if (fault_again(&call, fault_is_no_theap(result), true)) result = mi_theap_set_default(h);
    fault_end(&call);
    return result;
}

/* The block is gone when it fails: what the caller goes on with has the same contents. */
static void *fault_reallocf(fault_function_t function, mi_heap_t *heap, void *p, size_t n)
{
    fault_call_t call;
    fault_begin(&call, function, p);
    const size_t usable = call.usable;
    char *const copy = call.copy;
    call.copy = NULL; /* not to be compared with */
    void *result = heap != NULL ? mi_heap_reallocf(heap, p, n) : mi_reallocf(p, n);
    if (fault_again(&call, result == NULL, true)) {
        result = heap != NULL ? mi_heap_malloc(heap, n) : mi_malloc(n);
        if (result != NULL && copy != NULL) memcpy(result, copy, usable < n ? usable : n);
    }
    free(copy);
    fault_end(&call);
    return result;
}

void *fault_mi_reallocf(void *p, size_t n) { return fault_reallocf(FAULT_mi_reallocf, NULL, p, n); }

void *fault_mi_heap_reallocf(mi_heap_t *h, void *p, size_t n)
{
    return fault_reallocf(FAULT_mi_heap_reallocf, h, p, n);
}

/* Functions that return an error: 0 or what errno is made here, for fault_again. */
static bool fault_error_again(fault_call_t *call, int error, bool promise)
{
    const int saved = errno;
    if (error != 0) errno = error;
    const bool again = fault_again(call, error != 0, promise);
    if (!again) errno = saved;
    return again;
}

int fault_mi_posix_memalign(void **p, size_t alignment, size_t n)
{
    fault_call_t call;
    void *const before = p != NULL ? *p : NULL;
    fault_begin(&call, FAULT_mi_posix_memalign, NULL);
    int error = mi_posix_memalign(p, alignment, n);
    const bool promise = errno == call.saved_errno && (error == 0 || p == NULL || *p == before);
    if (fault_error_again(&call, error, promise)) error = mi_posix_memalign(p, alignment, n);
    fault_end(&call);
    return error;
}

int fault_mi_reallocarr(void *p, size_t count, size_t n)
{
    fault_call_t call;
    void *const before = p != NULL ? *(void **)p : NULL;
    fault_begin(&call, FAULT_mi_reallocarr, before);
    int error = mi_reallocarr(p, count, n);
    const bool promise = error == 0 || (errno == error && (p == NULL || *(void **)p == before));
    if (fault_error_again(&call, error, promise)) error = mi_reallocarr(p, count, n);
    fault_end(&call);
    return error;
}

int fault_mi_dupenv_s(char **buf, size_t *size, const char *name)
{
    fault_call_t call;
    fault_begin(&call, FAULT_mi_dupenv_s, NULL);
    int error = mi_dupenv_s(buf, size, name);
    const bool promise = errno == call.saved_errno && (error == 0 || buf == NULL || *buf == NULL) &&
                         (error == 0 || size == NULL || *size == 0);
    if (fault_error_again(&call, error, promise)) error = mi_dupenv_s(buf, size, name);
    fault_end(&call);
    return error;
}

bool fault_mi_free_if_owned(void *p)
{
    fault_call_t call;
    fault_begin(&call, FAULT_mi_free_if_owned, NULL);
    const bool result = mi_free_if_owned(p);
    (void)fault_again(&call, false, true);
    fault_end(&call);
    return result;
}

bool fault_mi_realloc_if_owned(void *p, size_t n, void **to)
{
    fault_call_t call;
    fault_begin(&call, FAULT_mi_realloc_if_owned, mi_any_heap_contains(p) ? p : NULL);
    bool result = mi_realloc_if_owned(p, n, to);
    if (fault_again(&call, result && *to == NULL, true)) result = mi_realloc_if_owned(p, n, to);
    fault_end(&call);
    return result;
}

/* ---- what is reported because of a failure that we made is not the test's business ---- */

static mi_output_fun *fault_out;
static mi_error_fun *fault_error;
static void *fault_out_arg, *fault_error_arg;

static bool fault_is_ours(void)
{
    return fault_current != NULL && !fault_current->repeated && fault_met(fault_current);
}

static void fault_filter_out(const char *text, void *arg)
{
    (void)arg;
    if (!fault_is_ours()) fault_out(text, fault_out_arg);
}

static void fault_filter_error(int error, void *arg)
{
    (void)arg;
    if (!fault_is_ours()) fault_error(error, fault_error_arg);
}

void fault_mi_register_output(mi_output_fun *out, void *arg)
{
    if (out != NULL) fault_out = out;
    fault_out_arg = arg;
    mi_register_output(out != NULL ? fault_filter_out : NULL, NULL);
}

void fault_mi_register_error(mi_error_fun *fun, void *arg)
{
    if (fun != NULL) fault_error = fun;
    fault_error_arg = arg;
    mi_register_error(fun != NULL ? fault_filter_error : NULL, NULL);
}

/* ---- std::__throw_bad_alloc: the linker sends the library's calls here (--wrap) ---- */

extern void fault_throw(void) __asm__("__wrap__ZSt17__throw_bad_allocv");
extern void fault_real_throw(void) __asm__("__real__ZSt17__throw_bad_allocv");

/* For tests that have no runtime of their own: the library looks whether there is one. */
extern void fault_no_runtime(void) __asm__("_ZSt17__throw_bad_allocv");
__attribute__((weak)) void fault_no_runtime(void) {}

void fault_throw(void)
{
    if (fault_current != NULL && fault_current->catches && fault_is_ours())
        longjmp(fault_current->catcher, 1);
    if (fault_current != NULL) fault_current = fault_current->outer; /* the test catches */
    fault_real_throw();
}
