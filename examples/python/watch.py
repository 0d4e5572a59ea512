"""What is in the heap: totals, sizes, areas.

    python watch.py
"""

import mimalloc

mimalloc.install("all")

words = [f"word {number:05d}" * 20 for number in range(20_000)]

numbers = mimalloc.stats()
print("blocks in use:", "more than 20,000" if numbers["live_blocks"] > 20_000 else numbers["live_blocks"])
print("the size that holds most:")
most = max(numbers["size_classes"], key=lambda row: row["block_size"] * row["live"])
print(f"  blocks of {most['block_size']} bytes, {most['live'] // 1000} thousand of them")

areas = [area for area in mimalloc.heap_map() if area.block_size == most["block_size"]]
used = sum(area.used * area.block_size for area in areas)
committed = sum(area.committed for area in areas)
print(f"  they fill {100 * used // committed // 10 * 10} percent or more of their areas")

del words
mimalloc.collect(force=True)
left = mimalloc.stats()["live_bytes"]
print("after dropping them:", "less" if left < numbers["live_bytes"] - 2_000_000 else "the same")
