// The same from C++, with operator new and the standard containers.
#include <mimalloc.h>

#include <cstdio>
#include <string>
#include <vector>

int main()
{
    std::vector<std::string> words(100, std::string(200, 'x'));
    std::vector<int, mi_stl_allocator<int>> numbers(1000, 7);
    int *one = new int(3);
    bool ours = mi_is_in_heap_region(one) && mi_is_in_heap_region(words[3].data()) &&
                mi_is_in_heap_region(numbers.data());
    std::printf("version %d, malloc is %s\n", mi_version(), ours ? "ours" : "foreign");
    delete one;
    return 0;
}
