"""Where this library does better than mimalloc 3.4.3: one check for each, on every build there is.

Each is also run on Debian's libmimalloc 2.0, with what is to be expected there:

    FAILS     the check fails there, or the program is stopped
    NO_NAMES  it cannot be expressed there: the library does not have the functions
    RIGHT     version 2.0 does not have this mistake of 3.4.3
"""

import shutil

import pytest

from libraries import BUILDS, DEBIAN, NO_SUCH_FUNCTION, ROOT, Program

FAILS, NO_NAMES, RIGHT = "fails", "no names", "right"

# (check of regressions.c, on libmimalloc 2.0, environment)
CHECKS = [
    ("errno", FAILS, {}),
    ("declared", NO_NAMES, {}),  # mi_uzalloc_small, mi_collect_reduce
    ("glibc_extras", FAILS, {}),
    ("big_blocks_of_heaps", RIGHT, {}),
    ("destroy_on_exit", RIGHT, {"MIMALLOC_DESTROY_ON_EXIT": "1"}),
    ("heap_in_subproc", NO_NAMES, {}),  # mi_subproc_*
    ("fork", RIGHT, {}),  # 2.0 has no locks that a child could inherit
    ("merge_stats", NO_NAMES, {}),  # mi_heap_stats_*
    ("interior_pointer", FAILS, {}),
    ("double_free", FAILS, {}),
    ("far_alignment_with_offset", RIGHT, {}),
    ("collect", FAILS, {}),
    ("release_statistics", NO_NAMES, {}),  # mi_stats_get
    ("process_info", FAILS, {}),
    ("allow_thp", FAILS, {"MIMALLOC_ALLOW_THP": "0"}),
    ("usable_size", FAILS, {}),
    ("realloc", FAILS, {}),
]
CXX_CHECKS = [
    ("new", FAILS),  # aborts
    ("stl_allocator", RIGHT),  # the allocator is in our header; 2.0's own aligns to 16
]

# Rows that no program on the library alone can check, and the test that does.
ELSEWHERE = {
    "pkg-config": ("tests/install/test_install.py", "test_pkg_config_shared"),
    "memory_resource": ("tests/contract/containers.cpp", "check_memory_resources"),
    "options without effect": ("tests/golden/test_options.py", "test_an_option_is_read_exactly_when"),
}


def on_builds():
    for build, path in BUILDS.items():
        skip = pytest.mark.skipif(not path.exists(), reason=f"no {path}")
        yield pytest.param(build, marks=skip)


def compiled(source, compiler, flags, tmp_path_factory):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    folder = tmp_path_factory.mktemp("regressions")
    return Program(ROOT / "tests" / "contract" / source, folder, compiler, *flags)


@pytest.fixture(scope="module", name="program")
def make_program(tmp_path_factory):
    flags = ["-std=gnu17", "-fno-builtin"]
    return compiled("regressions.c", "gcc", flags, tmp_path_factory)


@pytest.fixture(scope="module", name="cxx_program")
def make_cxx_program(tmp_path_factory):
    return compiled("regressions.cpp", "g++", ["-std=c++17"], tmp_path_factory)


@pytest.mark.parametrize("build", on_builds())
@pytest.mark.parametrize("check", [row[0] for row in CHECKS])
def test_here(program, build, check):
    environment = next(row[2] for row in CHECKS if row[0] == check)
    status, text = program.run(BUILDS[build], check, build, **environment)
    assert status == 0, text


@pytest.mark.parametrize("build", on_builds())
@pytest.mark.parametrize("check", [row[0] for row in CXX_CHECKS])
def test_here_cxx(cxx_program, build, check):
    status, text = cxx_program.run(BUILDS[build], check)
    assert status == 0, text


def verdict(status):
    if status == NO_SUCH_FUNCTION:
        return NO_NAMES
    return RIGHT if status == 0 else FAILS


@pytest.mark.skipif(not DEBIAN.exists(), reason="libmimalloc2.0 is not installed")
@pytest.mark.parametrize(("check", "expected", "environment"), CHECKS, ids=lambda x: str(x)[:30])
def test_there(program, check, expected, environment):
    status, text = program.run(DEBIAN, check, "release", **environment)
    assert verdict(status) == expected, text


@pytest.mark.skipif(not DEBIAN.exists(), reason="libmimalloc2.0 is not installed")
@pytest.mark.parametrize(("check", "expected"), CXX_CHECKS)
def test_there_cxx(cxx_program, check, expected):
    status, text = cxx_program.run(DEBIAN, check)
    assert verdict(status) == expected, text


@pytest.mark.parametrize("row", ELSEWHERE)
def test_the_others_are_checked_elsewhere(row):
    path, name = ELSEWHERE[row]
    assert name in (ROOT / path).read_text()


OPTIONS_OF_OTHER_LAYOUTS = ["MAX_VABITS", "ARENA_RESERVE", "PAGEMAP_COMMIT"]


@pytest.mark.parametrize("build", on_builds())
@pytest.mark.parametrize("option", OPTIONS_OF_OTHER_LAYOUTS)
def test_options_of_other_layouts_are_accepted(program, build, option):
    """Without a word, and the library works as ever."""
    environment = {f"MIMALLOC_{option}": "47", "MIMALLOC_SHOW_ERRORS": "1"}
    status, text = program.run(BUILDS[build], "far_alignment_with_offset", build, **environment)
    assert (status, text) == (0, "")


@pytest.mark.parametrize("option", OPTIONS_OF_OTHER_LAYOUTS)
def test_options_of_other_layouts_are_documented(option):
    rows = (ROOT / "docs" / "OPTIONS.md").read_text().splitlines()
    row = [line for line in rows if line.startswith("|") and f"{option.lower()}" in line.lower()]
    assert row and len(row[0].split("|")[-2].split()) > 3
