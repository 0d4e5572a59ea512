"""Where the package keeps what programs other than Python use."""

import os

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def library_path(secure: bool = False) -> str:
    """File of the shared library for LD_PRELOAD; secure: that of secure mode.

    FileNotFoundError if the package was built without it."""
    name = "libmimalloc-secure.so" if secure else "libmimalloc.so"
    path = os.path.join(_FOLDER, "_lib", name)
    if not os.path.exists(path):
        raise FileNotFoundError(f"the package has no {name}: {path}")
    return path


def get_include() -> str:
    """Folder of the headers: mimalloc.h, and mimalloc_python.h for programs that embed Python."""
    return os.path.join(_FOLDER, "include")
