"""Texts cut, replaced, counted and joined. Stands for log and text processing."""
import random
import re
import sys
import zlib

rng = random.Random(24)
scale = int(sys.argv[1])
words = ["".join(rng.choices("abcdefghij", k=rng.randrange(2, 14))) for _ in range(3000)]
check = 0
for _ in range(max(1, 24 * scale // 100)):
    lines = [" ".join(rng.choices(words, k=rng.randrange(4, 24))) for _ in range(4000)]
    text = "\n".join(lines)
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    changed = re.sub(r"\b([a-c]+)(\w*)", lambda match: match[2] + match[1].upper(), text)
    parts = [line.partition(" ")[2].title().encode() for line in changed.splitlines()]
    check = zlib.crc32(b"|".join(parts), check) + len(counts)
print("check", check)
