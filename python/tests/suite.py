"""Runs modules of CPython's own test suite in an environment, and says what failed.

    python/tests/suite.py --python 3.12 --mode all [test_dict ...]      by hand

Every module runs in a process of its own, so that a crash costs one module and is named.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree

import environments

MODES = ("install all", "install raw", "preload full")
BASE = "none"

#: those of the design, and those that exercise threads, processes and files; test_unicode is test_str
#: from 3.13 on
MODULES = """
    test_array test_asyncio test_bytes test_capi test_collections test_dict test_fork1 test_gc test_io
    test_json test_list test_memoryview test_pickle test_re test_set test_str test_subprocess test_sys
    test_thread test_threading test_tracemalloc test_unicode test_weakref
""".split()
#: a few seconds in all
SHORT = "test_dict test_fork1 test_gc test_json test_list test_set test_weakref".split()
#: it sleeps, takes for granted that other threads have got on, and hangs when they have not
IGNORED = ("*TestCondition.test_notify*",)
LIMIT_SECONDS = 1800


def settings(python, mode):
    """The environment variables of a mode."""
    kind, _, what = mode.partition(" ")
    if kind == "install":
        return {"MIMALLOC_AUTOINSTALL": what}
    if kind == "preload":
        code = "import mimalloc; print(mimalloc.library_path())"
        environment = environments.clean_environment()
        path = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, env=environment)
        return {"LD_PRELOAD": path.stdout.strip(), "PYTHONMALLOC": "malloc"}
    return {}


def domains(python, mode):
    """What is active in the environment of a mode: no test may pass because nothing was installed."""
    done = subprocess.run(
        [python, "-c", "import mimalloc; print(*mimalloc.status().domains)"],
        check=True,
        capture_output=True,
        text=True,
        env=environments.clean_environment(**settings(python, mode)),
    )
    return done.stdout.split()


def has_module(python, module):
    """The module, and what runs it: distributions leave out some, or all."""
    code = "import importlib.util as u, sys; sys.exit(not u.find_spec('test.libregrtest') or "
    code += f"not u.find_spec('test.{module}'))"
    done = subprocess.run([python, "-c", code], env=environments.clean_environment(), capture_output=True)
    return done.returncode == 0


def _cases(report, output):
    """(number of tests, names of those that failed). The report does not have sub-tests, what
    unittest prints does."""
    count = 0
    failed = {_short(name) for name in re.findall(r"^(?:FAIL|ERROR): (\w+ \([\w.]+\))", output, re.M)}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        count += 1
        if any(child.tag in ("failure", "error") for child in case):
            failed.add(_short(case.get("name") or "?"))
    return count, failed


def _short(name):
    """`test_x (test.test_dict.DictTest.test_x)`, `test_x (test.test_dict.DictTest) (i=3)` and
    `test.test_dict.DictTest.test_x` are all `DictTest.test_x`."""
    method, _, rest = name.partition(" ")
    dotted = rest.partition(")")[0].lstrip("(").split(".") if rest.startswith("(") else method.split(".")
    method = method.rpartition(".")[2]
    if len(dotted) > 1 and dotted[-1] == method:
        dotted.pop()
    return f"{dotted[-1]}.{method}"


def run_module(python, mode, module, match=(), folder_of_tests=None):
    """(number of tests, names of failed ones, output). A crash is the failure "(crash)". match:
    only these tests; folder_of_tests: where to find the module, if it is not CPython's."""
    with tempfile.TemporaryDirectory(prefix="mimalloc-suite-") as folder:
        report = pathlib.Path(folder) / "report.xml"
        command = [python, "-m", "test", "-v", "--junit-xml", report, "--tempdir", folder]
        command += [word for pattern in IGNORED for word in ("--ignore", pattern)]
        command += [word for name in match for word in ("--match", f"*{name}")]
        command += ["--testdir", folder_of_tests] if folder_of_tests else []
        command.append(module)
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environments.clean_environment(**settings(python, mode)),
            start_new_session=True,
            # a shell starts jobs in the background with interrupts ignored; tests wait for them
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            output = process.communicate(timeout=LIMIT_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return 0, {"(not finished)"}, process.communicate()[0].decode(errors="replace")
        text = output.decode(errors="replace")
        count, failed = _cases(report, text) if report.exists() else (0, {"(crash)"})
        if process.returncode < 0:
            failed = failed | {"(crash)"}
        elif process.returncode and not failed:
            failed = {"(module)"}  # the module as a whole: an import, a leak of the environment
        return count, failed, text


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", default="3.11", help="version (default: %(default)s)")
    parser.add_argument("--mode", default="install all", choices=(BASE, *MODES))
    parser.add_argument("--output", action="store_true", help="print what failing modules printed")
    parser.add_argument("modules", nargs="*", default=MODULES)
    options = parser.parse_args()
    python = environments.environment(environments.interpreters()[options.python])
    active = " ".join(domains(python, options.mode)) or "nothing"
    print(f"{options.python}, {options.mode}: active for {active}", flush=True)
    for module in options.modules:
        if not has_module(python, module):
            print(f"  {module:<20} not there", flush=True)
            continue
        count, failed, output = run_module(python, options.mode, module)
        print(f"  {module:<20} {count:>5} tests, failed: {' '.join(sorted(failed)) or 'none'}", flush=True)
        if failed and options.output:
            print(output)


if __name__ == "__main__":
    main()
