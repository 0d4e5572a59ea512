/* Start and end of the process: the block of MIMALLOC_VERBOSE=1, the clock that `elapsed` counts
   from, statistics at exit, and what the process used so far. */
#include "diag/diag.h"

#include "base/config.h"
#include "heap/thread.h"
#include "os/os.h"
#include "rt/options.h"
#include "vm/arena.h"

/* The names of all variables: something that mic_os_getenv does not tell. */
extern char **environ;

static mic_atomic(uint64_t) diag_started_ns; /* [atomic: relaxed] 0 = not yet */
static mic_atomic(uint32_t) diag_exit_printed;

const char *mic_diag_mode(void)
{
    if (CFG_DEBUG) return "debug";
    if (CFG_HARDENED) return "hardened";
    return CFG_SECURE ? "secure" : "release";
}

static void print_region(void)
{
    char size[MIC_DIAG_TEXT_BYTES];
    if (!mic_process_start()) {
        mic_report("region      none: no address space");
        return;
    }
    mic_report("region      %s of address space at %p",
               mic_diag_bytes(mic_arenas[0].slice_count << MIC_SLICE_SHIFT, size),
               (void *)mic_arenas[0].base);
}

void mic_diag_print_start(void)
{
    uint64_t expected = 0;
    if (!mic_cas_acquire(&diag_started_ns, &expected, mic_os_clock_ns())) return;
    if (mic_option(MIC_OPTION_VERBOSE) <= 0) return;
    mic_report("version     " MIC_DIAG_VERSION);
    mic_report("build       %s%s", mic_diag_mode(), MIC_OVERRIDE ? ", replaces malloc" : "");
    print_region();
    const bool all = mic_option(MIC_OPTION_VERBOSE) > 1;
    mic_report("options     %s:", all ? "all" : "changed");
    if (mic_options_print_values("mimalloc:   ", all, NULL, NULL) == 0) mic_report("  none");
    mic_options_check_names((const char *const *)environ);
}

void mic_diag_print_exit(void)
{
    if (mic_option(MIC_OPTION_SHOW_STATS) <= 0) return;
    uint32_t expected = 0;
    if (mic_cas_acquire(&diag_exit_printed, &expected, 1)) mic_diag_print_stats(NULL, NULL);
}

void mic_diag_process_get(mic_diag_process_t *process)
{
    mic_os_process_t os;
    mic_os_process_info(&os);
    const uint64_t started = mic_load_relaxed(&diag_started_ns);
    *process = (mic_diag_process_t){
        .elapsed_ms = started == 0 ? 0 : (mic_os_clock_ns() - started) / 1000000u,
        .user_ms = os.user_ms,
        .system_ms = os.system_ms,
        .rss_bytes = os.rss_bytes,
        .rss_peak_bytes = os.peak_rss_bytes,
        .committed_bytes = mic_load_relaxed(&mic_vm_counts.committed_bytes),
        .committed_peak_bytes = mic_load_relaxed(&mic_vm_counts.committed_peak),
        .page_faults = os.page_faults,
    };
    /* read after each other while others run: a peak is never below what was just seen */
    if (process->rss_peak_bytes < process->rss_bytes) process->rss_peak_bytes = process->rss_bytes;
    if (process->committed_peak_bytes < process->committed_bytes)
        process->committed_peak_bytes = process->committed_bytes;
}

void mic_diag_print_process_info(mic_output_fun *out, void *arg)
{
    mic_diag_process_t process;
    mic_diag_process_get(&process);
    char a[MIC_DIAG_TEXT_BYTES], b[MIC_DIAG_TEXT_BYTES], c[MIC_DIAG_TEXT_BYTES];
    mic_report_to(out, arg, "  time       elapsed %s, user %s, system %s\n",
                  mic_diag_seconds(process.elapsed_ms, a), mic_diag_seconds(process.user_ms, b),
                  mic_diag_seconds(process.system_ms, c));
    mic_report_to(out, arg, "  resident   %s, peak %s, page faults %s\n",
                  mic_diag_bytes(process.rss_bytes, a), mic_diag_bytes(process.rss_peak_bytes, b),
                  mic_diag_count(process.page_faults, c));
    mic_report_to(out, arg, "  committed  %s, peak %s\n",
                  mic_diag_bytes(process.committed_bytes, a),
                  mic_diag_bytes(process.committed_peak_bytes, b));
}
