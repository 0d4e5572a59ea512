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

/*   |63 ... 1|0|
     | holder |W|   holder = mic_thread_self(), 0 if free; W = somebody waits */
#define LOCK_WAITED ((uint64_t)1)
_Static_assert(_Alignof(mic_tls_t) > 1, "a thread's identity has room for the mark");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lower half, which has it, is first");

static uint32_t *lock_half(mic_lock_t *lock) { return (uint32_t *)(void *)&lock->word; }

static bool lock_is_mine(const mic_lock_t *lock)
{
    return (mic_load_relaxed(&lock->word) & ~LOCK_WAITED) == mic_thread_self();
}

static void lock_wait(mic_lock_t *lock)
{
    uint64_t seen = mic_load_relaxed(&lock->word);
    /* with the mark: others may have gone to sleep before */
    while (seen != 0 || !mic_cas_acquire(&lock->word, &seen, mic_thread_self() | LOCK_WAITED)) {
        const uint64_t marked = seen | LOCK_WAITED;
        if (seen == marked || mic_cas_acquire(&lock->word, &seen, marked)) {
            mic_os_wait(lock_half(lock), (uint32_t)marked);
            seen = mic_load_relaxed(&lock->word);
        }
    }
}

static bool lock_try(mic_lock_t *lock)
{
    uint64_t seen = 0;
    return mic_cas_acquire(&lock->word, &seen, mic_thread_self());
}

static void lock_acquire(mic_lock_t *lock)
{
    if (lock_try(lock)) return;
    for (int spin = 0; spin < 100 && mic_load_relaxed(&lock->word) != 0; spin++) mic_cpu_relax();
    if (!lock_try(lock)) lock_wait(lock);
}

static void lock_release(mic_lock_t *lock)
{
    if ((mic_exchange_release(&lock->word, 0) & LOCK_WAITED) != 0) mic_os_wake_one(lock_half(lock));
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
    lock_acquire(first);
    for (mic_lock_t *has = first, *wants = second; !lock_try(wants);) {
        /* waits for the one that is taken, asleep: who holds it may be a thread that runs only when
           this one does not */
        lock_release(has);
        lock_acquire(wants);
        mic_lock_t *const other = has;
        has = wants;
        wants = other;
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

static mic_atomic(uintptr_t) lock_looker; /* [atomic] who is in mic_lock_holds_any; 0: nobody */
static bool lock_found;                   /* [who looks] */

void mic_lock_acquire_for_fork(mic_lock_t *lock)
{
    if (mic_load_relaxed(&lock_looker) != mic_thread_self())
        lock_acquire(lock);
    else if (lock_is_mine(lock))
        lock_found = true;
}

bool mic_lock_holds_any(void (*all)(void))
{
    uintptr_t other = 0;
    while (!mic_cas_acquire(&lock_looker, &other, mic_thread_self())) {
        if (other == mic_thread_self()) return true; /* interrupted while it was here */
        other = 0;
        mic_os_yield();
    }
    lock_found = false;
    all();
    const bool found = lock_found;
    (void)mic_exchange_release(&lock_looker, 0);
    return found;
}

void mic_lock_forget_look(void) { mic_store_relaxed(&lock_looker, 0); }

bool mic_lock_try(mic_lock_t *lock)
{
    if (mic_lock_passes()) return true;
    if (!lock_try(lock)) return false;
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
