/* The functions that random_api calls: one row for each, all called the same way. */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "mimalloc-ext.h"

enum {
    ZERO = 1,    /* the memory is zero; resizing: what is gained */
    ALIGN = 2,   /* takes r->align */
    OFFSET = 4,  /* takes r->offset */
    COUNT = 8,   /* takes r->count and r->unit */
    HEAP = 16,   /* allocates in r->heap, which may be NULL */
    THEAP = 32,  /* allocates in r->theap */
    SMALL = 64,  /* up to MI_SMALL_SIZE_MAX */
    NEW = 128,   /* throws where there is no memory */
    TOLD = 256,  /* stores the size in r->told */
    PAGE = 512,  /* aligned to OS pages */
    TEXT = 1024, /* a string of r->bytes with its NUL */
    WIDE = 2048, /* of wchar_t */
    NO_ERRNO = 4096,
    FREES = 8192,  /* the old block when it fails */
    NOT_0 = 16384, /* 0 bytes are something else there */
};

typedef struct request {
    size_t bytes, count, unit; /* bytes = count * unit, where a program could multiply them */
    size_t align, offset;
    mi_heap_t *heap;
    mi_theap_t *theap;
    void *p; /* the old block */
    size_t told;
    const char *text;
    const wchar_t *wide;
} request_t;

typedef struct function {
    const char *name;
    unsigned flags;
    void *(*call)(request_t *r);
} function_t;

extern const function_t alloc_functions[], resize_functions[];
extern const size_t alloc_count, resize_count;

/* It has rules of its own for alignments that are none. */
bool is_posix_memalign(const function_t *f);

#endif
