#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(feature = "nightly", feature(allocator_api))]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]

extern crate alloc;
#[cfg(any(feature = "std", miri))]
extern crate std;

mod allocator;
mod backend;
mod global;

pub use global::MiMalloc;
/// The functions of the C interface.
pub use mimalloc_core_sys as sys;

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
#[cfg(not(miri))]
pub fn is_ours<T: ?Sized>(address: *const T) -> bool {
    // For any address, valid or not.
    unsafe { mimalloc_core_sys::mi_is_in_heap_region(address.cast()) }
}
