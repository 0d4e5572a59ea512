"""What the library promises to any program it is loaded into, beyond malloc and free."""

import os
import re
import signal
import xml.etree.ElementTree

import pytest
from preload_harness import GUARDED_RATE

PURGE_DELAY = "15"  # the number of the option in the public header


def test_verbose_says_something(preload, tmp_path):
    preload.need_ours()
    silent = preload.run(["/bin/true"], cwd=tmp_path)
    assert (silent.status, silent.stderr) == (0, b""), silent.describe()
    for name in "MIMALLOC_VERBOSE", "mimalloc_verbose":
        verbose = preload.run(["/bin/true"], cwd=tmp_path, env={name: "1"})
        assert verbose.status == 0 and verbose.stdout == b"", verbose.describe()
        assert "mimalloc" in verbose.errors(), verbose.describe()


def test_override_reaches_glibc_extras(preload, tmp_path):
    preload.need_ours()
    names = "malloc_trim mallinfo mallinfo2 malloc_info malloc_stats mallopt free_sized".split()
    names += "free_aligned_sized reallocarray strdup memalign valloc pvalloc _Znwm _ZdlPv".split()
    run = preload.run([preload.compile("probe.c"), *names], cwd=tmp_path)
    owners = dict(line.split() for line in run.text().splitlines())
    foreign = [name for name in names if not same_file(owners[name], preload.library)]
    assert not foreign, run.describe()


def same_file(path, library):
    return os.path.exists(path) and os.path.samefile(path, library)


def test_too_large_is_enomem(preload, tmp_path):
    preload.need_ours()
    plain, _ = preload.compare("limits", [preload.compile("limits.c")], cwd=tmp_path)
    lines = plain.text().splitlines()
    assert lines.count("malloc: NULL, ENOMEM") == 3, plain.describe()


class TestFreeOfForeignPointer:
    """glibc aborts here, so there is nothing to compare with."""

    @pytest.fixture
    def program(self, preload):
        preload.need_ours()
        return preload.compile("free_stack.c", "-Wno-free-nonheap-object")

    def test_is_survived(self, preload, program, tmp_path):
        run = preload.run([program], cwd=tmp_path)
        if preload.secure:
            assert run.status == -signal.SIGABRT and run.stderr, run.describe()
        else:
            assert (run.status, run.text()) == (0, "still here\n"), run.describe()
            assert (run.stderr == b"") == (GUARDED_RATE == ""), run.describe()

    def test_is_reported(self, preload, program, tmp_path):
        run = preload.run([program], cwd=tmp_path, env={"MIMALLOC_SHOW_ERRORS": "1"})
        assert run.status == (-signal.SIGABRT if preload.secure else 0), run.describe()
        reports = [line for line in run.errors().splitlines() if re.search(r"0x[0-9a-fA-F]", line)]
        assert len(reports) >= (1 if preload.secure else 3), run.describe()
        assert "mimalloc" in run.errors(), run.describe()


class TestWrongOption:
    def run(self, preload, tmp_path, env):
        program = preload.compile("option_probe.c", "-pthread")
        run = preload.run([program, PURGE_DELAY], cwd=tmp_path, env=env)
        assert run.status == 0, run.describe()
        return run

    def test_warns_once_and_uses_the_default(self, preload, tmp_path):
        preload.need_ours()
        usual = self.run(preload, tmp_path, {})
        assert usual.stderr == b"" and usual.text().strip(), usual.describe()
        wrong = self.run(preload, tmp_path, {"MIMALLOC_PURGE_DELAY": "abc"})
        warnings = re.findall(r"purge_delay", wrong.errors(), re.IGNORECASE)
        assert len(warnings) == 1, wrong.describe()
        assert len(wrong.errors().splitlines()) <= 2, wrong.describe()
        assert wrong.stdout == usual.stdout, wrong.describe()

    def test_right_value_is_taken_in_silence(self, preload, tmp_path):
        preload.need_ours()
        right = self.run(preload, tmp_path, {"MIMALLOC_PURGE_DELAY": "77"})
        assert (right.text(), right.stderr) == ("77\n", b""), right.describe()


class TestGlibcExtras:
    MIB = 1 << 20

    @pytest.fixture(scope="class")
    def shown(self, preload, tmp_path_factory):
        preload.need_ours()
        folder = tmp_path_factory.mktemp("extras")
        run = preload.run([preload.compile("glibc_extras.c"), "info.xml"], cwd=folder)
        assert run.status == 0, run.describe()
        values = {name: int(value) for name, value in map(str.split, run.text().splitlines())}
        return run, values, (folder / "info.xml").read_text()

    def test_mallinfo2_follows_what_is_in_use(self, shown):
        run, values, _ = shown
        grown = values["full.uordblks"] - values["start.uordblks"]
        assert 40_000_000 <= grown < 60_000_000, run.describe()
        left = values["empty.uordblks"] - values["start.uordblks"]
        assert left < self.MIB, run.describe()
        held = values["full.arena"] + values["full.hblkhd"]
        assert held >= values["full.uordblks"], run.describe()

    def test_malloc_trim_gives_memory_back(self, shown):
        run, values, _ = shown
        assert values["trimmed.resident"] < values["full.resident"] - 30_000, run.describe()
        assert values["malloc_trim"] in (0, 1), run.describe()
        assert values["malloc_trim.again"] in (0, 1), run.describe()

    def test_malloc_info_is_xml(self, shown):
        run, values, text = shown
        assert values["malloc_info"] == 0, run.describe()
        assert values["malloc_info.bad_option"] == 1, run.describe()
        root = xml.etree.ElementTree.fromstring(text)
        assert root.tag == "malloc", text
        numbers = [int(n) for n in re.findall(r'"(\d+)"', text)]
        assert max(numbers) >= 40_000_000, f"nowhere the 40 MB in use:\n{text}"

    def test_malloc_stats_prints_on_stderr(self, shown):
        run, _, _ = shown
        assert re.search(r"\d", run.errors()), run.describe()

    def test_mallopt_answers(self, shown):
        run, values, _ = shown
        for name in ("arena_max", "mmap_threshold", "unknown"):
            assert values[f"mallopt.{name}"] in (0, 1), run.describe()
