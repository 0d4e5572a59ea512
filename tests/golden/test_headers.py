"""The public headers compile in every language mode, and each alone, without a warning."""

import pathlib
import re
import shutil
import subprocess

import pytest

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "core" / "include"
HEADERS = sorted(path.name for path in INCLUDE.glob("*.h"))
C_MODES = ["c99", "c11", "c17", "gnu99", "gnu17", "c2x"]
CXX_MODES = ["c++11", "c++14", "c++17", "c++20", "c++2b"]
FLAGS = ["-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wundef", "-Wshadow", "-fsyntax-only"]

C_PROGRAM = """
int main(void)
{
    int *p = mi_malloc_tp(int);
    p = mi_reallocn_tp(p, int, 10);
    if (mi_usable_size(p) < 10 * sizeof(int)) return 1;
    mi_free(p);
    mi_option_set(mi_option_large_os_pages, 0);
    return mi_version() != MI_MALLOC_VERSION;
}

static bool count(const mi_heap_t *heap, const mi_heap_area_t *area, void *block, size_t size,
                  void *arg)
{
    *(size_t *)arg += area->used;
    return heap != NULL && block == NULL && size != 0;
}

size_t heaps(void)
{
    mi_heap_t *const heap = mi_heap_new();
    size_t used = 0;
    mi_arena_id_t arena = NULL;
    mi_subproc_id_t subproc = mi_subproc_current();
    mi_stats_t later;
    mi_stats_t_decl(stats);
    int *p = mi_heap_malloc_tp(int, heap), *z = mi_heap_zalloc_tp(int, heap);
    double *c = mi_heap_calloc_tp(double, heap, 3), *n = mi_heap_mallocn_tp(double, heap, 4);
    c = mi_heap_recalloc_tp(double, heap, c, 5);
    n = mi_heap_reallocn_tp(double, heap, n, 6);
    mi_stats_init(&later);
    if (!mi_heap_stats_get(heap, &stats) || !mi_subproc_stats_get(subproc, &later)) return 0;
    if (mi_reserve_os_memory_ex(mi_arena_min_size(), false, false, true, &arena) != 0) return 0;
    mi_heap_visit_blocks(heap, false, count, &used);
    mi_free(z);
    mi_heap_destroy(heap);
    return *p + (size_t)*c + (size_t)*n + used + (size_t)stats.malloc_bins[73].current;
}
"""

CXX_PROGRAM = """
#include <list>
#include <map>
#include <string>
#include <vector>
struct alignas(256) wide { char bytes[256]; };
struct incomplete;
template struct mi_stl_allocator<int>;
template struct mi_stl_allocator<wide>;
template struct mi_heap_stl_allocator<int>;
template struct mi_heap_destroy_stl_allocator<wide>;
typedef mi_stl_allocator<std::pair<const int, int>> pairs;
int main()
{
    std::vector<int, mi_stl_allocator<int>> v(3);
    std::vector<wide, mi_stl_allocator<wide>> w(3);
    std::list<int, mi_stl_allocator<int>> l(v.begin(), v.end());
    std::map<int, int, std::less<int>, pairs> m;
    std::basic_string<char, std::char_traits<char>, mi_stl_allocator<char>> s("text");
    mi_stl_allocator<void> nothing;
    mi_stl_allocator<incomplete> later(nothing);
    mi_stl_allocator<int> ints(later);
    int *const p = ints.allocate_at_least(5).ptr;
    ints.deallocate(p, 5);
    m[1] = 2;
    mi_heap_stl_allocator<int> own;
    std::vector<wide, mi_heap_stl_allocator<wide>> h(3, wide(), own);
    mi_heap_stl_allocator<void> none(own);
    std::list<wide, mi_heap_destroy_stl_allocator<wide>> d(3), e(d);
    if (own != h.get_allocator() || !(none == own) || !(d.get_allocator() == e.get_allocator()))
        return 1;
    return v.size() == 3 && ints == later && !(ints != nothing) ? 0 : 1;
}
"""

REPLACING = """
#include <stdlib.h>
#include <string.h>
#include "mimalloc-override.h"
int main(void)
{
    char *p = (char *)malloc(10), *q;
    p = (char *)realloc(p, 20);
    q = strdup("text");
    free(p);
    free(q);
    p = (char *)_aligned_offset_malloc(10, 16, 4);
    _aligned_free(p);
    return malloc_usable_size(NULL) != 0;
}
"""


def compilers(names):
    found = [name for name in names if shutil.which(name)]
    return found or [pytest.param("none", marks=pytest.mark.skip("no compiler"))]


def check(compiler, mode, language, text, *flags):
    command = [compiler, f"-std={mode}", *FLAGS, *flags, "-I", str(INCLUDE), "-x", language, "-"]
    run = subprocess.run(command, input=text, capture_output=True, text=True)
    if "invalid value" in run.stderr or "unrecognized command" in run.stderr:
        pytest.skip(f"{compiler} does not know {mode}")
    assert run.returncode == 0, f"{' '.join(command)}\n{run.stderr}"


@pytest.mark.parametrize("mode", C_MODES)
@pytest.mark.parametrize("compiler", compilers(["gcc", "clang"]))
def test_c(compiler, mode):
    check(compiler, mode, "c", '#include "mimalloc-ext.h"\n' + C_PROGRAM)
    check(compiler, mode, "c", REPLACING, "-D_GNU_SOURCE")


@pytest.mark.parametrize("mode", CXX_MODES)
@pytest.mark.parametrize("compiler", compilers(["g++", "clang++"]))
def test_cxx(compiler, mode):
    check(compiler, mode, "c++", '#include "mimalloc-ext.h"\n' + C_PROGRAM)
    check(compiler, mode, "c++", '#include "mimalloc-ext.h"\n' + CXX_PROGRAM)
    check(compiler, mode, "c++", REPLACING, "-D_GNU_SOURCE")


@pytest.mark.parametrize("header", HEADERS)
def test_alone(header):
    """And twice."""
    text = f'#include "{header}"\n#include "{header}"\nint unused;\n'
    check(compilers(["gcc", "clang"])[0], "c99", "c", text)
    check(compilers(["g++", "clang++"])[0], "c++11", "c++", text)


def test_every_function_has_a_comment():
    """The line before a declaration ends a comment."""
    bare = []
    for header in HEADERS:
        lines = (INCLUDE / header).read_text().splitlines()
        for number, line in enumerate(lines):
            if re.match(r"(mi_decl_nodiscard )?mi_decl_export ", line) and "operator" not in line:
                if not lines[number - 1].rstrip().endswith("*/"):
                    bare.append(f"{header}:{number + 1}")
    assert not bare


def test_option_numbers():
    """The numbers are part of the binary interface."""
    text = (INCLUDE / "mimalloc-options.h").read_text()
    numbers = dict(re.findall(r"(mi_option_\w+) = (\d+)", text))
    fixed = {
        "show_errors": 0, "show_stats": 1, "verbose": 2, "arena_eager_commit": 4,
        "purge_decommits": 5, "allow_large_os_pages": 6, "reserve_huge_os_pages": 7,
        "reserve_os_memory": 9, "purge_delay": 15, "use_numa_nodes": 16, "max_errors": 19,
        "destroy_on_exit": 22, "arena_reserve": 23, "disallow_arena_alloc": 26,
        "guarded_sample_rate": 32, "generic_collect": 34, "page_full_retain": 36,
        "max_vabits": 38, "allow_thp": 43, "minimal_purge_size": 44, "arena_is_numa_local": 46,
    }  # fmt: skip
    for name, number in fixed.items():
        assert int(numbers[f"mi_option_{name}"]) == number, name
    assert sorted(map(int, numbers.values())) == list(range(len(numbers)))
