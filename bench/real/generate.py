"""Writes the inputs of the real programs: SQL, SMT, PostScript, and a git repository.

The same seed gives the same bytes on every machine. `ensure(folder)` does nothing when they exist.
"""

import os
import pathlib
import random
import shutil
import subprocess

VERSION = "3"  # change it when an input changes


def sql(rows):
    lines = [
        "PRAGMA cache_size = -64000;",
        "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL, kind INT, note TEXT);",
        "CREATE TABLE sale (id INTEGER PRIMARY KEY, item INT, amount INT, day TEXT);",
        "BEGIN;",
        # A linear congruential sequence stands in for random(), which cannot be seeded.
        f"WITH RECURSIVE n(i, x) AS (SELECT 1, 42 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) %"
        f" 2147483648 FROM n WHERE i < {rows}) INSERT INTO item SELECT i, 'item ' || (x / 65536 %"
        " 5000), (x / 65536 % 10000) / 100.0, x / 4096 % 50, hex(x) || ' ' || hex(x * 31) FROM n;",
        f"WITH RECURSIVE n(i, x) AS (SELECT 1, 7 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) %"
        f" 2147483648 FROM n WHERE i < {rows * 2}) INSERT INTO sale SELECT i, x / 65536 % {rows},"
        " x / 4096 % 20, date('2001-01-01', '+' || (x / 65536 % 3000) || ' days') FROM n;",
        "COMMIT;",
        "CREATE INDEX sale_item ON sale(item);",
        "CREATE INDEX item_name ON item(name, price);",
        "SELECT kind, count(*), sum(price), max(note) FROM item GROUP BY kind ORDER BY kind;",
        "SELECT i.kind, s.day, sum(s.amount) AS t FROM sale s JOIN item i ON i.id = s.item"
        " GROUP BY i.kind, s.day ORDER BY t DESC, i.kind, s.day LIMIT 20;",
        "SELECT length(group_concat(upper(name) || '/' || replace(note, '3', 'three'), ',')) FROM item"
        " WHERE kind % 3 = 1;",
        "UPDATE item SET note = note || ' ' || name WHERE id % 4 = 0;",
        "DELETE FROM sale WHERE amount < 5;",
        "SELECT count(DISTINCT day), count(*), total(amount) FROM sale;",
    ]
    return "\n".join(lines) + "\n"


def smt(pigeons, equations, seed):
    """Pigeons that do not fit their holes (no model), and equations over integers (one)."""
    rng = random.Random(seed)
    lines = ["(push)"]
    holes = range(pigeons - 1)
    lines += [f"(declare-const p{i}h{j} Bool)" for i in range(pigeons) for j in holes]
    for i in range(pigeons):
        lines.append("(assert (or " + " ".join(f"p{i}h{j}" for j in holes) + "))")
    for j in holes:
        lines += [f"(assert (not (and p{i}h{j} p{k}h{j})))"
                  for i in range(pigeons) for k in range(i)]
    lines += ["(check-sat)", "(pop)"]
    names = [f"x{i}" for i in range(equations)]
    values = {name: rng.randrange(40) for name in names}
    lines += [f"(declare-const {name} Int)" for name in names]
    lines += [f"(assert (and (<= 0 {name}) (< {name} 40)))" for name in names]
    for _ in range(equations - 2):
        some = rng.sample(names, 5)
        factors = [rng.randrange(-9, 10) or 1 for _ in some]
        result = sum(f * values[name] for f, name in zip(factors, some))
        products = " ".join(f"(* {f if f >= 0 else f'(- {-f})'} {name})"
                            for f, name in zip(factors, some))
        right = result if result >= 0 else f"(- {-result})"
        lines.append(f"(assert (= (+ {products}) {right}))")
    return "\n".join(lines + ["(check-sat)", ""])


def postscript(pages):
    return f"""%!PS
/seed 17 def
/random {{ /seed seed 1103515 mul 12345 add 1048576 mod def seed 64 idiv exch mod }} def
/Helvetica findfont 9 scalefont setfont
1 1 {pages} {{
    pop
    1 1 1500 {{
        dup 60 mod 9 mul 20 add exch 60 idiv 26 mul 40 add moveto
        100 random 100 div 100 random 100 div 0.5 setrgbcolor
        30 random 20 random rlineto 20 random 10 random 5 3 8 random 9 rcurveto stroke
    }} for
    1 1 300 {{
        dup 5 mod 110 mul 20 add exch 5 idiv 12 mul 40 add moveto
        1000 random 20 string cvs show ( of a report) show
    }} for
    1 1 200 {{ pop 500 random array {{ pop 10 random pop }} forall }} for
    showpage
}} for
"""


def repository(folder, commits):
    """A repository of `commits` commits on a few dozen growing text files, by git fast-import."""
    rng = random.Random(41)
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randrange(3, 10))) for _ in range(2000)]
    files = {f"src/part{i % 6}/file{i}.txt": [] for i in range(48)}
    stream = []
    for number in range(commits):
        message = f"change {number}"
        stream.append(f"commit refs/heads/main\ncommitter A <a@example.org> {1000000000 + number} +0000\n")
        stream.append(f"data {len(message)}\n{message}\n")
        for path in rng.sample(sorted(files), 3):
            lines = files[path]
            for _ in range(20):
                lines.insert(rng.randrange(len(lines) + 1), " ".join(rng.choices(words, k=9)))
            text = "\n".join(lines) + "\n"
            stream.append(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n")
    subprocess.run(["git", "init", "-q", "--bare", folder], check=True)
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], check=True,
                   input="".join(stream).encode(),
                   env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1"})


def ensure(folder):
    folder = pathlib.Path(folder)
    mark = folder / "version"
    if mark.exists() and mark.read_text() == VERSION:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, part in (("quick", 0.2), ("full", 1.0)):
        (folder / f"{name}.sql").write_text(sql(int(120000 * part)))
        (folder / f"{name}.ps").write_text(postscript(int(50 * part)))
        (folder / f"{name}.smt2").write_text(smt(*((8, 14) if name == "quick" else (9, 30)), 5))
        repository(str(folder / f"{name}.git"), int(800 * part))
    mark.write_text(VERSION)
