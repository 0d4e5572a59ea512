#!/usr/bin/env python3
"""Writes docs/OPTIONS.md from the options table of core/src/rt/options.c.

    tools/gen_options.py            writes the file
    tools/gen_options.py --check    exits 1 when the file is not current
    tools/gen_options.py --json     prints the table

The table is asked, not parsed: a small program is compiled with the release settings of the core
(with $CC, or cc) that calls mic_option_describe for each row.
"""

import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "OPTIONS.md"
UPSTREAM_COUNT = 47  # numbers below this are mimalloc's own

# Names, kinds and sentences are plain text without quotes or backslashes: no escaping is needed.
PROGRAM = r"""
#include <stdio.h>
#include "os/tls.h"
#include "rt/options.h"

mic_thread_local mic_tls_t mic_tls; /* rt/lock.c takes its address as the thread's identity */

int main(void)
{
    mic_option_row_t row;
    for (int i = 0; mic_option_describe(i, &row); i++)
        printf("%s{\"number\": %d, \"name\": \"%s\", \"legacy\": \"%s\", \"kind\": \"%s\", "
               "\"initial\": %ld, \"sentence\": \"%s\"}\n",
               i == 0 ? "[" : ",", row.number, row.name, row.legacy == NULL ? "" : row.legacy,
               row.kind, row.initial, row.sentence);
    puts("]");
    return 0;
}
"""

HEAD = """\
# Options

<!-- Written by tools/gen_options.py from the table in core/src/rt/options.c. Do not edit. -->

Each option is an environment variable `MIMALLOC_<NAME>`, read when the process starts:

    MIMALLOC_PURGE_DELAY=100 MIMALLOC_SHOW_STATS=1 ./program

Upper and lower case are the same. A program can set it too, with `mi_option_set(mi_option_<name>,
value)`, and then has the last word. A value that is set later than at start is used from then on,
where the table does not say that something is done at start or when memory is reserved: such an
option is better set in the environment. The environment is ignored in programs that run with raised rights (set-user-ID,
file capabilities).

A value is

* a number, which may be negative, or
* `1`, `TRUE`, `YES`, `ON` or `0`, `FALSE`, `NO`, `OFF`; for an option of kind *bool* also an empty
  value, which counts as 1;
* for an option of kind *size*, a number of KiB, or a number with one of the suffixes `K`, `M`, `G`,
  `T`, which may be followed by `B` or `iB`: `MIMALLOC_REGION_SIZE=64GiB`. All are powers of 1024.

Anything else is reported on stderr, once, and the option keeps its default. With
`MIMALLOC_VERBOSE=1` the options that differ from their defaults are printed at start, and variables
that look like options but are none are reported. Defaults are those of the release build; a build
can have others for some options, for instance with
`-DMI_EXTRA_CPPDEFS="MI_DEFAULT_ALLOW_THP=0;MI_DEFAULT_VERBOSE=1"` (`core/src/base/defaults.h` has
the names).
"""


def read_table():
    """The rows of the table, as dictionaries, in the order of their numbers."""
    core = ROOT / "core" / "src"
    sources = sorted((core / "rt").glob("*.c")) + [core / "os" / "linux.c"]
    with tempfile.TemporaryDirectory() as folder:
        main = pathlib.Path(folder) / "main.c"
        program = pathlib.Path(folder) / "main"
        main.write_text(PROGRAM, encoding="ascii")
        compiler = shlex.split(os.environ.get("CC", "cc"))
        command = [*compiler, "-std=gnu17", "-w", f"-I{core}", "-o", program, main, *sources]
        subprocess.run([*command, "-lpthread"], check=True)
        return json.loads(subprocess.run([program], check=True, capture_output=True).stdout)


def has_effect(row):
    """False for options that are accepted only because other versions have them."""
    return not row["sentence"].startswith("No effect")


def default_text(row):
    """The default with its unit, sizes in the largest that fits."""
    value = row["initial"]
    if row["kind"] == "ms":
        return f"{value} ms"
    if row["kind"] != "size" or value == 0:
        return str(value)
    for unit in ("KiB", "MiB", "GiB"):
        if value % 1024 != 0:
            return f"{value} {unit}"
        value //= 1024
    return f"{value} TiB"


def table(rows):
    """A Markdown table of rows."""
    lines = ["| option | no. | kind | default | what it does |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        cells = (f"`{row['name']}`", str(row["number"]), row["kind"], default_text(row))
        lines.append(f"| {' | '.join(cells)} | {row['sentence']} |")
    return "\n".join(lines) + "\n"


def document(rows):
    """The text of docs/OPTIONS.md."""
    effective = [row for row in rows if has_effect(row)]
    inert = [row for row in rows if not has_effect(row)]
    upstream = [row for row in effective if row["number"] < UPSTREAM_COUNT]
    ours = [row for row in effective if row["number"] >= UPSTREAM_COUNT]
    names = [f"| `{row['legacy']}` | `{row['name']}` |" for row in rows if row["legacy"]]
    parts = [
        HEAD,
        "## Options of mimalloc\n",
        table(upstream),
        "## Options of this implementation\n",
        table(ours),
        "## Accepted without effect\n",
        "They can be set and read, so that programs and scripts keep working.\n",
        table(inert),
        "## Older names\n",
        "An older name works as long as the current one is not set.\n",
        "| older name | option |\n| --- | --- |\n" + "\n".join(names) + "\n",
    ]
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when the file is not current")
    parser.add_argument("--json", action="store_true", help="print the table")
    arguments = parser.parse_args()
    rows = read_table()
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    text = document(rows)
    if not arguments.check:
        DOCUMENT.write_text(text, encoding="utf-8")
        return 0
    if DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == text:
        return 0
    print("docs/OPTIONS.md is not current: run tools/gen_options.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
