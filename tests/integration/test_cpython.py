"""CPython's own regression tests, with every allocation going to malloc.

The same tests must pass and fail without and with the library. Some of these tests depend on the
time they take; a test that differs is run once more on both sides before it counts. A crash is
never excused.
"""

import subprocess
import tempfile
import xml.etree.ElementTree
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"
ENV = {"PYTHONMALLOC": "malloc"}

# These sleep and then take for granted that the others have got on; when they have not, a thread is
# left that waits for ever (seen on a busy machine, with the assertion failing before).
TIMING = ["*TestCondition.test_notify*"]

NAMES = [
    "test_json",
    "test_pickle",
    "test_re",
    "test_dict",
    "test_list",
    "test_threading",
    "test_multiprocessing_fork",
    "test_sqlite3",
    "test_gc",
    "test_ctypes",
    "test_subprocess",
]


def _need(name):
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('test.' + sys.argv[1]) is None)"
    if subprocess.run([PYTHON, "-c", find, "libregrtest"]).returncode != 0:
        pytest.skip("CPython's tests are missing (Debian package libpython3.11-testsuite)")
    if subprocess.run([PYTHON, "-c", find, name]).returncode != 0:
        pytest.skip(f"Debian's libpython3.11-testsuite comes without {name}")


def _outcome(case):
    kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
    return kinds[0] if kinds else case.get("result", "completed")


def _outcomes(folder, run):
    path = folder / "result.xml"
    assert run.status >= 0, f"crashed:\n{run.describe()}"
    assert path.exists(), f"ended without a result:\n{run.describe()}"
    root = xml.etree.ElementTree.parse(path).getroot()
    path.unlink()
    return {case.get("name"): _outcome(case) for case in root.iter("testcase")}


def _both(preload, table_name, folder, arguments):
    def argv(own):
        (own / "temporary").mkdir(exist_ok=True)
        options = ["--junit-xml", own / "result.xml", "--tempdir", own / "temporary"]
        options += [word for pattern in TIMING for word in ("--ignore", pattern)]
        return [PYTHON, "-m", "test", "-v", *options, *arguments]

    # Together: most of these tests wait, and none looks at what runs beside it.
    runs = preload.pair(table_name, argv, cwd=folder, env=ENV, together=True, timeout=500)
    results = [_outcomes(folder / side, run) for side, run in zip(("without", "with"), runs)]
    return runs, results


def _differing(results):
    names = sorted(results[0].keys() | results[1].keys())
    return [name for name in names if results[0].get(name) != results[1].get(name)]


def _describe(names, results):
    return "\n".join(f"{name}: {results[0].get(name)} -> {results[1].get(name)}" for name in names)


@pytest.fixture
def short_path():
    """The names of sockets below it must not exceed 107 bytes; tmp_path alone can come near that,
    and then processes wait for each other for ever."""
    with tempfile.TemporaryDirectory(prefix="mi-") as path:
        yield Path(path)


@pytest.mark.parametrize("name", NAMES)
def test_regression_tests(preload, short_path, name):
    _need(name)
    runs, results = _both(preload, f"CPython {name}", short_path / "first", [name])
    assert results[0], f"no test ran:\n{runs[0].describe()}"
    differing = _differing(results)
    if differing:
        told = _describe(differing, results)
        preload.note(f"{name}: run again because these differed (without -> with):\n{told}")
        matches = [word for case in differing for word in ("--match", case)]
        runs, results = _both(preload, f"CPython {name}", short_path / "again", [*matches, name])
        assert set(differing) <= set(results[0]), f"did not run again: {differing}"
        again = _differing(results)
        assert not again, f"{_describe(again, results)}\n{runs[1].describe()}"
    else:
        assert runs[0].status == runs[1].status, runs[1].describe()
