/* First-class heaps, used wrongly. Not part of the score. Harm: two live objects overlap, or a live
   object of another heap changes. */
#include <string.h>

#include "corpus.h"

static void *two_heaps(char **block)
{
    void *const heap = death_heap();
    *block = mi_heap_malloc(heap, 64);
    death_require(*block != NULL);
    char *const other = death_malloc(64);
    death_live(other, death_usable(other));
    return heap;
}

/* other heaps get the memory of the gone one */
static void spray_elsewhere(void)
{
    void *const heap = mi_heap_new();
    death_require(heap != NULL);
    for (int i = 0; i < 400; i++) {
        char *const p = mi_heap_malloc(heap, 64);
        if (p != NULL) death_live(p, death_usable(p));
    }
    death_spray(LOCAL, 400, 64);
}

static void end_heap(const death_case_t *c, void *heap)
{
    if (c->detail == 0)
        mi_heap_destroy(heap);
    else
        mi_heap_delete(heap);
}

static void ended_twice(const death_case_t *c)
{
    char *p;
    void *const heap = two_heaps(&p);
    end_heap(c, heap);
    death_misuse(heap);
    end_heap(c, heap);
    death_after();
    spray_elsewhere();
}

/* The handle may be that of a new heap by now. */
static void ended_after_new(const death_case_t *c)
{
    char *p;
    void *const heap = two_heaps(&p);
    end_heap(c, heap);
    void *const next = mi_heap_new();
    char *const q = mi_heap_malloc(next, 64);
    death_live(q, death_usable(q));
    death_misuse(heap);
    end_heap(c, heap);
    death_after();
    spray_elsewhere();
}

static void malloc_after(const death_case_t *c)
{
    char *p;
    void *const heap = two_heaps(&p);
    end_heap(c, heap);
    death_misuse(heap);
    char *const q = mi_heap_malloc(heap, 64);
    death_after();
    if (q != NULL) death_live(q, 64);
    spray_elsewhere();
}

static void free_after(const death_case_t *c)
{
    char *p;
    void *const heap = two_heaps(&p);
    mi_heap_destroy(heap);
    if (c->detail > 0) death_spray(LOCAL, (size_t)c->detail, 64);
    death_misuse(p);
    death_free(p);
    death_after();
    spray_elsewhere();
}

static void write_after(const death_case_t *c)
{
    (void)c;
    char *p;
    void *const heap = two_heaps(&p);
    mi_heap_destroy(heap);
    spray_elsewhere();
    death_misuse(p);
    death_write(p, 0x41, 48);
    death_after();
    death_check_live();
}

static void not_a_heap(const death_case_t *c)
{
    static _Alignas(64) char area[8192];
    char *p;
    (void)two_heaps(&p);
    void *const heap = c->detail == 0 ? death_hide(area) : p;
    death_misuse(heap);
    char *const q = mi_heap_malloc(heap, 64);
    death_after();
    if (q != NULL) death_live(q, 64);
    spray_elsewhere();
}

static void main_ended(const death_case_t *c)
{
    char *p;
    (void)two_heaps(&p);
    if (mi_heap_main == NULL) death_skip("no mi_heap_main");
    void *const heap = mi_heap_main();
    death_misuse(heap);
    end_heap(c, heap);
    death_after();
    spray_elsewhere();
}

const death_case_t death_heaps[] = {
    {"mh_destroy_twice", ended_twice, SMALL, HEAP, 0},
    {"mh_delete_twice", ended_twice, SMALL, HEAP, 1},
    {"mh_destroy_after_new", ended_after_new, SMALL, HEAP, 0},
    {"mh_delete_after_new", ended_after_new, SMALL, HEAP, 1},
    {"mh_malloc_after_destroy", malloc_after, SMALL, HEAP, 0},
    {"mh_malloc_after_delete", malloc_after, SMALL, HEAP, 1},
    {"mh_free_after_destroy", free_after, SMALL, HEAP, 0},
    {"mh_free_after_destroy_later", free_after, SMALL, HEAP, 200},
    {"mh_write_after_destroy", write_after, SMALL, HEAP, 0},
    {"mh_not_a_heap_static", not_a_heap, SMALL, HEAP, 0},
    {"mh_not_a_heap_block", not_a_heap, SMALL, HEAP, 1},
    {"mh_destroy_main", main_ended, SMALL, HEAP, 0},
    {"mh_delete_main", main_ended, SMALL, HEAP, 1},
    {NULL, NULL, SMALL, LOCAL, 0},
};
