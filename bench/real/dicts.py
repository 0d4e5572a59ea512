"""Dictionaries of objects, filled, thinned out and grouped. Stands for caches and for joins."""
import random
import sys


class Item:
    def __init__(self, number):
        self.number = number
        self.name = f"item {number}"
        self.tags = {number % 7, number % 11}


rng = random.Random(22)
scale = int(sys.argv[1])
cache, check = {}, 0
for number in range(max(1, 300000 * scale // 100)):
    cache[rng.randrange(40000)] = Item(number)
    if number % 3 == 0:
        cache.pop(rng.randrange(40000), None)
    if number % 50000 == 0:
        groups = {}
        for key, item in cache.items():
            groups.setdefault(item.number % 1000, []).append((key, item.name))
        check += sum(len(group) * key for key, group in groups.items())
print("check", check, sum(item.number for item in cache.values()))
