//! The traits named `Allocator`: the same methods three times, from two crates and from the standard
//! library, for everything that is a [`Backend`](crate::backend::Backend).

/// Implements one of the traits for one type.
#[allow(unused_macros)]
macro_rules! implement {
    ($(#[$attribute:meta])* $module:path, $type:ty) => {
        const _: () = {
            use $module as api;
            use core::alloc::Layout;
            use core::ptr::NonNull;

            type Blocks = Result<NonNull<[u8]>, api::AllocError>;

            // A block is valid until it is freed, or until the value goes that it came from: none of
            // the types can be moved or cloned in a way that ends that early.
            $(#[$attribute])*
            unsafe impl api::Allocator for $type {
                #[inline]
                fn allocate(&self, layout: Layout) -> Blocks {
                    crate::backend::allocate(self, layout).ok_or(api::AllocError)
                }

                #[inline]
                fn allocate_zeroed(&self, layout: Layout) -> Blocks {
                    crate::backend::allocate_zeroed(self, layout).ok_or(api::AllocError)
                }

                #[inline]
                unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
                    crate::backend::deallocate(self, block, layout);
                }

                #[inline]
                unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Blocks {
                    crate::backend::grow(self, block, old, new).ok_or(api::AllocError)
                }

                #[inline]
                unsafe fn grow_zeroed(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Blocks {
                    crate::backend::grow_zeroed(self, block, old, new).ok_or(api::AllocError)
                }

                #[inline]
                unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Blocks {
                    crate::backend::shrink(self, block, old, new).ok_or(api::AllocError)
                }
            }
        };
    };
}

macro_rules! implement_all {
    ($($type:ty),* $(,)?) => {
        $(
            #[cfg(feature = "allocator-api2-02")]
            implement!(#[cfg_attr(docsrs, doc(cfg(feature = "allocator-api2-02")))]
                allocator_api2::alloc, $type);
            #[cfg(feature = "allocator-api2-04")]
            implement!(#[cfg_attr(docsrs, doc(cfg(feature = "allocator-api2-04")))]
                allocator_api2_04::alloc, $type);
            #[cfg(feature = "nightly")]
            implement!(#[cfg_attr(docsrs, doc(cfg(feature = "nightly")))] core::alloc, $type);
        )*
    };
}

implement_all!(crate::MiMalloc, crate::Heap, crate::ArcHeap, crate::LocalHeap<'_>);
