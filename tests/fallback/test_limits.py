"""Limits of the process: address space, data, locked memory, a memory cgroup, mappings."""

import os
import re
import resource
from pathlib import Path

import pytest

from fallback_harness import MIB, need, need_root

AS, DATA, MEMLOCK = resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_MEMLOCK
ADDRESS_LIMITS = [64 * MIB, 256 * MIB, 524288 * 1024, 2000000 * 1024, 8192 * MIB]
DATA_LIMITS = [64 * MIB, 256 * MIB]

PROGRAMS = {
    "python": (["/usr/bin/python3", "-c",
                "x = [bytes(n % 3000) for n in range(9000)]; print(sum(map(len, x)))"],
               str(sum(n % 3000 for n in range(9000)))),
    "perl": (["perl", "-e", 'my @a = map { "x" x $_ } 1..3000; print length(join "", @a)'],
             str(3000 * 3001 // 2)),
    "ls": (["ls", "-la", "/"], None),
}


def run_program(fallback, name, **options):
    command, expected = PROGRAMS[name]
    need(command[0], name)
    done = fallback.run(command, env={"PYTHONMALLOC": "malloc"}, **options)
    assert done.status == 0 and done.err == "", done.describe()
    assert expected is None or done.out.strip() == expected, done.describe()


def check_short(fallback, sample, limit, kind, least):
    """Works, takes all there is (at least that part of the limit), works again; three times."""
    done = fallback.run([sample, "short", limit // MIB], limits={kind: limit})
    done.ok()
    rounds = re.findall(r"took (\d+) MiB, then (\d+) MiB", done.out)
    assert len(rounds) == 3, done.describe()
    for taken, large in rounds:
        assert int(taken) * MIB >= limit * least, done.describe()
        # the third round takes smaller blocks only: what they leave serves large ones
        if limit >= 128 * MIB:
            assert int(large) * MIB >= limit * 0.3, done.describe()


@pytest.mark.parametrize("limit", ADDRESS_LIMITS)
def test_address_space(fallback, sample, limit):
    check_short(fallback, sample, limit, AS, 0.7)


@pytest.mark.parametrize("limit", DATA_LIMITS)
def test_data(fallback, sample, limit):
    check_short(fallback, sample, limit, DATA, 0.75)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("limit", ADDRESS_LIMITS)
def test_programs_in_little_address_space(fallback, program, limit):
    run_program(fallback, program, limits={AS: limit})


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("limit", DATA_LIMITS)
def test_programs_with_little_data(fallback, program, limit):
    run_program(fallback, program, limits={DATA: limit})


@pytest.mark.parametrize("mib", [1, 100, 1000, 4000])
def test_address_space_lowered_while_running(fallback, sample, mib):
    """Below what is reserved every system call for memory fails; nothing may break of it, such as a
    move by page tables that loses its target. Once the limit is lifted all is well."""
    fallback.run([sample, "lower", mib]).ok()


def test_valloc_does_not_look_at_the_limit_again(fallback, cases):
    fallback.run([cases, "lowered_valloc"]).ok()


def test_first_malloc_fails(fallback, cases):
    """The process starts later, when there is memory."""
    fallback.run([cases, "late_start"]).ok()


# ---- locked memory ----


@pytest.mark.parametrize("what", ["current+future", "future"])
def test_locked(fallback, cases, what):
    need_root()
    done = fallback.run([cases, "locked", what])
    last = done.ok()
    assert "mlockall: errno 0" in done.out, done.describe()
    assert last.startswith("ok, 0 of 200"), last
    assert int(re.search(r"resident (\d+)", last)[1]) < 200, last


@pytest.mark.parametrize("kib", [64, 8192])
@pytest.mark.parametrize("what", ["current+future", "future"])
def test_locked_with_limit(fallback, cases, what, kib):
    """Without privilege; root is not held to the limit."""
    need_root()
    done = fallback.run([cases, "locked", what], limits={MEMLOCK: kib * 1024}, user="nobody")
    done.ok()


# ---- a memory cgroup ----


@pytest.mark.parametrize("mib,delay", [(64, 0), (256, None)])
def test_memory_cgroup(fallback, cases, sample, mib, delay):
    """40 MiB of blocks of one size after the other. What is free may stay for the purge delay, in each
    of the four kinds of segments; without delay the limit may be tight."""
    need_root()
    parent = Path("/sys/fs/cgroup/memory")
    if not (parent / "memory.limit_in_bytes").exists():
        pytest.skip("no memory controller of cgroup v1")
    group = parent / f"mimalloc-test-{os.getpid()}"
    group.mkdir()
    env = {} if delay is None else {"MIMALLOC_PURGE_DELAY": str(delay)}
    try:
        (group / "memory.limit_in_bytes").write_text(str(mib * MIB))
        join = group / "cgroup.procs"
        fallback.run([cases, "cycle", 40], join=join, env=env).ok()
        fallback.run([sample, "short", 512], join=join, env=env).ok()
        for program in PROGRAMS:
            run_program(fallback, program, join=join)
        control = (group / "memory.oom_control").read_text()
        assert re.search(r"^oom_kill 0$", control, re.M), control
    finally:
        group.rmdir()


# ---- mappings ----


def test_no_mapping_left(fallback, cases):
    done = fallback.run([cases, "mappings"])
    done.ok()
    taken = [int(n) for n in re.findall(r"(\d+) mappings more", done.out)]
    assert len(taken) == 2 and taken[0] - taken[1] < 200, done.describe()


def test_blocks_of_several_mappings(fallback, cases):
    fallback.run([cases, "split"]).ok()
