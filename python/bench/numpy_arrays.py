#!/usr/bin/env python3
"""Compares NumPy's default handler of array data with ours, side by side.

    python/bench/numpy_arrays.py --python venv/bin/python         an interpreter with the package
    python/bench/numpy_arrays.py --only small_empty --rounds 9

Workloads create and drop arrays of 100 bytes to 100 MB, and compute with them. One process for each
workload and round; in it the configurations take turns, in an order that is drawn anew each time, so
that what the machine does besides meets all of them:

    default     NumPy's own handler
    install     mimalloc.install_numpy()
    context     with mimalloc.numpy():

The figure is processor time, user and system (large arrays are page faults), of the median turn; the
ratio is to `default`, the median of the rounds, with the lowest and the highest. Below 1 is better.
`install` and `context` are to be at or below 1 in the geometric mean. --instructions counts those of
one turn with callgrind instead.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import time

CONFIGURATIONS = ("default", "install", "context")
MOST = 1.0


def small_empty(np, size):
    """One array at a time, 104 bytes to 1,000."""
    empty = np.empty
    for _ in range(size * 80):
        for count in (13, 25, 60, 125):
            empty(count)


def small_zeros(np, size):
    zeros = np.zeros
    for _ in range(size * 60):
        for count in (13, 25, 60, 125):
            zeros(count)


def small_sums(np, size):
    """Temporaries of a formula over 100 doubles."""
    x = np.arange(100.0)
    y = x + 1.0
    for _ in range(size * 60):
        (x * y + x) / y - x


def small_window(np, size):
    """Five hundred arrays at a time of 100 bytes to 1 KiB."""
    chance = random.Random(1)
    counts = [chance.randrange(13, 128) for _ in range(997)]
    window = [None] * 500
    for number in range(size * 240):
        window[number * 7 % 500] = np.empty(counts[number % 997])


def middle_sums(np, size):
    """The same formula over 1,000 to 100,000 doubles."""
    for count in (1000, 10_000, 100_000):
        x = np.arange(float(count))
        y = x + 1.0
        for _ in range(max(1, size * 10_000 // count)):
            (x * y + x) / y - x


def middle_window(np, size):
    """Thirty arrays at a time of 1 KiB to 1 MiB, written."""
    chance = random.Random(2)
    window = [None] * 30
    for number in range(size * 2):
        window[number % 30] = np.full(int(2 ** chance.uniform(7, 17)), 1.0)


def large_sums(np, size):
    """Over 1 MB, 10 MB and 100 MB."""
    for count in (125_000, 1_250_000, 12_500_000):
        x = np.ones(count)
        for _ in range(max(1, size * 3000 // count)):
            x = x * 0.5 + x


def large_sort(np, size):
    """Copies, sorted and resized, of half a million doubles."""
    x = np.random.default_rng(3).random(500_000)
    for _ in range(max(1, size // 150)):
        y = np.sort(x)
        y.resize(600_000, refcheck=False)
        np.concatenate([x, y])


WORKLOADS = {
    function.__name__: function
    for function in (
        small_empty, small_zeros, small_sums, small_window, middle_sums, middle_window, large_sums, large_sort,
    )
}  # fmt: skip


@contextlib.contextmanager
def configured(which):
    import mimalloc

    if which == "install":
        mimalloc.install_numpy()
        yield
        mimalloc.uninstall_numpy()
    elif which == "context":
        with mimalloc.numpy():
            yield
    else:
        yield


def child(name, size, turns, seed, only=None):
    """Times of each configuration, as a line of JSON; of one alone for callgrind."""
    import numpy as np

    chance = random.Random(seed)
    run = WORKLOADS[name]
    times = {which: [] for which in ([only] if only else CONFIGURATIONS)}
    for turn in range(turns + 1):
        for which in chance.sample(list(times), len(times)):
            with configured(which):
                start = time.process_time_ns()
                run(np, size)
                if turn:  # the first is to get warm
                    times[which].append(time.process_time_ns() - start)
    print(json.dumps(times))


def start(options, name, *more, tool=()):
    words = [*tool, options.python, __file__, "--child", name, *map(str, more)]
    environment = {key: value for key, value in os.environ.items() if "MIMALLOC" not in key.upper()}
    environment.pop("LD_PRELOAD", None)
    environment.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{name}: status {done.returncode}\n{done.stderr}")
    return done


def measure_times(options, names):
    """{name: {configuration: [ratio of each round]}}, {name: seconds of default}"""
    ratios = {name: {which: [] for which in CONFIGURATIONS[1:]} for name in names}
    seconds = {name: [] for name in names}
    for round_number in range(options.rounds):
        for name in names:
            done = start(options, name, options.size, options.turns, options.seed + round_number)
            middle = {which: statistics.median(times) for which, times in json.loads(done.stdout).items()}
            seconds[name].append(middle["default"] / 1e9)
            for which in ratios[name]:
                ratios[name][which].append(middle[which] / middle["default"])
    return ratios, {name: statistics.median(values) for name, values in seconds.items()}


def measure_instructions(options, names):
    """The same of instructions: two turns' less one's."""
    ratios, base = {}, {}
    for name in names:
        counts = {}
        for which in CONFIGURATIONS:
            seen = []
            for turns in (0, 1):
                tool = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
                done = start(options, name, options.size // 8, turns, 1, which, tool=tool)
                seen.append(int(re.search(r"Collected : (\d+)", done.stderr).group(1)))
            counts[which] = seen[1] - seen[0]
        base[name] = counts["default"] / 1e6
        ratios[name] = {which: [counts[which] / counts["default"]] for which in CONFIGURATIONS[1:]}
    return ratios, base


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable, help="interpreter (default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="WORKLOAD", choices=list(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=5, help="processes a workload (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=9, help="turns in each (default: %(default)s)")
    parser.add_argument("--size", type=int, default=1000, help="size of a turn (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of turns")
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--check", action="store_true", help="status 1 when the demand is not met")
    return parser.parse_args()


def main():
    options = arguments()
    names = options.only or list(WORKLOADS)
    measure = measure_instructions if options.instructions else measure_times
    ratios, base = measure(options, names)
    unit = "M instr." if options.instructions else "seconds"
    print(f"  {'workload':<16}{unit:>10}" + "".join(f"{which:>24}" for which in CONFIGURATIONS[1:]))
    for name, row in ratios.items():
        cells = (f"{statistics.median(v):.3f} [{min(v):.3f} {max(v):.3f}]" for v in row.values())
        print(f"  {name:<16}{base[name]:>10.3f}" + "".join(f"{cell:>24}" for cell in cells))
    met = True
    for which in CONFIGURATIONS[1:]:
        mean = math.exp(statistics.fmean(math.log(statistics.median(row[which])) for row in ratios.values()))
        met = met and mean <= MOST
        print(f"  {'met' if mean <= MOST else 'MISSED'}: {which}, geometric mean {mean:.3f}, at most {MOST}")
    return 1 if options.check and not met else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        name, size, turns, seed, *only = sys.argv[2:]
        child(name, int(size), int(turns), int(seed), *only)
    else:
        sys.exit(main())
