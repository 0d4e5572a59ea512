/* What of a range is in memory: runs of OS pages, from the answers of the system for some pages at
   a time. Any thread. */
#include "os/os.h"

#define RESIDENT_CHUNK 512 /* OS pages that are asked for at a time */

bool mic_os_each_run(const void *address, size_t bytes, mic_os_run_fun *fun, void *arg)
{
    unsigned char in[RESIDENT_CHUNK];
    const size_t page = mic_os_info.page_bytes;
    const size_t pages = bytes / page;
    for (size_t done = 0; done < pages; done += RESIDENT_CHUNK) {
        const size_t left = pages - done;
        const size_t n = left < RESIDENT_CHUNK ? left : RESIDENT_CHUNK;
        char *const from = (char *)(uintptr_t)address + done * page;
        mic_os_in_memory(from, n, in);
        for (size_t i = 0, end; i < n; i = end) {
            const bool resident = (in[i] & 1) != 0;
            for (end = i + 1; end < n && ((in[end] & 1) != 0) == resident;) end++;
            if (!fun(from + i * page, (end - i) * page, resident, arg)) return false;
        }
    }
    return true;
}

static bool resident_add(void *start, size_t bytes, bool resident, void *arg)
{
    (void)start;
    if (resident) *(size_t *)arg += bytes;
    return true;
}

size_t mic_os_resident(const void *address, size_t bytes)
{
    size_t resident = 0;
    (void)mic_os_each_run(address, bytes, resident_add, &resident);
    return resident;
}
