"""The first steps: put the library behind the interpreter, and see that it is there.

    python first.py            large blocks only, the careful choice
    python first.py all        everything
"""

import sys

import mimalloc

domains = sys.argv[1] if len(sys.argv) > 1 else "raw"
mimalloc.install(domains)

state = mimalloc.status()
print("active for:", ", ".join(state.domains))
assert state.active

before = mimalloc.stats()["live_blocks"]
keep = [bytes(5000) for _ in range(1000)]
after = mimalloc.stats()["live_blocks"]
print("blocks of the library, for 1000 objects of 5000 bytes:", "as many more" if after - before >= 1000 else "none")

mimalloc.uninstall()  # what exists lives on, new blocks come from CPython's own allocator again
print("now active for:", ", ".join(mimalloc.status().domains) or "nothing")
assert len(keep) == 1000 and not any(keep[-1])
