//! mimalloc-core-bench WORKLOAD ROUNDS: does one workload, for compare.py to measure, and prints the
//! peak of its resident memory in KiB. (What a parent sees of it starts with the parent's own.)

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
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    println!("{}", line.split_whitespace().nth(1).expect("a number"));
}
