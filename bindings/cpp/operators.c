/* All operators new and delete, by the names that the Itanium C++ ABI gives them (size_t is `m`:
   64-bit targets). Written in C so that the library does not depend on a C++ runtime; compiled with
   -fexceptions, since a failing operator new throws through here.

   new is malloc's fast path; what misses it goes on in api/new.c. delete is free. */
#include "api/api.h"

/* what std::nothrow_t is passed as; never looked at */
typedef const void *nothrow_t;

mic_inline void *operators_new(size_t size)
{
    void *const block = mic_api_try_malloc(size);
    return mic_likely(block != NULL) ? block : mic_api_new_slow(size);
}

/* ---- new, new[] ---- */

mic_export mic_entry void *_Znwm(size_t size) { return operators_new(size); }
mic_export mic_entry void *_Znam(size_t size) { return operators_new(size); }

mic_export void *_ZnwmRKSt9nothrow_t(size_t size, nothrow_t tag)
{
    (void)tag;
    return mi_new_nothrow(size);
}
mic_export void *_ZnamRKSt9nothrow_t(size_t size, nothrow_t tag)
{
    (void)tag;
    return mi_new_nothrow(size);
}

mic_export void *_ZnwmSt11align_val_t(size_t size, size_t alignment)
{
    return mi_new_aligned(size, alignment);
}
mic_export void *_ZnamSt11align_val_t(size_t size, size_t alignment)
{
    return mi_new_aligned(size, alignment);
}

mic_export void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, nothrow_t tag)
{
    (void)tag;
    return mi_new_aligned_nothrow(size, alignment);
}
mic_export void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, nothrow_t tag)
{
    (void)tag;
    return mi_new_aligned_nothrow(size, alignment);
}

/* ---- delete, delete[] ---- */

mic_export mic_entry void _ZdlPv(void *p) { mic_free(p); }
mic_export mic_entry void _ZdaPv(void *p) { mic_free(p); }

mic_export mic_entry void _ZdlPvm(void *p, size_t size)
{
    mic_api_free_hinted(p, size, 0, MIC_SAID_NEW);
}
mic_export mic_entry void _ZdaPvm(void *p, size_t size)
{
    mic_api_free_hinted(p, size, 0, MIC_SAID_NEW);
}

mic_export void _ZdlPvRKSt9nothrow_t(void *p, nothrow_t tag)
{
    (void)tag;
    mic_free(p);
}
mic_export void _ZdaPvRKSt9nothrow_t(void *p, nothrow_t tag)
{
    (void)tag;
    mic_free(p);
}

mic_export void _ZdlPvSt11align_val_t(void *p, size_t alignment)
{
    mic_api_free_hinted(p, 0, alignment, MIC_SAID_AT_MOST);
}
mic_export void _ZdaPvSt11align_val_t(void *p, size_t alignment)
{
    mic_api_free_hinted(p, 0, alignment, MIC_SAID_AT_MOST);
}

mic_export void _ZdlPvmSt11align_val_t(void *p, size_t size, size_t alignment)
{
    mic_api_free_hinted(p, size, alignment, MIC_SAID_REQUEST);
}
mic_export void _ZdaPvmSt11align_val_t(void *p, size_t size, size_t alignment)
{
    mic_api_free_hinted(p, size, alignment, MIC_SAID_REQUEST);
}

mic_export void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, nothrow_t tag)
{
    (void)alignment, (void)tag;
    mic_free(p);
}
mic_export void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, nothrow_t tag)
{
    (void)alignment, (void)tag;
    mic_free(p);
}
