/* Options, callbacks, numbers. */
#include <errno.h>
#include <string.h>

#include "random_api.h"
#include "stress.h"

void set_options(actor_t *a)
{
    static const struct {
        mi_option_t option;
        long values[5];
    } some[] = {
        {mi_option_purge_delay, {-1, 0, 1, 10, 1000}},
        {mi_option_purge_decommits, {0, 1, 0, 1, 1}},
        {mi_option_allow_thp, {0, 1, 2, 1, 2}},
        {mi_option_minimal_purge_size, {0, 64, 2048, 1, 100000}},
        {mi_option_arena_purge_mult, {0, 1, 10, 1, 1}},
        {mi_option_guarded_sample_rate, {0, 0, 1, 20, 1000}},
        {mi_option_guarded_min, {0, 0, 16, 1000, 0}},
        {mi_option_guarded_max, {1 << 30, 100, 5000, 100000, 1 << 30}},
        {mi_option_guarded_sample_seed, {0, 1, 2, 3, 4}},
        {mi_option_generic_collect, {1, 10, 100, 1000, 10000}},
        {mi_option_page_full_retain, {0, 1, 2, 3, 4}},
        {mi_option_page_reclaim_on_free, {-1, 0, 1, 0, 1}},
        {mi_option_max_errors, {-1, -1, 1 << 30, 1 << 30, 1 << 30}},
        {mi_option_use_numa_nodes, {0, 1, 2, 4, 8}},
    };
    const size_t i = below(a, sizeof some / sizeof *some);
    const long value = some[i].values[below(a, 5)];
    if (!mixed) return;
    mi_option_set(some[i].option, value);
    if (alone) stress_require(mi_option_get(some[i].option) == value);
    const long clamped = mi_option_get_clamp(some[i].option, 0, 1);
    stress_require(clamped == 0 || clamped == 1);
    if (alone && value <= 0) stress_require(mi_option_get_size(some[i].option) == 0);
    mi_theap_t *const theap = mi_theap_get_default();
    if (chance(a, 4) && !a->late) {
        mi_theap_guarded_set_size_bound(theap, below(a, 500), below(a, 100000));
        mi_theap_guarded_set_sample_rate(theap, below(a, 30), below(a, 3));
    }
}

static void deferred(bool force, unsigned long long heartbeat, void *arg)
{
    static _Thread_local unsigned long long last;
    stress_require(arg == &actors && heartbeat > last);
    last = heartbeat;
    const int saved = errno;
    free_stash_from(force ? 0 : heartbeat % STASH);
    mi_free(mi_malloc(heartbeat % 3000));
    errno = saved;
}

static _Thread_local char last_message[400];

void take_output(const char *message, void *arg)
{
    strncpy(last_message, message, sizeof last_message - 1);
    stress_require(arg == NULL || arg == &actors);
    void *const p = mi_malloc(strlen(message) + 1);
    if (p != NULL) strcpy(p, message);
    mi_free(p);
}

void take_error(int error, void *arg)
{
    stress_require(arg == &actors);
    if (error == ENOMEM || error == EOVERFLOW)
        stress_require(expects_error || may_fail || arena_count != 0);
    else
        stress_failed(last_message, __FILE__, error);
    mi_free(mi_malloc(10));
}

void set_callbacks(actor_t *a)
{
    errno = OTHER_ERRNO;
    switch (below(a, 6)) {
    case 0:
        mi_register_deferred_free(NULL, NULL);
        break;
    case 1:
    case 2:
        mi_register_deferred_free(deferred, &actors);
        break;
    case 3:
        mi_register_output(take_output, NULL);
        break;
    case 4:
        mi_register_output(take_output, &actors);
        break;
    default:
        mi_register_error(take_error, &actors);
        break;
    }
    stress_require(errno == OTHER_ERRNO);
}

static void check_json(char *json)
{
    stress_require(json != NULL || may_fail);
    if (json == NULL) return;
    const size_t n = strlen(json);
    stress_require(n > 2 && json[0] == '{' && strrchr(json, '}') != NULL);
    mi_free(json);
}

void ask_numbers(actor_t *a)
{
    char cut[200] = {0};
    size_t n[8];
    mi_stats_t_decl(stats);
    const heap_t *const h = any_heap(a);
    mi_heap_t *const heap = h == NULL ? NULL : h->heap;
    const size_t room = 1 + below(a, 150);
    errno = OTHER_ERRNO;
    switch (below(a, 14)) {
    case 0:
        stress_require(mi_stats_get(&stats));
        break;
    case 1:
        stress_require(mi_heap_stats_get(heap, &stats));
        break;
    case 2:
        stress_require(mi_subproc_stats_get(mi_subproc_current(), &stats));
        break;
    case 3:
        stress_require(mi_subproc_stats_get_exclusive(mi_subproc_current(), &stats));
        break;
    case 4:
        check_json(mi_stats_get_json(0, NULL));
        break;
    case 5:
        check_json(mi_heap_stats_get_json(heap, 0, NULL));
        break;
    case 6:
        check_json(mi_subproc_stats_get_json(mi_subproc_current(), 0, NULL));
        break;
    case 7:
        check_json(mi_stats_as_json(&stats, 0, NULL));
        break;
    case 8:
        memset(cut, 'x', sizeof cut);
        stress_require(mi_stats_get_json(room, cut) == cut);
        stress_require(strlen(cut) < room && cut[room] == 'x');
        break;
    case 9:
        mi_heap_stats_print_out(heap, take_output, &actors);
        break;
    case 10:
        mi_subproc_heap_stats_print_out(mi_subproc_current(), take_output, &actors);
        break;
    case 11:
        mi_process_info(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7]);
        stress_require(n[4] >= n[3] / 2 && n[6] >= n[5]);
        mi_process_info_print_out(take_output, NULL);
        break;
    case 12:
        mi_stats_print_out(take_output, NULL), mi_thread_stats_print_out(take_output, NULL);
        mi_options_print_out(take_output, NULL);
        break;
    default:
        mi_stats_merge(), mi_heap_stats_merge_to_subproc(heap), mi_thread_init();
        if (chance(a, 10)) mi_stats_reset();
        break;
    }
    stress_require(errno == OTHER_ERRNO || may_fail);
}
