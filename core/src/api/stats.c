/* Statistics: checks the caller's struct and hands over. */
#include "diag/numbers.h"

#include "api/api.h"

size_t mi_stats_get_bin_size(size_t bin) { return mic_stats_bin_bytes(bin); }

char *mi_stats_as_json(mi_stats_t *stats, size_t buf_size, char *buf)
{
    return mic_stats_is_ours(stats) ? mic_stats_json(stats, buf_size, buf) : NULL;
}

bool mi_stats_get(mi_stats_t *stats)
{
    if (!mic_stats_is_ours(stats)) return false;
    mic_stats_of_process(stats);
    return true;
}

char *mi_stats_get_json(size_t buf_size, char *buf)
{
    mi_stats_t stats;
    mic_stats_of_process(&stats);
    return mic_stats_json(&stats, buf_size, buf);
}

/* Numbers are read off the pages when asked for: nothing waits to be merged. */
void mi_stats_merge(void) {}

void mi_stats_reset(void) { mic_stats_reset(); }
