/* operator new, for C and C++: ask the new handler until there is memory or nobody to ask, then
   throw.

   The library is C and must load into processes without a C++ runtime, so it refers to the runtime
   weakly and never defines any of it. Handlers throw through these functions: compiled with
   -fexceptions. Catching is not possible from here, so a handler that throws during a nothrow
   request ends the program, as throwing out of a noexcept function does. */
#include "api/handle.h"
#include "os/os.h"
#include "rt/report.h"

typedef void new_handler_fun(void);
/* std::get_new_handler() and std::__throw_bad_alloc(), which libstdc++ and libc++ both have */
extern mic_weak new_handler_fun *mic_cxx_get_new_handler(void) __asm__("_ZSt15get_new_handlerv");
extern mic_weak void mic_cxx_throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv");

/* Lets the handler make room; false when there is none. */
static bool new_ask_handler(void)
{
    new_handler_fun *handler = NULL;
    if (mic_cxx_get_new_handler != NULL) handler = mic_cxx_get_new_handler();
    if (handler == NULL) return false;
    handler();
    return true;
}

static mic_noreturn void new_fail(size_t bytes)
{
    if (mic_cxx_throw_bad_alloc != NULL) mic_cxx_throw_bad_alloc();
    mic_report_error(ENOMEM, "operator new: no memory for %zu bytes and no C++ runtime to throw",
                     bytes);
    mic_os_abort();
}

/* alignment 0: natural. NULL only for nothrow. */
static mic_noinline void *new_retry(size_t bytes, size_t alignment, bool nothrow)
{
    const int saved = errno;
    while (new_ask_handler()) {
        void *const block =
            alignment == 0 ? mic_malloc(bytes) : mic_alloc_aligned(bytes, alignment, 0, false);
        if (block != NULL) {
            errno = saved;
            return block;
        }
    }
    if (!nothrow) new_fail(bytes);
    return NULL;
}

static mic_cold void *new_overflow(void)
{
    (void)new_ask_handler(); /* it may throw; it cannot help */
    new_fail(SIZE_MAX);
}

mic_noinline void *mic_api_new_slow(size_t bytes)
{
    void *const block = mic_malloc_slow(bytes);
    return mic_likely(block != NULL) ? block : new_retry(bytes, 0, false);
}

mic_noinline void *mic_api_new_nothrow_slow(size_t bytes)
{
    void *const block = mic_malloc_slow(bytes);
    return mic_likely(block != NULL) ? block : new_retry(bytes, 0, true);
}

mic_entry void *mi_new(size_t size)
{
    void *const block = mic_api_try_malloc(size);
    return mic_likely(block != NULL) ? block : mic_api_new_slow(size);
}

void *mi_new_nothrow(size_t size)
{
    void *const block = mic_api_try_malloc(size);
    return mic_likely(block != NULL) ? block : mic_api_new_nothrow_slow(size);
}

void *mi_new_aligned(size_t size, size_t alignment)
{
    void *const block = mic_alloc_aligned(size, alignment, 0, false);
    return mic_likely(block != NULL) ? block : new_retry(size, alignment, false);
}

void *mi_new_aligned_nothrow(size_t size, size_t alignment)
{
    void *const block = mic_alloc_aligned(size, alignment, 0, false);
    return mic_likely(block != NULL) ? block : new_retry(size, alignment, true);
}

void *mi_new_n(size_t count, size_t size)
{
    size_t total;
    if (mic_mul_overflow(count, size, &total)) return new_overflow();
    return mi_new(total);
}

void *mi_new_realloc(void *p, size_t newsize)
{
    const int saved = errno;
    void *block = mic_realloc(p, newsize, false);
    while (mic_unlikely(block == NULL)) {
        if (!new_ask_handler()) new_fail(newsize);
        block = mic_realloc(p, newsize, false);
        if (block != NULL) errno = saved;
    }
    return block;
}

void *mi_new_reallocn(void *p, size_t newcount, size_t size)
{
    size_t total;
    if (mic_mul_overflow(newcount, size, &total)) return new_overflow();
    return mi_new_realloc(p, total);
}

void *mi_heap_alloc_new(mi_heap_t *heap, size_t size)
{
    const int saved = errno;
    void *block = mi_heap_malloc(heap, size);
    while (mic_unlikely(block == NULL)) {
        if (!new_ask_handler()) new_fail(size);
        block = mi_heap_malloc(heap, size);
        if (block != NULL) errno = saved;
    }
    return block;
}

void *mi_heap_alloc_new_n(mi_heap_t *heap, size_t count, size_t size)
{
    size_t total;
    if (mic_mul_overflow(count, size, &total)) return new_overflow();
    return mi_heap_alloc_new(heap, total);
}
