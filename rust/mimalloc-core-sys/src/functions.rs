// Written by rust/tools/bindings.py from core/include: do not edit.
use crate::*;

extern "C" {
    /// Allocates memory that is not initialised.
    ///
    /// - `size`: bytes
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_malloc")]
    pub fn mi_malloc(size: usize) -> *mut c_void;
    /// Allocates count times size bytes that read as zero.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_calloc")]
    pub fn mi_calloc(count: usize, size: usize) -> *mut c_void;
    /// Resizes a block; it may move. Contents are kept up to the smaller of the two sizes.
    ///
    /// - `p`: a block, or NULL: then the same as `mi_malloc()`
    /// - `newsize`: bytes; 0 yields a minimal block whose first byte is zero, and p is freed
    /// - returns the block; NULL with ENOMEM, or with EINVAL if p is not a block of this library
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_realloc")]
    pub fn mi_realloc(p: *mut c_void, newsize: usize) -> *mut c_void;
    /// Tells whether a block can hold newsize bytes where it is, and makes it so if it can.
    ///
    /// - returns p, or NULL with ENOMEM: nothing changed
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_expand")]
    pub fn mi_expand(p: *mut c_void, newsize: usize) -> *mut c_void;
    /// Frees a block.
    ///
    /// - `p`: a block, or NULL. An address that is in no page of this library is reported to
    ///   `mi_register_error()` (EINVAL) and ignored; so is, where the slow path sees it, a pointer
    ///   into a block (EINVAL) or a block freed before (EAGAIN). The release build's fast path, a
    ///   free by the thread that owns the page, does not look for the latter two.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_free")]
    pub fn mi_free(p: *mut c_void);
    /// Copies a string into a block.
    ///
    /// - `s`: the string, or NULL
    /// - returns the copy; NULL if s is NULL; NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_strdup")]
    pub fn mi_strdup(s: *const c_char) -> *mut c_char;
    /// Copies at most n bytes of a string into a block and adds a NUL.
    ///
    /// - returns the copy; NULL if s is NULL; NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_strndup")]
    pub fn mi_strndup(s: *const c_char, n: usize) -> *mut c_char;
    /// The absolute path of a file, without symbolic links.
    ///
    /// - `fname`: a path
    /// - `resolved_name`: PATH_MAX bytes for the result, or NULL: then the result is a block
    /// - returns the result; NULL with ENOMEM or what realpath() of the C library sets
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_realpath")]
    pub fn mi_realpath(fname: *const c_char, resolved_name: *mut c_char) -> *mut c_char;
    /// `mi_malloc()` for sizes up to MI_SMALL_SIZE_MAX; larger ones work, with no gain.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_malloc_small")]
    pub fn mi_malloc_small(size: usize) -> *mut c_void;
    /// `mi_zalloc()` for sizes up to MI_SMALL_SIZE_MAX; larger ones work, with no gain.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_zalloc_small")]
    pub fn mi_zalloc_small(size: usize) -> *mut c_void;
    /// Allocates size bytes that read as zero.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_zalloc")]
    pub fn mi_zalloc(size: usize) -> *mut c_void;
    /// Allocates count times size bytes, not initialised.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_mallocn")]
    pub fn mi_mallocn(count: usize, size: usize) -> *mut c_void;
    /// `mi_realloc()` to count times size bytes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_reallocn")]
    pub fn mi_reallocn(p: *mut c_void, count: usize, size: usize) -> *mut c_void;
    /// `mi_realloc()` that frees p when it fails.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_reallocf")]
    pub fn mi_reallocf(p: *mut c_void, newsize: usize) -> *mut c_void;
    /// Bytes of a block that the program may use, at least as many as it asked for.
    ///
    /// - `p`: a block, or NULL
    /// - returns bytes; 0 for NULL and for what is not a block of this library
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_usable_size")]
    pub fn mi_usable_size(p: *const c_void) -> usize;
    /// What `mi_usable_size()` of a new block for a request would be; size itself if it is
    /// impossible.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_good_size")]
    pub fn mi_good_size(size: usize) -> usize;
    /// `mi_free()` for a block of one of the `_small` functions.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_free_small")]
    pub fn mi_free_small(p: *mut c_void);
    /// Allocates size bytes at a multiple of alignment.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_malloc_aligned")]
    pub fn mi_malloc_aligned(size: usize, alignment: usize) -> *mut c_void;
    /// Allocates size bytes such that block + offset is aligned.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_malloc_aligned_at")]
    pub fn mi_malloc_aligned_at(size: usize, alignment: usize, offset: usize) -> *mut c_void;
    /// `mi_malloc_aligned()` that zeroes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_zalloc_aligned")]
    pub fn mi_zalloc_aligned(size: usize, alignment: usize) -> *mut c_void;
    /// `mi_malloc_aligned_at()` that zeroes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_zalloc_aligned_at")]
    pub fn mi_zalloc_aligned_at(size: usize, alignment: usize, offset: usize) -> *mut c_void;
    /// `mi_zalloc_aligned()` of count times size bytes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_calloc_aligned")]
    pub fn mi_calloc_aligned(count: usize, size: usize, alignment: usize) -> *mut c_void;
    /// `mi_zalloc_aligned_at()` of count times size bytes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_calloc_aligned_at")]
    pub fn mi_calloc_aligned_at(
        count: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_realloc()` whose result is aligned, wherever p was.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_realloc_aligned")]
    pub fn mi_realloc_aligned(p: *mut c_void, newsize: usize, alignment: usize) -> *mut c_void;
    /// `mi_realloc()` such that block + offset is aligned, wherever p was.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_realloc_aligned_at")]
    pub fn mi_realloc_aligned_at(
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_realloc()` that zeroes what is gained.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_rezalloc")]
    pub fn mi_rezalloc(p: *mut c_void, newsize: usize) -> *mut c_void;
    /// `mi_rezalloc()` to newcount times size bytes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_recalloc")]
    pub fn mi_recalloc(p: *mut c_void, newcount: usize, size: usize) -> *mut c_void;
    /// `mi_realloc_aligned()` that zeroes what is gained.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_rezalloc_aligned")]
    pub fn mi_rezalloc_aligned(p: *mut c_void, newsize: usize, alignment: usize) -> *mut c_void;
    /// `mi_realloc_aligned_at()` that zeroes what is gained.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_rezalloc_aligned_at")]
    pub fn mi_rezalloc_aligned_at(
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_rezalloc_aligned()` to newcount times size bytes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_recalloc_aligned")]
    pub fn mi_recalloc_aligned(
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;
    /// `mi_rezalloc_aligned_at()` to newcount times size bytes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_recalloc_aligned_at")]
    pub fn mi_recalloc_aligned_at(
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_malloc()` and the size of the block.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_umalloc")]
    pub fn mi_umalloc(size: usize, block_size: *mut usize) -> *mut c_void;
    /// `mi_calloc()` and the size of the block; zero up to count times size.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_ucalloc")]
    pub fn mi_ucalloc(count: usize, size: usize, block_size: *mut usize) -> *mut c_void;
    /// `mi_realloc()` and the sizes of the old and the new block.
    ///
    /// - `p`: a block, or NULL
    /// - `newsize`: bytes
    /// - `block_size_pre`: out: size of p's block before, 0 if p is NULL; may be NULL
    /// - `block_size_post`: out: size of the result's block, 0 on failure; may be NULL
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_urealloc")]
    pub fn mi_urealloc(
        p: *mut c_void,
        newsize: usize,
        block_size_pre: *mut usize,
        block_size_post: *mut usize,
    ) -> *mut c_void;
    /// `mi_free()` and the size the block had, 0 for NULL.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_ufree")]
    pub fn mi_ufree(p: *mut c_void, block_size: *mut usize);
    /// `mi_malloc_aligned()` and the size of the block.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_umalloc_aligned")]
    pub fn mi_umalloc_aligned(size: usize, alignment: usize, block_size: *mut usize)
        -> *mut c_void;
    /// `mi_zalloc_aligned()` and the size of the block.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_uzalloc_aligned")]
    pub fn mi_uzalloc_aligned(size: usize, alignment: usize, block_size: *mut usize)
        -> *mut c_void;
    /// `mi_malloc_small()` and the size of the block.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_umalloc_small")]
    pub fn mi_umalloc_small(size: usize, block_size: *mut usize) -> *mut c_void;
    /// `mi_zalloc_small()` and the size of the block.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_uzalloc_small")]
    pub fn mi_uzalloc_small(size: usize, block_size: *mut usize) -> *mut c_void;
    /// Reserves an arena.
    ///
    /// - `size`: bytes, rounded up to `mi_arena_min_alignment()`, at least `mi_arena_min_size()`
    /// - `commit`: true: the memory is committed at once; false: as it is used
    /// - `allow_large`: true: use large OS pages if there are any
    /// - returns 0; ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_reserve_os_memory")]
    pub fn mi_reserve_os_memory(size: usize, commit: bool, allow_large: bool) -> c_int;
    /// `mi_reserve_os_memory()` that tells which arena it made.
    ///
    /// - `size`: bytes
    /// - `commit`: true: the memory is committed at once
    /// - `allow_large`: true: use large OS pages if there are any
    /// - `exclusive`: true: only for heaps made for this arena
    /// - `arena_id`: out: the arena
    /// - returns 0; ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_reserve_os_memory_ex")]
    pub fn mi_reserve_os_memory_ex(
        size: usize,
        commit: bool,
        allow_large: bool,
        exclusive: bool,
        arena_id: *mut mi_arena_id_t,
    ) -> c_int;
    /// Reserves huge OS pages of 1 GiB as an arena. They are never given back.
    ///
    /// - `pages`: number of 1 GiB pages
    /// - `numa_node`: where; negative: anywhere
    /// - `timeout_msecs`: milliseconds after which no further page is asked for; 0: no limit
    /// - returns 0 if there was at least one page; ENOMEM if there was none
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_reserve_huge_os_pages_at")]
    pub fn mi_reserve_huge_os_pages_at(
        pages: usize,
        numa_node: c_int,
        timeout_msecs: usize,
    ) -> c_int;
    /// `mi_reserve_huge_os_pages_at()` that tells which arena it made.
    ///
    /// - `pages`: number of 1 GiB pages
    /// - `numa_node`: where; negative: anywhere
    /// - `timeout_msecs`: milliseconds; 0: no limit
    /// - `exclusive`: true: only for heaps made for this arena
    /// - `arena_id`: out: the arena
    /// - returns 0 if there was at least one page; ENOMEM if there was none
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_reserve_huge_os_pages_at_ex")]
    pub fn mi_reserve_huge_os_pages_at_ex(
        pages: usize,
        numa_node: c_int,
        timeout_msecs: usize,
        exclusive: bool,
        arena_id: *mut mi_arena_id_t,
    ) -> c_int;
    /// `mi_reserve_huge_os_pages_at()` on several nodes, the pages being spread evenly.
    ///
    /// - `pages`: number of 1 GiB pages in all
    /// - `numa_nodes`: number of nodes; 0: all there are
    /// - `timeout_msecs`: milliseconds in all; 0: no limit
    /// - returns 0; ENOMEM if a node had no page for its share
    #[cfg_attr(
        mimalloc_core_prefixed,
        link_name = "mimalloc_core_reserve_huge_os_pages_interleave"
    )]
    pub fn mi_reserve_huge_os_pages_interleave(
        pages: usize,
        numa_nodes: usize,
        timeout_msecs: usize,
    ) -> c_int;
    /// `mi_reserve_huge_os_pages_interleave()` on all nodes.
    ///
    /// - deprecated: use that.
    /// - `pages`: number of 1 GiB pages
    /// - `max_secs`: seconds; 0: no limit
    /// - `pages_reserved`: out: pages that were had; may be NULL
    /// - returns 0; ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_reserve_huge_os_pages")]
    pub fn mi_reserve_huge_os_pages(
        pages: usize,
        max_secs: f64,
        pages_reserved: *mut usize,
    ) -> c_int;
    /// Makes an arena of a range of memory.
    ///
    /// - `start`: first byte
    /// - `size`: bytes
    /// - `is_committed`: true: it can be read and written now
    /// - `is_pinned`: true: it must not be committed, given back or advised (huge pages)
    /// - `is_zero`: true: it reads as zero
    /// - `numa_node`: where it is; negative: unknown
    /// - returns false: too small, of no use, or no memory to describe it
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_manage_os_memory")]
    pub fn mi_manage_os_memory(
        start: *mut c_void,
        size: usize,
        is_committed: bool,
        is_pinned: bool,
        is_zero: bool,
        numa_node: c_int,
    ) -> bool;
    /// `mi_manage_os_memory()` that tells which arena it made.
    ///
    /// - `start`: first byte
    /// - `size`: bytes
    /// - `is_committed`: true: it can be read and written now
    /// - `is_pinned`: true: it must not be committed, given back or advised
    /// - `is_zero`: true: it reads as zero
    /// - `numa_node`: where it is; negative: unknown
    /// - `exclusive`: true: only for heaps made for this arena
    /// - `arena_id`: out: the arena, NULL on failure; may be NULL
    /// - returns false: too small, of no use, or no memory to describe it
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_manage_os_memory_ex")]
    pub fn mi_manage_os_memory_ex(
        start: *mut c_void,
        size: usize,
        is_committed: bool,
        is_pinned: bool,
        is_zero: bool,
        numa_node: c_int,
        exclusive: bool,
        arena_id: *mut mi_arena_id_t,
    ) -> bool;
    /// `mi_manage_os_memory_ex()` for memory that is committed and given back by the program: every
    /// such change, guard pages included, goes through the callback, which must not use this library.
    ///
    /// - `start`: first byte
    /// - `size`: bytes
    /// - `is_committed`: true: it can be read and written now
    /// - `is_pinned`: true: never call commit_fun
    /// - `is_zero`: true: it reads as zero
    /// - `numa_node`: where it is; negative: unknown
    /// - `exclusive`: true: only for heaps made for this arena
    /// - `commit_fun`: commits and gives back; NULL: the same as `mi_manage_os_memory_ex()`
    /// - `commit_fun_arg`: is passed to it
    /// - `arena_id`: out: the arena, NULL on failure; may be NULL
    /// - returns false: too small, of no use, or no memory to describe it
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_manage_memory")]
    pub fn mi_manage_memory(
        start: *mut c_void,
        size: usize,
        is_committed: bool,
        is_pinned: bool,
        is_zero: bool,
        numa_node: c_int,
        exclusive: bool,
        commit_fun: Option<mi_commit_fun_t>,
        commit_fun_arg: *mut c_void,
        arena_id: *mut mi_arena_id_t,
    ) -> bool;
    /// Start and size of an arena.
    ///
    /// - `arena_id`: the arena
    /// - `size`: out: bytes, 0 if there is no such arena; may be NULL
    /// - returns its first byte; NULL if there is no such arena
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_arena_area")]
    pub fn mi_arena_area(arena_id: mi_arena_id_t, size: *mut usize) -> *mut c_void;
    /// True if an address, any address, lies in an arena. False for arena NULL.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_arena_contains")]
    pub fn mi_arena_contains(arena_id: mi_arena_id_t, p: *const c_void) -> bool;
    /// Bytes that start and size of an arena are a multiple of: 64 KiB.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_arena_min_alignment")]
    pub fn mi_arena_min_alignment() -> usize;
    /// Bytes that a reserved arena has at least: 32 MiB. Memory of the program may be smaller, down
    /// to `mi_arena_min_alignment()`.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_arena_min_size")]
    pub fn mi_arena_min_size() -> usize;
    /// Prints all arenas to where messages go (`mi_register_output()`).
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_arenas_print")]
    pub fn mi_arenas_print();
    /// `mi_arenas_print()` under its old name.
    ///
    /// - deprecated: use that
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_debug_show_arenas")]
    pub fn mi_debug_show_arenas();
    /// Makes a heap in the calling thread's sub-process. It takes no memory for blocks until the
    /// first allocation. Making and destroying heaps is cheap enough for one heap per request.
    ///
    /// - returns the heap, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_new")]
    pub fn mi_heap_new() -> *mut mi_heap_t;
    /// Makes a heap whose blocks all come from one arena. When the arena is full, allocating from the
    /// heap fails with ENOMEM: nothing is taken from elsewhere.
    ///
    /// - `arena_id`: the arena; NULL: the same as `mi_heap_new()`
    /// - returns the heap; NULL with ENOMEM, or with EINVAL if there is no such arena
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_new_in_arena")]
    pub fn mi_heap_new_in_arena(arena_id: mi_arena_id_t) -> *mut mi_heap_t;
    /// Ends a heap; its live blocks stay valid and belong to the main heap of its sub-process from
    /// now on. Linear in the number of its pages.
    ///
    /// - `heap`: NULL: nothing happens. A main heap: a warning, and nothing else happens
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_delete")]
    pub fn mi_heap_delete(heap: *mut mi_heap_t);
    /// Ends a heap and frees all its blocks at once, of every thread, without looking at them. Its
    /// arena can be used again. Linear in the number of its pages.
    ///
    /// - `heap`: NULL: nothing happens. A main heap: a warning, and nothing else happens
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_destroy")]
    pub fn mi_heap_destroy(heap: *mut mi_heap_t);
    /// Says near which memory a heap should allocate from now on. A hint, taken when arenas are
    /// chosen.
    ///
    /// - `heap`: the heap
    /// - `numa_node`: of the machine, taken modulo the number of nodes; negative: wherever
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_set_numa_affinity")]
    pub fn mi_heap_set_numa_affinity(heap: *mut mi_heap_t, numa_node: c_int);
    /// Frees what is empty in a heap.
    ///
    /// - `heap`: the heap
    /// - `force`: false: what the calling thread has in it, and memory of the process whose purge
    ///   delay has passed; true: of all threads, and all free memory of the process is given back at
    ///   once. Other running threads collect at their next slow path. Linear in the number of pages
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_collect")]
    pub fn mi_heap_collect(heap: *mut mi_heap_t, force: bool);
    /// The main heap of the calling thread's sub-process, where `mi_malloc()` allocates unless
    /// `mi_theap_set_default()` said otherwise. It lives as long as the sub-process.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_main")]
    pub fn mi_heap_main() -> *mut mi_heap_t;
    /// The heap that an address lies in.
    ///
    /// - returns the heap; NULL if p is not in memory of this library. Blocks of a heap that was
    ///   deleted are in the main heap
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_of")]
    pub fn mi_heap_of(p: *const c_void) -> *mut mi_heap_t;
    /// True if p lies in the heap: `mi_heap_of`(p) is this heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_contains")]
    pub fn mi_heap_contains(heap: *const mi_heap_t, p: *const c_void) -> bool;
    /// True if the page of a block is so little used that moving its blocks elsewhere could free it,
    /// for programs that defragment. To be called only while no other thread uses the heap.
    ///
    /// - `heap`: the heap of p
    /// - `p`: a block
    /// - `perc_threshold`: percent, 0 to 100
    /// - returns the page is not the one its thread allocates from, is not full, and at most this
    ///   share of its blocks is in use; false if p is not in the heap
    #[cfg_attr(
        mimalloc_core_prefixed,
        link_name = "mimalloc_core_unsafe_heap_page_is_under_utilized"
    )]
    pub fn mi_unsafe_heap_page_is_under_utilized(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        perc_threshold: usize,
    ) -> bool;
    /// `mi_malloc()` in a heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_malloc")]
    pub fn mi_heap_malloc(heap: *mut mi_heap_t, size: usize) -> *mut c_void;
    /// `mi_zalloc()` in a heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_zalloc")]
    pub fn mi_heap_zalloc(heap: *mut mi_heap_t, size: usize) -> *mut c_void;
    /// `mi_calloc()` in a heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_calloc")]
    pub fn mi_heap_calloc(heap: *mut mi_heap_t, count: usize, size: usize) -> *mut c_void;
    /// `mi_mallocn()` in a heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_mallocn")]
    pub fn mi_heap_mallocn(heap: *mut mi_heap_t, count: usize, size: usize) -> *mut c_void;
    /// `mi_malloc_small()` in a heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_malloc_small")]
    pub fn mi_heap_malloc_small(heap: *mut mi_heap_t, size: usize) -> *mut c_void;
    /// `mi_zalloc_small()` in a heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_zalloc_small")]
    pub fn mi_heap_zalloc_small(heap: *mut mi_heap_t, size: usize) -> *mut c_void;
    /// `mi_strdup()` in a heap.
    ///
    /// - returns the copy; NULL if s is NULL; NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_strdup")]
    pub fn mi_heap_strdup(heap: *mut mi_heap_t, s: *const c_char) -> *mut c_char;
    /// `mi_strndup()` in a heap.
    ///
    /// - returns the copy; NULL if s is NULL; NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_strndup")]
    pub fn mi_heap_strndup(heap: *mut mi_heap_t, s: *const c_char, n: usize) -> *mut c_char;
    /// `mi_realpath()` in a heap.
    ///
    /// - `heap`: where the result is allocated if resolved_name is NULL
    /// - `fname`: a path
    /// - `resolved_name`: PATH_MAX bytes for the result, or NULL
    /// - returns the result; NULL with ENOMEM or what realpath() of the C library sets
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_realpath")]
    pub fn mi_heap_realpath(
        heap: *mut mi_heap_t,
        fname: *const c_char,
        resolved_name: *mut c_char,
    ) -> *mut c_char;
    /// `mi_malloc_aligned()` in a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_malloc_aligned")]
    pub fn mi_heap_malloc_aligned(
        heap: *mut mi_heap_t,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;
    /// `mi_malloc_aligned_at()` in a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_malloc_aligned_at")]
    pub fn mi_heap_malloc_aligned_at(
        heap: *mut mi_heap_t,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_zalloc_aligned()` in a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_zalloc_aligned")]
    pub fn mi_heap_zalloc_aligned(
        heap: *mut mi_heap_t,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;
    /// `mi_zalloc_aligned_at()` in a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_zalloc_aligned_at")]
    pub fn mi_heap_zalloc_aligned_at(
        heap: *mut mi_heap_t,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_calloc_aligned()` in a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_calloc_aligned")]
    pub fn mi_heap_calloc_aligned(
        heap: *mut mi_heap_t,
        count: usize,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;
    /// `mi_calloc_aligned_at()` in a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_calloc_aligned_at")]
    pub fn mi_heap_calloc_aligned_at(
        heap: *mut mi_heap_t,
        count: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_new()` in a heap: throws, never NULL.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_alloc_new")]
    pub fn mi_heap_alloc_new(heap: *mut mi_heap_t, size: usize) -> *mut c_void;
    /// `mi_new_n()` in a heap: throws, never NULL.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_alloc_new_n")]
    pub fn mi_heap_alloc_new_n(heap: *mut mi_heap_t, count: usize, size: usize) -> *mut c_void;
    /// `mi_realloc()` into a heap.
    ///
    /// - returns the block; NULL with ENOMEM, or with EINVAL if p is not a block of this library
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_realloc")]
    pub fn mi_heap_realloc(heap: *mut mi_heap_t, p: *mut c_void, newsize: usize) -> *mut c_void;
    /// `mi_reallocn()` into a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_reallocn")]
    pub fn mi_heap_reallocn(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        count: usize,
        size: usize,
    ) -> *mut c_void;
    /// `mi_reallocf()` into a heap: p is freed when it fails.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_reallocf")]
    pub fn mi_heap_reallocf(heap: *mut mi_heap_t, p: *mut c_void, newsize: usize) -> *mut c_void;
    /// `mi_realloc_aligned()` into a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_realloc_aligned")]
    pub fn mi_heap_realloc_aligned(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
    ) -> *mut c_void;
    /// `mi_realloc_aligned_at()` into a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_realloc_aligned_at")]
    pub fn mi_heap_realloc_aligned_at(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_rezalloc()` into a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_rezalloc")]
    pub fn mi_heap_rezalloc(heap: *mut mi_heap_t, p: *mut c_void, newsize: usize) -> *mut c_void;
    /// `mi_recalloc()` into a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_recalloc")]
    pub fn mi_heap_recalloc(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newcount: usize,
        size: usize,
    ) -> *mut c_void;
    /// `mi_rezalloc_aligned()` into a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_rezalloc_aligned")]
    pub fn mi_heap_rezalloc_aligned(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
    ) -> *mut c_void;
    /// `mi_rezalloc_aligned_at()` into a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_rezalloc_aligned_at")]
    pub fn mi_heap_rezalloc_aligned_at(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_recalloc_aligned()` into a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_recalloc_aligned")]
    pub fn mi_heap_recalloc_aligned(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;
    /// `mi_recalloc_aligned_at()` into a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_recalloc_aligned_at")]
    pub fn mi_heap_recalloc_aligned_at(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// The calling thread's part of a heap, made if there is none yet.
    ///
    /// - returns the thread heap, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_theap")]
    pub fn mi_heap_theap(heap: *mut mi_heap_t) -> *mut mi_theap_t;
    /// Makes `mi_malloc()` and all functions without `heap` of the calling thread allocate from
    /// another heap.
    ///
    /// - `theap`: of the calling thread; NULL, or a thread heap of another thread: nothing changes
    /// - returns the one before
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_set_default")]
    pub fn mi_theap_set_default(theap: *mut mi_theap_t) -> *mut mi_theap_t;
    /// The thread heap that `mi_malloc()` of the calling thread allocates from.
    ///
    /// - returns never NULL. Where there is no memory for what a thread needs, and in a thread that
    ///   is past its end, one that belongs to nobody: allocating from it fails, as default it is
    ///   ignored
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_get_default")]
    pub fn mi_theap_get_default() -> *mut mi_theap_t;
    /// `mi_heap_collect()` for what the calling thread has in a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_collect")]
    pub fn mi_theap_collect(theap: *mut mi_theap_t, force: bool);
    /// `mi_malloc()` in a thread heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_malloc")]
    pub fn mi_theap_malloc(theap: *mut mi_theap_t, size: usize) -> *mut c_void;
    /// `mi_zalloc()` in a thread heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_zalloc")]
    pub fn mi_theap_zalloc(theap: *mut mi_theap_t, size: usize) -> *mut c_void;
    /// `mi_calloc()` in a thread heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_calloc")]
    pub fn mi_theap_calloc(theap: *mut mi_theap_t, count: usize, size: usize) -> *mut c_void;
    /// `mi_malloc_small()` in a thread heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_malloc_small")]
    pub fn mi_theap_malloc_small(theap: *mut mi_theap_t, size: usize) -> *mut c_void;
    /// `mi_zalloc_small()` in a thread heap.
    ///
    /// - returns the block, or NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_zalloc_small")]
    pub fn mi_theap_zalloc_small(theap: *mut mi_theap_t, size: usize) -> *mut c_void;
    /// `mi_malloc_aligned()` in a thread heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_malloc_aligned")]
    pub fn mi_theap_malloc_aligned(
        theap: *mut mi_theap_t,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;
    /// `mi_heap_realloc()` into a thread heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_realloc")]
    pub fn mi_theap_realloc(theap: *mut mi_theap_t, p: *mut c_void, newsize: usize) -> *mut c_void;
    /// Sets how many objects of a thread heap are put between inaccessible pages, in place of option
    /// guarded_sample_rate. The first call of a process looks for the stack unwinder and takes memory
    /// for 512 such objects; where that fails nothing is sampled. Takes some microseconds.
    ///
    /// - `theap`: of the calling thread
    /// - `sample_rate`: guard one in this many objects; 0: none
    /// - `seed`: where sampling starts; 0: anywhere
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_guarded_set_sample_rate")]
    pub fn mi_theap_guarded_set_sample_rate(
        theap: *mut mi_theap_t,
        sample_rate: usize,
        seed: usize,
    );
    /// Sets which sizes are guarded, in place of options guarded_min and guarded_max. Nothing above
    /// 64 MiB is.
    ///
    /// - `theap`: of the calling thread
    /// - `min`: bytes of the smallest object that is guarded
    /// - `max`: bytes of the largest one; less than min: min
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_guarded_set_size_bound")]
    pub fn mi_theap_guarded_set_size_bound(theap: *mut mi_theap_t, min: usize, max: usize);
    /// Visits all areas of a heap, those of every thread and of ended threads.
    ///
    /// - `heap`: the heap
    /// - `visit_blocks`: false: areas only
    /// - `visitor`: is called for each
    /// - `arg`: is passed to it
    /// - returns the visitor never returned false. False with ENOMEM if memory to walk was not there
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_visit_blocks")]
    pub fn mi_heap_visit_blocks(
        heap: *mut mi_heap_t,
        visit_blocks: bool,
        visitor: Option<mi_block_visit_fun>,
        arg: *mut c_void,
    ) -> bool;
    /// `mi_heap_visit_blocks()` for those areas only whose thread has ended.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_visit_abandoned_blocks")]
    pub fn mi_heap_visit_abandoned_blocks(
        heap: *mut mi_heap_t,
        visit_blocks: bool,
        visitor: Option<mi_block_visit_fun>,
        arg: *mut c_void,
    ) -> bool;
    /// `mi_heap_visit_blocks()` for those areas only that the calling thread owns.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_theap_visit_blocks")]
    pub fn mi_theap_visit_blocks(
        theap: *const mi_theap_t,
        visit_blocks: bool,
        visitor: Option<mi_block_visit_fun>,
        arg: *mut c_void,
    ) -> bool;
    /// The sub-process that threads belong to by default.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_main")]
    pub fn mi_subproc_main() -> mi_subproc_id_t;
    /// The sub-process of the calling thread.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_current")]
    pub fn mi_subproc_current() -> mi_subproc_id_t;
    /// Makes a sub-process with a main heap of its own.
    ///
    /// - returns the sub-process; a NULL id with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_new")]
    pub fn mi_subproc_new() -> mi_subproc_id_t;
    /// Ends a sub-process: destroys its heaps, and frees all their blocks. All its threads must have
    /// ended, and none of its heaps and blocks may be used by then. Linear in the number of its
    /// pages.
    ///
    /// - `subproc`: NULL id: nothing happens. The main one, or one with live threads: a warning, and
    ///   nothing else happens
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_destroy")]
    pub fn mi_subproc_destroy(subproc: mi_subproc_id_t);
    /// Makes the calling thread belong to a sub-process until it ends. To be called before the thread
    /// allocates for the first time; blocks from before stay in the sub-process they are in. Without
    /// memory for that an error is reported, errno is ENOMEM, and the thread stays in the main one.
    ///
    /// - `subproc`: NULL id: nothing happens
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_add_current_thread")]
    pub fn mi_subproc_add_current_thread(subproc: mi_subproc_id_t);
    /// Visits the heaps of a sub-process, its main heap first, until the visitor returns false. It is
    /// called with no lock held: it may allocate and walk, but neither it nor another thread may
    /// delete or destroy heaps of the sub-process meanwhile. Heaps that are made meanwhile may be
    /// missed.
    ///
    /// - returns the visitor never returned false
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_visit_heaps")]
    pub fn mi_subproc_visit_heaps(
        subproc: mi_subproc_id_t,
        visitor: Option<mi_heap_visit_fun>,
        arg: *mut c_void,
    ) -> bool;
    /// True if the value is not 0.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_is_enabled")]
    pub fn mi_option_is_enabled(option: mi_option_t) -> bool;
    /// Sets the value to 1.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_enable")]
    pub fn mi_option_enable(option: mi_option_t);
    /// Sets the value to 0.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_disable")]
    pub fn mi_option_disable(option: mi_option_t);
    /// Sets the value to 1 or 0.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_set_enabled")]
    pub fn mi_option_set_enabled(option: mi_option_t, enable: bool);
    /// Sets the value to 1 or 0 unless environment or program have set it.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_set_enabled_default")]
    pub fn mi_option_set_enabled_default(option: mi_option_t, enable: bool);
    /// The value, as set: KiB for options that are sizes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_get")]
    pub fn mi_option_get(option: mi_option_t) -> c_long;
    /// The value, but at least min and at most max.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_get_clamp")]
    pub fn mi_option_get_clamp(option: mi_option_t, min: c_long, max: c_long) -> c_long;
    /// The value in bytes if the option is a size, else the value; 0 if it is negative.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_get_size")]
    pub fn mi_option_get_size(option: mi_option_t) -> usize;
    /// Sets the value.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_set")]
    pub fn mi_option_set(option: mi_option_t, value: c_long);
    /// Sets the value unless environment or program have set it.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_option_set_default")]
    pub fn mi_option_set_default(option: mi_option_t, value: c_long);
    /// `mi_free()` that silently ignores what is not a block of this library.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_cfree")]
    pub fn mi_cfree(p: *mut c_void);
    /// `mi_expand()` under its Windows name: NULL with ENOMEM when the block is too small.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core__expand")]
    pub fn mi__expand(p: *mut c_void, newsize: usize) -> *mut c_void;
    /// `mi_usable_size()` under its macOS name.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_malloc_size")]
    pub fn mi_malloc_size(p: *const c_void) -> usize;
    /// `mi_good_size()` under its macOS name.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_malloc_good_size")]
    pub fn mi_malloc_good_size(size: usize) -> usize;
    /// `mi_usable_size()` under its glibc name.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_malloc_usable_size")]
    pub fn mi_malloc_usable_size(p: *const c_void) -> usize;
    /// Allocates size bytes at a multiple of alignment; never touches errno.
    ///
    /// - `p`: out: the block; untouched on failure
    /// - `alignment`: a power of two and a multiple of sizeof(void*)
    /// - `size`: bytes
    /// - returns 0; EINVAL if p is NULL or alignment is not as said; ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_posix_memalign")]
    pub fn mi_posix_memalign(p: *mut *mut c_void, alignment: usize, size: usize) -> c_int;
    /// `mi_malloc_aligned()` with the arguments the other way round.
    ///
    /// - returns the block; NULL with ENOMEM, or with EINVAL if alignment is not a power of two
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_memalign")]
    pub fn mi_memalign(alignment: usize, size: usize) -> *mut c_void;
    /// Allocates size bytes at the start of an OS page.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_valloc")]
    pub fn mi_valloc(size: usize) -> *mut c_void;
    /// Allocates whole OS pages, enough for size bytes.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_pvalloc")]
    pub fn mi_pvalloc(size: usize) -> *mut c_void;
    /// `mi_memalign()` under its C11 name; size need not be a multiple of alignment.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_aligned_alloc")]
    pub fn mi_aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    /// `mi_reallocn()` under its BSD name.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_reallocarray")]
    pub fn mi_reallocarray(p: *mut c_void, count: usize, size: usize) -> *mut c_void;
    /// Resizes the block whose address is stored at ptrp, and stores the new address there.
    ///
    /// - `ptrp`: address of a pointer to the block; the pointer may be NULL
    /// - `count`: with count 0 the block is freed and NULL is stored
    /// - `size`: bytes of one element
    /// - returns 0, or an error that errno is set to as well, the block being unchanged: EINVAL if
    ///   ptrp is NULL or size is 0, EOVERFLOW if count times size overflows, ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_reallocarr")]
    pub fn mi_reallocarr(ptrp: *mut c_void, count: usize, size: usize) -> c_int;
    /// `mi_recalloc_aligned()` under its Windows name.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_aligned_recalloc")]
    pub fn mi_aligned_recalloc(
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;
    /// `mi_recalloc_aligned_at()` under its Windows name.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_aligned_offset_recalloc")]
    pub fn mi_aligned_offset_recalloc(
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
    /// `mi_free()` for callers who know the size the block was asked for. Debug and secure builds
    /// report a size that it does not have room for (EINVAL), and free the block all the same.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_free_size")]
    pub fn mi_free_size(p: *mut c_void, size: usize);
    /// `mi_free()` for callers who know size and alignment. Debug and secure builds report what
    /// cannot be (EINVAL), and free the block all the same.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_free_size_aligned")]
    pub fn mi_free_size_aligned(p: *mut c_void, size: usize, alignment: usize);
    /// `mi_free()` for callers who know the alignment. Debug and secure builds report an address that
    /// is not aligned so (EINVAL), and free the block all the same.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_free_aligned")]
    pub fn mi_free_aligned(p: *mut c_void, alignment: usize);
    /// Copies the value of an environment variable into a block.
    ///
    /// - `buf`: out: the copy; NULL if the variable is not set or the call fails
    /// - `size`: out: bytes of the copy with its NUL, 0 if there is none; may be NULL
    /// - `name`: of the variable
    /// - returns 0; EINVAL if buf or name is NULL; ENOMEM. Leaves errno alone. Must not run while
    ///   another thread changes the environment.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_dupenv_s")]
    pub fn mi_dupenv_s(buf: *mut *mut c_char, size: *mut usize, name: *const c_char) -> c_int;
    /// `mi_dupenv_s()` for wide strings, which only Windows has in its environment.
    ///
    /// - returns EINVAL; `*buf` is NULL and `*size` is 0
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_wdupenv_s")]
    pub fn mi_wdupenv_s(buf: *mut *mut wchar_t, size: *mut usize, name: *const wchar_t) -> c_int;
    /// Copies a wide string into a block.
    ///
    /// - returns the copy; NULL if s is NULL; NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_wcsdup")]
    pub fn mi_wcsdup(s: *const wchar_t) -> *mut wchar_t;
    /// Copies a multi-byte string into a block.
    ///
    /// - returns the copy; NULL if s is NULL or with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_mbsdup")]
    pub fn mi_mbsdup(s: *const c_uchar) -> *mut c_uchar;
    /// operator new.
    ///
    /// - returns the block, never NULL
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_new")]
    pub fn mi_new(size: usize) -> *mut c_void;
    /// operator new with an alignment, a power of two.
    ///
    /// - returns the block, never NULL
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_new_aligned")]
    pub fn mi_new_aligned(size: usize, alignment: usize) -> *mut c_void;
    /// operator new(std::nothrow). The handler must not throw.
    ///
    /// - returns the block, or NULL
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_new_nothrow")]
    pub fn mi_new_nothrow(size: usize) -> *mut c_void;
    /// `mi_new_aligned()` that returns NULL instead of throwing. The handler must not throw.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_new_aligned_nothrow")]
    pub fn mi_new_aligned_nothrow(size: usize, alignment: usize) -> *mut c_void;
    /// `mi_new()` of count times size bytes. On overflow the handler is called once, then it throws.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_new_n")]
    pub fn mi_new_n(count: usize, size: usize) -> *mut c_void;
    /// `mi_realloc()` that fails as `mi_new()` does.
    ///
    /// - returns the block, never NULL
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_new_realloc")]
    pub fn mi_new_realloc(p: *mut c_void, newsize: usize) -> *mut c_void;
    /// `mi_new_realloc()` to newcount times size bytes; overflow as in `mi_new_n()`.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_new_reallocn")]
    pub fn mi_new_reallocn(p: *mut c_void, newcount: usize, size: usize) -> *mut c_void;
    /// Makes the library ready, as the first allocation would.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_process_init")]
    pub fn mi_process_init();
    /// What is done at exit: prints statistics if option show_stats is on; destroys all heaps but the
    /// main one if destroy_on_exit is (no other thread may use them any more). Memory stays usable.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_process_done")]
    pub fn mi_process_done();
    /// Makes the calling thread ready, as its first allocation would.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_thread_init")]
    pub fn mi_thread_init();
    /// Hands the calling thread's memory over to others, as its end would. A later allocation on this
    /// thread makes it ready again.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_thread_done")]
    pub fn mi_thread_done();
    /// Tells that the calling thread belongs to a pool. Accepted as a hint; it changes nothing here.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_thread_set_in_threadpool")]
    pub fn mi_thread_set_in_threadpool();
    /// Registers a function that is called on slow paths of allocation and on every collection, so
    /// that a program with deferred frees can free some. It may allocate and free; calls do not nest.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_register_deferred_free")]
    pub fn mi_register_deferred_free(deferred_free: Option<mi_deferred_free_fun>, arg: *mut c_void);
    /// Registers where messages go; NULL: to standard error. What was written before the library was
    /// ready is handed to the first function registered.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_register_output")]
    pub fn mi_register_output(out: Option<mi_output_fun>, arg: *mut c_void);
    /// Registers what is called on errors, in place of the default: message only; in debug and secure
    /// builds abort on misuse (EAGAIN, EINVAL, EFAULT), and with MI_XMALLOC abort without memory
    /// (ENOMEM, EOVERFLOW). If the function returns, the call that was wrong is ignored.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_register_error")]
    pub fn mi_register_error(fun: Option<mi_error_fun>, arg: *mut c_void);
    /// Frees what is empty.
    ///
    /// - `force`: false: what the calling thread has, and memory whose purge delay has passed; true:
    ///   of the whole process, at once. Other running threads collect at their next slow path. Takes
    ///   time linear in the number of pages.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_collect")]
    pub fn mi_collect(force: bool);
    /// `mi_collect()` to bring what the calling thread holds down to a target.
    ///
    /// - `target_thread_owned`: bytes; a hint: as much as possible is given back
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_collect_reduce")]
    pub fn mi_collect_reduce(target_thread_owned: usize);
    /// True if p lies in memory that holds blocks of this library, be the block free or in use.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_is_in_heap_region")]
    pub fn mi_is_in_heap_region(p: *const c_void) -> bool;
    /// The same as `mi_is_in_heap_region()`: p belongs to a heap, whichever.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_any_heap_contains")]
    pub fn mi_any_heap_contains(p: *const c_void) -> bool;
    /// The same as `mi_any_heap_contains()`.
    ///
    /// - deprecated: use that.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_check_owned")]
    pub fn mi_check_owned(p: *const c_void) -> bool;
    /// MI_MALLOC_VERSION of the library, not of the header.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_version")]
    pub fn mi_version() -> c_int;
    /// True if the C library was patched at run time to use this one, which only Windows needs.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_is_redirected")]
    pub fn mi_is_redirected() -> bool;
    /// Times and memory of the process; each pointer may be NULL.
    ///
    /// - `elapsed_msecs`: milliseconds since the library was loaded
    /// - `user_msecs`: milliseconds of processor time in the program
    /// - `system_msecs`: milliseconds of processor time in the kernel
    /// - `current_rss`: bytes resident now
    /// - `peak_rss`: bytes resident at most so far
    /// - `current_commit`: bytes the library has committed
    /// - `peak_commit`: the same, at most so far
    /// - `page_faults`: number so far, minor ones included
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_process_info")]
    pub fn mi_process_info(
        elapsed_msecs: *mut usize,
        user_msecs: *mut usize,
        system_msecs: *mut usize,
        current_rss: *mut usize,
        peak_rss: *mut usize,
        current_commit: *mut usize,
        peak_commit: *mut usize,
        page_faults: *mut usize,
    );
    /// Prints `mi_process_info()`.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_process_info_print")]
    pub fn mi_process_info_print();
    /// Prints `mi_process_info()` through a function.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_process_info_print_out")]
    pub fn mi_process_info_print_out(out: Option<mi_output_fun>, arg: *mut c_void);
    /// Prints version, build and all options.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_options_print")]
    pub fn mi_options_print();
    /// Prints version, build and all options through a function.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_options_print_out")]
    pub fn mi_options_print_out(out: Option<mi_output_fun>, arg: *mut c_void);
    /// Prints statistics.
    ///
    /// - `out`: not used;
    /// - deprecated: use `mi_stats_print_out()`
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_stats_print")]
    pub fn mi_stats_print(out: *mut c_void);
    /// Prints statistics of the process through a function. Linear in the number of pages.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_stats_print_out")]
    pub fn mi_stats_print_out(out: Option<mi_output_fun>, arg: *mut c_void);
    /// Prints what the calling thread has, its part of every heap, through a function.
    ///
    /// - deprecated: use `mi_stats_print_out()`
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_thread_stats_print_out")]
    pub fn mi_thread_stats_print_out(out: Option<mi_output_fun>, arg: *mut c_void);
    /// Lets totals and peaks start from what there is now, and counters from 0, for the whole
    /// process. What there is now does not change.
    ///
    /// - deprecated: compare two `mi_stats_get()` instead
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_stats_reset")]
    pub fn mi_stats_reset();
    /// Does nothing: threads have no counts of their own to merge. @deprecated
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_stats_merge")]
    pub fn mi_stats_merge();
    /// Fills in the statistics of the calling thread's sub-process, all its heaps together.
    ///
    /// - `stats`: out; size and version must be set
    /// - returns false: stats is NULL, or its size or version is not that of the library: untouched
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_stats_get")]
    pub fn mi_stats_get(stats: *mut mi_stats_t) -> bool;
    /// `mi_stats_get()` as JSON.
    ///
    /// - `buf_size`: bytes of buf
    /// - `buf`: for the text, cut to fit, terminated; NULL: the text is a block
    /// - returns the text, to be freed with `mi_free()` if buf was NULL; NULL with ENOMEM
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_stats_get_json")]
    pub fn mi_stats_get_json(buf_size: usize, buf: *mut c_char) -> *mut c_char;
    /// Writes statistics as JSON.
    ///
    /// - `stats`: the numbers; size and version must be set
    /// - `buf_size`: bytes of buf
    /// - `buf`: for the text, cut to fit, terminated; NULL: the text is a block
    /// - returns the text, to be freed with `mi_free()` if buf was NULL; NULL with ENOMEM, or if size
    ///   or version are not those of the library
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_stats_as_json")]
    pub fn mi_stats_as_json(
        stats: *mut mi_stats_t,
        buf_size: usize,
        buf: *mut c_char,
    ) -> *mut c_char;
    /// Bytes of the blocks that an element of malloc_bins counts.
    ///
    /// - `bin`: index of the element
    /// - returns bytes; 0 if no block is counted there: the last one, those not used, and beyond
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_stats_get_bin_size")]
    pub fn mi_stats_get_bin_size(bin: usize) -> usize;
    /// `mi_stats_get()` of a sub-process: all its heaps together.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_stats_get")]
    pub fn mi_subproc_stats_get(subproc_id: mi_subproc_id_t, stats: *mut mi_stats_t) -> bool;
    /// `mi_stats_get()` of what a sub-process has outside of its heaps: arenas, threads, calls.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_stats_get_exclusive")]
    pub fn mi_subproc_stats_get_exclusive(
        subproc_id: mi_subproc_id_t,
        stats: *mut mi_stats_t,
    ) -> bool;
    /// `mi_stats_get_json()` of a sub-process.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_stats_get_json")]
    pub fn mi_subproc_stats_get_json(
        subproc_id: mi_subproc_id_t,
        buf_size: usize,
        buf: *mut c_char,
    ) -> *mut c_char;
    /// Prints the statistics of a sub-process through a function; NULL: to where messages go.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_stats_print_out")]
    pub fn mi_subproc_stats_print_out(
        subproc_id: mi_subproc_id_t,
        out: Option<mi_output_fun>,
        arg: *mut c_void,
    );
    /// `mi_subproc_stats_print_out()`, and then the same for each of its heaps.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_subproc_heap_stats_print_out")]
    pub fn mi_subproc_heap_stats_print_out(
        subproc_id: mi_subproc_id_t,
        out: Option<mi_output_fun>,
        arg: *mut c_void,
    );
    /// Fills in the statistics of a heap: its pages and blocks.
    ///
    /// - `heap`: the heap
    /// - `stats`: out; size and version must be set
    /// - returns false: stats is NULL, or its size or version is not that of the library: untouched
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_stats_get")]
    pub fn mi_heap_stats_get(heap: *mut mi_heap_t, stats: *mut mi_stats_t) -> bool;
    /// `mi_stats_get_json()` of a heap.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_stats_get_json")]
    pub fn mi_heap_stats_get_json(
        heap: *mut mi_heap_t,
        buf_size: usize,
        buf: *mut c_char,
    ) -> *mut c_char;
    /// Prints the statistics of a heap through a function; NULL: to where messages go.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_stats_print_out")]
    pub fn mi_heap_stats_print_out(
        heap: *mut mi_heap_t,
        out: Option<mi_output_fun>,
        arg: *mut c_void,
    );
    /// Does nothing that can be seen: the numbers of a sub-process are always those of all its heaps,
    /// and those of the heap stay readable.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_heap_stats_merge_to_subproc")]
    pub fn mi_heap_stats_merge_to_subproc(heap: *mut mi_heap_t);
    /// Frees p if it is a block of this library.
    ///
    /// - `p`: any pointer that the caller may free somewhere
    /// - returns true: p was freed. False: p is NULL or not ours; nothing happened or is reported
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_free_if_owned")]
    pub fn mi_free_if_owned(p: *mut c_void) -> bool;
    /// Resizes p, as `mi_realloc()` does, if it is a block of this library.
    ///
    /// - `p`: any pointer that the caller may resize somewhere
    /// - `newsize`: bytes
    /// - `result`: out: the block, or NULL with ENOMEM: p stays valid. Untouched if not ours
    /// - returns true: p is ours. False: p is NULL or not ours; nothing happened or is reported
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_realloc_if_owned")]
    pub fn mi_realloc_if_owned(p: *mut c_void, newsize: usize, result: *mut *mut c_void) -> bool;
    /// For a thread that is about to wait for long: frees what is empty in its heap and gives memory
    /// back whose purge delay has passed. Cheap enough to be called before every wait of a server.
    #[cfg_attr(mimalloc_core_prefixed, link_name = "mimalloc_core_thread_idle")]
    pub fn mi_thread_idle();
}
