/* Atomics named by their order. All shared words of the library go through these names, so that
   tests/model can replace the back end (MIC_MODEL) and explore schedules of the shipping code.
   Words are uintptr_t, uint64_t, uint32_t or size_t. */
#ifndef MIC_BASE_ATOMIC_H
#define MIC_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define mic_atomic(T) _Atomic(T)

#ifdef MIC_MODEL
#include "model_atomic.h"
#else
#include <stdatomic.h>

#define mic_load_relaxed(p) atomic_load_explicit(p, memory_order_relaxed)
#define mic_load_acquire(p) atomic_load_explicit(p, memory_order_acquire)
#define mic_load_seqcst(p) atomic_load_explicit(p, memory_order_seq_cst)
#define mic_store_relaxed(p, v) atomic_store_explicit(p, v, memory_order_relaxed)
#define mic_store_release(p, v) atomic_store_explicit(p, v, memory_order_release)
#define mic_store_seqcst(p, v) atomic_store_explicit(p, v, memory_order_seq_cst)
#define mic_exchange_acquire(p, v) atomic_exchange_explicit(p, v, memory_order_acquire)
#define mic_exchange_release(p, v) atomic_exchange_explicit(p, v, memory_order_release)
#define mic_exchange_acqrel(p, v) atomic_exchange_explicit(p, v, memory_order_acq_rel)
#define mic_exchange_seqcst(p, v) atomic_exchange_explicit(p, v, memory_order_seq_cst)
#define mic_fetch_or_relaxed(p, v) atomic_fetch_or_explicit(p, v, memory_order_relaxed)
#define mic_fetch_or_release(p, v) atomic_fetch_or_explicit(p, v, memory_order_release)
#define mic_fetch_or_seqcst(p, v) atomic_fetch_or_explicit(p, v, memory_order_seq_cst)
#define mic_fetch_and_acquire(p, v) atomic_fetch_and_explicit(p, v, memory_order_acquire)
#define mic_fetch_and_release(p, v) atomic_fetch_and_explicit(p, v, memory_order_release)
#define mic_fetch_and_relaxed(p, v) atomic_fetch_and_explicit(p, v, memory_order_relaxed)
#define mic_fetch_add_relaxed(p, v) atomic_fetch_add_explicit(p, v, memory_order_relaxed)
#define mic_fetch_sub_relaxed(p, v) atomic_fetch_sub_explicit(p, v, memory_order_relaxed)
#define mic_fetch_add_seqcst(p, v) atomic_fetch_add_explicit(p, v, memory_order_seq_cst)
/* compare-and-swap; on failure *expected holds what was there (relaxed) */
#define mic_cas_acquire(p, expected, v)                                                            \
    atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_acquire,                  \
                                            memory_order_relaxed)
#define mic_cas_release(p, expected, v)                                                            \
    atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_release,                  \
                                            memory_order_relaxed)
#define mic_cas_seqcst(p, expected, v)                                                             \
    atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_seq_cst,                  \
                                            memory_order_relaxed)
#define mic_cas_acqrel(p, expected, v)                                                             \
    atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_acq_rel,                  \
                                            memory_order_relaxed)
#endif

/* A word that others may write, read on the two sacred fast paths. gcc treats an atomic load as
   volatile and will not fold it into the compare that follows; an aligned word read once cannot
   tear on any supported machine. Race checkers get the atomic load. */
#if MIC_TSAN || defined(MIC_MODEL)
#define mic_load_fast(p) mic_load_relaxed(p)
#define mic_flip_fast(p, bits) mic_store_relaxed(p, mic_load_relaxed(p) ^ (bits))
#define mic_store_fast(p, v) mic_store_relaxed(p, v)
#else
/* The same for a word that only its owner writes. */
#define mic_store_fast(p, v) (*(__typeof__(mic_plain_type_(*(p))) *)(void *)(p) = (v))
#define mic_flip_fast(p, bits) (*(__typeof__(mic_plain_type_(*(p))) *)(void *)(p) ^= (bits))
#define mic_load_fast(p) (*(const __typeof__(mic_plain_type_(*(p))) *)(const void *)(p))
#endif
#define mic_plain_type_(x)                                                                         \
    _Generic((x), uint32_t : (uint32_t)0, uint64_t : (uint64_t)0, default : (uintptr_t)0)

/* The owner of a word that others only read (counters, own queues seen by statistics). */
#define mic_owner_add(p, v) mic_store_relaxed(p, mic_load_relaxed(p) + (v))

#endif
