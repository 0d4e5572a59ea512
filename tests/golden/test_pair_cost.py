"""What a free and a malloc of 16 to 256 bytes cost in instructions, through LD_PRELOAD.

The calls through the PLT and the loop are included. Counted with callgrind, as the difference
between a long and a short run, so that start-up does not count.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LIBRARY = ROOT / os.environ.get("MI_TEST_LIB", "build/release/libmimalloc.so")
PEER = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu" / "libmimalloc.so.2.0"
LIMIT = 0.72  # of what Debian's mimalloc 2.0 needs
SHORT, LONG = 100_000, 300_000

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("pair") / "pair"
    source = Path(__file__).with_name("pair_cost.c")
    # Position independent, as Debian builds its programs; no builtins, or the pairs would vanish.
    command = ["cc", "-O2", "-fno-builtin", "-fPIE", "-pie", str(source), "-o", str(path)]
    subprocess.run(command, check=True, timeout=300)
    return path


def _instructions(program, library, pairs):
    log = program.with_name("callgrind.log")
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += [f"--log-file={log}", str(program), str(pairs)]
    env = {"PATH": os.environ["PATH"], "LD_PRELOAD": str(library)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    text = log.read_text()
    assert done.returncode == 0 and not done.stderr, f"{done.stderr}\n{text}"
    return int(re.search(r"Collected : (\d+)", text).group(1))


def _for_a_pair(program, library):
    counts = [_instructions(program, library, pairs) for pairs in (SHORT, LONG)]
    return (counts[1] - counts[0]) / (LONG - SHORT)


def test_pair_costs_less_than_in_debians_mimalloc(program, record_property, capsys):
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is missing (Debian package valgrind)")
    if not PEER.exists():
        pytest.skip("nothing to compare with (Debian package libmimalloc2.0)")
    assert LIBRARY.exists(), f"no library at {LIBRARY}: build it first"
    ours, peer = (_for_a_pair(program, library.resolve()) for library in (LIBRARY, PEER))
    told = f"instructions for free + malloc: {ours:.2f}, mimalloc 2.0 {peer:.2f}, ratio {ours / peer:.3f}"
    with capsys.disabled():
        print(f"\n{told}")
    record_property("instructions", ours)
    assert ours <= LIMIT * peer, f"{told}, at most {LIMIT}"
