"""Thirteen workloads in pure Python, for comparing allocators under the interpreter.

Each function takes a size, where 1000 is about 0.15 seconds on a machine of 2020, does work in
proportion to it, and returns a value that depends on all of it and not on the allocator. None reads
a clock or a random number that is not seeded. Modules are imported at the top, so that a run of size
0 pays for the same start.
"""

import collections
import gc
import json
import pickle
import random
import re
import threading


def _tree(depth):
    return (_tree(depth - 1), _tree(depth - 1)) if depth else (None, None)


def _count(tree):
    left, right = tree
    return 1 if left is None else 1 + _count(left) + _count(right)


def binary_trees(size):
    """Trees of tuples: built, walked and dropped; one is held all the time."""
    held = _tree(min(13, max(1, size.bit_length() + 3)))
    nodes = 0
    for _ in range(size * 5 // 2):
        nodes += _count(_tree(8)) + _count(_tree(6))
    return nodes + _count(held)


class _Node:
    def __init__(self, number):
        self.number = number
        self.others = []
        self.table = {}


def gc_traversal(size):
    """Objects in cycles, which only the collector can free, under a big live graph."""
    live = [{"number": number, "parts": [number, (number, str(number))]} for number in range(size * 60)]
    found = 0
    for round_number in range(8):
        nodes = [_Node(number) for number in range(size * 12)]
        for number, node in enumerate(nodes):
            node.others.append(nodes[number - 1])
            node.table["next"] = nodes[(number * 7 + round_number) % len(nodes)]
        nodes = node = None
        found += gc.collect()
    return len(live), found


def json_(size):
    """A document of nested records, to text and back."""
    chance = random.Random(3)
    records = [
        {
            "id": number,
            "name": f"record {number}",
            "tags": [f"tag{chance.randrange(50)}" for _ in range(chance.randrange(6))],
            "place": {"x": chance.random(), "y": chance.random(), "near": [None, True, False]},
            "text": "word " * chance.randrange(30),
        }
        for number in range(size * 2)
    ]
    length = 0
    for _ in range(14):
        text = json.dumps(records)
        length += len(text)
        records = json.loads(text)
    return length, len(records)


class _Point:
    def __init__(self, x, y, label):
        self.x, self.y, self.label = x, y, label


def pickle_(size):
    """Objects, tuples, sets and bytes through pickle."""
    chance = random.Random(5)
    things = [
        (_Point(number, chance.random(), f"p{number % 97}"), {number, number + 1}, bytes(number % 300))
        for number in range(size * 6)
    ]
    length = 0
    for _ in range(14):
        data = pickle.dumps(things, protocol=4)
        length += len(data)
        things = pickle.loads(data)
    return length, len(things)


def strings(size):
    """Splitting, joining, formatting, replacing and slicing text."""
    line = "the quick brown fox jumps over the lazy dog, and then some more of it"
    total = 0
    for number in range(size * 100):
        words = line.split(" ")
        words.reverse()
        text = "-".join(words).upper()
        text = text.replace("FOX", f"<{number:06d}>") + text[10:40]
        total += len(text) + len(text.encode()) + text.count("O")
        total += len(f"{number}:{text[:20]!r}:{number / 7:.3f}")
    parts = []
    for number in range(size * 150):
        parts.append(str(number))
    return total, len(",".join(parts))


def regex(size):
    """Finding and substituting in a log of made-up requests."""
    chance = random.Random(7)
    log = "\n".join(
        f"10.0.{chance.randrange(256)}.{chance.randrange(256)} - user{chance.randrange(99)} "
        f'"GET /a/{chance.randrange(10**6)}/b.html?key={chance.randrange(10**4)}" 200'
        for _ in range(size * 5)
    )
    entry = re.compile(r'^(\S+) - (\w+) "(GET|POST) ([^"?]*)\?(\w+)=(\d+)" (\d+)$', re.M)
    number_of = re.compile(r"\d+")
    total = 0
    for _ in range(12):
        total += sum(int(match.group(6)) for match in entry.finditer(log))
        total += len(number_of.sub(lambda match: f"<{match.group()}>", log))
        total += len(re.findall(r"user[1-4]\d", log))
    return total


def dict_churn(size):
    """Dictionaries and sets that grow, are looked up in, and lose what they have."""
    total = 0
    for round_number in range(size * 5 // 4):
        table = {}
        for number in range(800):
            table[number * 31 % 1009] = (number, round_number)
        for number in range(0, 1009, 3):
            table.pop(number, None)
        total += len(table) + len({key % 61 for key in table})
        small = [{"a": number, "b": None} for number in range(300)]
        for item in small:
            item["c"] = item["d"] = item["e"] = item["f"] = 1
        total += len(small)
    return total


def list_grow(size):
    """Lists and bytearrays that grow by appending: realloc."""
    total = 0
    for number in range(size * 12):
        row = []
        for value in range(number % 1000):
            row.append(value)
        total += len(row)
        text = bytearray()
        for _ in range(number % 300):
            text += b"some bytes"
        total += len(text)
    for _ in range(size // 10):
        rows = [[] for _ in range(200)]
        for value in range(40):
            for row in rows:
                row.append(value)
        total += sum(map(len, rows))
    return total


class _Variable:
    __slots__ = ("name", "value", "stamp", "readers")

    def __init__(self, name, value):
        self.name, self.value, self.stamp, self.readers = name, value, 0, []


class _Rule:
    def __init__(self, target, sources, factor):
        self.target, self.sources, self.factor = target, sources, factor
        for source in sources:
            source.readers.append(self)

    def fire(self, stamp):
        value = sum(source.value for source in self.sources) * self.factor % 1000003
        changed = value != self.target.value
        self.target.value, self.target.stamp = value, stamp
        return changed


class _Plan:
    def __init__(self, network, start):
        self.steps, seen, pending = [], {start.name}, collections.deque(start.readers)
        while pending:
            rule = pending.popleft()
            self.steps.append(rule)
            if rule.target.name not in seen:
                seen.add(rule.target.name)
                pending.extend(rule.target.readers)
        network.plans += 1


class _Network:
    def __init__(self, width, depth):
        self.plans = 0
        self.layers = [[_Variable((0, column), column) for column in range(width)]]
        for level in range(1, depth):
            above, layer = self.layers[-1], []
            for column in range(width):
                variable = _Variable((level, column), 0)
                _Rule(variable, (above[column], above[(column + 1) % width]), level + 1)
                layer.append(variable)
            self.layers.append(layer)

    def change(self, column, value):
        start = self.layers[0][column]
        start.value = value
        return sum(rule.fire(value) for rule in _Plan(self, start).steps)


def deltablue(size):
    """A network of one-way constraints: plans are made, run and dropped."""
    changed = 0
    for number in range(size * 2 // 5):
        network = _Network(12, 6)
        for value in range(25):
            changed += network.change(value % 12, value * 17 + number)
    return changed


def pidigits(size):
    """Digits of pi from a series with big whole numbers."""
    digits, total = int((size * 7000) ** 0.5), 0
    numerator, accumulated, denominator, term, given = 1, 0, 1, 0, 0
    while given < digits:
        term += 1
        odd = 2 * term + 1
        accumulated = (accumulated + 2 * numerator) * odd
        denominator *= odd
        numerator *= term
        if numerator > accumulated:
            continue
        digit = (numerator * 3 + accumulated) // denominator
        if digit != (numerator * 4 + accumulated) // denominator:
            continue
        total = (total * 31 + digit) % 1000003
        given += 1
        accumulated = (accumulated - denominator * digit) * 10
        numerator *= 10
    return total


def nbody(size):
    """Five bodies, floats only."""
    bodies = [
        ([float(number), 1.0 / (number + 1), 0.5 * number], [0.01 * number, 0.02, -0.01], 1.0 + number)
        for number in range(5)
    ]
    pairs = [(one, other) for number, one in enumerate(bodies) for other in bodies[:number]]
    for _ in range(size * 36):
        for (place, speed, mass), (place2, speed2, mass2) in pairs:
            dx, dy, dz = place[0] - place2[0], place[1] - place2[1], place[2] - place2[2]
            pull = 0.001 / ((dx * dx + dy * dy + dz * dz) ** 1.5 + 0.01)
            speed[0] -= dx * mass2 * pull
            speed[1] -= dy * mass2 * pull
            speed[2] -= dz * mass2 * pull
            speed2[0] += dx * mass * pull
            speed2[1] += dy * mass * pull
            speed2[2] += dz * mass * pull
        for place, speed, _mass in bodies:
            place[0] += 0.001 * speed[0]
            place[1] += 0.001 * speed[1]
            place[2] += 0.001 * speed[2]
    return round(sum(sum(place) for place, _speed, _mass in bodies), 6)


def mixed_sizes(size):
    """Bytes of 16 to 200,000 in a window: most are small, some are big."""
    chance = random.Random(11)
    window, total = [None] * 1500, 0
    for _ in range(size * 270):
        draw = chance.random()
        if draw < 0.90:
            length = 16 + int(draw * 1000)
        elif draw < 0.995:
            length = 1000 + int((draw - 0.90) * 100000)
        else:
            length = 10000 + int((draw - 0.995) * 38000000)
        block = bytes(length) if length < 10000 else bytearray(length)
        total += len(block)
        window[chance.randrange(1500)] = block
    return total


def _produce(queue, count, seed):
    for number in range(count):
        queue.append([f"{seed}-{number}", (number, float(number)), {"key": number}])


def threads(size):
    """Four threads that allocate for themselves and drop what others made."""
    total = 0
    for _ in range(4):
        queues = [collections.deque() for _ in range(4)]
        makers = [
            threading.Thread(target=_produce, args=(queue, size * 16, number))
            for number, queue in enumerate(queues)
        ]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        droppers = [threading.Thread(target=queue.clear) for queue in queues]
        total += sum(map(len, queues))
        for dropper in droppers:
            dropper.start()
        for dropper in droppers:
            dropper.join()
    return total


WORKLOADS = {
    "binary_trees": binary_trees,
    "gc_traversal": gc_traversal,
    "json": json_,
    "pickle": pickle_,
    "strings": strings,
    "regex": regex,
    "dict_churn": dict_churn,
    "list_grow": list_grow,
    "deltablue": deltablue,
    "pidigits": pidigits,
    "nbody": nbody,
    "mixed_sizes": mixed_sizes,
    "threads": threads,
}
