"""Programs with CPython in them: mimalloc_python.h, and interpreters that start again."""

import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import BUILD, OTHERS, call, clean_environment, main_python

SOURCE = pathlib.Path(__file__).with_name("embed.c")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
CHURN = "kept = [{'i': i, 's': 'x' * (i % 900)} for i in range(5000)]\nimport json, re, decimal\n"


def compile_embedder(environment, python, name):
    """The program, linked with the library in the package; skips without CPython's library."""
    version = call([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()
    config = pathlib.Path(os.path.realpath(python)).parent / f"python{version}-config"
    if not config.exists():
        print(f"NOT TESTED: embedding: {config} is missing (python3-dev)")
        pytest.skip(f"{config} is missing: python3-dev is not installed")
    flags = call([config, "--includes"]).split()
    libraries = call([config, "--embed", "--ldflags"]).split()
    includes = [f"-isystem{word[2:]}" for word in flags]
    library, headers = environment.library, environment.headers
    program = BUILD / name
    command = [shutil.which("cc") or "gcc", "-std=c17", "-O1", *WARNINGS, "-o", program, SOURCE]
    command += [*includes, f"-I{headers}", library, f"-Wl,-rpath,{os.path.dirname(library)}"]
    command += [*libraries, *(f"-Wl,-rpath,{w[2:]}" for w in libraries if w.startswith("-L"))]
    call(command)
    return program


def embed(program, environment, domains, code, lives=1, status=0):
    site = environment.run("import mimalloc, os; print(os.path.dirname(os.path.dirname(mimalloc.__file__)))").strip()
    done = subprocess.run(
        [program, str(domains), code, str(lives)],
        env=clean_environment(PYTHONPATH=site),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def program(main):
    main.library, main.headers = main.path("library_path()"), main.path("get_include()")
    return compile_embedder(main, main_python(), "embed-main")


@pytest.mark.parametrize("debug", [0, 8])
def test_preinit(program, main, debug):
    code = CHURN + (
        "import mimalloc; s = mimalloc.status()\n"
        "assert (s.raw, s.mem, s.obj) == ('preinit',) * 3 and s.shared and s.active, s\n"
        f"assert s.debug_hooks == {bool(debug)}\n"
        "assert mimalloc.stats()['live_blocks'] > 20_000\n"
        "try: mimalloc.install('raw')\n"
        "except RuntimeError as e: assert 'before the interpreter started' in str(e)\n"
        "else: raise AssertionError"
    )
    embed(program, main, 7 + debug, code)


def test_preinit_of_some(program, main):
    code = CHURN + (
        "import mimalloc; s = mimalloc.status()\n"
        "assert (s.raw, s.mem, s.obj) == ('preinit', 'off', 'off'), s\n"
        "mimalloc.install(('mem', 'obj')); k = [str(i) for i in range(9999)]\n"
        "assert mimalloc.status().domains == ('raw', 'mem', 'obj')"
    )
    embed(program, main, 1, code)


def test_preinit_refuses(program, main):
    assert "no such memory domain" in embed(program, main, 64, "pass", status=3)


@pytest.mark.parametrize("domains", [0, 1, 7])
def test_started_again(program, main, domains):
    """Five lives; in each the package is installed anew, or finds that it is."""
    install = (
        "import mimalloc\n"
        "if mimalloc.status().domains != ('raw', 'mem', 'obj'):\n"
        "    mimalloc.install([d for d in ('raw', 'mem', 'obj') if d not in mimalloc.status().domains])\n"
        "assert mimalloc.status().domains == ('raw', 'mem', 'obj'), mimalloc.status()\n"
    )
    embed(program, main, domains, CHURN + install + CHURN, lives=5)


@pytest.mark.parametrize("other", OTHERS, indirect=True)
@pytest.mark.parametrize("domains", [0, 7])
def test_other_versions_started_again(main, other, domains):
    other.library, other.headers = main.path("library_path()"), main.path("get_include()")
    program = compile_embedder(other, other.base, f"embed-{other.folder.name}")
    code = (
        CHURN + "import mimalloc\n"
        "if len(mimalloc.status().domains) < 3: mimalloc.install('all')\n"
        "assert mimalloc.status().domains == ('raw', 'mem', 'obj'), mimalloc.status()\n" + CHURN
    )
    embed(program, other, domains, code, lives=4)
