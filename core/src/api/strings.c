/* Copies of strings. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"

/* `length` bytes of s and a terminator */
static char *string_copy_in(mic_theap_t *theap, const char *s, size_t length)
{
    char *const copy = theap == NULL ? NULL : (char *)mic_malloc_in(theap, length + 1);
    if (copy == NULL) return NULL;
    memcpy(copy, s, length);
    copy[length] = 0;
    return copy;
}

static char *string_copy(const char *s, size_t length)
{
    return string_copy_in(mic_tls.theap, s, length);
}

char *mi_strdup(const char *s) { return s == NULL ? NULL : string_copy(s, strlen(s)); }

char *mi_strndup(const char *s, size_t n)
{
    return s == NULL ? NULL : string_copy(s, strnlen(s, n));
}

unsigned char *mi_mbsdup(const unsigned char *s)
{
    return (unsigned char *)mi_strdup((const char *)s);
}

wchar_t *mi_wcsdup(const wchar_t *s)
{
    if (s == NULL) return NULL;
    const size_t bytes = (wcslen(s) + 1) * sizeof(wchar_t);
    wchar_t *const copy = (wchar_t *)mic_malloc(bytes);
    if (copy != NULL) memcpy(copy, s, bytes);
    return copy;
}

char *mi_heap_strdup(mi_heap_t *heap, const char *s)
{
    return s == NULL ? NULL : string_copy_in(mic_api_theap(heap), s, strlen(s));
}

char *mi_heap_strndup(mi_heap_t *heap, const char *s, size_t n)
{
    return s == NULL ? NULL : string_copy_in(mic_api_theap(heap), s, strnlen(s, n));
}

char *mi_realpath(const char *fname, char *resolved_name)
{
    if (resolved_name != NULL) return realpath(fname, resolved_name);
    /* not realpath(fname, NULL): that block would be libc's where malloc is not replaced */
    char path[PATH_MAX];
    const int saved = errno; /* readlink of what is no link is an error to libc, not to us */
    if (realpath(fname, path) == NULL) return NULL;
    errno = saved;
    return mi_strdup(path);
}

char *mi_heap_realpath(mi_heap_t *heap, const char *fname, char *resolved_name)
{
    if (resolved_name != NULL) return realpath(fname, resolved_name);
    char path[PATH_MAX];
    const int saved = errno;
    if (realpath(fname, path) == NULL) return NULL;
    errno = saved;
    return mi_heap_strdup(heap, path);
}

int mi_dupenv_s(char **buf, size_t *size, const char *name)
{
    if (size != NULL) *size = 0;
    if (buf == NULL) return EINVAL;
    *buf = NULL;
    if (name == NULL) return EINVAL;

    const char *const value = getenv(name);
    if (value == NULL) return 0;
    const int saved = errno;
    const size_t length = strlen(value);
    *buf = string_copy(value, length);
    if (*buf == NULL) {
        errno = saved;
        return ENOMEM;
    }
    if (size != NULL) *size = length + 1;
    return 0;
}

int mi_wdupenv_s(wchar_t **buf, size_t *size, const wchar_t *name)
{
    (void)name;
    if (buf != NULL) *buf = NULL;
    if (size != NULL) *size = 0;
    return EINVAL;
}
