/* See api_test.h. */
#include <sys/wait.h>
#include <unistd.h>

#include "api_test.h"

static volatile uintptr_t api_zero; /* 0, which the compiler cannot know */

size_t api_opaque(size_t value) { return value + api_zero; }

void *api_opaque_pointer(void *p) { return (char *)p + api_zero; }

bool api_is_zero(const void *p, size_t bytes)
{
    const unsigned char *const b = (const unsigned char *)p;
    for (size_t i = 0; i < bytes; i++)
        if (b[i] != 0) return false;
    return true;
}

static unsigned char api_pattern(size_t i, unsigned seed)
{
    return (unsigned char)(1 + (i * 31 + seed * 17) % 255); /* never 0 */
}

void api_fill(void *p, size_t bytes, unsigned seed)
{
    unsigned char *const b = (unsigned char *)p;
    for (size_t i = 0; i < bytes; i++) b[i] = api_pattern(i, seed);
}

bool api_is_filled(const void *p, size_t bytes, unsigned seed)
{
    const unsigned char *const b = (const unsigned char *)p;
    for (size_t i = 0; i < bytes; i++)
        if (b[i] != api_pattern(i, seed)) return false;
    return true;
}

void api_use_all(void *p)
{
    p = api_opaque_pointer(p); /* more than was asked for: the point of the test */
    const size_t usable = mi_usable_size(p);
    api_fill(p, usable, 5);
    assert_true(api_is_filled(p, usable, 5));
}

void api_soil(void)
{
    enum { BLOCKS = 8 };
    for (size_t size = 8; size <= 4 * 1024 * 1024; size = size < 64 ? size + 8 : size * 5 / 4) {
        void *blocks[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = mi_malloc(size);
            assert_non_null(blocks[i]);
            memset(blocks[i], 0xee, size);
        }
        for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
        if (size > 1024 * 1024) size *= 2; /* a few are enough */
    }
}

/* ---- recorder ---- */

api_record_t api_record;

void api_record_out(const char *text, void *arg)
{
    (void)arg;
    const size_t length = strlen(text);
    if (api_record.length + length >= sizeof api_record.text) return;
    memcpy(api_record.text + api_record.length, text, length + 1);
    api_record.length += length;
}

static void api_record_error(int error, void *arg)
{
    (void)arg;
    api_record.errors++;
    api_record.last_error = error;
}

void api_record_start(void)
{
    mi_option_enable(mi_option_show_errors);
    mi_option_set(mi_option_max_errors, -1);
    mi_register_output(api_record_out, NULL);
    mi_register_error(api_record_error, NULL);
    memset(&api_record, 0, sizeof api_record); /* early messages were replayed just now */
}

void api_record_stop(void)
{
    mi_register_output(NULL, NULL);
    mi_register_error(NULL, NULL);
}

/* ---- children ---- */

int api_run_child(void (*run)(void *arg), void *arg, char *stderr_text, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        run(arg);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], stderr_text + length, size - 1 - length)) > 0) length += (size_t)got;
    stderr_text[length] = 0;
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}
