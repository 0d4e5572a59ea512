"""MIMALLOC_AUTOINSTALL: off by default, and never in the way of a program."""

import pathlib
import subprocess

import environments
import pytest

DOMAINS = "import mimalloc; print(*mimalloc.status().domains)"


@pytest.fixture(scope="module")
def python():
    return environments.environment()


def run(python, *arguments, **environment):
    done = subprocess.run(
        [python, *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        env=environments.clean_environment(**environment),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_off_by_default(python):
    assert run(python, "-c", DOMAINS).stdout == "\n"
    code = "import sys; print([name for name in sys.modules if 'mimalloc' in name])"
    assert run(python, "-c", code).stdout == "[]\n"
    assert run(python, "-c", code, MIMALLOC_AUTOINSTALL="").stdout == "[]\n"


@pytest.mark.parametrize("value, domains", [("raw", "raw"), ("all", "raw mem obj")])
def test_on(python, value, domains):
    done = run(python, "-c", DOMAINS, MIMALLOC_AUTOINSTALL=value)
    assert (done.stdout, done.stderr) == (domains + "\n", "")


@pytest.mark.parametrize("value", ["raw", "all"])
def test_loads_nothing_but_the_extension(python, value):
    """What it loads is in memory in each program, and `typing` takes a megabyte."""
    code = "import sys; print(*sys.modules)"
    without = set(run(python, "-c", code).stdout.split())
    modules = set(run(python, "-c", code, MIMALLOC_AUTOINSTALL=value).stdout.split())
    assert modules - without <= {"_mimalloc_autostart", "_tracemalloc", "mimalloc", "mimalloc._core"}


@pytest.mark.parametrize("flag", ["-E", "-I", "-S"])
def test_isolated_interpreters_stay_as_they_are(python, flag):
    code = "import sys; print([name for name in sys.modules if 'mimalloc' in name])"
    done = run(python, flag, "-c", code, MIMALLOC_AUTOINSTALL="all")
    assert "'mimalloc'" not in done.stdout and done.stderr == ""


@pytest.mark.parametrize(
    "more, reason",
    [
        ({"MIMALLOC_AUTOINSTALL": "everything"}, "it can be raw or all"),
        ({"MIMALLOC_AUTOINSTALL": "all", "PYTHONTRACEMALLOC": "1"}, "tracemalloc is tracing"),
    ],
)
def test_a_reason_is_said_once_and_the_program_runs(python, more, reason):
    done = run(python, "-c", "print('ran')", **more)
    assert done.stdout == "ran\n"
    assert done.stderr.count("has no effect") == 1 and reason in done.stderr


def test_on_top_of_a_preloaded_library(python):
    library = run(python, "-c", "import mimalloc; print(mimalloc.library_path())").stdout.strip()
    done = run(python, "-c", DOMAINS, MIMALLOC_AUTOINSTALL="all", LD_PRELOAD=library)
    assert (done.stdout, done.stderr) == ("raw mem obj\n", "")
    code = "import mimalloc; print(mimalloc.status()[:3])"
    done = run(python, "-c", code, MIMALLOC_AUTOINSTALL="all", LD_PRELOAD=library, PYTHONMALLOC="malloc")
    assert (done.stdout, done.stderr) == ("('preload', 'preload', 'preload')\n", "")


def test_children(python):
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DOMAINS!r}], check=True)"
    assert run(python, "-c", code, MIMALLOC_AUTOINSTALL="raw").stdout == "raw\n"


def test_both_files_name_the_same_function():
    """Newer Pythons read mimalloc.start, and then leave out the import line of mimalloc.pth."""
    site = pathlib.Path(__file__).parent.parent / "site"
    entry = (site / "mimalloc.start").read_text().strip()
    module, _, function = entry.partition(":")
    assert (site / f"{module}.py").read_text().count(f"def {function}()") == 1
    (line,) = (site / "mimalloc.pth").read_text().splitlines()
    assert line.startswith("import ") and f'__import__("{module}").{function}()' in line
