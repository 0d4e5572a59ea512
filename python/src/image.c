/* Telling the functions in a table of CPython's memory domains apart; see image.h. The GIL is held,
   or the interpreter has not started. */
#define _GNU_SOURCE
#include "image.h"

#include <dlfcn.h>
#include <string.h>

#include "core.h"
#include "mimalloc_python.h"

/* As CPython's debug hooks keep what they wrap; their ctx points to one of these. The same in every
   version from 3.6 to 3.14, and checked before it is believed: see image_debug. */
typedef struct debug_api {
    char api_id;
    PyMemAllocatorEx alloc;
} debug_api_t;

static const char debug_ids[MIMPY_DOMAINS] = {'r', 'm', 'o'};

const mimpy_hooks_t *mimpy_hooks_for(const mimpy_look_t *look)
{
    if (look->below_debug != NULL) return &mimpy_hooks_debug;
    return mimpy_core_is_shared() ? &mimpy_hooks_shared : &mimpy_hooks_own;
}

static bool image_same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->malloc == b->malloc && a->calloc == b->calloc && a->realloc == b->realloc &&
           a->free == b->free;
}

/* The file, loaded or linked, that an address lies in. */
static void *image_of(const void *address)
{
    Dl_info info;
    return dladdr(address, &info) == 0 ? NULL : info.dli_fbase;
}

static void *image_of_functions(const PyMemAllocatorEx *table)
{
    void *address[4];
    memcpy(&address[0], &table->malloc, sizeof address[0]);
    memcpy(&address[1], &table->calloc, sizeof address[1]);
    memcpy(&address[2], &table->realloc, sizeof address[2]);
    memcpy(&address[3], &table->free, sizeof address[3]);
    void *const image = image_of(address[0]);
    for (int i = 1; i < 4; i++) {
        if (image_of(address[i]) != image) return NULL;
    }
    return image;
}

static void *image_of_python(void)
{
    void *(*const function)(size_t) = PyMem_Malloc;
    void *address;
    memcpy(&address, &function, sizeof address);
    return image_of(address);
}

static bool image_is_python(const PyMemAllocatorEx *table)
{
    void *const python = image_of_python();
    return python != NULL && image_of_functions(table) == python;
}

static mimpy_found_t image_of_ours(const PyMemAllocatorEx *table)
{
    static const mimpy_hooks_t *const sets[] = {&mimpy_hooks_own, &mimpy_hooks_shared,
                                                &mimpy_hooks_debug};
    for (size_t k = 0; k < sizeof sets / sizeof sets[0]; k++) {
        for (int i = 0; i < MIMPY_DOMAINS; i++) {
            if (image_same(table, &sets[k]->active[i])) return MIMPY_FOUND_ACTIVE;
            if (image_same(table, &sets[k]->passing[i])) return MIMPY_FOUND_PASSING;
        }
    }
    return MIMPY_FOUND_OTHER;
}

/* mimalloc_python_preinit() leaves a block of ours, with a mark, as ctx. */
static bool image_is_preinit(const PyMemAllocatorEx *table)
{
    if (!mimpy_core->is_in_heap_region(table->ctx) ||
        mimpy_core->usable_size(table->ctx) < sizeof(mimalloc_python_state_t))
        return false;
    const mimalloc_python_state_t *const state = table->ctx;
    return memcmp(state->magic, MIMALLOC_PYTHON_MAGIC, sizeof state->magic) == 0;
}

static mimpy_found_t image_find(const PyMemAllocatorEx *table)
{
    const mimpy_found_t ours = image_of_ours(table);
    if (ours != MIMPY_FOUND_OTHER) return ours;
    if (table->ctx != NULL)
        return image_is_preinit(table) ? MIMPY_FOUND_PREINIT : MIMPY_FOUND_OTHER;
    return image_is_python(table) ? MIMPY_FOUND_DEFAULT : MIMPY_FOUND_OTHER;
}

/* CPython's debug hooks: functions of CPython whose ctx is a debug_api of the domain in CPython's
   own data. (tracemalloc's ctx is in CPython's data too, and starts with a ctx: 0 or an address,
   whose lowest byte could be a letter; but the functions that follow would not be where they are.) */
static PyMemAllocatorEx *image_debug(PyMemAllocatorDomain domain, const PyMemAllocatorEx *table)
{
    if (table->ctx == NULL || !image_is_python(table) || image_of(table->ctx) != image_of_python())
        return NULL;
    debug_api_t *const api = table->ctx;
    if (api->api_id != debug_ids[domain] || image_find(&api->alloc) == MIMPY_FOUND_OTHER)
        return NULL;
    return &api->alloc;
}

void mimpy_look_at(PyMemAllocatorDomain domain, mimpy_look_t *look)
{
    PyMem_GetAllocator(domain, &look->table);
    look->below_debug = image_debug(domain, &look->table);
    if (look->below_debug != NULL) look->table = *look->below_debug;
    look->found = image_find(&look->table);
}
