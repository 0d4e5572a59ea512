#!/usr/bin/env python3
"""Rust programs on several allocators, side by side in one run.

    rust/bench/compare.py                       all allocators, all workloads
    rust/bench/compare.py --only ours mimalloc-v3 --rounds 9

Each allocator has a binary of its own, built here. They run by turns, in an order that changes from
round to round. Printed are, for each workload, the median and the quartiles of the processor time relative to
`--base`, taken round by round, the geometric mean of these medians, and the peak of resident memory
in MiB, the median too: all of it, and without what is mapped from files. An allocator that is linked
into the program has its code there; that of the system is in the C library, which every one of these
programs has mapped, used or not.
"""

import argparse
import math
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ALLOCATORS = [
    "system", "ours", "ours-secure", "mimalloc-v3", "mimalloc-v2", "mimalloc-secure", "jemalloc", "snmalloc",
]
REPEAT = 20  # of a workload in one process: with 5 a quarter of the shortest was its start


def build(name):
    """The binary on one allocator; None, with the reason, when it cannot be built."""
    target = HERE / "target" / name
    command = ["cargo", "build", "--release", "--quiet", "--manifest-path", HERE / "Cargo.toml"]
    command += ["--target-dir", target]
    command += [] if name == "system" else ["--features", name]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{name}: not built:\n{done.stderr[-1500:]}", file=sys.stderr)
        return None
    return target / "release" / "mimalloc-core-bench"


def measure(program, workload):
    """Of one process: processor time in seconds, peak of resident memory in MiB, the same without files."""
    process = subprocess.Popen([program, workload, str(REPEAT)], stdout=subprocess.PIPE, text=True)
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{program} {workload}: ended with {process.returncode}")
    peak, files = (int(number) / 1024 for number in told.split())
    return usage.ru_utime + usage.ru_stime, peak, peak - files


def print_table(title, names, rows, last):
    print(f"\n{title}\n\n| workload | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
    for workload, values in rows:
        print(f"| {workload} | {' | '.join(values)} |")
    print(f"| **{last[0]}** | {' | '.join(f'{value:.3f}' for value in last[1])} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=ALLOCATORS, default=ALLOCATORS)
    parser.add_argument("--base", choices=ALLOCATORS, default="mimalloc-v3")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()

    wanted = [name for name in ALLOCATORS if name in arguments.only or name == arguments.base]
    programs = {name: program for name in wanted if (program := build(name))}
    if arguments.base not in programs:
        sys.exit(f"{arguments.base} is what the others are compared with")
    names = list(programs)
    for program in programs.values():
        program.read_bytes()  # a fault maps what is cached of a file: of all of them the same
    listed = subprocess.run([programs[arguments.base]], capture_output=True, text=True, check=True)
    workloads = listed.stdout.split()

    results = {(workload, name): [] for workload in workloads for name in names}
    for number in range(arguments.rounds):
        shift = number % len(names)
        for workload in workloads:
            for name in names[shift:] + names[:shift]:
                results[workload, name].append(measure(programs[name], workload))
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)

    def ratio(workload, name, which):
        pairs = zip(results[workload, name], results[workload, arguments.base])
        return statistics.median(one[which] / base[which] for one, base in pairs)

    def quartiles(workload, name):
        pairs = zip(results[workload, name], results[workload, arguments.base])
        ratios = sorted(one[0] / base[0] for one, base in pairs)
        last = len(ratios) - 1
        return f"[{ratios[last // 4]:.2f} {ratios[(3 * last + 3) // 4]:.2f}]"

    def mean(values):
        return math.exp(statistics.fmean(map(math.log, values)))

    def rows(which):
        return [(workload, [ratio(workload, name, which) for name in names]) for workload in workloads]

    times = rows(0)
    means = [mean([values[i] for _, values in times]) for i in range(len(names))]
    told = [
        (workload, [f"{values[i]:.2f} {quartiles(workload, name)}" for i, name in enumerate(names)])
        for workload, values in times
    ]
    print_table(f"Processor time relative to {arguments.base}", names, told, ("geometric mean", means))
    for which, title in [(1, ""), (2, ", without files")]:
        peaks = [
            (workload, [statistics.median(one[which] for one in results[workload, name]) for name in names])
            for workload in workloads
        ]
        means = [mean([values[i] for _, values in peaks]) for i in range(len(names))]
        told = [(workload, [f"{value:.2f}" for value in values]) for workload, values in peaks]
        print_table(f"Peak of resident memory, MiB{title}", names, told, ("geometric mean", means))


if __name__ == "__main__":
    main()
