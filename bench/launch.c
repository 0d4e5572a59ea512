/*
 * launch: runs one program and says what it used. Linked statically and kept tiny, because a child
 * starts with the maximum resident size of the process that forked it.
 *
 *   launch [-o FILE] [-p LIBRARY] [-e NAME=VALUE]... [-m] PROGRAM [ARGUMENT]...
 *
 *   -o  write the line of JSON to FILE and not to standard error
 *   -p  preload LIBRARY in PROGRAM, and only there
 *   -e  set a variable in PROGRAM's environment
 *   -m  stop PROGRAM at its exit and read its private memory (smaps_rollup) as well
 *
 * Times are of the program and the children it waited for, in seconds. Peak memory is the largest
 * of any one of these processes. Average memory is of the program itself, sampled every 25 ms.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLE_MS = 25, VARIABLES_MOST = 16 };

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

static void fail(const char *what)
{
    fprintf(stderr, "launch: %s: %s\n", what, strerror(errno));
    _exit(125);
}

/* Reads a small file of the child's in /proc; false when it is gone. */
static int read_proc(pid_t child, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)child, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, size - 1);
    close(file);
    if (length <= 0) return 0;
    text[length] = 0;
    return 1;
}

static long resident_kib(pid_t child)
{
    char text[256];
    long total, resident;
    if (!read_proc(child, "statm", text, sizeof text)) return 0;
    if (sscanf(text, "%ld %ld", &total, &resident) != 2) return 0;
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static long rollup_kib(const char *text, const char *field)
{
    const char *at = strstr(text, field);
    return at == NULL ? -1 : atol(at + strlen(field));
}

static long private_dirty_kib = -1;

/* Lets a traced child run to its exit, reads its memory there, and lets it go. */
static void trace_to_exit(pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) fail("no first stop");
    ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT);
    int signal = 0;
    for (;;) {
        ptrace(PTRACE_CONT, child, 0, signal);
        if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) fail("no stop at exit");
        if (status >> 16 == PTRACE_EVENT_EXIT) break;
        signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    }
    char text[4096];
    if (read_proc(child, "smaps_rollup", text, sizeof text))
        private_dirty_kib = rollup_kib(text, "Private_Dirty:");
    ptrace(PTRACE_DETACH, child, 0, 0);
}

int main(int argc, char **argv)
{
    const char *output = NULL, *preload = NULL;
    char *variables[VARIABLES_MOST];
    int variable_count = 0, measures_memory = 0, option;
    while ((option = getopt(argc, argv, "+o:p:e:m")) != -1) {
        if (option == 'o')
            output = optarg;
        else if (option == 'p')
            preload = optarg;
        else if (option == 'e' && variable_count < VARIABLES_MOST)
            variables[variable_count++] = optarg;
        else if (option == 'm')
            measures_memory = 1;
        else
            return 125;
    }
    if (optind >= argc) return 125;

    sigset_t child_ended;
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ended, NULL);

    double start = now_seconds();
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        sigprocmask(SIG_UNBLOCK, &child_ended, NULL);
        for (int i = 0; i < variable_count; i++) putenv(variables[i]);
        if (preload != NULL) setenv("LD_PRELOAD", preload, 1);
        if (measures_memory) ptrace(PTRACE_TRACEME, 0, 0, 0);
        execvp(argv[optind], argv + optind);
        fail(argv[optind]);
    }
    if (measures_memory) trace_to_exit(child);

    /* The rest: sample until the child has ended. */
    int status;
    struct rusage usage;
    double sum_kib = 0;
    long samples = 0;
    const struct timespec pause = {0, SAMPLE_MS * 1000000};
    pid_t ended;
    while ((ended = wait4(child, &status, WNOHANG, &usage)) == 0) {
        if (sigtimedwait(&child_ended, NULL, &pause) >= 0) continue;
        long kib = resident_kib(child);
        if (kib > 0) {
            sum_kib += (double)kib;
            samples++;
        }
    }
    double wall = now_seconds() - start;
    if (ended != child) fail("wait4");

    FILE *to = output == NULL ? stderr : fopen(output, "w");
    if (to == NULL) fail(output);
    fprintf(to,
            "{\"status\": %d, \"wall\": %.6f, \"user\": %.6f, \"system\": %.6f, "
            "\"peak_kib\": %ld, \"average_kib\": %.1f, \"samples\": %ld, "
            "\"minor_faults\": %ld, \"major_faults\": %ld, \"switches\": %ld, "
            "\"private_dirty_kib\": %ld}\n",
            status, wall, seconds_of(usage.ru_utime), seconds_of(usage.ru_stime), usage.ru_maxrss,
            samples > 0 ? sum_kib / (double)samples : (double)usage.ru_maxrss, samples,
            usage.ru_minflt, usage.ru_majflt, usage.ru_nvcsw + usage.ru_nivcsw, private_dirty_kib);
    fclose(to);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
