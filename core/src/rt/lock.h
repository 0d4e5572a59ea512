/* Ranked locks. A word: 0 free, else who holds it, and whether somebody waits. Uncontended: one
   compare-and-swap and one exchange.

   Rank order (a thread takes only higher ranks than it holds; debug builds check it):
       sub-processes < heaps < record list < late < thread record < pool < held <
       purge < arena < meta < report

   Fork: the forking thread takes every lock in its prepare handler and from then until release
   passes all of them, since a handler registered before ours runs after it and may allocate. A
   thread that holds a lock then forks from the handler of a signal, and takes none. */
#ifndef MIC_RT_LOCK_H
#define MIC_RT_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

typedef enum mic_lock_rank {
    MIC_RANK_SUBPROCS = 1,
    MIC_RANK_HEAPS,
    MIC_RANK_RECORDS,
    MIC_RANK_LATE,
    MIC_RANK_RECORD,
    MIC_RANK_POOL,
    MIC_RANK_HELD,
    MIC_RANK_PURGE,
    MIC_RANK_ARENA,
    MIC_RANK_META,
    MIC_RANK_REPORT
} mic_lock_rank_t;

typedef struct mic_lock {
    mic_atomic(uint64_t) word; /* [atomic: acquire / release] mic_thread_self() | waited for */
    uint32_t rank;             /* [const] */
} mic_lock_t;

#define MIC_LOCK_INIT(r)                                                                           \
    {                                                                                              \
        0, (r)                                                                                     \
    }

void mic_lock_acquire(mic_lock_t *lock);
bool mic_lock_try(mic_lock_t *lock);
void mic_lock_release(mic_lock_t *lock);

/* identity of the calling thread for as long as it runs; never 0 */
uintptr_t mic_thread_self(void);

/* Two locks of one rank, without an order between them: the thread waits for one only while it has
   not got the other. */
void mic_lock_acquire_pair(mic_lock_t *first, mic_lock_t *second);
void mic_lock_release_pair(mic_lock_t *first, mic_lock_t *second);

/* prepare takes all locks of a rank, one after the other in a fixed order */
void mic_lock_acquire_for_fork(mic_lock_t *lock);
/* The calling thread holds a lock: the handler of a signal interrupted it. `all` is what prepare
   calls, which takes every lock by mic_lock_acquire_for_fork; here each is only looked at. */
bool mic_lock_holds_any(void (*all)(void));
/* child: another thread may have been in the middle of that */
void mic_lock_forget_look(void);
/* From prepare (after all locks were taken) to parent/child (before they are released): the
   calling thread passes every lock. */
void mic_lock_pass_begin(void);
void mic_lock_pass_end(void);
/* The calling thread is between the two: it has every lock, and others wait for it. */
bool mic_lock_passes(void);
/* child: a lock that another thread held when it was copied is free again */
void mic_lock_reset(mic_lock_t *lock);
/* parent or child: the lock that prepare took */
mic_inline void mic_lock_release_after_fork(mic_lock_t *lock, bool child)
{
    if (child)
        mic_lock_reset(lock);
    else
        mic_lock_release(lock);
}

#endif
