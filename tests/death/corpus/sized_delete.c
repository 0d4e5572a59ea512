/* Sized and aligned deletion with the wrong size, as when an object is deleted through the wrong
   type. Harm: the block is given to requests of the other size, over a live neighbour. The names
   are those of the C++ interface, which the allocator must export. */
#include "corpus.h"

void *death_new(size_t bytes) __asm__("_Znwm");
void *death_new_aligned(size_t bytes, size_t alignment) __asm__("_ZnwmSt11align_val_t");
void death_delete_sized(void *p, size_t bytes) __asm__("_ZdlPvm");
void death_delete_array_sized(void *p, size_t bytes) __asm__("_ZdaPvm");
void death_delete_aligned(void *p, size_t bytes,
                          size_t alignment) __asm__("_ZdlPvmSt11align_val_t");
void free_sized(void *p, size_t bytes);
void free_aligned_sized(void *p, size_t alignment, size_t bytes);
void mi_free_size(void *p, size_t bytes);
#pragma weak death_new
#pragma weak death_new_aligned
#pragma weak death_delete_sized
#pragma weak death_delete_array_sized
#pragma weak death_delete_aligned
#pragma weak free_sized
#pragma weak free_aligned_sized
#pragma weak mi_free_size

typedef struct deletion {
    void *p;
    void (*with)(void *p, size_t bytes);
    size_t bytes;
} deletion_t;

static void delete_it(void *arg)
{
    const deletion_t *const d = arg;
    d->with(d->p, d->bytes);
}

static void go_wrong(const death_case_t *c, void (*with)(void *, size_t), size_t wrong)
{
    if (with == NULL) death_skip("no such function");
    deletion_t d = {death_block(c->kind, c->path), with, wrong};
    death_misuse(d.p);
    if (c->path == REMOTE)
        death_in_thread(delete_it, &d);
    else
        delete_it(&d);
    death_after();
    death_spray(c->path, death_many(c->kind) / 2, death_bytes[c->kind]);
    if (wrong > 0) death_spray(c->path, wrong > 100000 ? 8 : 100, wrong);
}

/* detail: the wrong size */
static void by_delete(const death_case_t *c) { go_wrong(c, death_delete_sized, (size_t)c->detail); }

static void by_delete_array(const death_case_t *c)
{
    go_wrong(c, death_delete_array_sized, (size_t)c->detail);
}

static void by_free_sized(const death_case_t *c) { go_wrong(c, free_sized, (size_t)c->detail); }
static void by_mi_free_size(const death_case_t *c) { go_wrong(c, mi_free_size, (size_t)c->detail); }

static void by_free_aligned_sized_64(void *p, size_t bytes) { free_aligned_sized(p, 64, bytes); }

static void by_free_aligned_sized(const death_case_t *c)
{
    go_wrong(c, free_aligned_sized != NULL ? by_free_aligned_sized_64 : NULL, (size_t)c->detail);
}

/* The block is not aligned as the deletion says: it cannot be one that was made like that. */
static void by_delete_aligned(const death_case_t *c)
{
    if (death_new == NULL || death_delete_aligned == NULL) death_skip("no such function");
    char *p = NULL;
    for (int i = 0; i < 64; i++) { /* guarded blocks are aligned by chance */
        char *const q = death_new(48);
        death_require(q != NULL);
        if (p == NULL && (uintptr_t)q % (uintptr_t)c->detail != 0)
            p = q;
        else
            death_live(q, 48);
    }
    death_require(p != NULL);
    death_misuse(p);
    death_delete_aligned(p, 48, (size_t)c->detail);
    death_after();
    death_spray(LOCAL, 600, 48);
}

const death_case_t death_sized_delete[] = {
    {"sd_small_as_medium", by_delete, SMALL, LOCAL, 20000},
    {"sd_small_as_medium_remote", by_delete, SMALL, REMOTE, 20000},
    {"sd_small_as_medium_full", by_delete, SMALL, FULL, 20000},
    {"sd_small_as_medium_orphan", by_delete, SMALL, ORPHAN, 20000},
    {"sd_small_as_medium_heap", by_delete, SMALL, HEAP, 20000},
    {"sd_small_as_next", by_delete, SMALL, LOCAL, 112},
    {"sd_small_as_less", by_delete, SMALL, LOCAL, 24},
    {"sd_small_as_span", by_delete, SMALL, LOCAL, 3 << 20},
    {"sd_medium_as_small", by_delete, MEDIUM, LOCAL, 64},
    {"sd_medium_as_small_remote", by_delete, MEDIUM, REMOTE, 64},
    {"sd_large_as_small", by_delete, LARGE, LOCAL, 64},
    {"sd_span_as_small", by_delete, SPAN, LOCAL, 64},
    {"sd_span_as_more", by_delete, SPAN, LOCAL, 6 << 20},
    {"sd_array_small_as_medium", by_delete_array, SMALL, LOCAL, 20000},
    {"sd_array_medium_as_small", by_delete_array, MEDIUM, LOCAL, 64},
    {"sd_free_sized", by_free_sized, SMALL, LOCAL, 20000},
    {"sd_free_sized_less", by_free_sized, MEDIUM, LOCAL, 64},
    {"sd_mi_free_size", by_mi_free_size, SMALL, LOCAL, 20000},
    {"sd_free_aligned_sized", by_free_aligned_sized, MEDIUM, LOCAL, 64},
    {"sd_wrong_alignment", by_delete_aligned, SMALL, LOCAL, 4096},
    {NULL, NULL, SMALL, LOCAL, 0},
};
