/* Counts, by single steps, the instructions from the entry of malloc, of free and of mi_heap_malloc
 * to their return.
 *
 *     fast_path count LIBRARY    runs itself with LIBRARY preloaded and steps through its calls;
 *                                prints "malloc SIZE COUNT", "heap_malloc ...", "free ...", a line a call
 *     fast_path calls            what is stepped through
 *
 * The calls go through a pointer that the linker resolved, so neither the PLT nor the caller is
 * counted; the `ret` is. x86-64 and Linux only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARM = 500, MEASURED = 200, TOO_MANY = 1000000 };

typedef void *heap_malloc_fun(void *heap, size_t size);

static const size_t sizes[] = {8, 16, 24, 40, 64, 100, 128, 200, 256, 400, 512, 1000, 1024};

/* traced_call(function, argument, name, size): `int3` tells the tracer that a call follows. It
 * finds the function in rax, the name in rdx, and the size in rcx, which the function gets as its
 * second argument. */
void *traced_call(void *function, uintptr_t argument, uintptr_t name, uintptr_t size);
__asm__(".text\n"
        ".globl traced_call\n"
        "traced_call:\n"
        "    push %rbx\n" /* the call below needs an aligned stack */
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdi\n"
        "    mov %rcx, %rsi\n"
        "    int3\n"
        "    call *%rax\n"
        "    pop %rbx\n"
        "    ret\n");

static void *find(const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    if (found == NULL) exit(3);
    return found;
}

/* A few blocks are live and are replaced at random, so that no page becomes empty or full. */
static void calls_of_size(size_t size, void *allocate, uintptr_t heap, void *free_)
{
    enum { LIVE = 16 };
    const char name = heap == 0 ? 'm' : 'h';
    void *live[LIVE] = {NULL};
    unsigned state = 1;
    for (int i = 0; i < LIVE + WARM + MEASURED; i++) {
        state = state * 1664525u + 1013904223u;
        void **slot = &live[i < LIVE ? (unsigned)i : state >> 28];
        if (i < LIVE + WARM) {
            free(*slot);
            *slot = heap == 0 ? malloc(size) : ((heap_malloc_fun *)allocate)((void *)heap, size);
        } else {
            traced_call(free_, (uintptr_t)*slot, 'f', size);
            *slot = traced_call(allocate, heap == 0 ? size : heap, (uintptr_t)name, size);
        }
        memset(*slot, i, size);
    }
    for (int i = 0; i < LIVE; i++) free(live[i]);
}

static int calls(void)
{
    void *malloc_ = find("malloc"), *free_ = find("free"), *heap_malloc = find("mi_heap_malloc");
    void *(*heap_new)(void) = (void *(*)(void))(uintptr_t)find("mi_heap_new");
    uintptr_t heap = (uintptr_t)heap_new();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        calls_of_size(sizes[i], malloc_, 0, free_);
        calls_of_size(sizes[i], heap_malloc, heap, free_);
    }
    return 0;
}

static void step(pid_t pid)
{
    int status;
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 || waitpid(pid, &status, 0) != pid ||
        !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
        fputs("single step failed\n", stderr);
        exit(4);
    }
}

/* The child stands behind `int3`, before the call. */
static void count_call(pid_t pid)
{
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, pid, NULL, &regs);
    unsigned long long entry = regs.rax, name = regs.rdx, size = regs.rcx;
    step(pid);
    ptrace(PTRACE_GETREGS, pid, NULL, &regs);
    if (regs.rip != entry) exit(5);
    unsigned long long stack = regs.rsp, back = (unsigned long long)ptrace(PTRACE_PEEKDATA, pid,
                                                                           (void *)regs.rsp, NULL);
    long count = 0;
    do {
        step(pid);
        ptrace(PTRACE_GETREGS, pid, NULL, &regs);
    } while (++count < TOO_MANY && !(regs.rip == back && regs.rsp == stack + 8));
    printf("%s %llu %ld\n",
           name == 'm'   ? "malloc"
           : name == 'h' ? "heap_malloc"
                         : "free",
           size, count);
}

static int count(const char *library)
{
    pid_t pid = fork();
    if (pid == 0) {
        setenv("LD_PRELOAD", library, 1);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execl("/proc/self/exe", "fast_path", "calls", (char *)NULL);
        _exit(127);
    }
    int status, started = 0;
    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        int number = WSTOPSIG(status);
        if (number == SIGTRAP) {
            if (started++) count_call(pid); /* the first stop is that of exec */
            number = 0;
        }
        ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)number);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "the program that was stepped through ended with wait status %d\n", status);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "count") == 0) return count(argv[2]);
    if (argc == 2 && strcmp(argv[1], "calls") == 0) return calls();
    return fputs("usage: fast_path count LIBRARY\n", stderr), 2;
}
