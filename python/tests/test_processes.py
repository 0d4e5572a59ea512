"""Fork, multiprocessing, sub-interpreters, and other versions of CPython."""

import pathlib
import shutil

import pytest
from conftest import OTHERS, clean_environment, call

WORK = """
import os, sys
def work(n):
    import mimalloc
    data = [{"i": i, "s": "x" * (i % 700)} for i in range(n)]
    return sum(len(d["s"]) for d in data), mimalloc.status().domains, os.getpid()
"""

PROCESSES = (
    WORK
    + """
import multiprocessing, threading, mimalloc
if __name__ == "__main__":
    method, domains = sys.argv[1], sys.argv[2]
    mimalloc.install(domains)
    busy = [True]
    def churn():
        while busy: [bytes(k) for k in range(0, 4000, 37)]
    threads = [threading.Thread(target=churn) for _ in range(3)]
    if method == "fork":
        for t in threads: t.start()
    context = multiprocessing.get_context(method)
    with context.Pool(3) as pool:
        results = pool.map(work, [500 + k for k in range(12)])
    busy.clear()
    for t in threads:
        if t.ident: t.join()
    wanted = mimalloc.status().domains if method == "fork" else ()
    assert all(r[0] > 0 and tuple(r[1]) == wanted and r[2] != os.getpid() for r in results), results
    queue = context.Queue(); p = context.Process(target=queue.put, args=("y" * 100_000,)); p.start()
    assert queue.get() == "y" * 100_000
    p.join(); assert p.exitcode == 0
"""
)


@pytest.mark.parametrize("domains", ["raw", "all"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(main, tmp_path, method, domains):
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    call([main.python, "-W", "ignore::DeprecationWarning", script, method, domains], limit=600)


def test_fork_of_forks(run):
    run(
        """
        import os, sys, mimalloc
        mimalloc.install("all")
        heap = mimalloc.Heap(); b = heap.alloc(1000, zero=True)
        kept = [str(i) * 5 for i in range(20_000)]
        def down(level):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    memoryview(b)[level] = level
                    mine = [str(i) * 5 for i in range(5000)]; del kept[level::7]
                    mimalloc.uninstall(); mimalloc.install("all"); mimalloc.stats(); mimalloc.heap_map()
                    heap.alloc(50_000)
                    code = 0 if level == 0 else down(level - 1)
                finally: os._exit(code)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert [down(3) for _ in range(3)] == [0, 0, 0]
        assert bytes(b) == bytes(1000) and len(kept) == 20_000
        heap.close()
        """
    )


def test_fork_while_heaps_are_made_and_walked(run):
    """The locks of the package and of the library, taken by a fork in an order that others keep."""
    run(
        """
        import os, threading, mimalloc
        mimalloc.heap_map(); mimalloc.stats()     # a fork during an import is another matter
        busy = [True]
        def make():
            while busy:
                with mimalloc.Heap() as heap: heap.alloc(1000)
        def walk():
            while busy: mimalloc.heap_map(); mimalloc.stats()
        threads = [threading.Thread(target=f) for f in (make, make, walk)]
        for t in threads: t.start()
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                with mimalloc.Heap() as heap: heap.alloc(1000)
                mimalloc.heap_map(); os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        busy.clear()
        for t in threads: t.join()
        """,
        options=["-W", "ignore::DeprecationWarning"],
    )


# By the module that every version so far has under one of two names.
INTERPRETERS = """
import sys, mimalloc
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
mimalloc.install("all")
own_gil = sys.version_info >= (3, 12)
CODE = '''
import mimalloc._core as core
kept = [str(i) * 9 for i in range(300)]
assert core._hook_status()[2] == "active"
try: core.install("all")
except RuntimeError: pass
else: raise AssertionError
with core.Heap() as heap: heap.alloc(100)
'''
def live(): import gc; gc.collect(); mimalloc.collect(True); return mimalloc.stats()["live_blocks"]
def rounds(n):
    for _ in range(n):
        each = interpreters.create()
        failed = interpreters.run_string(each, CODE)
        assert failed is None, failed
        interpreters.destroy(each)
"""


def test_a_thousand_subinterpreters(run):
    """As many as that, no crash, and what a life leaves behind is CPython's own."""
    run(
        INTERPRETERS
        + """
rounds(20); before = live(); rounds(1000)
assert mimalloc.status().domains == ("raw", "mem", "obj")
""",
        limit=1200,
    )


def test_subinterpreters_leave_nothing_of_ours(run):
    """More blocks than without the package are not left behind by a life of an interpreter."""
    run(
        INTERPRETERS
        + """
def left(code):
    global CODE; CODE = code
    rounds(10); before = live(); rounds(50); return (live() - before) / 50
plain, with_package = left("import sys"), left(CODE)
modules = left("import typing, collections.abc, os")
assert with_package < max(plain, modules) * 1.5 + 200, (plain, modules, with_package)
""",
        limit=1200,
    )


ASKING_INTERPRETER = """
import ctypes, os, signal, threading
from mimalloc import _core
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
ready, started = os.pipe()
stop, stopped = os.pipe()
code = '''
import os, select, mimalloc._core as core
os.write(STARTED, b"x")
while not select.select([STOP], [], [], 0)[0]:
    for _ in range(1000): core._hook_status()
'''.replace("STARTED", str(started)).replace("STOP", str(stop))
libc = ctypes.PyDLL(None)
thread = threading.Thread(target=interpreters.run_string, args=(interpreters.create(), code))
thread.start(); os.read(ready, 1)
for _ in range(10):
    child = libc.fork()
    if child == 0:
        signal.alarm(20)
        _core._hook_status()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status: break
os.write(stopped, b"x"); thread.join()
assert status == 0, status
"""


# From 3.13 on a thread that waits for CPython's own lock of the tables lets go of its GIL.
TABLES_ARE_BUSY = """
import ctypes, os, signal, sys, threading
from mimalloc import _core
signal.alarm(120)
stop = ctypes.c_int(0)
read = ctypes.CDLL(sys.argv[1]).tables_read
sys.setswitchinterval(1e-5)
def ask():
    while not stop.value: _core._hook_status()
threads = [threading.Thread(target=read, args=(ctypes.byref(stop),))]
threads += [threading.Thread(target=ask) for _ in range(3)]
for t in threads: t.start()
for _ in range(int(sys.argv[2])):
    for _ in range(200): _core._hook_status()
    # 3.12 has a lock of the tables that is not made new in the child before it is taken there
    if sys.version_info[:2] == (3, 12): continue
    child = os.fork()
    if child == 0: os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.value = 1
for t in threads: t.join()
"""


@pytest.mark.parametrize("other", OTHERS, indirect=True)
class TestOtherVersions:
    """A short look at each CPython that is found; the long one is on the main interpreter."""

    def test_works(self, other):
        other.run(
            """
            import gc, sys, threading, tracemalloc, mimalloc
            def churn():
                return [{"i": i, "s": "x" * (i % 900), "l": list(range(i % 50))} for i in range(5000)]
            old = churn(); mimalloc.install("all"); new = churn(); del old[::2]; gc.collect()
            assert mimalloc.stats()["live_blocks"] > 5000
            threads = [threading.Thread(target=churn) for _ in range(50)]
            for t in threads: t.start()
            for t in threads: t.join()
            tracemalloc.start(); more = churn(); assert mimalloc.status().obj == "wrapped"; tracemalloc.stop()
            mimalloc.uninstall(); del new; churn(); mimalloc.install("all")
            with mimalloc.Heap() as heap: memoryview(heap.alloc(1000, align=64))[5] = 1
            mimalloc.heap_map()
            """
        )

    @pytest.mark.parametrize("allocator", ["debug", "malloc_debug"])
    def test_debug(self, other, allocator):
        other.run(
            "import mimalloc; mimalloc.install('all'); assert mimalloc.status().debug_hooks\n"
            "k = [str(i) * 200 for i in range(5000)]; del k[::2]; import json, re, email.message",
            options=["-X", "dev"],
            PYTHONMALLOC=allocator,
        )

    def test_tracemalloc_before(self, other):
        other.run(
            "import mimalloc\ntry: mimalloc.install()\n"
            "except RuntimeError as e: assert 'tracemalloc' in str(e)\nelse: raise AssertionError",
            PYTHONTRACEMALLOC="1",
        )

    def test_subinterpreters(self, other):
        other.run(INTERPRETERS + "rounds(30)")

    def test_subinterpreters_with_their_own_gil(self, other):
        version = other.run("import sys; print(sys.version_info >= (3, 12))").strip()
        if version != "True":
            pytest.skip("interpreters share the GIL before 3.12")
        # Without raw: while an interpreter begins or ends, these versions put CPython's own raw
        # allocator into the table of the process for a moment, and an interpreter that frees just
        # then frees with the wrong one; PYTHONMALLOC=debug crashes by that, without the package.
        other.run(
            INTERPRETERS.replace('mimalloc.install("all")', 'mimalloc.install(["mem", "obj"])')
            + """
import threading
failures = []
def many():
    try: rounds(15)
    except BaseException as error: failures.append(error)
threads = [threading.Thread(target=many) for _ in range(4)]
for t in threads: t.start()
kept = []
while any(t.is_alive() for t in threads): kept = [str(i) for i in range(1000)]
for t in threads: t.join()
assert not failures, failures
"""
        )

    def test_fork_while_another_interpreter_asks(self, other):
        """A lock of ours that another interpreter holds during a fork is free in the child."""
        if other.run("import sys; print(sys.version_info >= (3, 12))").strip() != "True":
            pytest.skip("interpreters share the GIL before 3.12")
        # fork of the C library: CPython's own work after a fork crashes by itself in such a process
        other.run(ASKING_INTERPRETER, options=["-W", "ignore::DeprecationWarning"])

    def test_tables_are_busy(self, other, tmp_path):
        """A thread that waits for CPython's lock of the tables, and has ours, keeps nobody from
        giving it the GIL."""
        library = tmp_path / "tables.so"
        include = other.run("import sysconfig; print(sysconfig.get_path('include'))").strip()
        source = pathlib.Path(__file__).with_name("tables.c")
        call([shutil.which("cc") or "gcc", "-shared", "-fPIC", "-O1", f"-isystem{include}", source, "-o", library])
        other.run(TABLES_ARE_BUSY, library, 20, options=["-W", "ignore::DeprecationWarning"])

    def test_fork(self, other, tmp_path):
        script = tmp_path / "processes.py"
        script.write_text(PROCESSES)
        command = [other.python, "-W", "ignore::DeprecationWarning", script, "fork", "all"]
        call(command, limit=600, env=clean_environment())
