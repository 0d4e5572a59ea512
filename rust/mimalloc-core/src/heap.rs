use crate::arena::Arena;
use crate::backend::Backend;
use crate::stats::Stats;
use crate::walk::{Area, Block};
use crate::{RawHeap, RawLocal};
use alloc::string::String;
use alloc::sync::Arc;
use core::alloc::Layout;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::{ControlFlow, Deref};
#[cfg(not(miri))]
use core::ptr::NonNull;

/// A heap: memory of its own, which is freed at once when the heap is dropped.
///
/// `&Heap` is an `Allocator`, for collections of allocator-api2 and, on nightly, of the standard
/// library. Blocks may be freed one by one as well; what is left goes with the heap, without running
/// destructors. A heap takes no memory for blocks until its first one, and is cheap enough to be made
/// for every request of a server.
///
/// ```
/// # #[cfg(feature = "allocator-api2-02")] {
/// use allocator_api2::{boxed::Box, vec::Vec};
/// use mimalloc_core::Heap;
///
/// let heap = Heap::new();
/// let mut numbers = Vec::new_in(&heap);
/// numbers.extend(0..1000);
/// let boxed = Box::new_in([1u8; 32], &heap);
/// assert!(heap.contains(&numbers[0]) && heap.contains(&*boxed));
/// # }
/// ```
///
/// # Threads
///
/// A heap may be used by many threads at once. Each allocates from its own pages, so that they do not
/// wait for each other, and any thread may free any block.
///
/// ```
/// # #[cfg(feature = "allocator-api2-02")] {
/// use allocator_api2::vec::Vec;
/// use mimalloc_core::Heap;
///
/// let heap = Heap::new();
/// let made = std::thread::scope(|scope| {
///     let maker = scope.spawn(|| {
///         let mut numbers = Vec::new_in(&heap);
///         numbers.extend(0..100);
///         numbers
///     });
///     maker.join().unwrap()
/// });
/// assert!(heap.contains(&made[0]));
/// # }
/// ```
///
/// # What the compiler makes sure of
///
/// A block borrows its heap, so it cannot outlive it:
///
/// ```compile_fail,E0505
/// use allocator_api2::boxed::Box;
/// use mimalloc_core::Heap;
///
/// let heap = Heap::new();
/// let number = Box::new_in(1, &heap);
/// drop(heap);
/// println!("{number}");
/// ```
///
/// A box that is leaked lives as long as the borrow, not for ever:
///
/// ```compile_fail,E0597
/// use allocator_api2::boxed::Box;
/// use mimalloc_core::Heap;
///
/// let heap = Heap::new();
/// let number: &'static mut i32 = Box::leak(Box::new_in(1, &heap));
/// ```
///
/// Forgetting a box is allowed: its memory goes with the heap, its destructor does not run.
///
/// ```
/// # #[cfg(feature = "allocator-api2-02")] {
/// use allocator_api2::boxed::Box;
/// use mimalloc_core::Heap;
///
/// let heap = Heap::new();
/// std::mem::forget(Box::new_in(String::from("its bytes leak, they are not in the heap"), &heap));
/// # }
/// ```
///
/// A heap cannot be cloned, since the clone would be another owner of the same blocks;
/// [`ArcHeap`] is for that:
///
/// ```compile_fail,E0599
/// let heap = mimalloc_core::Heap::new();
/// let other: mimalloc_core::Heap = heap.clone();
/// ```
///
/// What is pinned must stay valid until it is dropped, which the end of a borrowed heap would break.
/// So pinning asks for an allocator that lives for ever, and `&heap` is none:
///
/// ```compile_fail,E0597
/// use allocator_api2::boxed::Box;
/// use mimalloc_core::Heap;
///
/// let heap = Heap::new();
/// let pinned = Box::into_pin(Box::new_in(1, &heap));
/// ```
///
/// A heap that was [leaked](Heap::leak) and an [`ArcHeap`] do live long enough:
///
/// ```
/// # #[cfg(feature = "allocator-api2-02")] {
/// use allocator_api2::boxed::Box;
/// use mimalloc_core::{ArcHeap, Heap};
///
/// let heap: &'static Heap = Heap::new().leak();
/// let pinned = Box::into_pin(Box::new_in(1, heap));
/// let other = Box::into_pin(Box::new_in(2, ArcHeap::new()));
/// assert_eq!(*pinned + *other, 3);
/// # }
/// ```
pub struct Heap {
    raw: RawHeap,
}

// A heap may be used by any thread, and by many at once. This holds while all of them belong to the
// same sub-process; changing that is a function of `sys`, which is unsafe to call.
unsafe impl Send for Heap {}
unsafe impl Sync for Heap {}

impl Heap {
    /// Makes a heap.
    ///
    /// ```
    /// let heap = mimalloc_core::Heap::new();
    /// assert_eq!(heap.stats().live_blocks(), 0);
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no memory.
    #[must_use]
    pub fn new() -> Self {
        Self::try_new().expect("no memory for a heap")
    }

    /// Makes a heap; `None` if there is no memory.
    ///
    /// ```
    /// let heap = mimalloc_core::Heap::try_new().expect("no memory");
    /// # drop(heap);
    /// ```
    #[must_use]
    pub fn try_new() -> Option<Self> {
        RawHeap::new(None).map(|raw| Self { raw })
    }

    pub(crate) fn in_arena(arena: Arena) -> Option<Self> {
        RawHeap::new(Some(arena)).map(|raw| Self { raw })
    }

    /// Ends the heap without freeing its blocks: they belong to the main heap of the program from now
    /// on, and have to be freed one by one.
    ///
    /// Blocks that borrow the heap cannot exist at that moment; what can is blocks that were turned
    /// into raw pointers.
    ///
    /// ```
    /// # #[cfg(feature = "allocator-api2-02")] {
    /// use allocator_api2::boxed::Box;
    /// use mimalloc_core::{Heap, MiMalloc};
    ///
    /// let heap = Heap::new();
    /// let raw = Box::into_raw(Box::new_in(5, &heap));
    /// heap.detach();
    /// // It is a block of the program now.
    /// let boxed = unsafe { Box::from_raw_in(raw, MiMalloc) };
    /// assert_eq!(*boxed, 5);
    /// # }
    /// ```
    pub fn detach(self) {
        let this = ManuallyDrop::new(self);
        // Nobody else has the heap, and it is not used again.
        unsafe { this.raw.detach() };
    }

    /// Keeps the heap for ever.
    ///
    /// ```
    /// use mimalloc_core::Heap;
    ///
    /// let heap: &'static Heap = Heap::new().leak();
    /// std::thread::spawn(move || heap.collect(false)).join().unwrap();
    /// ```
    #[must_use = "a leaked heap that is not used is lost"]
    pub fn leak(self) -> &'static Self {
        alloc::boxed::Box::leak(alloc::boxed::Box::new(self))
    }

    /// Frees what is empty in the heap: pages that the calling thread keeps for later. With `force`,
    /// those of all threads, and all free memory of the program is given back to the system at once.
    ///
    /// ```
    /// # #[cfg(feature = "allocator-api2-02")] {
    /// use mimalloc_core::Heap;
    ///
    /// let heap = Heap::new();
    /// drop(allocator_api2::vec::Vec::<u8, _>::with_capacity_in(1 << 20, &heap));
    /// heap.collect(true);
    /// assert_eq!(heap.stats().pages.current, 0);
    /// # }
    /// ```
    pub fn collect(&self, force: bool) {
        self.raw.collect(force);
    }

    /// True if a value lies in the heap. A value that was freed still does as long as its page does.
    ///
    /// ```
    /// # #[cfg(feature = "allocator-api2-02")] {
    /// use allocator_api2::boxed::Box;
    /// use mimalloc_core::Heap;
    ///
    /// let heap = Heap::new();
    /// let inside = Box::new_in(1, &heap);
    /// let outside = 1;
    /// assert!(heap.contains(&*inside));
    /// assert!(!heap.contains(&outside));
    /// # }
    /// ```
    #[must_use]
    pub fn contains<T: ?Sized>(&self, value: &T) -> bool {
        self.contains_address(value)
    }

    /// [`contains`](Self::contains) for any address, valid or not.
    ///
    /// ```
    /// let heap = mimalloc_core::Heap::new();
    /// assert!(!heap.contains_address(std::ptr::null::<u8>()));
    /// ```
    #[must_use]
    pub fn contains_address<T: ?Sized>(&self, address: *const T) -> bool {
        self.raw.contains(address.cast())
    }

    /// Says near which node of the machine's memory the heap should allocate; `None`: anywhere. A
    /// hint.
    ///
    /// ```
    /// let heap = mimalloc_core::Heap::new();
    /// heap.set_numa_affinity(Some(0));
    /// ```
    pub fn set_numa_affinity(&self, node: Option<u16>) {
        self.raw.set_numa_affinity(node.map_or(-1, i32::from));
    }

    /// What the heap has: blocks, pages, bytes. Exact for what the calling thread did, and threads that
    /// have ended; of another running thread as of the last time it needed more memory.
    ///
    /// ```
    /// # #[cfg(feature = "allocator-api2-02")] {
    /// use allocator_api2::boxed::Box;
    /// use mimalloc_core::Heap;
    ///
    /// let heap = Heap::new();
    /// let _boxes: Vec<_> = (0..10).map(|i| Box::new_in([i; 8], &heap)).collect();
    /// let stats = heap.stats();
    /// assert_eq!(stats.live_blocks(), 10);
    /// assert!(stats.live_bytes() >= 320);
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.raw.stats()
    }

    /// [`stats`](Self::stats) as JSON, in the format of the C interface.
    ///
    /// ```
    /// let json = mimalloc_core::Heap::new().stats_json();
    /// assert!(json.starts_with('{'));
    /// ```
    #[must_use]
    pub fn stats_json(&self) -> String {
        self.raw.stats_json()
    }

    /// Visits the pages of the heap until `visitor` breaks, and returns what it broke with.
    ///
    /// ```
    /// # #[cfg(feature = "allocator-api2-02")] {
    /// use allocator_api2::boxed::Box;
    /// use mimalloc_core::Heap;
    /// use std::ops::ControlFlow;
    ///
    /// let heap = Heap::new();
    /// let _boxed = Box::new_in([0u8; 100], &heap);
    /// let mut used = 0;
    /// let _: ControlFlow<()> = heap.visit_areas(|area| {
    ///     used += area.used;
    ///     ControlFlow::Continue(())
    /// });
    /// assert_eq!(used, 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the visitor does, or if there is no memory to walk.
    pub fn visit_areas<B>(
        &self,
        mut visitor: impl FnMut(&Area) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.raw.visit(false, |area, _| visitor(area))
    }

    /// Visits the pages of the heap and the live blocks in them until `visitor` breaks: each page with
    /// `None`, then each of its blocks. Returns what it broke with.
    ///
    /// Other threads may use the heap meanwhile; the core keeps the walk safe. It shows their blocks as
    /// of the last time they needed more memory. The visitor may allocate and free, in this heap too.
    ///
    /// ```
    /// # #[cfg(feature = "allocator-api2-02")] {
    /// use allocator_api2::boxed::Box;
    /// use mimalloc_core::Heap;
    /// use std::ops::ControlFlow;
    ///
    /// let heap = Heap::new();
    /// let boxed = Box::new_in([0u8; 100], &heap);
    /// let found = heap.visit(|_area, block| match block {
    ///     Some(block) => ControlFlow::Break(block.address.as_ptr() as *const u8),
    ///     None => ControlFlow::Continue(()),
    /// });
    /// assert_eq!(found, ControlFlow::Break(boxed.as_ptr()));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the visitor does, or if there is no memory to walk.
    pub fn visit<B>(
        &self,
        visitor: impl FnMut(&Area, Option<Block>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.raw.visit(true, visitor)
    }

    /// Calls `work` with the calling thread's part of the heap, which allocates a little faster than
    /// the heap, since it need not be looked up each time.
    ///
    /// ```
    /// # #[cfg(feature = "allocator-api2-02")] {
    /// use allocator_api2::vec::Vec;
    /// use mimalloc_core::Heap;
    ///
    /// let heap = Heap::new();
    /// let sum: u32 = heap.with_local(|local| {
    ///     let mut numbers = Vec::new_in(local);
    ///     numbers.extend(1..=100);
    ///     numbers.iter().sum()
    /// });
    /// assert_eq!(sum, 5050);
    /// # }
    /// ```
    pub fn with_local<R>(&self, work: impl FnOnce(&LocalHeap<'_>) -> R) -> R {
        work(&LocalHeap { raw: self.raw.local(), heap: self })
    }

    /// The heap as functions of [`sys`](crate::sys) take it. It stays this value's.
    ///
    /// ```
    /// use mimalloc_core::{sys, Heap};
    ///
    /// let heap = Heap::new();
    /// let block = unsafe { sys::mi_heap_malloc(heap.as_ptr(), 10) };
    /// assert!(heap.contains_address(block));
    /// ```
    #[cfg(not(miri))]
    #[must_use]
    pub fn as_ptr(&self) -> *mut crate::sys::mi_heap_t {
        self.raw.as_ptr()
    }

    /// Gives the heap away, to C code for example. [`from_raw`](Self::from_raw) takes it back.
    ///
    /// ```
    /// use mimalloc_core::Heap;
    ///
    /// let raw = Heap::new().into_raw();
    /// let heap = unsafe { Heap::from_raw(raw) };
    /// # drop(heap);
    /// ```
    #[cfg(not(miri))]
    #[must_use = "the heap is lost without the pointer"]
    pub fn into_raw(self) -> NonNull<crate::sys::mi_heap_t> {
        ManuallyDrop::new(self).raw.as_non_null()
    }

    /// Takes a heap over: it is destroyed when the value is dropped.
    ///
    /// ```
    /// use mimalloc_core::{sys, Heap};
    ///
    /// let raw = std::ptr::NonNull::new(unsafe { sys::mi_heap_new() }).expect("no memory");
    /// let heap = unsafe { Heap::from_raw(raw) };
    /// assert_eq!(heap.stats().live_blocks(), 0);
    /// ```
    ///
    /// # Safety
    ///
    /// It is a live heap that nobody else will delete or destroy, and not a main heap. Blocks in it
    /// are not used after the value is dropped. The calling thread's sub-process is that of the heap.
    #[cfg(not(miri))]
    #[must_use]
    pub unsafe fn from_raw(heap: NonNull<crate::sys::mi_heap_t>) -> Self {
        Self { raw: RawHeap::from_non_null(heap) }
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.stats();
        f.debug_struct("Heap")
            .field("live_blocks", &stats.live_blocks())
            .field("live_bytes", &stats.live_bytes())
            .finish_non_exhaustive()
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // Whoever has a block borrows the heap, or promised not to use it any more.
        unsafe { self.raw.destroy() };
    }
}

unsafe impl Backend for Heap {
    #[inline(always)]
    fn alloc(&self, layout: Layout) -> *mut u8 {
        self.raw.alloc(layout)
    }

    #[inline(always)]
    fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.raw.alloc_zeroed(layout)
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        debug_assert!(self.contains_address(block), "the block is of another heap");
        self.raw.dealloc(block, layout);
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        debug_assert!(self.contains_address(block), "the block is of another heap");
        self.raw.realloc(block, old, new)
    }
}

/// A heap that several owners share. It is destroyed when the last of them is dropped.
///
/// It is an `Allocator` that may be cloned, so that collections can own their heap: each one keeps it
/// alive.
///
/// ```
/// # #[cfg(feature = "allocator-api2-02")] {
/// use allocator_api2::vec::Vec;
/// use mimalloc_core::ArcHeap;
///
/// fn numbers() -> Vec<u32, ArcHeap> {
///     let heap = ArcHeap::new();
///     let mut numbers = Vec::new_in(heap);
///     numbers.extend(0..10);
///     numbers
/// }
///
/// let kept = numbers();
/// let copy = kept.clone(); // in the same heap
/// assert!(kept.allocator().contains(&copy[0]));
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ArcHeap(Arc<Heap>);

impl ArcHeap {
    /// Makes a heap with one owner.
    ///
    /// ```
    /// let heap = mimalloc_core::ArcHeap::new();
    /// let other = heap.clone();
    /// drop(heap);
    /// assert_eq!(other.stats().live_blocks(), 0);
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no memory.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Heap::new()))
    }

    /// The heap, if there is no other owner.
    ///
    /// ```
    /// use mimalloc_core::ArcHeap;
    ///
    /// let heap = ArcHeap::new();
    /// let other = heap.clone();
    /// let heap = heap.try_into_heap().unwrap_err();
    /// drop(other);
    /// assert!(heap.try_into_heap().is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// The value, if there are other owners.
    pub fn try_into_heap(self) -> Result<Heap, Self> {
        Arc::try_unwrap(self.0).map_err(Self)
    }
}

impl From<Heap> for ArcHeap {
    fn from(heap: Heap) -> Self {
        Self(Arc::new(heap))
    }
}

impl Deref for ArcHeap {
    type Target = Heap;

    fn deref(&self) -> &Heap {
        &self.0
    }
}

unsafe impl Backend for ArcHeap {
    #[inline(always)]
    fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.alloc(layout)
    }

    #[inline(always)]
    fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.0.alloc_zeroed(layout)
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.0.dealloc(block, layout);
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        self.0.realloc(block, old, new)
    }
}

/// The calling thread's part of a [`Heap`], lent for the time of a closure by [`Heap::with_local`].
///
/// It cannot be kept, since the core frees it when the thread ends, which may be before the
/// destructors of thread-local variables run:
///
/// ```compile_fail,E0521
/// let heap = mimalloc_core::Heap::new();
/// let mut kept = None;
/// heap.with_local(|local| kept = Some(local));
/// ```
///
/// Nor can what is allocated from it leave the closure:
///
/// ```compile_fail
/// use allocator_api2::boxed::Box;
///
/// let heap = mimalloc_core::Heap::new();
/// let boxed = heap.with_local(|local| Box::new_in(1, local));
/// ```
///
/// Nor another thread have it:
///
/// ```compile_fail,E0277
/// let heap = mimalloc_core::Heap::new();
/// heap.with_local(|local| {
///     std::thread::scope(|scope| {
///         scope.spawn(|| format!("{local:?}"));
///     });
/// });
/// ```
///
/// Allocating through [`heap`](Self::heap) gives blocks that may do both.
pub struct LocalHeap<'h> {
    raw: RawLocal, // a raw pointer: neither Send nor Sync
    heap: &'h Heap,
}

impl<'h> LocalHeap<'h> {
    /// The heap it is a part of.
    ///
    /// ```
    /// # #[cfg(feature = "allocator-api2-02")] {
    /// use allocator_api2::boxed::Box;
    /// use mimalloc_core::Heap;
    ///
    /// let heap = Heap::new();
    /// heap.with_local(|local| {
    ///     let boxed = Box::new_in(1, local);
    ///     assert!(local.heap().contains(&*boxed));
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn heap(&self) -> &'h Heap {
        self.heap
    }
}

impl fmt::Debug for LocalHeap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalHeap").field("heap", self.heap).finish_non_exhaustive()
    }
}

unsafe impl Backend for LocalHeap<'_> {
    #[inline(always)]
    fn alloc(&self, layout: Layout) -> *mut u8 {
        self.raw.alloc(&self.heap.raw, layout)
    }

    #[inline(always)]
    fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.raw.alloc_zeroed(&self.heap.raw, layout)
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.heap.dealloc(block, layout);
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        debug_assert!(self.heap.contains_address(block), "the block is of another heap");
        self.raw.realloc(&self.heap.raw, block, old, new)
    }
}
