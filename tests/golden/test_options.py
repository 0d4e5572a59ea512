"""The options table, its documents and the code agree.

Numbers and names are part of the interface of mimalloc 3.4.3; docs/OPTIONS.md is generated; an
option is documented as effective exactly when something in the core reads it.
"""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import gen_options  # noqa: E402

# in the order of their numbers
UPSTREAM = """
show_errors show_stats verbose deprecated_eager_commit arena_eager_commit purge_decommits
allow_large_os_pages reserve_huge_os_pages reserve_huge_os_pages_at reserve_os_memory
deprecated_segment_cache deprecated_page_reset deprecated_abandoned_page_purge
deprecated_segment_reset deprecated_eager_commit_delay purge_delay use_numa_nodes disallow_os_alloc
os_tag max_errors max_warnings deprecated_max_segment_reclaim destroy_on_exit arena_reserve
arena_purge_mult deprecated_purge_extend_delay disallow_arena_alloc retry_on_oom visit_abandoned
guarded_min guarded_max guarded_precise guarded_sample_rate guarded_sample_seed generic_collect
page_reclaim_on_free page_full_retain page_max_candidates max_vabits pagemap_commit
page_commit_on_demand page_max_reclaim page_cross_thread_max_reclaim allow_thp minimal_purge_size
arena_max_object_size arena_is_numa_local
""".split()

# defaults that are not 0
DEFAULTS = {
    "deprecated_eager_commit": 1,
    "arena_eager_commit": 2,
    "purge_decommits": 1,
    "reserve_huge_os_pages_at": -1,
    "deprecated_eager_commit_delay": 1,
    "purge_delay": 1000,
    "os_tag": 100,
    "max_errors": 32,
    "max_warnings": 32,
    "deprecated_max_segment_reclaim": 10,
    "arena_reserve": 1024 * 1024,
    "arena_purge_mult": 1,
    "deprecated_purge_extend_delay": 1,
    "retry_on_oom": 400,
    "guarded_max": 1 << 30,
    "generic_collect": 10000,
    "page_full_retain": 2,
    "page_max_candidates": 4,
    "page_max_reclaim": -1,
    "page_cross_thread_max_reclaim": 32,
    "allow_thp": 1,
    "arena_max_object_size": 2 * 1024 * 1024,
}


@pytest.fixture(scope="module", name="rows")
def read_rows():
    return gen_options.read_table()


def test_numbers_and_names_are_those_of_the_interface(rows):
    assert [row["name"] for row in rows[: len(UPSTREAM)]] == UPSTREAM
    assert [row["number"] for row in rows] == list(range(len(rows)))


def test_defaults_are_those_of_the_interface(rows):
    initial = {row["name"]: row["initial"] for row in rows[: len(UPSTREAM)] if row["initial"] != 0}
    assert initial == DEFAULTS


def test_the_document_is_current():
    command = [sys.executable, ROOT / "tools" / "gen_options.py", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_an_option_is_read_exactly_when_it_is_said_to_have_an_effect(rows):
    used = set()
    for path in (ROOT / "core" / "src").glob("*/*.[ch]"):
        if path.name == "options.h":
            continue
        for line in path.read_text().splitlines():
            if "_Static_assert" not in line:
                used |= set(re.findall(r"\bMIC_OPTION_([A-Z0-9_]+)\b", line))
    used = {name.lower() for name in used - {"COUNT"}}
    assert used == {row["name"] for row in rows if gen_options.has_effect(row)}


def test_the_public_header_has_the_same_numbers(rows):
    header = (ROOT / "core" / "include" / "mimalloc-options.h").read_text()
    public = {name: int(n) for name, n in re.findall(r"\bmi_option_(\w+) = (\d+),", header)}
    assert {row["name"]: row["number"] for row in rows} == {
        name: number for name, number in public.items() if name != "last"
    }


def test_the_manual_page_describes_what_has_an_effect(rows):
    manual = (ROOT / "docs" / "man" / "mimalloc.7").read_text()
    described = re.findall(r"^\.B MIMALLOC_([A-Z_]+)", manual, re.MULTILINE)
    assert sorted(described) == sorted(
        row["name"].upper() for row in rows if gen_options.has_effect(row)
    )
