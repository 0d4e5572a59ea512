/* The second back end of base/atomic.h: every access of a shared word becomes a call of the
   explorer, which decides what a load may read and who runs next. The words keep their declared
   type but are only addresses to the explorer; see engine.h. */
#ifndef MODEL_ATOMIC_H
#define MODEL_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    MODEL_RELAXED,
    MODEL_ACQUIRE,
    MODEL_RELEASE,
    MODEL_ACQ_REL,
    MODEL_SEQ_CST
} model_order;
typedef enum { MODEL_EXCHANGE, MODEL_OR, MODEL_AND, MODEL_ADD } model_rmw_kind;

uint64_t model_load(const volatile void *p, size_t bytes, model_order order);
void model_store(volatile void *p, size_t bytes, uint64_t value, model_order order);
uint64_t model_rmw(volatile void *p, size_t bytes, model_rmw_kind kind, uint64_t operand,
                   model_order order);
bool model_cas(volatile void *p, size_t bytes, uint64_t *expected, uint64_t value,
               model_order order);

#define model_load_(p, o) model_load((p), sizeof(*(p)), (o))
#define model_store_(p, v, o) model_store((p), sizeof(*(p)), (uint64_t)(v), (o))
#define model_rmw_(p, k, v, o) model_rmw((p), sizeof(*(p)), (k), (uint64_t)(v), (o))
#define model_cas_(p, e, v, o)                                                                     \
    __extension__({                                                                                \
        uint64_t expected_ = (uint64_t) * (e);                                                     \
        const bool done_ = model_cas((p), sizeof(*(p)), &expected_, (uint64_t)(v), (o));           \
        *(e) = (__typeof__(*(e)))expected_;                                                        \
        done_;                                                                                     \
    })

#define mic_load_relaxed(p) model_load_(p, MODEL_RELAXED)
#define mic_load_acquire(p) model_load_(p, MODEL_ACQUIRE)
#define mic_load_seqcst(p) model_load_(p, MODEL_SEQ_CST)
#define mic_store_relaxed(p, v) model_store_(p, v, MODEL_RELAXED)
#define mic_store_release(p, v) model_store_(p, v, MODEL_RELEASE)
#define mic_store_seqcst(p, v) model_store_(p, v, MODEL_SEQ_CST)
#define mic_exchange_relaxed(p, v) model_rmw_(p, MODEL_EXCHANGE, v, MODEL_RELAXED)
#define mic_exchange_acquire(p, v) model_rmw_(p, MODEL_EXCHANGE, v, MODEL_ACQUIRE)
#define mic_exchange_release(p, v) model_rmw_(p, MODEL_EXCHANGE, v, MODEL_RELEASE)
#define mic_exchange_acqrel(p, v) model_rmw_(p, MODEL_EXCHANGE, v, MODEL_ACQ_REL)
#define mic_exchange_seqcst(p, v) model_rmw_(p, MODEL_EXCHANGE, v, MODEL_SEQ_CST)
#define mic_fetch_or_relaxed(p, v) model_rmw_(p, MODEL_OR, v, MODEL_RELAXED)
#define mic_fetch_or_release(p, v) model_rmw_(p, MODEL_OR, v, MODEL_RELEASE)
#define mic_fetch_or_acqrel(p, v) model_rmw_(p, MODEL_OR, v, MODEL_ACQ_REL)
#define mic_fetch_or_seqcst(p, v) model_rmw_(p, MODEL_OR, v, MODEL_SEQ_CST)
#define mic_fetch_and_acquire(p, v) model_rmw_(p, MODEL_AND, v, MODEL_ACQUIRE)
#define mic_fetch_and_release(p, v) model_rmw_(p, MODEL_AND, v, MODEL_RELEASE)
#define mic_fetch_and_relaxed(p, v) model_rmw_(p, MODEL_AND, v, MODEL_RELAXED)
#define mic_fetch_add_relaxed(p, v) model_rmw_(p, MODEL_ADD, v, MODEL_RELAXED)
#define mic_fetch_sub_relaxed(p, v) model_rmw_(p, MODEL_ADD, -(uint64_t)(v), MODEL_RELAXED)
#define mic_fetch_add_seqcst(p, v) model_rmw_(p, MODEL_ADD, v, MODEL_SEQ_CST)
#define mic_cas_relaxed(p, e, v) model_cas_(p, e, v, MODEL_RELAXED)
#define mic_cas_acquire(p, e, v) model_cas_(p, e, v, MODEL_ACQUIRE)
#define mic_cas_release(p, e, v) model_cas_(p, e, v, MODEL_RELEASE)
#define mic_cas_acqrel(p, e, v) model_cas_(p, e, v, MODEL_ACQ_REL)

#endif
