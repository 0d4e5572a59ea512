"""What others see of a process: core files, mappings, resident memory, static TLS."""

import re
import resource
import subprocess
import time
from pathlib import Path

import pytest

from fallback_harness import need, patience

MARK = b"a mark to be found in the core file, made at run time: 4711"
USED_MIB = 100


def check_core(path, resident_kib):
    """Nothing but what is in use, and that."""
    assert path.stat().st_size < 2 * resident_kib * 1024, path.stat().st_size
    assert MARK in path.read_bytes()


def test_kernel_core(fallback, cases, tmp_path):
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith(("|", "/")):
        pytest.skip(f"SKIPPED LOUDLY: cores go elsewhere here: {pattern}")
    done = fallback.run([cases, "core", f"{USED_MIB}a"], cwd=tmp_path,
                        limits={resource.RLIMIT_CORE: 4 << 30})
    assert done.status == -6, done.describe()
    cores = list(tmp_path.iterdir())
    assert len(cores) == 1, cores
    check_core(cores[0], int(re.search(r"ready (\d+)", done.out)[1]))
    cores[0].unlink()


def test_gcore(fallback, cases, tmp_path):
    gcore = need("gcore", "gdb")
    process = subprocess.Popen(["env", f"LD_PRELOAD={fallback.library}", cases, "core", str(USED_MIB)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        resident = int(re.search(r"ready (\d+)", process.stdout.readline())[1])
        start = time.monotonic()
        done = subprocess.run([gcore, "-o", tmp_path / "core", str(process.pid)],
                              capture_output=True, text=True, timeout=patience(60))
        seconds = time.monotonic() - start
        core = tmp_path / f"core.{process.pid}"
        assert core.exists(), done.stdout + done.stderr
        print(f"gcore: {seconds:.1f} s, {core.stat().st_size >> 20} MiB of {resident >> 10}")
        check_core(core, resident)
        core.unlink()
        assert seconds < patience(5)
        process.communicate(timeout=patience(30))
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("huge", ["1", "0"])
def test_mappings_after_moves(fallback, cases, huge):
    """1000 times moved and freed, one at a time: as many mappings as before."""
    done = fallback.run([cases, "moves", "1,1000"], env={"MIMALLOC_ALLOW_THP": huge})
    before, most, after = map(int, re.findall(r"(\d+)", done.ok()))
    assert after <= before + 2, done.describe()


@pytest.mark.parametrize("huge", ["1", "0"])
def test_mappings_of_moved_blocks(fallback, cases, huge):
    """1000 at a time, each in a segment of its own: what moving took comes back."""
    done = fallback.run([cases, "moves", "1000,2"], env={"MIMALLOC_ALLOW_THP": huge})
    before, most, after = map(int, re.findall(r"(\d+)", done.ok()))
    assert after <= before + 20, done.describe()
    assert most >= before + 500, f"no block was moved by page tables\n{done.describe()}"


def test_advice_survives_moves(fallback, cases):
    fallback.run([cases, "advice"], env={"MIMALLOC_ALLOW_THP": "0"}).ok()


def test_mapping_limit_is_respected(fallback, cases):
    """More blocks than may be moved; others need mappings too."""
    allowed = int(Path("/proc/sys/vm/max_map_count").read_text())
    done = fallback.run([cases, "moves", "6000,1"])
    before, most, after = map(int, re.findall(r"(\d+)", done.ok()))
    assert most < allowed / 2, done.describe()
    assert after <= before + 20, done.describe()


# ---- static TLS ----


def test_static_tls_is_16_bytes(fallback):
    table = subprocess.run([need("readelf", "binutils"), "-lW", fallback.library],
                           capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in table.splitlines() if line.split()[:1] == ["TLS"]]
    allowed = 32 if "debug" in fallback.library.name else 16
    assert len(rows) == 1 and int(rows[0][5], 16) <= allowed, rows


def test_one_constructor(fallback):
    """The compiler's and ours: libgcc's, which asks the processor for its features, takes 50 us in a
    virtual machine, a tenth of what a short process takes."""
    table = subprocess.run([need("readelf", "binutils"), "-SW", fallback.library],
                           capture_output=True, text=True, check=True).stdout
    size = re.search(r"\.init_array\s+INIT_ARRAY\s+\S+\s+\S+\s+(\S+)", table).group(1)
    assert int(size, 16) <= 2 * 8, table


def test_loaded_late(fallback):
    """After 100 libraries with as much static TLS: there is room for 107."""
    late = fallback.compile("late.c")
    library = fallback.compile("tls.c", "-shared", "-fPIC")
    copies = []
    for i in range(100):
        copies.append(fallback.work / f"tls-{i}.so")
        copies[-1].write_bytes(library.read_bytes())
    fallback.run([late, fallback.library, *copies], preload=False).ok()
