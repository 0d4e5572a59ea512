// A file that keeps a compiler busy with templates: containers, variants, visitors, algorithms.
// It is compiled, not run.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace {

template <int N> struct Unit {
    std::array<int, N + 1> values{};
    std::string name = "unit";
    friend bool operator<(const Unit &a, const Unit &b) { return a.values < b.values; }
};

template <int... Ns> using OneOf = std::variant<std::monostate, Unit<Ns>...>;

template <typename... Fs> struct Overload : Fs... {
    using Fs::operator()...;
};
template <typename... Fs> Overload(Fs...) -> Overload<Fs...>;

template <typename List, std::size_t... Is>
std::size_t total_size(const List &list, std::index_sequence<Is...>)
{
    return (std::size_t{0} + ... + std::get<Is>(list).values.size());
}

template <int N> struct Stage {
    std::map<int, std::vector<Unit<N>>> by_key;
    std::unordered_map<std::string, std::shared_ptr<Unit<N>>> by_name;
    std::optional<std::tuple<Unit<N>, Unit<N + 1>>> last;

    std::size_t run(int seed)
    {
        for (int i = 0; i < seed; i++) {
            by_key[i % 7].push_back(Unit<N>{});
            by_name.emplace(std::to_string(i), std::make_shared<Unit<N>>());
        }
        last.emplace(Unit<N>{}, Unit<N + 1>{});
        std::size_t sum = total_size(*last, std::make_index_sequence<2>{});
        for (auto &[key, units] : by_key) {
            std::sort(units.begin(), units.end());
            sum += std::accumulate(units.begin(), units.end(), std::size_t{0},
                                   [](std::size_t s, const Unit<N> &u) { return s + u.name.size(); });
        }
        OneOf<N, N + 1, N + 2> one = Unit<N + 1>{};
        sum += std::visit(Overload{[](std::monostate) { return std::size_t{0}; },
                                   [](const auto &u) { return u.values.size(); }},
                          one);
        std::function<std::size_t(int)> next = [this](int i) { return by_key[i].size(); };
        return sum + next(3);
    }
};

template <int... Ns> std::size_t run_all(int seed, std::integer_sequence<int, Ns...>)
{
    return (std::size_t{0} + ... + Stage<Ns * 3>{}.run(seed));
}

} // namespace

#ifndef STAGES
#define STAGES 6
#endif

std::size_t run_stages(int seed)
{
    return run_all(seed, std::make_integer_sequence<int, STAGES>{});
}
