// The allocators for containers, in the language mode it is compiled for; ends with status 0.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mimalloc-ext.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                   \
            std::exit(1);                                                                          \
        }                                                                                          \
    } while (0)

struct alignas(256) wide {
    int number;
    char bytes[252];
    wide(int n = 0) : number(n), bytes() {}
};

template <class T> bool aligned(const T *p)
{
    return reinterpret_cast<std::uintptr_t>(p) % alignof(T) == 0;
}

static volatile std::size_t huge = static_cast<std::size_t>(-1) / 4;

// ---- what holds for all of them

template <class Allocator> void fill_containers(const Allocator &allocator)
{
    typedef std::allocator_traits<Allocator> traits;
    static_assert(traits::propagate_on_container_copy_assignment::value, "");
    static_assert(traits::propagate_on_container_move_assignment::value, "");
    static_assert(traits::propagate_on_container_swap::value, "");
    typedef typename traits::template rebind_alloc<wide> wide_allocator;
    typedef typename traits::template rebind_alloc<std::pair<const int, wide>> pair_allocator;
    typedef typename traits::template rebind_alloc<char> char_allocator;

    std::vector<int, Allocator> numbers(allocator);
    for (int i = 0; i < 100000; i++) numbers.push_back(i);
    for (int i = 0; i < 100000; i++) REQUIRE(numbers[static_cast<std::size_t>(i)] == i);

    std::vector<wide, wide_allocator> wides((wide_allocator(allocator)));
    for (int i = 0; i < 1000; i++) {
        wides.push_back(wide(i));
        REQUIRE(aligned(&wides.front()) && wides.back().number == i);
    }
    std::list<wide, wide_allocator> list(wides.begin(), wides.end(), wide_allocator(allocator));
    for (const wide &w : list) REQUIRE(aligned(&w));
    std::map<int, wide, std::less<int>, pair_allocator> map(std::less<int>(),
                                                            (pair_allocator(allocator)));
    for (int i = 0; i < 1000; i++) map[i] = wide(i);
    for (const auto &entry : map)
        REQUIRE(aligned(&entry.second) && entry.second.number == entry.first);
    std::basic_string<char, std::char_traits<char>, char_allocator> text(
        (char_allocator(allocator)));
    for (int i = 0; i < 1000; i++) text += "more text ";
    REQUIRE(text.size() == 10000);

    std::vector<int, Allocator> copy(numbers), moved(std::move(copy)), assigned(allocator);
    REQUIRE(moved.size() == numbers.size() && moved.get_allocator() == numbers.get_allocator());
    assigned = moved;
    assigned.swap(moved);
    assigned = std::move(moved);
    REQUIRE(assigned == numbers);

    wide_allocator direct(allocator);
    const mi_allocation_result<wide *> room = direct.allocate_at_least(7);
    REQUIRE(room.count >= 7 && aligned(room.ptr));
    room.ptr[room.count - 1].bytes[251] = 1;
    direct.deallocate(room.ptr, room.count);
    REQUIRE(direct.max_size() == static_cast<std::size_t>(PTRDIFF_MAX) / sizeof(wide));
    wide *const one = direct.allocate(1);
    direct.construct(one, 42);
    REQUIRE(one->number == 42 && direct.address(*one) == one);
    direct.destroy(one);
    direct.deallocate(one, 1);
#if __cplusplus >= 202302L && defined(__cpp_lib_allocate_at_least)
    const auto standard = std::allocator_traits<wide_allocator>::allocate_at_least(direct, 7);
    REQUIRE(standard.count >= 7);
    direct.deallocate(standard.ptr, standard.count);
#endif
}

template <class Allocator> bool throws(Allocator allocator, std::size_t count)
{
    try {
        allocator.deallocate(allocator.allocate(count), count);
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

static int handler_calls;
static void handler()
{
    if (++handler_calls == 3) std::set_new_handler(nullptr);
}

template <class Allocator> void check_failures(const Allocator &allocator)
{
    typedef typename std::allocator_traits<Allocator>::template rebind_alloc<wide> wide_allocator;
    REQUIRE(throws(allocator, huge));                         // too much
    REQUIRE(throws(allocator, static_cast<std::size_t>(-1))); // count times size overflows
    REQUIRE(throws(wide_allocator(allocator), huge));
    REQUIRE(throws(wide_allocator(allocator), huge / 1024));
    handler_calls = 0;
    std::set_new_handler(handler);
    REQUIRE(throws(wide_allocator(allocator), huge / 1024));
    REQUIRE(handler_calls == 3);
}

// ---- heaps

static bool count_block(const mi_heap_t *, const mi_heap_area_t *, void *block, std::size_t,
                        void *arg)
{
    if (block != nullptr) ++*static_cast<int *>(arg);
    return true;
}

static int blocks_in(mi_heap_t *heap)
{
    int count = 0;
    mi_heap_visit_blocks(heap, true, count_block, &count);
    return count;
}

static bool count_heap(mi_heap_t *, void *arg)
{
    ++*static_cast<int *>(arg);
    return true;
}

static int heaps()
{
    int count = 0;
    mi_subproc_visit_heaps(mi_subproc_current(), count_heap, &count);
    return count;
}

// Copies, also for other elements, share one heap, which ends with the last of them.
template <template <class> class Allocator> void check_sharing()
{
    const int before = heaps();
    {
        Allocator<int> first;
        REQUIRE(heaps() == before + 1);
        Allocator<wide> *const second = new Allocator<wide>(first);
        Allocator<int> third(first), fourth;
        REQUIRE(heaps() == before + 2);
        REQUIRE(first == *second && third == first && third.is_equal(*second));
        REQUIRE(first != fourth && !(first == fourth) && !fourth.is_equal(*second));
        fourth = third;
        REQUIRE(heaps() == before + 1 && fourth == first);
        int *const p = first.allocate(10);
        wide *const q = second->allocate(10);
        REQUIRE(mi_heap_of(p) == mi_heap_of(q) && mi_heap_of(p) != mi_heap_main());
        second->deallocate(q, 10);
        delete second;
        REQUIRE(mi_heap_of(p) != mi_heap_main());
        Allocator<int> moved(std::move(fourth));
        REQUIRE(fourth == moved); // as the standard asks: moving changes no allocator
        moved.collect(true);
        first.deallocate(p, 10);
    }
    REQUIRE(heaps() == before);
}

// A heap that the program gave lives on.
template <template <class> class Allocator> void check_given_heap()
{
    mi_heap_t *const heap = mi_heap_new();
    const int before = heaps();
    {
        Allocator<int> allocator(heap), other(heap);
        REQUIRE(allocator == other);
        std::vector<int, Allocator<int>> numbers(1000, 7, allocator);
        REQUIRE(mi_heap_of(numbers.data()) == heap);
        REQUIRE(numbers.get_allocator() == allocator);
        fill_containers(allocator);
        REQUIRE(heaps() == before);
    }
    REQUIRE(heaps() == before);
    void *const p = mi_heap_malloc(heap, 10);
    REQUIRE(mi_heap_of(p) == heap);
    mi_heap_destroy(heap);
}

static void check_what_is_left()
{
    int *deleted, *destroyed;
    mi_heap_t *const heap = mi_heap_new();
    {
        mi_heap_stl_allocator<int> keeps;
        mi_heap_destroy_stl_allocator<int> frees;
        deleted = keeps.allocate(10);
        deleted[9] = 42;
        destroyed = frees.allocate(10);

        // deallocate waits for the end of the heap, where that frees everything
        mi_heap_stl_allocator<int> one(heap);
        mi_heap_destroy_stl_allocator<int> two(heap);
        one.deallocate(one.allocate(10), 10);
        REQUIRE(blocks_in(heap) == 0);
        two.deallocate(two.allocate(10), 10);
        REQUIRE(blocks_in(heap) == 1);
    }
    REQUIRE(blocks_in(heap) == 1);
    mi_heap_destroy(heap);
    REQUIRE(mi_heap_of(deleted) == mi_heap_main() && deleted[9] == 42);
    mi_free(deleted);
    REQUIRE(mi_heap_of(destroyed) == nullptr);
}

static void check_threads()
{
    mi_heap_stl_allocator<int> shared;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) threads.emplace_back([shared] { fill_containers(shared); });
    for (std::thread &thread : threads) thread.join();
}

#if __cplusplus >= 201703L && __has_include(<memory_resource>)
#include <memory_resource>

static void use_resource(std::pmr::memory_resource *resource, mi_heap_t *heap)
{
    std::pmr::vector<wide> wides(resource);
    std::pmr::map<int, std::pmr::string> map(resource);
    for (int i = 0; i < 1000; i++) {
        wides.emplace_back(i);
        REQUIRE(aligned(&wides.back()));
        map[i] = "a text that is too long to be held in the string itself";
    }
    REQUIRE(mi_heap_of(wides.data()) == heap && mi_heap_of(map[5].data()) == heap);
    for (std::size_t alignment = 1; alignment <= 1 << 20; alignment *= 2) {
        void *const p = resource->allocate(100, alignment);
        REQUIRE(reinterpret_cast<std::uintptr_t>(p) % alignment == 0 && mi_heap_of(p) == heap);
        resource->deallocate(p, 100, alignment);
    }
    try {
        resource->deallocate(resource->allocate(huge, 64), huge, 64);
        REQUIRE(!"throws");
    } catch (const std::bad_alloc &) {
    }
}

static void check_memory_resources()
{
    use_resource(mi_get_memory_resource(), mi_heap_main());
    REQUIRE(mi_get_memory_resource()->is_equal(*mi_get_memory_resource()));
    const int before = heaps();
    void *p;
    {
        mi_heap_memory_resource own, other;
        REQUIRE(heaps() == before + 2);
        REQUIRE(own.is_equal(own) && !own.is_equal(other));
        use_resource(&own, own.heap());
        p = own.allocate(100);
        REQUIRE(mi_heap_of(p) == own.heap());
        own.release();
        REQUIRE(mi_heap_of(p) == nullptr && heaps() == before + 2);
        p = own.allocate(100);
    }
    REQUIRE(mi_heap_of(p) == nullptr && heaps() == before); // freed by the end
    mi_heap_t *const heap = mi_heap_new();
    {
        mi_heap_memory_resource given(heap);
        use_resource(&given, heap);
        p = given.allocate(100);
        given.release(); // not its heap to end
    }
    REQUIRE(mi_heap_of(p) == heap);
    mi_heap_destroy(heap);
}
#else
static void check_memory_resources() {}
#endif

int main()
{
    static_assert(mi_stl_allocator<int>::is_always_equal::value, "");
    static_assert(!mi_heap_stl_allocator<int>::is_always_equal::value, "");
    fill_containers(mi_stl_allocator<int>());
    fill_containers(mi_heap_stl_allocator<int>());
    fill_containers(mi_heap_destroy_stl_allocator<int>());
    check_failures(mi_stl_allocator<int>());
    check_failures(mi_heap_stl_allocator<int>());
    check_failures(mi_heap_destroy_stl_allocator<int>());
    check_sharing<mi_heap_stl_allocator>();
    check_sharing<mi_heap_destroy_stl_allocator>();
    check_given_heap<mi_heap_stl_allocator>();
    check_given_heap<mi_heap_destroy_stl_allocator>();
    check_what_is_left();
    check_threads();
    check_memory_resources();
    return 0;
}
