"""Starts the interpreter again, with the library preloaded.

The new process runs the program itself, not a wrapper around it: `__main__`, sys.argv and sys.path
are what they are without us. What has to be done inside of it (a table at exit, taking the variables
out of its environment) is done by _boot/sitecustomize.py, which is put on PYTHONPATH only if there
is something to do, and takes itself off again.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import sysconfig
from typing import Dict, List, Mapping, NamedTuple, NoReturn, Optional, Sequence

from ._paths import library_path

BOOT = "_MIMALLOC_PYTHON_BOOT"  #: variable: what _boot/sitecustomize.py is to do
GUARD = "_MIMALLOC_PYTHON_PROCESS"  #: variable: the process that was started again
_FOLDER = os.path.dirname(os.path.abspath(__file__))
_BOOT_FOLDER = os.path.join(_FOLDER, "_boot")


class Refused(Exception):
    """Why the program cannot be run as asked, and what to do instead."""


class Wanted(NamedTuple):
    small: Optional[str]  #: "pymalloc", "mimalloc" or None: not said
    stats: bool
    secure: bool
    inherit: bool


class Interpreter(NamedTuple):
    """What there is to know about the interpreter that is running."""

    executable: str
    options: List[str]  #: of its command line, those in front of -m mimalloc
    ignores_environment: bool  #: -E or -I
    no_site: bool  #: -S
    dev_mode: bool
    free_threaded: bool


class Plan(NamedTuple):
    arguments: List[str]
    environment: Dict[str, str]
    notes: List[str]  #: what the user should know


def options_of(command: Sequence[str]) -> Optional[List[str]]:
    """The interpreter's options in front of `-m` of its command line; None: no -m there."""
    options: List[str] = []
    at = 1
    while at < len(command):
        word = command[at]
        if word == "--check-hash-based-pycs":
            options += command[at : at + 2]
            at += 2
            continue
        if word.startswith("--"):
            options.append(word)
            at += 1
            continue
        if len(word) < 2 or word[0] != "-":
            return None
        for place, letter in enumerate(word[1:], 1):
            if letter == "m":
                return options + ([word[:place]] if place > 1 else [])
            if letter == "c":
                return None
            if letter in "WX":
                options.append(word)
                if place == len(word) - 1 and at + 1 < len(command):
                    at += 1
                    options.append(command[at])
                break
        else:
            options.append(word)
        at += 1
    return None


def is_free_threaded() -> bool:
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def this_interpreter() -> Interpreter:
    if not sys.executable:
        raise Refused("the interpreter does not know its own file (sys.executable)")
    options = options_of(sys.orig_argv)
    if options is None:  # run by something else than -m: what can be told from sys.flags
        options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return Interpreter(
        executable=sys.executable,
        options=options,
        ignores_environment=bool(sys.flags.ignore_environment),
        no_site=bool(sys.flags.no_site),
        dev_mode=bool(sys.flags.dev_mode),
        free_threaded=is_free_threaded(),
    )


def _this_process() -> str:
    """Names the process, not the program in it: the same after exec, never that of another."""
    with open("/proc/self/stat", encoding="ascii", errors="replace") as stat:
        started = stat.read().rpartition(")")[2].split()[19]
    return f"{os.getpid()}-{started}"


def _python_malloc(wanted: Wanted, interpreter: Interpreter, now: Optional[str]) -> Optional[str]:
    """The value that PYTHONMALLOC has to have; None: it can stay as it is."""
    debug = "debug" in now if now else interpreter.dev_mode
    if wanted.small == "mimalloc" and not interpreter.free_threaded:
        return "malloc_debug" if debug else "malloc"
    if wanted.small == "pymalloc" and now and not interpreter.free_threaded:
        return "pymalloc_debug" if debug else "pymalloc"
    return None


def _prepend(word: str, separator: str, now: Optional[str]) -> str:
    rest = [part for part in (now or "").split(separator) if part and part != word]
    return separator.join([word, *rest])


def plan(
    wanted: Wanted,
    target: Sequence[str],
    interpreter: Interpreter,
    environment: Mapping[str, str],
    library: str,
) -> Plan:
    """What to execute. Refused: it cannot be done, or would silently not be what was asked for."""
    notes = []
    result = dict(environment)
    if re.search(r"[\s:]", library):
        raise Refused(
            f"LD_PRELOAD cannot name a file with a space or a colon in its path: {library}; "
            "install the package elsewhere"
        )
    result["LD_PRELOAD"] = _prepend(library, ":", environment.get("LD_PRELOAD", "").replace(" ", ":"))

    python_malloc = _python_malloc(wanted, interpreter, environment.get("PYTHONMALLOC"))
    if python_malloc is not None:
        if interpreter.ignores_environment:
            raise Refused(
                "-E and -I make Python ignore PYTHONMALLOC, by which --small works; "
                "leave them out, or leave out --small"
            )
        result["PYTHONMALLOC"] = python_malloc
    if wanted.small == "mimalloc" and interpreter.free_threaded:
        notes.append("small blocks stay with CPython: a free-threaded build needs its own allocator")

    if wanted.stats or not wanted.inherit:
        # exec keeps the clocks of the process: what this program used is not the other's
        used = resource.getrusage(resource.RUSAGE_SELF)
        option = "--stats" if wanted.stats else "--no-inherit"
        if interpreter.ignores_environment or interpreter.no_site:
            raise Refused(f"{option} does not work with -E, -I or -S of the interpreter")
        if ":" in _BOOT_FOLDER:
            raise Refused(f"PYTHONPATH cannot name a folder with a colon: {_BOOT_FOLDER}")
        names = ["PYTHONPATH"] if wanted.inherit else ["PYTHONPATH", "LD_PRELOAD", "PYTHONMALLOC"]
        result[BOOT] = json.dumps(
            {
                "stats": wanted.stats,
                "title": " ".join(target[:2] if target[0] == "-m" else target[:1]),
                "used": [used.ru_utime, used.ru_stime],
                "restore": {name: environment.get(name) for name in names},
            }
        )
        old = environment.get("PYTHONPATH")
        result["PYTHONPATH"] = _BOOT_FOLDER + (":" + old if old else "")
    return Plan([interpreter.executable, *interpreter.options, *target], result, notes)


def start(wanted: Wanted, target: Sequence[str]) -> NoReturn:
    """Replaces this process. Refused: nothing happened."""
    if sys.platform != "linux":
        raise Refused(f"programs can be started with the library on Linux only, not on {sys.platform}")
    process = _this_process()
    if os.environ.get(GUARD) == process:
        raise Refused("this process runs on mimalloc already: python -m mimalloc started itself")
    try:
        library = library_path(secure=wanted.secure)
    except FileNotFoundError as error:
        raise Refused(str(error)) from None
    do = plan(wanted, target, this_interpreter(), os.environ, library)
    for note in do.notes:
        print(f"mimalloc: {note}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(do.arguments[0], do.arguments, {**do.environment, GUARD: process})
    except OSError as error:
        raise Refused(f"cannot execute {do.arguments[0]}: {error.strerror}") from None
