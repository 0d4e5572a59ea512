//! Layouts in, calls of the core out. What can be an allocator is a [`Backend`]: the whole program's
//! memory, a heap, or one thread's part of a heap.

use core::alloc::Layout;
use core::ptr::NonNull;

/// Memory to allocate from. Sizes may be 0, and NULL is returned when there is no memory.
///
/// # Safety
///
/// What `alloc` and `realloc` return fits the layout and is valid until it is passed to `dealloc` or
/// `realloc`, or until the memory as a whole ends.
pub(crate) unsafe trait Backend {
    fn alloc(&self, layout: Layout) -> *mut u8;
    fn alloc_zeroed(&self, layout: Layout) -> *mut u8;
    /// # Safety
    ///
    /// `block` came from this backend and fits the layout.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout);
    /// # Safety
    ///
    /// `block` came from this backend and fits `old`.
    unsafe fn realloc(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8;
}

/// A pointer to nothing with the alignment of the layout.
#[inline]
fn dangling(layout: Layout) -> NonNull<u8> {
    let nowhere = core::ptr::null_mut::<u8>().wrapping_add(layout.align());
    // An alignment is not 0.
    unsafe { NonNull::new_unchecked(nowhere) }
}

#[inline]
fn slice(block: *mut u8, size: usize) -> Option<NonNull<[u8]>> {
    NonNull::new(block).map(|block| NonNull::slice_from_raw_parts(block, size))
}

// ---- the methods of the traits named Allocator ---------------------------------------------------

#[inline]
pub(crate) fn allocate(backend: &impl Backend, layout: Layout) -> Option<NonNull<[u8]>> {
    if layout.size() == 0 {
        return Some(NonNull::slice_from_raw_parts(dangling(layout), 0));
    }
    slice(backend.alloc(layout), layout.size())
}

#[inline]
pub(crate) fn allocate_zeroed(backend: &impl Backend, layout: Layout) -> Option<NonNull<[u8]>> {
    if layout.size() == 0 {
        return Some(NonNull::slice_from_raw_parts(dangling(layout), 0));
    }
    slice(backend.alloc_zeroed(layout), layout.size())
}

/// # Safety
///
/// As for `Allocator::deallocate`.
#[inline]
pub(crate) unsafe fn deallocate(backend: &impl Backend, block: NonNull<u8>, layout: Layout) {
    if layout.size() != 0 {
        backend.dealloc(block.as_ptr(), layout);
    }
}

/// # Safety
///
/// As for `Allocator::grow`.
#[inline]
pub(crate) unsafe fn grow(
    backend: &impl Backend,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Option<NonNull<[u8]>> {
    debug_assert!(new.size() >= old.size());
    if old.size() == 0 {
        return allocate(backend, new);
    }
    slice(backend.realloc(block.as_ptr(), old, new), new.size())
}

/// # Safety
///
/// As for `Allocator::grow_zeroed`.
#[inline]
pub(crate) unsafe fn grow_zeroed(
    backend: &impl Backend,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Option<NonNull<[u8]>> {
    debug_assert!(new.size() >= old.size());
    if old.size() == 0 {
        return allocate_zeroed(backend, new);
    }
    let grown = backend.realloc(block.as_ptr(), old, new);
    if !grown.is_null() {
        // From where the caller's bytes end. What the block has room for does not matter: a block
        // that moves for its alignment's sake may have less of it than before.
        grown.add(old.size()).write_bytes(0, new.size() - old.size());
    }
    slice(grown, new.size())
}

/// # Safety
///
/// As for `Allocator::shrink`.
#[inline]
pub(crate) unsafe fn shrink(
    backend: &impl Backend,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Option<NonNull<[u8]>> {
    debug_assert!(new.size() <= old.size());
    if new.size() == 0 {
        deallocate(backend, block, old);
        return Some(NonNull::slice_from_raw_parts(dangling(new), 0));
    }
    slice(backend.realloc(block.as_ptr(), old, new), new.size())
}
