#!/usr/bin/env python3
"""What share of the misuse corpus a build detects, prevents and misses.

    tests/death/score.py REPORT.tsv...                  a table for each group, and the score
    tests/death/score.py --bars secure REPORT.tsv...    and compares with the bars of that build
    ... --table corpus/expected.txt                     only if no cell of that column is open

The reports are those of the corpus program (`--report`). Each case counts alike within its group,
by the share of its trials; each group has the weight it has in the table below, so that no mix of
our cases can move the score. Detected: the process stopped or said something, at the misuse or
later, on purpose (D, L), at a guard (G) or by accident (C). Prevented: no harm. Missed: harm, or a
hang.
"""

import argparse
import collections
import pathlib
import sys

# cases of the reference corpus: 118 scored
WEIGHTS = {
    "double-free": 21,
    "invalid-free": 14,
    "overflow-write": 22,
    "overflow-read": 6,
    "underflow": 7,
    "uaf": 19,
    "metadata": 5,
    "sized-delete": 8,
    "misc": 6,
    "limits": 6,
    "stale-data": 4,
}
UNSCORED = ("mi-heaps", "control")
DETECTED, PREVENTED, MISSED = "DLGC", "P", "MH"

# percent: detected at least, missed at most, missed of the group double-free at most
BARS = {
    "release": (15, 50, None),
    "secure": (64, 12, 5),
    "hardened": (76, 4, 0),
}
# Groups without any miss in secure and hardened; of double-free, what is still free.
NEVER_MISSED = ("invalid-free", "sized-delete")
HANDED_OUT_AGAIN = "df_reused_"
# What malloc must never do, whatever was written or freed, in secure and hardened.
NEVER_DONE = ("malloc returned a chosen address", "program data followed as a link")
OVERLAP = "two live objects overlap"

Trial = collections.namedtuple("Trial", "group case outcome why")


def read(paths):
    trials = []
    for path in paths:
        for line in path.read_text().splitlines():
            group, case, _, outcome, _, why = line.split("\t")
            trials.append(Trial(group, case, outcome, why))
    return trials


def shares(trials):
    """{group: (detected, prevented, missed)}, each 0 to 1; skipped cases do not count."""
    cases = collections.defaultdict(list)
    for trial in trials:
        if trial.outcome != "S":
            cases[trial.group, trial.case].append(trial.outcome)
    groups = collections.defaultdict(list)
    for (group, _), outcomes in cases.items():
        groups[group].append([sum(o in kind for o in outcomes) / len(outcomes)
                              for kind in (DETECTED, PREVENTED, MISSED)])
    return {group: tuple(sum(column) / len(rows) for column in zip(*rows))
            for group, rows in groups.items()}


def total(groups):
    weight = sum(WEIGHTS[group] for group in groups if group in WEIGHTS)
    return tuple(sum(WEIGHTS[g] * share[i] for g, share in groups.items() if g in WEIGHTS) / weight
                 for i in range(3))


def problems(build, trials, groups):
    """What is not as it must be, in words."""
    found = [f"group {name} is missing" for name in WEIGHTS if name not in groups]
    if found:
        return found
    least, most, double_free = BARS[build]
    detected, _, missed = (100 * share for share in total(groups))
    if detected < least:
        found.append(f"detected {detected:.1f} %, at least {least}")
    if missed > most:
        found.append(f"missed {missed:.1f} %, at most {most}")
    wrong = [trial for trial in trials if trial.outcome == "E"]
    found += [f"broken: {trial.group}/{trial.case}" for trial in wrong]
    found += [f"false positive: {trial.case}" for trial in trials
              if trial.group == "control" and trial.outcome not in "PS"]
    if build == "release":
        return found
    share = 100 * groups["double-free"][2]
    if share > double_free:
        found.append(f"double-free: missed {share:.1f} %, at most {double_free}")
    for trial in trials:
        if trial.outcome not in MISSED:
            continue
        still_free = trial.group == "double-free" and not trial.case.startswith(HANDED_OUT_AGAIN)
        if trial.group in NEVER_MISSED or still_free:
            found.append(f"missed: {trial.group}/{trial.case}: {trial.why}")
        elif trial.why in NEVER_DONE or (trial.why == OVERLAP and
                                         not trial.case.startswith(HANDED_OUT_AGAIN)):
            found.append(f"{trial.why}: {trial.group}/{trial.case}")
    return found


def open_cells(path, build):
    """How many cells of the build's column do not yet say what is required."""
    column, count = None, 0
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or words[0] in ("#", "message"):
            continue
        if words[0] == "builds":
            column = 1 + words.index(build)
        elif column is not None and "!" in words[column]:
            count += 1
    return count


def table(trials, groups):
    lines = [f"{'group (weight)':22} {'cases':>5}  detected prevented missed %   "
             "at misuse  later  guard  accident"]
    for name in (*WEIGHTS, *UNSCORED):
        if name not in groups:
            continue
        mine = [t for t in trials if t.group == name and t.outcome != "S"]
        kinds = [100 * sum(t.outcome == kind for t in mine) / len(mine) for kind in "DLGC"]
        weight = f" ({WEIGHTS[name]})" if name in WEIGHTS else ""
        d, p, m = (100 * share for share in groups[name])
        count = len({t.case for t in mine})
        lines.append(f"{name + weight:22} {count:5}  {d:8.0f} {p:9.0f} {m:8.0f}  "
                     + " ".join(f"{kind:8.0f}" for kind in kinds))
    d, p, m = (100 * share for share in total(groups))
    skipped = len({(t.group, t.case) for t in trials if t.outcome == "S"})
    lines.append(f"{'score':22} {'':5}  {d:8.1f} {p:9.1f} {m:8.1f}"
                 + (f"   ({skipped} cases skipped)" if skipped else ""))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=pathlib.Path)
    parser.add_argument("--bars", choices=BARS, help="exit with 1 unless these bars are met")
    parser.add_argument("--table", type=pathlib.Path, help="expected.txt: are cells still open?")
    arguments = parser.parse_args()
    missing = [str(path) for path in arguments.reports if not path.exists()]
    if missing:
        sys.exit(f"score: no report {', '.join(missing)}: run the corpus first")
    trials = read(arguments.reports)
    groups = shares(trials)
    print("\n".join(table(trials, groups)))
    if arguments.bars is None:
        return 0
    found = problems(arguments.bars, trials, groups)
    for problem in sorted(set(found)):
        print(f"NOT MET: {problem}")
    still_open = open_cells(arguments.table, arguments.bars) if arguments.table else 0
    if still_open:
        print(f"{still_open} cells of the table are open: the bars do not hold yet")
    return 1 if found and not still_open else 0


if __name__ == "__main__":
    sys.exit(main())
