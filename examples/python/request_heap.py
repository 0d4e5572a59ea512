"""A heap for each request: everything that a request needs goes back in one step.

    python request_heap.py
"""

import mimalloc


def handle(number):
    """Reads a body into memory of the request's own, and adds up what is in it."""
    with mimalloc.Heap(name=f"request {number}") as heap:
        body = heap.alloc(1 << 20, align=64, zero=True)
        with memoryview(body) as view:
            for place in range(0, len(view), 4096):
                view[place] = number
        with heap.array("q", 16) as totals:
            totals[0] = sum(bytes(body))
            result = totals[0]
            blocks = heap.stats()["live_blocks"]
    # here all of it is gone, without a free for each block
    assert heap.closed
    return result, blocks


def main():
    for number in range(1, 4):
        total, blocks = handle(number)
        print(f"request {number}: {total} from {blocks} blocks")

    # what is still in use keeps a heap open, so that nothing points to memory that is gone
    heap = mimalloc.Heap(name="kept")
    view = memoryview(heap.alloc(100))
    try:
        heap.close()
    except BufferError as error:
        print("not closed:", type(error).__name__)
    view.release()
    heap.close()
    print("closed:", heap.closed)


main()
