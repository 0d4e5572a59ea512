"""Many lists that grow side by side, are sliced, joined and sorted. Stands for data preparation."""
import random
import sys

rng = random.Random(23)
scale = int(sys.argv[1])
check = 0
for _ in range(max(1, 12 * scale // 100)):
    columns = [[] for _ in range(200)]
    for number in range(120000):
        column = columns[number * 7 % 200 if number & 1 else number % 13]
        column.append((number, number / 3))
    halves = [column[: len(column) // 2] for column in columns]
    joined = sum(halves[:20], [])
    joined.sort(key=lambda pair: -pair[1])
    check += joined[len(joined) // 2][0] + sum(map(len, halves))
    rows = list(zip(*(column[:200] for column in columns[:60])))
    check += len(rows)
print("check", check)
