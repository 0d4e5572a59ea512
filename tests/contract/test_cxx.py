"""The allocators for C++ containers, in every language mode, and the operators of
mimalloc-new-delete.h, on every build there is."""

import shutil

import pytest

from libraries import BUILDS, ROOT, Program

HERE = ROOT / "tests" / "contract"
MODES = [
    ("g++", "c++11"), ("g++", "c++14"), ("g++", "c++17"), ("g++", "c++20"), ("g++", "c++2b"),
    ("clang++", "c++11"), ("clang++", "c++17"), ("clang++", "c++2b"),
]  # fmt: skip


@pytest.mark.parametrize(("compiler", "mode"), MODES)
def test_containers(tmp_path, compiler, mode):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    program = Program(HERE / "containers.cpp", tmp_path, compiler, f"-std={mode}", "-Wpedantic")
    tested = [build for build, path in BUILDS.items() if path.exists()]
    if not tested:
        pytest.skip("no library")
    for build in tested:
        status, text = program.run(BUILDS[build])
        assert status == 0, f"{build}: {text}"
