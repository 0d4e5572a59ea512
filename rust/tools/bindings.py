#!/usr/bin/env python3
"""Writes the parts of mimalloc-core-sys that follow from the C sources; run it after a change there.

    rust/tools/bindings.py           src/functions.rs and c/prefix.h
    rust/tools/bindings.py --check   writes nothing; status 1 if one of them is out of date

src/functions.rs declares every function of core/include; c/prefix.h renames every function and
variable of the core that other objects can see, so that a program may contain another library with
the same names. The tests of the crate compare what is written here with the header, by the compiler
and by nm.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap

RUST = pathlib.Path(__file__).resolve().parents[1]
CORE = RUST.parent / "core"
CRATE = RUST / "mimalloc-core-sys"
PREFIX = "mimalloc_core_"

# In the order of mimalloc.h.
HEADERS = ["", "-arena", "-heap", "-options", "-posix", "-process", "-stats", "-ext"]

MODES = [[], ["-DMIC_MODE_DEBUG=1"], ["-DMIC_MODE_SECURE=1", "-DMIC_MODE_HARDENED=1"]]
TEXT = {"capture_output": True, "text": True}

TYPES = {
    "void": "c_void", "char": "c_char", "unsigned char": "c_uchar", "wchar_t": "wchar_t",
    "int": "c_int", "long": "c_long", "size_t": "usize", "bool": "bool", "double": "f64",
}
CALLBACKS = {
    "mi_deferred_free_fun", "mi_output_fun", "mi_error_fun", "mi_block_visit_fun",
    "mi_heap_visit_fun", "mi_commit_fun_t",
}
KEYWORDS = {"fn", "type", "ref", "in", "move"}


def rust_type(text):
    """The Rust type of a C type as the headers write it: `const char *`, `mi_heap_t *`, `size_t`."""
    stars = text.count("*")
    words = text.replace("*", " ").split()
    constant = "const" in words
    name = " ".join(word for word in words if word not in ("const", "mi_decl_restrict"))
    if name in CALLBACKS:
        assert stars == 1, text
        return f"Option<{name}>"
    result = TYPES.get(name, name)
    for level in range(stars):
        result = f"*{'const' if constant and level == 0 else 'mut'} {result}"
    return result


def parameter(text):
    found = re.fullmatch(r"(.*?)(\w+)", text.strip())
    name = found.group(2)
    return (f"{name}_" if name in KEYWORDS else name), rust_type(found.group(1))


def doc_lines(comment):
    """A comment of the header as Rust documentation."""
    text = " ".join(line.strip() for line in comment.strip().split("\n"))
    text = re.sub(r"\s+", " ", text).replace("<", "\\<").replace("[", "\\[").replace("]", "\\]")
    # Names stay code; the generated documentation is no place for links into C.
    text = re.sub(r"(?<![`\w])(mi_\w+(?:\(\))?|`[^`]*`)", lambda m: f"`{m.group(1).strip('`')}`", text)
    parts = re.split(r" ?@(param|return|deprecated) ", text)
    lines = textwrap.wrap(parts[0], 94) if parts[0] else []
    for kind, body in zip(parts[1::2], parts[2::2]):
        if kind == "param":
            name, _, rest = body.partition(" ")
            body = f"- `{name}`: {rest.strip()}"
        elif kind == "return":
            body = f"- returns {body}"
        else:
            body = f"- deprecated: {body}"
        if lines and not lines[-1].startswith(("- ", "  ")):
            lines.append("")
        lines += textwrap.wrap(body, 94, subsequent_indent="  ")
    return lines


def declarations():
    """(comment, result, name, parameters) of each function that the headers declare."""
    pattern = re.compile(
        r"(?:/\*\*((?:(?!\*/).)*)\*/\s*)?((?:mi_decl_nodiscard\s+)?mi_decl_export\b[^;{]*);", re.DOTALL
    )
    for suffix in HEADERS:
        text = (CORE / "include" / f"mimalloc{suffix}.h").read_text()
        for comment, statement in pattern.findall(text):
            statement = re.sub(r"\bmi_attr_\w+(\([\d, ]*\))?", "", statement)
            statement = re.sub(r"\bmi_decl_\w+", "", statement)
            statement = " ".join(statement.split())
            found = re.fullmatch(r"(.*?)(mi_\w+)\((.*)\)", statement)
            result, name, arguments = found.groups()
            arguments = [] if arguments == "void" else [parameter(one) for one in arguments.split(",")]
            yield comment, result.strip(), name, arguments


def functions_rs():
    lines = [
        "// Written by rust/tools/bindings.py from core/include: do not edit.",
        "use crate::*;",
        "",
        'extern "C" {',
    ]
    for comment, result, name, arguments in declarations():
        lines += [f"    /// {line}".rstrip() for line in doc_lines(comment)]
        lines.append(f'    #[cfg_attr(mimalloc_core_prefixed, link_name = "{PREFIX}{name[3:]}")]')
        tail = "" if result == "void" else f" -> {rust_type(result)}"
        one = f"    pub fn {name}({', '.join(f'{n}: {t}' for n, t in arguments)}){tail};"
        if len(one) <= 100:
            lines.append(one)
        else:
            lines.append(f"    pub fn {name}(")
            lines += [f"        {n}: {t}," for n, t in arguments]
            lines.append(f"    ){tail};")
    return "\n".join([*lines, "}", ""])


def shared_names():
    """Functions and variables of the core that have external linkage, in whatever mode."""
    sources = sorted(CORE.glob("src/*/*.c"))
    with tempfile.TemporaryDirectory() as folder:

        def names_of(job):
            number, (mode, source) = job
            made = f"{folder}/{number}.o"
            command = ["cc", "-std=gnu17", "-w", "-O0", "-fPIC", *mode, "-c", str(source), "-o", made]
            command += [f"-I{CORE}/src", f"-I{CORE}/include"]
            subprocess.run(command, check=True)
            listed = subprocess.run(["nm", "-g", "-j", "--defined-only", made], check=True, **TEXT)
            return listed.stdout.split()

        jobs = enumerate((mode, source) for mode in MODES for source in sources)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return sorted({name for names in pool.map(names_of, jobs) for name in names})


def prefix_h():
    lines = [
        "/* Written by rust/tools/bindings.py from the sources of the core: do not edit.",
        "   Included before everything else, it renames what other objects can see. */",
        "#ifndef MIMALLOC_CORE_PREFIX_H",
        "#define MIMALLOC_CORE_PREFIX_H",
        "",
    ]
    for name in shared_names():
        short = name[3:] if name.startswith("mi_") else name
        lines.append(f"#define {name} {PREFIX}{short}")
    return "\n".join([*lines, "", "#endif", ""])


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    stale = False
    for path, text in ((CRATE / "src/functions.rs", functions_rs()), (CRATE / "c/prefix.h", prefix_h())):
        if path.exists() and path.read_text() == text:
            continue
        stale = True
        if check:
            print(f"{path.relative_to(RUST.parent)}: out of date: run rust/tools/bindings.py")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
