/* Ends of threads, forks, arenas, sub-processes. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live.h"
#include "random_api.h"
#include "stress.h"

arena_t arenas[ARENAS];
size_t arena_count;
bool in_child;

void done_for_now(actor_t *a)
{
    if (a->member || a->late) return;
    errno = OTHER_ERRNO;
    mi_thread_done();
    stress_require(errno == OTHER_ERRNO);
    a->def = a->main;
}

static void fork_child(actor_t *a)
{
    in_child = true;
    stress_limit_seconds(1800);
    if (alone) {
        for (int i = 0; i < 100; i++) act(a);
        check_quiet();
        _exit(0);
    }
    for (size_t i = 0; i < SLOTS; i++) { /* the table may be locked for ever */
        block_t *const b = &a->blocks[i];
        if (b->p == NULL) continue;
        live_check(b->p, b->filled, b->filled, b->mark);
        mi_free(b->p);
        b->p = mi_malloc(b->size);
        stress_require(may_fail || b->p != NULL);
        if (b->p != NULL) live_fill(b->p, b->size, b->mark);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        const block_t *const b = &a->blocks[i];
        if (b->p != NULL) live_check(b->p, b->size, b->size, b->mark);
        mi_free(b->p);
    }
    mi_collect(true);
    _exit(0);
}

void fork_once(actor_t *a)
{
    int status;
    if (in_child || a->member || stress_under_sanitizer()) return;
    const pid_t pid = fork();
    if (pid == 0) fork_child(a);
    if (pid < 0) return;
    stress_require(waitpid(pid, &status, 0) == pid && status == 0);
}

/* As the kernel would be, if the program were to forget: no access where nothing is committed. */
static bool commit_given(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
    size_t i = (size_t)(uintptr_t)arg;
    stress_require((unsigned char *)start >= arenas[i].start &&
                   (unsigned char *)start + size <= arenas[i].start + arenas[i].bytes);
    if (is_zero != NULL) *is_zero = commit;
    if (!commit) stress_require(madvise(start, size, MADV_DONTNEED) == 0);
    return mprotect(start, size, commit ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

void make_arena(actor_t *a)
{
    const size_t i = arena_count;
    if (!alone || in_child || a->member || i == ARENAS || may_fail) return;
    const size_t bytes = (chance(a, 2) ? 4 : 32 + below(a, 32)) << 20;
    const bool exclusive = chance(a, 2), committed = chance(a, 2);
    size_t told;
    errno = OTHER_ERRNO;
    arenas[i].exclusive = exclusive;
    if (chance(a, 2)) {
        stress_require(
            mi_reserve_os_memory_ex(bytes, committed, chance(a, 2), exclusive, &arenas[i].id) == 0);
    } else {
        const int access = committed ? PROT_READ | PROT_WRITE : PROT_NONE;
        void *const p =
            mmap(NULL, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        stress_require(p != MAP_FAILED);
        const size_t skip = chance(a, 2) ? below(a, 200000) : 0; /* not aligned */
        arenas[i].start = p;
        arenas[i].bytes = bytes;
        stress_require(mi_manage_memory((char *)p + skip, bytes - skip, committed,
                                        committed && chance(a, 3), true, -1, exclusive,
                                        commit_given, (void *)i, &arenas[i].id));
    }
    stress_require(errno == OTHER_ERRNO && arenas[i].id != NULL);
    unsigned char *const start = mi_arena_area(arenas[i].id, &told);
    stress_require(start != NULL && (uintptr_t)start % mi_arena_min_alignment() == 0);
    stress_require(mi_arena_contains(arenas[i].id, start + told - 1));
    stress_require(!mi_arena_contains(arenas[i].id, start + told));
    mi_arenas_print();
    arena_count++;
}

static void *run_member(void *arg)
{
    actor_t *const a = &actors[ACTORS];
    const mi_subproc_id_t id = {arg};
    mi_subproc_add_current_thread(id);
    stress_require(mi_subproc_current()._mi_subproc_id == arg);
    a->member = true;
    a->def = a->main = mi_heap_main();
    for (int i = 0; i < 400; i++) act(a);
    free_stash();
    return NULL;
}

static bool count_heap(mi_heap_t *heap, void *arg)
{
    stress_require(heap != NULL);
    ++*(size_t *)arg;
    return true;
}

/* A sub-process with one thread; some of its blocks are freed from here. */
void run_subproc(actor_t *from)
{
    actor_t *const a = &actors[ACTORS];
    pthread_t t;
    size_t heaps = 0, own = 1;
    if (!alone || in_child || from->member || may_fail) return;
    a->r = stress_random(stress_next(&from->r));
    const mi_subproc_id_t id = mi_subproc_new();
    stress_require(id._mi_subproc_id != NULL);
    stress_require(pthread_create(&t, NULL, run_member, id._mi_subproc_id) == 0);
    pthread_join(t, NULL);
    for (size_t i = 0; i < HEAPS; i++) own += a->heaps[i].heap != NULL;
    stress_require(mi_subproc_visit_heaps(id, count_heap, &heaps) && heaps == own);
    for (size_t i = 0; i < SLOTS; i++)
        if (a->blocks[i].p != NULL && (chance(a, 2) || a->blocks[i].heap == NULL))
            drop(a, &a->blocks[i]);
    for (size_t i = 0; i < SLOTS; i++)
        if (a->blocks[i].p != NULL) leave(a, &a->blocks[i]);
    free_stash();
    mi_subproc_destroy(id);
    memset(a, 0, sizeof *a);
}
