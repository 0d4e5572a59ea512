/* Allocates in two threads and in a child, then prints the value of option number argv[1]. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *work(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < 1000; i++) free(malloc(i * 50));
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    pid_t pid = fork();
    if (pid == 0) return work(NULL) != NULL;
    waitpid(pid, NULL, 0);
    long (*get)(int) = (long (*)(int))dlsym(RTLD_DEFAULT, "mi_option_get");
    if (argc > 1 && get != NULL) printf("%ld\n", get(atoi(argv[1])));
    return 0;
}
