/* What differs between compilers: hints, attributes, thread-local storage, barriers. */
#ifndef MIC_BASE_COMPILER_H
#define MIC_BASE_COMPILER_H

#define mic_likely(x) __builtin_expect(!!(x), 1)
#define mic_unlikely(x) __builtin_expect(!!(x), 0)
#define mic_inline static inline __attribute__((always_inline))
#define mic_noinline __attribute__((noinline))
#define mic_cold __attribute__((noinline, cold))
#define mic_export __attribute__((visibility("default")))
/* on the declaration of what the fast paths use: reached without the global offset table */
#define mic_hidden __attribute__((visibility("hidden")))
/* may be missing when the program is linked: its address is NULL then */
#define mic_weak __attribute__((weak))
#define mic_noreturn __attribute__((noreturn))
#define mic_printf(f, a) __attribute__((format(printf, f, a)))
#define mic_unused __attribute__((unused))
#define mic_aligned(n) __attribute__((aligned(n)))
/* a function that is called so often that it shares no cache line with what is before it */
#define mic_entry __attribute__((aligned(64)))
#define mic_prefetch(p) __builtin_prefetch(p)
#define mic_thread_local _Thread_local
/* Reads, on purpose, what another thread may be writing, as it is at that moment. */
#define mic_racy_read __attribute__((noinline, no_sanitize("thread")))

/* The compiler forgets how the value came about, and does not compute it twice. */
#define mic_opaque(x) __asm__("" : "+r"(x))

/* The compiler may not move memory accesses across it. Orders the stores of one thread as a forked
   child sees them (fork takes a prefix of every thread's stores in program order). */
#define mic_compiler_barrier() __asm__ volatile("" ::: "memory")

#if defined(__SANITIZE_THREAD__)
#define MIC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MIC_TSAN 1
#endif
#endif
#ifndef MIC_TSAN
#define MIC_TSAN 0
#endif

#if defined(__x86_64__) || defined(__i386__)
#define mic_cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define mic_cpu_relax() __asm__ volatile("yield" ::: "memory")
#else
#define mic_cpu_relax() mic_compiler_barrier()
#endif

#endif
