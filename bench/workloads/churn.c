/*
 * churn: 100,000 live blocks whose sizes follow a power law from 16 bytes to 64 KiB; a random one
 * is freed and replaced, again and again.
 *
 * Stands for long-lived services, whose blocks have long lost the order in which they were
 * allocated: the first workload in which the layout decides, not the number of instructions.
 */
#include "common.h"

enum { LIVE = 100000, REPLACEMENTS = 12000000 };

static struct slot {
    void *block;
    size_t size;
} slots[LIVE];

static void slot_fill(struct slot *slot, bench_rng *rng, uint64_t mark)
{
    slot->size = bench_rng_power_size(rng, 16, 64 * KIB);
    slot->block = bench_need(malloc(slot->size));
    bench_stamp(slot->block, slot->size, mark);
}

int main(int argc, char **argv)
{
    unsigned scale = bench_scale(argc, argv);
    bench_rng rng = bench_rng_seed(3);
    uint64_t checksum = 0;
    double since = bench_seconds();

    for (uint32_t i = 0; i < LIVE; i++) slot_fill(&slots[i], &rng, i);
    since = bench_lap("fill", since);

    uint64_t count = bench_scaled(REPLACEMENTS, scale);
    for (uint64_t n = 0; n < count; n++) {
        uint32_t at = bench_rng_below(&rng, LIVE);
        bench_verify(slots[at].block, slots[at].size, at);
        checksum += slots[at].size;
        free(slots[at].block);
        slot_fill(&slots[at], &rng, at);
    }
    since = bench_lap("replace", since);

    for (uint32_t i = 0; i < LIVE; i++) {
        bench_verify(slots[i].block, slots[i].size, i);
        checksum = bench_fold(checksum, slots[i].size);
        free(slots[i].block);
    }
    bench_lap("drop", since);
    return bench_done(checksum);
}
