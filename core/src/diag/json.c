/* Statistics as JSON: an object with a member for each field of mi_stats_t, in its order, and a few
   that say where the numbers come from. A count is an object, a counter a number. */
#include <errno.h>

#include "diag/diag.h"
#include "diag/numbers.h"

typedef struct json_sink {
    char *buffer;
    size_t size;
    size_t length;     /* of the whole text, also of what did not fit */
    const char *comma; /* before the next member */
} json_sink_t;

static void json_add(json_sink_t *sink, const char *format, ...) mic_printf(2, 3);
static void json_add(json_sink_t *sink, const char *format, ...)
{
    const size_t at = mic_min(sink->length, sink->size);
    va_list args;
    va_start(args, format);
    sink->length += mic_format_va(sink->buffer + at, sink->size - at, format, args);
    va_end(args);
}

static void json_number(json_sink_t *sink, const char *name, int64_t value)
{
    json_add(sink, "%s\n  \"%s\": %ld", sink->comma, name, (long)value);
    sink->comma = ",";
}

static void json_count_body(json_sink_t *sink, const mi_stat_count_t *count)
{
    json_add(sink, "\"total\": %ld, \"peak\": %ld, \"current\": %ld", (long)count->total,
             (long)count->peak, (long)count->current);
}

static void json_count(json_sink_t *sink, const char *name, const mi_stat_count_t *count)
{
    json_add(sink, "%s\n  \"%s\": { ", sink->comma, name);
    json_count_body(sink, count);
    json_add(sink, " }");
    sink->comma = ",";
}

/* has_size: the elements are size classes */
static void json_counts(json_sink_t *sink, const char *name, const mi_stat_count_t *counts,
                        size_t length, bool has_size)
{
    json_add(sink, "%s\n  \"%s\": [", sink->comma, name);
    for (size_t i = 0; i < length; i++) {
        json_add(sink, "%s\n    { ", i > 0 ? "," : "");
        if (has_size) json_add(sink, "\"block_size\": %zu, ", mic_stats_bin_bytes(i));
        json_count_body(sink, &counts[i]);
        json_add(sink, " }");
    }
    json_add(sink, "\n  ]");
    sink->comma = ",";
}

static void json_process(json_sink_t *sink, const mic_diag_process_t *process)
{
    json_add(sink,
             "%s\n  \"process\": { \"elapsed_msecs\": %lu, \"user_msecs\": %lu, "
             "\"system_msecs\": %lu, \"page_faults\": %zu, \"rss_current\": %zu, "
             "\"rss_peak\": %zu, \"commit_current\": %zu, \"commit_peak\": %zu }",
             sink->comma, (unsigned long)process->elapsed_ms, (unsigned long)process->user_ms,
             (unsigned long)process->system_ms, process->page_faults, process->rss_bytes,
             process->rss_peak_bytes, process->committed_bytes, process->committed_peak_bytes);
}

#define JSON_COUNT(name) json_count(sink, #name, &stats->name);
#define JSON_COUNTER(name) json_number(sink, #name, stats->name.total);

static void json_write(json_sink_t *sink, const mi_stats_t *stats,
                       const mic_diag_process_t *process)
{
    sink->length = 0;
    sink->comma = "";
    json_add(sink, "{");
    json_number(sink, "stat_version", (int64_t)stats->version);
    json_number(sink, "mimalloc_version", MI_MALLOC_VERSION);
    json_add(sink, ",\n  \"version\": \"" MIC_DIAG_VERSION "\",\n  \"mode\": \"%s\"",
             mic_diag_mode());
    json_process(sink, process);
    MIC_STATS_FIELDS(JSON_COUNT, JSON_COUNTER)
    json_counts(sink, "malloc_bins", stats->malloc_bins, MI_STAT_BIN_COUNT, true);
    json_counts(sink, "page_bins", stats->page_bins, MI_STAT_BIN_COUNT, true);
    json_counts(sink, "chunk_bins", stats->chunk_bins, MI_STAT_CHUNK_BIN_COUNT, false);
    json_add(sink, "\n}\n");
}

char *mic_stats_json(const mi_stats_t *stats, size_t size, char *buffer)
{
    mic_diag_process_t process; /* once: both passes write the same text */
    mic_diag_process_get(&process);
    json_sink_t sink = {.buffer = buffer, .size = buffer == NULL ? 0 : size};
    json_write(&sink, stats, &process);
    if (sink.size > 0) return buffer;
    sink.size = sink.length + 1;
    sink.buffer = mic_malloc(sink.size);
    if (sink.buffer == NULL) return NULL;
    json_write(&sink, stats, &process);
    return sink.buffer;
}
