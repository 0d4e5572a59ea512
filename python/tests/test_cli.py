"""`python -m mimalloc`: the program runs as if it had been started plainly, on the library."""

import json
import os
import pathlib
import subprocess
import sys
import textwrap

import environments
import pytest

STATUS = "import mimalloc; s = mimalloc.status(); print(*s.domains); print(s.library)"


@pytest.fixture(scope="module")
def python():
    return environments.environment()


def run(python, *arguments, cwd=None, status=0, **environment):
    done = subprocess.run(
        [python, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=600,
        env=environments.clean_environment(**environment),
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def cli(python, *arguments, **more):
    return run(python, "-m", "mimalloc", *arguments, **more)


# ---- what is active ----


@pytest.mark.parametrize(
    "options, domains, library",
    [
        ([], "raw", "libmimalloc.so"),
        (["--small=pymalloc"], "raw", "libmimalloc.so"),
        (["--small", "mimalloc"], "raw mem obj", "libmimalloc.so"),
        (["--small=mimalloc", "--secure"], "raw mem obj", "libmimalloc-secure.so"),
    ],
)
def test_domains_and_library(python, options, domains, library):
    lines = cli(python, *options, "-c", STATUS).stdout.splitlines()
    assert lines[0] == domains
    assert os.path.basename(lines[1]) == library


def test_debug_hooks_stay(python):
    code = "import mimalloc; s = mimalloc.status(); print(s.debug_hooks, *s.domains)"
    assert cli(python, "--small=mimalloc", "-c", code, PYTHONMALLOC="debug").stdout == "True raw mem obj\n"
    done = run(python, "-X", "dev", "-m", "mimalloc", "--small=mimalloc", "-c", code)
    assert done.stdout == "True raw mem obj\n"


def test_small_wins_over_the_environment(python):
    code = "import mimalloc; print(*mimalloc.status().domains)"
    assert cli(python, "--small=pymalloc", "-c", code, PYTHONMALLOC="malloc").stdout == "raw\n"
    assert cli(python, "-c", code, PYTHONMALLOC="malloc").stdout == "raw mem obj\n"


# ---- the program is started as it would be without us ----

PROGRAM = """
    import json, sys
    print(json.dumps([sys.argv, sys.path, __name__, __file__, sys.flags.optimize, sys.warnoptions,
                      __spec__ and __spec__.name, "marker" in sys._xoptions]))
"""


@pytest.mark.parametrize("options", [[], ["--stats"], ["--no-inherit"]])
def test_fidelity(python, tmp_path, options):
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    flags = ["-O", "-W", "ignore::DeprecationWarning", "-X", "marker"]
    for target in (["program.py", "-x", "--stats", "a b"], ["-m", "program", "--", "-h"]):
        plain = run(python, *flags, *target, cwd=tmp_path)
        ours = run(python, *flags, "-m", "mimalloc", *options, *target, cwd=tmp_path)
        assert json.loads(ours.stdout) == json.loads(plain.stdout)
        assert "marker" not in plain.stderr


def test_flags_in_one_word(python):
    code = "import sys; print(sys.flags.dont_write_bytecode, sys.flags.optimize)"
    assert run(python, "-BOm", "mimalloc", "-c", code).stdout == "1 1\n"


def test_status_of_the_program(python):
    assert cli(python, "-c", "import sys; sys.exit(7)", status=7)
    assert cli(python, "--stats", "-c", "raise SystemExit('no')", status=1).stderr.startswith("no\n")


def test_standard_input(python):
    done = subprocess.run(
        [python, "-m", "mimalloc", "-"],
        input=STATUS,
        capture_output=True,
        text=True,
        env=environments.clean_environment(),
    )
    assert done.stdout.startswith("raw\n")


def test_program_named_like_a_command(python, tmp_path):
    (tmp_path / "doctor").write_text("print('mine')")
    assert cli(python, "--", "doctor", cwd=tmp_path).stdout == "mine\n"


def test_preloaded_libraries_stay(python, tmp_path):
    library = run(python, "-c", "import mimalloc; print(mimalloc.library_path())").stdout.strip()
    other = run(python, "-c", "import mimalloc; print(mimalloc.library_path(secure=True))").stdout.strip()
    code = "import os; print(os.environ['LD_PRELOAD'])"
    assert cli(python, "-c", code, LD_PRELOAD=f"{other} {library}").stdout == f"{library}:{other}\n"


# ---- children ----

CHILD = """
    import os, subprocess, sys
    code = "import mimalloc; print('child', *mimalloc.status().domains)"
    print(os.environ.get("LD_PRELOAD"), os.environ.get("PYTHONMALLOC"), os.environ.get("PYTHONPATH"),
          flush=True)
    subprocess.run([sys.executable, "-c", code], check=True)
"""


def test_children_inherit(python):
    done = cli(python, "--small=mimalloc", "--stats", "-c", textwrap.dedent(CHILD))
    lines = done.stdout.splitlines()
    assert lines[0].endswith("libmimalloc.so malloc None")
    assert lines[1] == "child raw mem obj"
    assert done.stderr.count("block size") == 1  # the child prints no table


def test_no_inherit(python):
    code = textwrap.dedent(CHILD) + "import mimalloc; print('self', *mimalloc.status().domains)"
    lines = cli(python, "--small=mimalloc", "--no-inherit", "-c", code).stdout.splitlines()
    assert lines == ["None None None", "child", "self raw mem obj"]
    lines = cli(python, "--no-inherit", "-c", code, PYTHONPATH="/x", PYTHONMALLOC="debug").stdout.splitlines()
    assert lines[0] == "None debug /x"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(python, tmp_path, method):
    (tmp_path / "pool.py").write_text(
        textwrap.dedent(f"""
            import multiprocessing, mimalloc
            def work(n):
                return len(mimalloc.status().domains), sum(len(str(i)) for i in range(n))
            if __name__ == "__main__":
                with multiprocessing.get_context("{method}").Pool(2) as pool:
                    print(pool.map(work, [1000, 2000]))
        """)
    )
    done = cli(python, "--small=mimalloc", "--stats", "pool.py", cwd=tmp_path)
    assert done.stdout == "[(3, 2890), (3, 6890)]\n"
    assert done.stderr.count("mimalloc: pool.py") == 1


# ---- statistics ----


def test_stats_table(python, tmp_path):
    (tmp_path / "keep.py").write_text("keep = [bytes(3000) for _ in range(500)]\nprint(len(keep))\n")
    commands = (["stats", "--"], ["--stats"], ["stats", "--small=mimalloc"])
    for words in commands:
        done = cli(python, *words, "keep.py", cwd=tmp_path)
        assert done.stdout == "500\n"
        assert "mimalloc: keep.py (process" in done.stderr
        rows = [line.split() for line in done.stderr.splitlines() if line.startswith("  3.")]
        assert any(int(row[2]) >= 500 and row[1] == "KiB" for row in rows), done.stderr
        whose = "raw, mem, obj" if "--small=mimalloc" in words else "raw; blocks to 512 bytes"
        assert f"active for {whose}" in done.stderr


def test_stats_of_heaps(python):
    code = "import mimalloc; h = mimalloc.Heap(name='requests'); b = h.alloc(100000); print(len(b))"
    error = cli(python, "--stats", "-c", code).stderr
    assert [line for line in error.splitlines() if line.startswith("  requests ")], error


def test_stats_after_an_exception(python):
    error = cli(python, "--stats", "-c", "1 / 0", status=1).stderr
    assert error.index("ZeroDivisionError") < error.index("block size")


def test_the_hidden_sitecustomize_runs(python, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.mark = __name__\n")
    code = "import sys, sitecustomize; print(sys.mark, sitecustomize.__file__)"
    for option in ("--stats", "--no-inherit"):
        done = cli(python, option, "-c", code, PYTHONPATH=tmp_path)
        assert done.stdout == f"sitecustomize {tmp_path}/sitecustomize.py\n"


# ---- refusals ----


@pytest.mark.parametrize(
    "before, words, text",
    [
        ([], [], "which program?"),
        ([], ["-c"], "needs an argument"),
        ([], ["--nonsense", "x.py"], "unrecognized"),
        ([], ["-B", "x.py"], "in front of -m mimalloc"),
        ([], ["--small=glibc", "x.py"], "invalid choice"),
        ([], ["doctor", "x.py"], "takes no arguments"),
        ([], ["-m", "mimalloc", "-c", "1"], "runs on mimalloc already"),
        (["-I"], ["--small=mimalloc", "-c", "1"], "ignore PYTHONMALLOC"),
        (["-E"], ["--small=mimalloc", "-c", "1"], "ignore PYTHONMALLOC"),
        (["-I"], ["--stats", "-c", "1"], "--stats does not work"),
        (["-E"], ["--no-inherit", "-c", "1"], "--no-inherit does not work"),
    ],
)
def test_refused(python, before, words, text):
    done = run(python, *before, "-m", "mimalloc", *words, status=2)
    assert text in done.stderr and done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("flag", ["-I", "-E"])
def test_isolated_with_large_blocks_only(python, flag):
    assert run(python, flag, "-m", "mimalloc", "-c", STATUS).stdout.startswith("raw\n")


def test_help_and_version(python):
    assert "--no-inherit" in cli(python, "--help").stdout
    assert cli(python, "--version").stdout.startswith("mimalloc ")


# ---- the plan alone: builds and paths that are not here ----


@pytest.fixture(scope="module")
def launch(python):
    """The launcher's code, in this process."""
    code = "import mimalloc, os; print(os.path.dirname(mimalloc.__path__[0]))"
    site = run(python, "-c", code).stdout.strip()
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the extension is built for the system's interpreter")
    sys.path.insert(0, site)
    try:
        import mimalloc._launch

        return mimalloc._launch
    finally:
        sys.path.remove(site)


def make_plan(launch, small=None, stats=False, environment=None, library="/l/libmimalloc.so", **interpreter):
    fields = dict(executable="/p", options=["-B"], ignores_environment=False, no_site=False)
    fields.update(dict(dev_mode=False, free_threaded=False), **interpreter)
    wanted = launch.Wanted(small=small, stats=stats, secure=False, inherit=True)
    return launch.plan(wanted, ["x.py", "a"], launch.Interpreter(**fields), environment or {}, library)


def test_plan_free_threaded(launch):
    """PYTHONMALLOC=malloc is a fatal error at the start of such a build."""
    plan = make_plan(launch, small="mimalloc", free_threaded=True)
    assert "PYTHONMALLOC" not in plan.environment and plan.environment["LD_PRELOAD"]
    assert "free-threaded" in plan.notes[0]
    assert make_plan(launch, small="mimalloc").environment["PYTHONMALLOC"] == "malloc"


def test_plan_paths_that_cannot_be_preloaded(launch):
    for library in ("/with space/l.so", "/with:colon/l.so"):
        with pytest.raises(launch.Refused, match="space or a colon"):
            make_plan(launch, library=library)


def test_plan_no_site(launch):
    with pytest.raises(launch.Refused, match="-S"):
        make_plan(launch, stats=True, no_site=True)
    assert launch.BOOT not in make_plan(launch, no_site=True).environment


@pytest.mark.parametrize(
    "command, options",
    [
        (["py", "-m", "mimalloc", "-B"], []),
        (["py", "-Bm", "mimalloc"], ["-B"]),
        (["py", "-X", "dev", "-Xfault", "-W", "error", "-mmimalloc"], ["-X", "dev", "-Xfault", "-W", "error"]),
        (["py", "-BWerror", "-m", "mimalloc"], ["-BWerror"]),
        (["py", "--check-hash-based-pycs", "never", "-m", "mimalloc"], ["--check-hash-based-pycs", "never"]),
        (["py", "-c", "import runpy", "-m", "mimalloc"], None),
        (["py", "script.py", "-m", "mimalloc"], None),
    ],
)
def test_options_of_the_command_line(launch, command, options):
    assert launch.options_of(command) == options


def test_boot_folder_is_in_the_package():
    folder = pathlib.Path(__file__).parent.parent / "mimalloc" / "_boot"
    assert (folder / "sitecustomize.py").exists() and not (folder / "__init__.py").exists()
