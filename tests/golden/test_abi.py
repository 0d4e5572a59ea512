"""The binary and source interface is that of mimalloc 3.4.3: functions with their types, numbers,
layouts, exported names. What is expected is written down here, not read from the headers."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INCLUDE = ROOT / "core" / "include"
LIBRARY = pathlib.Path(os.environ.get("MIMALLOC_LIBRARY", ROOT / "build/release/libmimalloc.so"))
PROTOTYPES = [line for line in (HERE / "interface.txt").read_text().splitlines() if "(" in line]
NAMES = {re.search(r"\b(mi_\w+)\(", line).group(1) for line in PROTOTYPES}
OWN_HEADERS = ["mimalloc-ext.h", "mimalloc-profile.h"]

# What the library defines in place of the C and C++ libraries, beside the mi_ names.
OPERATORS = {
    f"_Zn{kind}m{rest}"
    for kind in "wa"
    for rest in ("", "RKSt9nothrow_t", "St11align_val_t", "St11align_val_tRKSt9nothrow_t")
} | {
    f"_Zd{kind}Pv{rest}"
    for kind in "la"
    for rest in ("", "m", "RKSt9nothrow_t", "St11align_val_t", "mSt11align_val_t",
                 "St11align_val_tRKSt9nothrow_t")
}  # fmt: skip
OVERRIDES = OPERATORS | set(
    """malloc calloc realloc free strdup strndup reallocf malloc_size malloc_usable_size
    malloc_good_size vfree valloc pvalloc cfree memalign aligned_alloc posix_memalign
    _aligned_malloc reallocarray reallocarr __libc_malloc __libc_calloc __libc_realloc __libc_free
    __libc_cfree __libc_valloc __libc_pvalloc __libc_memalign __posix_memalign
    malloc_trim mallinfo mallinfo2 malloc_info malloc_stats mallopt free_sized
    free_aligned_sized""".split()
)

OPTIONS = """
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
OLD_OPTIONS = {
    "large_os_pages": 6, "eager_region_commit": 4, "reset_decommits": 5, "reset_delay": 15,
    "limit_os_alloc": 17,
}  # fmt: skip

# mi_stats_t, version 5, after size and version: (kind, fields)
STATS = [
    ("count", "pages reserved committed"),
    ("counter", "reset purged"),
    ("count", "page_committed pages_abandoned threads malloc_normal malloc_huge malloc_requested"),
    ("counter", "mmap_calls commit_calls reset_calls purge_calls arena_count malloc_normal_count"),
    ("counter", "malloc_huge_count malloc_guarded_count arena_rollback_count arena_purges"),
    ("counter", "pages_extended pages_retire page_searches page_searches_count"),
    ("count", "segments segments_abandoned segments_cache _segments_reserved heaps theaps"),
    ("counter", "pages_reclaim_on_alloc pages_reclaim_on_free pages_reabandon_full"),
    ("counter", "pages_unabandon_busy_wait heaps_delete_wait"),
    ("count", "_stat_reserved[4]"),
    ("counter", "_counter_reserved[4]"),
    ("count", "malloc_bins[74] page_bins[74] chunk_bins[6]"),
]
KIND_BYTES = {"count": 24, "counter": 8}

needs_library = pytest.mark.skipif(
    not LIBRARY.exists() or not shutil.which("nm"), reason=f"needs nm and {LIBRARY}"
)


def compilers():
    found = [name for name in ("gcc", "clang") if shutil.which(name)]
    return found or [pytest.param("none", marks=pytest.mark.skip("no compiler"))]


def check(compiler, text, language="c", standard="c11"):
    command = [compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    command += ["-Wno-redundant-decls", "-I", str(INCLUDE), "-x", language, "-"]
    run = subprocess.run(command, input=text, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def expect(values):
    """Static assertions, one for each (expression, value)."""
    lines = ["#include <stddef.h>", "#include <stdint.h>", '#include "mimalloc.h"']
    lines.append("#ifdef __cplusplus\n#define _Static_assert static_assert\n#endif")
    lines += [f'_Static_assert(({a}) == ({b}), "{a}");' for a, b in values]
    return "\n".join(lines) + "\n"


def exported():
    command = ["nm", "-D", "--defined-only", str(LIBRARY)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


def declared(header):
    path = INCLUDE / header
    if not path.exists():
        return set()
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    names = set()
    for statement in re.findall(r"mi_decl_export\b[^;{]*", text):
        found = re.search(r"\b(mi_\w+)\(", re.sub(r"\bmi_(decl|attr)_\w+", "", statement))
        names |= {found.group(1)} if found else set()
    return names


# ---- source --------------------------------------------------------------------------------------


def test_there_are_190_functions():
    assert len(PROTOTYPES) == len(NAMES) == 190


@pytest.mark.parametrize("compiler", compilers())
def test_prototypes(compiler):
    """Declared once more with the expected types: another type is an error."""
    headers = '#include <stddef.h>\n#include <wchar.h>\n#include "mimalloc.h"\n'
    check(compiler, headers + "\n".join(PROTOTYPES))


@pytest.mark.parametrize("compiler", compilers())
@pytest.mark.parametrize("name", ["mimalloc.h", "mimalloc-stats.h"])
def test_one_header_is_enough(compiler, name):
    """Both of the headers that programs include declare everything."""
    uses = "\n".join(f"    (void)&{name};" for name in sorted(NAMES))
    check(compiler, f'#include "{name}"\nvoid use(void);\nvoid use(void)\n{{\n{uses}\n}}\n')


@pytest.mark.parametrize("compiler", compilers())
def test_option_numbers(compiler):
    numbers = [(f"mi_option_{name}", number) for number, name in enumerate(OPTIONS)]
    assert len(numbers) == 47
    numbers += [(f"mi_option_{name}", number) for name, number in OLD_OPTIONS.items()]
    numbers += [("sizeof(mi_option_t)", 4), ("_mi_option_last > 46", 1)]
    check(compiler, expect(numbers))
    check(compiler, expect(numbers), "c++", "c++11")


@pytest.mark.parametrize("compiler", compilers())
def test_constants_and_small_types(compiler):
    area = "blocks reserved committed used block_size full_block_size reserved1".split()
    values = [
        ("MI_MALLOC_VERSION", 30403), ("MI_SMALL_WSIZE_MAX", 128), ("MI_SMALL_SIZE_MAX", 1024),
        ("sizeof(mi_heap_area_t)", 56), ("sizeof(mi_subproc_id_t)", 8), ("sizeof(mi_arena_id_t)", 8),
        ("offsetof(mi_subproc_id_t, _mi_subproc_id)", 0), ("MI_STAT_VERSION", 5),
        ("sizeof(mi_stat_count_t)", 24), ("sizeof(mi_stat_counter_t)", 8),
        ("offsetof(mi_stat_count_t, total)", 0), ("offsetof(mi_stat_count_t, peak)", 8),
        ("offsetof(mi_stat_count_t, current)", 16), ("sizeof(((mi_stat_count_t *)0)->total)", 8),
    ]  # fmt: skip
    values += [(f"offsetof(mi_heap_area_t, {field})", i * 8) for i, field in enumerate(area)]
    check(compiler, expect(values))
    check(compiler, expect(values), "c++", "c++11")


CALLBACKS = """
#include "mimalloc.h"
typedef void deferred_fun(bool force, unsigned long long heartbeat, void *arg);
typedef void output_fun(const char *msg, void *arg);
typedef void error_fun(int err, void *arg);
typedef bool block_fun(const mi_heap_t *heap, const mi_heap_area_t *area, void *block,
                       size_t block_size, void *arg);
typedef bool heap_fun(mi_heap_t *heap, void *arg);
typedef bool commit_fun(bool commit, void *start, size_t size, bool *is_zero, void *arg);
void use(mi_deferred_free_fun *a, mi_output_fun *b, mi_error_fun *c, mi_block_visit_fun *d,
         mi_heap_visit_fun *e, mi_commit_fun_t *f);
void use(deferred_fun *a, output_fun *b, error_fun *c, block_fun *d, heap_fun *e, commit_fun *f);
"""


@pytest.mark.parametrize("compiler", compilers())
def test_callbacks(compiler):
    check(compiler, CALLBACKS)


@pytest.mark.parametrize("compiler", compilers())
def test_layout_of_the_statistics(compiler):
    values = [("offsetof(mi_stats_t, size)", 0), ("offsetof(mi_stats_t, version)", 8)]
    offset = 16
    for kind, fields in STATS:
        for field in fields.split():
            name, number = re.fullmatch(r"(\w+?)(?:\[(\d+)\])?", field).groups()
            values.append((f"offsetof(mi_stats_t, {name})", offset))
            offset += KIND_BYTES[kind] * int(number or 1)
            size = KIND_BYTES[kind] * int(number or 1)
            values.append((f"sizeof(((mi_stats_t *)0)->{name})", size))
    values.append(("sizeof(mi_stats_t)", offset))
    check(compiler, expect(values))
    check(compiler, expect(values), "c++", "c++11")


OVERRIDE_MACROS = """
malloc calloc realloc free strdup strndup realpath _expand _msize _recalloc _strdup _strndup _wcsdup
_mbsdup _dupenv_s _wdupenv_s reallocf malloc_size malloc_usable_size malloc_good_size cfree valloc
pvalloc reallocarray reallocarr memalign aligned_alloc posix_memalign _posix_memalign
_aligned_malloc _aligned_realloc _aligned_recalloc _aligned_msize _aligned_free
_aligned_offset_malloc _aligned_offset_realloc _aligned_offset_recalloc
""".split()


def test_macros_of_the_override_header():
    if not shutil.which("gcc"):
        pytest.skip("no gcc")
    command = ["gcc", "-E", "-dM", "-I", str(INCLUDE), str(INCLUDE / "mimalloc-override.h")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    macros = dict(re.findall(r"^#define (\w+)\([^)]*\) (.*)$", text, re.MULTILINE))
    assert [name for name in OVERRIDE_MACROS if not re.match(r"mi_\w+\(", macros.get(name, ""))] == []


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_operators_of_the_new_delete_header(compiler, tmp_path):
    """All that there are in C++17, and the library behind each."""
    if not shutil.which(compiler) or not shutil.which("nm"):
        pytest.skip("no compiler")
    output = tmp_path / "operators.o"
    command = [compiler, "-std=c++17", "-O1", "-I", str(INCLUDE), "-c", "-x", "c++", "-"]
    text = '#include "mimalloc-new-delete.h"\n'
    subprocess.run([*command, "-o", str(output)], input=text, text=True, check=True)
    lines = subprocess.run(["nm", str(output)], capture_output=True, text=True, check=True).stdout
    symbols = dict(reversed(line.split()[-2:]) for line in lines.splitlines())
    assert {name for name, kind in symbols.items() if kind == "T"} == OPERATORS
    undefined = {name for name, kind in symbols.items() if kind == "U"}
    assert undefined <= NAMES and "mi_new" in undefined and "mi_free" in undefined


# ---- binary --------------------------------------------------------------------------------------


@needs_library
def test_every_function_is_exported():
    assert NAMES - exported() == set()


@needs_library
def test_what_else_is_exported():
    """Replacements of the C and C++ libraries; our own additions, each in a header of its own."""
    rest = exported() - NAMES
    own = set().union(*map(declared, OWN_HEADERS))
    assert own, "the additions are found"
    assert {name for name in rest if name.startswith("mi_")} == own
    assert {name for name in rest if not name.startswith("mi_")} == OVERRIDES


def test_additions_are_in_headers_of_their_own():
    own = set().union(*map(declared, OWN_HEADERS))
    assert not own & NAMES
    others = {path.name for path in INCLUDE.glob("*.h")} - set(OWN_HEADERS)
    assert set().union(*map(declared, others)) == NAMES


# ---- tests of each -------------------------------------------------------------------------------


def test_every_function_is_called_by_a_test():
    text = ""
    for path in (ROOT / "tests").rglob("*"):
        if path.suffix in (".c", ".cpp", ".h"):
            text += re.sub(r'"(\\.|[^"\\])*"|/\*.*?\*/', "", path.read_text(), flags=re.DOTALL)
    names = NAMES | set().union(*map(declared, OWN_HEADERS))
    assert sorted(name for name in names if not re.search(rf"\b{name}\(", text)) == []
