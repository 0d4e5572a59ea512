/*
 * strings: words are made, sorted, counted, joined to paragraphs, cut apart again and dropped.
 *
 * Stands for parsers, template engines and scripting languages: very many short-lived strings of
 * 10 to 80 bytes, some that grow while they are written to, some long ones.
 */
#include "common.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

constexpr unsigned WORDS = 60000;
constexpr unsigned ROUNDS = 24;

std::string make_word(bench_rng &rng)
{
    static const char *const SYLLABLES[] = {"ba", "ke", "li", "mo", "nu", "per", "sta", "tron"};
    std::string word;
    unsigned count = 2 + bench_rng_below(&rng, 14);
    for (unsigned i = 0; i < count; i++) word += SYLLABLES[bench_rng_below(&rng, 8)];
    return word;
}

std::vector<std::string> split(const std::string &text, char separator)
{
    std::vector<std::string> parts;
    size_t start = 0;
    for (size_t at; (at = text.find(separator, start)) != std::string::npos; start = at + 1)
        parts.push_back(text.substr(start, at - start));
    parts.push_back(text.substr(start));
    return parts;
}

uint64_t hash(const std::string &text)
{
    uint64_t value = UINT64_C(1469598103934665603);
    for (unsigned char c : text) value = (value ^ c) * UINT64_C(1099511628211);
    return value;
}

uint64_t round_once(bench_rng &rng)
{
    std::vector<std::string> words;
    for (unsigned i = 0; i < WORDS; i++) words.push_back(make_word(rng));

    std::vector<std::string> sorted = words;
    std::sort(sorted.begin(), sorted.end());
    bench_check(std::is_sorted(sorted.begin(), sorted.end()));

    std::unordered_map<std::string, unsigned> counts;
    for (const std::string &word : words) counts[word.substr(0, word.size() / 2)]++;

    std::vector<std::string> paragraphs;
    for (size_t i = 0; i < words.size();) {
        std::string paragraph;
        for (unsigned n = 1 + bench_rng_below(&rng, 200); n > 0 && i < words.size(); n--, i++)
            paragraph += (paragraph.empty() ? "" : " ") + words[i];
        paragraphs.push_back(std::move(paragraph));
    }

    uint64_t sum = counts.size();
    size_t index = 0;
    for (const std::string &paragraph : paragraphs) {
        for (const std::string &word : split(paragraph, ' ')) bench_check(word == words[index++]);
        sum = bench_fold(sum, hash(paragraph));
    }
    bench_check(index == words.size());
    return bench_fold(sum, hash(sorted[sorted.size() / 2]));
}

} // namespace

int main(int argc, char **argv)
{
    uint64_t rounds = bench_scaled(ROUNDS, bench_scale(argc, argv));
    bench_rng rng = bench_rng_seed(4);
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < rounds; i++) checksum = bench_fold(checksum, round_once(rng));
    return bench_done(checksum);
}
