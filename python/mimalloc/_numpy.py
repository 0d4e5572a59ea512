"""NumPy's array data from the library.

A NumPy handler holds for a context: the thread or asyncio task that set it, and tasks that this one
starts. A new thread starts without. `install_numpy` therefore works on the default handler, which
all threads without one of their own use; `numpy` and `Heap.numpy` are for a block of code.
"""

from __future__ import annotations

from types import TracebackType
from typing import List, Optional, Type

from . import _core

_default_ours = False


class _Context:
    """Sets a handler, and puts the one before back. May be entered again while it is active."""

    def __init__(self, heap: Optional[_core.Heap], hugepages: bool) -> None:
        self._handler = _core._numpy_handler(heap, hugepages)
        self._before: List[object] = []

    def __enter__(self) -> None:
        self._before.append(_core._numpy_set(self._handler))

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        _core._numpy_set(self._before.pop())


def numpy(*, hugepages: bool = True) -> _Context:
    """A context in which NumPy takes the data of new arrays from the library:

        with mimalloc.numpy():
            a = np.zeros(1000)

    Data is at multiples of 64 bytes. hugepages: ask for transparent huge pages for arrays of 4 MiB
    and more. Arrays stay valid after the context, whichever thread drops them.

    It holds for the current thread or asyncio task only. A thread that is started inside does not
    inherit it: enter it there too, or start it with `contextvars.copy_context().run`, or use
    `install_numpy`. ImportError without NumPy 1.22 or newer, on entering."""
    return _Context(None, hugepages)


def heap_numpy(heap: _core.Heap, *, hugepages: bool = True) -> _Context:
    """Heap.numpy."""
    return _Context(heap, hugepages)


def install_numpy(*, hugepages: bool = True) -> None:
    """Puts the library behind NumPy's default handler: the data of new arrays of all threads and
    tasks, those included that run already, comes from it, but of those inside of a handler of
    their own. Arrays that exist stay where they are. Once more: only hugepages may change.

    Data is at multiples of 64 bytes; hugepages as in `numpy`. ImportError without NumPy 1.22 or
    newer; RuntimeError if its default handler is of a kind not known."""
    global _default_ours
    _core._numpy_default(True, hugepages)
    _default_ours = True


def uninstall_numpy() -> None:
    """From now on NumPy's default handler allocates as it did before `install_numpy`. Arrays live
    on. Not installed: nothing happens."""
    global _default_ours
    _core._numpy_default(False, True)
    _default_ours = False


def _default_is_ours() -> bool:
    return _default_ours
