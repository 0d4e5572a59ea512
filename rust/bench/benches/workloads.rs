//! The workloads one by one: `cargo bench --bench workloads --features ours` (or another allocator).

use mimalloc_core_bench::{check_version, WORKLOADS};

fn main() {
    check_version();
    divan::main();
}

#[divan::bench(args = WORKLOADS.map(|(name, _)| name), sample_count = 30)]
fn workload(bencher: divan::Bencher, name: &str) {
    let (_, round) = WORKLOADS.into_iter().find(|(known, _)| *known == name).unwrap();
    bencher.bench(round);
}
