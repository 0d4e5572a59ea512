/* The order of blocks and the canaries are others in each process, also in those where getrandom
   fails, and in each forked child; in builds that randomise. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "api_test.h"

enum { BLOCKS = 24, PROCESSES = 6 };

typedef struct sample {
    size_t order[BLOCKS]; /* distances between consecutive blocks */
    uint64_t canary;
} sample_t;

static sample_t *samples; /* shared with the children */

static void take_sample(sample_t *sample)
{
    char *before = mi_malloc(40);
    for (size_t i = 0; i < BLOCKS; i++) {
        char *const p = mi_malloc(40);
        sample->order[i] = (size_t)(p - before);
        before = p;
    }
    memcpy(&sample->canary, before + mi_usable_size(before), sizeof sample->canary);
}

static void sample_child(void *arg) { take_sample(arg); }

static bool forbid_getrandom(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void forbidden_child(void *arg)
{
    if (!forbid_getrandom()) _exit(77);
    take_sample(arg);
}

static void assert_all_differ(bool canaries)
{
    for (int i = 0; i < PROCESSES; i++) {
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(samples[i].order, samples[j].order, sizeof samples[i].order);
            if (canaries) assert_true(samples[i].canary != samples[j].canary);
        }
        assert_int_equal(samples[i].canary & 255, 0);
        assert_true(samples[i].canary != 0);
    }
}

/* Children of a process that has not allocated yet: each starts anew. */
static void processes_differ(void **state)
{
    (void)state;
    char text[100];
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(api_run_child(sample_child, &samples[i], text, sizeof text), 0);
    assert_all_differ(true);
}

static void processes_without_getrandom_differ(void **state)
{
    (void)state;
    char text[100];
    for (int i = 0; i < PROCESSES; i++) {
        const int status = api_run_child(forbidden_child, &samples[i], text, sizeof text);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
        assert_int_equal(status, 0);
    }
    assert_all_differ(true);
}

/* Children of a process that allocated have its canaries, but an order of their own. */
static void forked_children_differ(void **state)
{
    (void)state;
    char text[100];
    mi_free(mi_malloc(40));
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(api_run_child(sample_child, &samples[i], text, sizeof text), 0);
    assert_all_differ(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_differ),
        cmocka_unit_test(processes_without_getrandom_differ),
        cmocka_unit_test(forked_children_differ),
    };
    if (!API_CANARY) return 77;
    samples = mmap(NULL, sizeof *samples * PROCESSES, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (samples == MAP_FAILED) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
