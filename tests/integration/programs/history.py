"""Writes a made-up history for `git fast-import` to stdout, always the same. Argument: commits.

Each commit changes three files in two folders, and so adds about seven objects.
"""

import random
import sys

commits = int(sys.argv[1])
chance = random.Random(20000)
words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=k % 9 + 1)) for k in range(3000)]
files = {}
out = sys.stdout.buffer


def data(content):
    out.write(b"data %d\n" % len(content) + content + b"\n")


def line():
    return " ".join(chance.choices(words, k=chance.randrange(1, 12)))


for number in range(1, commits + 1):
    branch = "main" if number % 10 else "side"
    out.write(b"commit refs/heads/%s\nmark :%d\n" % (branch.encode(), number))
    out.write(b"committer A Name <name@example.org> %d +0000\n" % (1_600_000_000 + number * 60))
    data(f"{line()}\n\n{line()}\n".encode())
    if number % 50 == 0:
        out.write(b"merge :%d\n" % (number - 1))
    folders = chance.sample(range(40), 2)
    for folder in (folders[0], *folders):
        path = f"folder-{folder}/file-{chance.randrange(30)}"
        lines = files.setdefault(path, [line() for _ in range(chance.randrange(5, 200))])
        for _ in range(chance.randrange(1, 6)):
            lines[chance.randrange(len(lines))] = f"{number}: {line()}"
        lines.insert(chance.randrange(len(lines) + 1), line())
        out.write(f"M 100644 inline {path}\n".encode())
        data("\n".join(lines).encode())
out.write(b"done\n")
