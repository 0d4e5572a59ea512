"""System calls that fail: always, the n-th, the n-th and all that follow. NULL with ENOMEM or
success, contents intact, no crash, no hang; after a single failure everything works again. The same
for each public function, with a fake system: tests/fault."""

import errno
import re

import pytest

from fallback_harness import SCALE, need, need_root
from test_limits import PROGRAMS

CALLS = {
    "mmap": errno.ENOMEM,
    "mprotect": errno.ENOMEM,
    "madvise": errno.EINVAL,
    "mremap": errno.EFAULT,
    "munmap": errno.ENOMEM,
}
STEP = max(1, 5 // SCALE)


def run_injected(fallback, inject, sample, call, error, n):
    what = "tolerant" if n.endswith("+") else "recover"
    done = fallback.run([inject, call, error, n, sample, what], preload=False, timeout=30,
                        env={"PRELOAD": str(fallback.library)})
    done.ok()
    count = re.search(r"calls: (\d+)", done.err)
    assert count, done.describe()
    return int(count[1])


@pytest.mark.parametrize("onward", ["", "+"], ids=["once", "onward"])
@pytest.mark.parametrize("call", CALLS)
def test_nth_call_fails(fallback, inject, sample, call, onward):
    # the first mremap is a trial; when it fails there is no other
    n, runs, count = (2, 0, 2) if call == "mremap" else (1, 0, 1)
    while n <= count:
        count = run_injected(fallback, inject, sample, call, CALLS[call], f"{n}{onward}")
        n, runs = n + STEP, runs + 1
    print(f"{call}{onward}: {runs} runs, {count} calls in the last")
    # the way of counting works: the sample makes these calls
    assert runs >= (2 if call == "munmap" else 10 // STEP), runs


def test_trial_move_fails(fallback, inject, sample):
    assert run_injected(fallback, inject, sample, "mremap", errno.EFAULT, "1") == 1
    assert run_injected(fallback, inject, sample, "mremap", errno.ENOMEM, "1") > 1


@pytest.mark.parametrize("call", ["madvise", "mremap"])
@pytest.mark.parametrize("error", ["EPERM", "ENOSYS", "ENOMEM", "EAGAIN"])
def test_call_is_denied(fallback, inject, sample, call, error):
    """Memory can be had without these: nothing may fail."""
    command = [inject, call, getattr(errno, error), "always", sample, "work"]
    fallback.run(command, preload=False, env={"PRELOAD": str(fallback.library)}).ok()


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
@pytest.mark.parametrize("call", ["getrandom", "membarrier", "302", "98"], ids=str)
def test_others_are_denied(fallback, inject, sample, call, error):
    """302 is prlimit64, 98 getrusage."""
    command = [inject, call, getattr(errno, error), "always", sample, "work"]
    fallback.run(command, preload=False, env={"PRELOAD": str(fallback.library)}).ok()


@pytest.mark.parametrize("call", ["mprotect", "madvise", "mremap"])
@pytest.mark.parametrize("error", ["EPERM", "ENOSYS", "EAGAIN"])
def test_denied_after_start(fallback, inject, sample, call, error):
    """A program that shuts itself in after it has started."""
    for n in (3, 12):
        run_injected(fallback, inject, sample, call, getattr(errno, error), f"{n}+")


@pytest.mark.parametrize("error", ["EFAULT", "ENOMEM"])
def test_failed_move_leaves_a_hole(fallback, sample, cases, error):
    """Older kernels drop the target of mremap before they find that the source is several mappings.
    A library in front of ours does the same: the hole must be filled before it is written to."""
    shim = fallback.compile("hole.c", "-shared", "-fPIC", f"-DERROR={error}")
    for command in ([sample, "work"], [cases, "split"], [cases, "moves", "20,3"]):
        load = f"LD_PRELOAD={shim}:{fallback.library}"
        done = fallback.run(["/usr/bin/env", load, *command], preload=False)
        done.ok()
        # once is enough: no further move is tried
        assert done.err.count("hole made") == 1, done.describe()


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_proc(fallback, program):
    need_root()
    script = f'mount -t tmpfs none /proc && exec env LD_PRELOAD="{fallback.library}" "$@"'
    command, expected = PROGRAMS[program]
    shell = [need("unshare", "util-linux"), "-m", "sh", "-c", script, "sh", *command]
    done = fallback.run(shell, preload=False, env={"PYTHONMALLOC": "malloc"})
    assert done.status == 0 and done.err == "", done.describe()
    assert expected is None or done.out.strip() == expected, done.describe()


def test_no_proc_sample(fallback, sample):
    need_root()
    script = f'mount -t tmpfs none /proc && exec env LD_PRELOAD="{fallback.library}" "$@"'
    for what in (["work"], ["short", "500"]):
        shell = [need("unshare", "util-linux"), "-m", "sh", "-c", script, "sh", sample, *what]
        fallback.run(shell, preload=False).ok()
