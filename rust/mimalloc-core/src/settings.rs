use crate::{ffi, sys};

macro_rules! settings {
    ($($(#[doc = $doc:literal])* $name:ident = $number:ident,)*) => {
        /// An option of the allocator. Each can be set by the environment too, as
        /// `MIMALLOC_PURGE_DELAY=0`; names are those of the C interface, in Rust's spelling.
        ///
        /// Most take effect from the moment they are set on. What an option does in full is told in
        /// `docs/OPTIONS.md` of the repository.
        ///
        /// One is missing: `destroy_on_exit` ends all heaps at exit, those too that were
        /// [leaked](crate::Heap::leak), while other threads may still run. Who is sure that none does
        /// sets it by [`sys::mi_option_set`](crate::sys::mi_option_set), which is unsafe to call:
        ///
        /// ```compile_fail,E0599
        /// mimalloc_core::Setting::DestroyOnExit.set_enabled(true);
        /// ```
        ///
        /// ```
        /// use mimalloc_core::Setting;
        ///
        /// Setting::PurgeDelay.set(100);
        /// assert_eq!(Setting::PurgeDelay.get(), 100);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u32)]
        pub enum Setting {
            $($(#[doc = $doc])* $name = sys::$number,)*
        }

        impl Setting {
            /// All of them.
            ///
            /// ```
            /// for setting in mimalloc_core::Setting::ALL {
            ///     println!("{setting:?} = {}", setting.get());
            /// }
            /// ```
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

settings! {
    /// Print error messages.
    ShowErrors = mi_option_show_errors,
    /// Print statistics at exit.
    ShowStats = mi_option_show_stats,
    /// Print what the library does; 2: all options.
    Verbose = mi_option_verbose,
    /// Commit arenas at once.
    ArenaEagerCommit = mi_option_arena_eager_commit,
    /// 1: purging gives back at once; 0: when needed.
    PurgeDecommits = mi_option_purge_decommits,
    /// Use explicit huge pages.
    AllowLargeOsPages = mi_option_allow_large_os_pages,
    /// Number of 1 GiB pages to reserve at start.
    ReserveHugeOsPages = mi_option_reserve_huge_os_pages,
    /// NUMA node to reserve them on.
    ReserveHugeOsPagesAt = mi_option_reserve_huge_os_pages_at,
    /// KiB to reserve at start.
    ReserveOsMemory = mi_option_reserve_os_memory,
    /// Milliseconds until free memory is given back; -1 never.
    PurgeDelay = mi_option_purge_delay,
    /// Number of NUMA nodes to use; 0 as found.
    UseNumaNodes = mi_option_use_numa_nodes,
    /// Use reserved memory only.
    DisallowOsAlloc = mi_option_disallow_os_alloc,
    /// Tag of mappings (macOS).
    OsTag = mi_option_os_tag,
    /// Error messages to print at most.
    MaxErrors = mi_option_max_errors,
    /// Warnings to print at most.
    MaxWarnings = mi_option_max_warnings,
    /// KiB of a new arena.
    ArenaReserve = mi_option_arena_reserve,
    /// Purge delay of arenas, a factor.
    ArenaPurgeMult = mi_option_arena_purge_mult,
    /// Take every page from the system.
    DisallowArenaAlloc = mi_option_disallow_arena_alloc,
    /// Milliseconds to try again for, on Windows.
    RetryOnOom = mi_option_retry_on_oom,
    /// Allow visiting blocks of ended threads.
    VisitAbandoned = mi_option_visit_abandoned,
    /// Smallest object to guard, bytes.
    GuardedMin = mi_option_guarded_min,
    /// Largest object to guard, bytes.
    GuardedMax = mi_option_guarded_max,
    /// Put guarded objects right before their guard page.
    GuardedPrecise = mi_option_guarded_precise,
    /// Guard one in this many objects.
    GuardedSampleRate = mi_option_guarded_sample_rate,
    /// Where sampling starts.
    GuardedSampleSeed = mi_option_guarded_sample_seed,
    /// Slow paths between two collections.
    GenericCollect = mi_option_generic_collect,
    /// Take over a page of an ended thread on free.
    PageReclaimOnFree = mi_option_page_reclaim_on_free,
    /// Full pages to keep for each size.
    PageFullRetain = mi_option_page_full_retain,
    /// Pages to look at for the best one.
    PageMaxCandidates = mi_option_page_max_candidates,
    /// Bits of addresses.
    MaxVabits = mi_option_max_vabits,
    /// Commit the page map at once.
    PagemapCommit = mi_option_pagemap_commit,
    /// Commit pages as they are used.
    PageCommitOnDemand = mi_option_page_commit_on_demand,
    /// Pages of a size to take over from ended threads.
    PageMaxReclaim = mi_option_page_max_reclaim,
    /// The same, from other threads.
    PageCrossThreadMaxReclaim = mi_option_page_cross_thread_max_reclaim,
    /// Allow transparent huge pages.
    AllowThp = mi_option_allow_thp,
    /// KiB to purge at least.
    MinimalPurgeSize = mi_option_minimal_purge_size,
    /// KiB of the largest object in an arena.
    ArenaMaxObjectSize = mi_option_arena_max_object_size,
    /// Use arenas of the own NUMA node only.
    ArenaIsNumaLocal = mi_option_arena_is_numa_local,
    /// KiB of address space to reserve; 0 as fits.
    RegionSize = mi_option_region_size,
    /// Debug builds: check everything after slow paths.
    DebugDeep = mi_option_debug_deep,
    /// A thread that purges while the process is idle.
    PurgeThread = mi_option_purge_thread,
}

impl Setting {
    /// The value: KiB for those that are sizes, 0 or 1 for those that are on or off.
    ///
    /// ```
    /// assert_eq!(mimalloc_core::Setting::PurgeDelay.get(), 1000);
    /// ```
    #[must_use]
    pub fn get(self) -> i64 {
        unsafe { ffi::mi_option_get(self as sys::mi_option_t) }
    }

    /// The value in bytes for those that are sizes; else the value, 0 if it is negative.
    ///
    /// ```
    /// use mimalloc_core::Setting;
    ///
    /// Setting::ArenaReserve.set(2048);
    /// assert_eq!(Setting::ArenaReserve.get_size(), 2 << 20);
    /// ```
    #[must_use]
    pub fn get_size(self) -> usize {
        unsafe { ffi::mi_option_get_size(self as sys::mi_option_t) }
    }

    /// True if the value is not 0.
    ///
    /// ```
    /// assert!(!mimalloc_core::Setting::ShowStats.is_enabled());
    /// ```
    #[must_use]
    pub fn is_enabled(self) -> bool {
        unsafe { ffi::mi_option_is_enabled(self as sys::mi_option_t) }
    }

    /// Sets the value.
    ///
    /// ```
    /// mimalloc_core::Setting::PurgeDelay.set(0);
    /// ```
    pub fn set(self, value: i64) {
        unsafe { ffi::mi_option_set(self as sys::mi_option_t, value) }
    }

    /// Sets the value unless the environment or the program has set it before.
    ///
    /// ```
    /// mimalloc_core::Setting::PurgeDelay.set_default(100);
    /// ```
    pub fn set_default(self, value: i64) {
        unsafe { ffi::mi_option_set_default(self as sys::mi_option_t, value) }
    }

    /// Sets the value to 1 or 0.
    ///
    /// ```
    /// mimalloc_core::Setting::AllowThp.set_enabled(false);
    /// ```
    pub fn set_enabled(self, enabled: bool) {
        unsafe { ffi::mi_option_set_enabled(self as sys::mi_option_t, enabled) }
    }
}
