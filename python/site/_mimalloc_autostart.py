"""MIMALLOC_AUTOINSTALL=raw|all: mimalloc.install() at the start of each program of the interpreter.

Called by mimalloc.pth, and by mimalloc.start where Python knows such files (from 3.15 on). A module
of its own, outside of the package, so that a program without the variable does not load the package.
Never stops a program: what is wrong is said in one line on standard error.
"""

import os
import sys

_called = False


def start():
    """Does what the variable says; nothing without it, with -E, with -I, and the second time: some
    environments read the files of a folder twice."""
    global _called
    domains = os.environ.get("MIMALLOC_AUTOINSTALL")
    if not domains or sys.flags.ignore_environment or _called:
        return
    _called = True
    try:
        if domains not in ("raw", "all"):
            raise ValueError("it can be raw or all")
        from mimalloc import _OURS, _core

        # a sub-interpreter comes here too, and so does a program with the library preloaded;
        # mimalloc.status() would load `typing`, which takes a megabyte, into each program
        states = _core._hook_status()[: 1 if domains == "raw" else 3]
        if not set(states) <= set(_OURS):
            _core.install(domains)
    except Exception as error:
        if sys.stderr is not None:
            print(f"mimalloc: MIMALLOC_AUTOINSTALL={domains} has no effect: {error}", file=sys.stderr)
