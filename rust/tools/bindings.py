#!/usr/bin/env python3
"""Writes the functions of mimalloc-core-sys from the C headers; run it after a change of these.

    rust/tools/bindings.py           writes rust/mimalloc-core-sys/src/functions.rs
    rust/tools/bindings.py --check   writes nothing; status 1 if that is out of date

The tests of the crate compare what is written here with the headers, by the C compiler.
"""

import pathlib
import re
import subprocess
import sys
import textwrap

RUST = pathlib.Path(__file__).resolve().parents[1]
CORE = RUST.parent / "core"
CRATE = RUST / "mimalloc-core-sys"
PREFIX = "mimalloc_core_"

# In the order of mimalloc.h.
HEADERS = ["", "-arena", "-heap", "-options", "-posix", "-process", "-stats", "-ext"]

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


def formatted(text):
    command = ["rustfmt", "--edition", "2021", "--config-path", str(RUST)]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    path, text = CRATE / "src/functions.rs", formatted(functions_rs())
    if path.read_text() == text:
        return 0
    if check:
        print(f"{path.relative_to(RUST.parent)}: out of date: run rust/tools/bindings.py")
        return 1
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
