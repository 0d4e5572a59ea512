"""NumPy's arrays from the library: for a block of code, for all threads, and from a heap.

    python numpy_arrays.py
"""

import threading

import numpy as np

import mimalloc


def ours(array):
    """The array's data lies in the library."""
    area = array.__array_interface__["data"][0]
    return any(a.address <= area < a.address + a.reserved for a in mimalloc.heap_map())


def in_a_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]


def make():
    return np.arange(100_000, dtype=np.float64)


print("default:          ", ours(make()))

with mimalloc.numpy():
    array = make()
    print("in the block:     ", ours(array), "- aligned to 64:", array.ctypes.data % 64 == 0)
    # a handler of NumPy holds for one thread or task: a new thread starts without
    print("thread in it:     ", ours(in_a_thread(make)))
print("still usable:     ", array.sum() == 4999950000.0)

mimalloc.install_numpy()  # all threads, those that run already too
print("installed, thread:", ours(in_a_thread(make)))
mimalloc.uninstall_numpy()

heap = mimalloc.Heap(name="matrices")
with heap.numpy():
    matrix = np.ones((300, 300))
product = matrix @ matrix
print("in the heap:      ", heap.contains(matrix), "- its product:", heap.contains(product))
try:
    heap.close()
except BufferError:
    print("the array keeps the heap open")
del matrix
heap.close()
