use crate::heap::Heap;
use crate::{ffi, sys};
use core::fmt;
use core::mem::MaybeUninit;

/// A contiguous range of memory that heaps can be bound to: reserved here, or given by the program.
///
/// Heaps [made in it](Self::heap) allocate from nowhere else, so that what they have is limited, or is
/// where it ought to be; no other heap allocates from it. An arena lives as long as the program, and
/// this is a handle of it.
///
/// ```
/// # #[cfg(feature = "allocator-api2-02")] {
/// use allocator_api2::vec::Vec;
/// use mimalloc_core::Arena;
///
/// let arena = Arena::reserve(Arena::min_size()).expect("no memory");
/// let heap = arena.heap().expect("no memory");
/// let mut numbers = Vec::new_in(&heap);
/// numbers.extend(0..1000);
/// assert!(arena.contains(&numbers[0]));
///
/// // It is full one day.
/// let too_much = arena.area().len();
/// assert!(Vec::<u8, _>::new_in(&heap).try_reserve(too_much).is_err());
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arena(sys::mi_arena_id_t);

// Any thread may call the functions of an arena.
unsafe impl Send for Arena {}
unsafe impl Sync for Arena {}

/// How an arena is reserved; see [`Arena::options`].
///
/// ```
/// use mimalloc_core::Arena;
///
/// let arena = Arena::options().commit(true).reserve(Arena::min_size()).expect("no memory");
/// assert!(arena.area().len() >= Arena::min_size());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct ArenaOptions {
    commit: bool,
    large_pages: bool,
}

impl ArenaOptions {
    /// Commits all memory at once instead of as it is used.
    ///
    /// ```
    /// use mimalloc_core::Arena;
    ///
    /// let before = mimalloc_core::stats().committed.current;
    /// let arena = Arena::options().commit(true).reserve(Arena::min_size())?;
    /// let more = mimalloc_core::stats().committed.current - before;
    /// assert!(more as usize >= arena.area().len());
    /// # Ok::<(), mimalloc_core::ArenaError>(())
    /// ```
    pub fn commit(mut self, commit: bool) -> Self {
        self.commit = commit;
        self
    }

    /// Uses large pages of the system if there are any.
    ///
    /// ```
    /// use mimalloc_core::Arena;
    ///
    /// // On a system without them it is an arena like others.
    /// let arena = Arena::options().large_pages(true).reserve(Arena::min_size())?;
    /// assert!(arena.heap().is_some());
    /// # Ok::<(), mimalloc_core::ArenaError>(())
    /// ```
    pub fn large_pages(mut self, large_pages: bool) -> Self {
        self.large_pages = large_pages;
        self
    }

    /// Reserves the arena: `size` bytes, rounded up, at least [`Arena::min_size`].
    ///
    /// ```
    /// use mimalloc_core::Arena;
    ///
    /// let arena = Arena::options().reserve(1)?;
    /// assert!(arena.area().len() >= Arena::min_size());
    /// # Ok::<(), mimalloc_core::ArenaError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no memory, or no address space.
    pub fn reserve(self, size: usize) -> Result<Arena, ArenaError> {
        let mut id = core::ptr::null_mut();
        let error = unsafe {
            ffi::mi_reserve_os_memory_ex(size, self.commit, self.large_pages, true, &mut id)
        };
        if error == 0 && !id.is_null() {
            Ok(Arena(id))
        } else {
            Err(ArenaError(()))
        }
    }
}

impl Arena {
    /// Reserves an arena of `size` bytes, rounded up, at least [`min_size`](Self::min_size). Its memory
    /// is committed as it is used; [`options`](Self::options) has other ways.
    ///
    /// ```
    /// use mimalloc_core::Arena;
    ///
    /// let arena = Arena::reserve(100 << 20)?;
    /// assert!(arena.area().len() >= 100 << 20);
    /// # Ok::<(), mimalloc_core::ArenaError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no memory, or no address space.
    pub fn reserve(size: usize) -> Result<Self, ArenaError> {
        Self::options().reserve(size)
    }

    /// Other ways to reserve an arena.
    ///
    /// ```
    /// let options = mimalloc_core::Arena::options().commit(true);
    /// # let _ = options;
    /// ```
    pub fn options() -> ArenaOptions {
        ArenaOptions::default()
    }

    /// Makes an arena of memory of the program, which is given away for ever. What does not fill 64
    /// KiB at its ends is not used.
    ///
    /// Memory that the arena does not need is given back to the system (`MADV_DONTNEED`).
    ///
    /// ```
    /// use mimalloc_core::Arena;
    /// use std::mem::MaybeUninit;
    ///
    /// static mut MEMORY: [MaybeUninit<u8>; 1 << 20] = [MaybeUninit::uninit(); 1 << 20];
    ///
    /// // Nobody else takes it.
    /// let memory = unsafe { &mut *std::ptr::addr_of_mut!(MEMORY) };
    /// let range = memory.as_ptr_range();
    /// let arena = Arena::from_slice(memory)?;
    /// assert!(range.contains(&arena.area().cast()));
    /// # Ok::<(), mimalloc_core::ArenaError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is too small, if it is in an arena already, as every block of this library is, or if
    /// there is no memory to describe it.
    pub fn from_slice(memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ArenaError> {
        let mut id = core::ptr::null_mut();
        let start = memory.as_mut_ptr().cast();
        let done = unsafe {
            // committed, may be given back, not known to be zero, on no node in particular
            ffi::mi_manage_os_memory_ex(start, memory.len(), true, false, false, -1, true, &mut id)
        };
        if done && !id.is_null() {
            Ok(Self(id))
        } else {
            Err(ArenaError(()))
        }
    }

    /// Makes a heap that allocates from the arena only; `None` if there is no memory.
    ///
    /// ```
    /// use mimalloc_core::Arena;
    ///
    /// let heap = Arena::reserve(Arena::min_size())?.heap().expect("no memory");
    /// assert_eq!(heap.stats().live_blocks(), 0);
    /// # Ok::<(), mimalloc_core::ArenaError>(())
    /// ```
    #[must_use]
    pub fn heap(self) -> Option<Heap> {
        Heap::in_arena(self)
    }

    /// The range of memory.
    ///
    /// ```
    /// use mimalloc_core::Arena;
    ///
    /// let arena = Arena::reserve(Arena::min_size())?;
    /// assert!(arena.contains(arena.area().cast::<u8>()));
    /// # Ok::<(), mimalloc_core::ArenaError>(())
    /// ```
    #[must_use]
    pub fn area(self) -> *const [u8] {
        let mut len = 0;
        let start = unsafe { ffi::mi_arena_area(self.0, &mut len) };
        core::ptr::slice_from_raw_parts(start.cast(), len)
    }

    /// True if an address, any address, lies in the arena.
    ///
    /// ```
    /// use mimalloc_core::Arena;
    ///
    /// let arena = Arena::reserve(Arena::min_size())?;
    /// assert!(!arena.contains(&1));
    /// # Ok::<(), mimalloc_core::ArenaError>(())
    /// ```
    #[must_use]
    pub fn contains<T: ?Sized>(self, address: *const T) -> bool {
        unsafe { ffi::mi_arena_contains(self.0, address.cast()) }
    }

    /// Bytes that a reserved arena has at least.
    ///
    /// ```
    /// assert!(mimalloc_core::Arena::min_size() >= 1 << 20);
    /// ```
    #[must_use]
    pub fn min_size() -> usize {
        unsafe { ffi::mi_arena_min_size() }
    }

    /// The arena as functions of [`sys`](crate::sys) take it.
    ///
    /// ```
    /// use mimalloc_core::{sys, Arena};
    ///
    /// let arena = Arena::reserve(Arena::min_size())?;
    /// assert!(!unsafe { sys::mi_arena_contains(arena.id(), std::ptr::null()) });
    /// # Ok::<(), mimalloc_core::ArenaError>(())
    /// ```
    #[must_use]
    pub fn id(self) -> sys::mi_arena_id_t {
        self.0
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let area = self.area();
        f.debug_struct("Arena")
            .field("start", &area.cast::<u8>())
            .field("len", &area.len())
            .finish()
    }
}

/// An arena could not be made: no memory, no address space, or a slice that is too small.
///
/// ```
/// use mimalloc_core::Arena;
///
/// assert!(Arena::from_slice(&mut []).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaError(());

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no memory for an arena, or a slice that is too small for one")
    }
}

#[cfg(feature = "std")]
impl std::error::Error for ArenaError {}
