/* See judge.h. */
#define _GNU_SOURCE
#include "judge.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_SECONDS 120
#define LIMIT_LOOP_MS 800 /* of the processor: a loop without end is seen sooner */
#define LIMIT_LOOP_OF_CONTROLS_MS 8000
#define MAX_ENVIRONMENT 64

static bool is_of_allocators(const char *variable)
{
    static const char *const prefixes[] = {"LD_PRELOAD=", "MIMALLOC_", "MALLOC_",
                                           "GLIBC_TUNABLES=", "MI_TEST_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

_Noreturn static void start(const death_group_t *group, const death_case_t *c,
                            const judge_how_t *how, int shared_fd, int text_fd)
{
    static char preload[4096], fd_text[16];
    static const char *environment[MAX_ENVIRONMENT + 1];
    size_t n = 0;
    for (char **e = environ; *e != NULL && n < MAX_ENVIRONMENT / 2; e++)
        if (!is_of_allocators(*e)) environment[n++] = *e;
    if (how->library != NULL) {
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", how->library);
        environment[n++] = preload;
    }
    /* A message is what release builds have; that memory is short is no news of a mistake. */
    environment[n++] =
        strcmp(group->name, "limits") != 0 ? "MIMALLOC_SHOW_ERRORS=1" : "MIMALLOC_SHOW_ERRORS=0";
    for (const char **e = how->environment; e != NULL && *e != NULL && n < MAX_ENVIRONMENT; e++)
        environment[n++] = *e;
    environment[n] = NULL;
    dup2(text_fd, 2);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    const bool control = strcmp(group->name, "control") == 0;
    const int ms = control ? LIMIT_LOOP_OF_CONTROLS_MS : LIMIT_LOOP_MS;
    setrlimit(RLIMIT_CPU, &(struct rlimit){10, 10}); /* its children have no timers */
    setitimer(ITIMER_VIRTUAL, &(struct itimerval){{0, 0}, {ms / 1000, ms % 1000 * 1000}}, NULL);
    alarm(LIMIT_SECONDS);
    snprintf(fd_text, sizeof fd_text, "%d", shared_fd);
    const char *const arguments[] = {"death-case",
                                     "--run",
                                     group->name,
                                     c->name,
                                     fd_text,
                                     how->few ? "few" : "many",
                                     how->thread ? "thread" : "main",
                                     NULL};
    execve("/proc/self/exe", (char *const *)arguments, (char *const *)environment);
    _exit(127);
}

static char judge(const death_shared_t *shared, int status, size_t text_bytes)
{
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const bool later = shared->phase >= DEATH_AFTER;
    if (signal == SIGALRM || signal == SIGVTALRM) return 'H';
    if (signal == 0 && shared->harm == DEATH_SKIPPED) return 'S';
    if (shared->harm == DEATH_HARMED) return 'M';
    if (shared->phase == DEATH_SETUP || (signal == 0 && WEXITSTATUS(status) != 0)) return 'E';
    if (shared->access && (signal == SIGSEGV || signal == SIGBUS)) return 'G';
    if (signal == SIGABRT || signal == SIGILL || signal == SIGTRAP) return later ? 'L' : 'D';
    if (signal != 0) return 'C';
    if (text_bytes > 0) return shared->text_bytes > 0 ? 'D' : 'L';
    return shared->harm == DEATH_CHANGED ? 'M' : 'P';
}

void judge_run(const death_group_t *group, const death_case_t *c, const judge_how_t *how,
               judge_result_t *result)
{
    memset(result, 0, sizeof *result);
    result->outcome = 'E';
    const int shared_fd = memfd_create("shared", 0), text_fd = memfd_create("text", MFD_CLOEXEC);
    death_shared_t *shared = MAP_FAILED;
    if (shared_fd >= 0 && text_fd >= 0 && ftruncate(shared_fd, sizeof *shared) == 0)
        shared = mmap(NULL, sizeof *shared, PROT_READ, MAP_SHARED, shared_fd, 0);
    if (shared == MAP_FAILED) {
        perror("corpus: memfd_create");
        exit(1);
    }
    const pid_t pid = fork();
    if (pid == 0) start(group, c, how, shared_fd, text_fd);
    if (pid > 0 && waitpid(pid, &result->status, 0) == pid) {
        const ssize_t got = pread(text_fd, result->text, sizeof result->text - 1, 0);
        result->text[got > 0 ? got : 0] = 0;
        result->outcome = judge(shared, result->status, (size_t)(got > 0 ? got : 0));
        result->address = shared->address;
        memcpy(result->why, shared->why, sizeof result->why - 1);
    }
    munmap(shared, sizeof *shared);
    close(shared_fd);
    close(text_fd);
}
