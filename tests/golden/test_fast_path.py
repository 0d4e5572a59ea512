"""How many instructions malloc, free and mi_heap_malloc execute when nothing has to be fetched or given back.

fast_path.json has the numbers, with the reason for them; a change of the fast path that makes one
larger fails here, and one that makes it smaller asks for a new number. Counted by single steps in
a preloaded program, from the entry of the function to its return, whatever the source looks like.
"""

import collections
import json
import os
import platform
import subprocess
import warnings
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent.parent / os.environ.get("MI_TEST_LIB", "build/release/libmimalloc.so")
GOLDEN = json.loads((HERE / "fast_path.json").read_text())
# What the architecture allows; the golden numbers may not exceed it.
BUDGET = {"malloc": 13, "free": 17, "heap_malloc": 13 + 8}
BUDGET_WITH_PREFETCH = {"malloc": 14, "free": 17, "heap_malloc": 14 + 8}

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(platform.machine() not in GOLDEN, reason="no numbers for this processor"),
]


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """For each function, for each size, how often which number of instructions was seen."""
    program = tmp_path_factory.mktemp("fast") / "fast_path"
    source = HERE / "fast_path.c"
    command = ["cc", "-O2", "-fno-builtin", "-Wall", "-Wextra", str(source), "-o", str(program)]
    subprocess.run(command, check=True, timeout=300)
    assert LIBRARY.exists(), f"no library at {LIBRARY}: build it first"
    command = [str(program), "count", str(LIBRARY.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    table = {"malloc": {}, "free": {}, "heap_malloc": {}}
    for name, size, number in map(str.split, done.stdout.splitlines()):
        table[name].setdefault(int(size), collections.Counter())[int(number)] += 1
    return table


@pytest.mark.parametrize("name", ["malloc", "free", "heap_malloc"])
def test_hit_path(counts, name, capsys):
    golden = GOLDEN[platform.machine()][name]
    usual = {size: seen.most_common(1)[0] for size, seen in counts[name].items()}
    worst = max(number for number, _ in usual.values())
    with capsys.disabled():
        print(f"\n{name}: {worst} instructions, golden {golden}")
    for size, (number, times) in usual.items():
        seen = counts[name][size]
        assert times > sum(seen.values()) / 2, f"{name} of {size} bytes has no usual path: {seen}"
    assert worst <= golden, f"{name}: (size: instructions, how often) {usual}"
    if worst < golden:
        warnings.warn(f"{name} needs {worst} instructions only: lower the number in fast_path.json")


def test_golden_numbers_are_within_the_budget():
    golden = GOLDEN[platform.machine()]
    assert golden["reason"].strip()
    budget = BUDGET_WITH_PREFETCH if golden["prefetch"] else BUDGET
    assert {name: golden[name] for name in budget if golden[name] > budget[name]} == {}
