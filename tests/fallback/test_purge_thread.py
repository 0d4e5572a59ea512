"""The thread that gives memory back while the process is idle (MIMALLOC_PURGE_THREAD=1), in programs
that know nothing of it: it must not change what they do, nor be missed where it cannot be."""

import errno
import os
import subprocess
import time
from pathlib import Path

import pytest

from fallback_harness import MIB, need, patience, plugin_with_archive

ON = {"MIMALLOC_PURGE_THREAD": "1", "MIMALLOC_PURGE_DELAY": "20"}
PYTHON = "/usr/bin/python3"
CLONE3, CLONE = 435, 56

# Frees much and then waits for its input without a call of the allocator.
IDLE = """
import os, sys
blocks = [bytes(2000) for _ in range(40000)]
os.write(1, b"full\\n")
os.read(0, 1)
del blocks
os.write(1, b"free\\n")
os.read(0, 1)
"""


def tasks(pid):
    return {Path(task, "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir()}


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def wait_for(what):
    end = time.monotonic() + patience(60)
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    assert what()


def start_idle(fallback, env):
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith("MIMALLOC_")}
    environment |= {"LD_PRELOAD": str(fallback.library), "PYTHONMALLOC": "malloc", **env}
    return subprocess.Popen([need(PYTHON, "python3"), "-S", "-c", IDLE], env=environment,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_idle_process_shrinks(fallback):
    with start_idle(fallback, ON) as process:
        assert process.stdout.readline() == b"full\n"
        full = resident(process.pid)
        wait_for(lambda: "mi-purge" in tasks(process.pid))
        process.stdin.write(b".")
        process.stdin.flush()
        assert process.stdout.readline() == b"free\n"
        wait_for(lambda: resident(process.pid) <= full - 50 * MIB)
        process.communicate(b".", patience(30))
        assert process.returncode == 0


def test_off_by_default(fallback):
    with start_idle(fallback, {"MIMALLOC_PURGE_DELAY": "20"}) as process:
        assert process.stdout.readline() == b"full\n"
        assert len(tasks(process.pid)) == 1
        process.communicate(b"..", patience(30))


def test_sort(fallback):
    text = "".join(f"{i * 7919 % 100003}\n" for i in range(100003))
    done = fallback.run([need("sort", "coreutils"), "-n"], env=ON, stdin=text)
    assert done.status == 0 and done.err == "", done.describe()
    assert done.out == "".join(f"{i}\n" for i in range(100003))


FORKS = """
import os
data = [bytes(1000) for _ in range(20000)]
for i in range(30):
    child = os.fork()
    if child == 0:
        more = [bytes(1000) for _ in range(5000 * (i % 3))]
        del more
        os._exit(0 if i % 2 else os.system("true"))
    assert os.waitpid(child, 0)[1] == 0
print("ok")
"""


def test_forks(fallback):
    command = [need(PYTHON, "python3"), "-S", "-c", FORKS]
    fallback.run(command, env={**ON, "PYTHONMALLOC": "malloc"}).ok()


REFUSED = """
import os
data = [bytes(1000) for _ in range(20000)]
del data
assert "libmimalloc" in open("/proc/self/maps").read()
assert len(os.listdir("/proc/self/task")) == 1
print("ok")
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls")
@pytest.mark.parametrize("error", ["EAGAIN", "EPERM"])
def test_no_thread_is_to_be_had(fallback, inject, error):
    number = str(getattr(errno, error))
    command = [inject, str(CLONE3), number, "always", inject, str(CLONE), number, "always",
               need(PYTHON, "python3"), "-S", "-c", REFUSED]  # fmt: skip
    done = fallback.run(command, preload=False,
                        env={**ON, "PRELOAD": str(fallback.library), "PYTHONMALLOC": "malloc"})
    done.ok()
    assert [line for line in done.err.splitlines() if not line.startswith("calls:")] == []


def test_library_is_closed(fallback):
    plugin = plugin_with_archive(fallback, "purge_plugin.c")
    host = fallback.compile("purge_plugin.c", "-ldl")
    fallback.run([host, plugin, 180], preload=False, env=ON).ok()
