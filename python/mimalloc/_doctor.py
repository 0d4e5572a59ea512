"""`python -m mimalloc doctor`: is it active, for what, from where; what is in the way; what to do."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tracemalloc
from typing import List, Mapping, NamedTuple, Optional, Tuple

from ._core import __version__
from ._launch import GUARD, is_free_threaded
from ._options import options
from ._paths import library_path
from ._status import Status, interface_version, status

#: variables with our prefix that are no options of the library
_OWN_VARIABLES = ("MIMALLOC_AUTOINSTALL",)
_STATES = {
    "active": "mimalloc, by install()",
    "preload": "mimalloc, which replaces malloc of the process",
    "preinit": "mimalloc, chosen before the interpreter started",
    "passthrough": "CPython's own; installed and uninstalled again",
    "wrapped": "another hook, on top of mimalloc",
    "foreign": "another hook",
    "off": "CPython's own",
}


class View(NamedTuple):
    """What is looked at; `findings` decides by it alone."""

    status: Status
    environment: Mapping[str, str]
    tracing: bool  #: tracemalloc
    dev_mode: bool
    ignores_environment: bool
    no_site: bool
    free_threaded: bool
    libraries: Tuple[str, ...]  #: files of the package for LD_PRELOAD


class Finding(NamedTuple):
    problem: bool  #: something was asked for that is not in effect
    text: str


def _libraries() -> Tuple[str, ...]:
    found = []
    for secure in (False, True):
        try:
            found.append(library_path(secure))
        except FileNotFoundError:
            pass
    return tuple(found)


def look() -> View:
    """This process, in the environment that it was started in."""
    return View(
        status=status(),
        environment={key: value for key, value in os.environ.items() if key != GUARD},
        tracing=tracemalloc.is_tracing(),
        dev_mode=bool(sys.flags.dev_mode),
        ignores_environment=bool(sys.flags.ignore_environment),
        no_site=bool(sys.flags.no_site),
        free_threaded=is_free_threaded(),
        libraries=_libraries(),
    )


def _preload_findings(view: View) -> List[Finding]:
    found = []
    named = view.environment.get("LD_PRELOAD", "").replace(" ", ":").split(":")
    named = [name for name in named if name]
    ours = [name for name in named if "mimalloc" in os.path.basename(name)]
    if ours and not view.status.replaces_malloc:
        missing = [name for name in ours if "/" in name and not os.path.exists(name)]
        reason = "the loader did not take it, or another came first"
        if missing:
            reason = f"there is no {missing[0]}"
        found.append(Finding(True, f"LD_PRELOAD names {ours[0]}, but malloc is not mimalloc's: {reason}"))
    for name in named:
        if any(word in os.path.basename(name) for word in ("jemalloc", "tcmalloc", "snmalloc", "hoard")):
            found.append(
                Finding(bool(ours), f"LD_PRELOAD names another allocator, {name}: the first one wins")
            )
    malloc = view.environment.get("PYTHONMALLOC", "")
    if view.status.replaces_malloc and view.status.obj == "off":
        if malloc.startswith("malloc") and view.ignores_environment:
            reason = "PYTHONMALLOC is ignored because of -E or -I: CPython keeps small blocks"
            found.append(Finding(True, reason))
        else:
            found.append(
                Finding(
                    False,
                    "blocks to 512 bytes are CPython's own; --small=mimalloc, or PYTHONMALLOC=malloc, "
                    "moves them too",
                )
            )
    return found


def _install_findings(view: View) -> List[Finding]:
    found = []
    domains = view.environment.get("MIMALLOC_AUTOINSTALL")
    if domains and domains not in ("raw", "all"):
        found.append(Finding(True, f'MIMALLOC_AUTOINSTALL is "{domains}"; it can be raw or all'))
    elif domains and not view.status.active and not view.tracing and "foreign" not in view.status[:3]:
        if view.ignores_environment:
            reason = "-E and -I of the interpreter switch it off"
        elif view.no_site:
            reason = "-S of the interpreter switches it off"
        else:
            reason = "mimalloc.pth was not read: is the package in a site folder of this interpreter?"
        found.append(Finding(True, f"MIMALLOC_AUTOINSTALL is set, but nothing is installed: {reason}"))
    if view.tracing:
        found.append(
            Finding(
                bool(domains),
                "tracemalloc is tracing: install() refuses, since tracemalloc would put back the "
                "allocators it found; install first, or preload the library",
            )
        )
    if "foreign" in view.status[:3] or "wrapped" in view.status[:3]:
        found.append(
            Finding(
                "foreign" in view.status[:3] and bool(domains),
                "another hook is in CPython's allocator table (a memory profiler?): install() refuses "
                "on top of it; install first",
            )
        )
    if view.status.debug_hooks or view.dev_mode:
        found.append(
            Finding(
                False,
                "CPython's debug hooks are on (-X dev, or PYTHONMALLOC): they stay on top of the library, "
                "and cost more than any allocator",
            )
        )
    if view.free_threaded:
        found.append(
            Finding(False, "free-threaded build: objects stay with CPython, install() offers raw and mem")
        )
    return found


def _option_findings(view: View) -> List[Finding]:
    known = {f"MIMALLOC_{name.upper()}" for name in options}
    known |= {name.replace("MIMALLOC_DEPRECATED_", "MIMALLOC_") for name in known}
    found = []
    for name in sorted(view.environment):
        if not name.upper().startswith("MIMALLOC_") or name.upper() in _OWN_VARIABLES:
            continue
        if name.upper() not in known:
            found.append(Finding(True, f"{name} is not an option of the library: misspelt?"))
        else:
            found.append(Finding(False, f"option {name}={view.environment[name]}"))
    if not view.libraries:
        found.append(Finding(True, "the package has no library for LD_PRELOAD: only install() works"))
    return found


def findings(view: View) -> List[Finding]:
    return _preload_findings(view) + _install_findings(view) + _option_findings(view)


_PROBE = "import mimalloc; s = mimalloc.status(); print(','.join(s.domains), s.library, sep='|')"


class Trial(NamedTuple):
    title: str
    arguments: List[str]
    expected: str  #: domains


def trials(free_threaded: bool) -> List[Trial]:
    everything = "raw" if free_threaded else "raw,mem,obj"
    result = [
        Trial("python -m mimalloc program", ["-m", "mimalloc", "-c", _PROBE], "raw"),
        Trial(
            "python -m mimalloc --small=mimalloc program",
            ["-m", "mimalloc", "--small=mimalloc", "-c", _PROBE],
            everything,
        ),
        Trial(
            "python -m mimalloc --secure program", ["-m", "mimalloc", "--secure", "-c", _PROBE], "raw"
        ),
        Trial(
            'mimalloc.install("raw")',
            ["-c", f"import mimalloc; mimalloc.install('raw'); {_PROBE}"],
            "raw",
        ),
    ]
    if not free_threaded:
        code = f"import mimalloc; mimalloc.install('all'); {_PROBE}"
        result.append(Trial('mimalloc.install("all")', ["-c", code], everything))
    return result


def run(trial: Trial) -> Optional[str]:
    """None: it works here. Else why not. In a clean environment: none of what is set now."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("LD_PRELOAD", "PYTHONMALLOC", "PYTHONTRACEMALLOC", GUARD)
        and not key.upper().startswith("MIMALLOC_")
    }
    parent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment["PYTHONPATH"] = ":".join(filter(None, [parent, environment.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            [sys.executable, *trial.arguments], capture_output=True, text=True, env=environment, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"status {done.returncode}"
    domains = done.stdout.strip().partition("|")[0]
    return None if domains == trial.expected else f"active only for: {domains or 'nothing'}"


def main() -> int:
    """Prints all of it; 1 when something was asked for that is not in effect, or does not work."""
    view = look()
    build = "free-threaded" if view.free_threaded else "with the GIL"
    version = ".".join(map(str, interface_version))
    print(f"mimalloc {__version__}, C interface {version}")
    print(f"CPython {platform.python_version()} {build}, {sys.executable}")
    print("\nA program that is started in this environment gets")
    titles = {
        "raw": "large blocks, the runtime",
        "mem": "buffers to 512 bytes",
        "obj": "objects to 512 bytes",
    }
    for name, state in zip(("raw", "mem", "obj"), view.status[:3]):
        print(f"  {name:<5}{titles[name]:<28}from {_STATES.get(state, state)}")
    print(f"  malloc of the process is {'' if view.status.replaces_malloc else 'not '}mimalloc's")
    if view.status.active or view.status.replaces_malloc:
        print(f"  library: {view.status.library}")
    found = findings(view)
    print("\nFindings")
    for finding in found:
        print(f"  {'PROBLEM' if finding.problem else 'note   '}  {finding.text}")
    if not found:
        print("  none")
    print("\nTried in a clean environment")
    failed = False
    for trial in trials(view.free_threaded):
        reason = run(trial)
        failed = failed or reason is not None
        print(f"  {'works' if reason is None else 'FAILS'}  {trial.title}{': ' + reason if reason else ''}")
    if not view.status.active:
        print("\nNothing is active here; that is the default. Choose one of those that work, or set")
        print("MIMALLOC_AUTOINSTALL=raw (or all) for every program of this interpreter.")
    return int(failed or any(finding.problem for finding in found))
