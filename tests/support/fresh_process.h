/* Cases that need a process whose allocator has not started yet, or that spoil theirs: the test runs
   itself again with the case's name, and `before` of the case comes before the library's own
   constructor (settings of the fake operating system). Include once, in the test itself.

   fresh_run(name, argument) is for the test's main program: cmocka tests call it. The test's main
   starts with: if (argc > 1) return fresh_main(argc, argv); */
#ifndef FRESH_PROCESS_H
#define FRESH_PROCESS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct fresh_case {
    const char *name;
    void (*before)(long argument); /* may be NULL */
    void (*run)(long argument);
} fresh_case_t;

/* the test's own table; the last name is NULL */
extern const fresh_case_t fresh_cases[];

static const fresh_case_t *fresh_find(const char *name)
{
    for (const fresh_case_t *c = fresh_cases; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0) return c;
    return NULL;
}

__attribute__((constructor(101))) static void fresh_before(int argc, char **argv)
{
    const fresh_case_t *const c = argc == 3 ? fresh_find(argv[1]) : NULL;
    if (c != NULL && c->before != NULL) c->before(atol(argv[2]));
}

static int fresh_main(int argc, char **argv)
{
    const fresh_case_t *const c = argc == 3 ? fresh_find(argv[1]) : NULL;
    if (c == NULL) return 2;
    alarm(1000); /* the machine may be busy; a hang ends here */
    c->run(atol(argv[2]));
    return 0;
}

/* 0 if the case passed */
static int fresh_run(const char *name, long argument)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", argument);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", name, name, text, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
    if (status != 0) fprintf(stderr, "case %s %s: status %#x\n", name, text, (unsigned)status);
    return status;
}

/* a check inside of a case */
#define fresh_require(x) ((x) ? (void)0 : fresh_failed(#x, __FILE__, __LINE__))
static inline void fresh_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    _exit(1);
}

#endif
