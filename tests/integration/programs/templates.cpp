// Something to chew on for a compiler: deep templates, constant evaluation, standard headers.
// DEPTH sets how much.
#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#ifndef DEPTH
#define DEPTH 20
#endif

template <int... Values> struct List {
    static constexpr int size = sizeof...(Values);
};

template <class, class> struct Concatenate;
template <int... A, int... B> struct Concatenate<List<A...>, List<B...>> {
    using type = List<A..., B...>;
};

template <class, int, bool> struct Filter;
template <int Pivot, bool Less> struct Filter<List<>, Pivot, Less> {
    using type = List<>;
};
template <int Head, int... Tail, int Pivot, bool Less> struct Filter<List<Head, Tail...>, Pivot, Less> {
    using rest = typename Filter<List<Tail...>, Pivot, Less>::type;
    using type = std::conditional_t<(Head < Pivot) == Less, typename Concatenate<List<Head>, rest>::type, rest>;
};

template <class> struct Sort;
template <> struct Sort<List<>> {
    using type = List<>;
};
template <int Head, int... Tail> struct Sort<List<Head, Tail...>> {
    using low = typename Sort<typename Filter<List<Tail...>, Head, true>::type>::type;
    using high = typename Sort<typename Filter<List<Tail...>, Head, false>::type>::type;
    using type = typename Concatenate<typename Concatenate<low, List<Head>>::type, high>::type;
};

constexpr int scramble(int n) { return static_cast<int>((static_cast<unsigned>(n) * 2654435761u) >> 20); }

template <class> struct Scrambled;
template <int... I> struct Scrambled<std::integer_sequence<int, I...>> {
    using type = List<scramble(I)...>;
};

using Sorted = Sort<typename Scrambled<std::make_integer_sequence<int, 3 * DEPTH>>::type>::type;

template <int... Values> std::array<int, sizeof...(Values)> values(List<Values...>) { return {Values...}; }

template <class Left, class Right> struct Sum {
    Left left;
    Right right;
    double operator()(double x) const { return left(x) + right(x); }
};
template <int N> struct Power {
    double operator()(double x) const {
        if constexpr (N == 0) return 1.0;
        else return x * Power<N - 1>{}(x);
    }
};
template <int N> auto polynomial() {
    if constexpr (N == 0) return Power<0>{};
    else return Sum<decltype(polynomial<N - 1>()), Power<N>>{polynomial<N - 1>(), {}};
}

constexpr auto primes = [] {
    std::array<bool, 400 * DEPTH> sieve{};
    for (std::size_t i = 2; i < sieve.size(); i++)
        if (!sieve[i])
            for (std::size_t k = 2 * i; k < sieve.size(); k += i) sieve[k] = true;
    return sieve;
}();

template <int N> struct Tag {
    std::string name = "tag " + std::to_string(N);
    std::map<std::string, std::vector<std::array<int, N % 7 + 1>>> rows;
    std::optional<std::variant<int, std::string, std::unique_ptr<Tag<N / 2>>>> choice;
    std::function<std::string(int)> call = [this](int n) { return name + std::to_string(n * N); };
};

template <int... I> std::string tags(std::integer_sequence<int, I...>) {
    std::tuple<Tag<I>...> all;
    std::ostringstream out;
    std::apply([&](auto &...tag) { (..., (tag.rows[tag.name].push_back({}), out << tag.call(I))); }, all);
    return out.str();
}

int main() {
    int total = 0;
    for (int value : values(Sorted{})) total += value;
    std::unordered_map<std::string, int> words;
    std::regex expression("([a-z]+)-([0-9]+)");
    std::string text = tags(std::make_integer_sequence<int, DEPTH>{});
    for (std::sregex_iterator it(text.begin(), text.end(), expression), end; it != end; ++it) words[it->str(1)]++;
    total += static_cast<int>(std::count(primes.begin(), primes.end(), false)) + static_cast<int>(words.size());
    std::cout << total << ' ' << polynomial<DEPTH>()(0.5) << ' ' << text.size() << '\n';
    return 0;
}
