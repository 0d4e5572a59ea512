"""Compilers: what they write is the same, byte for byte."""

import subprocess

from preload_harness import PROGRAMS, SCALE_DEFAULT, SCALE, need, same_files

SOURCE = PROGRAMS / "templates.cpp"
DEPTH = 20 if SCALE <= SCALE_DEFAULT else 60


def test_gcc_itself(preload, tmp_path):
    """The compiler proper, not its driver: one process, without garbage left to exit."""
    gxx = need("g++", "g++")
    cc1plus, multiarch = (
        subprocess.run([gxx, f"-print-{what}"], capture_output=True, text=True).stdout.strip()
        for what in ("prog-name=cc1plus", "multiarch")
    )

    def argv(folder):
        options = ["-quiet", "-D_GNU_SOURCE", "-O1", "-g", "-std=c++17", f"-DDEPTH={DEPTH}"]
        options += ["-imultiarch", multiarch] if multiarch else []
        # Debug information names the folder in which the compiler ran.
        return [cc1plus, *options, f"-fdebug-prefix-map={folder}=.", SOURCE, "-o", "out.s"]

    preload.compare("cc1plus", argv, cwd=tmp_path, timeout=120)
    same_files(tmp_path, ["out.s"])


def test_gcc(preload, tmp_path):
    gxx = need("g++", "g++")
    argv = [gxx, "-c", "-O2", "-std=c++17", f"-DDEPTH={DEPTH}", SOURCE, "-o", "out.o"]
    preload.compare("g++", argv, cwd=tmp_path, timeout=120)
    same_files(tmp_path, ["out.o"])


def test_clang(preload, tmp_path):
    clang = need("clang++", "clang")
    argv = [clang, "-c", "-O2", "-std=c++17", f"-DDEPTH={DEPTH}", SOURCE, "-o", "out.o"]
    preload.compare("clang++", argv, cwd=tmp_path, timeout=120)
    same_files(tmp_path, ["out.o"])
