/* Explorer of small concurrent programs under the C11 memory model without load buffering (RC11).
   Threads are coroutines; at each shared access the engine chooses who runs next and which of the
   values that coherence allows is read. A run is a list of choices, so it can be repeated exactly.

   Memory: for each word the list of its writes in modification order. A thread has a view (the
   newest write of each word that it must not read behind) and a vector clock; a release write
   carries both, an acquire read joins them; an atomic update extends the release sequence of what
   it read. A write may go into the middle of the modification order where coherence and the
   atomicity of updates allow. Sequentially consistent accesses keep RC11's partial order `psc`
   free of cycles; no total order is assumed.

   Plain accesses of files compiled with -fsanitize=thread are checked for data races by the same
   clocks: the engine is the run-time of that instrumentation.

   Not covered: out-of-thin-air and load-buffering behaviour, consume, fences (the code has none). */
#ifndef MODEL_ENGINE_H
#define MODEL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model_atomic.h"

#define MODEL_THREAD_MAX 5 /* number 0 sets up and checks */

typedef struct model_scenario {
    const char *name;
    void (*setup)(void); /* in thread 0, before the others */
    void (*threads[MODEL_THREAD_MAX])(void);
    void (*finish)(void); /* in thread 0, which has seen everything */
} model_scenario;

/* What the bounded search may spend in one run. */
typedef struct model_bounds {
    int preemptions; /* switches away from a thread that could go on */
    int deviations;  /* reads of old values, writes into the middle */
} model_bounds;

/* The property does not hold: prints the run and ends the process with status 1. */
void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define model_check(x, ...) ((x) ? (void)0 : model_fail(__VA_ARGS__))

/* Number of the running thread. */
int model_self(void);
/* Gives an address a name in printed runs. */
void model_name(const volatile void *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Accesses of this word must be ordered by happens-before, as if it were plain. */
void model_exclusive(const volatile void *p);
/* A plain word that is read while it is written, on a processor whose plain stores are seen in
   order (MIC_STORES_IN_ORDER): a write releases, a read acquires, neither is a race. */
void model_in_order(const volatile void *p, size_t bytes);
/* The word's value decides nothing (counters, constants): no other schedules, no old values. */
void model_quiet(const volatile void *p, size_t bytes);
/* Each thread has its own copy, which model_on_switch exchanges. */
void model_private(const volatile void *p, size_t bytes);
extern void (*model_on_switch)(int from, int to);
/* Free choice of 0..n-1, explored like the others. */
int model_choose(int n);
/* A line in printed runs. */
void model_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

void model_lock_acquire(const void *lock, unsigned rank);
/* Two locks of one rank; waits until both are free. */
void model_lock_acquire_pair(const void *first, const void *second, unsigned rank);
bool model_lock_try(const void *lock, unsigned rank);
void model_lock_release(const void *lock);
bool model_lock_is_mine(const void *lock);
/* Address of the lock that was taken for the first time most recently. */
const void *model_lock_latest(void);

/* The searches. Each returns the number of runs, or -1 - runs if the limit ended it. */
long model_search(const model_scenario *scenario, model_bounds bounds, long run_limit,
                  double seconds_limit);
long model_random(const model_scenario *scenario, uint64_t seed, long runs, double seconds_limit);
/* Repeats one run that model_fail printed. */
void model_replay(const model_scenario *scenario, model_bounds bounds, const char *choices);

#endif
