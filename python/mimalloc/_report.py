"""The table of statistics at the exit of a program."""

from __future__ import annotations

import os
import resource
import sys
from typing import Any, Dict, List, Optional, Sequence, TextIO

from ._stats import stats
from ._status import Status, status

_CLASSES = 12  #: rows of the table of sizes


def size(count: float) -> str:
    """Bytes as text that is easy to read."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def _whose(state: Status) -> str:
    if not state.active:
        return "not active: no domain of CPython allocates from mimalloc"
    return f"active for {', '.join(state.domains)}" + (
        "" if "obj" in state.domains else "; blocks to 512 bytes are CPython's own, and not counted here"
    )


def _classes(rows: List[Dict[str, int]]) -> List[str]:
    def held(row: Dict[str, int]) -> int:
        return row["block_size"] * row["live"]

    shown = sorted(rows, key=lambda row: (held(row), row["total"]), reverse=True)[:_CLASSES]
    lines = [f"  {'block size':<14}{'in use':>12}{'at peak':>12}{'ever':>14}{'bytes in use':>16}"]
    for row in sorted(shown, key=lambda row: row["block_size"] or sys.maxsize):
        name = size(row["block_size"]) if row["block_size"] else "larger"
        in_use = size(held(row)) if row["block_size"] else ""
        lines.append(f"  {name:<14}{row['live']:>12}{row['peak']:>12}{row['total']:>14}{in_use:>16}")
    if len(rows) > len(shown):
        rest = [row for row in rows if row not in shown]
        live, total = sum(row["live"] for row in rest), sum(row["total"] for row in rest)
        title = f"{len(rest)} others"
        lines.append(f"  {title:<14}{live:>12}{'':>12}{total:>14}{size(sum(map(held, rest))):>16}")
    return lines


def lines_of(title: str, elapsed: Optional[float], before: Sequence[float]) -> List[str]:
    """The report about this process, now. before: user and system time that do not count."""
    state, numbers, usage = status(), stats(), resource.getrusage(resource.RUSAGE_SELF)
    user, system = usage.ru_utime - before[0], usage.ru_stime - before[1]
    took = "" if elapsed is None else f"{elapsed:.2f} s, "
    lines = [
        "",
        f"mimalloc: {title} (process {os.getpid()})",
        "",
        f"  time          {took}user {user:.2f} s, system {system:.2f} s",
        f"  allocator     {_whose(state)}",
        f"  library       {state.library}",
        "",
        f"  {'memory':<22}{'now':>12}{'at peak':>12}",
        f"  {'in physical memory':<22}{size(numbers['resident']):>12}{size(numbers['resident_peak']):>12}",
        f"  {'usable by mimalloc':<22}{size(numbers['committed']):>12}{size(numbers['committed_peak']):>12}",
        f"  {'in blocks':<22}{size(numbers['live_bytes']):>12}",
        f"  {'number of blocks':<22}{numbers['live_blocks']:>12}",
        "",
        *_classes(numbers["size_classes"]),
    ]
    heaps = numbers["heaps"][1:]
    if heaps:
        lines += ["", f"  {'heap':<22}{'blocks':>12}{'bytes':>16}{'pages':>12}"]
        lines += [
            f"  {heap['name']:<22}{heap['live_blocks']:>12}{size(heap['live_bytes']):>16}{heap['pages']:>12}"
            for heap in heaps
        ]
    return lines


def print_report(
    title: str,
    elapsed: Optional[float] = None,
    before: Sequence[float] = (0, 0),
    file: Optional[TextIO] = None,
) -> None:
    """Writes the report to standard error, or to a file; in one piece."""
    text = "\n".join(lines_of(title, elapsed, before)) + "\n"
    out: Any = file if file is not None else sys.stderr
    if out is not None:  # a program without a console has none
        out.write(text)
        out.flush()
