"""Integration tests: real programs behave the same with the library in LD_PRELOAD.

    /usr/bin/python3 -m pytest tests/integration

MI_TEST_LIB    the library to test (default: build/release/libmimalloc.so)
MI_TEST_GUARDED_RATE  the library guards one in so many blocks of the programs (default: none)
MI_TEST_SCALE  how much work (default 5: at most 8 minutes on two cores; 100 is thorough)

At the end stands a table of CPU seconds and peak memory, without and with; build/
integration-times.json has the same for machines. Many of the CPU times are too short to compare.
"""

import os
import re
import signal
from pathlib import Path

import pytest

import preload_harness
from preload_harness import ROOT, Preload

TIMES = ROOT / "build" / "integration-times.json"
TEST_LIMIT_S = 600


def _library():
    path = Path(os.environ.get("MI_TEST_LIB", ROOT / "build" / "release" / "libmimalloc.so"))
    if not path.is_absolute():
        path = ROOT / path
    return path.resolve()


@pytest.fixture(scope="session", autouse=True)
def interrupts():
    """Programs inherit that a signal is ignored, as it is for what a shell runs in the background;
    tests of interrupts would wait in vain."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def preload(request, tmp_path_factory):
    library = _library()
    if not library.exists():
        pytest.fail(f"no library at {library}: build it first, or set MI_TEST_LIB", pytrace=False)
    harness = Preload(library, tmp_path_factory.mktemp("preload"))
    request.config.preload_harness = harness
    _check_that_it_loads(harness)
    return harness


def _check_that_it_loads(harness):
    """The rest means nothing unless malloc is really the library's."""
    probe = harness.compile("probe.c")
    run = harness.run([probe], cwd=harness.work)
    owners = dict(line.split() for line in run.text().splitlines())
    for name in ("malloc", "calloc", "realloc", "free", "posix_memalign", "malloc_usable_size"):
        owner = owners.get(name)
        if owner is None or not os.path.samefile(owner, harness.library):
            pytest.fail(f"preloaded, but {name} is that of {owner}\n{run.describe()}", pytrace=False)
    plain = harness.run([probe], False, cwd=harness.work)
    assert re.search(r"^malloc \S*libc\S*$", plain.text(), re.M), plain.describe()


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(preload_harness.patience(TEST_LIMIT_S)))


def pytest_terminal_summary(terminalreporter, config):
    harness = getattr(config, "preload_harness", None)
    if harness is None or not harness.rows:
        return
    terminalreporter.section(f"without and with {harness.library.name}")
    for line in harness.table():
        terminalreporter.write_line(line)
    harness.write_times(TIMES)
