"""Documents as text, parsed and written again; a few stay. Stands for services that speak JSON."""
import json
import random
import sys
import zlib

rng = random.Random(21)


def value(depth):
    kind = rng.randrange(6 if depth > 0 else 3)
    if kind == 0:
        return rng.randrange(1 << 40)
    if kind == 1:
        return "".join(rng.choices("etaoinshrdlu ", k=rng.randrange(60)))
    if kind == 2:
        return rng.random()
    if kind == 3:
        return [value(depth - 1) for _ in range(rng.randrange(8))]
    return {f"field-{rng.randrange(50)}": value(depth - 1) for _ in range(rng.randrange(10))}


scale = int(sys.argv[1])
texts = [json.dumps([value(4) for _ in range(40)]) for _ in range(20)]
kept, check = [], 0
for number in range(max(1, 320 * scale // 100)):
    document = json.loads(texts[number % len(texts)])
    written = json.dumps(document, sort_keys=True, indent=number % 3)
    check = zlib.crc32(written.encode(), check)
    kept.append(document)
    if len(kept) > 40:
        kept.pop(rng.randrange(len(kept)))
print("check", check)
