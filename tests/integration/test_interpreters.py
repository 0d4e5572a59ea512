"""Interpreters and other programs that read a script: the same output without and with."""

import random
import re

import pytest
from preload_harness import PROGRAMS, need, same_bytes, same_files, scaled


@pytest.mark.parametrize(
    ("program", "package", "script", "rounds"),
    [
        ("perl", "perl", "churn.pl", 20),
        ("lua5.4", "lua5.4", "churn.lua", 20),
        ("node", "nodejs", "churn.js", 15),
    ],
)
def test_script(preload, tmp_path, program, package, script, rounds):
    argv = [need(program, package), PROGRAMS / script, scaled(rounds)]
    preload.compare(program, argv, cwd=tmp_path, timeout=120)


def test_node_with_a_small_heap(preload, tmp_path):
    """Collects all the time, and gives memory back in between."""
    node = need("node", "nodejs")
    argv = [node, "--max-semi-space-size=1", "--gc-interval=5000", PROGRAMS / "churn.js", scaled(5)]
    preload.compare("node, small heap", argv, cwd=tmp_path, timeout=120)


def test_cpython_without_its_own_allocator(preload, tmp_path):
    argv = ["/usr/bin/python3", PROGRAMS / "churn.py", scaled(30)]
    preload.compare("CPython", argv, cwd=tmp_path, env={"PYTHONMALLOC": "malloc"})


# --- sqlite3 -------------------------------------------------------------------------------------


def _sql(rows):
    chance = random.Random(1)
    word = lambda most: "".join(chance.choices("abcdefghij klmnop", k=chance.randrange(1, most)))
    yield "pragma journal_mode=wal; pragma cache_size=400;"
    yield "create table person (id integer primary key, name text, town text, born integer);"
    yield "create table visit (person integer, place text, note blob, at real);"
    yield "begin;"
    for i in range(rows):
        town = chance.randrange(200)
        yield f"insert into person values ({i}, '{word(30)}', 'town {town}', {1900 + i % 120});"
        for _ in range(chance.randrange(4)):
            note = chance.randrange(1, 600)
            yield (
                f"insert into visit values ({chance.randrange(rows)}, '{word(12)}', "
                f"zeroblob({note}), {chance.random():.9f});"
            )
        if i % 5000 == 4999:
            yield "commit; begin;"
    yield "commit;"
    yield "create index by_town on person (town, name); create index by_person on visit (person);"
    yield "select town, count(*), group_concat(substr(name, 1, 2), '') from person group by town;"
    yield (
        "select p.town, count(v.place), sum(length(v.note)), round(sum(v.at), 6) from person p "
        "join visit v on v.person = p.id join person q on q.id = v.person + 1 "
        "group by p.town order by 3 desc, 1 limit 50;"
    )
    yield "update person set name = name || upper(name) where id % 3 = 0;"
    yield "delete from visit where at < 0.3;"
    yield (
        "with recursive n(i, s) as (select 1, 'x' union all select i + 1, s || i from n "
        f"where i < {min(rows, 3000)}) select count(*), max(length(s)) from n;"
    )
    yield "select id, name, row_number() over (partition by town order by name, id) from person;"
    yield "create virtual table words using fts5(body);"
    yield "insert into words select name || ' ' || town from person;"
    yield "select count(*) from words where words match 'town';"
    yield "drop index by_town; vacuum; reindex; analyze;"
    yield "pragma integrity_check; select count(*), total(length(note)) from visit;"
    yield ".dump"


def test_sqlite3(preload, tmp_path):
    script = tmp_path / "script.sql"
    script.write_text("\n".join(_sql(scaled(30000, most=200000))) + "\n")
    argv = [need("sqlite3", "sqlite3"), "data.db"]
    plain, _ = preload.compare("sqlite3", argv, cwd=tmp_path, stdin=script, timeout=120)
    assert b"\nok\n" in plain.stdout, plain.describe()


# --- ghostscript ---------------------------------------------------------------------------------


def _without_dates(pdf):
    """A PDF document less the dates and identifiers that differ from run to run."""
    pdf = re.sub(rb"(D:|<xmp:\w+Date>)[-+0-9:TZ']+", b"DATE", pdf)
    pdf = re.sub(rb"uuid:[-0-9a-f]+", b"UUID", pdf)
    return re.sub(rb"/ID\s*\[.*?\]", b"/ID", pdf, flags=re.DOTALL)


def _ghostscript(pages, device, output):
    gs = need("gs", "ghostscript")
    options = ["-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", f"-dpages={pages}", f"-sDEVICE={device}"]
    return [gs, *options, "-r100", f"-sOutputFile={output}", PROGRAMS / "drawing.ps"]


def test_ghostscript_to_pixels(preload, tmp_path):
    pages = scaled(10, most=60)
    argv = _ghostscript(pages, "ppmraw", "page-%d.ppm")
    preload.compare("ghostscript, ppm", argv, cwd=tmp_path, timeout=120)
    same_files(tmp_path, [f"page-{n}.ppm" for n in range(1, pages + 1)])


def test_ghostscript_to_pdf(preload, tmp_path):
    argv = _ghostscript(scaled(40), "pdfwrite", "out.pdf")
    preload.compare("ghostscript, pdf", argv, cwd=tmp_path, timeout=120)
    documents = [(tmp_path / side / "out.pdf").read_bytes() for side in ("without", "with")]
    assert len(documents[0]) > 10000
    same_bytes("out.pdf", *map(_without_dates, documents))


# --- z3 ------------------------------------------------------------------------------------------


def _smt2(size):
    """Boolean clauses, bit vectors, linear arithmetic and arrays; satisfiable or not."""
    chance = random.Random(3)
    yield "(set-option :produce-models true)"
    yield from (f"(declare-const p{i} Bool)" for i in range(size))
    for _ in range(int(size * 4.1)):
        literals = [f"p{i}" if chance.random() < 0.5 else f"(not p{i})"
                    for i in chance.sample(range(size), 3)]
        yield f"(assert (or {' '.join(literals)}))"
    yield "(check-sat)\n(push)"
    yield from (f"(declare-const b{i} (_ BitVec 16))" for i in range(6))
    yield "(assert (= (bvmul b0 b1) #x6f31))\n(assert (bvugt b0 #x0001))\n(assert (bvugt b1 #x0001))"
    yield "(assert (= (bvadd b2 (bvshl b3 b4)) (bvxor b0 b5)))\n(check-sat)\n(pop)\n(push)"
    yield from (f"(declare-const x{i} Int)" for i in range(30))
    for _ in range(60):
        a, b, c = chance.sample(range(30), 3)
        n, m = chance.randrange(1, 9), chance.randrange(-50, 400)
        yield f"(assert (<= (+ (* {n} x{a}) x{b}) (+ x{c} {m})))"
        yield f"(assert (or (> x{a} (+ x{b} 3)) (> x{c} {abs(m)})))"
    yield "(check-sat)\n(pop)\n(push)"
    yield "(declare-const f (Array Int Int))\n(declare-const g (Array Int Int))"
    for i in range(40):
        yield f"(assert (= (select (store f {i} {i * 3}) {i + 1}) (select g {i})))"
        yield f"(assert (distinct (select f {i}) (select g {i + 2})))"
    yield "(check-sat)\n(pop)"


def test_z3(preload, tmp_path):
    problem = tmp_path / "problem.smt2"
    problem.write_text("\n".join(_smt2(scaled(150, most=230))) + "\n")
    argv = [need("z3", "z3"), "-T:200", "smt.random_seed=5", "sat.random_seed=5", problem]
    plain, _ = preload.compare("z3", argv, cwd=tmp_path, timeout=200)
    assert len(re.findall(r"^(?:un)?sat$", plain.text(), re.M)) == 4, plain.describe()
