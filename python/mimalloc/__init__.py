"""A memory allocator behind CPython and NumPy.

    import mimalloc
    mimalloc.install()            # large blocks of the interpreter; "all" for everything
    print(mimalloc.status())

Heaps of one's own (`Heap`), NumPy on the library (`numpy`, `install_numpy`), and a view of what is
allocated (`stats`, `heap_map`). Nothing changes by importing the package.

Units are bytes and counts; options that are sizes are in KiB. Any thread may call any function.
"""

from ._core import Buffer, Heap, __version__, collect, install, uninstall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._numpy import install_numpy, numpy, uninstall_numpy
    from ._options import Options, options
    from ._paths import get_include, library_path
    from ._stats import Area, heap_map, stats
    from ._status import Status, interface_version, status

__all__ = [
    "Area",
    "Buffer",
    "Heap",
    "Options",
    "Status",
    "__version__",
    "collect",
    "get_include",
    "heap_map",
    "install",
    "install_numpy",
    "interface_version",
    "library_path",
    "numpy",
    "options",
    "stats",
    "status",
    "uninstall",
    "uninstall_numpy",
    "version",
]

version = __version__

# states of a domain, as status() tells them, in which new blocks of it come from the library
_OURS = ("active", "preinit", "preload")

# What is not needed to install is loaded when it is asked for: a program that starts with the
# library, and every sub-interpreter, pays for the extension only.
_LATER = {
    "Area": "_stats",
    "Options": "_options",
    "Status": "_status",
    "get_include": "_paths",
    "heap_map": "_stats",
    "install_numpy": "_numpy",
    "interface_version": "_status",
    "library_path": "_paths",
    "numpy": "_numpy",
    "options": "_options",
    "stats": "_stats",
    "status": "_status",
    "uninstall_numpy": "_numpy",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{_LATER[name]}", fromlist=(name,))
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
