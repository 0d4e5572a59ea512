// The checks of regressions.c that need C++; run in the same way.
#include <cstdio>
#include <cstring>
#include <new>

#include "mimalloc.h"

static int calls;
static void handler()
{
    if (++calls == 3) std::set_new_handler(nullptr);
}

static volatile std::size_t huge = static_cast<std::size_t>(-1) / 4;

// C code calls mi_new like this: the function is C, the exception passes through it.
static int check_new()
{
    std::set_new_handler(handler);
    try {
        mi_free(mi_new(huge));
    } catch (const std::bad_alloc &) {
        return calls == 3 ? 0 : 1;
    }
    return 1;
}

struct alignas(512) wide {
    char bytes[512];
};

static int check_stl_allocator()
{
    for (int i = 0; i < 100; i++) {
        mi_stl_allocator<wide> allocator;
        wide *const p = allocator.allocate(3);
        if (reinterpret_cast<std::size_t>(p) % 512 != 0) return 1;
        const auto more = allocator.allocate_at_least(5);
        if (more.count < 5 || reinterpret_cast<std::size_t>(more.ptr) % 512 != 0) return 1;
        allocator.deallocate(more.ptr, more.count);
        if (i % 2 == 0) allocator.deallocate(p, 3);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && std::strcmp(argv[1], "new") == 0) return check_new();
    if (argc > 1 && std::strcmp(argv[1], "stl_allocator") == 0) return check_stl_allocator();
    std::fprintf(stderr, "usage: regressions-cpp CHECK\n");
    return 2;
}
