"""Runs once in a program that `python -m mimalloc` started, before the program does.

It is found because its folder was put in front of PYTHONPATH. It takes the folder off again, puts
the environment right, and hands over to the sitecustomize that would have run without it. Programs
that this one starts do not see any of it.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def _do(order: dict[str, Any]) -> None:
    for name, value in order["restore"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if not order["stats"]:
        return
    import atexit
    import time

    process, began = os.getpid(), time.monotonic()

    def report() -> None:
        if os.getpid() != process:  # a child that was forked
            return
        elapsed = time.monotonic() - began
        # at the end, so that a module of the program with the name of one of ours wins
        sys.path.append(os.path.dirname(os.path.dirname(_FOLDER)))
        from mimalloc._report import print_report

        print_report(order["title"], elapsed, order["used"])

    atexit.register(report)


def _next() -> None:
    """Runs the sitecustomize that this one hid, under its name."""
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _FOLDER]
sys.path_importer_cache.pop(_FOLDER, None)
_order = os.environ.pop("_MIMALLOC_PYTHON_BOOT", None)
if _order is not None:
    _do(json.loads(_order))
_next()
