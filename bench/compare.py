#!/usr/bin/env python3
"""Compares two results of bench/run.py: what changed between them.

    bench/compare.py BEFORE.json AFTER.json

The machine may have been faster or slower on one of the two days, so each side is first taken as a
ratio to the reference allocator of its own run; what is compared are these ratios. A change counts
when the quartiles of the two sides do not overlap.
"""

import json
import math
import pathlib
import sys

import programs
import report


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    before, after = (report.Results(json.loads(pathlib.Path(p).read_text())) for p in sys.argv[1:])
    for results in (before, after):
        print("\n".join(report.header(results)) + "\n")
    if before.about["scale"] != after.about["scale"]:
        print("The scales differ: times cannot be compared cell by cell.\n")
    rows = []
    for name in (n for n in before.cells if n in after.cells):
        for metric in report.METRICS:
            sides = [r.ratio(name, metric, programs.OURS, programs.REFERENCE)
                     for r in (before, after)]
            if all(not math.isnan(side.median) for side in sides):
                rows.append((sides[1].median / sides[0].median, name, metric, *sides))
    rows.sort(key=lambda row: -row[0])
    print(f"{'':18} {'':8} {'change':>7} {'before':>18} {'after':>18}   (ours to "
          f"{programs.REFERENCE}; lower is better)")
    for change, name, metric, old, new in rows:
        apart = new.low > old.high or new.high < old.low
        word = ("worse" if change > 1 else "better") if apart else ""
        print(f"{name:18} {metric:8} {change:7.2f} {report.with_spread(old):>18} "
              f"{report.with_spread(new):>18}   {word}")
    for group in report.BARS:
        for metric in report.METRICS:
            sides = [r.geometric_mean(group, metric, programs.OURS, programs.REFERENCE)
                     for r in (before, after)]
            print(f"{report.TITLES[group]}, {metric}, geometric mean: "
                  f"{report.with_spread(sides[0])} -> {report.with_spread(sides[1])}")


if __name__ == "__main__":
    main()
