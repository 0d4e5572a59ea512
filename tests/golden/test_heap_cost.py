"""What one heap for each request costs: mi_heap_new, 100 small blocks, mi_heap_destroy, against the
same blocks with mi_malloc and mi_free, warm, by turns in one process."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LIBRARY = ROOT / os.environ.get("MI_TEST_LIB", "build/release/libmimalloc.so")
LIMIT = 2.0
ROUNDS, REQUESTS = 21, 5000

pytestmark = pytest.mark.timeout(900)


def test_heap_for_each_request(tmp_path, record_property, capsys):
    assert LIBRARY.exists(), f"no library at {LIBRARY}: build it first"
    program = tmp_path / "heap_cost"
    source = Path(__file__).with_name("heap_cost.c")
    command = ["cc", "-O2", f"-I{ROOT / 'core' / 'include'}", str(source), str(LIBRARY.resolve())]
    command += [f"-Wl,-rpath,{LIBRARY.resolve().parent}", "-o", str(program)]
    subprocess.run(command, check=True, timeout=300)
    done = subprocess.run(
        [str(program), str(ROUNDS), str(REQUESTS)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    plain, heap = map(float, done.stdout.split())
    told = f"100 blocks: plain {plain:.0f} ns, in a heap of their own {heap:.0f} ns, ratio {heap / plain:.2f}"
    with capsys.disabled():
        print(f"\n{told}")
    record_property("ratio", heap / plain)
    assert heap <= LIMIT * plain, f"{told}, at most {LIMIT}"
