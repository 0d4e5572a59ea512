"""Statistics as JSON are JSON, and say the same as the struct.

A program links the library (build/release/libmimalloc.so, or what MIMALLOC_LIBRARY names), makes
known blocks and prints both."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = pathlib.Path(os.environ.get("MIMALLOC_LIBRARY", ROOT / "build/release/libmimalloc.so"))

pytestmark = pytest.mark.skipif(
    not LIBRARY.exists() or not shutil.which("cc"), reason=f"needs cc and {LIBRARY}"
)

BINS = 74

PROGRAM = r"""
#include <stdio.h>
#include "mimalloc-stats.h"

static void show(const char *name, char *text)
{
    fputs(text, stdout);
    printf("---%s\n", name);
    mi_free(text);
}

int main(void)
{
    mi_heap_t *const heap = mi_heap_new();
    for (int i = 0; i < 1000; i++) mi_free(mi_malloc(64));
    for (int i = 0; i < 30; i++) (void)!mi_malloc(2000);
    for (int i = 0; i < 7; i++) (void)!mi_heap_malloc(heap, 300);
    (void)!mi_malloc(3 << 20);
    mi_stats_t_decl(stats);
    if (!mi_stats_get(&stats)) return 1;
    show("struct", mi_stats_as_json(&stats, 0, NULL));
    printf("{\"pages\": %lld, \"reserved\": %lld, \"normal_count\": %lld, \"huge\": %lld,",
           (long long)stats.pages.current, (long long)stats.reserved.current,
           (long long)stats.malloc_normal_count.total, (long long)stats.malloc_huge.current);
    printf("\"bins\": [");
    for (int i = 0; i < MI_STAT_BIN_COUNT; i++)
        printf("%s[%zu, %lld, %lld]", i > 0 ? "," : "", mi_stats_get_bin_size((size_t)i),
               (long long)stats.malloc_bins[i].total, (long long)stats.malloc_bins[i].current);
    printf("]}\n---fields\n");
    show("process", mi_stats_get_json(0, NULL));
    show("subproc", mi_subproc_stats_get_json(mi_subproc_main(), 0, NULL));
    show("heap", mi_heap_stats_get_json(heap, 0, NULL));
    char buffer[1000];
    printf("%s---cut\n", mi_stats_get_json(sizeof buffer, buffer));
    return 0;
}
"""


@pytest.fixture(scope="module", name="parts")
def run_program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    source, program = folder / "main.c", folder / "main"
    source.write_text(PROGRAM, encoding="ascii")
    command = ["cc", "-Wall", "-Werror", f"-I{ROOT / 'core/include'}", "-o", program, source]
    subprocess.run([*command, LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}"], check=True)
    text = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    parts = {}
    while text:
        part, _, text = text.partition("---")
        name, _, text = text.partition("\n")
        parts[name] = part
    return parts


@pytest.mark.parametrize("name", ["struct", "process", "subproc", "heap"])
def test_it_parses_and_is_complete(parts, name):
    stats = json.loads(parts[name])
    assert stats["stat_version"] == 5 and stats["mimalloc_version"] == 30403
    assert stats["mode"] in ("release", "secure", "hardened", "debug")
    assert len(stats["malloc_bins"]) == len(stats["page_bins"]) == BINS
    assert len(stats["chunk_bins"]) == 6
    assert stats["process"]["rss_peak"] >= stats["process"]["rss_current"] > 0
    assert stats["process"]["commit_current"] > 0 and stats["process"]["page_faults"] > 0
    counts = [value for value in stats.values() if isinstance(value, dict) and "total" in value]
    assert len(counts) == 15  # of mi_stats_t, without arrays
    counts += stats["malloc_bins"] + stats["page_bins"] + stats["chunk_bins"]
    for count in counts:
        assert count["total"] >= count["peak"] >= count["current"] >= 0, count


def test_it_says_what_the_struct_says(parts):
    stats, fields = json.loads(parts["struct"]), json.loads(parts["fields"])
    assert stats["pages"]["current"] == fields["pages"] > 0
    assert stats["reserved"]["current"] == fields["reserved"] > 0
    assert stats["malloc_normal_count"] == fields["normal_count"] >= 1037
    assert stats["malloc_huge"]["current"] == fields["huge"] >= 3 << 20
    bins = [[b["block_size"], b["total"], b["current"]] for b in stats["malloc_bins"]]
    assert bins == fields["bins"]


def test_blocks_are_in_the_bins_of_their_size(parts):
    bins = json.loads(parts["process"])["malloc_bins"]

    def bin_for(size):
        return next(b for b in bins if b["block_size"] >= size)

    assert bin_for(64)["total"] >= 1000 > bin_for(64)["current"]
    assert bin_for(2000)["current"] >= 30
    assert bins[-1]["block_size"] == 0 and bins[-1]["current"] >= 1
    heap = json.loads(parts["heap"])
    used = [b for b in heap["malloc_bins"] if b["total"]]
    assert len(used) == 1 and used[0]["total"] == used[0]["current"] == 7
    assert used[0]["block_size"] >= 300 and heap["theaps"]["current"] == 1


def test_a_short_buffer_has_the_beginning(parts):
    cut = parts["cut"]
    assert len(cut) == 999 and cut.startswith('{\n  "stat_version": 5,')
