// Types and constants of the headers. tests/header.rs compares them with the C compiler's view.
pub use core::ffi::c_void;
use core::marker::{PhantomData, PhantomPinned};

// core::ffi has these since Rust 1.64 only. The core is for 64-bit Linux: int has 32 bits, long 64.
/// `char` of C.
#[cfg(any(
    target_arch = "aarch64",
    target_arch = "powerpc64",
    target_arch = "riscv64",
    target_arch = "s390x"
))]
pub type c_char = u8;
/// `char` of C.
#[cfg(not(any(
    target_arch = "aarch64",
    target_arch = "powerpc64",
    target_arch = "riscv64",
    target_arch = "s390x"
)))]
pub type c_char = i8;
/// `unsigned char` of C.
pub type c_uchar = u8;
/// `int` of C.
pub type c_int = i32;
/// `long` of C.
pub type c_long = i64;
/// `unsigned long long` of C.
pub type c_ulonglong = u64;
/// `wchar_t` of C.
#[cfg(target_arch = "aarch64")]
pub type wchar_t = u32;
/// `wchar_t` of C.
#[cfg(not(target_arch = "aarch64"))]
pub type wchar_t = i32;

/// Version of the interface: major * 10000 + minor * 100 + patch.
pub const MI_MALLOC_VERSION: c_int = 30403;
/// Largest request of the `_small` functions, in machine words.
pub const MI_SMALL_WSIZE_MAX: usize = 128;
/// Largest request of the `_small` functions, in bytes.
pub const MI_SMALL_SIZE_MAX: usize = MI_SMALL_WSIZE_MAX * core::mem::size_of::<*mut c_void>();

/// A first-class heap; opaque.
#[repr(C)]
pub struct mi_heap_t {
    _opaque: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// The part of a heap that one thread owns; opaque.
#[repr(C)]
pub struct mi_theap_t {
    _opaque: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// An arena, a range of memory that heaps can be bound to; NULL: none.
pub type mi_arena_id_t = *mut c_void;

/// A sub-process: an isolated set of heaps and arenas.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mi_subproc_id_t {
    /// Not for programs; NULL: none.
    pub _mi_subproc_id: *mut c_void,
}

/// A range of equal blocks, as a heap visitor sees it. Sizes in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mi_heap_area_t {
    /// Start of the first block.
    pub blocks: *mut c_void,
    /// Bytes of address space.
    pub reserved: usize,
    /// Bytes that can be used now.
    pub committed: usize,
    /// Blocks in use, a count.
    pub used: usize,
    /// Bytes a program can use of each block.
    pub block_size: usize,
    /// Bytes from one block to the next.
    pub full_block_size: usize,
    /// Not for programs.
    pub reserved1: *mut c_void,
}

/// Called now and then on slow paths: `force`, `heartbeat`, `arg`.
pub type mi_deferred_free_fun = unsafe extern "C" fn(bool, c_ulonglong, *mut c_void);
/// Takes a piece of a message: `msg`, `arg`.
pub type mi_output_fun = unsafe extern "C" fn(*const c_char, *mut c_void);
/// Takes an error: `err`, `arg`.
pub type mi_error_fun = unsafe extern "C" fn(c_int, *mut c_void);
/// Visits an area (`block` is NULL) or a block of it: `heap`, `area`, `block`, `block_size`, `arg`.
pub type mi_block_visit_fun = unsafe extern "C" fn(
    *const mi_heap_t,
    *const mi_heap_area_t,
    *mut c_void,
    usize,
    *mut c_void,
) -> bool;
/// Visits a heap: `heap`, `arg`.
pub type mi_heap_visit_fun = unsafe extern "C" fn(*mut mi_heap_t, *mut c_void) -> bool;
/// Commits or gives back a range of memory: `commit`, `start`, `size`, `is_zero`, `arg`.
pub type mi_commit_fun_t =
    unsafe extern "C" fn(bool, *mut c_void, usize, *mut bool, *mut c_void) -> bool;

/// Version of [`mi_stats_t`].
pub const MI_STAT_VERSION: usize = 5;
/// Size classes that statistics are kept of; the last one: blocks with a page of their own.
pub const MI_STAT_BIN_COUNT: usize = 74;
/// Kinds of segments that statistics are kept of.
pub const MI_STAT_CHUNK_BIN_COUNT: usize = 6;

/// Something that there is an amount of.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mi_stat_count_t {
    /// All that ever came.
    pub total: i64,
    /// The most there was at a time.
    pub peak: i64,
    /// What there is now.
    pub current: i64,
}

/// Something that happens.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mi_stat_counter_t {
    /// How often, or how many bytes in all.
    pub total: i64,
}

/// Statistics of a heap or of a sub-process; [`mi_stats_t::new`] makes one that can be filled.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mi_stats_t {
    /// Bytes of this struct.
    pub size: usize,
    /// MI_STAT_VERSION.
    pub version: usize,
    /// Pages, a count.
    pub pages: mi_stat_count_t,
    /// Bytes of address space reserved for blocks.
    pub reserved: mi_stat_count_t,
    /// Bytes that can be used without asking the system.
    pub committed: mi_stat_count_t,
    /// Bytes that the system may take when it needs them.
    pub reset: mi_stat_counter_t,
    /// Bytes given back to the system.
    pub purged: mi_stat_counter_t,
    /// Bytes committed in pages that are in use.
    pub page_committed: mi_stat_count_t,
    /// Pages of ended threads, a count.
    pub pages_abandoned: mi_stat_count_t,
    /// Threads.
    pub threads: mi_stat_count_t,
    /// Bytes of blocks that share their page.
    pub malloc_normal: mi_stat_count_t,
    /// Bytes of blocks that have a page of their own.
    pub malloc_huge: mi_stat_count_t,
    /// Bytes of all blocks.
    pub malloc_requested: mi_stat_count_t,
    /// Calls that reserve memory.
    pub mmap_calls: mi_stat_counter_t,
    /// Calls that commit memory.
    pub commit_calls: mi_stat_counter_t,
    /// Calls that offer memory to the system.
    pub reset_calls: mi_stat_counter_t,
    /// Calls that give memory back.
    pub purge_calls: mi_stat_counter_t,
    /// Arenas.
    pub arena_count: mi_stat_counter_t,
    /// Blocks that share their page.
    pub malloc_normal_count: mi_stat_counter_t,
    /// Blocks that have a page of their own.
    pub malloc_huge_count: mi_stat_counter_t,
    /// Blocks in front of a guard page.
    pub malloc_guarded_count: mi_stat_counter_t,
    /// Claims of memory that had to be undone.
    pub arena_rollback_count: mi_stat_counter_t,
    /// Rounds of giving memory back.
    pub arena_purges: mi_stat_counter_t,
    /// Times that untouched blocks were taken in a page.
    pub pages_extended: mi_stat_counter_t,
    /// Empty pages that were kept for a while.
    pub pages_retire: mi_stat_counter_t,
    /// Pages looked at to find room.
    pub page_searches: mi_stat_counter_t,
    /// Searches for a page with room.
    pub page_searches_count: mi_stat_counter_t,
    /// Segments, a count.
    pub segments: mi_stat_count_t,
    /// Not used since version 3.
    pub segments_abandoned: mi_stat_count_t,
    /// Not used since version 3.
    pub segments_cache: mi_stat_count_t,
    /// Not used since version 3.
    pub _segments_reserved: mi_stat_count_t,
    /// Heaps.
    pub heaps: mi_stat_count_t,
    /// Thread heaps.
    pub theaps: mi_stat_count_t,
    /// Pages of ended threads taken to allocate.
    pub pages_reclaim_on_alloc: mi_stat_counter_t,
    /// Pages of ended threads taken to free.
    pub pages_reclaim_on_free: mi_stat_counter_t,
    /// Pages of ended threads left: full.
    pub pages_reabandon_full: mi_stat_counter_t,
    /// Waits to take a page over.
    pub pages_unabandon_busy_wait: mi_stat_counter_t,
    /// Waits to delete a heap.
    pub heaps_delete_wait: mi_stat_counter_t,
    /// Not used yet.
    pub _stat_reserved: [mi_stat_count_t; 4],
    /// Not used yet.
    pub _counter_reserved: [mi_stat_counter_t; 4],
    /// Blocks of each size class.
    pub malloc_bins: [mi_stat_count_t; MI_STAT_BIN_COUNT],
    /// Pages of each size class.
    pub page_bins: [mi_stat_count_t; MI_STAT_BIN_COUNT],
    /// Segments of each kind.
    pub chunk_bins: [mi_stat_count_t; MI_STAT_CHUNK_BIN_COUNT],
}

impl mi_stats_t {
    /// All zero but size and version: what the functions that fill it ask for.
    pub fn new() -> Self {
        // All fields are integers.
        let mut stats: Self = unsafe { core::mem::zeroed() };
        stats.size = core::mem::size_of::<Self>();
        stats.version = MI_STAT_VERSION;
        stats
    }
}

impl Default for mi_stats_t {
    fn default() -> Self {
        Self::new()
    }
}

/// The number of an option.
pub type mi_option_t = u32;

/// Print error messages.
pub const mi_option_show_errors: mi_option_t = 0;
/// Print statistics at exit.
pub const mi_option_show_stats: mi_option_t = 1;
/// Print what the library does; 2: all options.
pub const mi_option_verbose: mi_option_t = 2;
/// Accepted, without effect.
pub const mi_option_deprecated_eager_commit: mi_option_t = 3;
/// Commit arenas at once.
pub const mi_option_arena_eager_commit: mi_option_t = 4;
/// 1: purging gives back at once; 0: when needed.
pub const mi_option_purge_decommits: mi_option_t = 5;
/// Use explicit huge pages.
pub const mi_option_allow_large_os_pages: mi_option_t = 6;
/// Number of 1 GiB pages to reserve at start.
pub const mi_option_reserve_huge_os_pages: mi_option_t = 7;
/// NUMA node to reserve them on.
pub const mi_option_reserve_huge_os_pages_at: mi_option_t = 8;
/// KiB to reserve at start.
pub const mi_option_reserve_os_memory: mi_option_t = 9;
/// Accepted, without effect.
pub const mi_option_deprecated_segment_cache: mi_option_t = 10;
/// Accepted, without effect.
pub const mi_option_deprecated_page_reset: mi_option_t = 11;
/// Accepted, without effect.
pub const mi_option_deprecated_abandoned_page_purge: mi_option_t = 12;
/// Accepted, without effect.
pub const mi_option_deprecated_segment_reset: mi_option_t = 13;
/// Accepted, without effect.
pub const mi_option_deprecated_eager_commit_delay: mi_option_t = 14;
/// Milliseconds until free memory is given back; -1 never.
pub const mi_option_purge_delay: mi_option_t = 15;
/// Number of NUMA nodes to use; 0 as found.
pub const mi_option_use_numa_nodes: mi_option_t = 16;
/// Use reserved memory only.
pub const mi_option_disallow_os_alloc: mi_option_t = 17;
/// Tag of mappings (macOS).
pub const mi_option_os_tag: mi_option_t = 18;
/// Error messages to print at most.
pub const mi_option_max_errors: mi_option_t = 19;
/// Warnings to print at most.
pub const mi_option_max_warnings: mi_option_t = 20;
/// Accepted, without effect.
pub const mi_option_deprecated_max_segment_reclaim: mi_option_t = 21;
/// Free all memory at exit.
pub const mi_option_destroy_on_exit: mi_option_t = 22;
/// KiB of a new arena.
pub const mi_option_arena_reserve: mi_option_t = 23;
/// Purge delay of arenas, a factor.
pub const mi_option_arena_purge_mult: mi_option_t = 24;
/// Accepted, without effect.
pub const mi_option_deprecated_purge_extend_delay: mi_option_t = 25;
/// Take every page from the system.
pub const mi_option_disallow_arena_alloc: mi_option_t = 26;
/// Milliseconds to try again for, on Windows.
pub const mi_option_retry_on_oom: mi_option_t = 27;
/// Allow visiting blocks of ended threads.
pub const mi_option_visit_abandoned: mi_option_t = 28;
/// Smallest object to guard, bytes.
pub const mi_option_guarded_min: mi_option_t = 29;
/// Largest object to guard, bytes.
pub const mi_option_guarded_max: mi_option_t = 30;
/// Put guarded objects right before their guard page.
pub const mi_option_guarded_precise: mi_option_t = 31;
/// Guard one in this many objects.
pub const mi_option_guarded_sample_rate: mi_option_t = 32;
/// Where sampling starts.
pub const mi_option_guarded_sample_seed: mi_option_t = 33;
/// Slow paths between two collections.
pub const mi_option_generic_collect: mi_option_t = 34;
/// Take over a page of an ended thread on free.
pub const mi_option_page_reclaim_on_free: mi_option_t = 35;
/// Full pages to keep for each size.
pub const mi_option_page_full_retain: mi_option_t = 36;
/// Pages to look at for the best one.
pub const mi_option_page_max_candidates: mi_option_t = 37;
/// Bits of addresses.
pub const mi_option_max_vabits: mi_option_t = 38;
/// Commit the page map at once.
pub const mi_option_pagemap_commit: mi_option_t = 39;
/// Commit pages as they are used.
pub const mi_option_page_commit_on_demand: mi_option_t = 40;
/// Pages of a size to take over from ended threads.
pub const mi_option_page_max_reclaim: mi_option_t = 41;
/// The same, from other threads.
pub const mi_option_page_cross_thread_max_reclaim: mi_option_t = 42;
/// Allow transparent huge pages.
pub const mi_option_allow_thp: mi_option_t = 43;
/// KiB to purge at least.
pub const mi_option_minimal_purge_size: mi_option_t = 44;
/// KiB of the largest object in an arena.
pub const mi_option_arena_max_object_size: mi_option_t = 45;
/// Use arenas of the own NUMA node only.
pub const mi_option_arena_is_numa_local: mi_option_t = 46;
/// KiB of address space to reserve; 0 as fits.
pub const mi_option_region_size: mi_option_t = 47;
/// Debug builds: check everything after slow paths.
pub const mi_option_debug_deep: mi_option_t = 48;
/// A thread that purges while the process is idle.
pub const mi_option_purge_thread: mi_option_t = 49;
/// Number of options.
pub const _mi_option_last: mi_option_t = 50;
/// Older name of [`mi_option_allow_large_os_pages`].
pub const mi_option_large_os_pages: mi_option_t = mi_option_allow_large_os_pages;
/// Older name of [`mi_option_arena_eager_commit`].
pub const mi_option_eager_region_commit: mi_option_t = mi_option_arena_eager_commit;
/// Older name of [`mi_option_purge_decommits`].
pub const mi_option_reset_decommits: mi_option_t = mi_option_purge_decommits;
/// Older name of [`mi_option_purge_delay`].
pub const mi_option_reset_delay: mi_option_t = mi_option_purge_delay;
/// Older name of [`mi_option_disallow_os_alloc`].
pub const mi_option_limit_os_alloc: mi_option_t = mi_option_disallow_os_alloc;
