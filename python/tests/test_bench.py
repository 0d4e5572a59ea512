"""The runner of python/bench, at sizes that take no time."""

import importlib.util
import json
import shutil
import subprocess
import sys

import environments
import pytest

FOLDER = environments.ROOT / "python" / "bench"


def load(name):
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location(f"bench_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(FOLDER))


def run(*arguments, status=0):
    done = subprocess.run(
        [sys.executable, FOLDER / "run.py", "--python", environments.environment(), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environments.clean_environment(),
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_every_workload_in_every_configuration(tmp_path):
    """Each computes the same with each allocator, or the runner stops."""
    report = tmp_path / "report.json"
    text = run("--no-instructions", "--reps", 1, "--size", 20, "--json", report)
    data = json.loads(report.read_text())
    names = list(load("workloads").WORKLOADS)
    assert len(names) == 13 and list(data["runs"]) == names
    for name in names:
        for configuration, (only,) in data["runs"][name].items():
            assert only["peak_kib"] > 4096 and only["user"] >= 0, (name, configuration)
    configurations = ["pymalloc", "preload raw", "preload full", "install raw", "install all"]
    assert list(data["runs"]["json"]) == configurations
    assert text.count("geometric mean") == 2 + sum("mean" in row["demand"] for row in data["demands"])


def test_instructions(tmp_path):
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is missing")
    report = tmp_path / "report.json"
    only = ["--only", "nbody", "--configurations", "install all", "--no-times", "--jobs", 2, "--json", report]
    run(*only)
    (row,) = json.loads(report.read_text())["tables"]["instructions"].values()
    # floats only: hardly anything is allocated, so that nothing can differ by much
    assert 0.97 < row["install all"] / row["pymalloc"] < 1.03, row


def test_judging():
    bench = load("run")
    table = {
        "list_grow": {"pymalloc": 100, "preload raw": 104, "preload full": 90},
        "json": {"pymalloc": 100, "preload raw": 96, "preload full": 90},
    }
    verdicts = {(sentence, met) for sentence, _, _, met in bench.judge({"instructions": table})}
    assert verdicts == {
        ("preload raw: instructions, geometric mean", True),
        ("preload raw: instructions, worst, list_grow", True),
        ("preload full: instructions, geometric mean", True),
    }
    table["json"]["preload raw"] = 110
    verdicts = {sentence: met for sentence, _, _, met in bench.judge({"instructions": table})}
    assert not verdicts["preload raw: instructions, geometric mean"]
    assert not verdicts["preload raw: instructions, worst, json"]
    user = {sentence: met for sentence, _, _, met in bench.judge({"user": table})}
    assert user["preload raw: user time, median, list_grow"]


def test_a_missing_package_is_said():
    done = subprocess.run(
        [sys.executable, FOLDER / "run.py", "--python", environments.SYSTEM]
        + ["--library", environments.environment(), "--configurations", "install all"],
        capture_output=True,
        text=True,
        cwd="/",
        env=environments.clean_environment(),
    )
    assert done.returncode == 1 and "has no package mimalloc" in done.stderr
