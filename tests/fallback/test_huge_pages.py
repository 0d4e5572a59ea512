"""Arenas of huge pages, with real ones: the pool of the machine is made larger for a moment; see
README.md. Where that is not allowed, or there is no room, the tests are skipped and say so."""

import re
from contextlib import contextmanager
from pathlib import Path

import pytest

from fallback_harness import ROOT, machine_lock, machine_setting, need_root

POOLS = Path("/sys/kernel/mm/hugepages")
LARGE, HUGE = POOLS / "hugepages-2048kB", POOLS / "hugepages-1048576kB"


def number(path):
    return int(path.read_text())


def lines_of_meminfo():
    return dict(re.findall(r"(\w+):\s+(\d+)", Path("/proc/meminfo").read_text()))


@contextmanager
def free_pages(pool, pages):
    """So many pages of the pool are free; when the test ends it is as it was, whatever happens."""
    need_root()
    if not pool.exists():
        pytest.skip(f"SKIPPED LOUDLY: no pool {pool} in this kernel")
    need_kib = pages * int(re.search(r"(\d+)kB", pool.name)[1])
    available = int(lines_of_meminfo()["MemAvailable"])
    if available < need_kib + (2 << 20):
        pytest.skip(f"SKIPPED LOUDLY: {available} KiB are available, {need_kib} KiB and 2 GiB needed")
    setting = pool / "nr_hugepages"
    used = number(setting) - number(pool / "free_hugepages")
    with machine_setting(setting, used + pages):
        free = number(pool / "free_hugepages") - number(pool / "resv_hugepages")
        if free < pages:
            pytest.skip(f"SKIPPED LOUDLY: the system has {free} of {pages} pages in one piece")
        yield


@pytest.fixture
def machine():
    need_root()
    with machine_lock():
        yield


@pytest.fixture(scope="session")
def huge(fallback):
    flags = [f"-I{ROOT / 'core' / 'include'}", str(fallback.library)]
    return fallback.compile("huge.c", *flags, f"-Wl,-rpath,{fallback.library.parent}")


def huge_mib(done):
    return int(re.search(r"(\d+) MiB in huge pages", done.ok())[1])


def test_pages_of_2_mib_for_a_page_of_1_gib(fallback, huge, machine):
    """The pool has no page of 1 GiB, but 600 of 2 MiB: one GiB is had, and given back at the end."""
    with free_pages(LARGE, 600), free_pages(HUGE, 0):
        assert huge_mib(fallback.run([huge, "reserve", 1])) == 1024
        assert number(LARGE / "free_hugepages") >= 600


def test_pages_of_1_gib(fallback, huge, machine):
    with free_pages(HUGE, 2), free_pages(LARGE, 0):
        assert huge_mib(fallback.run([huge, "reserve", 2])) == 2048
        assert number(HUGE / "free_hugepages") >= 2


def test_large_pages(fallback, huge, machine):
    with free_pages(LARGE, 40):
        assert huge_mib(fallback.run([huge, "large", 64])) == 64


def test_too_few(fallback, huge, machine):
    """Fewer pages than one GiB takes: none is kept, nothing is torn down."""
    with free_pages(LARGE, 20), free_pages(HUGE, 0):
        fallback.run([huge, "none"]).ok()
        assert number(LARGE / "free_hugepages") >= 20


@pytest.mark.parametrize("option", ["0", "2"])
def test_none_at_all(fallback, huge, machine, option):
    with free_pages(LARGE, 0), free_pages(HUGE, 0):
        fallback.run([huge, "none"], env={"MIMALLOC_RESERVE_HUGE_OS_PAGES": option}).ok()


def test_options(fallback, huge, machine):
    with free_pages(LARGE, 600), free_pages(HUGE, 0):
        done = fallback.run([huge, "option", 1024],
                            env={"MIMALLOC_RESERVE_HUGE_OS_PAGES": "1"})
        assert huge_mib(done) == 1024
        done = fallback.run([huge, "option", 100],
                            env={"MIMALLOC_RESERVE_OS_MEMORY": "100M",
                                 "MIMALLOC_ALLOW_LARGE_OS_PAGES": "1"})
        assert huge_mib(done) == 100
