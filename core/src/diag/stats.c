/* Statistics as a person wants to see them. Numbers are gathered on demand (mic_heap_count) and are
   exact for a process at rest; while others run, each is right for some recent moment.

   To read the table: "page bytes" is what a size class takes from the system, "peak" the most it
   ever took, "live bytes" what the program uses now, blocks rounded up to their class. */
#include "diag/diag.h"

#include "base/bits.h"
#include "base/config.h"
#include "base/size_class.h"
#include "os/os.h"
#include "vm/arena.h"

#define STATS_BAR_COLUMNS 16
#define STATS_ROW "%12s %7s %12s %11s %11s %11s %7s%s%s\n"
#define STATS_ROW_COLUMNS 77

/* "87.5%" of 1000 parts; part may exceed whole for a moment */
static const char *stats_share(size_t part, size_t whole, char text[MIC_DIAG_TEXT_BYTES])
{
    if (whole == 0) return "-";
    while (whole >= (size_t)1 << 48) { /* keep the product below within 64 bits */
        whole >>= 1;
        part >>= 1;
    }
    const size_t tenths = (mic_min(part, whole) * 1000 + whole / 2) / whole;
    mic_format(text, MIC_DIAG_TEXT_BYTES, "%zu.%zu%%", tenths / 10, tenths % 10);
    return text;
}

static void stats_bar(size_t part, size_t whole, char text[STATS_BAR_COLUMNS + 1])
{
    const size_t step = mic_max(whole / STATS_BAR_COLUMNS, 1);
    const size_t length = mic_min((part + step / 2) / step, STATS_BAR_COLUMNS);
    for (size_t i = 0; i < length; i++) text[i] = '#';
    text[length] = 0;
}

/* exact, unlike mic_diag_bytes */
static void stats_block_name(unsigned cls, size_t bytes, char text[MIC_DIAG_TEXT_BYTES])
{
    if (cls == MIC_CLASS_SPAN)
        mic_format(text, MIC_DIAG_TEXT_BYTES, "> %zu KiB", MIC_LARGE_BLOCK_MAX / MIC_KIB);
    else if (bytes % MIC_KIB == 0)
        mic_format(text, MIC_DIAG_TEXT_BYTES, "%zu KiB", bytes / MIC_KIB);
    else
        mic_format(text, MIC_DIAG_TEXT_BYTES, "%zu B", bytes);
}

static void stats_row(const char *name, const mic_class_count_t *row, mic_output_fun *out,
                      void *arg)
{
    char pages[MIC_DIAG_TEXT_BYTES], live[MIC_DIAG_TEXT_BYTES], live_bytes[MIC_DIAG_TEXT_BYTES];
    char page_bytes[MIC_DIAG_TEXT_BYTES], peak[MIC_DIAG_TEXT_BYTES], share[MIC_DIAG_TEXT_BYTES],
        bar[STATS_BAR_COLUMNS + 1];
    stats_bar(row->live_bytes, row->page_bytes, bar);
    mic_report_to(
        out, arg, STATS_ROW, name, mic_diag_count(row->pages, pages),
        mic_diag_count(row->live, live), mic_diag_bytes(row->live_bytes, live_bytes),
        mic_diag_bytes(row->page_bytes, page_bytes), mic_diag_bytes(row->peak_page_bytes, peak),
        stats_share(row->live_bytes, row->page_bytes, share), bar[0] != 0 ? "  " : "", bar);
}

static void stats_rule(mic_output_fun *out, void *arg)
{
    char rule[STATS_ROW_COLUMNS - 1];
    for (size_t i = 0; i < sizeof rule - 1; i++) rule[i] = '-';
    rule[sizeof rule - 1] = 0;
    mic_report_to(out, arg, "  %s\n", rule);
}

void mic_diag_print_classes(const mic_heap_counts_t *counts, mic_output_fun *out, void *arg)
{
    if (counts->pages == 0) {
        mic_report_to(out, arg, "  no blocks in use\n");
        return;
    }
    mic_report_to(out, arg, STATS_ROW, "block size", "pages", "live blocks", "live bytes",
                  "page bytes", "peak", "in use", "", "");
    stats_rule(out, arg);
    for (unsigned i = 0; i <= MIC_CLASS_COUNT; i++) {
        const mic_class_count_t *const row = &counts->classes[i];
        if (row->pages == 0 && row->peak_page_bytes == 0) continue;
        char name[MIC_DIAG_TEXT_BYTES];
        stats_block_name(i, row->block_bytes, name);
        stats_row(name, row, out, arg);
    }
    stats_rule(out, arg);
    const mic_class_count_t total = {.pages = counts->pages,
                                     .live = counts->live,
                                     .live_bytes = counts->live_bytes,
                                     .page_bytes = counts->page_bytes,
                                     .peak_page_bytes = counts->peak_page_bytes};
    stats_row("total", &total, out, arg);
}

static void stats_print_memory(mic_output_fun *out, void *arg)
{
    char a[MIC_DIAG_TEXT_BYTES], b[MIC_DIAG_TEXT_BYTES], c[MIC_DIAG_TEXT_BYTES];
    const uint64_t reserved = mic_load_relaxed(&mic_vm_counts.reserved_bytes);
    const uint64_t purged = mic_load_relaxed(&mic_vm_counts.purged_bytes);
    const uint64_t calls = mic_load_relaxed(&mic_vm_counts.purge_calls);
    mic_report_to(out, arg, "  reserved   %s of address space\n", mic_diag_bytes(reserved, a));
    mic_report_to(out, arg, "  purged     %s in %s calls\n", mic_diag_bytes(purged, b),
                  mic_diag_count(calls, c));
}

/* The name of a part, and its table. */
static void stats_print_part(const char *of, uint64_t number, mic_heap_counts_t *counts,
                             mic_output_fun *out, void *arg)
{
    counts->peak_page_bytes = counts->page_bytes; /* peaks are counted for the process only */
    for (unsigned cls = 0; cls <= MIC_CLASS_COUNT; cls++)
        counts->classes[cls].peak_page_bytes = counts->classes[cls].page_bytes;
    char a[MIC_DIAG_TEXT_BYTES], b[MIC_DIAG_TEXT_BYTES];
    mic_report_to(out, arg, "mimalloc " MIC_DIAG_VERSION " statistics of %s %lu\n", of,
                  (unsigned long)number);
    mic_report_to(out, arg, "  threads    %s live; records of ended threads: %s\n\n",
                  mic_diag_count(counts->threads, a), mic_diag_count(counts->orphans, b));
    mic_diag_print_classes(counts, out, arg);
}

void mic_diag_print_stats(mic_output_fun *out, void *arg)
{
    mic_heap_counts_t counts;
    mic_heap_count(&counts);
    mic_report_to(out, arg, "mimalloc " MIC_DIAG_VERSION " statistics\n");
    mic_diag_print_process_info(out, arg);
    stats_print_memory(out, arg);
    char a[MIC_DIAG_TEXT_BYTES], b[MIC_DIAG_TEXT_BYTES];
    mic_report_to(out, arg, "  threads    %s live; records of ended threads with memory: %s\n\n",
                  mic_diag_count(counts.threads, a), mic_diag_count(counts.orphans, b));
    mic_diag_print_classes(&counts, out, arg);
}

void mic_diag_print_subproc_stats(const mic_subproc_t *subproc, mic_output_fun *out, void *arg)
{
    mic_heap_counts_t counts;
    if (subproc == &mic_subproc_main) {
        mic_diag_print_stats(out, arg);
        return;
    }
    mic_heap_count_subproc(subproc, &counts);
    stats_print_part("sub-process", subproc->index, &counts, out, arg);
}

void mic_diag_print_heap_stats(mic_heap_t *heap, uint64_t number, mic_output_fun *out, void *arg)
{
    mic_heap_counts_t counts;
    mic_heap_count_one(heap, &counts);
    stats_print_part("heap", number, &counts, out, arg);
}

void mic_diag_print_thread_stats(mic_output_fun *out, void *arg)
{
    mic_heap_counts_t counts;
    mic_heap_count_thread(&counts);
    stats_print_part("thread", mic_os_thread_id(), &counts, out, arg);
}
