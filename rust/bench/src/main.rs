//! mimalloc-core-bench WORKLOAD ROUNDS: does one workload, for compare.py to measure.

use mimalloc_core_bench::{check_version, WORKLOADS};

fn main() {
    check_version();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, rounds] = &arguments[..] else {
        WORKLOADS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let found = WORKLOADS.iter().find(|(known, _)| known == name);
    let (_, round) = found.unwrap_or_else(|| panic!("no workload is named {name}"));
    (0..rounds.parse().expect("ROUNDS is a number")).for_each(|_: u32| round());
}
