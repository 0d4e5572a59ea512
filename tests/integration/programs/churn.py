"""SQLite in threads, big integers, growing lists, zlib, XML: through CPython. Argument: rounds."""

import hashlib
import random
import sqlite3
import sys
import threading
import xml.etree.ElementTree as ElementTree
import zlib

rounds = int(sys.argv[1])
results = {}


def database(seed):
    chance = random.Random(seed)
    base = sqlite3.connect(":memory:")
    base.execute("create table t (k integer primary key, name text, data blob)")
    base.create_function("twice", 1, lambda text: text + text)
    base.create_collation("backwards", lambda a, b: (a < b) - (a > b))
    for i in range(rounds * 60):
        name = "%x" % chance.getrandbits(chance.randrange(8, 200))
        base.execute("insert into t (name, data) values (?, ?)", (name, bytes(chance.randrange(2000))))
        if i % 7 == 0:
            base.execute("delete from t where k = ?", (chance.randrange(i + 1),))
    rows = base.execute(
        "select twice(name), length(data) from t order by name collate backwards"
    ).fetchall()
    base.commit()
    copy = sqlite3.connect(":memory:")
    base.backup(copy)
    text = "\n".join(copy.iterdump())
    results[seed] = hashlib.sha256((repr(rows) + text).encode()).hexdigest()
    base.close()
    copy.close()


for _ in range(3):
    threads = [threading.Thread(target=database, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(sorted(results.items()))

number = 1
for i in range(1, rounds * 100):
    number *= i
print(hashlib.sha256(number.to_bytes(number.bit_length() // 8 + 1, "big")).hexdigest())

lists = [[] for _ in range(50)]
text = bytearray()
for i in range(rounds * 2000):
    lists[i % 50].append(str(i))
    text += b"%d," % i
packed = zlib.compress(bytes(text), 9)
print(len(packed), zlib.decompress(packed) == text, sum(map(len, lists)))

root = ElementTree.Element("root")
for i in range(rounds * 100):
    ElementTree.SubElement(root, "item", n=str(i)).text = "text & more " * (i % 9)
document = ElementTree.tostring(root)
print(hashlib.sha256(document).hexdigest(), len(ElementTree.fromstring(document)))
