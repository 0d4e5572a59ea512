use crate::backend::Backend;
use core::alloc::{GlobalAlloc, Layout};

/// The allocator of the whole program.
///
/// ```
/// use mimalloc_core::MiMalloc;
///
/// #[global_allocator]
/// static GLOBAL: MiMalloc = MiMalloc;
///
/// fn main() {
///     let text = String::from("hello");
///     assert!(mimalloc_core::is_ours(text.as_ptr()));
/// }
/// ```
///
/// It can also be given to a single collection: see the [features](crate#features) named after the
/// crates and the channel that have a trait `Allocator`.
///
/// Alignments up to 16 bytes, when they are no larger than the size, take the shortest path of the
/// core; with a constant [`Layout`], as `Box` and `Vec` mostly have it, nothing is left of the choice.
///
/// Interpreted by Miri, which cannot call C, it is the allocator of the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MiMalloc;

// Layouts of size 0 are not allowed in a global allocator; here they work nevertheless, since the
// core gives a block of its own for 0 bytes.
unsafe impl GlobalAlloc for MiMalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Backend::alloc(self, layout)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Backend::alloc_zeroed(self, layout)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Backend::dealloc(self, block, layout);
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // The caller promises that the new size, rounded up to the alignment, is possible.
        let new = Layout::from_size_align_unchecked(new_size, layout.align());
        Backend::realloc(self, block, layout, new)
    }
}

impl MiMalloc {
    /// Bytes that a block has room for, at least as many as were asked for.
    ///
    /// ```
    /// use mimalloc_core::MiMalloc;
    /// use std::alloc::{GlobalAlloc, Layout};
    ///
    /// let layout = Layout::new::<[u8; 100]>();
    /// unsafe {
    ///     let block = MiMalloc.alloc(layout);
    ///     assert!(MiMalloc.usable_size(block) >= 100);
    ///     MiMalloc.dealloc(block, layout);
    /// }
    /// ```
    ///
    /// # Safety
    ///
    /// `block` is NULL, or a live block of this allocator or of a [heap](crate::Heap).
    #[cfg(not(miri))]
    #[inline]
    pub unsafe fn usable_size(&self, block: *const u8) -> usize {
        mimalloc_core_sys::mi_usable_size(block.cast())
    }
}
