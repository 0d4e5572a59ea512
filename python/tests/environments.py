"""Virtual environments with the package in them, made by CMake alone: no network, and only what has
changed is built again. Kept in build/python-tests/.

    interpreters()      {"3.11": path, ...}: each CPython that is found; where another one has the
                        version of the system's already, by its whole version: "3.11.7"
    environment(path)   the interpreter of an environment with the package, for that CPython
"""

import fcntl
import functools
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build" / "python-tests"
SYSTEM = "/usr/bin/python3"
WANTED = ("3.10", "3.11", "3.12", "3.13")
#: variables that would change what a child does
OURS = ("LD_PRELOAD", "PYTHONMALLOC", "PYTHONPATH", "PYTHONTRACEMALLOC", "PYTHONDEVMODE", "PYTHONHOME")


def clean_environment(**more):
    """That of this process without what concerns allocators and Python."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in OURS and "MIMALLOC" not in key.upper() and not key.startswith("PYENV")
    }
    return {**kept, **{key: str(value) for key, value in more.items()}}


def _ask(python, code):
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, env=clean_environment())
    return done.stdout.strip() if done.returncode == 0 else None


def interpreters():
    """{version: path}; the system's comes before others of its version, which have parts of the
    test suite that distributions leave out."""
    found = {}
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"
    candidates = [SYSTEM, *sorted(map(str, pyenv.glob("3.*/bin/python3")))]
    candidates += filter(None, (shutil.which(f"python{version}") for version in WANTED))
    code = "import sys; print('%d.%d %d.%d.%d' % (*sys.version_info[:2], *sys.version_info[:3]), "
    code += "sys.implementation.name)"
    seen = set()
    for path in candidates:
        words = (_ask(path, code) or "").split() if os.path.exists(path) else []
        if len(words) != 3 or words[0] not in WANTED or words[2] != "cpython" or words[1] in seen:
            continue
        seen.add(words[1])
        found[words[0] if words[0] not in found else words[1]] = path
    return found


def _run(*command):
    words = [str(word) for word in command]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_environment()
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}\n{done.stdout}")


@functools.lru_cache(maxsize=None)
def environment(python=SYSTEM):
    """The interpreter (a path) of a virtual environment that has the package as it is now."""
    code = "import sys, sysconfig; print('%s-%d.%d.%d' % (sysconfig.get_config_var('SOABI'), *sys.version_info[:3]))"
    version = _ask(python, code)
    folder = FOLDER / version
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        inside = folder / "venv" / "bin" / "python"
        # what else is there for the interpreter of a developer may change what it does
        more = ["--system-site-packages"] if python == SYSTEM else []
        if not inside.exists():
            _run(python, "-m", "venv", "--without-pip", *more, folder / "venv")
        site = _ask(inside, "import sysconfig; print(sysconfig.get_path('platlib'))")
        build = folder / "cmake"
        _run(
            "cmake", "-S", ROOT / "python", "-B", build, f"-DPython_EXECUTABLE={python}",
            "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_INSTALL_PREFIX={site}",
        )  # fmt: skip
        _run("cmake", "--build", build, "-j", os.cpu_count() or 1)
        shutil.rmtree(pathlib.Path(site) / "mimalloc", ignore_errors=True)
        shutil.copytree(
            ROOT / "python" / "mimalloc",
            pathlib.Path(site) / "mimalloc",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        _run("cmake", "--install", build)
    return str(inside)
