"""install(), uninstall(), status(): what CPython's tables do while the interpreter runs."""

import pathlib
import re
import shutil
import subprocess

import pytest
from conftest import BUILD, call, clean_environment

# A little of everything: small and large objects, lists and byte arrays that grow, and shrink.
CHURN = """
def churn(rounds=3):
    kept = []
    for i in range(rounds):
        data = [{"id": k, "name": "n%d" % k, "list": [k] * (k % 40)} for k in range(3000)]
        text = ",".join(d["name"] for d in data)
        grown = bytearray()
        for k in range(2000):
            grown += b"x" * (k % 37)
        grown = grown[: len(grown) // 3] + bytes(100_000)
        ints = []
        for k in range(20_000):
            ints.append(k * 10**18)
        del ints[::2]
        kept.append((text, grown, ints[:50], data[::7], [bytes(600 + k) for k in range(100)]))
    assert [len(k[0]) for k in kept] == [len(text)] * rounds
    assert all(d["name"] == "n%d" % d["id"] for k in kept for d in k[3])
    return kept
"""


def test_default_is_raw(run):
    out = run(
        """
        import mimalloc
        before = mimalloc.status()
        assert not before.active and before.domains == () and before.raw == "off"
        mimalloc.install()
        after = mimalloc.status()
        assert (after.raw, after.mem, after.obj) == ("active", "off", "off")
        print(after.library)
        """
    )
    assert "_core" in out


@pytest.mark.parametrize("domains", ["raw", "all", ("mem",), ("raw", "obj"), ["raw", "mem", "obj"]])
def test_blocks_are_ours(run, domains):
    run(
        CHURN
        + f"""
domains = {domains!r}
import mimalloc
old = churn()
mimalloc.install(domains)
wanted = ("raw", "mem", "obj") if domains == "all" else (domains,) if domains == "raw" else tuple(domains)
assert mimalloc.status().domains == wanted
before = mimalloc.stats()["live_blocks"]
new = churn()
with_new = mimalloc.stats()["live_blocks"]
assert with_new > before + 200, (before, with_new)
del old, new
import gc; gc.collect()
assert mimalloc.stats()["live_blocks"] < before + (with_new - before) // 2
"""
    )


def test_uninstall_passes_requests_on(run):
    run(
        CHURN
        + """
import gc, mimalloc
mimalloc.uninstall()                      # nothing to do
mimalloc.install("all")
kept = churn()
mimalloc.uninstall()
assert mimalloc.status().obj == "passthrough" and not mimalloc.status().active
gc.collect()
total = lambda: sum(c["total"] for c in mimalloc.stats()["size_classes"])
before = total()
more = churn()
assert total() - before < 1000            # what comes from looking alone
live = mimalloc.stats()["live_blocks"]
del kept; gc.collect()                    # ours are freed where they are
assert mimalloc.stats()["live_blocks"] < live - 2_000
mimalloc.install("all")                   # and again
assert mimalloc.status().domains == ("raw", "mem", "obj")
again = churn(); del more, again; gc.collect()
"""
    )


def test_refuses_twice(run):
    run(
        """
        import mimalloc
        mimalloc.install()
        for domains in ("raw", "all", ("mem", "raw")):
            try: mimalloc.install(domains)
            except RuntimeError as error: assert "uninstall" in str(error), error
            else: raise AssertionError(domains)
        assert mimalloc.status().domains == ("raw",)
        mimalloc.install(("mem", "obj"))      # not twice: others
        assert mimalloc.status().domains == ("raw", "mem", "obj")
        """
    )


@pytest.mark.parametrize(
    "value, error", [("'heap'", "ValueError"), ("('raw', 3)", "TypeError"), ("()", "ValueError"), ("7", "TypeError")]
)
def test_wrong_domains(run, value, error):
    run(
        f"""
        import mimalloc
        try: mimalloc.install({value})
        except {error}: pass
        else: raise AssertionError
        assert not mimalloc.status().active
        """
    )


# ---- tracemalloc ---------------------------------------------------------------------------------


def test_tracemalloc_before(run):
    run(
        CHURN
        + """
import tracemalloc, mimalloc
tracemalloc.start()
for force in False, True:
    try: mimalloc.install("all", force=force)
    except RuntimeError as error: assert "tracemalloc" in str(error), error
    else: raise AssertionError("installed while tracing")
assert mimalloc.status().raw == "foreign"
kept = churn()
tracemalloc.stop()
mimalloc.install("all")
del kept; churn()
"""
    )


def test_tracemalloc_from_the_environment(run):
    run(
        CHURN
        + """
import mimalloc
try: mimalloc.install("all")
except RuntimeError as error: assert "tracemalloc" in str(error)
else: raise AssertionError
churn()
""",
        PYTHONTRACEMALLOC="1",
    )


def test_tracemalloc_after(run):
    run(
        CHURN
        + """
import tracemalloc, mimalloc
mimalloc.install("all")
kept = churn()
tracemalloc.start()
more = churn()
size, peak = tracemalloc.get_traced_memory()
assert size > 500_000 and peak >= size
assert mimalloc.status().obj == "wrapped"
try: mimalloc.uninstall()
except RuntimeError as error: assert "stop" in str(error)
else: raise AssertionError
tracemalloc.stop()
assert mimalloc.status().domains == ("raw", "mem", "obj")
last = churn(); del kept, more; churn()
mimalloc.uninstall()
tracemalloc.start(); last = None; churn(); tracemalloc.stop()
assert mimalloc.status().obj == "passthrough"
churn()
"""
    )


def test_tracemalloc_runs_at_exit(run):
    run(CHURN + "import mimalloc, tracemalloc; mimalloc.install('all'); k = churn(); tracemalloc.start(5); k = churn()")


# ---- CPython's debug hooks, and its other allocators ---------------------------------------------


@pytest.mark.parametrize("domains", ["raw", "all"])
@pytest.mark.parametrize("allocator", ["debug", "malloc", "malloc_debug", "pymalloc_debug"])
def test_pythonmalloc(run, allocator, domains):
    run(
        CHURN
        + f"""
import gc, mimalloc
old = churn()
mimalloc.install({domains!r})
assert mimalloc.status().debug_hooks == ("debug" in {allocator!r})
new = churn(); old = [o[1] + bytes(1000) for o in old]; gc.collect()
mimalloc.uninstall(); newer = churn(); del new; gc.collect()
mimalloc.install("raw"); churn(); del old, newer; gc.collect()
""",
        PYTHONMALLOC=allocator,
    )


def test_dev_mode(run):
    run(CHURN + "import mimalloc; mimalloc.install('all'); churn(); import json, re, asyncio; churn()", options=["-X", "dev"])


def test_debug_hooks_keep_watching(main):
    """A write behind a new block is still found."""
    code = """
import mimalloc, ctypes
mimalloc.install("all")
malloc, free = ctypes.pythonapi.PyMem_Malloc, ctypes.pythonapi.PyMem_Free
malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
before = mimalloc.stats()["live_blocks"]
p = malloc(24)
assert mimalloc.stats()["live_blocks"] > before      # it is one of ours
ctypes.memset(p + 24, 0x41, 1)
free(p)
"""
    done = subprocess.run(
        [main.python, "-c", code], env=clean_environment(PYTHONMALLOC="debug"), capture_output=True, text=True
    )
    assert done.returncode < 0 and "bad trailing pad byte" in done.stderr, done


def test_debug_hooks_refuse_a_late_domain(run):
    run(
        """
        import mimalloc
        mimalloc.install("raw")
        try: mimalloc.install(("mem", "obj"))
        except RuntimeError as error: assert "at once" in str(error), error
        else: raise AssertionError
        """,
        PYTHONMALLOC="debug",
    )


FOREIGN_HOOK = """
import ctypes
class Table(ctypes.Structure):
    _fields_ = [("ctx", ctypes.c_void_p)] + [(n, ctypes.c_void_p) for n in ("malloc", "calloc", "realloc", "free")]
table, mark = Table(), ctypes.create_string_buffer(64)
get, put = ctypes.pythonapi.PyMem_GetAllocator, ctypes.pythonapi.PyMem_SetAllocator
get(2, ctypes.byref(table))
table.ctx = ctypes.addressof(mark)     # functions that ignore it, so that it is as good as a hook
put(2, ctypes.byref(table))
"""


def test_another_hook(run):
    run(
        CHURN
        + FOREIGN_HOOK
        + """
import mimalloc
assert mimalloc.status().obj == "foreign"
try: mimalloc.install("all")
except RuntimeError as error: assert "another hook" in str(error), error
else: raise AssertionError
assert not mimalloc.status().active        # nothing was half done
mimalloc.install("all", force=True)
assert mimalloc.status().domains == ("raw", "mem", "obj")
churn()
"""
    )


@pytest.fixture(scope="module")
def wrapper(main):
    """A library with a hook that calls what was there before."""
    source = pathlib.Path(__file__).with_name("wrapper.c")
    includes = main.run("import sysconfig; print(sysconfig.get_path('include'))").strip()
    library = BUILD / "wrapper.so"
    command = [shutil.which("cc") or "gcc", "-std=c17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    call([*command, f"-isystem{includes}", "-o", library, source])
    return library


@pytest.mark.parametrize("uninstalled", [False, True])
def test_not_forced_onto_a_hook_that_is_on_ours(run, wrapper, uninstalled):
    """Each of the two would ask the other one whose a block is."""
    run(
        CHURN
        + f"""
import ctypes, sys, mimalloc
hook = ctypes.PyDLL(sys.argv[1])
old = churn()
mimalloc.install("all")
if {uninstalled}: mimalloc.uninstall()
hook.wrapper_start()
assert mimalloc.status()[:3] == ("wrapped",) * 3
for force in False, True:
    try: mimalloc.install("all", force=force)
    except RuntimeError as error: assert "hook" in str(error), error
    else: raise AssertionError(force)
    assert mimalloc.status()[:3] == ("wrapped",) * 3
new = churn(); del old; churn()
hook.wrapper_stop()
assert mimalloc.status().obj == ("passthrough" if {uninstalled} else "active")
del new; churn()
""",
        wrapper,
    )


MEMRAY = """
import os, sys, tempfile, gc, memray, mimalloc
out = os.path.join(tempfile.mkdtemp(), "memray.bin")
def tracker(python): return memray.Tracker(out, trace_python_allocators=python)
def seen():
    count = memray.FileReader(out).metadata.total_allocations; os.unlink(out); return count
"""


def run_memray(main, code):
    """It warns on stderr of functions that it finds at two addresses."""
    main.need("memray")
    done = subprocess.run(
        [main.python, "-c", CHURN + MEMRAY + code],
        env=clean_environment(), cwd=BUILD, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)


def test_memray_after(main):
    """The real one: it wraps us while it watches CPython's allocators, and goes away again."""
    run_memray(
        main,
        """
mimalloc.install("all")
kept = churn()
with tracker(True):
    assert mimalloc.status()[:3] == ("wrapped",) * 3
    for force in False, True:
        try: mimalloc.install("all", force=force)
        except RuntimeError: pass
        else: raise AssertionError
    try: mimalloc.uninstall()
    except RuntimeError: pass
    else: raise AssertionError
    more = churn(); del kept
assert mimalloc.status()[:3] == ("active",) * 3 and seen() > 10_000
del more; last = churn()
with tracker(False):                       # this one watches the C library's
    assert mimalloc.status()[:3] == ("active",) * 3
    more = churn()
assert seen() < 5_000                      # so that blocks of ours are not seen
mimalloc.uninstall(); del last, more; gc.collect(); churn()
""",
    )


def test_memray_before(main):
    run_memray(
        main,
        """
with tracker(True):
    try: mimalloc.install("all")
    except RuntimeError as error: assert "another hook" in str(error)
    else: raise AssertionError
    kept = churn()
assert mimalloc.status()[:3] == ("off",) * 3 and seen() > 10_000
with tracker(False):
    mimalloc.install("all"); more = churn()
assert mimalloc.status()[:3] == ("active",) * 3
del kept, more; churn()
""",
    )


# ---- threads, exit -------------------------------------------------------------------------------


def test_toggled_under_threads(run):
    """Blocks of either side are made and freed by threads that do not wait for each other."""
    run(
        """
        import threading, time, mimalloc, zlib
        busy = [True]
        failures = []
        def work(seed):
            try:
                shared = []
                while busy:
                    shared.append([bytes(seed * 13 % 5000) for seed in range(200)])
                    zlib.decompress(zlib.compress(b"abc" * 40_000))       # without the GIL
                    shared[:] = shared[-5:]
            except BaseException as error:
                failures.append(error)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads: t.start()
        for _ in range(100):
            mimalloc.install("all"); time.sleep(0.002)      # lets the others run
            mimalloc.uninstall(); time.sleep(0.002)
        busy.clear()
        for t in threads: t.join()
        assert not failures, failures
        """
    )


def test_fifty_threads(run):
    run(
        CHURN
        + """
import threading, queue, mimalloc
mimalloc.install("all")
handed = queue.Queue()
failures = []
def work():
    try:
        for i in range(20):
            handed.put(["x" * k for k in range(0, 2000, 7)])
            for text in handed.get(): assert text.count("x") == len(text)
    except BaseException as error:
        failures.append(error)
for round in range(2):
    threads = [threading.Thread(target=work) for _ in range(50)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert not failures, failures
    if round == 0: mimalloc.collect(True); first = mimalloc.stats()["live_blocks"]
mimalloc.collect(True)
assert mimalloc.stats()["live_blocks"] < first + 5000
assert mimalloc.stats()["threads"] < 10
"""
    )


def test_exit_with_everything_installed(run_numpy):
    run_numpy(
        CHURN
        + """
import atexit, threading, time, sys, mimalloc
import numpy as np
mimalloc.install("all"); mimalloc.install_numpy()
heap = mimalloc.Heap(name="left open")
buffer = heap.alloc(100_000); view = memoryview(buffer); array = heap.array("d", 100)
with heap.numpy(): in_heap = np.ones(1000)
arrays = [np.zeros(n) for n in (1, 100, 10_000, 1_000_000)]
class AtEnd:
    def __del__(self): self.x = [str(i) for i in range(1000)]
module_level = AtEnd(); cycle = [module_level]; cycle.append(cycle)
atexit.register(churn, 1)
def daemon():
    while True: [bytes(k) for k in range(0, 3000, 100)]
for _ in range(3): threading.Thread(target=daemon, daemon=True).start()
kept = churn()
sys.modules["kept"] = kept
time.sleep(0.1)
"""
    )


def test_out_of_memory(run):
    run(
        """
        import mimalloc
        mimalloc.install("all")
        for n in (1 << 50, (1 << 63) - 100):
            try: bytes(n)
            except MemoryError: pass
            else: raise AssertionError
        grown = bytearray(1000)
        try: grown.extend(bytes(1 << 50))
        except MemoryError: pass
        assert len(grown) == 1000
        """
    )


def test_zero_bytes(run):
    """CPython wants distinct blocks for requests of nothing."""
    run(
        """
        import ctypes, mimalloc
        mimalloc.install("all")
        api = ctypes.pythonapi
        for name in ("PyMem_Raw", "PyMem_", "PyObject_"):
            malloc, calloc = getattr(api, name + "Malloc"), getattr(api, name + "Calloc")
            realloc, free = getattr(api, name + "Realloc"), getattr(api, name + "Free")
            for f in malloc, calloc, realloc: f.restype = ctypes.c_void_p
            malloc.argtypes, free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
            calloc.argtypes, realloc.argtypes = [ctypes.c_size_t] * 2, [ctypes.c_void_p, ctypes.c_size_t]
            blocks = [malloc(0), malloc(0), calloc(0, 8), calloc(8, 0), realloc(None, 0), realloc(malloc(5000), 0)]
            assert all(blocks) and len(set(blocks)) == 6, blocks
            grown = realloc(blocks.pop(), 100); ctypes.memset(grown, 7, 100)
            grown = realloc(grown, 100_000); assert ctypes.string_at(grown, 100) == bytes([7]) * 100
            grown = realloc(grown, 50); assert ctypes.string_at(grown, 50) == bytes([7]) * 50
            for p in [*blocks, grown, None]: free(p)
            assert calloc(1 << 62, 8) is None and malloc((1 << 63) - 1) is None
        """
    )


# ---- preload -------------------------------------------------------------------------------------


def test_uses_the_instance_of_the_process(main):
    library = main.path("library_path()")
    main.run(
        CHURN
        + """
import sys, mimalloc
status = mimalloc.status()
assert status.shared and status.replaces_malloc and status.library == sys.argv[1], status
assert (status.raw, status.mem) == ("preload", "off"), status
mimalloc.install("all")
assert mimalloc.status().domains == ("raw", "mem", "obj"), mimalloc.status()
kept = churn()
assert mimalloc.stats()["live_blocks"] > 3_000
mimalloc.uninstall(); churn(); del kept
""",
        library,
        LD_PRELOAD=library,
    )


@pytest.mark.parametrize("secure", [False, True])
def test_preload_covers_everything(main, secure):
    library = main.path(f"library_path(secure={secure})")
    assert re.search("secure" if secure else "libmimalloc.so", library)
    main.run(
        CHURN
        + """
import mimalloc
assert mimalloc.status().domains == ("raw", "mem", "obj")
assert mimalloc.status().obj == "preload"
mimalloc.install("all")                   # nothing is left to do
assert mimalloc.status().obj == "preload"
churn()
assert mimalloc.stats()["library"]["mode"] == ("secure" if "secure" in mimalloc.status().library else "release")
""",
        LD_PRELOAD=library,
        PYTHONMALLOC="malloc",
    )


def test_statistics_at_exit_are_printed_once(main):
    for env in ({}, {"LD_PRELOAD": main.path("library_path()")}):
        done = subprocess.run(
            [main.python, "-c", "import mimalloc; mimalloc.install()"],
            env=clean_environment(MIMALLOC_SHOW_STATS="1", **env),
            capture_output=True,
            text=True,
            cwd=BUILD,
        )
        assert done.returncode == 0 and done.stderr.count("block size") == 1, done.stderr


def test_the_c_library_gives_back_what_it_keeps(run):
    """Blocks that were freed before would wait in its heap for requests that come to us now."""
    run(
        """
        import ctypes, mmap, sys
        libc = ctypes.CDLL(None)
        if not hasattr(libc, "gnu_get_libc_version"):
            sys.exit(0)  # others have no malloc_trim
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.free.argtypes = [ctypes.c_void_p]

        def resident():
            with open("/proc/self/statm") as statm:
                return int(statm.read().split()[1]) * mmap.PAGESIZE

        import mimalloc
        blocks = [libc.malloc(100_000) for _ in range(200)]
        for block in blocks:
            ctypes.memset(block, 1, 100_000)
        for block in blocks[:-1]:  # the last one keeps its heap from shrinking
            libc.free(block)
        before = resident()
        mimalloc.install()
        after = resident()
        libc.free(blocks[-1])
        assert after < before - 10_000_000, (before, after)
        """
    )
