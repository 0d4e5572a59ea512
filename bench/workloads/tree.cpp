/*
 * tree: binary trees, ordered maps and hash maps are grown, thinned out and torn down.
 *
 * Stands for compilers and databases: linked nodes of a few fixed sizes, walked often, freed one
 * by one in an order that is not the order of allocation.
 */
#include "common.h"

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

namespace {

struct Node {
    std::unique_ptr<Node> left, right;
    uint64_t key = 0;
};

std::unique_ptr<Node> grow_full(unsigned depth, uint64_t key)
{
    auto node = std::make_unique<Node>();
    node->key = key;
    if (depth > 0) {
        node->left = grow_full(depth - 1, 2 * key);
        node->right = grow_full(depth - 1, 2 * key + 1);
    }
    return node;
}

uint64_t sum_of(const Node *node)
{
    return node == nullptr ? 0
                           : node->key + sum_of(node->left.get()) + sum_of(node->right.get());
}

void insert(std::unique_ptr<Node> &root, uint64_t key)
{
    std::unique_ptr<Node> *at = &root;
    while (*at) at = key < (*at)->key ? &(*at)->left : &(*at)->right;
    *at = std::make_unique<Node>();
    (*at)->key = key;
}

/* One tree that lives, many that come and go beside it. */
uint64_t full_trees(unsigned rounds)
{
    uint64_t sum = 0;
    auto kept = grow_full(16, 1);
    for (unsigned i = 0; i < rounds; i++)
        for (unsigned depth = 4; depth <= 14; depth += 2) sum += sum_of(grow_full(depth, i).get());
    return sum + sum_of(kept.get());
}

uint64_t search_trees(bench_rng &rng, unsigned count)
{
    std::unique_ptr<Node> root;
    uint64_t expected = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t key = bench_rng_next(&rng) >> 16;
        expected += key;
        insert(root, key);
    }
    bench_check(sum_of(root.get()) == expected);
    return expected;
}

uint64_t ordered_maps(bench_rng &rng, unsigned count)
{
    std::map<uint64_t, std::string> map;
    for (unsigned i = 0; i < count; i++)
        map[bench_rng_next(&rng) >> 20].assign(8 + bench_rng_below(&rng, 40), 'x');
    unsigned index = 0;
    for (auto at = map.begin(); at != map.end(); index++)
        at = index % 3 == 0 ? std::next(at) : map.erase(at);
    uint64_t sum = map.size();
    for (const auto &[key, text] : map) sum += key ^ text.size();
    return sum;
}

uint64_t hash_maps(bench_rng &rng, unsigned count)
{
    std::unordered_map<uint64_t, std::unique_ptr<uint64_t[]>> map;
    for (unsigned i = 0; i < count; i++) {
        uint64_t key = bench_rng_below(&rng, count / 2);
        auto &value = map[key];
        value = std::make_unique<uint64_t[]>(1 + bench_rng_below(&rng, 16));
        value[0] = key;
        if ((i & 3) == 0) map.erase(bench_rng_below(&rng, count / 2));
    }
    uint64_t sum = map.size();
    for (const auto &[key, value] : map) {
        bench_check(value[0] == key);
        sum += key;
    }
    return sum;
}

} // namespace

int main(int argc, char **argv)
{
    unsigned scale = bench_scale(argc, argv);
    bench_rng rng = bench_rng_seed(5);
    uint64_t rounds = bench_scaled(15, scale);
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        double since = bench_seconds();
        checksum = bench_fold(checksum, full_trees(60));
        since = bench_lap("full", since);
        checksum = bench_fold(checksum, search_trees(rng, 50000));
        since = bench_lap("search", since);
        checksum = bench_fold(checksum, ordered_maps(rng, 60000));
        since = bench_lap("map", since);
        checksum = bench_fold(checksum, hash_maps(rng, 150000));
        bench_lap("hash", since);
    }
    return bench_done(checksum);
}
