use crate::{ffi, sys};
use alloc::string::String;
use core::fmt;

/// Something that there is an amount of.
///
/// ```
/// let heaps = mimalloc_core::stats().heaps;
/// assert!(heaps.peak >= heaps.current);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// All that ever came.
    pub total: u64,
    /// The most there was at a time.
    pub peak: u64,
    /// What there is now.
    pub current: u64,
}

impl From<sys::mi_stat_count_t> for Count {
    fn from(count: sys::mi_stat_count_t) -> Self {
        let [total, peak, current] = [count.total, count.peak, count.current].map(natural);
        Self { total, peak, current }
    }
}

/// What is counted is never negative. A reset while others count may make it look so for a moment.
fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Blocks and pages of one size class.
///
/// ```
/// # #[global_allocator]
/// # static GLOBAL: mimalloc_core::MiMalloc = mimalloc_core::MiMalloc;
/// let boxed = std::hint::black_box(Box::new([0u8; 64]));
/// let stats = mimalloc_core::stats();
/// let class = stats.classes().find(|class| class.block_size == Some(64)).unwrap();
/// assert!(class.blocks.current >= 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizeClass {
    /// Bytes of each block; `None` for blocks that have a page of their own.
    pub block_size: Option<usize>,
    /// Its blocks.
    pub blocks: Count,
    /// Its pages.
    pub pages: Count,
}

macro_rules! fields {
    ($macro:ident) => {
        $macro! {
            /// Pages, a count.
            pages: Count,
            /// Bytes of address space reserved for blocks.
            reserved: Count,
            /// Bytes that can be used without asking the system.
            committed: Count,
            /// Bytes that the system may take when it needs them.
            reset: u64,
            /// Bytes given back to the system.
            purged: u64,
            /// Bytes committed in pages that are in use.
            page_committed: Count,
            /// Pages of ended threads, a count.
            pages_abandoned: Count,
            /// Threads.
            threads: Count,
            /// Bytes of blocks that share their page.
            malloc_normal: Count,
            /// Bytes of blocks that have a page of their own.
            malloc_huge: Count,
            /// Bytes of all blocks.
            malloc_requested: Count,
            /// Calls that reserve memory.
            mmap_calls: u64,
            /// Calls that commit memory.
            commit_calls: u64,
            /// Calls that offer memory to the system.
            reset_calls: u64,
            /// Calls that give memory back.
            purge_calls: u64,
            /// Arenas.
            arena_count: u64,
            /// Blocks that share their page.
            malloc_normal_count: u64,
            /// Blocks that have a page of their own.
            malloc_huge_count: u64,
            /// Blocks in front of a guard page.
            malloc_guarded_count: u64,
            /// Claims of memory that had to be undone.
            arena_rollback_count: u64,
            /// Rounds of giving memory back.
            arena_purges: u64,
            /// Times that untouched blocks were taken in a page.
            pages_extended: u64,
            /// Empty pages that were kept for a while.
            pages_retire: u64,
            /// Pages looked at to find room.
            page_searches: u64,
            /// Searches for a page with room.
            page_searches_count: u64,
            /// Segments, a count.
            segments: Count,
            /// Heaps.
            heaps: Count,
            /// Thread heaps.
            theaps: Count,
            /// Pages of ended threads taken to allocate.
            pages_reclaim_on_alloc: u64,
            /// Pages of ended threads taken to free.
            pages_reclaim_on_free: u64,
            /// Pages of ended threads left: full.
            pages_reabandon_full: u64,
            /// Waits to take a page over.
            pages_unabandon_busy_wait: u64,
            /// Waits to delete a heap.
            heaps_delete_wait: u64,
        }
    };
}

macro_rules! define {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ident,)*) => {
        /// What is counted of a [heap](crate::Heap::stats) or of the [program](stats()). Fields that
        /// a heap has nothing of, arenas and threads for example, are 0 there.
        ///
        /// ```
        /// let stats = mimalloc_core::stats();
        /// println!("{} bytes committed, at most {}", stats.committed.current, stats.committed.peak);
        /// ```
        #[derive(Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[doc = $doc])* pub $name: $type,)*
            blocks: [Count; sys::MI_STAT_BIN_COUNT],
            class_pages: [Count; sys::MI_STAT_BIN_COUNT],
        }

        impl From<&sys::mi_stats_t> for Stats {
            fn from(raw: &sys::mi_stats_t) -> Self {
                Self {
                    $($name: define!(@convert $type raw.$name),)*
                    blocks: raw.malloc_bins.map(Count::from),
                    class_pages: raw.page_bins.map(Count::from),
                }
            }
        }

        impl fmt::Debug for Stats {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Stats")$(.field(stringify!($name), &self.$name))*.finish_non_exhaustive()
            }
        }

        #[cfg(feature = "serde")]
        #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
        impl serde::Serialize for Stats {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let fields = [$(stringify!($name)),*].len() + 1;
                let mut out = serializer.serialize_struct("Stats", fields)?;
                $(out.serialize_field(stringify!($name), &self.$name)?;)*
                out.serialize_field("classes", &Classes(self))?;
                out.end()
            }
        }
    };
    (@convert Count $value:expr) => { Count::from($value) };
    (@convert u64 $value:expr) => { natural($value.total) };
}

fields!(define);

impl Stats {
    /// The size classes that had blocks, smallest first. Classes that are 0 are left out.
    ///
    /// ```
    /// for class in mimalloc_core::stats().classes() {
    ///     println!("{:?}: {} blocks", class.block_size, class.blocks.current);
    /// }
    /// ```
    pub fn classes(&self) -> impl Iterator<Item = SizeClass> + '_ {
        let all = self.blocks.iter().zip(&self.class_pages).enumerate();
        all.filter(|(_, (blocks, pages))| blocks.total != 0 || pages.total != 0).map(
            |(index, (&blocks, &pages))| SizeClass {
                block_size: size_of_class(index),
                blocks,
                pages,
            },
        )
    }

    /// Blocks in use.
    ///
    /// ```
    /// assert_eq!(mimalloc_core::Heap::new().stats().live_blocks(), 0);
    /// ```
    #[must_use]
    pub fn live_blocks(&self) -> u64 {
        self.blocks.iter().map(|count| count.current).sum()
    }

    /// Bytes of the blocks in use, what is rounded up included.
    ///
    /// ```
    /// assert_eq!(mimalloc_core::Heap::new().stats().live_bytes(), 0);
    /// ```
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.malloc_normal.current + self.malloc_huge.current
    }
}

fn size_of_class(index: usize) -> Option<usize> {
    let bytes = unsafe { ffi::mi_stats_get_bin_size(index) };
    (bytes != 0).then_some(bytes)
}

#[cfg(feature = "serde")]
mod as_data {
    use super::{Classes, Count, SizeClass};
    use serde::ser::{Serialize, SerializeStruct, Serializer};

    impl Serialize for Count {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut out = serializer.serialize_struct("Count", 3)?;
            out.serialize_field("total", &self.total)?;
            out.serialize_field("peak", &self.peak)?;
            out.serialize_field("current", &self.current)?;
            out.end()
        }
    }

    impl Serialize for SizeClass {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut out = serializer.serialize_struct("SizeClass", 3)?;
            out.serialize_field("block_size", &self.block_size)?;
            out.serialize_field("blocks", &self.blocks)?;
            out.serialize_field("pages", &self.pages)?;
            out.end()
        }
    }

    impl Serialize for Classes<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.classes())
        }
    }
}

#[cfg(feature = "serde")]
struct Classes<'s>(&'s Stats);

/// What the program has: blocks, pages, bytes, of all heaps together. Exact for what the calling thread
/// did, and threads that have ended; of another running thread as of the last time it needed more
/// memory.
///
/// ```
/// let stats = mimalloc_core::stats();
/// assert!(stats.heaps.current >= 1);
/// ```
#[must_use]
pub fn stats() -> Stats {
    get(|stats| unsafe { ffi::mi_stats_get(stats) })
}

/// [`stats`] as JSON, in the format of the C interface.
///
/// ```
/// assert!(mimalloc_core::stats_json().starts_with('{'));
/// ```
#[must_use]
pub fn stats_json() -> String {
    #[cfg(not(miri))]
    return unsafe { text(sys::mi_stats_get_json(0, core::ptr::null_mut())) };
    #[cfg(miri)]
    return String::from("{}");
}

/// The numbers that `fill` fills in.
pub(crate) fn get(fill: impl FnOnce(*mut sys::mi_stats_t) -> bool) -> Stats {
    let mut raw = sys::mi_stats_t::new();
    let done = fill(&mut raw);
    // It fails for another version of the struct only, and the tests compare ours with the header.
    assert!(done, "the library has other statistics than its header says");
    Stats::from(&raw)
}

/// Text that is a block; it is freed.
///
/// # Safety
///
/// `text` is NULL or a block with a terminated string.
#[cfg(not(miri))]
pub(crate) unsafe fn text(text: *mut sys::c_char) -> String {
    assert!(!text.is_null(), "no memory for statistics as text");
    let copy = core::ffi::CStr::from_ptr(text).to_string_lossy().into_owned();
    sys::mi_free(text.cast());
    copy
}
