// operator new without room: exceptions, nothrow, and what new handlers may do.
#include <cstdio>
#include <limits>
#include <new>
#include <stdexcept>

namespace {

constexpr std::size_t too_large = std::numeric_limits<std::size_t>::max() / 2 + 1;

int handler_calls = 0;
void *volatile sink;  // the compiler may leave out a new that nobody sees

template <class Function> const char *outcome(Function function) {
    try {
        sink = function();
        return sink == nullptr ? "null" : "block";
    } catch (const std::bad_alloc &) {
        return "bad_alloc";
    } catch (const std::runtime_error &) {
        return "runtime_error";
    }
}

void handler_that_gives_up() {
    if (++handler_calls == 3) std::set_new_handler(nullptr);
}

void handler_that_throws() { throw std::runtime_error("no more"); }

void new_handlers() {
    volatile std::size_t size = too_large;
    std::printf("no handler: %s\n", outcome([&] { return ::operator new(size); }));
    std::printf("nothrow: %s\n", outcome([&] { return ::operator new(size, std::nothrow); }));
    std::printf("array: %s\n", outcome([&] { return ::operator new[](size); }));
    std::printf("aligned: %s\n", outcome([&] { return ::operator new(size, std::align_val_t{128}); }));
    std::set_new_handler(handler_that_gives_up);
    std::printf("handler: %s", outcome([&] { return ::operator new(size); }));
    std::printf(" after %d calls\n", handler_calls);
    handler_calls = 0;
    std::set_new_handler(handler_that_gives_up);
    std::printf("handler, nothrow: %s", outcome([&] { return ::operator new[](size, std::nothrow); }));
    std::printf(" after %d calls\n", handler_calls);
    std::set_new_handler(handler_that_throws);
    std::printf("throwing handler: %s\n", outcome([&] { return ::operator new(size); }));
    std::set_new_handler(nullptr);
}

}  // namespace

int main() {
    new_handlers();
    return 0;
}
