/** @file mimalloc-new-delete.h
    Defines the operators new and delete of a C++ program on this library. Include it in exactly one
    source file. (Linking the library with MI_OVERRIDE does the same without it.) */
#ifndef MIMALLOC_NEW_DELETE_H
#define MIMALLOC_NEW_DELETE_H

#if defined(__cplusplus)

#include <new>

#include "mimalloc.h"

/** @cond names of the language: documented there */
mi_decl_export void *operator new(std::size_t size) { return mi_new(size); }
mi_decl_export void *operator new[](std::size_t size) { return mi_new(size); }
mi_decl_export void *operator new(std::size_t size, const std::nothrow_t &) noexcept
{
    return mi_new_nothrow(size);
}
mi_decl_export void *operator new[](std::size_t size, const std::nothrow_t &) noexcept
{
    return mi_new_nothrow(size);
}

mi_decl_export void operator delete(void *p) noexcept { mi_free(p); }
mi_decl_export void operator delete[](void *p) noexcept { mi_free(p); }
mi_decl_export void operator delete(void *p, const std::nothrow_t &) noexcept { mi_free(p); }
mi_decl_export void operator delete[](void *p, const std::nothrow_t &) noexcept { mi_free(p); }

#if __cplusplus >= 201402L
mi_decl_export void operator delete(void *p, std::size_t size) noexcept { mi_free_size(p, size); }
mi_decl_export void operator delete[](void *p, std::size_t size) noexcept { mi_free_size(p, size); }
#endif

#if __cplusplus >= 201703L
mi_decl_export void *operator new(std::size_t size, std::align_val_t alignment)
{
    return mi_new_aligned(size, static_cast<std::size_t>(alignment));
}
mi_decl_export void *operator new[](std::size_t size, std::align_val_t alignment)
{
    return mi_new_aligned(size, static_cast<std::size_t>(alignment));
}
mi_decl_export void *operator new(std::size_t size, std::align_val_t alignment,
                                  const std::nothrow_t &) noexcept
{
    return mi_new_aligned_nothrow(size, static_cast<std::size_t>(alignment));
}
mi_decl_export void *operator new[](std::size_t size, std::align_val_t alignment,
                                    const std::nothrow_t &) noexcept
{
    return mi_new_aligned_nothrow(size, static_cast<std::size_t>(alignment));
}

mi_decl_export void operator delete(void *p, std::align_val_t alignment) noexcept
{
    mi_free_aligned(p, static_cast<std::size_t>(alignment));
}
mi_decl_export void operator delete[](void *p, std::align_val_t alignment) noexcept
{
    mi_free_aligned(p, static_cast<std::size_t>(alignment));
}
mi_decl_export void operator delete(void *p, std::size_t size, std::align_val_t alignment) noexcept
{
    mi_free_size_aligned(p, size, static_cast<std::size_t>(alignment));
}
mi_decl_export void operator delete[](void *p, std::size_t size,
                                      std::align_val_t alignment) noexcept
{
    mi_free_size_aligned(p, size, static_cast<std::size_t>(alignment));
}
mi_decl_export void operator delete(void *p, std::align_val_t alignment,
                                    const std::nothrow_t &) noexcept
{
    mi_free_aligned(p, static_cast<std::size_t>(alignment));
}
mi_decl_export void operator delete[](void *p, std::align_val_t alignment,
                                      const std::nothrow_t &) noexcept
{
    mi_free_aligned(p, static_cast<std::size_t>(alignment));
}
#endif
/** @endcond */

#endif

#endif
