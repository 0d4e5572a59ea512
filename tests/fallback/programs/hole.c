/* An mremap that fails after it has dropped the target, as Linux before 6.17 does when the source is
   more than one mapping. One page, with which the library tries it out, is moved. To be preloaded. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mremap(void *from, size_t old_bytes, size_t new_bytes, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    void *const to = va_arg(rest, void *);
    va_end(rest);
    if (old_bytes <= 4096)
        return (void *)syscall(SYS_mremap, from, old_bytes, new_bytes, flags, to);
    if (flags & MREMAP_FIXED) munmap(to, new_bytes);
    if (write(2, "hole made\n", 10) < 0) _exit(3);
    errno = ERROR;
    return MAP_FAILED;
}
