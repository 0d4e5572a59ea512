"""NumPy's array data from the library.

A NumPy handler holds for a context: the thread or asyncio task that set it, and tasks that this one
starts. A new thread starts without. `install_numpy` therefore works on the default handler, which
all threads without one of their own use; `numpy` and `Heap.numpy` are for a block of code.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import Optional, Tuple, Type

from . import _core

# Handlers to put back, innermost last; of the same context as the handler itself.
_before: ContextVar[Tuple[object, ...]] = ContextVar("mimalloc_numpy_before", default=())


class _Context:
    """Sets a handler, and puts the one before back. May be entered again while it is active, and in
    several threads and tasks at once."""

    def __init__(self, heap: Optional[_core.Heap], hugepages: bool) -> None:
        self._handler = _core._numpy_handler(heap, hugepages)

    def __enter__(self) -> None:
        _before.set((*_before.get(), _core._numpy_set(self._handler)))

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        *rest, last = _before.get()
        _core._numpy_set(last)
        _before.set(tuple(rest))


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
    _core._numpy_default(True, hugepages)


def uninstall_numpy() -> None:
    """From now on NumPy's default handler allocates as it did before `install_numpy`. Arrays live
    on. Not installed: nothing happens."""
    _core._numpy_default(False, True)
