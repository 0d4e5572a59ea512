"""A memory allocator behind CPython and NumPy.

    import mimalloc
    mimalloc.install()            # large blocks of the interpreter; "all" for everything
    print(mimalloc.status())

Heaps of one's own (`Heap`), NumPy on the library (`numpy`, `install_numpy`), and a view of what is
allocated (`stats`, `heap_map`). Nothing changes by importing the package.

Units are bytes and counts; options that are sizes are in KiB. Any thread may call any function.
"""

from ._core import Buffer, Heap, __version__, collect, install, uninstall
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
