"""Settings of the whole machine, changed for a moment; see README.md."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from fallback_harness import machine_lock, machine_setting, need_root
from test_limits import PROGRAMS, run_program

VM = Path("/proc/sys/vm")
KIB_PER_GIB = 1 << 20
LEFT_GIB = 3  # for unprivileged processes, the others of the machine among them


@pytest.fixture
def strict_overcommit():
    """vm.overcommit_memory=2 with a limit of a tebibyte more than is committed, all but 3 GiB of it
    reserved for privileged processes: other programs do not notice."""
    need_root()
    with ExitStack() as stack:
        stack.enter_context(machine_lock())
        ratio = int((VM / "overcommit_ratio").read_text())
        kbytes = int((VM / "overcommit_kbytes").read_text())
        committed = int(re.search(r"Committed_AS:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
        limit = committed + (1024 + LEFT_GIB) * KIB_PER_GIB
        # writing one of these sets the other to 0
        undo = [(VM / "overcommit_kbytes", kbytes)] if kbytes else [(VM / "overcommit_ratio", ratio)]
        stack.enter_context(machine_setting(VM / "overcommit_kbytes", limit, undo))
        stack.enter_context(machine_setting(VM / "admin_reserve_kbytes", 1024 * KIB_PER_GIB))
        stack.enter_context(machine_setting(VM / "overcommit_memory", 2))
        yield


def test_overcommit_charge_returns(fallback, cases, strict_overcommit):
    """1 GiB is charged while it is in use, and no longer. Others are charged meanwhile: best of 3."""
    seen = []
    for _ in range(3):
        done = fallback.run([cases, "charge", 1024])
        last = done.ok()
        taken, left = map(int, re.search(r"(-?\d+) taken, (-?\d+) left", last).groups())
        seen.append((taken, left))
        if taken > 900 and left < 128:
            return
    raise AssertionError(f"MiB taken, left: {seen}")


def test_overcommit_work(fallback, sample, strict_overcommit):
    fallback.run([sample, "work"]).ok()


def test_overcommit_shortage(fallback, sample, strict_overcommit):
    done = fallback.run([sample, "short", 100000], user="nobody")
    done.ok()
    rounds = [tuple(map(int, r)) for r in re.findall(r"took (\d+) MiB, then (\d+) MiB", done.out)]
    assert len(rounds) == 3 and all(500 < a < 8000 and b > 400 for a, b in rounds), done.describe()


@pytest.mark.parametrize("program", PROGRAMS)
def test_overcommit_programs(fallback, program, strict_overcommit):
    run_program(fallback, program)
    run_program(fallback, program, user="nobody")


# ---- transparent huge pages ----

THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.fixture
def huge_pages_always():
    need_root()
    if not THP.exists():
        pytest.skip("no transparent huge pages in this kernel")
    with machine_lock(), machine_setting(THP, "always"):
        yield


def test_huge_pages_small_program(fallback, cases, huge_pages_always):
    """A range of 2 MiB that is not wholly committed cannot become huge."""
    last = fallback.run([cases, "resident", 300]).ok()
    assert int(re.search(r"(\d+) KiB", last)[1]) < 1024, last


def test_huge_pages_work(fallback, sample, cases, huge_pages_always):
    fallback.run([sample, "work"]).ok()
    fallback.run([cases, "moves", "20,10"]).ok()
