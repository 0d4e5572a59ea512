/* launcher REPORT PRELOAD PROGRAM [ARGUMENT...]
 *
 * Runs PROGRAM with PRELOAD (a path, or "-" for none) in LD_PRELOAD and writes one line to REPORT:
 *
 *     wait-status user-seconds system-seconds peak-KiB loaded
 *
 * "loaded" is 1 when PRELOAD was seen in /proc/PID/maps while PROGRAM ran. The launcher is linked
 * statically: it is small, so that the peak of its own memory, which a child inherits in
 * ru_maxrss, does not show; and LD_PRELOAD means nothing to it. When the one who started it dies,
 * it ends with its whole process group, so that nothing is left behind.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int maps_contain(pid_t pid, const char *path)
{
    static char line[8192];
    snprintf(line, sizeof line, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(line, "r");
    if (maps == NULL) return 0;
    int found = 0;
    while (!found && fgets(line, sizeof line, maps) != NULL) found = strstr(line, path) != NULL;
    fclose(maps);
    return found;
}

/* Looks often at first, then now and then, until the library shows up or the program ends. */
static int wait_and_look(pid_t pid, const char *path, int *status, struct rusage *usage)
{
    int loaded = 0;
    long pause_ns = 200 * 1000;
    while (!loaded) {
        pid_t ended = wait4(pid, status, WNOHANG, usage);
        if (ended == pid) return loaded;
        loaded = maps_contain(pid, path);
        nanosleep(&(struct timespec){0, pause_ns}, NULL);
        if (pause_ns < 10 * 1000 * 1000) pause_ns += pause_ns / 8;
    }
    while (wait4(pid, status, 0, usage) < 0 && errno == EINTR) {
    }
    return loaded;
}

static void end_all(int signal_number)
{
    (void)signal_number;
    kill(0, SIGKILL);
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

int main(int argc, char **argv)
{
    if (argc < 4) return fputs("usage: launcher REPORT PRELOAD PROGRAM [ARGUMENT...]\n", stderr), 2;
    const char *preload = strcmp(argv[2], "-") == 0 ? NULL : argv[2];
    if (getpgrp() == getpid()) {
        signal(SIGUSR1, end_all);
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
    }
    pid_t pid = fork();
    if (pid < 0) return perror("launcher: fork"), 2;
    if (pid == 0) {
        if (preload != NULL) setenv("LD_PRELOAD", preload, 1);
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        _exit(127);
    }
    int status = 0, loaded = 0;
    struct rusage usage;
    memset(&usage, 0, sizeof usage);
    if (preload != NULL) {
        loaded = wait_and_look(pid, preload, &status, &usage);
    } else {
        while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
        }
    }
    FILE *report = fopen(argv[1], "w");
    if (report == NULL) return perror(argv[1]), 2;
    fprintf(report, "%d %.6f %.6f %ld %d\n", status, seconds(usage.ru_utime),
            seconds(usage.ru_stime), usage.ru_maxrss, loaded);
    return fclose(report) != 0;
}
