/* One thread walks at random through what a thread heap can do, with whole-structure checks after
   every step that reached a slow path, and a second thread that frees some of the blocks. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc/alloc.h"
#include "base/check.h"
#include "heap/thread.h"
#include "mimalloc.h"
#include "stress.h"

#define SLOTS 3000

typedef struct slot {
    void *block;
    size_t bytes;
    uint64_t mark;
} slot_t;

static slot_t slots[SLOTS];
static _Atomic(void *) mailbox[256];
static atomic_bool stop;

static void *other(void *arg)
{
    stress_random_t r = stress_random(99);
    while (!atomic_load(&stop)) mi_free(atomic_exchange(&mailbox[stress_below(&r, 256)], NULL));
    return arg;
}

static void check(void)
{
    mic_record_t *const record = mic_tls.record;
    mic_lock_acquire(&record->lock);
    const bool ok = mic_theap_is_valid(&record->theap);
    mic_lock_release(&record->lock);
    stress_require(ok);
}

int main(void)
{
    stress_begin("state_machine");
    stress_limit_seconds(1800);
    mic_deep_enabled = true;
    stress_random_t r = stress_random(1);
    pthread_t t;
    mi_free(mi_malloc(1));
    stress_require(pthread_create(&t, NULL, other, NULL) == 0);
    const size_t steps = stress_scaled(2000000, 10000);
    uint64_t heartbeat = 0;
    size_t checks = 0, phase = 50;
    for (size_t step = 0; step < steps; step++) {
        if (step % 4096 == 0) phase = 20 + stress_below(&r, 60); /* fills up, empties, steady */
        slot_t *const s = &slots[stress_below(&r, SLOTS)];
        if (stress_below(&r, 100) < phase) {
            if (s->block != NULL) continue;
            s->bytes = stress_size(&r, stress_below(&r, 20) == 0 ? 3000000 : 20000);
            s->mark = stress_next(&r);
            s->block = mi_malloc(s->bytes);
            stress_require(s->block != NULL);
            stress_fill(s->block, s->bytes, s->mark);
        } else if (s->block != NULL) {
            stress_check(s->block, s->bytes, s->mark);
            if (stress_below(&r, 4) == 0)
                mi_free(atomic_exchange(&mailbox[stress_below(&r, 256)], s->block));
            else
                mi_free(s->block);
            s->block = NULL;
        }
        const uint64_t dice = stress_below(&r, 20000);
        if (dice == 0) mi_collect(false);
        if (dice == 1) mi_collect(true);
        if (dice == 2) mi_thread_done(); /* and attached again by the next allocation */
        if (!mic_thread_is_ready()) mi_free(mi_malloc(1));
        mic_record_t *const record = mic_tls.record;
        if (record->heartbeat != heartbeat || dice < 20) {
            heartbeat = record->heartbeat;
            if (step % 16 == 0 || dice < 20) {
                check();
                checks++;
            }
        }
    }
    atomic_store(&stop, true);
    pthread_join(t, NULL);
    for (size_t i = 0; i < SLOTS; i++) mi_free(slots[i].block);
    for (size_t i = 0; i < 256; i++) mi_free(atomic_load(&mailbox[i]));
    mi_collect(true);
    check();
    const uint64_t left = mic_load_relaxed(&mic_vm_counts.used_slices);
    printf("%zu steps, %zu checks, %llu slices left, %.1f s\n", steps, checks,
           (unsigned long long)left, stress_seconds());
    stress_require(left <= 8);
    return 0;
}
