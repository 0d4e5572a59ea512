"""Runs a program without and with the library in LD_PRELOAD and compares what can be seen.

The tests get a `Preload` object from the fixture `preload` in conftest.py. LD_PRELOAD is set for
the program under test only, by a small static launcher which also measures. A program that does
not end in time is killed with its children and fails the test with the stacks of its threads.
"""

import difflib
import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = HERE / "programs"

SCALE_DEFAULT = 5
SCALE = max(1, int(os.environ.get("MI_TEST_SCALE", SCALE_DEFAULT)))

# One in so many blocks of the preloaded programs is guarded; empty: none.
GUARDED_RATE = os.environ.get("MI_TEST_GUARDED_RATE", "")

# A program that lived shorter than this may have ended before the launcher looked at its maps.
SHORTEST_SEEN_S = 0.1


def scaled(count, most=None):
    """`count` at the default scale, in proportion at others, at least 1 and at most `most`."""
    count = max(1, count * SCALE // SCALE_DEFAULT)
    return count if most is None else min(count, most)


def patience(seconds):
    """A time limit that a busy machine keeps, longer at a larger scale; `seconds` would do for a calm
    machine."""
    return 5 * seconds * max(1, SCALE / SCALE_DEFAULT)


def need(program, package):
    """The path of a program; skips the test when it is not installed."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is missing (Debian package {package})")
    return path


@dataclass
class Run:
    """What one run of a program showed."""

    command: str
    status: int  # as subprocess has it: the exit code, or minus the number of the signal
    stdout: bytes
    stderr: bytes
    cpu_s: float
    peak_kib: int
    loaded: bool
    wall_s: float

    def text(self):
        return self.stdout.decode(errors="replace")

    def errors(self):
        return self.stderr.decode(errors="replace")

    def describe(self):
        end = f"exit status {self.status}"
        if self.status < 0:
            end = f"killed by {signal.Signals(-self.status).name}"
        return (
            f"{self.command}\n{end}, {self.wall_s:.1f} s\n"
            f"--- stdout (end)\n{self.text()[-2000:]}\n--- stderr (end)\n{self.errors()[-4000:]}"
        )


def _wait_status(raw):
    return -os.WTERMSIG(raw) if os.WIFSIGNALED(raw) else os.WEXITSTATUS(raw)


def _group_members(group):
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == group:
                    members.append(int(entry.name))
            except (ProcessLookupError, PermissionError):
                pass
    return members


def _stacks(group, launcher):
    """The stacks of a group of processes that hangs, for the report."""
    gdb = shutil.which("gdb")
    if gdb is None:
        return "(no gdb: no stacks)"
    texts = []
    for pid in [pid for pid in _group_members(group) if pid != launcher][:4]:
        command = [gdb, "-p", str(pid), "-batch", "-ex", "thread apply all bt 20"]
        try:
            shown = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
            ).stdout
        except subprocess.TimeoutExpired:
            shown = "(gdb did not answer)"
        frames = [line for line in shown.splitlines() if line.startswith(("#", "Thread "))]
        texts.append(f"process {pid}:\n" + "\n".join(frames[:200]))
    return "\n".join(texts)


def kill_group(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


@dataclass
class Row:
    """One line of the table at the end: CPU seconds and peak memory, without and with."""

    cpu_s: list = field(default_factory=lambda: [0.0, 0.0])
    peak_kib: list = field(default_factory=lambda: [0, 0])

    def add(self, run, preloaded):
        self.cpu_s[preloaded] += run.cpu_s
        self.peak_kib[preloaded] = max(self.peak_kib[preloaded], run.peak_kib)


class Preload:
    def __init__(self, library, work):
        self.work = work
        # A copy: a build that goes on meanwhile does not pull the library from under the tests.
        self.library = Path(shutil.copy(library, work))
        self.rows = {}
        self.notes = []
        self._count = 0
        self._lock = threading.Lock()
        self._built = {}
        self.launcher = self.compile("launcher.c", "-static", "-O2", folder=HERE)
        # Upstream declares this function and does not define it: only ours has the symbol.
        self.ours = b"\0mi_collect_reduce\0" in library.read_bytes()
        # The folder tells too: the hardened build has the name of the secure one.
        self.secure = "secure" in str(library) or "hardened" in str(library)

    def need_ours(self):
        if not self.ours:
            pytest.skip("a promise of this library only, and another one is being tested")

    # --- building the tests' own programs -----------------------------------------------------

    def compile(self, source, *flags, folder=PROGRAMS, output=None):
        """Compiles one of the test programs, once for each set of flags; returns its path."""
        key = (source, flags, output)
        if key not in self._built:
            compiler = "c++" if source.endswith((".cpp", ".cc")) else "cc"
            path = self.work / (output or f"{Path(source).stem}-{len(self._built)}")
            # The compiler must not take a call of malloc for something it knows all about.
            assert shutil.which(compiler), f"no {compiler}: the tests cannot be built"
            command = [compiler, "-g", "-O1", "-fno-builtin"]
            command += ["-Wall", "-Wextra", str(folder / source), *flags, "-o", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
            self._built[key] = path
        return self._built[key]

    # --- running ------------------------------------------------------------------------------

    def environment(self, home, extra=None):
        keep = ("PATH", "USER", "LOGNAME", "TERM")
        env = {name: os.environ[name] for name in keep if name in os.environ}
        env.update(LC_ALL="C.UTF-8", TZ="UTC", HOME=str(home), TMPDIR=str(home))
        env.update(extra or {})
        return env

    def _next(self):
        with self._lock:
            self._count += 1
            return self._count

    def start(self, argv, preloaded, cwd, env=None, stdin=subprocess.DEVNULL, home=None, **files):
        """Starts a program in a process group of its own; returns the Popen of the launcher."""
        report = self.work / f"report-{self._next()}"
        library = str(self.library) if preloaded else "-"
        if preloaded and GUARDED_RATE:
            env = {"MIMALLOC_GUARDED_SAMPLE_RATE": GUARDED_RATE, **(env or {})}
        child = subprocess.Popen(
            [str(self.launcher), str(report), library, *map(str, argv)],
            cwd=cwd,
            env=self.environment(home or cwd, env),
            stdin=stdin,
            start_new_session=True,
            **files,
        )
        child.report = report
        child.started = time.monotonic()
        child.shown = self.command_line(argv, preloaded, cwd, env)
        return child

    def command_line(self, argv, preloaded, cwd, env=None):
        """What to type to run the same by hand."""
        words = [f"{name}={shlex.quote(value)}" for name, value in (env or {}).items()]
        if preloaded:
            words.append(f"LD_PRELOAD={self.library}")
        return f"cd {shlex.quote(str(cwd))} && " + " ".join(
            words + [shlex.quote(str(word)) for word in argv]
        )

    def finish(self, child, stdout=b"", stderr=b""):
        """The result of a launcher that has ended."""
        fields = child.report.read_text().split()
        return Run(
            command=child.shown,
            status=_wait_status(int(fields[0])),
            stdout=stdout,
            stderr=stderr,
            cpu_s=float(fields[1]) + float(fields[2]),
            peak_kib=int(fields[3]),
            loaded=fields[4] == "1",
            wall_s=time.monotonic() - child.started,
        )

    def run(self, argv, preloaded=True, *, cwd, stdin=None, env=None, timeout=60, must_load=True):
        """Runs a program to its end; fails the test when it takes too long."""
        number = self._next()
        paths = [self.work / f"output-{number}", self.work / f"errors-{number}"]
        source = open(stdin, "rb") if stdin else subprocess.DEVNULL
        limit = patience(timeout)
        # Files, not pipes: a grandchild that outlives the program must not keep us waiting.
        with open(paths[0], "wb") as out, open(paths[1], "wb") as err:
            child = self.start(argv, preloaded, cwd, env, stdin=source, stdout=out, stderr=err)
            if stdin:
                source.close()
            try:
                child.wait(limit)
            except subprocess.TimeoutExpired:
                stacks = _stacks(child.pid, child.pid)
                kill_group(child.pid)
                child.wait()
                pytest.fail(
                    f"{child.shown}\ndid not end within {limit:.0f} s\n"
                    f"--- stdout (end)\n{paths[0].read_bytes()[-1000:].decode(errors='replace')}\n"
                    f"--- stderr (end)\n{paths[1].read_bytes()[-1000:].decode(errors='replace')}\n"
                    f"--- stacks\n{stacks}",
                    pytrace=False,
                )
            finally:
                if child.poll() is None:
                    kill_group(child.pid)
                    child.wait()
        kill_group(child.pid)
        run = self.finish(child, paths[0].read_bytes(), paths[1].read_bytes())
        for path in (*paths, child.report):
            path.unlink()
        if preloaded and must_load and run.wall_s > SHORTEST_SEEN_S:
            assert run.loaded, f"the library was never mapped:\n{run.describe()}"
        return run

    # --- comparing ----------------------------------------------------------------------------

    def record(self, name, run, preloaded):
        with self._lock:
            self.rows.setdefault(name, Row()).add(run, preloaded)

    def note(self, text):
        """A line below the table at the end."""
        self.notes.append(text)

    def pair(self, name, argv, *, cwd, together=False, **options):
        """Runs a program without and with the library, each in a folder of its own below `cwd`.

        `argv` is a list, or a function that makes one from the folder. `together` runs both at
        once: for programs that mostly wait.
        """
        folders = [Path(cwd) / "without", Path(cwd) / "with"]
        results = [None, None]

        def one(preloaded):
            folder = folders[preloaded]
            folder.mkdir(parents=True, exist_ok=True)
            words = argv(folder) if callable(argv) else argv
            try:
                results[preloaded] = self.run(words, bool(preloaded), cwd=folder, **options)
                self.record(name, results[preloaded], preloaded)
            except BaseException as error:  # handed on to the caller's thread
                results[preloaded] = error

        if together:
            threads = [threading.Thread(target=one, args=(i,)) for i in (0, 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        else:
            one(0)
            one(1)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results

    def compare(self, name, argv, *, cwd, status=0, clean=None, compare_stderr=True, **options):
        """`pair`, and both runs must look the same: exit status, output, messages.

        `status` is what the exit status must be (None: anything, as long as it is the same);
        `clean` maps a stream's bytes to what is compared.
        """
        plain, loaded = self.pair(name, argv, cwd=cwd, **options)
        if status is not None:
            assert plain.status == status, f"without the library:\n{plain.describe()}"
        assert loaded.status == plain.status, f"with the library:\n{loaded.describe()}"
        clean = clean or (lambda stream: stream)
        streams = [("stdout", plain.stdout, loaded.stdout)]
        if compare_stderr:
            streams.append(("stderr", plain.stderr, loaded.stderr))
        for what, without, with_ in streams:
            same_bytes(f"{what} of {loaded.command}", clean(without), clean(with_))
        return plain, loaded

    # --- the table ----------------------------------------------------------------------------

    def write_times(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        table = {
            name: {
                "cpu_seconds_without": round(row.cpu_s[0], 4),
                "cpu_seconds_with": round(row.cpu_s[1], 4),
                "max_rss_kib_without": row.peak_kib[0],
                "max_rss_kib_with": row.peak_kib[1],
            }
            for name, row in sorted(self.rows.items())
        }
        document = {"library": self.library.name, "scale": SCALE, "programs": table}
        path.write_text(json.dumps(document, indent=2) + "\n")

    def table(self):
        yield f"{'program':<32}{'CPU s without':>14}{'with':>9}{'ratio':>7}" + (
            f"{'peak MiB without':>18}{'with':>9}{'ratio':>7}"
        )
        for name, row in sorted(self.rows.items()):
            cpu, peak = row.cpu_s, [kib / 1024 for kib in row.peak_kib]
            yield (
                f"{name:<32}{cpu[0]:>14.2f}{cpu[1]:>9.2f}{_ratio(cpu):>7}"
                f"{peak[0]:>18.1f}{peak[1]:>9.1f}{_ratio(peak):>7}"
            )
        yield from self.notes


def _ratio(pair):
    return f"{pair[1] / pair[0]:.2f}" if pair[0] > 0.005 and pair[1] > 0 else "-"


def same_bytes(what, without, with_):
    """Two byte strings must be equal; the message shows where they part."""
    if without == with_:
        return
    lines = [text.decode(errors="replace").splitlines() for text in (without, with_)]
    difference = list(difflib.unified_diff(*lines, "without", "with", lineterm="", n=1))[:60]
    pytest.fail(f"{what} differs:\n" + "\n".join(line[:300] for line in difference), pytrace=False)


def same_files(folder, names):
    """Files of the folders that `Preload.pair` made must be equal, byte for byte."""
    for name in names:
        without, with_ = ((Path(folder) / side / name).read_bytes() for side in ("without", "with"))
        assert without, f"{name} is empty"
        assert without == with_, f"{name} differs between the run without and the run with"
