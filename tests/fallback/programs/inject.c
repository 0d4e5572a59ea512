/* Runs a program of which some system calls fail, by seccomp.

       inject CALL ERRNO N PROGRAM ARG...    the N-th call fails; "N+": and all that follow
       inject CALL ERRNO always PROGRAM ...  all, also those of the loader; no supervisor

   CALL is mmap, mprotect, madvise, mremap, munmap, getrandom, membarrier or a number. With N only
   calls count that the loader does not make: mmap of inaccessible memory or at a fixed place
   without a file, mprotect to read and write. The variable PRELOAD becomes LD_PRELOAD of the
   program. The last line on stderr is "calls: COUNT"; the status is the program's, 99 if it was
   killed by a signal (told before). */
#include "check.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>

static const struct {
    const char *name;
    unsigned number;
} calls[] = {{"mmap", SYS_mmap},
             {"mprotect", SYS_mprotect},
             {"madvise", SYS_madvise},
             {"mremap", SYS_mremap},
             {"munmap", SYS_munmap},
             {"getrandom", SYS_getrandom},
             {"membarrier", SYS_membarrier}};

static unsigned call_number(const char *name)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(name, calls[i].name) == 0) return calls[i].number;
    return (unsigned)strtoul(name, NULL, 10);
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))

/* Returns the listener, or 0. */
static int install(unsigned number, unsigned action, bool loader_too)
{
    struct sock_filter everything[] = {LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
                                       RETURN(action), RETURN(SECCOMP_RET_ALLOW)};
    /* protection 3 = read and write; flag 0x10 = fixed, 0x20 = without a file */
    struct sock_filter mprotect_only[] = {
        LOAD(nr),       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        LOAD(args[2]),  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 1),
        RETURN(action), RETURN(SECCOMP_RET_ALLOW)};
    struct sock_filter mmap_only[] = {
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 6),
        LOAD(args[3]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x20, 0, 4),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x4000, 2, 0), /* a reservation of ours or a stack */
        LOAD(args[2]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
        RETURN(action),
        RETURN(SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof everything / sizeof *everything, everything};
    if (!loader_too && number == SYS_mprotect)
        program = (struct sock_fprog){sizeof mprotect_only / sizeof *mprotect_only, mprotect_only};
    if (!loader_too && number == SYS_mmap)
        program = (struct sock_fprog){sizeof mmap_only / sizeof *mmap_only, mmap_only};
    require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    const unsigned flags = action == SECCOMP_RET_USER_NOTIF ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    const long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    require(listener >= 0);
    return (int)listener;
}

static void start(char **command)
{
    if (getenv("PRELOAD") != NULL) setenv("LD_PRELOAD", getenv("PRELOAD"), 1);
    execv(command[0], command);
    require(!"execv");
}

/* Answers until nobody is left who could call. */
static size_t supervise(int listener, size_t n, bool onward, int error)
{
    size_t count = 0;
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    for (;;) {
        if (poll(&wait, 1, -1) < 0) continue;
        if ((wait.revents & POLLIN) == 0) return count;
        struct seccomp_notif call;
        memset(&call, 0, sizeof call);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
        count++;
        const bool fail = count == n || (onward && count > n);
        struct seccomp_notif_resp answer = {.id = call.id,
                                            .error = fail ? -error : 0,
                                            .flags = fail ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

int main(int argc, char **argv)
{
    require(argc > 4);
    const unsigned number = call_number(argv[1]);
    const int error = atoi(argv[2]);
    if (strcmp(argv[3], "always") == 0) {
        install(number, SECCOMP_RET_ERRNO | (unsigned)error, true);
        start(argv + 4);
    }
    char *end;
    const size_t n = strtoull(argv[3], &end, 10);
    volatile int *const listener =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(listener != MAP_FAILED);
    /* one table of files for both, until the child becomes the program */
    const pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        listener[0] = install(number, SECCOMP_RET_USER_NOTIF, false);
        while (listener[1] == 0) usleep(100);
        require(fcntl(listener[0], F_SETFD, FD_CLOEXEC) == 0);
        start(argv + 4);
    }
    while (listener[0] == 0) {
        require(waitpid(child, NULL, WNOHANG) == 0);
        usleep(100);
    }
    const int fd = listener[0];
    listener[1] = 1;
    const size_t count = supervise(fd, n, *end == '+', error);
    int status;
    require(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) fprintf(stderr, "killed by signal %d\n", WTERMSIG(status));
    fprintf(stderr, "calls: %zu\n", count);
    return WIFSIGNALED(status) ? 99 : WEXITSTATUS(status);
}
