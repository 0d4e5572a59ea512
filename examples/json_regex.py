"""A workload of many small objects: write and read JSON, and search it with regular expressions.

    LD_PRELOAD=build/release/libmimalloc.so PYTHONMALLOC=malloc python3 examples/json_regex.py [ROUNDS]

Prints a checksum, which depends on ROUNDS only, and the time it took.
"""

import json
import random
import re
import sys
import time
import zlib

WORDS = ["page", "slice", "block", "arena", "thread", "queue", "heap", "bitmap", "inbox", "owner"]
NUMBER = re.compile(r'"size": (\d+)')
TAGS = re.compile(r'"tags": \[((?:"[a-z]+-\d+"(?:, )?)*)\]')
RENAME = re.compile(r"\b(page|block|heap)-(\d+)")


def make_record(rng, number):
    """One record of nested lists and dictionaries, of very different sizes."""
    return {
        "id": number,
        "name": "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(3, 60))),
        "size": rng.randrange(1 << 20),
        "tags": [f"{rng.choice(WORDS)}-{rng.randrange(100)}" for _ in range(rng.randrange(8))],
        "points": [[rng.random(), rng.random()] for _ in range(rng.randrange(12))],
        "note": " ".join(rng.choices(WORDS, k=rng.randrange(40))),
    }


def one_round(rng, kept):
    """Make records, turn them into text and back, and keep a few of the old ones alive."""
    records = [make_record(rng, number) for number in range(1500)]
    text = json.dumps(records)
    parsed = json.loads(text)
    assert parsed == records

    sizes = sum(int(match) for match in NUMBER.findall(text))
    tags = sum(len(match.group(1).split(", ")) for match in TAGS.finditer(text))
    renamed = RENAME.sub(lambda match: f"{match.group(2)}:{match.group(1)}", text)

    kept.extend(rng.sample(parsed, 150))
    if len(kept) > 3000:
        rng.shuffle(kept)
        del kept[1500:]
    return zlib.crc32(renamed.encode(), sizes + tags)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    rng = random.Random(3403)
    kept = []
    checksum = 0
    start = time.perf_counter()
    for _ in range(rounds):
        checksum = (checksum * 31 + one_round(rng, kept)) & 0xFFFFFFFF
    seconds = time.perf_counter() - start
    print(f"checksum {checksum:08x}, {rounds} rounds, {seconds:.2f} s")


if __name__ == "__main__":
    main()
