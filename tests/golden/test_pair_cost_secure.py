"""What the checks of the secure and hardened builds cost: instructions of a free and a malloc, in
relation to the release build.

As in test_pair_cost.py: preloaded, PLT and loop included, (300,000 pairs - 100,000) / 200,000.
MI_TEST_LIB, MI_TEST_LIB_SECURE and MI_TEST_LIB_HARDENED name libraries; without them those of
build/ are brought up to date.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SHORT, LONG = 100_000, 300_000
VARIABLES = {
    "release": "MI_TEST_LIB",
    "secure": "MI_TEST_LIB_SECURE",
    "hardened": "MI_TEST_LIB_HARDENED",
}
SECURE_LIMIT = 1.8  # sizes 16 to 256, mixed
HARDENED_LIMIT = 2.9  # 64 bytes

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(shutil.which("valgrind") is None,
                       reason="valgrind is missing (Debian package valgrind)"),
]


def _run(*command, timeout=1800):
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True,
                          timeout=timeout)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def _library(build):
    if VARIABLES[build] in os.environ:
        return (ROOT / os.environ[VARIABLES[build]]).resolve()
    folder = ROOT / "build" / build
    if not (folder / "CMakeCache.txt").exists():
        _run("cmake", "--preset", build)
    _run("cmake", "--build", folder, "--target", "mimalloc")
    name = "libmimalloc.so" if build == "release" else "libmimalloc-secure.so"
    return (folder / name).resolve()


@pytest.fixture(scope="module")
def libraries():
    return {build: _library(build) for build in VARIABLES}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    found = {}
    for name in ("pair_cost", "pair_cost_of_size"):
        found[name] = folder / name
        source = Path(__file__).with_name(f"{name}.c")
        # Position independent, as Debian builds its programs; no builtins, or the pairs vanish.
        _run("cc", "-O2", "-fno-builtin", "-fPIE", "-pie", source, "-o", found[name])
    return found


def _instructions(library, command):
    log = Path(command[0]).with_suffix(".log")
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                f"--log-file={log}"]
    env = {"PATH": os.environ["PATH"], "LD_PRELOAD": str(library)}
    done = subprocess.run([*valgrind, *map(str, command)], env=env, capture_output=True, text=True,
                          timeout=900)
    text = log.read_text()
    assert done.returncode == 0 and not done.stderr, f"{done.stderr}\n{text}"
    return int(re.search(r"Collected : (\d+)", text).group(1))


def _for_a_pair(library, program, *arguments):
    counts = [_instructions(library, [program, n, *arguments]) for n in (SHORT, LONG)]
    return (counts[1] - counts[0]) / (LONG - SHORT)


def _tell(capsys, what, counts):
    base = counts["release"]
    told = ", ".join(f"{build} {n:.1f} ({n / base:.2f})" for build, n in counts.items())
    with capsys.disabled():
        print(f"\ninstructions for free + malloc, {what}: {told}")
    return {build: n / base for build, n in counts.items()}


def test_pairs_of_16_to_256_bytes(libraries, programs, capsys):
    counts = {build: _for_a_pair(path, programs["pair_cost"]) for build, path in libraries.items()}
    assert _tell(capsys, "16 to 256 bytes", counts)["secure"] <= SECURE_LIMIT


def test_pairs_of_64_bytes(libraries, programs, capsys):
    counts = {build: _for_a_pair(path, programs["pair_cost_of_size"], 64)
              for build, path in libraries.items()}
    assert _tell(capsys, "64 bytes", counts)["hardened"] <= HARDENED_LIMIT
