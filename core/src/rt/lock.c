/* Futex locks; see lock.h. Any thread. */
#include "rt/lock.h"

#include "base/check.h"
#include "os/os.h"
#include "os/tls.h"

/* [atomic] the thread that is between fork's prepare and release; 0 almost always */
static mic_atomic(uintptr_t) lock_passer;

/* ranks held by this thread, one bit each (debug) */
static mic_thread_local uint32_t lock_held;

uintptr_t mic_thread_self(void) { return (uintptr_t)&mic_tls; }

bool mic_lock_passes(void)
{
    const uintptr_t passer = mic_load_relaxed(&lock_passer);
    return mic_unlikely(passer != 0) && passer == mic_thread_self();
}

static void lock_note_taken(const mic_lock_t *lock)
{
    if (!CFG_DEBUG) return;
    mic_assert(lock_held >> lock->rank == 0 && "lock rank order");
    lock_held |= (uint32_t)1 << lock->rank;
}

static void lock_acquire(mic_lock_t *lock)
{
    uint32_t seen = 0;
    if (!mic_cas_acquire(&lock->word, &seen, 1)) {
        for (int spin = 0; spin < 100 && seen != 0; spin++) {
            mic_cpu_relax();
            seen = mic_load_relaxed(&lock->word);
        }
        while (mic_exchange_acquire(&lock->word, 2) != 0)
            mic_os_wait((uint32_t *)(void *)&lock->word, 2);
    }
}

static void lock_release(mic_lock_t *lock)
{
    if (mic_exchange_release(&lock->word, 0) == 2) mic_os_wake_one((uint32_t *)(void *)&lock->word);
}

void mic_lock_acquire(mic_lock_t *lock)
{
    if (mic_lock_passes()) return;
    lock_acquire(lock);
    lock_note_taken(lock);
}

void mic_lock_acquire_pair(mic_lock_t *first, mic_lock_t *second)
{
    if (mic_lock_passes()) return;
    for (;;) {
        uint32_t seen = 0;
        lock_acquire(first);
        if (mic_cas_acquire(&second->word, &seen, 1)) break;
        lock_release(first);
        mic_os_yield();
    }
    lock_note_taken(first);
}

void mic_lock_release_pair(mic_lock_t *first, mic_lock_t *second)
{
    if (mic_lock_passes()) return;
    lock_release(second);
    if (CFG_DEBUG) lock_held &= ~((uint32_t)1 << first->rank);
    lock_release(first);
}

void mic_lock_acquire_for_fork(mic_lock_t *lock) { lock_acquire(lock); }

bool mic_lock_try(mic_lock_t *lock)
{
    if (mic_lock_passes()) return true;
    uint32_t seen = 0;
    if (!mic_cas_acquire(&lock->word, &seen, 1)) return false;
    lock_note_taken(lock);
    return true;
}

void mic_lock_release(mic_lock_t *lock)
{
    if (mic_lock_passes()) return;
    if (CFG_DEBUG) lock_held &= ~((uint32_t)1 << lock->rank);
    lock_release(lock);
}

void mic_lock_pass_begin(void) { mic_store_relaxed(&lock_passer, mic_thread_self()); }

void mic_lock_pass_end(void) { mic_store_relaxed(&lock_passer, 0); }

void mic_lock_reset(mic_lock_t *lock)
{
    mic_store_relaxed(&lock->word, 0);
    if (CFG_DEBUG) lock_held &= ~((uint32_t)1 << lock->rank);
}
