"""The stubs say what the extension does (stubtest), and the package is typed (mypy --strict)."""

import pathlib
import sys

import pytest
from conftest import call

ALLOWED = pathlib.Path(__file__).with_name("stubtest_allowlist.txt")

USER = """
import mimalloc
from mimalloc import Area, Heap, Options, Status

mimalloc.install("all")
mimalloc.install(("raw", "mem"), force=True)
status: Status = mimalloc.status()
domains: tuple[str, ...] = status.domains
with Heap(name="typed") as heap:
    view: memoryview = memoryview(heap.alloc(100, align=64, zero=True))
    numbers = heap.array("d", 10)
    found: bool = heap.contains(view) or heap.contains(5)
    with heap.numpy(hugepages=False):
        pass
with mimalloc.numpy():
    pass
areas: list[Area] = mimalloc.heap_map()
options: Options = mimalloc.options
options["purge_delay"] = options["purge_delay"] + 1
live: int = mimalloc.stats()["live_blocks"]
"""

WRONG = """
import mimalloc
mimalloc.install(3)
mimalloc.Heap().alloc("12")
mimalloc.options["purge_delay"] = "soon"
"""


@pytest.fixture(scope="module")
def typed(main):
    try:
        main.need("mypy", "typing_extensions")
    except pytest.skip.Exception:
        print("NOT TESTED: stubs: mypy is missing", file=sys.stderr)
        raise
    return main


def test_stubtest(typed, tmp_path):
    allowed = ["--allowlist", ALLOWED, "--ignore-unused-allowlist"]
    out = call([typed.python, "-m", "mypy.stubtest", "mimalloc", *allowed], cwd=tmp_path)
    assert "Success" in out, out


def test_strict(typed, tmp_path):
    call([typed.python, "-m", "mypy", "--strict", "-p", "mimalloc"], cwd=tmp_path)


def test_a_user_program(typed, tmp_path):
    (tmp_path / "user.py").write_text(USER)
    call([typed.python, "-m", "mypy", "--strict", "user.py"], cwd=tmp_path)


def test_mistakes_are_found(typed, tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG)
    with pytest.raises(AssertionError, match="Found 3 errors"):
        call([typed.python, "-m", "mypy", "wrong.py"], cwd=tmp_path)


def test_everything_has_a_docstring(run):
    run(
        """
        import inspect, mimalloc
        bare = [n for n in mimalloc.__all__ if callable(getattr(mimalloc, n)) and not getattr(mimalloc, n).__doc__]
        for cls in mimalloc.Heap, mimalloc.Buffer:
            bare += [n for n in vars(cls) if not n.startswith("_") and not getattr(cls, n).__doc__]
        assert not bare, bare
        for f in mimalloc.install, mimalloc.collect, mimalloc.Heap.alloc: inspect.signature(f)
        """
    )
