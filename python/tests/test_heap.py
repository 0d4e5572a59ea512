"""Heap and Buffer."""

import pytest


def test_context_manager_destroys(run):
    run(
        """
        import mimalloc
        with mimalloc.Heap(name="request") as heap:
            buffers = [heap.alloc(n) for n in (0, 1, 100, 5000, 1 << 20)]
            assert [len(b) for b in buffers] == [0, 1, 100, 5000, 1 << 20]
            assert heap.stats()["live_blocks"] == 5 and heap.stats()["name"] == "request"
            assert heap.stats()["live_bytes"] >= (1 << 20) + 5101
            assert "request" in [h["name"] for h in mimalloc.stats()["heaps"]]
            assert {a.heap for a in mimalloc.heap_map()} >= {"request"}
        assert heap.closed and "closed" in repr(heap) and "released" in repr(buffers[2])
        assert "request" not in [h["name"] for h in mimalloc.stats()["heaps"]]
        for use in (lambda: memoryview(buffers[2]), lambda: buffers[2].address, lambda: heap.alloc(1),
                    lambda: heap.stats(), lambda: heap.collect(), lambda: heap.__enter__()):
            try: use()
            except ValueError as error: assert "closed" in str(error)
            else: raise AssertionError(use)
        heap.close(); heap.detach(); del buffers, heap
        """
    )


def test_buffer_protocol(run):
    run(
        """
        import io, struct, mimalloc
        heap = mimalloc.Heap()
        b = heap.alloc(1000, align=4096, zero=True)
        assert b.address % 4096 == 0 and b.heap is heap and bytes(b) == bytes(1000)
        m = memoryview(b)
        assert not m.readonly and m.nbytes == 1000 and m.format == "B" and heap.exports == 1
        m[10:13] = b"abc"; assert bytes(b)[10:13] == b"abc"
        assert io.BytesIO(b"x" * 400).readinto(b) == 400
        struct.pack_into("d", b, 8, 2.5); assert struct.unpack_from("d", m, 8) == (2.5,)
        try: b.release()
        except BufferError: pass
        else: raise AssertionError
        m.release(); b.release(); b.release()
        assert heap.exports == 0 and heap.stats()["live_blocks"] == 0
        try: memoryview(b)
        except ValueError as error: assert "released" in str(error)
        else: raise AssertionError
        c = heap.alloc(10); del c; assert heap.stats()["live_blocks"] == 0
        """
    )


@pytest.mark.parametrize("align", [1, 2, 16, 64, 4096, 1 << 16, 1 << 21])
def test_alignment(run, align):
    run(
        f"""
        import mimalloc
        with mimalloc.Heap() as heap:
            for size in (0, 1, 24, 1000, 70_000, 3_000_000):
                b = heap.alloc(size, align={align}, zero=True)
                assert b.address % {align} == 0 and heap.contains(b) and not any(bytes(b)[:5000])
        """
    )


def test_array(run):
    run(
        """
        import array, mimalloc
        with mimalloc.Heap() as heap:
            for code in "cbB?hHiIlLqQnNfdP":
                a = heap.array(code, 7)
                assert a.format == code and len(a) == 7 and not a.readonly
                assert a.itemsize * 7 == a.nbytes
                if code not in "c?P": a[3] = 5; assert list(a) == [0, 0, 0, 5, 0, 0, 0]
                a.release()
            a = heap.array("d", 1000); a[:] = array.array("d", range(1000)); assert sum(a) == 499500
            assert heap.contains(a) and not heap.contains(b"abc")
            empty = heap.array("i", 0); assert len(empty) == 0
            a.release(); empty.release()
        """
    )


def test_wrong_arguments(run):
    run(
        """
        import mimalloc
        heap = mimalloc.Heap()
        cases = [
            (ValueError, lambda: heap.alloc(-1)), (ValueError, lambda: heap.alloc(1, align=3)),
            (ValueError, lambda: heap.alloc(1, align=0)), (ValueError, lambda: heap.alloc(1, align=-8)),
            (MemoryError, lambda: heap.alloc(1 << 60)), (MemoryError, lambda: heap.alloc(10, align=1 << 60)),
            (MemoryError, lambda: heap.alloc((1 << 63) - 1)), (TypeError, lambda: heap.alloc("1")),
            (ValueError, lambda: heap.array("z", 1)), (ValueError, lambda: heap.array("dd", 1)),
            (ValueError, lambda: heap.array("d", -1)), (MemoryError, lambda: heap.array("d", 1 << 61)),
            (TypeError, lambda: heap.contains("text")), (OverflowError, lambda: heap.contains(1 << 70)),
            (TypeError, lambda: mimalloc.Heap(3)), (TypeError, lambda: mimalloc.Buffer()),
            (TypeError, lambda: type("H", (mimalloc.Heap,), {})),
        ]
        for error, use in cases:
            try: use()
            except error: pass
            else: raise AssertionError((error, use.__code__.co_firstlineno))
        assert heap.stats()["live_blocks"] == 0
        try: mimalloc.Heap(name="cut\\0here")
        except ValueError: pass
        else: raise AssertionError
        name = mimalloc.Heap(name="\\u00fc\\u20ac" * 40); assert name.name == "\\u00fc\\u20ac" * 40
        assert any(h["name"].startswith("\\u00fc\\u20ac") for h in mimalloc.stats()["heaps"])
        """
    )


def test_close_waits_for_views(run):
    run(
        """
        import mimalloc
        heap = mimalloc.Heap()
        view = memoryview(heap.alloc(100))            # the view keeps the buffer
        sub = view[10:20]
        for attempt in range(2):
            try: heap.close()
            except BufferError as error: assert "detach" in str(error)
            else: raise AssertionError
            assert not heap.closed
        sub.release(); view.release(); heap.close(); assert heap.closed
        """
    )


def test_detach_keeps_blocks(run):
    run(
        """
        import mimalloc
        heap = mimalloc.Heap(); b = heap.alloc(100_000, zero=True); view = memoryview(b)
        heap.close(detach=True)
        view[99_999] = 7; assert bytes(b)[99_999] == 7 and heap.closed
        view.release(); later = memoryview(b); later.release()
        before = mimalloc.stats()["live_blocks"]; del b, view, later
        assert mimalloc.stats()["live_blocks"] == before - 1
        """
    )


def test_an_exception_is_not_replaced(run):
    run(
        """
        import gc, mimalloc
        def work():
            with mimalloc.Heap(name="failing") as heap:
                view = memoryview(heap.alloc(1000))
                raise KeyError("mine")
        try: work()
        except KeyError as error: pass
        else: raise AssertionError
        gc.collect()
        assert "failing" not in [h["name"] for h in mimalloc.stats()["heaps"]]
        """
    )


def test_heap_ends_with_its_last_reference(run):
    run(
        """
        import mimalloc
        def count(): return len(mimalloc.stats()["heaps"])
        before = count()
        heaps = [mimalloc.Heap() for _ in range(20)]; buffers = [h.alloc(1000) for h in heaps]
        assert count() == before + 20
        del heaps; assert count() == before + 20       # the buffers hold them
        b = buffers.pop();
        del buffers; assert count() == before + 1
        memoryview(b)[999] = 1; del b; assert count() == before
        """
    )


def test_threads_share_a_heap(run):
    run(
        """
        import threading, mimalloc
        heap = mimalloc.Heap(name="shared"); failures = []; handed = []
        def work(seed):
            try:
                mine = []
                for i in range(400):
                    b = heap.alloc(1 + (seed * 131 + i * 17) % 9000, align=1 << (i % 7))
                    memoryview(b)[-1] = seed
                    mine.append(b)
                    if len(mine) > 50: handed.append(mine.pop(0))
                    if handed and i % 3 == 0: handed.pop()
                assert all(memoryview(b)[-1] == seed for b in mine)
            except BaseException as error: failures.append(error)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(50)]
        for t in threads: t.start()
        for t in threads: t.join()
        assert not failures, failures
        handed.clear()
        assert heap.stats()["live_blocks"] == 0, heap.stats()["live_blocks"]
        heap.close()
        """
    )


def test_close_against_threads(run):
    """A thread that allocates gets its buffer or ValueError."""
    run(
        """
        import threading, mimalloc
        for round in range(10):
            heap = mimalloc.Heap(); got = []; failures = []
            def work():
                try:
                    while True: got.append(heap.alloc(500, zero=True))
                except ValueError: pass
                except BaseException as error: failures.append(error)
            threads = [threading.Thread(target=work) for _ in range(4)]
            for t in threads: t.start()
            while len(got) < 200: pass
            heap.close()
            for t in threads: t.join()
            assert not failures, failures
        """
    )


def test_many_heaps_are_cheap(run):
    run(
        """
        import mimalloc
        for i in range(200):
            with mimalloc.Heap() as heap: [heap.alloc(100) for _ in range(10)]
        before = mimalloc.stats()["committed"]
        for i in range(3000):
            with mimalloc.Heap() as heap: [heap.alloc(100) for _ in range(10)]
        assert mimalloc.stats()["committed"] <= before + (4 << 20)
        """
    )
