/** @file mimalloc-stl.h
    Allocators for C++ containers, C++11 and later; included by mimalloc.h for C++. */
#ifndef MIMALLOC_STL_H
#define MIMALLOC_STL_H

#if defined(__cplusplus)

#include <cstddef>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

#include "mimalloc-posix.h"

extern "C" mi_decl_export void mi_free(void *p) mi_attr_noexcept;
extern "C" mi_decl_nodiscard mi_decl_export size_t mi_usable_size(const void *p) mi_attr_noexcept;

/** What allocate_at_least() returns: an array and the number of elements it has room for. */
#if defined(__cpp_lib_allocate_at_least)
template <class Pointer> using mi_allocation_result = std::allocation_result<Pointer, std::size_t>;
#else
template <class Pointer> struct mi_allocation_result {
    Pointer ptr;
    std::size_t count;
};
#endif

/** Allocator for containers: no state, all instances are equal, any type, over-aligned ones
    included. Throws as operator new does. */
template <class T> struct mi_stl_allocator {
    typedef T value_type;
    typedef std::size_t size_type;
    typedef std::ptrdiff_t difference_type;
    typedef T *pointer;
    typedef const T *const_pointer;
    typedef typename std::add_lvalue_reference<T>::type reference;
    typedef typename std::add_lvalue_reference<const T>::type const_reference;
    typedef std::true_type propagate_on_container_copy_assignment;
    typedef std::true_type propagate_on_container_move_assignment;
    typedef std::true_type propagate_on_container_swap;
    typedef std::true_type is_always_equal;
    template <class U> struct rebind {
        typedef mi_stl_allocator<U> other;
    };

    mi_stl_allocator() mi_attr_noexcept = default;
    mi_stl_allocator(const mi_stl_allocator &) mi_attr_noexcept = default;
    template <class U> mi_stl_allocator(const mi_stl_allocator<U> &) mi_attr_noexcept {}
    mi_stl_allocator &operator=(const mi_stl_allocator &) mi_attr_noexcept = default;
    mi_stl_allocator select_on_container_copy_construction() const { return *this; }

    /** Room for count elements, aligned for T; the hint is not used. */
    mi_decl_nodiscard T *allocate(size_type count, const void * = nullptr)
    {
        if (alignof(T) <= 16) return static_cast<T *>(mi_new_n(count, sizeof(T)));
        /* a count that overflows takes the path that fails */
        if (count > max_size()) return static_cast<T *>(mi_new_n(count, sizeof(T)));
        return static_cast<T *>(mi_new_aligned(count * sizeof(T), alignof(T)));
    }

    /** Room for count elements, and how many there is room for in fact. */
    mi_decl_nodiscard mi_allocation_result<T *> allocate_at_least(size_type count)
    {
        T *const p = allocate(count);
        const size_type room = mi_usable_size(p) / sizeof(T);
        return mi_allocation_result<T *>{p, room > count ? room : count};
    }

    void deallocate(T *p, size_type) mi_attr_noexcept { mi_free(p); }

    size_type max_size() const mi_attr_noexcept
    {
        return static_cast<size_type>((std::numeric_limits<difference_type>::max)()) / sizeof(T);
    }
    template <class U> U *address(U &x) const mi_attr_noexcept { return std::addressof(x); }
    template <class U, class... Args> void construct(U *p, Args &&...args)
    {
        ::new (static_cast<void *>(p)) U(std::forward<Args>(args)...);
    }
    template <class U> void destroy(U *p) { p->~U(); }
};

template <class T, class U>
bool operator==(const mi_stl_allocator<T> &, const mi_stl_allocator<U> &) mi_attr_noexcept
{
    return true;
}
template <class T, class U>
bool operator!=(const mi_stl_allocator<T> &, const mi_stl_allocator<U> &) mi_attr_noexcept
{
    return false;
}

#endif

#endif
