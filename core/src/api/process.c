/* Threads, callbacks, giving memory back, what the process uses. */
#include "api/api.h"
#include "diag/diag.h"
#include "heap/thread.h"
#include "rt/options.h"

void mi_thread_init(void)
{
    const int saved = errno;
    (void)mic_thread_attach();
    errno = saved;
}

void mi_thread_done(void)
{
    const int saved = errno;
    mic_thread_detach(false);
    errno = saved;
}

/* Pages wait for whoever needs one, thread pools included: there is nothing to tune. */
void mi_thread_set_in_threadpool(void) {}

void mi_register_deferred_free(mi_deferred_free_fun *deferred_free, void *arg)
{
    mic_register_deferred(deferred_free, arg);
}

void mi_register_output(mi_output_fun *out, void *arg)
{
    /* what it may warn of comes before: at the first malloc the function could not allocate */
    mic_options_init();
    mic_report_set_output(out, arg);
}

void mi_register_error(mi_error_fun *fun, void *arg) { mic_report_set_error(fun, arg); }

void mi_collect(bool force)
{
    const int saved = errno;
    mic_collect(force);
    errno = saved;
}

void mi_collect_reduce(size_t target_thread_owned)
{
    (void)target_thread_owned; /* no more can be given back by knowing it */
    mi_collect(true);
}

int mi_version(void) { return MI_MALLOC_VERSION; }

bool mi_is_redirected(void) { return false; }

static void process_store(size_t *to, uint64_t value)
{
    if (to != NULL) *to = (size_t)value;
}

void mi_process_info(size_t *elapsed_msecs, size_t *user_msecs, size_t *system_msecs,
                     size_t *current_rss, size_t *peak_rss, size_t *current_commit,
                     size_t *peak_commit, size_t *page_faults)
{
    mic_diag_process_t process;
    mic_diag_process_get(&process);
    process_store(elapsed_msecs, process.elapsed_ms);
    process_store(user_msecs, process.user_ms);
    process_store(system_msecs, process.system_ms);
    process_store(current_rss, process.rss_bytes);
    process_store(peak_rss, process.rss_peak_bytes);
    process_store(current_commit, process.committed_bytes);
    process_store(peak_commit, process.committed_peak_bytes);
    process_store(page_faults, process.page_faults);
}
