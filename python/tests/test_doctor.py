"""`python -m mimalloc doctor`: what it says about environments, good and bad."""

import subprocess
import sys

import environments
import pytest


@pytest.fixture(scope="module")
def python():
    return environments.environment()


def run(python, code, **environment):
    done = subprocess.run(
        [python, "-c", code],
        capture_output=True,
        text=True,
        timeout=600,
        env=environments.clean_environment(**environment),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def doctor(python, *flags, status=0, **environment):
    done = subprocess.run(
        [python, *flags, "-m", "mimalloc", "doctor"],
        capture_output=True,
        text=True,
        timeout=1200,
        env=environments.clean_environment(**environment),
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_plain(python):
    text = doctor(python)
    assert text.count("from CPython's own") == 3
    assert text.count("  works  ") == 5 and "FAILS" not in text and "PROBLEM" not in text
    assert "Nothing is active here" in text


def test_preloaded(python):
    library = run(python, "import mimalloc; print(mimalloc.library_path())").strip()
    text = doctor(python, LD_PRELOAD=library, MIMALLOC_PURGE_DELAY="100")
    assert f"library: {library}" in text
    assert "raw  large blocks, the runtime   from mimalloc, which replaces malloc" in text
    assert "--small=mimalloc, or PYTHONMALLOC=malloc" in text
    assert "option MIMALLOC_PURGE_DELAY=100" in text
    assert "Nothing is active" not in text


def test_installed_by_the_environment(python):
    text = doctor(python, MIMALLOC_AUTOINSTALL="all")
    assert text.count("from mimalloc, by install()") == 3


@pytest.mark.parametrize(
    "environment, problem",
    [
        ({"MIMALLOC_AUTOINSTALL": "some"}, 'MIMALLOC_AUTOINSTALL is "some"'),
        ({"MIMALLOC_AUTOINSTALL": "all", "PYTHONTRACEMALLOC": "1"}, "tracemalloc is tracing"),
        ({"LD_PRELOAD": "/nowhere/libmimalloc.so"}, "there is no /nowhere/libmimalloc.so"),
        ({"MIMALLOC_PURGE_DELAI": "1"}, "MIMALLOC_PURGE_DELAI is not an option"),
    ],
)
def test_problems(python, environment, problem):
    text = doctor(python, status=1, **environment)
    assert any("PROBLEM" in line and problem in line for line in text.splitlines()), text


def test_notes_do_not_fail(python):
    text = doctor(python, "-X", "dev")
    assert "note     CPython's debug hooks are on" in text


# ---- what cannot be had here: findings of made-up views ----


@pytest.fixture(scope="module")
def module(python):
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the extension is built for the system's interpreter")
    site = run(python, "import mimalloc, os; print(os.path.dirname(mimalloc.__path__[0]))").strip()
    sys.path.insert(0, site)
    try:
        import mimalloc._doctor

        return mimalloc._doctor
    finally:
        sys.path.remove(site)


def view(module, states=("off", "off", "off"), replaces=False, environment=None, **more):
    status = module.Status(*states, False, False, False, replaces, "/l")
    fields = dict(tracing=False, dev_mode=False, ignores_environment=False, no_site=False)
    fields.update(dict(free_threaded=False, libraries=("/l",)), **more)
    return module.View(status=status, environment=environment or {}, **fields)


def texts(module, *arguments, problem=None, **more):
    found = module.findings(view(module, *arguments, **more))
    return [each.text for each in found if problem is None or each.problem == problem]


def test_findings_of_a_plain_view(module):
    assert texts(module) == []


def test_findings_of_other_allocators(module):
    both = {"LD_PRELOAD": "/x/libjemalloc.so.2:/l/libmimalloc.so"}
    problems = texts(module, environment=both, problem=True)
    assert any("malloc is not mimalloc's" in text for text in problems)
    assert any("another allocator" in text for text in problems)


def test_findings_of_hooks(module):
    (text,) = texts(module, ("foreign", "off", "off"))
    assert "another hook" in text
    environment = {"MIMALLOC_AUTOINSTALL": "raw"}
    assert texts(module, ("foreign", "off", "off"), environment=environment, problem=True)


@pytest.mark.parametrize(
    "more, reason",
    [({"ignores_environment": True}, "-E and -I"), ({"no_site": True}, "-S"), ({}, "mimalloc.pth was not read")],
)
def test_findings_of_an_autostart_that_did_nothing(module, more, reason):
    (text,) = texts(module, environment={"MIMALLOC_AUTOINSTALL": "raw"}, problem=True, **more)
    assert reason in text


def test_findings_of_a_free_threaded_build(module):
    (text,) = texts(module, free_threaded=True)
    assert "free-threaded" in text
    assert "raw,mem,obj" not in [trial.expected for trial in module.trials(True)]


def test_findings_of_a_package_without_libraries(module):
    assert any("no library for LD_PRELOAD" in text for text in texts(module, libraries=(), problem=True))


def test_a_trial_that_fails_says_why(module, monkeypatch, python):
    monkeypatch.setattr(module.sys, "executable", python)
    assert module.run(module.Trial("t", ["-c", "raise SystemExit('broken')"], "raw")) == "broken"
    assert module.run(module.Trial("t", ["-c", "print('|/l')"], "raw")) == "active only for: nothing"
    assert module.run(module.Trial("t", ["-c", "print('raw|/l')"], "raw")) is None
