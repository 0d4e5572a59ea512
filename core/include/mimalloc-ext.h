/** @file mimalloc-ext.h
    What this library has beyond the interface of mimalloc 3.4.3. The general rules of mimalloc.h
    hold here. */
#ifndef MIMALLOC_EXT_H
#define MIMALLOC_EXT_H

#include "mimalloc.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Programs with more than one allocator
    One call instead of asking first and freeing then. Exact for any pointer that nobody else frees
    meanwhile. @{ */

/** Frees p if it is a block of this library.
    @param p any pointer that the caller may free somewhere
    @return true: p was freed. False: p is NULL or not ours; nothing happened or is reported */
mi_decl_nodiscard mi_decl_export bool mi_free_if_owned(void *p) mi_attr_noexcept;

/** Resizes p, as mi_realloc() does, if it is a block of this library.
    @param p       any pointer that the caller may resize somewhere
    @param newsize bytes
    @param result  out: the block, or NULL with ENOMEM: p stays valid. Untouched if not ours
    @return true: p is ours. False: p is NULL or not ours; nothing happened or is reported */
mi_decl_nodiscard mi_decl_export bool mi_realloc_if_owned(void *p, size_t newsize,
                                                          void **result) mi_attr_noexcept;
/** @} */

/** For a thread that is about to wait for long: frees what is empty in its heap and gives memory
    back whose purge delay has passed. Cheap enough to be called before every wait of a server. */
mi_decl_export void mi_thread_idle(void) mi_attr_noexcept;

#ifdef __cplusplus
}

#if __cplusplus >= 201703L && defined(__has_include)
#if __has_include(<memory_resource>)
#include <memory_resource>

/** Memory resource for std::pmr containers. All instances are interchangeable; use
    mi_get_memory_resource() to have one that lives for ever. */
class mi_memory_resource : public std::pmr::memory_resource
{
    void *do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        return mi_new_aligned(bytes, alignment);
    }
    void do_deallocate(void *p, std::size_t bytes, std::size_t alignment) override
    {
        mi_free_size_aligned(p, bytes, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
        return this == &other;
    }
};

/** The resource that the whole program shares. */
inline mi_memory_resource *mi_get_memory_resource() noexcept
{
    static mi_memory_resource resource;
    return &resource;
}

/** Memory resource for std::pmr containers on a heap. As the standard's pools do, one that made its
    heap frees all memory that is left when it ends, or in release(). May be shared by threads, but
    for release(). */
class mi_heap_memory_resource : public std::pmr::memory_resource
{
  public:
    /** Makes a heap, which is destroyed with the resource. */
    mi_heap_memory_resource() : own(true), target(_mi_heap_cxx::make()) {}
    /** Takes a heap, which must outlive the resource and is never destroyed by it. */
    explicit mi_heap_memory_resource(mi_heap_t *heap) noexcept : own(false), target(heap) {}
    mi_heap_memory_resource(const mi_heap_memory_resource &) = delete;
    mi_heap_memory_resource &operator=(const mi_heap_memory_resource &) = delete;
    ~mi_heap_memory_resource() override
    {
        if (own) mi_heap_destroy(target);
    }

    /** The heap that it allocates from. */
    mi_heap_t *heap() const noexcept { return target; }
    /** Frees all memory at once and goes on with a new heap, if the heap was made here; throws
        std::bad_alloc, before anything is freed, if there is no memory for that. */
    void release()
    {
        if (!own) return;
        mi_heap_t *const fresh = _mi_heap_cxx::make();
        mi_heap_destroy(target);
        target = fresh;
    }

  private:
    const bool own;
    mi_heap_t *target;

    void *do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        return _mi_heap_cxx::allocate(target, bytes, alignment);
    }
    void do_deallocate(void *p, std::size_t bytes, std::size_t alignment) override
    {
        mi_free_size_aligned(p, bytes, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
        return this == &other;
    }
};
#endif
#endif
#endif

#endif
