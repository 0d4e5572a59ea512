//! What takes the place of the core when the program is interpreted by Miri, which cannot call C: the
//! allocator of the system, and heaps that keep a list of their blocks. Numbers are all 0, arenas
//! cannot be had, and settings have no effect.

use crate::arena::Arena;
use crate::backend::Backend;
use crate::stats::Stats;
use crate::walk::{Area, Block};
use alloc::string::String;
use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::ops::ControlFlow;
use std::alloc::System;
use std::sync::{Mutex, MutexGuard};

unsafe impl Backend for crate::MiMalloc {
    fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { GlobalAlloc::alloc(&System, layout) }
    }

    fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { GlobalAlloc::alloc_zeroed(&System, layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        GlobalAlloc::dealloc(&System, block, layout);
    }

    unsafe fn realloc(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        if old.align() == new.align() {
            return GlobalAlloc::realloc(&System, block, old, new.size());
        }
        let moved = GlobalAlloc::alloc(&System, new);
        if !moved.is_null() {
            moved.copy_from_nonoverlapping(block, old.size().min(new.size()));
            GlobalAlloc::dealloc(&System, block, old);
        }
        moved
    }
}

struct Entry(*mut u8, Layout);

// A block of a heap may be freed by any thread.
unsafe impl Send for Entry {}

pub(crate) struct RawHeap(Mutex<Vec<Entry>>);

impl RawHeap {
    pub(crate) fn new(arena: Option<Arena>) -> Option<Self> {
        arena.is_none().then(|| Self(Mutex::default()))
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn note(&self, block: *mut u8, layout: Layout) -> *mut u8 {
        if !block.is_null() {
            self.entries().push(Entry(block, layout));
        }
        block
    }

    fn forget(&self, block: *mut u8) {
        self.entries().retain(|entry| entry.0 != block);
    }

    pub(crate) unsafe fn destroy(&mut self) {
        for Entry(block, layout) in self.entries().drain(..) {
            GlobalAlloc::dealloc(&System, block, layout);
        }
    }

    pub(crate) unsafe fn detach(&self) {
        drop(core::mem::take(&mut *self.entries()));
    }

    pub(crate) fn collect(&self, _force: bool) {}

    pub(crate) fn contains(&self, address: *const u8) -> bool {
        let inside = |entry: &Entry| {
            let start = entry.0.cast_const();
            start <= address && address < start.wrapping_add(entry.1.size())
        };
        self.entries().iter().any(inside)
    }

    pub(crate) fn set_numa_affinity(&self, _node: i32) {}

    pub(crate) fn stats(&self) -> Stats {
        Stats::from(&crate::sys::mi_stats_t::new())
    }

    pub(crate) fn stats_json(&self) -> String {
        String::from("{}")
    }

    pub(crate) fn visit<B>(
        &self,
        _blocks: bool,
        _visitor: impl FnMut(&Area, Option<Block>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        ControlFlow::Continue(())
    }

    pub(crate) fn local(&self) -> RawLocal {
        RawLocal(core::ptr::null_mut())
    }

    pub(crate) fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note(Backend::alloc(&crate::MiMalloc, layout), layout)
    }

    pub(crate) fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note(Backend::alloc_zeroed(&crate::MiMalloc, layout), layout)
    }

    pub(crate) unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.forget(block);
        Backend::dealloc(&crate::MiMalloc, block, layout);
    }

    pub(crate) unsafe fn realloc(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        // Locked for all of it: another thread may get the old address as soon as it is free.
        let mut entries = self.entries();
        let resized = Backend::realloc(&crate::MiMalloc, block, old, new);
        if !resized.is_null() {
            entries.retain(|entry| entry.0 != block);
            entries.push(Entry(resized, new));
        }
        resized
    }
}

/// A raw pointer, so that it is neither `Send` nor `Sync`, as the real one.
pub(crate) struct RawLocal(#[allow(dead_code)] *mut u8);

impl RawLocal {
    pub(crate) fn alloc(&self, heap: &RawHeap, layout: Layout) -> *mut u8 {
        heap.alloc(layout)
    }

    pub(crate) fn alloc_zeroed(&self, heap: &RawHeap, layout: Layout) -> *mut u8 {
        heap.alloc_zeroed(layout)
    }

    pub(crate) unsafe fn realloc(
        &self,
        heap: &RawHeap,
        block: *mut u8,
        old: Layout,
        new: Layout,
    ) -> *mut u8 {
        heap.realloc(block, old, new)
    }
}

/// The functions of the core that the rest of the crate calls, without a core.
pub(crate) mod core_functions {
    use crate::sys::{c_int, c_long, c_void, mi_arena_id_t, mi_option_t};

    pub(crate) unsafe fn mi_is_in_heap_region(_p: *const c_void) -> bool {
        false
    }
    pub(crate) unsafe fn mi_collect(_force: bool) {}
    pub(crate) unsafe fn mi_thread_idle() {}
    pub(crate) unsafe fn mi_version() -> c_int {
        crate::sys::MI_MALLOC_VERSION
    }
    pub(crate) unsafe fn mi_option_get(_option: mi_option_t) -> c_long {
        0
    }
    pub(crate) unsafe fn mi_option_get_size(_option: mi_option_t) -> usize {
        0
    }
    pub(crate) unsafe fn mi_option_is_enabled(_option: mi_option_t) -> bool {
        false
    }
    pub(crate) unsafe fn mi_option_set(_option: mi_option_t, _value: c_long) {}
    pub(crate) unsafe fn mi_option_set_default(_option: mi_option_t, _value: c_long) {}
    pub(crate) unsafe fn mi_option_set_enabled(_option: mi_option_t, _enabled: bool) {}
    pub(crate) unsafe fn mi_stats_get_bin_size(_bin: usize) -> usize {
        0
    }
    pub(crate) unsafe fn mi_stats_get(_stats: *mut crate::sys::mi_stats_t) -> bool {
        true
    }
    pub(crate) unsafe fn mi_reserve_os_memory_ex(
        _size: usize,
        _commit: bool,
        _allow_large: bool,
        _exclusive: bool,
        _arena_id: *mut mi_arena_id_t,
    ) -> c_int {
        12 // ENOMEM
    }
    #[allow(clippy::too_many_arguments)]
    pub(crate) unsafe fn mi_manage_os_memory_ex(
        _start: *mut c_void,
        _size: usize,
        _is_committed: bool,
        _is_pinned: bool,
        _is_zero: bool,
        _numa_node: c_int,
        _exclusive: bool,
        _arena_id: *mut mi_arena_id_t,
    ) -> bool {
        false
    }
    pub(crate) unsafe fn mi_arena_area(_id: mi_arena_id_t, size: *mut usize) -> *mut c_void {
        *size = 0;
        core::ptr::null_mut()
    }
    pub(crate) unsafe fn mi_arena_contains(_id: mi_arena_id_t, _p: *const c_void) -> bool {
        false
    }
    pub(crate) unsafe fn mi_arena_min_size() -> usize {
        32 << 20
    }
    #[allow(clippy::too_many_arguments)]
    pub(crate) unsafe fn mi_process_info(
        _elapsed_msecs: *mut usize,
        _user_msecs: *mut usize,
        _system_msecs: *mut usize,
        _current_rss: *mut usize,
        _peak_rss: *mut usize,
        _current_commit: *mut usize,
        _peak_commit: *mut usize,
        _page_faults: *mut usize,
    ) {
    }
}
