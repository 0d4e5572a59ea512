/* Sub-processes come and go, each with arenas of its own (reserved, given, with a callback), while
   others allocate, free, collect and fork. No two of them ever have blocks in one segment, memory
   of an arena that is gone is the program's again, and nothing is left behind. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/heap.h"
#include "mimalloc.h"
#include "stress.h"
#include "vm/arena.h"

#define MIB ((size_t)1 << 20)
#define MAKERS 3
#define BLOCKS 400
#define GIVEN_BYTES (6 * MIB)

static atomic_bool stop;
static atomic_size_t committed;
static size_t lives;

/* The segment of a block serves the calling thread's sub-process, or an arena of it. */
static void check_owner(const void *p)
{
    unsigned arena;
    size_t slice;
    const unsigned me = mic_subproc_current()->index;
    stress_require(mic_arena_find(p, &arena, &slice));
    const mic_segment_t *const s = &mic_arenas[arena].segments[slice / MIC_SEGMENT_SLICES];
    const uint32_t owner = mic_load_relaxed(&s->tag) >> MIC_TAG_OWNER_SHIFT;
    if ((owner & MIC_OWNER_ARENA) != 0) {
        const uint64_t use = mic_load_acquire(&mic_arenas[owner & ~MIC_OWNER_ARENA].use);
        stress_require((use >> 16 & 0xffff) == me);
    } else {
        stress_require(owner == me);
    }
}

static size_t use(mi_heap_t *heap, mi_arena_id_t only, stress_random_t *r, size_t rounds,
                  uint64_t mark)
{
    static _Thread_local struct {
        void *p;
        size_t bytes;
    } blocks[BLOCKS];
    size_t had = 0;
    for (size_t i = 0; i < rounds; i++) {
        const size_t at = stress_below(r, BLOCKS);
        const size_t bytes = stress_size(r, stress_below(r, 50) == 0 ? 3 * MIB : 20000);
        if (blocks[at].p != NULL) {
            stress_check(blocks[at].p, blocks[at].bytes, mark + at);
            mi_free(blocks[at].p);
        }
        blocks[at].p = heap == NULL ? mi_malloc(bytes) : mi_heap_malloc(heap, bytes);
        blocks[at].bytes = bytes;
        if (blocks[at].p == NULL) continue;
        had++;
        check_owner(blocks[at].p);
        if (only != NULL) stress_require(mi_arena_contains(only, blocks[at].p));
        stress_fill(blocks[at].p, bytes, mark + at);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (blocks[i].p == NULL) continue;
        stress_check(blocks[i].p, blocks[i].bytes, mark + i);
        if (heap == NULL || i % 2 == 0) mi_free(blocks[i].p); /* the rest goes with the heap */
        blocks[i].p = NULL;
    }
    return had;
}

static bool pool_commit(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    (void)arg;
    if (commit)
        atomic_fetch_add(&committed, size);
    else
        atomic_fetch_sub(&committed, size);
    if (commit) *is_zero = false;
    return mprotect(start, size, commit ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

typedef struct life {
    mi_subproc_id_t subproc;
    char *given, *pool;
    uint64_t number;
} life_t;

static void *live(void *arg)
{
    const life_t *const life = arg;
    stress_random_t r = stress_random(life->number);
    mi_arena_id_t reserved, given, pool;
    mi_subproc_add_current_thread(life->subproc);
    stress_require(mi_reserve_os_memory_ex(1 + stress_below(&r, 70 * MIB), stress_below(&r, 2) != 0,
                                           false, stress_below(&r, 2) != 0, &reserved) == 0);
    stress_require(
        mi_manage_os_memory_ex(life->given, GIVEN_BYTES, true, false, false, -1, true, &given));
    stress_require(mi_manage_memory(life->pool, GIVEN_BYTES, false, false, false, -1, true,
                                    pool_commit, NULL, &pool));
    const mi_arena_id_t ids[3] = {reserved, given, pool};
    for (int i = 0; i < 3; i++) {
        mi_heap_t *const heap = mi_heap_new_in_arena(ids[i]);
        stress_require(heap != NULL);
        stress_require(use(heap, ids[i], &r, 300, life->number << 20) > 50);
        mi_heap_destroy(heap);
        (void)use(NULL, NULL, &r, 200, life->number << 20);
    }
    return NULL;
}

static void *make(void *arg)
{
    life_t life = {.number = (uint64_t)(uintptr_t)arg << 32};
    life.given =
        mmap(NULL, 2 * GIVEN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stress_require(life.given != MAP_FAILED);
    life.pool = life.given + GIVEN_BYTES;
    for (size_t i = 0; i < lives; i++, life.number++) {
        pthread_t thread;
        stress_require(mprotect(life.pool, GIVEN_BYTES, PROT_NONE) == 0);
        life.subproc = mi_subproc_new();
        stress_require(life.subproc._mi_subproc_id != NULL);
        stress_require(pthread_create(&thread, NULL, live, &life) == 0);
        pthread_join(thread, NULL);
        mi_subproc_destroy(life.subproc);
        memset(life.given, (int)i, GIVEN_BYTES); /* nobody looks at it any more */
    }
    munmap(life.given, 2 * GIVEN_BYTES);
    return NULL;
}

/* The main sub-process, meanwhile. */
static void *disturb(void *arg)
{
    stress_random_t r = stress_random(99);
    (void)arg;
    for (size_t i = 0; !atomic_load(&stop); i++) {
        (void)use(NULL, NULL, &r, 300, 7);
        if (i % 4 == 0) mi_collect(i % 8 == 0);
        if (i % 16 != 5 || stress_under_sanitizer()) continue;
        const pid_t pid = fork();
        if (pid == 0) {
            (void)use(NULL, NULL, &r, 300, 8);
            mi_arena_id_t id;
            stress_require(mi_reserve_os_memory_ex(1, false, false, true, &id) == 0);
            mi_heap_t *const heap = mi_heap_new_in_arena(id);
            stress_require(heap != NULL && mi_heap_malloc(heap, 100000) != NULL);
            _exit(0);
        }
        int status = -1;
        stress_require(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
    return NULL;
}

int main(void)
{
    stress_begin("arenas");
    stress_limit_seconds(1800);
    lives = stress_scaled(600, 20);
    mi_free(mi_malloc(1));
    pthread_t makers[MAKERS], other;
    for (int half = 0; half < 2; half++) {
        static uint32_t arenas;
        static uint64_t reserved;
        atomic_store(&stop, false);
        stress_require(pthread_create(&other, NULL, disturb, NULL) == 0);
        for (uintptr_t i = 0; i < MAKERS; i++)
            stress_require(pthread_create(&makers[i], NULL, make, (void *)(i + 1)) == 0);
        for (size_t i = 0; i < MAKERS; i++) pthread_join(makers[i], NULL);
        atomic_store(&stop, true);
        pthread_join(other, NULL);
        mi_collect(true);
        printf("%zu lives: %u arenas, %zu MiB reserved, %zu KiB of the pools, resident %zu KiB\n",
               MAKERS * lives, mic_load_relaxed(&mic_arena_count),
               (size_t)(mic_load_relaxed(&mic_vm_counts.reserved_bytes) / MIB),
               atomic_load(&committed) >> 10, stress_rss_kib());
        stress_require(atomic_load(&committed) == 0);
        if (half == 1) { /* slots and addresses are used again */
            stress_require(mic_load_relaxed(&mic_arena_count) <= arenas + MAKERS);
            stress_require(mic_load_relaxed(&mic_vm_counts.reserved_bytes) == reserved);
        }
        arenas = mic_load_relaxed(&mic_arena_count);
        reserved = mic_load_relaxed(&mic_vm_counts.reserved_bytes);
        for (unsigned i = 1; i < arenas; i++)
            stress_require((mic_load_relaxed(&mic_arenas[i].use) & 255) == 0);
    }
    return 0;
}
