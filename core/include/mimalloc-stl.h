/** @file mimalloc-stl.h
    Allocators for C++ containers, C++11 and later; included by mimalloc.h for C++. All of them work
    for any type, over-aligned ones included, and fail as operator new does. */
#ifndef MIMALLOC_STL_H
#define MIMALLOC_STL_H

#if defined(__cplusplus)

#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "mimalloc.h"

/** mi_heap_stl_allocator and mi_heap_destroy_stl_allocator are there. */
#define MI_HAS_HEAP_STL_ALLOCATOR 1

/** What allocate_at_least() returns: an array and the number of elements it has room for. */
#if defined(__cpp_lib_allocate_at_least)
template <class Pointer> using mi_allocation_result = std::allocation_result<Pointer, std::size_t>;
#else
template <class Pointer> struct mi_allocation_result {
    Pointer ptr;       /**< start of the array */
    std::size_t count; /**< elements it has room for */
};
#endif

/** What all the allocators have. Not for programs. */
template <class T> struct _mi_stl_allocator_common {
    typedef T value_type;                                                      /**< element */
    typedef std::size_t size_type;                                             /**< counts */
    typedef std::ptrdiff_t difference_type;                                    /**< distances */
    typedef T *pointer;                                                        /**< pointer */
    typedef const T *const_pointer;                                            /**< the same */
    typedef typename std::add_lvalue_reference<T>::type reference;             /**< reference */
    typedef typename std::add_lvalue_reference<const T>::type const_reference; /**< the same */
    typedef std::true_type
        propagate_on_container_copy_assignment; /**< assigned with the container */
    typedef std::true_type propagate_on_container_move_assignment; /**< moved with the container */
    typedef std::true_type propagate_on_container_swap; /**< swapped with the container */

    /** Elements of the longest array. */
    size_type max_size() const mi_attr_noexcept
    {
        return static_cast<size_type>((std::numeric_limits<difference_type>::max)()) / sizeof(T);
    }
    /** Address of an object. */
    template <class U> U *address(U &x) const mi_attr_noexcept { return std::addressof(x); }
    /** Makes an object at p. */
    template <class U, class... Args> void construct(U *p, Args &&...args)
    {
        ::new (static_cast<void *>(p)) U(std::forward<Args>(args)...);
    }
    /** Ends an object. */
    template <class U> void destroy(U *p) { p->~U(); }

  protected:
    /** The array, and the elements there is room for in fact. */
    static mi_allocation_result<T *> with_room(T *p, size_type count) mi_attr_noexcept
    {
        const size_type room = mi_usable_size(p) / sizeof(T);
        return mi_allocation_result<T *>{p, room > count ? room : count};
    }
};

/** Allocator for containers: no state, all instances are equal. */
template <class T> struct mi_stl_allocator : public _mi_stl_allocator_common<T> {
    using typename _mi_stl_allocator_common<T>::size_type;
    typedef std::true_type is_always_equal; /**< each can free what another allocated */
    /** The allocator for other elements. */
    template <class U> struct rebind {
        typedef mi_stl_allocator<U> other; /**< that allocator */
    };

    mi_stl_allocator() mi_attr_noexcept = default;
    /** The same allocator. */
    mi_stl_allocator(const mi_stl_allocator &) mi_attr_noexcept = default;
    /** Of an allocator for other elements. */
    template <class U> mi_stl_allocator(const mi_stl_allocator<U> &) mi_attr_noexcept {}
    /** The same allocator from now on. */
    mi_stl_allocator &operator=(const mi_stl_allocator &) mi_attr_noexcept = default;
    /** What a copy of a container uses. */
    mi_stl_allocator select_on_container_copy_construction() const { return *this; }

    /** Room for count elements, aligned for T; the hint is not used. */
    mi_decl_nodiscard T *allocate(size_type count, const void * = nullptr)
    {
        /* a count that overflows takes the path that fails */
        if (alignof(T) <= 16 || count > this->max_size())
            return static_cast<T *>(mi_new_n(count, sizeof(T)));
        return static_cast<T *>(mi_new_aligned(count * sizeof(T), alignof(T)));
    }
    /** Room for count elements, and how many there is room for in fact. */
    mi_decl_nodiscard mi_allocation_result<T *> allocate_at_least(size_type count)
    {
        return this->with_room(allocate(count), count);
    }
    /** Frees an array. */
    void deallocate(T *p, size_type) mi_attr_noexcept { mi_free(p); }
};

/** Always true. */
template <class T, class U>
bool operator==(const mi_stl_allocator<T> &, const mi_stl_allocator<U> &) mi_attr_noexcept
{
    return true;
}
/** Always false. */
template <class T, class U>
bool operator!=(const mi_stl_allocator<T> &, const mi_stl_allocator<U> &) mi_attr_noexcept
{
    return false;
}

/** Heaps as C++ wants them: what fails asks the new handler, and throws std::bad_alloc when there
    is none. Not for programs. */
struct _mi_heap_cxx {
    /** A new heap. */
    static mi_heap_t *make()
    {
        mi_heap_t *heap;
        while ((heap = mi_heap_new()) == nullptr) make_room();
        return heap;
    }
    /** A block of a heap. */
    static void *allocate(mi_heap_t *heap, std::size_t bytes, std::size_t alignment)
    {
        if (alignment <= 16) return mi_heap_alloc_new(heap, bytes);
        void *p;
        while ((p = mi_heap_malloc_aligned(heap, bytes, alignment)) == nullptr) make_room();
        return p;
    }

  private:
    static void make_room()
    {
        const std::new_handler handler = std::get_new_handler();
        if (handler != nullptr)
            handler();
        else /* throws, in programs that are compiled without exceptions too */
            mi_free(mi_new(static_cast<std::size_t>((std::numeric_limits<std::ptrdiff_t>::max)())));
    }
};

/** What the two allocators that have a heap share. Not for programs.
    @tparam T       element
    @tparam destroy true: nothing is freed but the whole heap */
template <class T, bool destroy>
struct _mi_heap_stl_allocator_common : public _mi_stl_allocator_common<T> {
    using typename _mi_stl_allocator_common<T>::size_type;
    typedef std::false_type is_always_equal; /**< it depends on the heap */

    /** Room for count elements, aligned for T; the hint is not used. */
    mi_decl_nodiscard T *allocate(size_type count, const void * = nullptr)
    {
        /* a count that overflows takes the path that fails */
        if (count > this->max_size())
            return static_cast<T *>(mi_heap_alloc_new_n(heap.get(), count, sizeof(T)));
        return static_cast<T *>(_mi_heap_cxx::allocate(heap.get(), count * sizeof(T), alignof(T)));
    }
    /** Room for count elements, and how many there is room for in fact. */
    mi_decl_nodiscard mi_allocation_result<T *> allocate_at_least(size_type count)
    {
        return this->with_room(allocate(count), count);
    }
    /** Frees an array; with mi_heap_destroy_stl_allocator it waits for the end of the heap. */
    void deallocate(T *p, size_type) mi_attr_noexcept
    {
        if (!destroy) mi_free(p);
    }

    /** mi_heap_collect() of the heap. */
    void collect(bool force) mi_attr_noexcept { mi_heap_collect(heap.get(), force); }
    /** True if both allocate from the same heap. */
    template <class U>
    bool is_equal(const _mi_heap_stl_allocator_common<U, destroy> &other) const mi_attr_noexcept
    {
        return heap == other.heap;
    }

  protected:
    template <class U, bool other_destroy> friend struct _mi_heap_stl_allocator_common;

    std::shared_ptr<mi_heap_t> heap; /**< ends with its last copy, if it was made here */

    _mi_heap_stl_allocator_common()
        : heap(_mi_heap_cxx::make(), destroy ? mi_heap_destroy : mi_heap_delete)
    {
    }
    /** Of a heap that lives on: a pointer that owns nothing. */
    explicit _mi_heap_stl_allocator_common(mi_heap_t *living) mi_attr_noexcept
        : heap(std::shared_ptr<mi_heap_t>(), living)
    {
    }
    /** The same allocator. */
    _mi_heap_stl_allocator_common(const _mi_heap_stl_allocator_common &) mi_attr_noexcept = default;
    /** Of the same heap. */
    template <class U>
    _mi_heap_stl_allocator_common(const _mi_heap_stl_allocator_common<U, destroy> &other)
        mi_attr_noexcept : heap(other.heap)
    {
    }
    /** The same allocator from now on. */
    _mi_heap_stl_allocator_common &
    operator=(const _mi_heap_stl_allocator_common &) mi_attr_noexcept = default;
};

/** True if both allocate from the same heap. */
template <class T, class U, bool destroy>
bool operator==(const _mi_heap_stl_allocator_common<T, destroy> &a,
                const _mi_heap_stl_allocator_common<U, destroy> &b) mi_attr_noexcept
{
    return a.is_equal(b);
}
/** True if they allocate from different heaps. */
template <class T, class U, bool destroy>
bool operator!=(const _mi_heap_stl_allocator_common<T, destroy> &a,
                const _mi_heap_stl_allocator_common<U, destroy> &b) mi_attr_noexcept
{
    return !a.is_equal(b);
}

/** Allocator for containers that have a heap of their own. Copies share the heap. */
template <class T> struct mi_heap_stl_allocator : public _mi_heap_stl_allocator_common<T, false> {
    /** The allocator for other elements. */
    template <class U> struct rebind {
        typedef mi_heap_stl_allocator<U> other; /**< that allocator */
    };

    /** Makes a heap, which is deleted with the last copy: what was not freed stays valid. */
    mi_heap_stl_allocator() = default;
    /** Takes a heap, which must outlive all copies and is never deleted by them. */
    mi_heap_stl_allocator(mi_heap_t *living) mi_attr_noexcept
        : _mi_heap_stl_allocator_common<T, false>(living)
    {
    }
    /** The same allocator. */
    mi_heap_stl_allocator(const mi_heap_stl_allocator &) mi_attr_noexcept = default;
    /** Of an allocator for other elements: the same heap. */
    template <class U>
    mi_heap_stl_allocator(const mi_heap_stl_allocator<U> &other) mi_attr_noexcept
        : _mi_heap_stl_allocator_common<T, false>(other)
    {
    }
    /** The same allocator from now on. */
    mi_heap_stl_allocator &operator=(const mi_heap_stl_allocator &) mi_attr_noexcept = default;
    /** What a copy of a container uses: the same heap. */
    mi_heap_stl_allocator select_on_container_copy_construction() const { return *this; }
};

/** Allocator for containers that have a heap of their own and free nothing by themselves: all
    memory is freed at once, with the last copy. Copies share the heap. */
template <class T>
struct mi_heap_destroy_stl_allocator : public _mi_heap_stl_allocator_common<T, true> {
    /** The allocator for other elements. */
    template <class U> struct rebind {
        typedef mi_heap_destroy_stl_allocator<U> other; /**< that allocator */
    };

    /** Makes a heap, which is destroyed with the last copy. */
    mi_heap_destroy_stl_allocator() = default;
    /** Takes a heap, which must outlive all copies and is never destroyed by them. */
    mi_heap_destroy_stl_allocator(mi_heap_t *living) mi_attr_noexcept
        : _mi_heap_stl_allocator_common<T, true>(living)
    {
    }
    /** The same allocator. */
    mi_heap_destroy_stl_allocator(const mi_heap_destroy_stl_allocator &) mi_attr_noexcept = default;
    /** Of an allocator for other elements: the same heap. */
    template <class U>
    mi_heap_destroy_stl_allocator(const mi_heap_destroy_stl_allocator<U> &other) mi_attr_noexcept
        : _mi_heap_stl_allocator_common<T, true>(other)
    {
    }
    /** The same allocator from now on. */
    mi_heap_destroy_stl_allocator &
    operator=(const mi_heap_destroy_stl_allocator &) mi_attr_noexcept = default;
    /** What a copy of a container uses: the same heap. */
    mi_heap_destroy_stl_allocator select_on_container_copy_construction() const { return *this; }
};

#endif

#endif
