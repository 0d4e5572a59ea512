"""Proves that each rule of tools/check_layers.py fails on a tree that breaks it, and only then."""

import pathlib
import subprocess
import sys

import pytest

CHECKER = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"

LOW_H = """\
/* The low layer. */
#ifndef MIC_BASE_LOW_H
#define MIC_BASE_LOW_H

#if defined(__linux__)
#define LOW_SYSTEM 1
#endif

int mic_low_add(int a, int b);
static inline int mic_low_twice(int a)
{
    return mic_low_add(a, a);
}
#endif
"""

LOW_C = """\
#include "base/low.h"

static int low_sum(int a, int b)
{
    return a + b;
}

int mic_low_add(int a, int b)
{
    return low_sum(a, b);
}
"""

HIGH_H = """\
#ifndef MIC_HEAP_HIGH_H
#define MIC_HEAP_HIGH_H

#include <stddef.h>

#include "base/low.h"

#ifdef __cplusplus
extern "C" {
#endif
struct mic_high {
    size_t (*callback)(size_t);
};
__attribute__((malloc)) void *mic_high_make(size_t size);
#ifdef __cplusplus
}
#endif
#endif
"""

HIGH_C = """\
#include "heap/high.h"

static const int table[2] = {1, 2};

void *mic_high_make(size_t size) { return size > (size_t)table[0] ? NULL : NULL; }
"""

API_C = """\
#include "mimalloc.h"

#include "heap/high.h"

/* #if in a comment is text, and so is "mi_string(" */
mi_decl_export void *mi_malloc(size_t size)
{
    const char *text = "#include \\"nowhere.h\\"";
    return text ? mic_high_make(size) : NULL;
}
"""

PUBLIC_H = """\
#ifndef MIMALLOC_H
#define MIMALLOC_H
#include <stddef.h>
#define mi_decl_export __attribute__((visibility("default")))
mi_decl_export void *mi_malloc(size_t size);
#endif
"""


@pytest.fixture
def tree(tmp_path):
    """A small tree that keeps every rule; a test breaks one."""
    files = {
        "core/LAYERS": "base\nheap\napi\n",
        "core/include/mimalloc.h": PUBLIC_H,
        "core/src/base/low.h": LOW_H,
        "core/src/base/low.c": LOW_C,
        "core/src/heap/high.h": HIGH_H,
        "core/src/heap/high.c": HIGH_C,
        "core/src/api/malloc.c": API_C,
        "bindings/override/malloc.c": '#include "base/low.h"\n#include "heap/high.h"\n',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def check(tree):
    command = [sys.executable, str(CHECKER), "--root", str(tree)]
    return subprocess.run(command, capture_output=True, text=True)


def expect(tree, rule, path):
    """The checker fails, and with violations of this rule in this file only."""
    done = check(tree)
    assert done.returncode == 1, done.stdout + done.stderr
    violations = done.stdout.strip().split("\n")[:-1]
    assert violations, done.stdout
    for line in violations:
        assert line.startswith(path + ":") and f"[{rule}]" in line, done.stdout


def append(tree, name, text):
    path = tree / name
    path.write_text(path.read_text() + text)


def test_good_tree_passes(tree):
    done = check(tree)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_real_tree_names_existing_layers():
    root = CHECKER.parent.parent
    layers = (root / "core" / "LAYERS").read_text().split()
    assert layers == ["base", "os", "rt", "vm", "page", "heap", "alloc", "diag", "api"]
    folders = {path.name for path in (root / "core" / "src").iterdir() if path.is_dir()}
    assert folders <= set(layers)


def test_include_of_a_higher_layer(tree):
    append(tree, "core/src/base/low.c", '#include "heap/high.h"\n')
    expect(tree, "layer", "core/src/base/low.c")


def test_file_outside_every_layer(tree):
    (tree / "core/src/stray").mkdir()
    (tree / "core/src/stray/file.c").write_text("int mic_stray;\n")
    expect(tree, "layer", "core/src/stray/file.c")


def test_include_not_written_from_core_src(tree):
    append(tree, "core/src/base/low.c", '#include "low.h"\n')
    expect(tree, "include", "core/src/base/low.c")


def test_include_that_climbs(tree):
    append(tree, "core/src/heap/high.c", '#include "../base/low.h"\n')
    expect(tree, "include", "core/src/heap/high.c")


def test_include_of_an_own_header_in_angle_brackets(tree):
    append(tree, "core/src/heap/high.c", "#include <base/low.h>\n")
    expect(tree, "include", "core/src/heap/high.c")


def test_include_of_a_missing_file_in_bindings(tree):
    append(tree, "bindings/override/malloc.c", '#include "heap/missing.h"\n')
    expect(tree, "include", "bindings/override/malloc.c")


def test_header_that_needs_another(tree):
    text = "#ifndef MIC_HEAP_ALONE_H\n#define MIC_HEAP_ALONE_H\nsize_t mic_alone(void);\n#endif\n"
    (tree / "core/src/heap/alone.h").write_text(text)
    expect(tree, "alone", "core/src/heap/alone.h")


@pytest.mark.parametrize(
    "text",
    [
        "#if MIC_MODE_DEBUG\n#endif\n",
        "#ifdef __linux__\nint mic_x;\n#else\nint mic_y;\n#endif\n",
        "#ifndef NDEBUG\n#endif\n",
    ],
)
def test_conditional_compilation(tree, text):
    append(tree, "core/src/heap/high.c", text)
    expect(tree, "if", "core/src/heap/high.c")


def test_second_guard_in_a_header(tree):
    path = tree / "core/src/heap/high.h"
    inner = "#ifndef MIC_OTHER\n#define MIC_OTHER\n#endif\n"
    path.write_text(path.read_text().replace("struct mic_high", inner + "struct mic_high", 1))
    expect(tree, "if", "core/src/heap/high.h")


def test_file_of_too_many_lines(tree):
    append(tree, "core/src/heap/high.c", "\n" * 600)
    expect(tree, "size", "core/src/heap/high.c")


@pytest.mark.parametrize("name", ["core/src/heap/high.c", "bindings/override/malloc.c"])
def test_line_of_too_many_columns(tree, name):
    append(tree, name, "/* " + "x" * 98 + " */\n")
    expect(tree, "size", name)


def test_line_of_100_columns_is_fine(tree):
    append(tree, "core/src/heap/high.c", "/* " + "\u00e9" * 94 + " */\n")
    assert check(tree).returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        "void mi_extra(void) {}\n",  # exported, but not in api/
        "int helper(int a)\n{\n    return a;\n}\n",  # shared without the prefix
        "static int mic_local(void) { return 1; }\n",  # static with the prefix of shared ones
        "static int mi_local(void) { return 1; }\n",
        "static int _local(void) { return 1; }\n",
        "__attribute__((noinline)) struct mic_high *find(int a) { return a ? 0 : 0; }\n",
    ],
)
def test_function_name(tree, text):
    append(tree, "core/src/heap/high.c", text)
    expect(tree, "name", "core/src/heap/high.c")


@pytest.mark.parametrize("text", ["int high_count(void);", "static inline int two(void) { return 2; }"])
def test_function_name_in_a_header(tree, text):
    path = tree / "core/src/heap/high.h"
    path.write_text(path.read_text().replace("struct mic_high {", text + "\nstruct mic_high {", 1))
    expect(tree, "name", "core/src/heap/high.h")


def test_function_name_in_the_api(tree):
    append(tree, "core/src/api/malloc.c", "void other(void) {}\n")
    expect(tree, "name", "core/src/api/malloc.c")


def test_declarations_of_foreign_functions_are_fine(tree):
    append(tree, "core/src/heap/high.c", "extern void foreign(void) __attribute__((weak));\n")
    assert check(tree).returncode == 0
