/* Permanent metadata (thread records, heaps): a reserved range that is committed as it fills, never
   given back, far from user memory. Any thread. */
#include "base/check.h"
#include "os/os.h"
#include "rt/counters.h"
#include "rt/lock.h"
#include "vm/vm_internal.h"

#define META_RESERVE_MAX (MIC_GIB)
#define META_COMMIT_STEP ((size_t)64 * MIC_KIB)

static mic_lock_t meta_lock = MIC_LOCK_INIT(MIC_RANK_META);
static char *meta_next, *meta_committed, *meta_end; /* [lock: meta] */

/* A new range when the present one is used up; all sizes down to the request are tried. */
static bool meta_reserve_locked(size_t bytes)
{
    size_t size = META_RESERVE_MAX;
    if (mic_os_info.address_limit != SIZE_MAX)
        size = mic_min(size, mic_align_up(mic_os_info.address_limit / 64, META_COMMIT_STEP));
    const size_t least = mic_align_up(bytes, META_COMMIT_STEP);
    for (size = mic_max(size, least);; size /= 2) {
        size = mic_align_up(mic_max(size, least), META_COMMIT_STEP);
        void *p;
        if (mic_os_reserve(size, 0, &p) == 0) {
            meta_next = meta_committed = p;
            meta_end = meta_next + size;
            mic_count(MIC_COUNT_MMAP_CALLS, 1);
            return true;
        }
        if (size == least) return false;
    }
}

bool mic_meta_init(void)
{
    mic_lock_acquire(&meta_lock);
    const bool ok = meta_next != NULL || meta_reserve_locked(META_COMMIT_STEP);
    mic_lock_release(&meta_lock);
    return ok;
}

void *mic_meta_alloc(size_t bytes, size_t alignment)
{
    bytes = mic_align_up(bytes, MIC_CACHE_LINE);
    mic_lock_acquire(&meta_lock);
    char *p = NULL;
    for (int attempt = 0; attempt < 2 && p == NULL; attempt++) {
        char *const at = (char *)mic_align_up((uintptr_t)meta_next, alignment);
        if (meta_next == NULL || at + bytes > meta_end) {
            if (!meta_reserve_locked(bytes + alignment)) break;
            continue;
        }
        if (at + bytes > meta_committed) {
            const size_t need = (size_t)(at + bytes - meta_committed);
            const size_t step = mic_align_up(need, META_COMMIT_STEP);
            if (mic_os_commit(meta_committed, step) != 0) break;
            meta_committed += step;
        }
        meta_next = at + bytes;
        p = at;
    }
    mic_lock_release(&meta_lock);
    return p;
}

void mic_meta_trim(void)
{
    mic_lock_acquire(&meta_lock);
    if (meta_committed != meta_end)
        mic_os_unreserve(meta_committed, (size_t)(meta_end - meta_committed));
    meta_end = meta_committed;
    mic_lock_release(&meta_lock);
}

void mic_meta_lock_for_fork(void) { mic_lock_acquire_for_fork(&meta_lock); }

void mic_meta_unlock_after_fork(bool child) { mic_lock_release_after_fork(&meta_lock, child); }
