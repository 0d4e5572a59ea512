/* Bit scans, rounding, overflow-checked multiplication. */
#ifndef MIC_BASE_BITS_H
#define MIC_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* index of the lowest / highest set bit; x must not be 0 */
mic_inline unsigned mic_bit_lowest(uint64_t x) { return (unsigned)__builtin_ctzll(x); }
mic_inline unsigned mic_bit_highest(uint64_t x) { return 63u ^ (unsigned)__builtin_clzll(x); }
/* A call of the compiler's support library where the processor may have no instruction for it. */
#if defined(__x86_64__) && !defined(__POPCNT__)
mic_inline unsigned mic_bit_count(uint64_t x)
{
    x -= (x >> 1) & UINT64_C(0x5555555555555555); /* sums of pairs, then of fours, then of bytes */
    x = (x & UINT64_C(0x3333333333333333)) + ((x >> 2) & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)((x * UINT64_C(0x0101010101010101)) >> 56);
}
#else
mic_inline unsigned mic_bit_count(uint64_t x) { return (unsigned)__builtin_popcountll(x); }
#endif

mic_inline bool mic_is_power_of_two(size_t x) { return x != 0 && (x & (x - 1)) == 0; }

/* a must be a power of two; the caller made sure that x + a does not overflow */
mic_inline size_t mic_align_up(size_t x, size_t a) { return (x + a - 1) & ~(a - 1); }
mic_inline size_t mic_align_down(size_t x, size_t a) { return x & ~(a - 1); }
mic_inline size_t mic_divide_up(size_t x, size_t d) { return (x + d - 1) / d; }
mic_inline size_t mic_min(size_t a, size_t b) { return a < b ? a : b; }
mic_inline size_t mic_max(size_t a, size_t b) { return a > b ? a : b; }

/* true on overflow */
mic_inline bool mic_mul_overflow(size_t a, size_t b, size_t *product)
{
    return __builtin_mul_overflow(a, b, product);
}

/* n consecutive set bits starting at bit `at`; n in 1..64, at + n <= 64 */
mic_inline uint64_t mic_bit_mask(unsigned at, unsigned n)
{
    return (~(uint64_t)0 >> (64 - n)) << at;
}

/* The upper half of a product with a word in memory; *low: the lower one. Compilers load a word
   that is looked at twice, and copy the halves. */
mic_inline uint64_t mic_multiply_by(uint64_t a, const uint64_t *b, uint64_t *low)
{
#if defined(__x86_64__)
    uint64_t high;
    __asm__("mulq %3" : "=a"(*low), "=d"(high) : "a"(a), "m"(*b) : "cc");
    return high;
#else
    __extension__ typedef unsigned __int128 product_t;
    const product_t product = (product_t)a * *b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
#endif
}

/* Bit i modulo 64 is cleared; true: it was set. Written down, since compilers make more of it. */
mic_inline bool mic_bit_take(uint64_t *set, size_t i)
{
#if defined(__x86_64__) && defined(__GCC_ASM_FLAG_OUTPUTS__)
    bool was;
    __asm__("btrq %2, %0" : "+r"(*set), "=@ccc"(was) : "r"(i));
    return was;
#else
    const uint64_t bit = (uint64_t)1 << (i & 63);
    const bool was = (*set & bit) != 0;
    *set &= ~bit;
    return was;
#endif
}

#endif
