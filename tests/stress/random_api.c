/* Random actions over all functions that manage memory, with an oracle. Every live block is known:
   where it is, what it contains, its heap, its alignment, whether it is of zeroes. Checked: blocks
   do not overlap, no byte changes, usable size, alignment, zeroes, what resizing keeps, which heap
   and arena a block is in, errno and results of calls that must fail, that errors are reported for
   nothing else, and, while no other thread runs, that walking shows exactly the live blocks, that
   statistics agree, and that nothing is left when all is freed.

   Each round is a process with options of its own; its seed is printed. MI_TEST_ONLY=kind:round
   repeats one (with MI_TEST_SEED), MI_TEST_COUNTS=1 prints how often each function was called. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random_api/random_api.h"
#include "stress.h"

actor_t actors[ACTORS + 1];
atomic_size_t *counts;
bool alone = true;
bool may_fail, mixed, guarded, precise;

/* ---- actions ---- */

static void (*const actions[])(actor_t *) = {
    ask_numbers,   ask_too_much, ask_about_anything,
    ask_good_size, copy_names,   set_options,
    set_callbacks, make_heap,    end_heap,
    set_default,   collect,      walk,
    mail,          mail,         mail,
    mail,          mail,         free_elsewhere,
    done_for_now,  fork_once,    make_arena,
    run_subproc,
};
#define ACTIONS (sizeof actions / sizeof *actions)
static const unsigned char rarely[ACTIONS] = {
    [0] = 3, [17] = 4, [18] = 4, [19] = 40, [20] = 10, [21] = 30};

void act(actor_t *a)
{
    const size_t dice = below(a, 100);
    if (dice >= 92) {
        const size_t i = below(a, ACTIONS);
        if (rarely[i] != 0 && !chance(a, rarely[i])) return;
        counted(alloc_count + resize_count + i);
        actions[i](a);
        return;
    }
    block_t *const b = &a->blocks[below(a, SLOTS)];
    if (b->p == NULL)
        make(a, b);
    else if (dice < 45 || a->bytes > 2 * BUDGET)
        drop(a, b);
    else if (dice < 70)
        resize(a, b);
    else if (dice < 75)
        expand(a, b);
    else
        look(a, b);
}

static pthread_key_t key;

static void act_late(void *arg)
{
    actor_t *const a = arg;
    void *const p = mi_malloc(1);
    if (p == NULL) return;
    stress_require(mi_heap_of(p) == a->def || mi_heap_of(p) == a->main);
    a->def = mi_heap_of(p); /* the library's own destructor ran, or not yet */
    mi_free(p);
    a->late = true;
    for (int i = 0; i < 30; i++) act(a);
    free_stash();
    if (chance(a, 3)) pthread_setspecific(key, a);
}

static void *act_in_thread(void *arg)
{
    actor_t *const a = arg;
    a->late = false;
    a->def = a->main;
    for (size_t i = 200 + below(a, 1500); i > 0; i--) act(a);
    free_stash();
    if (chance(a, 2) && !stress_under_sanitizer()) pthread_setspecific(key, a);
    return NULL;
}

/* ---- rounds ---- */

static void run_threads(void)
{
    pthread_t threads[ACTORS];
    bool made[ACTORS] = {false};
    share_heaps(true);
    alone = false;
    for (size_t i = 1; i < ACTORS; i++) {
        made[i] = pthread_create(&threads[i], NULL, act_in_thread, &actors[i]) == 0;
        stress_require(made[i] || may_fail);
    }
    for (int i = 0; i < 600; i++) act(&actors[0]);
    for (size_t i = 1; i < ACTORS; i++)
        if (made[i]) pthread_join(threads[i], NULL);
    alone = true;
    check_quiet();
    free_stash();
    share_heaps(false);
}

static void run(uint64_t seed, size_t cycles)
{
    pthread_key_create(&key, act_late);
    for (size_t i = 0; i < ACTORS; i++) {
        actors[i].r = stress_random(8 * seed + i);
        actors[i].def = actors[i].main = mi_heap_main();
    }
    mi_register_error(take_error, &actors);
    mi_register_output(take_output, &actors);
    for (size_t cycle = 0; cycle < cycles; cycle++) {
        for (int i = 0; i < 1000; i++) act(&actors[0]);
        check_quiet();
        run_threads();
        if (cycle % 2 == 0) continue;
        drop_all();
        if (!may_fail) check_empty();
    }
}

enum kind { PLAIN, MIXED, GUARD_ALL, GUARD_SOME, PRECISE, AT_ONCE, SHORT, KINDS };
static const char *const kind_names[] = {"plain",   "mixed",   "guard all", "guard some",
                                         "precise", "at once", "short"};

static void prepare(enum kind kind)
{
    mi_option_set(mi_option_show_errors, 1); /* to take_output() */
    mi_option_set(mi_option_max_errors, 1 << 30);
    mixed = kind == MIXED;
    guarded = mixed || kind == GUARD_ALL || kind == GUARD_SOME || kind == PRECISE;
    precise = kind == PRECISE;
    if (precise) mi_option_set(mi_option_guarded_precise, 1);
    if (guarded)
        mi_option_set(mi_option_guarded_sample_rate, kind == GUARD_SOME ? 1000 : 1 + 2 * precise);
    if (kind == AT_ONCE) mi_option_set(mi_option_purge_delay, 0);
    if (kind == SHORT && !stress_under_sanitizer()) {
        const struct rlimit limit = {(size_t)700 << 20, (size_t)700 << 20};
        may_fail = true;
        stress_require(setrlimit(RLIMIT_AS, &limit) == 0);
    }
}

static void run_round(enum kind kind, size_t round, size_t cycles)
{
    int status;
    const pid_t pid = fork();
    stress_require(pid >= 0);
    if (pid == 0) {
        stress_limit_seconds(1200);
        prepare(kind);
        run(KINDS * round + (uint64_t)kind, cycles);
        exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        printf("failed: MI_TEST_SEED=%llu MI_TEST_ONLY=%d:%zu (%s), status %x\n",
               (unsigned long long)stress_seed(), (int)kind, round, kind_names[kind], status);
        exit(1);
    }
}

static void print_counts(void)
{
    for (size_t i = 0; i < alloc_count + resize_count; i++)
        printf("%-32s %zu\n",
               i < alloc_count ? alloc_functions[i].name : resize_functions[i - alloc_count].name,
               atomic_load(&counts[i]));
    for (size_t i = 0; i < ACTIONS; i++)
        printf("action %-25zu %zu\n", i, atomic_load(&counts[alloc_count + resize_count + i]));
}

int main(void)
{
    stress_begin("random_api");
    prepare_texts();
    setenv("MI_TEST_RANDOM_API", "here", 1);
    counts = mmap(NULL, sizeof *counts * (alloc_count + resize_count + ACTIONS),
                  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    stress_require(counts != MAP_FAILED);
    const char *const only = getenv("MI_TEST_ONLY");
    const size_t rounds = stress_scaled(20, 1), cycles = 2;
    for (size_t round = 0; round < rounds; round++)
        for (int kind = 0; kind < KINDS; kind++) {
            char name[32];
            snprintf(name, sizeof name, "%d:%zu", kind, round);
            if (only == NULL || strcmp(only, name) == 0 ||
                (strchr(only, ':') == NULL && atoi(only) == kind))
                run_round((enum kind)kind, round, cycles);
        }
    size_t never = 0;
    for (size_t i = 0; i < alloc_count + resize_count; i++) never += atomic_load(&counts[i]) == 0;
    if (getenv("MI_TEST_COUNTS") != NULL) print_counts();
    printf("%zu rounds of %d processes, %.1f s\n", rounds, KINDS, stress_seconds());
    stress_require(never == 0 || only != NULL);
    return 0;
}
