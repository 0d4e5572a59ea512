"""CPython's own tests with the library under the interpreter: installed for all domains, for "raw",
and preloaded with PYTHONMALLOC=malloc. Those that fail are exactly the ones in
expected_failures.txt. What fails unexpectedly is run once more, and without the library: a test that
then passes depends on time, one that fails without us too depends on the machine.

Short by default: the system's interpreter and a few modules. With MI_TEST_SCALE=100 (make soak) every
CPython that is found and all modules."""

import fnmatch
import os
import textwrap

import environments
import pytest
import suite

FULL = int(os.environ.get("MI_TEST_SCALE", "5")) >= 100
EXPECTED = environments.ROOT / "python" / "tests" / "expected_failures.txt"


def rows(text):
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            versions, modes, module, test, reason = (part.strip() for part in line.split("|"))
            yield versions.split(), [mode.strip() for mode in modes.split(",")], module, test, reason


def expected(version, mode, module):
    """Names of tests, perhaps with *, that have to fail."""
    return {
        test
        for versions, modes, name, test, _ in rows(EXPECTED.read_text())
        if ".".join(version.split(".")[:2]) in versions and mode in modes and name == module
    }


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def compare(failed, patterns):
    """(failed and not expected, expected and not failed)"""
    surprises = {name for name in failed if not matches(name, patterns)}
    return surprises, {pattern for pattern in patterns if not fnmatch.filter(failed, pattern)}


def confirmed(python, mode, module, surprises):
    """Those that fail again, and only with the library."""
    one_by_one = sorted(name for name in surprises if not name.startswith("("))
    match = one_by_one if len(one_by_one) == len(surprises) else []
    again = suite.run_module(python, mode, module, match)[1] & surprises
    return again - suite.run_module(python, suite.BASE, module, match)[1] if again else again


def cases():
    found = environments.interpreters()
    for version in sorted({*environments.WANTED, *found}) if FULL else ["3.11"]:
        for mode in suite.MODES:
            for module in suite.MODULES if FULL else suite.SHORT:
                yield pytest.param(version, found.get(version), mode, module, id=f"{version}-{mode}-{module}")


@pytest.mark.parametrize("version, path, mode, module", cases())
@pytest.mark.timeout(2 * suite.LIMIT_SECONDS)
def test_module(version, path, mode, module):
    if path is None:
        pytest.skip(f"CPython {version} is not there: not tested")
    python = environments.environment(path)
    if not suite.has_module(python, module):
        pytest.skip(f"{path} comes without test.{module}: not tested")
    active = suite.domains(python, mode)
    assert active == (["raw"] if mode == "install raw" else ["raw", "mem", "obj"])
    count, failed, output = suite.run_module(python, mode, module)
    surprises, missing = compare(failed, expected(version, mode, module))
    if surprises:
        surprises = confirmed(python, mode, module, surprises)
    assert not surprises, f"failed: {' '.join(sorted(surprises))}\n{output}"
    assert not missing, f"expected to fail, and did not: {' '.join(sorted(missing))}\n{output}"
    assert count > 0, output


# ---- the tests above can fail ----


def test_outcomes_are_read(tmp_path):
    """A module of ours with every kind of outcome."""
    (tmp_path / "test_kinds.py").write_text(
        textwrap.dedent("""
            import unittest
            class Kinds(unittest.TestCase):
                def test_good(self): pass
                def test_bad(self): self.fail()
                def test_error(self): raise ValueError
                def test_parts(self):
                    for part in range(3):
                        with self.subTest(part=part): self.assertNotEqual(part, 1)
                @unittest.skip("")
                def test_skipped(self): self.fail()
        """)
    )
    (tmp_path / "test_crash.py").write_text("import os\nos.kill(os.getpid(), 11)\n")
    python = environments.environment()
    count, failed, output = suite.run_module(python, "install all", "test_kinds", folder_of_tests=tmp_path)
    assert failed == {"Kinds.test_bad", "Kinds.test_error", "Kinds.test_parts"}, output
    assert count >= 5
    count, failed, output = suite.run_module(
        python, "install all", "test_kinds", ["Kinds.test_bad"], folder_of_tests=tmp_path
    )
    assert failed == {"Kinds.test_bad"}, output
    assert suite.run_module(python, "install all", "test_crash", folder_of_tests=tmp_path)[1] == {"(crash)"}


def test_comparing():
    assert compare({"A.test_x", "B.test_y"}, {"A.*", "C.test_z"}) == ({"B.test_y"}, {"C.test_z"})
    assert compare(set(), set()) == (set(), set())


def test_expected_failures_are_well_formed():
    for versions, modes, module, _, reason in rows(EXPECTED.read_text()):
        assert set(versions) <= set(environments.WANTED) and set(modes) <= set(suite.MODES)
        assert module in suite.MODULES and len(reason) > 20
