//! mimalloc-core-bench WORKLOAD ROUNDS: does one workload, for compare.py to measure, and prints two
//! numbers, in KiB: the peak of its resident memory (what a parent sees of it starts with the parent's
//! own), and what of it is files at the end: programs and libraries, which hardly ever become less.

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
    let status = std::fs::read_to_string("/proc/self/status").expect("a system with /proc");
    let number_of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of that name");
        line.split_whitespace().nth(1).expect("a number")
    };
    println!("{} {}", number_of("VmHWM:"), number_of("RssFile:"));
}
