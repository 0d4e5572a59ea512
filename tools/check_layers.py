#!/usr/bin/env python3
"""Checks that the core keeps its architecture. Prints `file:line: what is wrong`, exits 1 if any.

    tools/check_layers.py [--root DIR] [--no-compile]

core/LAYERS names the folders of core/src, lowest first. Checked in core/src:

  layer      a file includes headers of its own folder and of lower ones only
  include    quoted includes are written from core/src ("vm/segment.h") or name a public header
  alone      each header compiles by itself
  if         no conditional compilation outside base/ and os/, but include guards and __cplusplus
  size       at most 600 lines a file and 100 columns a line
  name       mi_ functions are defined in api/ only; other functions seen by several files start
             with mic_, file-static ones with neither

and in bindings/, which may include any layer: include and size.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

MAX_LINES = 600
MAX_COLUMNS = 100
FREE_OF_IF_RULE = ("base", "os")
# Headers outside core/src that a core file names on purpose: the model checker's atomics.
FOREIGN_INCLUDES = {("base/atomic.h", "model_atomic.h")}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
CONDITIONAL = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b(.*)")
# Words that take parentheses in a declaration without being the declared function.
NOT_A_FUNCTION = re.compile(
    r"^(__attribute__|_Alignas|alignas|_Static_assert|static_assert|_Atomic|mic_atomic|__typeof__"
    r"|typeof|__asm__|asm|__declspec|_Generic|sizeof|(mi|mic)_(attr|decl)_\w+|[A-Z][A-Z0-9_]*)$"
)


class Checker:
    def __init__(self, root):
        self.root = root
        self.src = root / "core" / "src"
        self.include = root / "core" / "include"
        self.errors = []
        lines = (root / "core" / "LAYERS").read_text().split("\n")
        self.layers = [line.strip() for line in lines if line.strip()]

    def error(self, path, line, rule, text):
        self.errors.append((str(path.relative_to(self.root)), line, rule, text))

    # ---- which layer -------------------------------------------------------------------------

    def layer_of(self, path):
        """The layer of a file below core/src, or None when it is in no layer's folder."""
        parts = path.relative_to(self.src).parts
        return parts[0] if len(parts) == 2 and parts[0] in self.layers else None

    # ---- the rules ---------------------------------------------------------------------------

    def check_size(self, path, lines):
        if len(lines) > MAX_LINES:
            self.error(path, len(lines), "size", f"{len(lines)} lines, more than {MAX_LINES}")
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS:
                self.error(path, number, "size", f"{len(line)} columns, more than {MAX_COLUMNS}")

    def check_includes(self, path, lines, layer):
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, name = match.groups()
            first = name.split("/")[0]
            if quote == "<":
                if first in self.layers and (self.src / name).is_file():
                    self.error(path, number, "include", f'write "{name}", in quotes')
                continue
            if layer and (f"{layer}/{path.name}", name) in FOREIGN_INCLUDES:
                continue
            if (self.include / name).is_file():
                continue
            if layer is None and self.src not in path.parents and (path.parent / name).is_file():
                continue
            if "/" not in name or first not in self.layers or not (self.src / name).is_file():
                self.error(path, number, "include", f'"{name}" is not a file below core/src')
            elif layer and self.layers.index(first) > self.layers.index(layer):
                self.error(path, number, "layer", f'"{name}": {first} is above {layer}')

    def check_conditionals(self, path, lines):
        """Only `#ifndef GUARD, #define GUARD` around a header, and blocks about __cplusplus."""
        depth_allowed = []  # for each open block: is it allowed?
        guard_seen = path.suffix != ".h"
        for number, line in enumerate(lines, 1):
            match = CONDITIONAL.match(line)
            if not match:
                continue
            word, rest = match.group(1), match.group(2).strip()
            if word == "endif":
                if depth_allowed:
                    depth_allowed.pop()
                continue
            if word == "else":
                continue  # reported, if at all, where the block begins
            allowed = bool(re.fullmatch(r"(defined\s*\(?\s*)?__cplusplus\s*\)?", rest))
            if word == "ifndef" and not guard_seen and not depth_allowed:
                following = lines[number] if number < len(lines) else ""
                allowed = re.match(rf"\s*#\s*define\s+{re.escape(rest)}\s*$", following) is not None
                guard_seen = True
            if not allowed:
                self.error(path, number, "if", f"#{word} {rest}: test a constant with if instead")
            if word != "elif":
                depth_allowed.append(allowed)

    def check_names(self, path, text, layer):
        for number, static, defined, name in functions(text):
            if static and path.suffix == ".c":
                if re.match(r"(mi|mic)_|_", name):
                    self.error(path, number, "name", f"{name}: static, but named like a shared one")
            elif name.startswith("mi_"):
                if layer != "api" and (defined or path.suffix == ".h"):
                    self.error(path, number, "name", f"{name}: mi_ functions belong in api/")
            elif (defined or path.suffix == ".h") and not name.startswith("mic_"):
                self.error(path, number, "name", f"{name}: shared by files, so mic_ goes in front")

    def check_alone(self, headers):
        compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            sys.exit("check_layers: no C compiler")
        base = [*compiler.split(), "-std=gnu17", "-fsyntax-only", "-I", self.src, "-I", self.include]

        def compile_one(header):
            done = subprocess.run([*base, "-x", "c", header], capture_output=True, text=True)
            return header, done.returncode, done.stderr

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for header, status, output in pool.map(compile_one, headers):
                if status:
                    first = next((l for l in output.split("\n") if "error" in l), output.strip())
                    self.error(header, 1, "alone", f"does not compile alone: {first}")

    # ---- everything --------------------------------------------------------------------------

    def run(self, compile_headers=True):
        core = sorted(path for path in self.src.rglob("*") if path.suffix in (".c", ".h"))
        for path in core:
            text = path.read_text(encoding="utf-8")
            lines = text.removesuffix("\n").split("\n")
            layer = self.layer_of(path)
            self.check_size(path, lines)
            if layer is None:
                self.error(path, 1, "layer", "is in no folder that core/LAYERS names")
                continue
            self.check_includes(path, lines, layer)
            if layer not in FREE_OF_IF_RULE:
                self.check_conditionals(path, strip(text, keep_strings=True).split("\n"))
            self.check_names(path, text, layer)
        if compile_headers:
            self.check_alone([path for path in core if path.suffix == ".h"])

        bindings = [p for p in (self.root / "bindings").rglob("*") if p.suffix in (".c", ".h")]
        for path in sorted(bindings):
            lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
            self.check_size(path, lines)
            self.check_includes(path, lines, None)
        return len(core) + len(bindings)


# ---- a little C ----------------------------------------------------------------------------------


def strip(text, keep_strings=False):
    """`text` with comments, and strings unless kept, blanked; line breaks stay where they are."""

    def blank(match):
        found = match.group(0)
        if keep_strings and found[0] in "\"'":
            return found
        return re.sub(r"[^\n]", " ", found)

    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, blank, text, flags=re.S)


def without_preprocessor(text):
    """Blanks directives, with their continuation lines, and the opening of extern "C" blocks."""
    lines = text.split("\n")
    inside = False
    for index, line in enumerate(lines):
        if inside or line.lstrip().startswith("#"):
            inside = line.endswith("\\")
            lines[index] = ""
    return "\n".join(lines)


def functions(text):
    """Yields (line, static, defined, name) for each function declared or defined at file level."""
    text = re.sub(r'extern\s*"C"\s*\{', lambda m: " " * len(m.group(0)), text)
    text = without_preprocessor(strip(text))
    start = 0
    depth = 0
    for position, char in enumerate(text):
        if char == "{":
            if depth == 0:
                yield from function_in(text, start, position, True)
            depth += 1
        elif char == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                start = position + 1
        elif char == ";" and depth == 0:
            yield from function_in(text, start, position, False)
            start = position + 1


def function_in(text, start, end, defined):
    """The function of one declaration, text[start:end], if it is one."""
    chunk = text[start:end]
    if re.match(r"\s*(typedef|_Static_assert|static_assert)\b", chunk) or "=" in outside(chunk):
        return
    for match in re.finditer(r"\b([A-Za-z_]\w*)\s*\(", outside(chunk)):
        name = match.group(1)
        if NOT_A_FUNCTION.match(name):
            continue
        before = outside(chunk)[: match.start()].strip()
        if not before:
            return  # a macro that stands alone
        words = set(re.findall(r"\w+", before))
        static = bool(words & {"static", "mic_inline"})
        line = text.count("\n", 0, start + match.start(1)) + 1
        yield line, static, defined, name
        return


def outside(chunk):
    """`chunk` with what stands within parentheses blanked."""
    result = []
    depth = 0
    for char in chunk:
        if char == ")":
            depth -= 1
        result.append(char if depth <= 0 or char == "\n" else " ")
        if char == "(":
            depth += 1
    return "".join(result)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--root", type=pathlib.Path, default=here, help="the tree to check")
    parser.add_argument("--no-compile", action="store_true", help="leave out the rule `alone`")
    arguments = parser.parse_args()

    checker = Checker(arguments.root.resolve())
    count = checker.run(not arguments.no_compile)
    for path, line, rule, text in sorted(checker.errors):
        print(f"{path}:{line}: [{rule}] {text}")
    if checker.errors:
        print(f"check_layers: {len(checker.errors)} violations in {count} files")
        return 1
    print(f"check_layers: {count} files, no violation")
    return 0


if __name__ == "__main__":
    sys.exit(main())
