#!/usr/bin/env python3
"""Compares CPython's own allocator with ours, side by side, on the workloads of workloads.py.

    python/bench/run.py --library build/release/libmimalloc.so
    python/bench/run.py --python venv/bin/python       with the package: its library, and install()
    python/bench/run.py --only list_grow json --reps 5 --no-instructions

The configurations, all in one interleaved run:

    pymalloc       the interpreter as it is: what the others are compared with
    preload raw    the library preloaded; blocks to 512 bytes stay with pymalloc
    preload full   the library preloaded, PYTHONMALLOC=malloc
    install raw    mimalloc.install("raw")
    install all    mimalloc.install("all")
    early raw      MIMALLOC_AUTOINSTALL=raw: installed before site-packages are, on request only
    early all      MIMALLOC_AUTOINSTALL=all

Instructions are callgrind's, at an eighth of the size, less those of a run of size 0. They do not
vary with the load of the machine. Processor time is user time around the workload; configurations
take turns in an order that is drawn anew for each round, and the ratio is that of the medians.
Memory is the peak of the whole process (VmHWM). Each ratio is to pymalloc: below 1 is better. The
last line of each table is the geometric mean; then what the project demands, and whether it is met.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import workloads  # noqa: E402

BASE = "pymalloc"
RAW = ("preload raw", "install raw")
ALL = ("preload full", "install all")
EARLY = ("early raw", "early all")  # with --configurations only
SIZE = 1000
INSTRUCTION_SIZE = 125

# what is demanded: (measure, configurations, workload or None for the geometric mean, at most)
BARS = [
    ("instructions", RAW, None, 1.005),
    ("instructions", RAW, "worst", 1.05),
    ("instructions", ALL, None, 1.01),
    ("user", RAW + ALL + EARLY, None, 1.02),
    ("peak_kib", RAW + ALL + EARLY, None, 1.05),
    ("user", RAW + ALL + EARLY, "list_grow", 1.08),
]
MEASURES = {"instructions": "instructions", "user": "user time, median", "peak_kib": "peak memory"}


class Setup:
    """The interpreter, the library, and which configurations they allow."""

    def __init__(self, python, library):
        self.python = shutil.which(python) or python
        self.package = self._ask("import mimalloc; print(mimalloc.library_path())")
        self.library = str(pathlib.Path(library or self.package or self._built()).resolve())
        if not os.path.exists(self.library):
            sys.exit(f"no library at {self.library}: --library, or an interpreter with the package")
        self.configurations = [BASE, "preload raw", "preload full"]
        self.configurations += ["install raw", "install all"] if self.package else []

    def _ask(self, code):
        environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        done = subprocess.run([self.python, "-c", code], capture_output=True, text=True, env=environment)
        return done.stdout.strip() if done.returncode == 0 else None

    @staticmethod
    def _built():
        return ROOT / "build" / "release" / "libmimalloc.so"

    def command(self, configuration, workload, size):
        words = [self.python, str(HERE / "child.py"), workload, str(size)]
        environment = {
            key: value
            for key, value in os.environ.items()
            if key not in ("LD_PRELOAD", "PYTHONMALLOC") and not key.upper().startswith("MIMALLOC_")
        }
        environment["PYTHONHASHSEED"] = "0"
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        kind, _, what = configuration.partition(" ")
        if kind == "preload":
            environment["LD_PRELOAD"] = self.library
            if what == "full":
                environment["PYTHONMALLOC"] = "malloc"
        elif kind == "install":
            words.append(what)
        elif kind == "early":
            environment["MIMALLOC_AUTOINSTALL"] = what
        return words, environment

    def run(self, configuration, workload, size):
        words, environment = self.command(configuration, workload, size)
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            sys.exit(f"{configuration}, {workload}: status {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout)

    def count(self, configuration, workload, size):
        words, environment = self.command(configuration, workload, size)
        words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *words]
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or not found:
            sys.exit(f"{configuration}, {workload} under callgrind:\n{done.stderr}")
        return int(found.group(1))


def measure_instructions(setup, names, size, jobs):
    """{workload: {configuration: instructions of the workload}}"""
    wanted = [(name, which, n) for name in names for which in setup.configurations for n in (0, size)]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        counts = pool.map(lambda item: setup.count(item[1], item[0], item[2]), wanted)
        counted = dict(zip(wanted, counts))
    return {
        name: {which: counted[name, which, size] - counted[name, which, 0] for which in setup.configurations}
        for name in names
    }


def measure_runs(setup, names, size, reps, seed):
    """{workload: {configuration: [report of each run]}}; results must agree."""
    chance = random.Random(seed)
    reports = {name: {which: [] for which in setup.configurations} for name in names}
    for _ in range(reps):
        for name in names:
            order = list(setup.configurations)
            chance.shuffle(order)
            for which in order:
                reports[name][which].append(setup.run(which, name, size))
    for name, by_configuration in reports.items():
        results = {report["result"] for runs in by_configuration.values() for report in runs}
        if len(results) != 1:
            sys.exit(f"{name}: the results differ: {results}")
    return reports


def middle(reports, key):
    return {
        name: {which: statistics.median(run[key] for run in runs) for which, runs in row.items()}
        for name, row in reports.items()
    }


def ratios_of(values):
    return {
        name: {which: row[which] / row[BASE] for which in row if which != BASE}
        for name, row in values.items()
    }


def geometric_mean(numbers):
    return math.exp(statistics.fmean(map(math.log, numbers)))


def means_of(ratios):
    columns = next(iter(ratios.values()))
    return {which: geometric_mean([row[which] for row in ratios.values()]) for which in columns}


def unit(measure, value):
    return {"instructions": f"{value / 1e6:.0f} M", "user": f"{value:.3f} s"}.get(
        measure, f"{value / 1024:.1f} MiB"
    )


def print_table(measure, values):
    ratios = ratios_of(values)
    columns = [which for which in next(iter(values.values())) if which != BASE]
    print(f"\n{MEASURES[measure]}, ratio to {BASE}\n")
    print(f"  {'workload':<16}{BASE:>12}" + "".join(f"{which:>14}" for which in columns))
    for name, row in ratios.items():
        print(
            f"  {name:<16}{unit(measure, values[name][BASE]):>12}"
            + "".join(f"{row[which]:>14.3f}" for which in columns)
        )
    means = means_of(ratios)
    print(f"  {'geometric mean':<28}" + "".join(f"{means[which]:>14.3f}" for which in columns))


def judge(tables):
    """[(sentence, value, limit, met)] of the demands that this run has figures for."""
    verdicts = []
    for measure, configurations, what, limit in BARS:
        if measure not in tables:
            continue
        ratios = ratios_of(tables[measure])
        for which in configurations:
            if which not in next(iter(ratios.values())) or (what == "list_grow" and what not in ratios):
                continue
            if what is None:
                value, title = means_of(ratios)[which], "geometric mean"
            elif what == "worst":
                title = max(ratios, key=lambda name: ratios[name][which])
                value, title = ratios[title][which], f"worst, {title}"
            else:
                value, title = ratios[what][which], what
            verdicts.append((f"{which}: {MEASURES[measure]}, {title}", value, limit, value <= limit))
    return verdicts


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default="/usr/bin/python3", help="interpreter (default: %(default)s)")
    parser.add_argument("--library", help="default: that of the package, else build/release")
    parser.add_argument("--only", nargs="+", metavar="WORKLOAD", choices=list(workloads.WORKLOADS))
    parser.add_argument("--configurations", nargs="+", metavar="NAME", choices=RAW + ALL + EARLY)
    parser.add_argument("--reps", type=int, default=15, help="rounds of timed runs (default: %(default)s)")
    parser.add_argument("--size", type=int, default=SIZE, help="size of timed runs (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="callgrind runs at a time")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the runs")
    parser.add_argument("--no-instructions", action="store_true")
    parser.add_argument("--no-times", action="store_true")
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--check", action="store_true", help="status 1 when a demand is not met")
    return parser.parse_args()


def main():
    options = arguments()
    setup = Setup(options.python, options.library)
    if options.configurations:
        known = [*setup.configurations, *(EARLY if setup.package else ())]
        missing = [which for which in options.configurations if which not in known]
        if missing:
            sys.exit(f"{setup.python} has no package mimalloc: cannot measure {', '.join(missing)}")
        setup.configurations = [BASE, *options.configurations]
    names = options.only or list(workloads.WORKLOADS)
    version = subprocess.run([setup.python, "-V"], capture_output=True, text=True).stdout.strip()
    print(f"{setup.python}: {version}, {platform.machine()}, {os.cpu_count()} processors")
    print(f"library: {setup.library}")
    if not setup.package:
        print("install raw, install all: not measured, the interpreter has no package mimalloc")

    tables, reports = {}, None
    if not options.no_instructions:
        if shutil.which("valgrind"):
            size = INSTRUCTION_SIZE
            tables["instructions"] = measure_instructions(setup, names, size, options.jobs)
        else:
            print("instructions: not measured, valgrind is missing")
    if not options.no_times and options.reps:
        reports = measure_runs(setup, names, options.size, options.reps, options.seed)
        tables["user"] = middle(reports, "user")
        tables["peak_kib"] = middle(reports, "peak_kib")
    for measure, values in tables.items():
        print_table(measure, values)
    verdicts = judge(tables)
    if verdicts:
        print("\ndemands\n")
    for sentence, value, limit, met in verdicts:
        print(f"  {'met   ' if met else 'MISSED'}  {sentence}: {value:.3f}, at most {limit}")
    if options.json:
        data = {
            "python": version,
            "library": setup.library,
            "tables": tables,
            "runs": reports,
            "demands": [
                {"demand": sentence, "value": value, "limit": limit, "met": met}
                for sentence, value, limit, met in verdicts
            ],
        }
        pathlib.Path(options.json).write_text(json.dumps(data, indent=1) + "\n")
    return 1 if options.check and not all(met for *_, met in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
