"""The command `python -m mimalloc`: reads its arguments and leaves the work to others."""

from __future__ import annotations

import argparse
import sys
from typing import List, Optional, Sequence, Tuple

from . import _doctor, _launch
from ._core import __version__

_USAGE = """\
python -m mimalloc [options] [--] script.py [argument ...]
       python -m mimalloc [options] -m module [argument ...]
       python -m mimalloc [options] -c code [argument ...]
       python -m mimalloc stats [options] -- script.py [argument ...]
       python -m mimalloc doctor"""

_DESCRIPTION = """\
Runs a Python program with the memory of the whole process from mimalloc: starts the interpreter
again with the library preloaded (LD_PRELOAD). Options of the interpreter stay as they are.

  doctor   whether mimalloc is active, for what, from which file; what is in the way; what to change
  stats    the same as --stats"""

_EPILOG = """\
Exit status: that of the program; 2 when it was not started. doctor: 0 all is well, 1 something was
asked for that is not in effect."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mimalloc",
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--small",
        choices=("pymalloc", "mimalloc"),
        help="who has CPython's blocks to 512 bytes: its own allocator, or mimalloc "
        "(by PYTHONMALLOC=malloc); default: pymalloc",
    )
    parser.add_argument("--stats", action="store_true", help="print a table of statistics at exit")
    parser.add_argument(
        "--secure",
        action="store_true",
        help="the library in secure mode: each bad free, and each overflow when the block is freed, "
        "stops the program",
    )
    parser.add_argument(
        "--no-inherit",
        action="store_true",
        help="programs that the program starts do not get the library",
    )
    parser.add_argument("--version", action="version", version=f"mimalloc {__version__}")
    return parser


def split(arguments: Sequence[str]) -> Tuple[List[str], List[str]]:
    """(what is for us, what is the interpreter's: script, -m or -c and all behind it)."""
    at = 0
    while at < len(arguments):
        word = arguments[at]
        if word == "--":
            return list(arguments[:at]), list(arguments[at + 1 :])
        if word == "--small":
            at += 2
            continue
        if word in ("-h", "--help") or word.startswith("--"):
            at += 1
            continue
        break
    return list(arguments[:at]), list(arguments[at:])


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Does not return when a program is started."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words and words[0] in ("doctor", "stats") else None
    ours, target = split(words[1:] if command else words)
    parser = _parser()
    options = parser.parse_args(ours)
    if command == "doctor":
        if ours or target:
            parser.error("doctor takes no arguments")
        return _doctor.main()
    if not target:
        parser.error("which program? A script, -m module, or -c code")
    if target[0].startswith("-") and target[0] != "-" and target[0][:2] not in ("-m", "-c"):
        parser.error(f"{target[0]}: options of the interpreter go in front of -m mimalloc")
    if target[0] in ("-m", "-c") and len(target) == 1:
        parser.error(f"{target[0]} needs an argument")
    wanted = _launch.Wanted(
        small=options.small,
        stats=options.stats or command == "stats",
        secure=options.secure,
        inherit=not options.no_inherit,
    )
    try:
        _launch.start(wanted, target)
    except _launch.Refused as refusal:
        print(f"mimalloc: {refusal}", file=sys.stderr)
        return 2
