#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(feature = "nightly", feature(allocator_api))]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]

extern crate alloc;
#[cfg(any(feature = "std", miri))]
extern crate std;

mod allocator;
mod arena;
// Without a trait `Allocator` there is nobody to call most of it.
#[cfg_attr(
    not(any(feature = "allocator-api2-02", feature = "allocator-api2-04", feature = "nightly")),
    allow(dead_code)
)]
mod backend;
mod global;
mod heap;
#[cfg(miri)]
mod interpreted;
mod process;
#[cfg(not(miri))]
mod raw;
mod settings;
mod stats;
mod walk;

/// Where the functions of the core come from.
#[cfg(miri)]
use interpreted::core_functions as ffi;
#[cfg(miri)]
use interpreted::{RawHeap, RawLocal};
#[cfg(not(miri))]
use mimalloc_core_sys as ffi;
#[cfg(not(miri))]
use raw::{RawHeap, RawLocal};

pub use arena::{Arena, ArenaError, ArenaOptions};
pub use global::MiMalloc;
pub use heap::{ArcHeap, Heap, LocalHeap};
/// The functions of the C interface.
pub use mimalloc_core_sys as sys;
pub use process::{collect, process_info, thread_idle, version, ProcessInfo};
pub use settings::Setting;
pub use stats::{stats, stats_json, Count, SizeClass, Stats};
pub use walk::{Area, Block};

/// True if an address lies in memory that holds blocks of this library, in use or free.
///
/// ```
/// # #[global_allocator]
/// # static GLOBAL: mimalloc_core::MiMalloc = mimalloc_core::MiMalloc;
/// let number = Box::new(1);
/// assert!(mimalloc_core::is_ours(&*number));
/// let local = 1;
/// assert!(!mimalloc_core::is_ours(&local));
/// ```
pub fn is_ours<T: ?Sized>(address: *const T) -> bool {
    // For any address, valid or not.
    unsafe { ffi::mi_is_in_heap_region(address.cast()) }
}
