//! The memory of the whole program, a heap, and a thread's part of a heap, as the core has them.

use crate::arena::Arena;
use crate::backend::Backend;
use crate::stats::{self, Stats};
use crate::walk::{Area, Block};
use alloc::string::String;
use core::alloc::Layout;
use core::ffi::c_void;
use core::ops::ControlFlow;
use core::ptr::{self, NonNull};
use mimalloc_core_sys as sys;

/// The core aligns every block to this, be it smaller than that itself.
const NATURAL_ALIGN: usize = 16;

/// Requests up to this take the shortest path of the core.
const SHORT_PATH_MAX: usize = 4096;

/// True if the functions without an alignment do: always when the alignment is no larger than the
/// size, up to [`NATURAL_ALIGN`]. In this library for smaller blocks too, so the size is not asked,
/// which matters where it is not a constant. Where the layout is one, so is this.
#[inline(always)]
const fn is_plain(layout: Layout) -> bool {
    layout.align() <= NATURAL_ALIGN
}

/// Frees a block of whatever heap.
///
/// # Safety
///
/// `block` is a live block that was allocated or last resized with the layout.
#[inline(always)]
unsafe fn free(block: *mut u8, layout: Layout) {
    // One call, without a look at the layout: the core ignores both hints in release builds, and
    // compares them with the block in debug and secure builds.
    sys::mi_free_size_aligned(block.cast(), layout.size(), layout.align());
}

unsafe impl Backend for crate::MiMalloc {
    #[inline(always)]
    fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = if is_plain(layout) {
            unsafe { sys::mi_malloc(layout.size()) }
        } else {
            unsafe { sys::mi_malloc_aligned(layout.size(), layout.align()) }
        };
        block.cast()
    }

    #[inline(always)]
    fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = if is_plain(layout) {
            unsafe { sys::mi_zalloc(layout.size()) }
        } else {
            unsafe { sys::mi_zalloc_aligned(layout.size(), layout.align()) }
        };
        block.cast()
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        free(block, layout);
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        if is_plain(new) && has_to_move(old.size(), new.size()) {
            return move_block(block, old, new);
        }
        let block = if is_plain(new) {
            sys::mi_realloc(block.cast(), new.size())
        } else {
            sys::mi_realloc_aligned(block.cast(), new.size(), new.align())
        };
        block.cast()
    }
}

/// True if a block that was asked for with the old size is too small for the new one, as it mostly is
/// when a vector grows, and both are served by the shortest paths: then there is nothing to be learned
/// about the old one, which costs more than to allocate, to copy and to free. Not where the core looks
/// at the block to be resized before anything else happens.
///
/// That the new size is larger is asked first, although the rest implies it: where a block shrinks,
/// as every vector's that becomes a boxed slice, the compiler then knows the answer and leaves no code.
#[inline(always)]
const fn has_to_move(old: usize, new: usize) -> bool {
    let is_checked = cfg!(any(feature = "secure", feature = "debug"));
    !is_checked && new > old && new <= SHORT_PATH_MAX && new > NATURAL_ALIGN && new / 2 >= old
}

/// # Safety
///
/// As for `realloc`; the alignment of both layouts is plain, and the new one is larger.
#[inline(always)]
unsafe fn move_block(block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
    let fresh = sys::mi_malloc(new.size()).cast::<u8>();
    if !fresh.is_null() {
        ptr::copy_nonoverlapping(block, fresh, old.size());
        free(block, old);
    }
    fresh
}

pub(crate) struct RawHeap(NonNull<sys::mi_heap_t>);

impl RawHeap {
    pub(crate) fn new(arena: Option<Arena>) -> Option<Self> {
        let heap = match arena {
            Some(arena) => unsafe { sys::mi_heap_new_in_arena(arena.id()) },
            None => unsafe { sys::mi_heap_new() },
        };
        NonNull::new(heap).map(Self)
    }

    pub(crate) fn from_non_null(heap: NonNull<sys::mi_heap_t>) -> Self {
        Self(heap)
    }

    pub(crate) fn as_non_null(&self) -> NonNull<sys::mi_heap_t> {
        self.0
    }

    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut sys::mi_heap_t {
        self.0.as_ptr()
    }

    /// # Safety
    ///
    /// The heap is not used any more, nor are its blocks.
    pub(crate) unsafe fn destroy(&mut self) {
        sys::mi_heap_destroy(self.as_ptr());
    }

    /// # Safety
    ///
    /// The heap is not used any more.
    pub(crate) unsafe fn detach(&self) {
        sys::mi_heap_delete(self.as_ptr());
    }

    pub(crate) fn collect(&self, force: bool) {
        unsafe { sys::mi_heap_collect(self.as_ptr(), force) }
    }

    #[inline]
    pub(crate) fn contains(&self, address: *const u8) -> bool {
        unsafe { sys::mi_heap_contains(self.as_ptr(), address.cast()) }
    }

    pub(crate) fn set_numa_affinity(&self, node: i32) {
        unsafe { sys::mi_heap_set_numa_affinity(self.as_ptr(), node) }
    }

    pub(crate) fn stats(&self) -> Stats {
        stats::get(|stats| unsafe { sys::mi_heap_stats_get(self.as_ptr(), stats) })
    }

    pub(crate) fn stats_json(&self) -> String {
        unsafe { stats::text(sys::mi_heap_stats_get_json(self.as_ptr(), 0, ptr::null_mut())) }
    }

    pub(crate) fn visit<B>(
        &self,
        blocks: bool,
        visitor: impl FnMut(&Area, Option<Block>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        walk(self.as_ptr(), blocks, visitor)
    }

    pub(crate) fn local(&self) -> RawLocal {
        RawLocal(unsafe { sys::mi_heap_theap(self.as_ptr()) })
    }

    #[inline(always)]
    pub(crate) fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = if is_plain(layout) {
            unsafe { sys::mi_heap_malloc(self.as_ptr(), layout.size()) }
        } else {
            unsafe { sys::mi_heap_malloc_aligned(self.as_ptr(), layout.size(), layout.align()) }
        };
        block.cast()
    }

    #[inline(always)]
    pub(crate) fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = if is_plain(layout) {
            unsafe { sys::mi_heap_zalloc(self.as_ptr(), layout.size()) }
        } else {
            unsafe { sys::mi_heap_zalloc_aligned(self.as_ptr(), layout.size(), layout.align()) }
        };
        block.cast()
    }

    /// # Safety
    ///
    /// As for `Backend::dealloc`.
    #[inline(always)]
    pub(crate) unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        free(block, layout);
    }

    /// # Safety
    ///
    /// As for `Backend::realloc`.
    #[inline(always)]
    pub(crate) unsafe fn realloc(&self, block: *mut u8, _old: Layout, new: Layout) -> *mut u8 {
        let block = block.cast();
        let resized = if is_plain(new) {
            sys::mi_heap_realloc(self.as_ptr(), block, new.size())
        } else {
            sys::mi_heap_realloc_aligned(self.as_ptr(), block, new.size(), new.align())
        };
        resized.cast()
    }
}

/// NULL if there was no memory for it; then the heap itself is asked each time.
pub(crate) struct RawLocal(*mut sys::mi_theap_t);

impl RawLocal {
    #[inline(always)]
    pub(crate) fn alloc(&self, heap: &RawHeap, layout: Layout) -> *mut u8 {
        if self.0.is_null() {
            return heap.alloc(layout);
        }
        let block = if is_plain(layout) {
            unsafe { sys::mi_theap_malloc(self.0, layout.size()) }
        } else {
            unsafe { sys::mi_theap_malloc_aligned(self.0, layout.size(), layout.align()) }
        };
        block.cast()
    }

    #[inline(always)]
    pub(crate) fn alloc_zeroed(&self, heap: &RawHeap, layout: Layout) -> *mut u8 {
        if self.0.is_null() || !is_plain(layout) {
            return heap.alloc_zeroed(layout);
        }
        unsafe { sys::mi_theap_zalloc(self.0, layout.size()) }.cast()
    }

    /// # Safety
    ///
    /// As for `Backend::realloc`.
    #[inline(always)]
    pub(crate) unsafe fn realloc(
        &self,
        heap: &RawHeap,
        block: *mut u8,
        old: Layout,
        new: Layout,
    ) -> *mut u8 {
        if self.0.is_null() || !is_plain(new) {
            return heap.realloc(block, old, new);
        }
        sys::mi_theap_realloc(self.0, block.cast(), new.size()).cast()
    }
}

// ---- walking over the blocks of a heap -----------------------------------------------------------

struct Walk<F, B> {
    visitor: F,
    result: Option<B>,
    #[cfg(feature = "std")]
    panic: Option<alloc::boxed::Box<dyn core::any::Any + Send>>,
}

/// Walks over a heap; what the visitor breaks with ends it.
fn walk<B, F>(heap: *mut sys::mi_heap_t, blocks: bool, visitor: F) -> ControlFlow<B>
where
    F: FnMut(&Area, Option<Block>) -> ControlFlow<B>,
{
    let mut walk = Walk {
        visitor,
        result: None,
        #[cfg(feature = "std")]
        panic: None,
    };
    let arg: *mut Walk<F, B> = &mut walk;
    let whole = unsafe { sys::mi_heap_visit_blocks(heap, blocks, Some(show::<F, B>), arg.cast()) };
    #[cfg(feature = "std")]
    if let Some(panic) = walk.panic {
        std::panic::resume_unwind(panic);
    }
    match walk.result {
        Some(value) => ControlFlow::Break(value),
        None if whole => ControlFlow::Continue(()),
        None => panic!("no memory to walk over a heap"),
    }
}

/// What the core calls. A panic must not pass through it.
unsafe extern "C" fn show<F, B>(
    _heap: *const sys::mi_heap_t,
    area: *const sys::mi_heap_area_t,
    block: *mut c_void,
    block_size: usize,
    arg: *mut c_void,
) -> bool
where
    F: FnMut(&Area, Option<Block>) -> ControlFlow<B>,
{
    let walk = &mut *arg.cast::<Walk<F, B>>();
    let area = &*area;
    let shown = Area {
        blocks: area.blocks.cast(),
        reserved: area.reserved,
        committed: area.committed,
        used: area.used,
        block_size: area.block_size,
        full_block_size: area.full_block_size,
    };
    let block = NonNull::new(block.cast()).map(|address| Block { address, size: block_size });
    let visitor = &mut walk.visitor;

    #[cfg(feature = "std")]
    let flow = {
        let call = std::panic::AssertUnwindSafe(|| visitor(&shown, block));
        match std::panic::catch_unwind(call) {
            Ok(flow) => flow,
            Err(panic) => {
                walk.panic = Some(panic);
                return false;
            }
        }
    };
    #[cfg(not(feature = "std"))]
    let flow = {
        let end = EndOnUnwind;
        let flow = visitor(&shown, block);
        core::mem::forget(end);
        flow
    };
    match flow {
        ControlFlow::Continue(()) => true,
        ControlFlow::Break(value) => {
            walk.result = Some(value);
            false
        }
    }
}

/// A panic while another one is on its way ends the process.
#[cfg(not(feature = "std"))]
struct EndOnUnwind;

#[cfg(not(feature = "std"))]
impl Drop for EndOnUnwind {
    fn drop(&mut self) {
        panic!("a visitor of a heap panicked");
    }
}
