"""stress-ng's own stressor for malloc, which checks what it wrote."""

import re

import pytest
from preload_harness import need, scaled


@pytest.mark.parametrize("threads", [0, 2])
def test_malloc(preload, tmp_path, threads):
    argv = [need("stress-ng", "stress-ng"), "--malloc", 2, "--malloc-ops", scaled(100_000)]
    # At most 4000 blocks of at most 64 KiB for each thread and process: 2 GiB in all.
    argv += ["--malloc-bytes", "64k", "--malloc-max", 4000, "--malloc-pthreads", threads]
    argv += ["--malloc-touch", "--verify", "--timeout", 300, "--temp-path", "."]
    name = f"stress-ng, {threads or 'no'} threads"
    runs = preload.pair(name, argv, cwd=tmp_path, timeout=150)
    for run in runs:
        assert run.status == 0, run.describe()
        told = run.text() + run.errors()
        assert "successful run completed" in told, run.describe()
        assert not re.search(r"\bfail(ed|:)", told), run.describe()
