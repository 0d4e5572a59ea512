"""Is it active, for what, and from where?"""

from typing import NamedTuple, Tuple

from . import _OURS, _core

interface_version: Tuple[int, int, int] = (
    _core._interface_version // 10000,
    _core._interface_version // 100 % 100,
    _core._interface_version % 100,
)
"""Version of the C interface of the instance in use."""


class Status(NamedTuple):
    """What `status` tells. The state of a domain is one of

    * "active": new blocks come from the library, by install()
    * "preload": they do, since the library replaces malloc of the process
    * "preinit": they do, since the program said so before the interpreter started
    * "passthrough": installed, and uninstalled again
    * "wrapped": installed, and another hook was put on top
    * "foreign": not installed, and another hook is active
    * "off": CPython's own allocator
    """

    raw: str
    mem: str
    obj: str
    debug_hooks: bool  #: CPython's debug hooks are on top
    numpy: bool  #: NumPy's default handler allocates from the library
    shared: bool  #: the instance is that of the process, not the extension's own
    replaces_malloc: bool  #: malloc of the process is of the same instance
    library: str  #: file that the instance is in

    @property
    def domains(self) -> Tuple[str, ...]:
        """Domains whose new blocks come from the library."""
        states = (("raw", self.raw), ("mem", self.mem), ("obj", self.obj))
        return tuple(name for name, state in states if state in _OURS)

    @property
    def active(self) -> bool:
        """New blocks of at least one domain come from the library."""
        return bool(self.domains)


def status() -> Status:
    """Whether the library is active, for which domains, and from which file. Looks at CPython's
    tables as they are, so it tells the truth also after others have changed them."""
    raw, mem, obj, debug, shared, replaces, library = _core._hook_status()
    return Status(raw, mem, obj, debug, _core._numpy_is_default(), shared, replaces, library)
