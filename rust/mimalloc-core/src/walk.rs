use core::ptr::NonNull;

/// A page of equal blocks, as [`Heap::visit`](crate::Heap::visit) shows it. Sizes in bytes.
///
/// ```
/// # #[cfg(feature = "allocator-api2-02")] {
/// use allocator_api2::boxed::Box;
/// use mimalloc_core::Heap;
/// use std::ops::ControlFlow;
///
/// let heap = Heap::new();
/// let _boxed = Box::new_in([0u64; 12], &heap);
/// let _ = heap.visit_areas(|area| {
///     assert!(area.block_size >= 96);
///     assert!(area.committed <= area.reserved);
///     ControlFlow::<()>::Continue(())
/// });
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Area {
    /// Start of the first block.
    pub blocks: *const u8,
    /// Address space of the page.
    pub reserved: usize,
    /// What of it can be used now.
    pub committed: usize,
    /// Number of blocks in use.
    pub used: usize,
    /// What a program can use of each block.
    pub block_size: usize,
    /// From one block to the next.
    pub full_block_size: usize,
}

/// A live block, as [`Heap::visit`](crate::Heap::visit) shows it.
///
/// ```
/// # #[cfg(feature = "allocator-api2-02")] {
/// use allocator_api2::boxed::Box;
/// use mimalloc_core::Heap;
/// use std::ops::ControlFlow;
///
/// let heap = Heap::new();
/// let _boxed = Box::new_in([0u64; 12], &heap);
/// let mut bytes = 0;
/// let _ = heap.visit(|_area, block| {
///     bytes += block.map_or(0, |block| block.size);
///     ControlFlow::<()>::Continue(())
/// });
/// assert!(bytes >= 96);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Block {
    /// Its first byte.
    pub address: NonNull<u8>,
    /// What a program can use of it, in bytes: at least what was asked for.
    pub size: usize,
}
