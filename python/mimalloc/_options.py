"""The library's run-time options as a mapping."""

from collections.abc import Iterator, Mapping

from . import _core

# In the order of their numbers, which are part of the binary interface.
_NAMES = (
    "show_errors",
    "show_stats",
    "verbose",
    "deprecated_eager_commit",
    "arena_eager_commit",
    "purge_decommits",
    "allow_large_os_pages",
    "reserve_huge_os_pages",
    "reserve_huge_os_pages_at",
    "reserve_os_memory",
    "deprecated_segment_cache",
    "deprecated_page_reset",
    "deprecated_abandoned_page_purge",
    "deprecated_segment_reset",
    "deprecated_eager_commit_delay",
    "purge_delay",
    "use_numa_nodes",
    "disallow_os_alloc",
    "os_tag",
    "max_errors",
    "max_warnings",
    "deprecated_max_segment_reclaim",
    "destroy_on_exit",
    "arena_reserve",
    "arena_purge_mult",
    "deprecated_purge_extend_delay",
    "disallow_arena_alloc",
    "retry_on_oom",
    "visit_abandoned",
    "guarded_min",
    "guarded_max",
    "guarded_precise",
    "guarded_sample_rate",
    "guarded_sample_seed",
    "generic_collect",
    "page_reclaim_on_free",
    "page_full_retain",
    "page_max_candidates",
    "max_vabits",
    "pagemap_commit",
    "page_commit_on_demand",
    "page_max_reclaim",
    "page_cross_thread_max_reclaim",
    "allow_thp",
    "minimal_purge_size",
    "arena_max_object_size",
    "arena_is_numa_local",
    "region_size",
    "debug_deep",
    "purge_thread",
)
_NUMBERS = {name: number for number, name in enumerate(_NAMES)}


class Options(Mapping[str, int]):
    """Options by name, as in MIMALLOC_<NAME> but in lower case; docs/OPTIONS.md tells what each
    does. Values are int: 0 and 1 for switches, KiB for sizes, milliseconds for delays. An option
    that is set late may not have an effect on what was done before."""

    def __getitem__(self, name: str) -> int:
        return _core._option_get(_NUMBERS[name])

    def __setitem__(self, name: str, value: int) -> None:
        """KeyError: no such option. ValueError: destroy_on_exit, which would free memory that the
        interpreter still uses while it ends."""
        number = _NUMBERS[name]
        if name == "destroy_on_exit" and value:
            raise ValueError("destroy_on_exit would free memory that the interpreter still uses")
        _core._option_set(number, int(value))

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)

    def __repr__(self) -> str:
        return f"mimalloc.options({dict(self)})"


options = Options()
"""The options of the process."""
