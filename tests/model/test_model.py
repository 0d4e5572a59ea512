"""Model checks of the remote-free protocol (docs/protocols/remote_free.md).

The explorer (explorer/) runs the shipping page/remote.c, heap/drain.c, heap/pool.c, heap/theap.c and
alloc/free.c under the C11 memory model; mutate.py says which edits of them it must catch. remote_free.pml is a second opinion
in Spin, sequentially consistent and complete for its sizes.

    python3 -m pytest tests/model

MI_TEST_SCALE  how much work (default 5: about two minutes; 100: deeper searches, larger models)
MI_TEST_SEED   seed of the random runs (default: by the clock; printed)
CC             compiler (default gcc)
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import mutate

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "core" / "src"
EXPLORER = Path(__file__).resolve().parent / "explorer"
MODEL = Path(__file__).resolve().parent / "remote_free.pml"
SCALE = max(1, int(os.environ.get("MI_TEST_SCALE", "5")))
SEED = int(os.environ.get("MI_TEST_SEED", time.time_ns() % 1_000_000))
CC = os.environ.get("CC", "gcc").split()

SHIPPING = [mutate.REMOTE, mutate.DRAIN, mutate.POOL, mutate.PAGE, mutate.THEAP, mutate.HEAP, mutate.FREE,
            mutate.REAP, mutate.BITS, "heap/active.c", "heap/theap_look.c", "page/guard.c", "alloc/misuse.c"]  # fmt: skip
SCENARIOS = [
    "drain", "two_freers", "reuse", "poll", "late_token", "give_up", "same_word", "exit", "adopt",
    "adopt_exit", "steal", "steal_blocked", "chain", "take_over", "late", "destroy",
    "full", "full_local", "full_retire", "full_again", "full_reuse", "full_token", "full_exit",
    "full_adopt", "full_steal", "full_take_over", "full_late_adopter", "full_late",
    "reap", "reap_local", "reap_own", "reap_again", "reap_token", "reap_exit", "reap_orphan", "reap_two",
    "reap_fast", "merge", "full_merge",
]  # fmt: skip
# Policy "bits" has these too: pages with more than one word, and one free too many.
BITS_SCENARIOS = [
    "words", "words_reap", "words_own", "next", "next_full", "next_reap", "twice_next",
    "twice", "twice_own", "twice_refill", "twice_later", "twice_after_own", "twice_then_own",
    "twice_full", "twice_gone", "twice_stray", "twice_reap",
]  # fmt: skip
# Flaws of the shipping code that are known (docs/protocols/remote_free.md, open findings).
KNOWN = {"twice_reap": "O7"}
SOUND = [s for s in SCENARIOS if s not in KNOWN]
SOUND_BITS = [s for s in SCENARIOS + BITS_SCENARIOS if s not in KNOWN]
# No reaping. Blocks are cleared by whoever frees them: by both, if there are two.
SOUND_HARDENED = [s for s in SCENARIOS if not s.startswith("reap")] + [
    "words", "twice_later", "twice_after_own", "twice_then_own", "twice_gone"]  # fmt: skip


def params(scenarios):
    return [
        pytest.param(s, marks=pytest.mark.xfail(reason=KNOWN[s], strict=True)) if s in KNOWN else s
        for s in scenarios
    ]


SCENARIO_PARAMS = params(SCENARIOS)

# The instrumentation of plain accesses is the sanitizer's, its run-time is the explorer's. Files of
# the core bring along functions that nobody here calls: the linker drops them.
FLAGS = ["-std=c17", "-O1", "-g", "-w", "-ffunction-sections", "-fno-pie", "-D_GNU_SOURCE", "-DMIC_MODEL",
         "-DMIC_MODE_DEBUG=1", "-DMIC_SLICE_SHIFT=16", f"-I{EXPLORER}", f"-I{SOURCE}"]  # fmt: skip
LIST = ["-DMIC_CFG_BITS=0"]
BITS = ["-DMIC_CFG_BITS=1"]
HARDENED = [*BITS, "-DMIC_MODE_SECURE=1", "-DMIC_MODE_HARDENED=1"]
# explorer/world.c stands in between
WRAPPED = ["mic_page_init", "mic_page_extend", "mic_bits_extend", "mic_page_unmove",
           "mic_theap_collect_page_locked", "mic_record_reap_others"]  # fmt: skip
LINK = ["-Wl,--gc-sections", *(f"-Wl,--wrap={name}" for name in WRAPPED), "-no-pie"]  # the same addresses in each run's printout
INSTRUMENTED = ["-fsanitize=thread"]


def run(command, limit_s=1800, **more):
    return subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, timeout=limit_s, **more
    )


def build(command):
    result = run(command)
    if result.returncode != 0:
        pytest.fail(f"{' '.join(str(c) for c in command)}\n{result.stderr}", pytrace=False)


class Builder:
    """Compiles everything once; a mutation replaces one object."""

    def __init__(self, work, policy):
        self.work = work
        self.policy = policy
        self.objects = {}
        self.compile("engine", EXPLORER / "engine.c", [])
        for name in ("world", "scenarios"):
            self.compile(name, EXPLORER / f"{name}.c", INSTRUMENTED)
        for file in SHIPPING:
            self.compile(file, SOURCE / file, INSTRUMENTED)
        self.program = self.link("shipping", self.objects)

    def compile(self, name, path, flags):
        output = self.work / (name.replace("/", "_") + ".o")
        build([*CC, *FLAGS, *self.policy, *flags, "-c", path, "-o", output])
        self.objects[name] = output

    def link(self, name, objects):
        output = self.work / f"explorer-{name}"
        build([*CC, *LINK, *objects.values(), "-o", output])
        return output

    def mutant(self, mutation):
        """A mutated header is found before the shipping one by each file that is compiled again."""
        folder = self.work / mutation.name
        path = folder / mutation.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(mutate.mutated(mutation, SOURCE))
        objects = dict(self.objects)
        for file in mutation.users or [mutation.file]:
            source = path if file == mutation.file else SOURCE / file
            if file == "world":
                source = EXPLORER / "world.c"
            objects[file] = folder / (file.replace("/", "_") + ".o")
            build([*CC, f"-I{folder}", *FLAGS, *self.policy, *INSTRUMENTED, "-c", source, "-o", objects[file]])
        return self.link(mutation.name, objects)


@pytest.fixture(scope="session")
def builder(tmp_path_factory):
    return Builder(tmp_path_factory.mktemp("explorer"), LIST)


@pytest.fixture(scope="session")
def bits_builder(tmp_path_factory):
    return Builder(tmp_path_factory.mktemp("explorer-bits"), BITS)


@pytest.fixture(scope="session")
def hardened_builder(tmp_path_factory):
    return Builder(tmp_path_factory.mktemp("explorer-hardened"), HARDENED)


def explore(program, *arguments):
    return run([program, *arguments], limit_s=3600)


def assert_passes(result):
    print(result.stdout[-6000:], end="")
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr


# ---- the shipping code ----


def test_the_list_of_scenarios_is_that_of_the_explorer(builder):
    assert explore(builder.program, "--list").stdout.split() == SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIO_PARAMS)
def test_shipping_code_bounded_search(builder, scenario):
    """All runs with so many preemptions and old values."""
    result = explore(builder.program, "--search", "2,1,300", scenario)
    assert_passes(result)
    assert "complete" in result.stdout
    if SCALE >= 20:
        for bounds in ("3,1,300", "2,2,300") + (("4,1,600",) if SCALE >= 100 else ()):
            assert_passes(explore(builder.program, "--search", bounds, scenario))


@pytest.mark.parametrize("scenario", SCENARIO_PARAMS)
def test_shipping_code_random_runs(builder, scenario):
    print(f"seed {SEED}")
    assert_passes(explore(builder.program, "--random", f"{SEED},{1000 * SCALE}", scenario))


# ---- policies "bits" and hardened: what differs, thoroughly, the rest by a smaller search ----


def test_the_list_of_scenarios_of_policy_bits(bits_builder):
    assert explore(bits_builder.program, "--list").stdout.split() == SCENARIOS + BITS_SCENARIOS


@pytest.mark.parametrize("scenario", params(SCENARIOS + BITS_SCENARIOS))
def test_bits_bounded_search(bits_builder, scenario):
    thorough = scenario in BITS_SCENARIOS or SCALE >= 20
    result = explore(bits_builder.program, "--search", "2,1,300" if thorough else "1,1,300", scenario)
    assert_passes(result)
    assert "complete" in result.stdout


def test_bits_random_runs(bits_builder):
    print(f"seed {SEED}")
    assert_passes(explore(bits_builder.program, "--random", f"{SEED},{200 * SCALE}", *SOUND_BITS))


def test_hardened_bounded_search(hardened_builder):
    bounds = "2,1,300" if SCALE >= 20 else "1,1,300"
    assert_passes(explore(hardened_builder.program, "--search", bounds, *SOUND_HARDENED))


# ---- what must not be changed ----


def hunt(program, scenarios):
    for arguments in (["--search", "1,1,60"], ["--search", "2,1,60"], ["--search", "2,2,60"]):
        result = explore(program, *arguments, *scenarios)
        if result.returncode != 0:
            return result
    return result


@pytest.mark.parametrize("mutation", mutate.STEPS + mutate.ORDERS, ids=lambda m: m.name)
def test_mutation_is_caught(builder, mutation):
    assert_caught(builder, mutation, mutation.shown_by or SOUND)


@pytest.mark.parametrize("mutation", mutate.BITS_MUTATIONS, ids=lambda m: m.name)
def test_bits_mutation_is_caught(bits_builder, mutation):
    assert_caught(bits_builder, mutation, mutation.shown_by)


@pytest.mark.parametrize("mutation", mutate.HARDENED_MUTATIONS, ids=lambda m: m.name)
def test_hardened_mutation_is_caught(hardened_builder, mutation):
    assert_caught(hardened_builder, mutation, mutation.shown_by)


def assert_caught(builder, mutation, scenarios):
    result = hunt(builder.mutant(mutation), scenarios)
    assert result.returncode == 1, f"survives: {mutation.row} {mutation.name}\n{result.stdout}"
    failure = re.search(r"^FAIL (.*)$", result.stdout, re.M)
    assert failure and "engine:" not in failure[1], result.stdout[-6000:]
    print(f"{mutation.row} {mutation.name}: {failure[1]}")


@pytest.mark.parametrize("mutation", mutate.EQUIVALENT, ids=lambda m: m.name)
def test_equivalent_edit_survives(builder, mutation):
    bounds = "2,1,300" if SCALE >= 20 else "1,1,300"
    assert_passes(explore(builder.mutant(mutation), "--search", bounds, *SOUND))


def test_failing_run_can_be_repeated(builder):
    mutation = next(m for m in mutate.ORDERS if m.name == "look_at_word_acquire")
    program = builder.mutant(mutation)
    first = explore(program, "--search", "1,1", *SOUND)
    scenario = re.search(r"^FAIL (\w+):", first.stdout)[1]
    choices = re.search(r"--replay (\S+)", first.stdout)[1]
    again = explore(program, "--replay", choices, scenario)
    assert again.returncode == 1
    trace = [line for line in first.stdout.splitlines() if line.startswith("  T")]
    assert trace and trace == [line for line in again.stdout.splitlines() if line.startswith("  T")]


def test_pattern_that_is_not_there_is_an_error():
    with pytest.raises(mutate.PatternError):
        mutate.mutated(mutate.Mutation("nothing", "-", mutate.REMOTE, "no such text", ""))


# ---- Spin ----

SPIN_PASSES = {
    "owner_freer": "NO=1 NF=1",
    "owner_freer_span": "NO=1 NF=1 SPAN",
    "owner_two_freers_span": "NO=1 NF=2 SPAN BLK=12",
    "two_owners_freer_poll": "NO=2 NF=1 BLK=1 POLLMARK P_AT_OWNER",
    "two_owners_freer": "NO=2 NF=1 BLK=5",
    "late": "NO=1 NF=1 LATE NO_STEAL BLK=13",
}
SPIN_PASSES_LARGE = {
    "late_large": "NO=1 NF=1 LATE NO_STEAL",
    "owner_two_freers": "NO=1 NF=2",
    "two_owners_freer_two_blocks": "NO=2 NF=1 BLK=3",
    "two_owners_freer_poll_two_blocks": "NO=2 NF=1 BLK=3 POLLMARK P_AT_OWNER",
}
SPIN_FAILS = {
    "m01_free_page_is_never_pending": "NO=1 NF=2 BLK=3 DOC_RELEASE P_FREE_NOT_LINKED OWNER_EARLY",
    "m02_init_clears_pending_early_owner": "NO=1 NF=2 BLK=3 M_INIT_RESET OWNER_EARLY",
    "m03_init_clears_pending": "NO=1 NF=2 BLK=3 M_INIT_RESET",
    "m04_words_before_clear": "NO=2 NF=1 BLK=3 M_WORDS_BEFORE_CLEAR",
    "m05_link_after_clear": "NO=1 NF=2 BLK=7 M_LINK_AFTER_CLEAR",
    "m06_owner_before_clear": "NO=2 NF=1 BLK=3 M_OWNER_BEFORE_CLEAR",
    "m07_no_forwarding": "NO=2 NF=1 BLK=5 M_NO_FORWARD",
    "m08_no_second_look": "NO=1 NF=2 BLK=3 M_ZERO_NO_RECHECK",
    "m09_drain_then_mark": "NO=2 NF=1 BLK=5 M_PUTBACK_BLIND",
    "m10_mark_without_lock": "NO=2 NF=1 BLK=5 M_PUTBACK_NOLOCK",
    "m11_no_reap": "NO=2 NF=1 BLK=5 M_NO_REAP",
    "m12_steal_from_live_owner": "NO=2 NF=1 BLK=5 M_STEAL_LIVE",
    "p1_no_poll_mark": "NO=2 NF=1 BLK=3 P_AT_OWNER",
    "p3_poll_mark_early_owner": "NO=2 NF=1 BLK=3 P_AT_OWNER POLLMARK OWNER_EARLY",
    "span_kind_read_late": "NO=1 NF=2 BLK=12 SPAN M_KIND_LATE",
    "late_no_reap": "NO=1 NF=1 LATE NO_STEAL M_NO_REAP",
}


def spin(work, defines, optimize):
    if shutil.which("spin") is None:
        pytest.skip("spin is not installed (Debian package spin)")
    flags = [f"-D{define}" for define in defines.split()]
    generated = run(["spin", "-a", *flags, MODEL], cwd=work)
    assert generated.returncode == 0 and (work / "pan.c").exists(), generated.stdout
    build(["gcc", optimize, "-w", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=2048", "-DMEMLIM=8000",
           "-o", work / "pan", work / "pan.c"])  # fmt: skip
    result = run([work / "pan", "-m5000000", "-w23"], cwd=work, limit_s=3600)
    errors = re.search(r"errors: (\d+)", result.stdout)
    states = re.search(r"(\S+) states, stored", result.stdout)
    assert errors and states, result.stdout + result.stderr
    print(f"{defines}: {states[1]} states")
    complete = "Search not completed" not in result.stdout and "max search depth" not in result.stdout
    return int(errors[1]), complete, result.stdout


def assert_spin_passes(work, defines, optimize):
    errors, complete, output = spin(work, defines, optimize)
    assert errors == 0 and complete, output


@pytest.mark.parametrize("name", SPIN_PASSES)
def test_spin_complete(tmp_path, name):
    assert_spin_passes(tmp_path, SPIN_PASSES[name], "-O0")


@pytest.mark.skipif(SCALE < 100, reason="larger models: MI_TEST_SCALE=100")
@pytest.mark.parametrize("name", SPIN_PASSES_LARGE)
def test_spin_complete_large(tmp_path, name):
    assert_spin_passes(tmp_path, SPIN_PASSES_LARGE[name], "-O1")


@pytest.mark.parametrize("name", SPIN_FAILS)
def test_spin_mutation_fails(tmp_path, name):
    errors, _, output = spin(tmp_path, SPIN_FAILS[name], "-O0")
    assert errors > 0, f"survives: {SPIN_FAILS[name]}\n{output}"
    assert "assertion violated" in output or "invalid end state" in output
