// A library that is opened and closed in threads: allocates in its constructors, in its functions
// and in thread-local objects, and frees in its destructors.
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {
std::vector<std::string> table = [] {
    std::vector<std::string> made;
    for (int i = 0; i < 500; i++) made.push_back("constant text that is long enough " + std::to_string(i));
    return made;
}();

struct Cache {
    std::map<int, std::unique_ptr<std::string>> entries;
    ~Cache() { entries.clear(); }
};
thread_local Cache cache;
}  // namespace

extern "C" char *plugin_make(int n) {
    auto &entry = cache.entries[n % 50];
    entry = std::make_unique<std::string>(table[static_cast<std::size_t>(n) % table.size()]);
    char *copy = static_cast<char *>(std::malloc(entry->size() + 1));
    return std::strcpy(copy, entry->c_str());
}

extern "C" void plugin_free(char *text) { std::free(text); }
