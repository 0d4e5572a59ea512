"""The package under test is built from the checkout and installed into virtual environments below
build/python, which are kept: a second run builds what has changed only.

Most tests are programs that run in the environment of the system's Python (`run`); those that are
about other interpreters use `interpreters`. Set MIMALLOC_TEST_PYTHON to use another one."""

import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "python"
OTHERS = ("3.10", "3.12", "3.13", "3.14")


def main_python():
    """Debian's, which the package is for first of all; else the one that runs the tests."""
    chosen = os.environ.get("MIMALLOC_TEST_PYTHON", "/usr/bin/python3")
    return chosen if os.path.exists(chosen) else sys.executable


def clean_environment(**more):
    """What decides about allocators is set by tests alone."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MIMALLOC_", "PYTHON")) and name not in ("LD_PRELOAD", "CFLAGS")
    }
    return {**env, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}


def call(command, limit=1800, env=None, cwd=None):
    """Runs a command; its output when it fails is that of the test."""
    done = subprocess.run(
        [str(word) for word in command],
        env=clean_environment() if env is None else env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=limit,
    )
    assert done.returncode == 0, f"{command}: status {done.returncode}\n{done.stdout}"
    return done.stdout


class Environment:
    """A virtual environment, made when it is missing."""

    def __init__(self, python, name):
        self.folder = BUILD / name
        self.python = self.folder / "bin" / "python"
        if not self.python.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            BUILD.mkdir(parents=True, exist_ok=True)
            call([python, "-m", "venv", self.folder])

    def need(self, *packages):
        """Packages of PyPI. Skips, saying so, where it cannot be reached."""
        probe = "import sys\nfrom importlib import metadata\n[metadata.version(n) for n in sys.argv[1:]]"
        have = [self.python, "-c", probe, *packages]
        if subprocess.run(have, capture_output=True, env=clean_environment()).returncode == 0:
            return
        command = [self.python, "-m", "pip", "install", "-q", *packages]
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
        if done.returncode != 0:
            print(f"NOT TESTED: pip cannot install {packages}: {done.stderr}", file=sys.stderr)
            pytest.skip(f"pip cannot install {' '.join(packages)}")

    def install(self, source, build_folder, preload=True):
        """The package from a folder, without the network and with all warnings as errors."""
        self.need("scikit-build-core")
        settings = {
            "build-dir": build_folder,
            "cmake.define.MIMALLOC_PYTHON_WERROR": "ON",
            "cmake.define.MIMALLOC_PYTHON_PRELOAD": "ON" if preload else "OFF",
        }
        command = [self.python, "-m", "pip", "install", "--no-index", "--no-build-isolation"]
        command += ["--no-deps", "--force-reinstall"]
        command += [f"--config-settings={name}={value}" for name, value in settings.items()]
        return call([*command, source])

    def run(self, code, *arguments, options=(), limit=600, status=0, **env):
        """Output of a program, which must end with the status and without a word on stderr
        (unless it is meant to fail)."""
        command = [str(self.python), *options, "-c", textwrap.dedent(code), *map(str, arguments)]
        done = subprocess.run(
            command,
            env=clean_environment(**env),
            cwd=BUILD,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
        )
        told = f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == status, told
        assert status != 0 or done.stderr == "", told
        return done.stdout if status == 0 else done.stderr

    def path(self, what):
        """mimalloc.<what>, a call that gives a path."""
        return self.run(f"import mimalloc; print(mimalloc.{what})").strip()


@pytest.fixture(scope="session")
def main():
    """The environment of the main interpreter, with the package."""
    environment = Environment(main_python(), "main")
    environment.install(ROOT / "python", BUILD / "main-build")
    return environment


@pytest.fixture(scope="session")
def run(main):
    return main.run


def find_interpreter(version):
    """A CPython of this version with headers: on the PATH or of pyenv; None."""
    names = [shutil.which(f"python{version}")]
    versions = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"
    names += sorted(versions.glob(f"{version}.*/bin/python{version}"), reverse=True)
    code = "import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path('include') + "
    code += f"'/Python.h') or '%d.%d' % sys.version_info[:2] != '{version}')"
    for name in filter(None, names):
        probe = [str(name), "-c", code]
        if subprocess.run(probe, capture_output=True, env=clean_environment()).returncode == 0:
            return str(name)
    return None


@pytest.fixture(scope="session", params=["newest", "oldest"])
def run_numpy(request, main):
    """With the newest NumPy that there is for the main interpreter, and with the first that handlers
    work with, which is for 3.10."""
    if request.param == "newest":
        main.need("numpy")
        return main.run
    python = find_interpreter("3.10")
    if python is None:
        print("NOT TESTED: NumPy 1.22: CPython 3.10 was not found", file=sys.stderr)
        pytest.skip("CPython 3.10, for NumPy 1.22, was not found: not tested")
    environment = Environment(python, "cpython-3.10")
    environment.install(ROOT / "python", BUILD / "cpython-3.10-build", preload=False)
    environment.need("numpy==1.22.4")
    return environment.run


@pytest.fixture(scope="session")
def other(request):
    """An environment of another version of CPython, with the package. Absent ones are told."""
    version = request.param
    if call([main_python(), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip() == version:
        pytest.skip(f"CPython {version} is the main interpreter")
    python = find_interpreter(version)
    if python is None:
        print(f"NOT TESTED: CPython {version} was not found", file=sys.stderr)
        pytest.skip(f"CPython {version} was not found: not tested")
    environment = Environment(python, f"cpython-{version}")
    environment.install(ROOT / "python", BUILD / f"cpython-{version}-build", preload=False)
    environment.base = python
    return environment
