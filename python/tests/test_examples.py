"""examples/python: each runs as its first lines say, and prints what is written here."""

import subprocess

import environments
import pytest

FOLDER = environments.ROOT / "examples" / "python"

OUTPUT = {
    ("first.py",): """\
        active for: raw
        blocks of the library, for 1000 objects of 5000 bytes: as many more
        now active for: nothing
    """,
    ("first.py", "all"): """\
        active for: raw, mem, obj
        blocks of the library, for 1000 objects of 5000 bytes: as many more
        now active for: nothing
    """,
    ("request_heap.py",): """\
        request 1: 256 from 2 blocks
        request 2: 512 from 2 blocks
        request 3: 768 from 2 blocks
        not closed: BufferError
        closed: True
    """,
    ("numpy_arrays.py",): """\
        default:           False
        in the block:      True - aligned to 64: True
        thread in it:      False
        still usable:      True
        installed, thread: True
        in the heap:       True - its product: False
        the array keeps the heap open
    """,
    ("watch.py",): """\
        blocks in use: more than 20,000
        the size that holds most:
          blocks of 256 bytes, 20 thousand of them
          they fill 90 percent or more of their areas
        after dropping them: less
    """,
}


def run(arguments):
    return subprocess.run(
        [environments.environment(), *arguments],
        capture_output=True,
        text=True,
        cwd=FOLDER,
        timeout=600,
        env=environments.clean_environment(PYTHONDONTWRITEBYTECODE=1),
    )


@pytest.mark.parametrize("arguments", OUTPUT, ids=" ".join)
def test_example(arguments):
    done = run(arguments)
    if "numpy" in arguments[0] and "No module named 'numpy'" in done.stderr:
        pytest.skip("NumPy is not there")
    assert (done.returncode, done.stderr) == (0, "")
    expected = [line[8:] for line in OUTPUT[arguments].splitlines()]
    assert done.stdout.splitlines() == [line for line in expected if line]


def test_every_example_is_run():
    assert {arguments[0] for arguments in OUTPUT} == {path.name for path in FOLDER.glob("*.py")}


@pytest.mark.parametrize("arguments", OUTPUT, ids=" ".join)
def test_example_preloaded(arguments):
    """The same programs run when the whole process is on the library."""
    done = run(["-m", "mimalloc", "--small=mimalloc", *arguments])
    if "numpy" in arguments[0] and "No module named 'numpy'" in done.stderr:
        pytest.skip("NumPy is not there")
    assert (done.returncode, done.stderr) == (0, "")
