/* Several threads resize, align, shrink, grow and swap blocks with each other; every block knows
   its contents, before and after each step. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "mimalloc.h"
#include "stress.h"

#define THREADS 4
#define SLOTS 200

typedef struct entry {
    void *block;
    size_t bytes;
    uint64_t mark;
    size_t alignment, offset; /* 0: none */
} entry_t;

static _Atomic(entry_t *) shared[64];
static size_t steps;

static size_t pick_alignment(stress_random_t *r)
{
    return (size_t)1 << stress_below(r, stress_below(r, 20) == 0 ? 24 : 14);
}

static void make(entry_t *e, stress_random_t *r)
{
    e->bytes = stress_size(r, stress_below(r, 10) == 0 ? 6000000 : 300000);
    e->mark = stress_next(r);
    e->alignment = e->offset = 0;
    switch (stress_below(r, 5)) {
    case 0:
        e->alignment = pick_alignment(r);
        e->block = mi_malloc_aligned(e->bytes, e->alignment);
        break;
    case 1:
        e->alignment = pick_alignment(r);
        e->offset = stress_below(r, e->bytes + 1);
        e->block = mi_malloc_aligned_at(e->bytes, e->alignment, e->offset);
        break;
    case 2: {
        unsigned char *const p = e->block = mi_zalloc(e->bytes);
        stress_require(p != NULL);
        for (size_t i = 0; i < e->bytes; i += i < 4096 ? 1 : 509) stress_require(p[i] == 0);
        stress_require(e->bytes == 0 || p[e->bytes - 1] == 0);
        break;
    }
    default:
        e->block = mi_malloc(e->bytes);
    }
    stress_require(e->block != NULL);
    if (e->alignment != 0)
        stress_require((((uintptr_t)e->block + e->offset) & (e->alignment - 1)) == 0);
    stress_require(mi_usable_size(e->block) >= e->bytes);
    stress_fill(e->block, e->bytes, e->mark);
}

static void resize(entry_t *e, stress_random_t *r)
{
    const size_t old = e->bytes;
    size_t bytes;
    switch (stress_below(r, 4)) {
    case 0:
        bytes = stress_size(r, 6000000);
        break;
    case 1:
        bytes = old + stress_below(r, old + 2);
        break; /* grows */
    case 2:
        bytes = stress_below(r, old + 1);
        break;
    default:
        bytes = old + 1;
    }
    if (bytes > 40000000) bytes = 1000;
    stress_check(e->block, old, e->mark);
    const bool aligned = e->alignment != 0 && stress_below(r, 2) == 0;
    void *const p = aligned ? mi_realloc_aligned_at(e->block, bytes, e->alignment, e->offset)
                            : mi_realloc(e->block, bytes);
    stress_require(p != NULL);
    if (aligned)
        stress_require((((uintptr_t)p + e->offset) & (e->alignment - 1)) == 0);
    else
        e->alignment = 0;
    e->block = p;
    e->bytes = bytes;
    /* the mark on the last byte was written for the old length */
    const size_t kept = old < bytes ? old : bytes;
    if (kept > 0) stress_check_kept(p, kept + 1, kept - (old <= bytes), e->mark);
    stress_fill(p, bytes, e->mark);
}

static void drop(entry_t *e)
{
    if (e->block == NULL) return;
    stress_check(e->block, e->bytes, e->mark);
    mi_free(e->block);
    e->block = NULL;
}

static void *worker(void *arg)
{
    stress_random_t r = stress_random((uint64_t)(uintptr_t)arg);
    entry_t *own[SLOTS];
    for (size_t i = 0; i < SLOTS; i++) own[i] = mi_zalloc(sizeof(entry_t));
    for (size_t step = 0; step < steps; step++) {
        entry_t **const slot = &own[stress_below(&r, SLOTS)];
        entry_t *const e = *slot;
        const uint64_t dice = stress_below(&r, 100);
        if (e->block == NULL) {
            make(e, &r);
        } else if (dice < 45) {
            resize(e, &r);
        } else if (dice < 75) {
            drop(e);
        } else if (dice < 98) {
            entry_t *const other = atomic_exchange(&shared[stress_below(&r, 64)], e);
            *slot = other != NULL ? other : mi_zalloc(sizeof(entry_t));
        } else if (dice == 98) {
            mi_collect(stress_below(&r, 5) == 0);
        }
    }
    for (size_t i = 0; i < SLOTS; i++) {
        drop(own[i]);
        mi_free(own[i]);
    }
    return NULL;
}

int main(void)
{
    stress_begin("resize_mix");
    stress_limit_seconds(1800);
    steps = stress_scaled(600000, 2000);
    for (uintptr_t round = 0; round < 2; round++) {
        pthread_t t[THREADS];
        for (uintptr_t i = 0; i < THREADS; i++)
            stress_require(pthread_create(&t[i], NULL, worker, (void *)(i + 10 * round)) == 0);
        for (size_t i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    }
    for (size_t i = 0; i < 64; i++) {
        entry_t *const e = atomic_load(&shared[i]);
        if (e == NULL) continue;
        drop(e);
        mi_free(e);
    }
    printf("%zu steps each, %.1f s, resident %zu KiB\n", steps, stress_seconds(), stress_rss_kib());
    return 0;
}
