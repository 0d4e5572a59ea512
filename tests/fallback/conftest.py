"""Fallback tests: see README.md."""

import os
import signal
from pathlib import Path

import pytest

import fallback_harness
from fallback_harness import ROOT, Harness, patience

TEST_LIMIT_S = 240


@pytest.fixture(scope="session", autouse=True)
def end_orderly():
    """A terminated run still cleans up."""

    def stop(number, frame):
        pytest.exit(f"signal {number}", returncode=1)

    before = {n: signal.signal(n, stop) for n in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def fallback():
    path = Path(os.environ.get("MI_TEST_LIB", ROOT / "build" / "release" / "libmimalloc.so"))
    library = (path if path.is_absolute() else ROOT / path).resolve()
    if not library.exists():
        pytest.fail(f"no library at {library}: build it first, or set MI_TEST_LIB", pytrace=False)
    harness = Harness(library)
    yield harness
    harness.close()


@pytest.fixture(scope="session")
def sample(fallback):
    return fallback.compile("sample.c")


@pytest.fixture(scope="session")
def cases(fallback):
    return fallback.compile("cases.c")


@pytest.fixture(scope="session")
def inject(fallback):
    return fallback.compile("inject.c", "-static")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(patience(TEST_LIMIT_S)))
