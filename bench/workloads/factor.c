/*
 * factor: the prime factors of 2^n - 1 and of Fibonacci numbers, with numbers of arbitrary
 * precision of which every operation returns a new one.
 *
 * Stands for interpreters and computer algebra: nothing but small blocks that live for some
 * hundred nanoseconds. The pure fast path, with a little real work between the calls.
 */
#include "common.h"

/* Little-endian limbs, no leading zero limb: zero has no limbs. Numbers are immutable. */
typedef struct {
    uint32_t count;
    uint32_t limbs[];
} num;

static num *num_new(uint32_t count)
{
    num *n = bench_need(malloc(sizeof(num) + count * sizeof(uint32_t)));
    n->count = count;
    return n;
}

static num *num_trimmed(num *n)
{
    while (n->count > 0 && n->limbs[n->count - 1] == 0) n->count--;
    return n;
}

static num *num_from(uint64_t value)
{
    num *n = num_new(2);
    n->limbs[0] = (uint32_t)value;
    n->limbs[1] = (uint32_t)(value >> 32);
    return num_trimmed(n);
}

static num *num_copy(const num *a)
{
    num *n = num_new(a->count);
    memcpy(n->limbs, a->limbs, a->count * sizeof(uint32_t));
    return n;
}

static int num_compare(const num *a, const num *b)
{
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (uint32_t i = a->count; i-- > 0;)
        if (a->limbs[i] != b->limbs[i]) return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

static bool num_is(const num *a, uint32_t value)
{
    return value == 0 ? a->count == 0 : a->count == 1 && a->limbs[0] == value;
}

static num *num_add(const num *a, const num *b)
{
    if (a->count < b->count) return num_add(b, a);
    num *sum = num_new(a->count + 1);
    uint64_t carry = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        carry += (uint64_t)a->limbs[i] + (i < b->count ? b->limbs[i] : 0);
        sum->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    sum->limbs[a->count] = (uint32_t)carry;
    return num_trimmed(sum);
}

/* a - b; a must not be less than b. */
static num *num_subtract(const num *a, const num *b)
{
    num *difference = num_new(a->count);
    int64_t borrow = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        borrow += (int64_t)a->limbs[i] - (i < b->count ? b->limbs[i] : 0);
        difference->limbs[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    bench_check(borrow == 0);
    return num_trimmed(difference);
}

static num *num_multiply(const num *a, const num *b)
{
    num *product = num_new(a->count + b->count);
    memset(product->limbs, 0, product->count * sizeof(uint32_t));
    for (uint32_t i = 0; i < a->count; i++) {
        uint64_t carry = 0;
        for (uint32_t j = 0; j < b->count; j++) {
            carry += (uint64_t)a->limbs[i] * b->limbs[j] + product->limbs[i + j];
            product->limbs[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        product->limbs[i + b->count] = (uint32_t)carry;
    }
    return num_trimmed(product);
}

static num *num_shifted_left(const num *a, unsigned bits, uint32_t count)
{
    num *shifted = num_new(count);
    uint64_t carry = 0;
    for (uint32_t i = 0; i < count; i++) {
        carry |= (uint64_t)(i < a->count ? a->limbs[i] : 0) << bits;
        shifted->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return shifted;
}

/* Long division by one limb: the quotient; *rest is the remainder. */
static num *num_divide_small(const num *a, uint32_t b, uint32_t *rest)
{
    num *quotient = num_new(a->count);
    uint64_t carry = 0;
    for (uint32_t i = a->count; i-- > 0;) {
        carry = (carry << 32) | a->limbs[i];
        quotient->limbs[i] = (uint32_t)(carry / b);
        carry %= b;
    }
    *rest = (uint32_t)carry;
    return num_trimmed(quotient);
}

/* Subtracts digit * b from a, at limb `at`; adds b back when that was one too much. */
static uint32_t divide_step(num *a, const num *b, uint32_t at, uint32_t digit)
{
    uint64_t carry = 0;
    int64_t borrow = 0;
    for (uint32_t i = 0; i <= b->count; i++) {
        carry += i < b->count ? (uint64_t)digit * b->limbs[i] : 0;
        borrow += (int64_t)a->limbs[at + i] - (int64_t)(uint32_t)carry;
        a->limbs[at + i] = (uint32_t)borrow;
        borrow >>= 32;
        carry >>= 32;
    }
    if (borrow == 0) return digit;
    carry = 0;
    for (uint32_t i = 0; i <= b->count; i++) {
        carry += (uint64_t)a->limbs[at + i] + (i < b->count ? b->limbs[i] : 0);
        a->limbs[at + i] = (uint32_t)carry;
        carry >>= 32;
    }
    return digit - 1;
}

/* Schoolbook division: the quotient; *rest is the remainder, the caller's to free. */
static num *num_divide(const num *a, const num *b, num **rest)
{
    bench_check(b->count > 0);
    if (num_compare(a, b) < 0) {
        *rest = num_copy(a);
        return num_new(0);
    }
    if (b->count == 1) {
        uint32_t small;
        num *quotient = num_divide_small(a, b->limbs[0], &small);
        *rest = num_from(small);
        return quotient;
    }
    unsigned shift = (unsigned)__builtin_clz(b->limbs[b->count - 1]);
    num *top = num_shifted_left(a, shift, a->count + 1);
    num *divisor = num_shifted_left(b, shift, b->count);
    num *quotient = num_new(a->count - b->count + 1);
    uint32_t first = divisor->limbs[b->count - 1];
    uint32_t second = divisor->limbs[b->count - 2];
    for (uint32_t at = quotient->count; at-- > 0;) {
        const uint32_t *head = &top->limbs[at + b->count];
        uint64_t two = ((uint64_t)head[0] << 32) | head[-1];
        uint64_t digit = two / first, left = two % first;
        while (digit >> 32 != 0 || digit * second > ((left << 32) | head[-2])) {
            digit--;
            left += first;
            if (left >> 32 != 0) break;
        }
        quotient->limbs[at] = divide_step(top, divisor, at, (uint32_t)digit);
    }
    num *remainder = num_new(b->count);
    for (uint32_t i = 0; i < b->count; i++) {
        uint64_t pair = ((uint64_t)top->limbs[i + 1] << 32) | top->limbs[i];
        remainder->limbs[i] = (uint32_t)(pair >> shift);
    }
    *rest = num_trimmed(remainder);
    free(top);
    free(divisor);
    return num_trimmed(quotient);
}

static num *num_modulo(const num *a, const num *b)
{
    num *rest;
    free(num_divide(a, b, &rest));
    return rest;
}

static num *num_multiply_modulo(const num *a, const num *b, const num *n)
{
    num *product = num_multiply(a, b);
    num *rest = num_modulo(product, n);
    free(product);
    return rest;
}

static num *num_common_divisor(const num *a, const num *b)
{
    num *x = num_copy(a), *y = num_copy(b);
    while (y->count > 0) {
        num *rest = num_modulo(x, y);
        free(x);
        x = y;
        y = rest;
    }
    free(y);
    return x;
}

/* Fermat's test to base 3: enough here, since the product of what is found is checked anyway. */
static bool num_is_probable_prime(const num *n)
{
    num *one = num_from(1);
    num *exponent = num_subtract(n, one);
    num *power = num_from(1), *base = num_from(3);
    for (uint32_t bit = exponent->count * 32; bit-- > 0;) {
        num *square = num_multiply_modulo(power, power, n);
        free(power);
        power = square;
        if ((exponent->limbs[bit / 32] >> (bit % 32) & 1) != 0) {
            num *next = num_multiply_modulo(power, base, n);
            free(power);
            power = next;
        }
    }
    bool prime = num_is(power, 1);
    free(one);
    free(exponent);
    free(power);
    free(base);
    return prime;
}

static num *rho_step(const num *x, const num *c, const num *n)
{
    num *square = num_multiply(x, x);
    num *sum = num_add(square, c);
    num *rest = num_modulo(sum, n);
    free(square);
    free(sum);
    return rest;
}

/* Pollard's rho with Brent's cycle search: a proper factor, or NULL after `steps` steps. */
static num *rho_factor(const num *n, uint32_t steps)
{
    num *c = num_from(1), *x = num_from(2), *mark = num_from(2), *product = num_from(1);
    num *found = NULL;
    for (uint32_t i = 1, next = 2; i <= steps && found == NULL; i++) {
        num *stepped = rho_step(x, c, n);
        free(x);
        x = stepped;
        num *distance = num_compare(x, mark) < 0 ? num_subtract(mark, x) : num_subtract(x, mark);
        num *folded = num_multiply_modulo(product, distance, n);
        free(distance);
        free(product);
        product = folded;
        if (i % 64 == 0 || product->count == 0) {
            num *divisor = num_common_divisor(n, product);
            if (!num_is(divisor, 1) && num_compare(divisor, n) < 0) found = num_copy(divisor);
            bool lost = num_compare(divisor, n) == 0;
            free(divisor);
            if (lost) break;
        }
        if (i == next) {
            free(mark);
            mark = num_copy(x);
            next *= 2;
        }
    }
    free(c);
    free(x);
    free(mark);
    free(product);
    return found;
}

static uint64_t num_hash(const num *n)
{
    uint64_t hash = n->count;
    for (uint32_t i = 0; i < n->count; i++) hash = bench_fold(hash, n->limbs[i]);
    return hash;
}

/* Factors n, which it frees; checks that the product of the parts is n again. */
static uint64_t factor(num *n)
{
    uint64_t hash = 0;
    num *left = num_copy(n), *product = num_from(1);
    for (uint32_t p = 2; p < 1000; p++) {
        for (;;) {
            uint32_t rest;
            num *quotient = num_divide_small(left, p, &rest);
            if (rest != 0) {
                free(quotient);
                break;
            }
            num *small = num_from(p), *next = num_multiply(product, small);
            free(small);
            free(product);
            product = next;
            free(left);
            left = quotient;
            hash = bench_fold(hash, p);
        }
    }
    while (left->count > 1 && !num_is_probable_prime(left)) {
        num *part = rho_factor(left, 6000);
        if (part == NULL) break;
        num *rest, *quotient = num_divide(left, part, &rest);
        bench_check(rest->count == 0);
        num *next = num_multiply(product, part);
        hash = bench_fold(hash, num_hash(part));
        free(rest);
        free(part);
        free(product);
        product = next;
        free(left);
        left = quotient;
    }
    num *whole = num_multiply(product, left);
    bench_check(num_compare(whole, n) == 0);
    hash = bench_fold(hash, num_hash(left));
    free(whole);
    free(product);
    free(left);
    free(n);
    return hash;
}

static num *mersenne(uint32_t exponent)
{
    num *power = num_new(exponent / 32 + 1), *one = num_from(1);
    memset(power->limbs, 0, power->count * sizeof(uint32_t));
    power->limbs[exponent / 32] = (uint32_t)1 << (exponent % 32);
    num *n = num_subtract(power, one);
    free(power);
    free(one);
    return n;
}

static num *fibonacci(uint32_t index)
{
    num *a = num_from(0), *b = num_from(1);
    for (uint32_t i = 0; i < index; i++) {
        num *next = num_add(a, b);
        free(a);
        a = b;
        b = next;
    }
    free(b);
    return a;
}

int main(int argc, char **argv)
{
    uint64_t rounds = bench_scaled(500, bench_scale(argc, argv));
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        checksum = bench_fold(checksum, factor(mersenne(60 + (uint32_t)i * 7 % 97)));
        checksum = bench_fold(checksum, factor(fibonacci(80 + (uint32_t)i * 11 % 139)));
    }
    return bench_done(checksum);
}
