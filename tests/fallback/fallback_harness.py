"""Compiles helper programs, runs them with the library preloaded, and changes settings of the machine
for a moment. The tests get a `Harness` from the fixture `fallback` in conftest.py."""

import contextlib
import fcntl
import os
import pwd
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = HERE / "programs"
SCALE = max(1, int(os.environ.get("MI_TEST_SCALE", 5)))

MIB = 1 << 20
SETTINGS_LOCK = Path(tempfile.gettempdir()) / "mimalloc-test-machine-settings.lock"


def patience(seconds):
    """A time limit that a busy machine keeps; `seconds` would do for a calm one."""
    return 5 * seconds * max(1, SCALE / 5)


def need(program, package):
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is missing (Debian package {package})")
    return path


def need_root():
    if os.geteuid() != 0:
        pytest.skip("only root may do this")


@dataclass
class Run:
    command: str
    status: int
    out: str
    err: str
    seconds: float
    cpu_seconds: float

    def describe(self):
        end = f"status {self.status}"
        if self.status < 0:
            end = f"killed by {signal.Signals(-self.status).name}"
        return f"{self.command}\n{end}, {self.seconds:.1f} s\n{self.out[-3000:]}\n{self.err[-3000:]}"

    def ok(self):
        """Its last line, which says that all was well."""
        assert self.status == 0, self.describe()
        last = self.out.strip().rsplit("\n", 1)[-1]
        assert last.startswith("ok"), self.describe()
        return last


class Harness:
    def __init__(self, library):
        # not in pytest's folder: other users must be able to read it
        self.work = Path(tempfile.mkdtemp(prefix="mimalloc-fallback-"))
        self.work.chmod(0o755)
        self.library = Path(shutil.copy(library, self.work / library.name))
        self.library.chmod(0o755)
        self._built = {}

    def close(self):
        shutil.rmtree(self.work, ignore_errors=True)

    def compile(self, source, *flags, compiler="gcc", name=None, before=()):
        key = (source, flags, compiler, tuple(before))
        if key not in self._built:
            out = self.work / (name or f"{Path(source).stem}-{len(self._built)}")
            path = source if os.path.isabs(source) else PROGRAMS / source
            command = [need(compiler, compiler), "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror"]
            command += ["-fno-builtin", *before, path, "-o", out, "-pthread", *flags]
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
            assert done.returncode == 0, f"{command}\n{done.stderr}"
            self._built[key] = out
        return self._built[key]

    def cmake(self, name, *options, target):
        """The library of this tree, built in another way; returns the folder."""
        folder = self.work / name
        for command in (
            ["cmake", "-S", ROOT, "-B", folder, "-DCMAKE_BUILD_TYPE=Release",
             "-DMI_BUILD_TESTS=OFF", *options],
            ["cmake", "--build", folder, "-j", "2", "--target", target],
        ):
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
            assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return folder

    def run(self, command, preload=True, limits=None, env=None, timeout=60, user=None, join=None,
            stdin="", cwd=None):
        """limits: {resource.RLIMIT_X: bytes}; join: file of a cgroup that takes process numbers."""
        command = [str(word) for word in command]
        environment = {k: v for k, v in os.environ.items()
                       if not k.upper().startswith("MIMALLOC_") and k != "LD_PRELOAD"}
        environment.update(env or {})
        if preload:
            command = ["/usr/bin/env", f"LD_PRELOAD={self.library}", *command]
        identity = pwd.getpwnam(user) if user else None

        def prepare():
            if join:
                Path(join).write_text(str(os.getpid()))
            for what, value in (limits or {}).items():
                resource.setrlimit(what, (value, resource.RLIM_INFINITY)
                                   if what == resource.RLIMIT_CORE else (value, value))
            if identity:
                os.setgroups([])
                os.setgid(identity.pw_gid)
                os.setuid(identity.pw_uid)

        def children_cpu():
            use = resource.getrusage(resource.RUSAGE_CHILDREN)
            return use.ru_utime + use.ru_stime

        start, cpu = time.monotonic(), children_cpu()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err,
                                       env=environment, preexec_fn=prepare, cwd=cwd or self.work,
                                       start_new_session=True)
            try:
                process.communicate(stdin.encode(), patience(timeout))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                pytest.fail(f"no end after {patience(timeout):.0f} s: {command}")
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            out.seek(0)
            err.seek(0)
            return Run(" ".join(command), process.returncode,
                       out.read().decode(errors="replace"), err.read().decode(errors="replace"),
                       time.monotonic() - start, children_cpu() - cpu)


# ---- settings of the machine ---------------------------------------------------------------------


@contextlib.contextmanager
def machine_lock():
    """One test of one run at a time changes settings of the machine."""
    with SETTINGS_LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def plugin_with_archive(fallback, source):
    """A shared library of `source` that has the archive beside the library under test inside."""
    tested = ROOT / os.environ.get("MI_TEST_LIB", "build/release/libmimalloc.so")
    archives = sorted(tested.parent.glob("libmimalloc*.a"))
    if not archives:
        pytest.skip("no archive beside the library")
    return fallback.compile(source, "-DPLUGIN", "-shared", "-fPIC", f"-I{ROOT}/core/include",
                            str(archives[0]), "-Wl,--exclude-libs,ALL",
                            "-Wl,-Bsymbolic")  # fmt: skip


@contextlib.contextmanager
def machine_setting(path, value, restore=None):
    """Writes a value; `restore`, a list of (path, value), is written afterwards, whatever happens: by
    a process of its own that waits for the end of this one."""
    need_root()
    before = Path(path).read_text().strip()
    if "[" in before:
        before = before.split("[")[1].split("]")[0]
    restore = restore or [(path, before)]
    words = [str(word) for pair in restore for word in pair]
    script = 'trap "" INT TERM HUP; cat >/dev/null; while [ $# -gt 1 ]; do echo "$2" >"$1"; shift 2; done'
    guard = subprocess.Popen(["sh", "-c", script, "guard", *words], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        time.sleep(0.05)
        assert guard.poll() is None, "no guard: nothing is changed"
        try:
            Path(path).write_text(f"{value}\n")
        except OSError as error:
            pytest.skip(f"SKIPPED LOUDLY: {path} may not be written here: {error}")
        yield
    finally:
        if guard.poll() is not None:  # somebody ended it
            for where, old in restore:
                Path(where).write_text(f"{old}\n")
        guard.stdin.close()
        guard.wait(30)
    for where, old in restore:
        now = Path(where).read_text().strip()
        assert f"[{old}]" in now or now == str(old), f"{where} is {now}, was {old}"
