/* Choosing the instance of the allocator: see core.h. */
#define _GNU_SOURCE
#include "core.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUNDLED_MEMBER(name) .name = mi_##name,
static const mimpy_core_t core_bundled = {MIMPY_CORE_FUNCTIONS(BUNDLED_MEMBER)};

static mimpy_core_t core_shared;
static bool core_replaces_malloc;
static char core_file[4096];

const mimpy_core_t *mimpy_core = &core_bundled;
const mimpy_data_t *mimpy_data = &mimpy_data_own;

static void *data_malloc(size_t size) { return core_shared.malloc_aligned(size, MIMPY_DATA_ALIGN); }

static void *data_calloc(size_t count, size_t size)
{
    return core_shared.calloc_aligned(count, size, MIMPY_DATA_ALIGN);
}

static bool data_free_if_owned(void *p) { return core_shared.free_if_owned(p); }

const mimpy_data_t mimpy_data_shared = {data_malloc, data_calloc, data_free_if_owned};

static bool core_find(const char *name, void *function, size_t size)
{
    void *const found = dlsym(RTLD_DEFAULT, name);
    if (found == NULL) return false;
    memcpy(function, &found, size); /* ISO C has no cast from an object to a function */
    return true;
}

static void core_find_file(const void *function_pointer)
{
    void *address;
    memcpy(&address, function_pointer, sizeof address);
    Dl_info info;
    if (dladdr(address, &info) == 0 || info.dli_fname == NULL) return;
    strncpy(core_file, info.dli_fname, sizeof core_file - 1);
}

/* Asked with a block, not by addresses: a program that is not position-independent has its own idea
   of malloc's. */
static bool core_is_malloc(void)
{
    void *const p = malloc(1);
    const bool ours = core_shared.is_in_heap_region(p);
    free(p);
    return ours;
}

/* The extension's own symbols are hidden, so what is found is somebody else's. Another version is
   left alone: two instances get along, each knows exactly which blocks are its own. */
static bool core_find_shared(void)
{
#define FIND(name)                                                                                 \
    if (!core_find("mi_" #name, &core_shared.name, sizeof core_shared.name)) return false;
    MIMPY_CORE_FUNCTIONS(FIND)
    return core_shared.version() == MI_MALLOC_VERSION;
}

static void core_choose_once(void)
{
    if (core_find_shared()) {
        mimpy_core = &core_shared;
        mimpy_data = &mimpy_data_shared;
        core_replaces_malloc = core_is_malloc();
        core_bundled.option_set(mi_option_show_stats, 0); /* there is nothing to tell */
    }
    core_find_file(&mimpy_core->malloc);
}

void mimpy_core_choose(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, core_choose_once);
}

void mimpy_core_at_fork(void (*take)(void), void (*release)(void))
{
    mimpy_core->free(mimpy_core->malloc(1)); /* it has registered its handlers after this */
    (void)pthread_atfork(take, release, release);
}

bool mimpy_core_is_shared(void) { return mimpy_core == &core_shared; }

bool mimpy_core_is_malloc(void) { return core_replaces_malloc; }

const char *mimpy_core_path(void) { return core_file; }
