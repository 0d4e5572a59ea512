"""The dynamic symbols of the shared library are those of exports.txt, and all that is declared.

The library is build/release/libmimalloc.so, or what MIMALLOC_LIBRARY names. After a change that is
meant: `python3 tests/golden/test_exports.py` writes the list again."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = pathlib.Path(os.environ.get("MIMALLOC_LIBRARY", ROOT / "build/release/libmimalloc.so"))
GOLDEN = pathlib.Path(__file__).with_name("exports.txt")

needs_library = pytest.mark.skipif(
    not LIBRARY.exists() or not shutil.which("nm"), reason=f"needs nm and {LIBRARY}"
)


def symbols(*flags):
    command = ["nm", "-D", *flags, str(LIBRARY)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[-2:] for line in lines]


def exported():
    return sorted(name.split("@")[0] for _, name in symbols("--defined-only"))


def declared():
    """Names of all functions that the public headers declare."""
    names = set()
    for header in (ROOT / "core/include").glob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
        for statement in re.findall(r"mi_decl_export\b[^;{]*", text):
            found = re.search(r"\b(mi_\w+)\(", re.sub(r"\bmi_(decl|attr)_\w+", "", statement))
            if found:
                names.add(found.group(1))
    return names


@needs_library
def test_exports_are_the_golden_ones():
    assert exported() == GOLDEN.read_text().split()


@needs_library
def test_everything_declared_is_defined():
    assert len(declared()) > 100
    assert declared() - set(exported()) == set()


@needs_library
def test_everything_defined_is_declared():
    ours = {name for name in exported() if name.startswith("mi_")}
    assert ours - declared() == set()


@needs_library
def test_the_cxx_runtime_is_optional():
    """Referred to weakly, so that the library loads into programs without it."""
    runtime = [(kind, name) for kind, name in symbols("--undefined-only") if "_Z" in name]
    assert {kind for kind, _ in runtime} == {"w"}


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(exported()) + "\n")
