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
    argv = [cc1plus, "-quiet", "-D_GNU_SOURCE", "-O1", "-g", "-std=c++17", f"-DDEPTH={DEPTH}"]
    argv += ["-imultiarch", multiarch] if multiarch else []
    preload.compare("cc1plus", [*argv, SOURCE, "-o", "out.s"], cwd=tmp_path, timeout=120)
    same_files_but_folders(tmp_path, "out.s")


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


def same_files_but_folders(folder, name):
    """Debug information names the folder in which the compiler ran."""
    texts = []
    for side in ("without", "with"):
        own = str(folder / side).encode()
        texts.append((folder / side / name).read_bytes().replace(own, b"FOLDER"))
    assert texts[0] and texts[0] == texts[1], f"{name} differs"
