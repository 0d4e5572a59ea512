"""Turns raw runs into paired ratios, tables, bars and plots."""

import collections
import math
import statistics

import programs

METRICS = ["time", "peak", "average"]
LOSS = 1.05  # ratios above this are listed as losses
REPETITIONS_TO_MISS = 15

# The bars, as ratios to REFERENCE. "cell" holds for each single cell of the group.
BARS = {
    programs.WORKLOAD: {"time": 0.90, "peak": 0.70, "cell": 1.10},
    programs.REAL: {"time": 0.90, "peak": 0.70, "cell": 1.10},
}
# The builds that check, as ratios to the other allocator: time of each group's mean and of its worst
# cell, peak memory. None: no bar.
Bar = collections.namedtuple("Bar", "build against time cell peak")
VARIANT_BARS = [
    Bar("secure", programs.OURS, 1.05, 1.12, 1.10),
    Bar("hardened", programs.OURS, 1.12, None, None),
    Bar("secure", "scudo", 1.00, None, None),
    Bar("secure", "glibc", 1.00, None, None),
    Bar("secure", programs.REFERENCE, 1.10, None, None),
]
TITLES = {programs.WORKLOAD: "workloads", programs.REAL: "real programs", programs.MICRO: "micro"}

Spread = collections.namedtuple("Spread", "median low high count")


def spread(values):
    """Median and quartiles."""
    if len(values) < 2:
        value = values[0] if values else math.nan
        return Spread(value, value, value, len(values))
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high, len(values))


def value_of(run, metric, clock):
    if metric == "time":
        return run["wall"] if clock == programs.WALL else run["user"] + run["system"]
    return run[f"{metric}_kib"]


class Results:
    """Raw runs, indexed; ratios are always taken within one repetition."""

    def __init__(self, result):
        self.about = result["about"]
        self.cells = result["cells"]
        self.startup = result.get("startup", {})
        self.failures, self.notes, self.values = set(), set(), {}
        self.allocators = list(self.about["allocators"])
        for run in result["runs"]:
            name, allocator = run["cell"], run["allocator"]
            for note in run.get("notes", []):
                self.notes.add(f"{name} with {allocator}: {note}")
            if "failure" in run:
                self.failures.add(f"{name} with {allocator}: {run['failure']}")
                continue
            clock = self.cells[name]["clock"]
            for metric in METRICS:
                key = name, allocator, metric
                self.values.setdefault(key, {})[run["repetition"]] = value_of(run, metric, clock)

    def median(self, cell, allocator, metric):
        values = self.values.get((cell, allocator, metric), {})
        return statistics.median(values.values()) if values else math.nan

    def ratios(self, cell, metric, above, below):
        """{repetition: above / below}"""
        top = self.values.get((cell, above, metric), {})
        bottom = self.values.get((cell, below, metric), {})
        return {r: top[r] / bottom[r] for r in top if r in bottom and bottom[r] > 0}

    def ratio(self, cell, metric, above, below):
        return spread(list(self.ratios(cell, metric, above, below).values()))

    def group(self, group):
        return [name for name, cell in self.cells.items() if cell["group"] == group]

    def geometric_mean(self, group, metric, above, below, trimmed=False):
        """The mean over the cells within each repetition; the spread is over repetitions.

        Trimmed: without the best and the worst cell, to show what one cliff does to the mean.
        """
        cells = [self.ratios(name, metric, above, below) for name in self.group(group)]
        cells = [ratios for ratios in cells if ratios]
        if trimmed and len(cells) > 3:
            cells.sort(key=lambda ratios: statistics.median(ratios.values()))
            cells = cells[1:-1]
        if not cells:
            return spread([])
        common = set.intersection(*(set(ratios) for ratios in cells))
        return spread([math.exp(statistics.fmean(math.log(ratios[r]) for ratios in cells))
                       for r in sorted(common)])


def verdict(found, bar):
    if math.isnan(found.median):
        return "not measured"
    if found.median <= bar:
        return "MET"
    if found.low <= bar:
        return "open: the lower quartile is within the bar"
    if found.count < REPETITIONS_TO_MISS:
        return f"open: above it, but {found.count} of {REPETITIONS_TO_MISS} repetitions"
    return "MISSED"


def number(value, digits=2):
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def with_spread(found):
    return f"{number(found.median)} [{number(found.low)} {number(found.high)}]"


def header(results):
    about, machine = results.about, results.about["machine"]
    load = about.get("load", [])
    lines = [
        f"{about['date']}  commit {about['commit']}{' (modified)' if about['modified'] else ''}",
        f"{machine['cpu']}, {machine['cpus']} processors, {machine['memory_mib']} MiB, "
        f"Linux {machine['kernel']}, huge pages {machine['huge_pages']}",
        f"library {about.get('library', '-')}; {about['compiler']}",
        f"{about['command']} (scale {about['scale']} %)",
        "; ".join(f"{name}: {version}" for name, version in about["allocators"].items() if version),
    ]
    if load and max(load) > 1.5:
        lines.append(f"NOISY: other programs ran as well (load at the start of the repetitions: "
                     f"{', '.join(f'{value:.1f}' for value in load)})")
    return lines


def others_of(results):
    return [name for name in results.allocators
            if name not in (programs.OURS, programs.REFERENCE)]


def main_table(results, group):
    """Everything as a ratio to the reference: time, peak memory, average memory."""
    others = others_of(results)
    reference = programs.REFERENCE
    lines = ["", f"== {TITLES[group]}: ratio to {reference}, lower is better; "
             "median [quartiles]; others: time/peak/average",
             "   trimmed: without the best and the worst cell"]
    lines.append(f"{'':18} {'clock':5} {'ours':>8} {'time':>17}  {'peak':>17}  {'average':>17}  "
                 + "".join(f"{name:>16}" for name in others))
    names = results.group(group)

    def other_cells(lookup):
        return "".join(f"{'/'.join(number(lookup(m, o).median) for m in METRICS):>16}"
                       for o in others)

    for name in names:
        ours = [with_spread(results.ratio(name, m, programs.OURS, reference)) for m in METRICS]
        lines.append(f"{name:18} {results.cells[name]['clock']:5} "
                     f"{number(results.median(name, programs.OURS, 'time'), 3):>6} s "
                     f"{ours[0]:>17}  {ours[1]:>17}  {ours[2]:>17}  "
                     + other_cells(lambda m, o, n=name: results.ratio(n, m, o, reference)))
    for trimmed in (False, True) if group != programs.MICRO and names else ():
        def mean(m, o, trimmed=trimmed):
            return results.geometric_mean(group, m, o, reference, trimmed)

        ours = [with_spread(mean(m, programs.OURS)) for m in METRICS]
        title = "same, trimmed" if trimmed else "geometric mean"
        lines.append(f"{title:18} {'':5} {'':8} {ours[0]:>17}  {ours[1]:>17}  {ours[2]:>17}  "
                     + other_cells(mean))
    return lines if names else []


def against_each(results):
    """Ours to each peer, the worst first; both sides of the ledger in one list."""
    peers = [name for name in results.allocators if name != programs.OURS]
    rows = []
    for name in results.cells:
        for metric in METRICS:
            found = [results.ratio(name, metric, programs.OURS, peer) for peer in peers]
            worst = max((f.median for f in found if not math.isnan(f.median)), default=math.nan)
            if not math.isnan(worst):
                rows.append((worst, name, metric, found))
    rows.sort(key=lambda row: -row[0])
    losses = sum(f.median > LOSS for row in rows for f in row[3])
    wins = sum(f.median < 1 / LOSS for row in rows for f in row[3])
    total = sum(not math.isnan(f.median) for row in rows for f in row[3])
    lines = ["", f"== ours to each peer, worst first (* above {LOSS}): {losses} losses, {wins} wins, "
             f"{total - losses - wins} within {100 * (LOSS - 1):.0f} %"]
    lines.append(f"{'':18} {'':8}" + "".join(f"{peer:>24}" for peer in peers))
    for _, name, metric, found in rows:
        shown = "".join(f"{with_spread(f) + ('*' if f.median > LOSS else ' '):>24}" for f in found)
        lines.append(f"{name:18} {metric:8}{shown}")
    return lines


def startup_table(results):
    if not results.startup:
        return []
    lines = ["", "== startup: medians", f"{'':26} {'wall ms':>9} {'cpu ms':>9} {'minor faults':>13} "
             f"{'peak KiB':>9} {'private dirty KiB':>18}"]
    for name, values in results.startup.items():
        middle = {key: statistics.median(v) for key, v in values.items()}
        lines.append(f"{name:26} {1000 * middle['wall']:9.3f} {1000 * middle['cpu']:9.3f} "
                     f"{middle['minor_faults']:13.0f} {middle['peak_kib']:9.0f} "
                     f"{middle['private_dirty_kib']:18.0f}")
    return lines


def bars(results):
    lines = ["", f"== bars, against {programs.REFERENCE}: met when the median is within; missed only "
             f"when the lower quartile is above too, after {REPETITIONS_TO_MISS} repetitions"]
    for group, bar in BARS.items():
        if not results.group(group):
            continue
        for metric in ("time", "peak"):
            found = results.geometric_mean(group, metric, programs.OURS, programs.REFERENCE)
            lines.append(f"{TITLES[group]}, {metric}, geometric mean <= {bar[metric]:.2f}: "
                         f"{with_spread(found)}: {verdict(found, bar[metric])}")
        over = []
        for name in results.group(group):
            found = results.ratio(name, "time", programs.OURS, programs.REFERENCE)
            if math.isnan(found.median) or found.median > bar["cell"]:
                over.append(f"    {name}: {with_spread(found)}: {verdict(found, bar['cell'])}")
        lines.append(f"{TITLES[group]}, time of each <= {bar['cell']:.2f}: "
                     + ("MET" if not over else f"{len(over)} above"))
        lines += over
    return lines


def cells_above(results, group, bar):
    over = []
    for name in results.group(group):
        found = results.ratio(name, "time", bar.build, bar.against)
        if math.isnan(found.median) or found.median > bar.cell:
            over.append(f"    {name}: {with_spread(found)}: {verdict(found, bar.cell)}")
    return over


def variant_bars(results):
    """What the checks of the other builds cost, and whether that is still less than others'."""
    lines = []
    for bar in VARIANT_BARS:
        if bar.build not in results.allocators or bar.against not in results.allocators:
            continue
        for group in BARS:
            if not results.group(group):
                continue
            for metric, limit in (("time", bar.time), ("peak", bar.peak)):
                found = results.geometric_mean(group, metric, bar.build, bar.against)
                if limit is not None:
                    lines.append(f"{bar.build} to {bar.against}, {TITLES[group]}, {metric}, geometric "
                                 f"mean <= {limit:.2f}: {with_spread(found)}: "
                                 f"{verdict(found, limit)}")
            if bar.cell is not None:
                over = cells_above(results, group, bar)
                lines.append(f"{bar.build} to {bar.against}, {TITLES[group]}, time of each <= "
                             f"{bar.cell:.2f}: " + ("MET" if not over else f"{len(over)} above"))
                lines += over
    return ["", "== bars of the builds that check", *lines] if lines else []


def text(result):
    results = Results(result)
    lines = header(results)
    for group in (programs.WORKLOAD, programs.REAL, programs.MICRO):
        lines += main_table(results, group)
    lines += startup_table(results) + against_each(results) + bars(results) + variant_bars(results)
    lines += [f"FAILED: {failure}" for failure in sorted(results.failures)]
    lines += [f"note: {note}" for note in sorted(results.notes)]
    return "\n".join(lines) + "\n"


def plot(result, path):
    """One panel for each metric: every allocator's ratio to the reference, in every cell."""
    try:
        import matplotlib
    except ImportError:
        print("bench: no plot: python3-matplotlib is not installed")
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as pyplot

    results = Results(result)
    names = [*results.group(programs.WORKLOAD), *results.group(programs.REAL)]
    shown = [a for a in results.allocators if a != programs.REFERENCE]
    if not names:
        return
    figure, panels = pyplot.subplots(1, 3, figsize=(17, 1.5 + 0.3 * len(names)), sharey=True)
    rows = range(len(names))
    for panel, metric in zip(panels, METRICS):
        for index, allocator in enumerate(shown):
            found = [results.ratio(name, metric, allocator, programs.REFERENCE) for name in names]
            ours = allocator == programs.OURS
            errors = [[f.median - f.low for f in found], [f.high - f.median for f in found]]
            panel.errorbar([f.median for f in found], [row + 0.12 * index for row in rows],
                           xerr=errors, fmt="D" if ours else "o", markersize=6 if ours else 4,
                           color="black" if ours else f"C{index}", label=allocator, linewidth=0.8)
        panel.axvline(1, color="grey", linewidth=1)
        panel.set_xscale("log", base=2)
        panel.set_title(f"{metric}, ratio to {programs.REFERENCE} (lower is better)")
        panel.grid(axis="x", alpha=0.3)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panels[0].set_yticks(list(rows), names)
    panels[0].invert_yaxis()
    panels[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
