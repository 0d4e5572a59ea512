"""What is allocated: by the library as a whole, by heap, by size, by area of memory."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple

from . import _core


class Area(NamedTuple):
    """A run of memory that holds blocks of one size."""

    heap: str  #: name of its heap; "main"; or "heap at 0x..."
    address: int  #: of the first byte
    reserved: int  #: bytes of address space
    committed: int  #: bytes that can be used now
    used: int  #: blocks in use, a count
    block_size: int  #: bytes that a program can use of each block


def _blocks(numbers: Dict[str, Any]) -> Dict[str, Any]:
    """The part that a heap has too."""
    bins = [bin for bin in numbers["malloc_bins"] if bin["total"] > 0]
    classes = [
        {
            "block_size": bin["block_size"],
            "live": bin["current"],
            "peak": bin["peak"],
            "total": bin["total"],
        }
        for bin in bins
    ]
    return {
        "live_blocks": sum(bin["current"] for bin in bins),
        "live_bytes": numbers["malloc_requested"]["current"],
        "committed": numbers["page_committed"]["current"],
        "size_classes": classes,
    }


def _heap(name: str, numbers: Dict[str, Any]) -> Dict[str, Any]:
    return {"name": name, "pages": numbers["pages"]["current"], **_blocks(numbers)}


def heap_stats(heap: _core.Heap) -> Dict[str, Any]:
    """Heap.stats."""
    import json

    return _heap(heap.name or "", json.loads(heap._stats_json()))


def stats() -> Dict[str, Any]:
    """Statistics of the library in this process, as a dict. Sizes are in bytes, all others counts.

    live_blocks, live_bytes   blocks in use, and their bytes
    committed                 bytes that can be used without asking the system
    committed_peak            the most there were
    reserved                  bytes of address space
    resident, resident_peak   bytes of the whole process that are in physical memory
    threads                   threads that use the library
    size_classes              a list of dicts: block_size (0: blocks with pages of their own), and of
                              such blocks live, peak and total, all that ever came
    heaps                     a list of dicts, the main heap first: name, pages, live_blocks,
                              live_bytes, committed (bytes in its pages), size_classes
    library                   what the library says in mi_stats_get_json(), everything above included

    Only blocks of the library count: of CPython's those of installed domains. Exact for the calling
    thread and for threads that have ended; for another thread as of its last slow path. Takes time
    linear in the number of pages."""
    import json

    numbers = json.loads(_core._stats_json())
    result = _blocks(numbers)
    result["committed"] = numbers["committed"]["current"]
    result["committed_peak"] = numbers["committed"]["peak"]
    result["reserved"] = numbers["reserved"]["current"]
    result["resident"] = numbers["process"]["rss_current"]
    result["resident_peak"] = numbers["process"]["rss_peak"]
    result["threads"] = numbers["threads"]["current"]
    result["heaps"] = [_heap(name, json.loads(text)) for name, text in _core._heaps_json()]
    result["library"] = numbers
    return result


def heap_map() -> List[Area]:
    """All areas of all heaps of the process. Walking is safe while other threads allocate; what it
    tells of them is as of their last slow path. Takes time linear in the number of pages."""
    return [Area(*area) for area in _core._areas()]
