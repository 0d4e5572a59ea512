/* All heaps of the package. They belong to the process: heaps of every interpreter are listed, and
   a walk over them excludes that one of them ends. The lock is never held while Python code runs,
   nor while waiting for a GIL. */
#include <pthread.h>

#include "core.h"
#include "module.h"

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static mimpy_heap_t *registry_first; /* [lock] */

static void registry_acquire(void) { (void)pthread_mutex_lock(&registry_lock); }
static void registry_release(void) { (void)pthread_mutex_unlock(&registry_lock); }

static void registry_register_fork(void) { mimpy_core_at_fork(registry_acquire, registry_release); }

mi_heap_t *mimpy_registry_open(mimpy_heap_t *heap)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, registry_register_fork);
    registry_acquire();
    heap->heap = mimpy_core->heap_new();
    if (heap->heap != NULL) {
        heap->prev = NULL;
        heap->next = registry_first;
        if (registry_first != NULL) registry_first->prev = heap;
        registry_first = heap;
    }
    registry_release();
    return heap->heap;
}

void mimpy_registry_close(mimpy_heap_t *heap, bool destroy)
{
    registry_acquire();
    if (heap->prev != NULL)
        heap->prev->next = heap->next;
    else
        registry_first = heap->next;
    if (heap->next != NULL) heap->next->prev = heap->prev;
    mi_heap_t *const core = heap->heap;
    heap->heap = NULL;
    if (destroy)
        mimpy_core->heap_destroy(core);
    else
        mimpy_core->heap_delete(core);
    registry_release();
}

typedef struct visit {
    mimpy_visit_heap_t *function;
    void *arg;
} visit_t;

static bool registry_visit_one(mi_heap_t *heap, void *arg)
{
    const visit_t *const visit = arg;
    const char *name = heap == mimpy_core->heap_main() ? "main" : NULL;
    for (const mimpy_heap_t *h = registry_first; h != NULL && name == NULL; h = h->next) {
        if (h->heap == heap) name = h->name;
    }
    return visit->function(heap, name, visit->arg);
}

bool mimpy_registry_visit(mimpy_visit_heap_t *function, void *arg)
{
    visit_t visit = {function, arg};
    registry_acquire();
    const bool whole =
        mimpy_core->subproc_visit_heaps(mimpy_core->subproc_main(), registry_visit_one, &visit);
    registry_release();
    return whole;
}
