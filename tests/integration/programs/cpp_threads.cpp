// Threads, exceptions, every form of operator new, containers, thread-local objects.
// argv: rounds. Prints the same whatever the allocator.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

std::atomic<int> live_locals{0};

struct Local {
    std::vector<std::string> words;
    Local() { live_locals++; }
    ~Local() {
        words.clear();
        live_locals--;
    }
};
thread_local Local local;

struct alignas(256) Wide {
    char bytes[300];
};

template <class T> bool aligned(T *pointer, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(pointer) % alignment == 0;
}

void operators() {
    bool good = true;
    for (std::size_t size = 0; size < 3000; size += 7) {
        void *plain = ::operator new(size), *array = ::operator new[](size);
        void *nothrow = ::operator new(size, std::nothrow);
        good &= plain != array && array != nothrow && nothrow != nullptr;
        ::operator delete(plain, size);
        ::operator delete[](array, size);
        ::operator delete(nothrow, std::nothrow);
        for (std::size_t alignment : {std::size_t(32), std::size_t(512), std::size_t(8192)}) {
            auto value = std::align_val_t{alignment};
            void *one = ::operator new(size, value), *two = ::operator new[](size, value, std::nothrow);
            good &= aligned(one, alignment) && aligned(two, alignment);
            ::operator delete(one, size, value);
            ::operator delete[](two, value);
        }
    }
    auto wide = std::make_unique<Wide[]>(9);
    good &= aligned(wide.get(), alignof(Wide));
    std::printf("operators: %s\n", good ? "good" : "BAD");
}

std::size_t thrown_depth(int depth) {
    std::string carried(static_cast<std::size_t>(depth) * 10, 'c');
    if (depth == 0) throw std::runtime_error("the message of an exception, longer than a few bytes");
    try {
        return thrown_depth(depth - 1);
    } catch (const std::exception &inner) {
        if (depth % 2) std::throw_with_nested(std::runtime_error(carried + inner.what()));
        throw std::logic_error(carried + inner.what());
    }
}

std::size_t exceptions(int rounds) {
    std::size_t total = 0;
    for (int i = 0; i < rounds; i++) {
        try {
            total += thrown_depth(i % 12);
        } catch (const std::exception &error) {
            total += std::string(error.what()).size();
        }
    }
    return total;
}

std::size_t containers(unsigned seed, int rounds) {
    std::map<int, std::string> tree;
    std::unordered_map<std::string, std::vector<int>> hash;
    std::list<std::shared_ptr<std::string>> shared;
    std::deque<std::function<int()>> calls;
    std::size_t total = 0;
    for (int i = 0; i < rounds; i++) {
        seed = seed * 1664525u + 1013904223u;
        int key = static_cast<int>(seed >> 20);
        tree[key] = std::string(seed >> 25, 'x');
        hash["name " + std::to_string(key % 97)].push_back(key);
        shared.push_back(std::make_shared<std::string>(std::to_string(seed)));
        if (shared.size() > 100) shared.pop_front();
        std::string captured(40, static_cast<char>('a' + key % 26));
        calls.push_back([captured, key] { return static_cast<int>(captured.size()) + key; });
        if (calls.size() > 50) {
            total += static_cast<std::size_t>(calls.front()());
            calls.pop_front();
        }
        if (key % 3 == 0) tree.erase(key - 1);
        local.words.push_back(captured);
        if (local.words.size() > 64) local.words.erase(local.words.begin(), local.words.begin() + 32);
    }
    std::ostringstream text;
    for (auto &[key, value] : tree) text << key << value.size();
    std::pmr::unsynchronized_pool_resource pool;
    std::pmr::vector<std::pmr::string> strings(&pool);
    for (int i = 0; i < 300; i++) strings.emplace_back("a string in a pool " + std::to_string(i));
    return total + text.str().size() + hash.size() + strings.size() + exceptions(rounds / 20);
}

// Blocks made by one thread and freed by another.
class Channel {
public:
    void send(std::unique_ptr<std::string> item) {
        std::lock_guard guard(mutex_);
        items_.push_back(std::move(item));
        ready_.notify_one();
    }
    std::unique_ptr<std::string> receive() {
        std::unique_lock guard(mutex_);
        ready_.wait(guard, [this] { return !items_.empty(); });
        auto item = std::move(items_.front());
        items_.pop_front();
        return item;
    }

private:
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::unique_ptr<std::string>> items_;
};

std::size_t handed_over(int count) {
    Channel channel;
    std::thread producer([&] {
        for (int i = 0; i < count; i++)
            channel.send(std::make_unique<std::string>(static_cast<std::size_t>(i % 2000), 'p'));
        channel.send(nullptr);
    });
    std::size_t total = 0;
    while (auto item = channel.receive()) total += item->size();
    producer.join();
    return total;
}

}  // namespace

int main(int argc, char **argv) {
    int rounds = argc > 1 ? std::atoi(argv[1]) : 1000;
    operators();
    std::size_t total = 0;
    for (int wave = 0; wave < 5; wave++) {
        std::vector<std::future<std::size_t>> futures;
        for (unsigned i = 0; i < 6; i++)
            futures.push_back(std::async(std::launch::async, containers, i + 1, rounds));
        for (auto &future : futures) total += future.get();
    }
    std::printf("containers: %zu\n", total);
    std::printf("exceptions: %zu\n", exceptions(rounds));
    std::printf("handed over: %zu\n", handed_over(rounds * 4));
    std::exception_ptr carried;
    std::thread([&] {
        try {
            throw_with_nested(std::runtime_error("made in a thread that is gone"));
        } catch (...) {
            carried = std::current_exception();
        }
    }).join();
    try {
        std::rethrow_exception(carried);
    } catch (const std::exception &error) {
        std::printf("carried: %s\n", error.what());
    }
    std::printf("live thread locals: %d\n", live_locals.load());
    return 0;
}
