"""NumPy's arrays from the library, without NumPy's headers."""

OURS = """
import mimalloc, numpy as np
def ours(a):
    at = a.ctypes.data
    return any(x.address <= at < x.address + x.reserved for x in mimalloc.heap_map())
def heap_of(a):
    at = a.ctypes.data
    return [x.heap for x in mimalloc.heap_map() if x.address <= at < x.address + x.reserved]
"""


def test_context(run_numpy):
    run_numpy(
        OURS
        + """
outside = np.ones(5000)
with mimalloc.numpy():
    kept = [np.ones(n) for n in (1, 7, 100, 5000, 3_000_000)] + [np.zeros(n, "i4") for n in (1, 999, 10**6)]
    for a in kept: assert ours(a) and a.ctypes.data % 64 == 0, a.size
    with mimalloc.numpy(): inner = np.empty(10); assert ours(inner)
    still = np.empty(10); assert ours(still)
    assert not ours(outside) and np.array_equal(outside + kept[3], np.full(5000, 2.0))
    kept[3].resize(50_000, refcheck=False); assert ours(kept[3]) and kept[3].ctypes.data % 64 == 0
    assert kept[3][4999] == 1 and kept[3][5000] == 0
after = np.ones(5000); assert not ours(after)
kept[2].resize(10_000, refcheck=False); assert ours(kept[2])       # each array keeps its handler
live = mimalloc.stats()["live_blocks"]; del kept, inner, still, a
assert mimalloc.stats()["live_blocks"] <= live - 9
"""
    )


def test_context_and_threads(run_numpy):
    run_numpy(
        OURS
        + """
import contextvars, threading, asyncio
seen = {}
def look(name): seen[name] = ours(np.empty(1000))
with mimalloc.numpy():
    for name, target in (("thread", lambda: look("thread")),
                         ("copied", lambda c=contextvars.copy_context(): c.run(look, "copied"))):
        t = threading.Thread(target=target); t.start(); t.join()
    async def task(): look("task")
    async def tasks(): await asyncio.create_task(task())
    asyncio.run(tasks())
def entered():
    with mimalloc.numpy(): look("entered")
t = threading.Thread(target=entered); t.start(); t.join()
import sys
inherits = bool(getattr(sys.flags, "thread_inherit_context", 0))
assert seen == {"thread": inherits, "copied": True, "task": True, "entered": True}, seen
"""
    )


def test_one_context_in_many_threads(run_numpy):
    run_numpy(
        OURS
        + """
import threading
shared = mimalloc.numpy(); inside, leave, seen = threading.Barrier(3), threading.Barrier(3), []
def work():
    with shared:
        inside.wait(); seen.append(ours(np.empty(500))); leave.wait()
    seen.append(not ours(np.empty(500)))
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
assert seen == [True] * 6, seen
"""
    )


def test_install_is_for_all_threads(run_numpy):
    run_numpy(
        OURS
        + """
import threading
go, done, seen = threading.Event(), threading.Event(), []
def running():
    old = np.ones(500); seen.append(ours(old)); done.set(); go.wait()
    new = np.ones(500); seen.append(ours(new)); old.resize(5000, refcheck=False); seen.append(ours(old))
early = threading.Thread(target=running); early.start(); done.wait()
old = [np.ones(n) for n in (1, 50, 5000, 10**6)]
mimalloc.install_numpy(); mimalloc.install_numpy()
assert mimalloc.status().numpy
go.set(); early.join()
assert seen == [False, True, False], seen            # old arrays stay where they are
late = threading.Thread(target=lambda: seen.append(ours(np.zeros(100)))); late.start(); late.join()
assert seen[-1]
new = [np.ones(n) for n in (1, 50, 5000, 10**6)]
assert all(map(ours, new)) and all(a.ctypes.data % 64 == 0 for a in new) and not any(map(ours, old))
mimalloc.uninstall_numpy(); mimalloc.uninstall_numpy()
assert not mimalloc.status().numpy and not ours(np.ones(500))
for a in new + old: a.resize(a.size + 3, refcheck=False)
assert all(map(ours, new)) and not any(map(ours, old))
del old, new
mimalloc.install_numpy(); assert ours(np.ones(500))
"""
    )


def test_heap(run_numpy):
    run_numpy(
        OURS
        + """
heap = mimalloc.Heap(name="arrays")
with heap.numpy():
    a = np.arange(10_000.0); b = np.zeros((300, 300)); c = a * 2
assert heap_of(a) == heap_of(b) == heap_of(c) == ["arrays"] and heap.exports == 3
assert a.ctypes.data % 64 == 0 and heap.contains(a) and not heap.contains(np.ones(3))
a.resize(40_000, refcheck=False); assert heap_of(a) == ["arrays"] and a[9999] == 9999
try: heap.close()
except BufferError as error: assert "3" in str(error)
else: raise AssertionError
del a, c
assert heap.exports == 1
import threading
t = threading.Thread(target=lambda: globals().__delitem__("b")); t.start(); t.join()
assert heap.exports == 0 and heap.stats()["live_blocks"] == 0
heap.close()

heap = mimalloc.Heap()
with heap.numpy():
    a = np.ones(1000); heap.detach(); a.resize(3000, refcheck=False); assert a[999] == 1
    try: np.empty(1000)
    except MemoryError: pass
    else: raise AssertionError
assert np.empty(10).size == 10
# from a buffer: NumPy's view counts too
heap = mimalloc.Heap(); n = np.frombuffer(heap.alloc(800, zero=True)); n[:] = 3
try: heap.close()
except BufferError: pass
else: raise AssertionError
del n; heap.close()
"""
    )


def test_heap_ends_with_its_last_array(run_numpy):
    run_numpy(
        OURS
        + """
def make():
    heap = mimalloc.Heap(name="left")
    with heap.numpy(): return np.ones(1000)
a = make(); assert heap_of(a) == ["left"] and a.sum() == 1000
del a; assert "left" not in [h["name"] for h in mimalloc.stats()["heaps"]]
"""
    )


def test_huge_pages(run_numpy):
    """Whole huge pages inside of the array are advised, and only if asked for."""
    run_numpy(
        """
import re, sys, mimalloc, numpy as np
def advised(a):
    flags = {}
    for line in open("/proc/self/smaps"):
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if m: low, high = (int(x, 16) for x in m.groups())
        elif line.startswith("VmFlags") and low <= a.ctypes.data + a.nbytes // 2 < high: return "hg" in line.split()
with mimalloc.numpy(hugepages=False): plain = np.ones(3 << 20)
with mimalloc.numpy(): huge = np.ones(3 << 20); zeros = np.zeros(3 << 20); small = np.ones(1000)
got = advised(plain), advised(huge), advised(zeros), advised(small)
assert got == (False, True, True, False) or not open("/sys/kernel/mm/transparent_hugepage/enabled").read(), got
"""
    )


def test_old_numpy_is_refused(run):
    """With a module in place of NumPy that has no such table."""
    run(
        """
        import sys, types, mimalloc
        fake = types.ModuleType("numpy._core._multiarray_umath"); fake._ARRAY_API = None
        for name in "numpy", "numpy._core": sys.modules[name] = types.ModuleType(name); sys.modules[name].__path__ = []
        sys.modules["numpy._core._multiarray_umath"] = fake
        for use in (lambda: mimalloc.install_numpy(), lambda: mimalloc.numpy().__enter__()):
            try: use()
            except ValueError: pass
            else: raise AssertionError
        assert not mimalloc.status().numpy
        """
    )


def test_fifty_threads(run_numpy):
    run_numpy(
        OURS
        + """
import threading, random
mimalloc.install("all"); mimalloc.install_numpy()
shared = []; failures = []
def work(seed):
    r = random.Random(seed)
    try:
        for i in range(60):
            a = np.full(r.choice((3, 100, 4000, 100_000)), seed, "i4"); assert (a + 1).sum() == a.size * (seed + 1)
            shared.append(a)
            if len(shared) > 30:
                b = shared.pop(0); assert (b == b[0]).all()
    except BaseException as error: failures.append(error)
threads = [threading.Thread(target=work, args=(s,)) for s in range(50)]
for t in threads: t.start()
for t in threads: t.join()
assert not failures, failures
"""
    )
