/*
 * minimise: two-level minimisation of random logic functions. Each is complemented, its cubes are
 * expanded against the complement, and redundant cubes are dropped.
 *
 * Stands for optimisers and solvers: arrays of bit sets of very different lengths, made by
 * recursion, read a few times and dropped a moment later.
 */
#include "common.h"

enum { VARIABLES = 20, SAMPLES = 2000 };

/*
 * A cube has two bits for each variable (bit 0: it may be 0, bit 1: it may be 1), so a full cube is
 * all ones and an empty one has 00 somewhere. A cover is a union of cubes.
 */
typedef uint64_t cube;

#define FULL (((cube)1 << (2 * VARIABLES)) - 1)
#define LOW_BITS (UINT64_C(0x5555555555555555) & FULL)

typedef struct {
    size_t count;
    size_t capacity;
    cube cubes[];
} cover;

static cover *cover_new(size_t capacity)
{
    if (capacity < 2) capacity = 2;
    cover *c = bench_need(malloc(sizeof(cover) + capacity * sizeof(cube)));
    c->count = 0;
    c->capacity = capacity;
    return c;
}

static cover *cover_add(cover *c, cube x)
{
    if (c->count == c->capacity) {
        c->capacity += c->capacity / 2 + 1;
        c = bench_need(realloc(c, sizeof(cover) + c->capacity * sizeof(cube)));
    }
    c->cubes[c->count++] = x;
    return c;
}

static bool cube_is_empty(cube x) { return ((x | x >> 1) & LOW_BITS) != LOW_BITS; }

static bool cube_contains(cube outer, cube inner) { return (inner & ~outer) == 0; }

static cube literal(unsigned variable, unsigned value) { return (cube)1 << (2 * variable + value); }

/* What is left of the cover inside of `space`, with the variables that `space` fixes made free. */
static cover *cover_cofactor(const cover *c, cube space)
{
    cover *result = cover_new(c->count);
    for (size_t i = 0; i < c->count; i++)
        if (!cube_is_empty(c->cubes[i] & space))
            result = cover_add(result, c->cubes[i] | (FULL & ~space));
    return result;
}

/* The variable that most cubes need in both ways, or in either way where none is needed in both. */
static unsigned split_variable(const cover *c, bool *is_binate)
{
    unsigned best = 0, best_score = 0;
    *is_binate = false;
    for (unsigned v = 0; v < VARIABLES; v++) {
        unsigned zeros = 0, ones = 0;
        for (size_t i = 0; i < c->count; i++) {
            zeros += (c->cubes[i] & literal(v, 1)) == 0;
            ones += (c->cubes[i] & literal(v, 0)) == 0;
        }
        bool binate = zeros > 0 && ones > 0;
        unsigned score = zeros + ones;
        if ((binate && !*is_binate) || (binate == *is_binate && score > best_score)) {
            best = v;
            best_score = score;
            *is_binate = binate;
        }
    }
    return best;
}

static bool cover_has_full(const cover *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->cubes[i] == FULL) return true;
    return false;
}

static bool cover_is_tautology(const cover *c)
{
    if (cover_has_full(c)) return true;
    bool is_binate;
    unsigned v = split_variable(c, &is_binate);
    if (c->count == 0 || !is_binate) return false; /* a unate cover without a full cube */
    bool holds = true;
    for (unsigned value = 0; value < 2 && holds; value++) {
        cover *half = cover_cofactor(c, FULL & ~literal(v, 1 - value));
        holds = cover_is_tautology(half);
        free(half);
    }
    return holds;
}

/* Drops every cube that lies in another one. */
static void cover_drop_contained(cover *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        bool inside = false;
        for (size_t j = 0; j < c->count && !inside; j++) {
            bool first_of_equals = c->cubes[i] == c->cubes[j] && i < j;
            inside = i != j && cube_contains(c->cubes[j], c->cubes[i]) && !first_of_equals;
        }
        if (!inside)
            c->cubes[kept++] = c->cubes[i];
        else
            c->cubes[i] = 0; /* the empty cube contains nothing */
    }
    c->count = kept;
}

/* De Morgan on one cube. */
static cover *cube_complement(cube x)
{
    cover *result = cover_new(4);
    for (unsigned v = 0; v < VARIABLES; v++)
        for (unsigned value = 0; value < 2; value++)
            if ((x & literal(v, value)) == 0)
                result = cover_add(result, FULL & ~literal(v, 1 - value));
    return result;
}

static cover *cover_complement(const cover *c)
{
    if (c->count == 0) return cover_add(cover_new(1), FULL);
    if (cover_has_full(c)) return cover_new(0);
    if (c->count == 1) return cube_complement(c->cubes[0]);
    bool is_binate;
    unsigned v = split_variable(c, &is_binate);
    cover *halves[2];
    for (unsigned value = 0; value < 2; value++) {
        cover *half = cover_cofactor(c, FULL & ~literal(v, 1 - value));
        halves[value] = cover_complement(half);
        free(half);
    }
    cover *result = cover_new(halves[0]->count + halves[1]->count);
    for (unsigned value = 0; value < 2; value++) {
        for (size_t i = 0; i < halves[value]->count; i++) {
            cube x = halves[value]->cubes[i];
            bool in_both = false;
            for (size_t j = 0; j < halves[1 - value]->count && !in_both; j++)
                in_both = halves[1 - value]->cubes[j] == x;
            if (!in_both) x &= ~literal(v, 1 - value);
            if (!in_both || value == 0) result = cover_add(result, x);
        }
        free(halves[value]);
        if (value == 0) halves[0] = cover_new(0);
    }
    free(halves[0]);
    return result;
}

static bool cover_meets(const cover *c, cube x)
{
    for (size_t i = 0; i < c->count; i++)
        if (!cube_is_empty(c->cubes[i] & x)) return true;
    return false;
}

/* Frees every literal of every cube that can go without meeting the complement. */
static void cover_expand(cover *on, const cover *off)
{
    for (size_t i = 0; i < on->count; i++)
        for (unsigned v = 0; v < VARIABLES; v++) {
            cube wider = on->cubes[i] | literal(v, 0) | literal(v, 1);
            if (wider != on->cubes[i] && !cover_meets(off, wider)) on->cubes[i] = wider;
        }
    cover_drop_contained(on);
}

static cover *cover_without(const cover *c, size_t index)
{
    cover *rest = cover_new(c->count);
    for (size_t i = 0; i < c->count; i++)
        if (i != index) rest = cover_add(rest, c->cubes[i]);
    return rest;
}

/* Drops, one after the other, each cube that the others cover together. */
static cover *cover_irredundant(cover *c)
{
    for (size_t i = c->count; i-- > 0;) {
        cover *rest = cover_without(c, i);
        cover *inside = cover_cofactor(rest, c->cubes[i]);
        bool redundant = cover_is_tautology(inside);
        free(inside);
        free(redundant ? c : rest);
        if (redundant) c = rest;
    }
    return c;
}

static cover *cover_random(bench_rng *rng, size_t count, unsigned literals)
{
    cover *c = cover_new(0);
    for (size_t i = 0; i < count; i++) {
        cube x = FULL;
        for (unsigned n = 0; n < literals; n++) {
            unsigned v = bench_rng_below(rng, VARIABLES);
            cube narrower = x & ~literal(v, bench_rng_below(rng, 2));
            if (!cube_is_empty(narrower)) x = narrower;
        }
        c = cover_add(c, x);
    }
    return c;
}

/* The function must be the same before and after, and the complement its opposite. */
static void check_same(const cover *before, const cover *after, const cover *off, bench_rng *rng)
{
    for (unsigned n = 0; n < SAMPLES; n++) {
        cube point = 0;
        for (unsigned v = 0; v < VARIABLES; v++) point |= literal(v, bench_rng_below(rng, 2));
        bool is_on = cover_meets(before, point);
        bench_check(cover_meets(after, point) == is_on && cover_meets(off, point) != is_on);
    }
}

int main(int argc, char **argv)
{
    uint64_t rounds = bench_scaled(36, bench_scale(argc, argv));
    bench_rng rng = bench_rng_seed(7);
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        cover *given = cover_random(&rng, 60 + bench_rng_below(&rng, 30), 6);
        cover *off = cover_complement(given);
        cover *result = cover_cofactor(given, FULL);
        cover_expand(result, off);
        result = cover_irredundant(result);
        check_same(given, result, off, &rng);
        checksum = bench_fold(checksum, (uint64_t)result->count << 32 | off->count);
        for (size_t j = 0; j < result->count; j++)
            checksum = bench_fold(checksum, result->cubes[j]);
        free(given);
        free(off);
        free(result);
    }
    return bench_done(checksum);
}
