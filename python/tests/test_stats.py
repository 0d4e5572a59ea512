"""stats(), heap_map(), collect(), options, paths."""

import re

from conftest import ROOT


def test_stats(run):
    run(
        """
        import mimalloc
        heap = mimalloc.Heap(name="mine"); kept = [heap.alloc(3000) for _ in range(100)]
        s = mimalloc.stats()
        assert s["live_blocks"] >= 100 and s["live_bytes"] >= 300_000
        assert s["live_bytes"] <= s["committed"] <= s["committed_peak"] and s["committed"] < s["reserved"]
        assert 1 << 20 < s["resident"] <= s["resident_peak"] and s["threads"] >= 1
        names = [h["name"] for h in s["heaps"]]
        assert names[0] == "main" and "mine" in names
        mine = s["heaps"][names.index("mine")]
        assert mine["live_blocks"] == 100 and mine["pages"] >= 1
        (cls,) = mine["size_classes"]
        assert 3000 <= cls["block_size"] <= 3600 and cls["live"] == 100 and cls["total"] >= 100
        assert abs(sum(h["live_blocks"] for h in s["heaps"]) - s["live_blocks"]) < 10   # looking takes some
        assert sum(c["live"] for c in s["size_classes"]) == s["live_blocks"]
        assert s["library"]["mode"] == "release"
        del kept[:60]
        assert heap.stats()["live_blocks"] == 40
        """
    )


def test_heap_map(run):
    run(
        """
        import mimalloc
        mimalloc.install("raw"); kept = bytes(10_000)
        heap = mimalloc.Heap(name="mine"); big = heap.alloc(5 << 20); small = heap.alloc(10)
        nameless = mimalloc.Heap(); other = nameless.alloc(10)
        areas = mimalloc.heap_map()
        def of(b):
            (area,) = [a for a in areas if a.address <= b.address < a.address + a.reserved]
            return area
        assert of(big).heap == "mine" and of(big).used == 1 and of(big).block_size >= 5 << 20
        assert of(small).block_size == 16 and of(small).committed <= of(small).reserved
        assert of(other).heap.startswith("heap at 0x")
        assert {"main", "mine"} <= {a.heap for a in areas}
        assert of(big)._fields == ("heap", "address", "reserved", "committed", "used", "block_size")
        """
    )


def test_looking_while_heaps_come_and_go(run):
    run(
        """
        import threading, mimalloc
        mimalloc.install("all"); busy = [True]; failures = []
        def work():
            try:
                while busy:
                    with mimalloc.Heap(name="short") as heap: [heap.alloc(n) for n in (10, 1000, 100_000)]
            except BaseException as error: failures.append(error)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads: t.start()
        for _ in range(10): mimalloc.stats(); mimalloc.heap_map()
        busy.clear()
        for t in threads: t.join()
        assert not failures, failures
        """
    )


def test_collect_gives_memory_back(run):
    run(
        """
        import mimalloc
        mimalloc.install("raw"); mimalloc.options["purge_delay"] = 10**6    # not by itself
        kept = [b"x" * 200_000 for _ in range(300)]
        full = mimalloc.stats(); del kept
        mimalloc.collect(force=True)
        after = mimalloc.stats()
        assert after["resident"] < full["resident"] - (40 << 20), (full["resident"], after["resident"])
        assert after["live_bytes"] < full["live_bytes"] - 300 * 190_000
        mimalloc.collect()
        """
    )


def test_no_leak(run):
    run(
        """
        import gc, mimalloc
        mimalloc.install("all")
        def round():
            mimalloc.uninstall(); mimalloc.install("all")
            with mimalloc.Heap(name="x" * 100) as heap:
                b = heap.alloc(100); memoryview(b).release(); heap.array("d", 10).release(); heap.contains(b)
            mimalloc.stats(); mimalloc.heap_map(); mimalloc.status(); dict(mimalloc.options)
            try: mimalloc.install("raw")
            except RuntimeError: pass
            try: heap.alloc(1)
            except ValueError: pass
        for _ in range(2000): round()
        gc.collect(); mimalloc.collect(True); before = mimalloc.stats()
        for _ in range(2000): round()
        gc.collect(); mimalloc.collect(True); after = mimalloc.stats()
        # less than a block a round: CPython's free lists fill meanwhile
        assert after["live_blocks"] < before["live_blocks"] + 1000, (before["live_blocks"], after["live_blocks"])
        """
    )


def test_options(run):
    header = (ROOT / "core" / "include" / "mimalloc-options.h").read_text()
    names = dict(re.findall(r"^    mi_option_(\w+) = (\d+),", header, re.M))
    run(
        f"""
        import mimalloc
        names = {names}
        assert list(mimalloc.options) == sorted(names, key=lambda n: int(names[n])) and len(names) > 40
        assert len(mimalloc.options) == len(names)
        mimalloc.options["purge_delay"] = 77; assert mimalloc.options["purge_delay"] == 77
        assert "purge_delay" in mimalloc.options and dict(mimalloc.options)["purge_delay"] == 77
        for name in "nothing", 3:
            for use in (lambda: mimalloc.options[name], lambda: mimalloc.options.__setitem__(name, 1)):
                try: use()
                except KeyError: pass
                else: raise AssertionError
        try: mimalloc.options["destroy_on_exit"] = 1
        except ValueError: pass
        else: raise AssertionError
        """
    )
    run("import mimalloc; assert mimalloc.options['purge_delay'] == 33", MIMALLOC_PURGE_DELAY="33")


def test_versions_and_paths(run):
    run(
        """
        import os, mimalloc
        assert mimalloc.__version__ == mimalloc.version == "0.1.0"
        assert mimalloc.interface_version == (3, 4, 3)
        for secure in False, True:
            assert os.path.getsize(mimalloc.library_path(secure=secure)) > 100_000
        assert mimalloc.library_path() != mimalloc.library_path(secure=True)
        for header in "mimalloc.h", "mimalloc-ext.h", "mimalloc_python.h":
            assert os.path.exists(os.path.join(mimalloc.get_include(), header))
        assert all(hasattr(mimalloc, name) for name in mimalloc.__all__)
        """
    )
