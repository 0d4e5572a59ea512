/* Printing: everything goes through the function given, or to where messages go. */
#include "api/api.h"
#include "diag/diag.h"
#include "rt/options.h"

void mi_process_info_print(void) { mic_diag_print_process_info(NULL, NULL); }

void mi_process_info_print_out(mi_output_fun *out, void *arg)
{
    mic_diag_print_process_info(out, arg);
}

void mi_options_print(void) { mi_options_print_out(NULL, NULL); }

void mi_options_print_out(mi_output_fun *out, void *arg)
{
    mic_report_to(out, arg, "mimalloc " MIC_DIAG_VERSION "\n");
    mic_options_print(out, arg);
}

void mi_stats_print(void *out)
{
    (void)out; /* was a FILE* in old versions */
    mic_diag_print_stats(NULL, NULL);
}

void mi_stats_print_out(mi_output_fun *out, void *arg) { mic_diag_print_stats(out, arg); }

void mi_thread_stats_print_out(mi_output_fun *out, void *arg)
{
    mic_diag_print_thread_stats(out, arg);
}
