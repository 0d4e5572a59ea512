#!/usr/bin/env python3
"""Runs a tier of the tests and adds up what they say.

    tools/run_tests.py check   release and debug: unit, api and death tests; golden tests; lint
    tools/run_tests.py test    all tests of release, debug and the sanitizers but the fault sweeps;
                               unit, api, death and random tests of secure and hardened,
                               golden, contract, install, integration, fallback, and those of
                               python/ and rust/ where they exist; a sample of integration with
                               secure, hardened and guarded sampling
    tools/run_tests.py soak    the stress tests at full length, release, debug, tsan and
                               tsan-secure; the fault sweeps in release and debug; all trials of
                               the death tests, and 10,000 runs of each correct program; integration with secure,
                               hardened and guarded sampling; CPython's own tests on the Python
                               package, on every CPython that is found

Each C test program, each pytest test and each Rust test counts as one. Logs and reports are kept
in build/test-logs. The last line of the output is `N passed, N failed[, N skipped]`; the exit
status is 0 when nothing failed and something passed.

MI_TEST_SCALE, in percent, sets how long stress tests take: 5 by default, 100 in soak.
"""

import argparse
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test-logs"
TAIL_LINES = 40
QUICK = ["unit", "api", "death"]


class Results:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.failures = []  # (name, last lines of the output)

    def add(self, title, seconds, passed=0, skipped=0, failures=()):
        self.passed += passed
        self.skipped += skipped
        self.failed += len(failures)
        self.failures += [(f"{title}: {name}", output) for name, output in failures]
        text = f"{passed} passed, {len(failures)} failed" + (f", {skipped} skipped" if skipped else "")
        print(f"  {title:<24} {text} ({seconds:.0f} s)", flush=True)
        for name, _ in failures:
            print(f"      FAILED {name}", flush=True)

    def report(self):
        for name, output in self.failures:
            print(f"\n---- {name}")
            print("\n".join(output.rstrip().split("\n")[-TAIL_LINES:]))
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"\n{self.passed} passed, {self.failed} failed{skipped}", flush=True)
        return 1 if self.failed or not self.passed else 0


def run(title, command, limit_minutes, **environment):
    """Runs a command with its output in a log; returns (status, output, seconds)."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / (re.sub(r"[^\w.-]+", "-", title) + ".log")
    start = time.monotonic()
    with log.open("w") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            status = process.wait(limit_minutes * 60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            status = -9
            out.write(f"\nstopped after {limit_minutes} minutes\n")
        except KeyboardInterrupt:
            os.killpg(process.pid, 15)
            raise
    return status, log.read_text(errors="replace"), time.monotonic() - start


def read_junit(path):
    """(passed, skipped, failures) of a JUnit file; ctest and pytest write the same elements."""
    passed, skipped, failures = 0, 0, []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name")
        if path.name.startswith("pytest"):
            name = f"{case.get('classname')}::{name}"
        bad = [child for child in case if child.tag in ("failure", "error")]
        if bad:
            parts = [part for child in bad for part in (child.get("message"), child.text) if part]
            text = "\n".join(parts)
            output = "\n".join(child.text or "" for child in case if child.tag == "system-out")
            failures.append((name, f"{text}\n{output}"))
        elif any(child.tag == "skipped" for child in case):
            skipped += 1
        else:
            passed += 1
    return passed, skipped, failures


# ---- kinds of steps ------------------------------------------------------------------------------


def simple(results, title, command, limit_minutes=30):
    """A command that is one test by itself."""
    status, output, seconds = run(title, command, limit_minutes)
    failures = [] if status == 0 else [(" ".join(map(str, command)), output)]
    results.add(title, seconds, passed=int(status == 0), failures=failures)
    return status == 0


def build(results, preset):
    """Configures and builds a preset; only a failure is counted."""
    steps = [
        ("configure", ["cmake", "--preset", preset, "-DMI_BUILD_TESTS=ON"]),
        ("build", ["cmake", "--build", "--preset", preset]),
    ]
    for word, command in steps:
        status, output, seconds = run(f"{preset} {word}", command, 60)
        if status != 0:
            results.add(f"{preset} {word}", seconds, failures=[(" ".join(command), output)])
            return False
    return True


def address_space_prefix(preset):
    """gcc's tsan cannot place its shadow when the kernel randomises addresses by more than 28 bits."""
    bits = pathlib.Path("/proc/sys/vm/mmap_rnd_bits")
    if not preset.startswith("tsan") or not bits.exists() or not shutil.which("setarch"):
        return []
    try:
        return ["setarch", "-R"] if int(bits.read_text()) > 28 else []
    except (OSError, ValueError):
        return []


def c_tests(results, preset, labels=(), scale="5", limit_minutes=120, without=None):
    if not build(results, preset):
        return
    title = f"{preset} " + (" ".join(labels) or "all")
    report = LOGS / f"ctest-{preset}.xml"
    LOGS.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [*address_space_prefix(preset), "ctest", "--test-dir", f"build/{preset}"]
    command += ["--output-junit", report, "--output-on-failure", "-j", os.cpu_count() or 1]
    command += ["-L", f"^({'|'.join(labels)})$"] if labels else []
    command += ["-LE", f"^{without}$"] if without else []
    status, output, seconds = run(title, command, limit_minutes, MI_TEST_SCALE=scale)
    failures, passed, skipped = [], 0, 0
    if report.exists():
        passed, skipped, failures = read_junit(report)
    if status != 0 and not failures:
        failures = [("ctest", output)]
    results.add(title, seconds, passed, skipped, failures)


def python_with_pytest():
    """This interpreter when it has pytest, else the system's, which the packages serve."""
    if importlib.util.find_spec("pytest"):
        return sys.executable
    return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


def py_tests(results, folder, limit_minutes=120, scale=None, only=None, variant="", **environment):
    """The tests below a folder; only: those whose names match; variant: a name for the title."""
    if not any((ROOT / folder).rglob("test_*.py")):
        return
    title = f"pytest {folder}" + (f" {variant}" if variant else f" {only}" if only else "")
    report = LOGS / (title.replace("/", "-").replace(" ", "-") + ".xml")
    report.unlink(missing_ok=True)
    python = python_with_pytest()
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", report, folder]
    probe = [python, "-c", "import pytest_timeout"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL).returncode == 0:
        command += ["--timeout", "3600"]  # for a test that hangs
    command += ["-k", only] if only else []
    environment |= {"MI_TEST_SCALE": scale} if scale else {}
    status, output, seconds = run(title, command, limit_minutes, **environment)
    failures, passed, skipped = [], 0, 0
    if report.exists():
        passed, skipped, failures = read_junit(report)
    if status != 0 and not failures:
        failures = [("pytest", output)]
    results.add(title, seconds, passed, skipped, failures)


# Other libraries for the integration tests: variable, value.
VARIANTS = {
    "secure": {"MI_TEST_LIB": "build/secure/libmimalloc-secure.so"},
    "hardened": {"MI_TEST_LIB": "build/hardened/libmimalloc-secure.so"},
    "guarded": {"MI_TEST_GUARDED_RATE": "1000"},  # of release
}
# Those that are short, and among them each kind of program; all of them are for soak.
SAMPLE = "contract or libc_users or dlopen or new_handlers or end_of_process or lua or perl"


def variants_of_integration(results, limit_minutes=120, scale=None, only=None):
    for variant, environment in VARIANTS.items():
        py_tests(results, "tests/integration", limit_minutes, scale, only, variant, **environment)


RUST_MINIMUM = (1, 85)  # what the dependencies of the tests ask for; Debian's is older


def rust_is_there():
    """True if cargo is there and new enough. Said aloud if not: the tests are skipped as a whole."""
    found = None
    if shutil.which("cargo"):
        told = subprocess.run(["cargo", "--version"], capture_output=True, text=True).stdout
        found = re.match(r"cargo (\d+)\.(\d+)", told)
    if found and tuple(map(int, found.groups())) >= RUST_MINIMUM:
        return True
    what = f"cargo {found[1]}.{found[2]} is too old" if found else "cargo is missing"
    wanted = ".".join(map(str, RUST_MINIMUM))
    print(f"  SKIPPED rust: {what}; {wanted} or newer is at https://rustup.rs", flush=True)
    return False


def cargo(results, title, arguments, limit_minutes=90, folder="rust", **environment):
    """One cargo command in a folder; each of its tests counts, a command without tests as one."""
    verb = 2 if arguments[0] == "miri" else 1
    command = ["cargo", *arguments[:verb], "--manifest-path", f"{folder}/Cargo.toml", *arguments[verb:]]
    status, output, seconds = run(title, command, limit_minutes, **environment)
    told = re.findall(r"^SKIPPED .*$", output, re.M)  # by tests that end well without having run
    for line in told:
        print(f"      {line}", flush=True)
    passed = len(re.findall(r"^test .* \.\.\. ok$", output, re.M)) - len(told)
    skipped = len(re.findall(r"^test .* \.\.\. ignored", output, re.M)) + len(told)
    failures = [(name, output) for name in re.findall(r"^test (.*) \.\.\. FAILED$", output, re.M)]
    if status != 0 and not failures:
        failures = [(" ".join(map(str, command)), output)]
    if arguments[0] not in ("test", "miri") or "--benches" in arguments:
        passed = int(status == 0)
    results.add(title, seconds, passed, skipped, failures)


def rust_tests(results):
    if not (ROOT / "rust" / "Cargo.toml").exists():
        return
    if not rust_is_there():
        results.add("rust", 0, skipped=1)
        return
    cargo(results, "rust", ["test", "--workspace", "--no-fail-fast"])
    for example in sorted((ROOT / "rust/mimalloc-core/examples").glob("*.rs")):
        title = f"rust example {example.stem}"
        cargo(results, title, ["run", "-q", "-p", "mimalloc-core", "--example", example.stem])
    both = ["-p", "mimalloc-core-sys", "-p", "mimalloc-core", "--no-fail-fast"]
    tests = ["--test", "calls", "--test", "symbols", "--test", "global", "--test", "heaps"]
    for features in ("secure", "debug,local-dynamic-tls", "override,unprefixed"):
        chosen = ",".join(f"mimalloc-core/{feature}" for feature in features.split(","))
        cargo(results, f"rust {features}", ["test", *both, *tests, "--features", chosen])
    # The standard library's Allocator, by the stable compiler; what it has may change in others.
    nightly = ["test", "-p", "mimalloc-core", "--features", "nightly"]
    nightly += ["--test", "allocator", "--test", "heaps", "--no-fail-fast"]
    cargo(results, "rust nightly", nightly, RUSTC_BOOTSTRAP="1")
    everything = ["--workspace", "--all-targets"]
    cargo(results, "rust clippy", ["clippy", *everything, "--", "-D", "warnings"])
    for features in ("", "std", "allocator-api2-04,serde"):
        chosen = ["-p", "mimalloc-core", "--no-default-features", "--features", features]
        cargo(results, f"rust clippy only {features}", ["clippy", *chosen, "--", "-D", "warnings"])
    cargo(results, "rust format", ["fmt", "--all", "--check"])
    # Measures nothing: each benchmark runs once.
    benches = ["--locked", "--all-targets", "--features", "heaps"]
    cargo(results, "rust bench clippy", ["clippy", *benches, "--", "-D", "warnings"], folder="rust/bench")
    cargo(results, "rust bench format", ["fmt", "--check"], folder="rust/bench")
    once = ["test", "--locked", "--benches", "--features", "heaps"]
    cargo(results, "rust bench, once each", once, folder="rust/bench")
    cargo(results, "rust doc", ["doc", "--workspace", "--no-deps"], RUSTDOCFLAGS="-D warnings")
    rust_interpreted(results)
    rust_sanitized(results)


def rust_interpreted(results):
    """The tests for programs under Miri, a component of a nightly toolchain."""
    probe = ["cargo", "+nightly", "miri", "--version"]
    try:
        there = subprocess.run(probe, capture_output=True).returncode == 0
    except OSError:
        there = False
    if not there:
        print("  SKIPPED rust miri: rustup +nightly component add miri rust-src", flush=True)
        results.add("rust miri", 0, skipped=1)
        return
    target = ROOT / "rust" / "target" / "miri"
    command = ["miri", "test", "-p", "mimalloc-core", "--test", "interpreted", "--target-dir", target]
    cargo(results, "rust miri", command, RUSTUP_TOOLCHAIN="nightly")


def rust_sanitized(results):
    """Core and crates with the address sanitizer. The runtime comes with Rust: clang's code fits it."""
    machine = os.uname().machine
    missing = "clang is missing" if not shutil.which("clang") else None
    if machine not in ("x86_64", "aarch64"):
        missing = f"not on {machine}"
    if missing:
        print(f"  SKIPPED rust address sanitizer: {missing}", flush=True)
        results.add("rust address sanitizer", 0, skipped=1)
        return
    command = ["test", "-p", "mimalloc-core", "--test", "heaps", "--test", "allocator", "--test", "global"]
    command += ["--no-fail-fast", "--target", f"{machine}-unknown-linux-gnu"]
    command += ["--target-dir", ROOT / "rust" / "target" / "asan"]
    cargo(
        results,
        "rust address sanitizer",
        command,
        CC="clang",
        CFLAGS="-fsanitize=address -fno-omit-frame-pointer",
        RUSTFLAGS="-Zsanitizer=address",
        RUSTC_BOOTSTRAP="1",
    )


# ---- tiers ---------------------------------------------------------------------------------------


def tier_check(results, scale):
    c_tests(results, "release", QUICK, scale)
    c_tests(results, "debug", QUICK, scale)
    py_tests(results, "tests/golden")
    simple(results, "lint", ["make", "--no-print-directory", "lint"])


def tier_test(results, scale):
    simple(results, "lint", ["make", "--no-print-directory", "lint"])
    for preset in ("release", "debug", "asan", "ubsan", "tsan"):
        c_tests(results, preset, scale=scale, without="fault")
    c_tests(results, "secure", [*QUICK, "random"], scale)
    c_tests(results, "hardened", [*QUICK, "random"], scale)
    for folder in ("golden", "contract", "model", "install", "integration", "fallback"):
        py_tests(results, f"tests/{folder}")
    variants_of_integration(results, only=SAMPLE)
    py_tests(results, "python")
    rust_tests(results)


def tier_soak(results, scale):
    for preset in ("release", "debug", "tsan", "tsan-secure"):
        c_tests(results, preset, ["stress"], scale, limit_minutes=12 * 60)
    for preset in ("release", "debug"):
        c_tests(results, preset, ["fault"], scale, limit_minutes=12 * 60)
    for preset in ("release", "debug", "secure", "hardened"):
        c_tests(results, preset, ["death"], scale, limit_minutes=12 * 60)
    variants_of_integration(results, limit_minutes=12 * 60)
    py_tests(results, "python", 12 * 60, scale, only="cpython_suite")


def main():
    tiers = {"check": (tier_check, "5"), "test": (tier_test, "5"), "soak": (tier_soak, "100")}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tier", choices=tiers)
    tier, scale = tiers[parser.parse_args().tier]

    results = Results()
    start = time.monotonic()
    tier(results, os.environ.get("MI_TEST_SCALE", scale))
    print(f"  in all: {(time.monotonic() - start) / 60:.1f} minutes", flush=True)
    return results.report()


if __name__ == "__main__":
    sys.exit(main())
