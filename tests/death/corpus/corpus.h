/* What the cases of the misuse corpus share. A case is a small program with one mistake: it makes
   honest blocks, says that the misuse begins, commits it, says that it is over, and goes on as a
   program would. It never decides whether it was detected: the runner does, from outside (judge.h).
   It only tells harm that it sees:

       a live object changed, two live objects overlap, a secret was readable, malloc returned an
       address that the attacker chose, or a limit was not kept

   Cases know malloc and free by name only, so that any allocator can be preloaded; mi_ functions
   are weak, and cases that need them are skipped without. Nothing here allocates. */
#ifndef CORPUS_H
#define CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- what a case is ---- */

typedef enum death_kind { SMALL, MEDIUM, LARGE, SPAN } death_kind_t; /* the kind of its page */

typedef enum death_path {
    LOCAL,   /* block and misuse: this thread */
    REMOTE,  /* the misuse is another thread's */
    FULL,    /* the page has no free block */
    ORPHAN,  /* the thread that allocated it has ended */
    ADOPTED, /* and another has taken its place */
    HEAP,    /* block of a first-class heap */
} death_path_t;

typedef struct death_case {
    const char *name;
    void (*run)(const struct death_case *c);
    death_kind_t kind;
    death_path_t path;
    long detail; /* what varies within a family of cases */
} death_case_t;

typedef struct death_group {
    const char *name;
    const death_case_t *cases; /* the last name is NULL */
} death_group_t;

/* the last name is NULL */
extern const death_group_t death_groups[];

extern const death_case_t death_double_free[], death_invalid_free[], death_overflow_write[],
    death_overflow_read[], death_underflow[], death_uaf[], death_metadata[], death_sized_delete[],
    death_misc[], death_limits[], death_stale_data[], death_heaps[], death_control[];

/* ---- what a case tells, and the runner reads ---- */

typedef enum death_phase { DEATH_SETUP, DEATH_MISUSE, DEATH_AFTER, DEATH_DONE } death_phase_t;
typedef enum death_harm { DEATH_UNHARMED, DEATH_CHANGED, DEATH_HARMED, DEATH_SKIPPED } death_harm_t;

typedef struct death_shared {
    volatile uint32_t phase;
    volatile uint32_t harm;
    volatile uint32_t access;    /* the case itself reads or writes where it must not */
    volatile uint64_t address;   /* of the misuse; messages name it */
    volatile int64_t text_bytes; /* written to stderr until the misuse was over */
    char why[200];
} death_shared_t;

/* In a started case: maps what the runner passed, runs the case. Returns the exit status. */
int death_run_case(const death_case_t *c, int shared_fd, bool few, bool thread);

/* The misuse begins now, with this address; it is over now. */
void death_misuse(const void *p);
void death_after(void);

/* Harm that an attacker can use at once: the case ends here. */
_Noreturn void death_harmed(const char *why);
/* A live object was changed: harm, unless the program is stopped before it ends. */
void death_changed(const char *why);
_Noreturn void death_skip(const char *why);
/* Something that must hold before the misuse, or the case shows nothing. */
#define death_require(x) ((x) ? (void)0 : death_broken(#x, __FILE__, __LINE__))
_Noreturn void death_broken(const char *what, const char *file, int line);

/* ---- the heap, out of sight of the compiler ---- */

void *death_malloc(size_t bytes);
void *death_calloc(size_t count, size_t bytes);
void *death_realloc(void *p, size_t bytes);
void *death_aligned(size_t alignment, size_t bytes);
void death_free(void *p);
size_t death_usable(void *p);
/* p, of which the compiler knows nothing */
void *death_hide(const void *p);

/* ---- blocks ---- */

extern const size_t death_bytes[4]; /* the request for each kind of page */
/* enough to have every free block of a page twice */
size_t death_many(death_kind_t kind);
/* true: the few pages of guarded sampling must be enough for what a case makes */
bool death_few(void);

/* A block with live neighbours of its size, made as the path says. From the heap of the case for
   HEAP. Filled and live, but the block itself is not registered. */
char *death_block(death_kind_t kind, death_path_t path);
/* Neighbours at the least distance: *low ends where *high begins, but for what the allocator puts
   in between. Both are registered as live. */
void death_pair(death_kind_t kind, death_path_t path, char **low, char **high);
/* Allocates as the owner of the blocks would. */
void *death_owner_malloc(death_path_t path, size_t bytes);
/* Frees as the path says: by another thread for REMOTE, else by this one. */
void death_release(death_path_t path, void *p);
/* All registered blocks that malloc gave, the lowest first. */
void death_release_all(death_path_t path);
/* The mi_heap_t of the case (HEAP), made on demand. Skips without mi_heap_new. */
void *death_heap(void);

/* In a new thread, which has ended when this returns. */
void death_in_thread(void (*run)(void *arg), void *arg);

/* ---- live objects ---- */

/* Registers and fills. Of big objects only the first and the last bytes are filled and checked. */
void death_live(void *p, size_t bytes);
void death_dead(const void *p);
/* An address range that malloc must not return. Not filled. */
void death_chosen(const void *p, size_t bytes);
/* false: a live object changed */
bool death_is_intact(void);
/* Ends the case if a live object changed. */
void death_check_live(void);
/* Allocates `count` blocks at once; overlap of any two live objects ends the case; all become live.
   Then the earlier ones are checked. */
void death_spray(death_path_t path, size_t count, size_t bytes);

/* ---- reads and writes where there is no right to: a fault in here is a guard's ---- */

void death_write(void *p, unsigned char byte, size_t bytes);
/* Makes one byte another one. */
void death_alter(void *p);
void death_write_word(void *p, uintptr_t word);
uintptr_t death_read_word(const void *p);
/* true: the 8 bytes of `secret` are at an aligned place in there */
bool death_find(const void *p, size_t bytes, uint64_t secret);
/* The secret of this case, all over the block; not an access without right. */
#define DEATH_SECRET UINT64_C(0x5ec7e75ec7e75e17)
void death_fill_secret(void *p, size_t bytes);

/* ---- optional functions: NULL where the allocator does not have them ---- */

extern void *mi_heap_new(void) __attribute__((weak));
extern void mi_heap_delete(void *heap) __attribute__((weak));
extern void mi_heap_destroy(void *heap) __attribute__((weak));
extern void *mi_heap_main(void) __attribute__((weak));
extern void *mi_heap_malloc(void *heap, size_t bytes) __attribute__((weak));
extern void *mi_heap_realloc(void *heap, void *p, size_t bytes) __attribute__((weak));
extern void mi_heap_collect(void *heap, bool force) __attribute__((weak));
extern void mi_collect(bool force) __attribute__((weak));

#endif
