//! The contract of the traits named `Allocator`, for each of the traits and everything that has one.

#![cfg_attr(feature = "nightly", feature(allocator_api))]

use mimalloc_core::{ArcHeap, Arena, Heap, MiMalloc};
use proptest::collection::vec;
use proptest::prelude::*;
use std::alloc::Layout;
use std::ptr::NonNull;

/// What a test does next; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Allocate { size: usize, align: usize, zeroed: bool },
    Free { which: usize },
    Grow { which: usize, by: usize, align: usize, zeroed: bool },
    Shrink { which: usize, percent: usize, align: usize },
}

/// Mostly small; zero, and sizes above all limits between kinds of pages, too.
fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        1 => Just(0usize),
        8 => 1usize..300,
        4 => 300usize..9_000,
        2 => 9_000usize..300_000,
        1 => 300_000usize..2_000_000,
    ]
}

fn aligns() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0u32..5, 4 => 5u32..13, 1 => 13u32..20].prop_map(|bits| 1usize << bits)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (sizes(), aligns(), any::<bool>())
            .prop_map(|(size, align, zeroed)| Step::Allocate { size, align, zeroed }),
        2 => any::<usize>().prop_map(|which| Step::Free { which }),
        3 => (any::<usize>(), sizes(), aligns(), any::<bool>())
            .prop_map(|(which, by, align, zeroed)| Step::Grow { which, by, align, zeroed }),
        2 => (any::<usize>(), 0usize..=100, aligns())
            .prop_map(|(which, percent, align)| Step::Shrink { which, percent, align }),
    ];
    vec(step, 1..60)
}

/// A live block whose bytes are known.
struct Known {
    block: NonNull<u8>,
    layout: Layout,
    seed: u8,
}

/// Bytes of a block repeat after this many, a prime: no two places at a power of two are equal.
const PERIOD: usize = 251;

impl Known {
    fn pattern(seed: u8) -> [u8; PERIOD] {
        std::array::from_fn(|i| (i as u8).wrapping_mul(31) ^ seed)
    }

    /// Takes a result over: the first `kept` bytes are those of `seed`, the next are zero if asked for.
    fn take(got: NonNull<[u8]>, layout: Layout, seed: u8, kept: usize, zeroed: bool) -> Self {
        assert!(got.len() >= layout.size(), "{} bytes for {layout:?}", got.len());
        let block = got.cast::<u8>();
        assert_eq!(block.as_ptr() as usize % layout.align(), 0, "{layout:?}");
        let one = Self { block, layout, seed };
        one.check_first(kept);
        let bytes = unsafe { std::slice::from_raw_parts_mut(block.as_ptr(), layout.size()) };
        if zeroed {
            let clean = bytes[kept..].chunks(PERIOD).all(|part| *part == [0; PERIOD][..part.len()]);
            assert!(clean, "not zero from {kept} on in {layout:?}");
        }
        let pattern = Self::pattern(seed);
        bytes.chunks_mut(PERIOD).for_each(|part| part.copy_from_slice(&pattern[..part.len()]));
        one
    }

    fn check_first(&self, count: usize) {
        let bytes = unsafe { std::slice::from_raw_parts(self.block.as_ptr(), count) };
        let pattern = Self::pattern(self.seed);
        let whole = bytes.chunks(PERIOD).all(|part| *part == pattern[..part.len()]);
        assert!(whole, "the first {count} bytes of {:?} were not kept", self.layout);
    }

    fn check(&self) {
        self.check_first(self.layout.size());
    }
}

/// The tests of one of the traits.
macro_rules! of_trait {
    ($module:ident, $api:path) => {
        mod $module {
            use super::*;
            use api::Allocator;
            use $api as api;

            fn follow(allocator: &impl Allocator, steps: &[Step]) {
                let mut live: Vec<Known> = Vec::new();
                for (number, step) in steps.iter().enumerate() {
                    let seed = number as u8 ^ 0x5a;
                    match *step {
                        Step::Allocate { size, align, zeroed } => {
                            let layout = Layout::from_size_align(size, align).unwrap();
                            let got = if zeroed {
                                allocator.allocate_zeroed(layout)
                            } else {
                                allocator.allocate(layout)
                            };
                            live.push(Known::take(got.unwrap(), layout, seed, 0, zeroed));
                        }
                        _ if live.is_empty() => {}
                        Step::Free { which } => {
                            let one = live.swap_remove(which % live.len());
                            one.check();
                            unsafe { allocator.deallocate(one.block, one.layout) };
                        }
                        Step::Grow { which, by, align, zeroed } => {
                            let one = live.swap_remove(which % live.len());
                            let old = one.layout.size();
                            let layout = Layout::from_size_align(old + by, align).unwrap();
                            let got = unsafe {
                                if zeroed {
                                    allocator.grow_zeroed(one.block, one.layout, layout)
                                } else {
                                    allocator.grow(one.block, one.layout, layout)
                                }
                            };
                            live.push(Known::take(got.unwrap(), layout, one.seed, old, zeroed));
                        }
                        Step::Shrink { which, percent, align } => {
                            let one = live.swap_remove(which % live.len());
                            let size = one.layout.size() * percent / 100;
                            let layout = Layout::from_size_align(size, align).unwrap();
                            let got = unsafe { allocator.shrink(one.block, one.layout, layout) };
                            live.push(Known::take(got.unwrap(), layout, one.seed, size, false));
                        }
                    }
                }
                for one in live {
                    one.check();
                    unsafe { allocator.deallocate(one.block, one.layout) };
                }
            }

            proptest! {
                #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None,
                    ..ProptestConfig::default() })]

                #[test]
                fn the_global_allocator_keeps_it(steps in steps()) {
                    follow(&MiMalloc, &steps);
                }

                #[test]
                fn a_heap_keeps_it(steps in steps()) {
                    let heap = Heap::new();
                    follow(&heap, &steps);
                    prop_assert_eq!(heap.stats().live_blocks(), 0);
                }

                #[test]
                fn a_borrowed_heap_keeps_it(steps in steps()) {
                    follow(&&Heap::new(), &steps);
                }

                #[test]
                fn a_shared_heap_keeps_it(steps in steps()) {
                    follow(&ArcHeap::new(), &steps);
                }

                #[test]
                fn a_threads_part_keeps_it(steps in steps()) {
                    let heap = Heap::new();
                    heap.with_local(|local| follow(&local, &steps));
                    prop_assert_eq!(heap.stats().live_blocks(), 0);
                }
            }

            proptest! {
                #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None,
                    ..ProptestConfig::default() })]

                #[test]
                fn a_heap_in_an_arena_keeps_it(steps in steps()) {
                    static ARENA: std::sync::OnceLock<Arena> = std::sync::OnceLock::new();
                    let arena = ARENA.get_or_init(|| Arena::reserve(512 << 20).unwrap());
                    let heap = arena.heap().unwrap();
                    follow(&heap, &steps);
                }
            }

            /// A larger alignment makes a block move, to one that may have less room than the old one
            /// had: what is behind the old contents has to be zero all the same, and nothing else
            /// may be written to.
            #[test]
            fn grow_zeroed_survives_growing_alignments() {
                let heap = Heap::new();
                let sizes = (1..=40).map(|i| i * 509).chain(8180..8200).chain([65_533, 1 << 20]);
                for size in sizes {
                    for by in [0, 1, 7, 100, 5000] {
                        for (old_align, new_align) in [(1, 64), (8, 4096), (16, 8192), (64, 65_536)]
                        {
                            let old = Layout::from_size_align(size, old_align).unwrap();
                            let new = Layout::from_size_align(size + by, new_align).unwrap();
                            // Dirty memory first, so that zeroes are not there by chance.
                            let dirty = heap.allocate(new).unwrap();
                            unsafe {
                                dirty.cast::<u8>().as_ptr().write_bytes(0xff, new.size());
                                heap.deallocate(dirty.cast(), new);
                            }
                            let got = heap.allocate(old).unwrap();
                            let one = Known::take(got, old, 7, 0, false);
                            let got = unsafe { heap.grow_zeroed(one.block, old, new).unwrap() };
                            let one = Known::take(got, new, 7, size, true);
                            unsafe { heap.deallocate(one.block, new) };
                        }
                    }
                }
            }

            #[test]
            fn nothing_is_called_for_blocks_of_no_size() {
                let heap = Heap::new();
                for align in [1, 16, 4096, 1 << 20] {
                    let layout = Layout::from_size_align(0, align).unwrap();
                    let block = heap.allocate(layout).unwrap();
                    assert_eq!((block.len(), block.cast::<u8>().as_ptr() as usize), (0, align));
                    unsafe { heap.deallocate(block.cast(), layout) };
                }
                assert_eq!(heap.stats().live_blocks(), 0);
                assert_eq!(heap.stats().malloc_normal.total, 0);
            }

            #[test]
            fn impossible_sizes_are_errors_and_change_nothing() {
                let heap = Heap::new();
                let huge = Layout::from_size_align(isize::MAX as usize - 15, 16).unwrap();
                assert!(heap.allocate(huge).is_err());
                assert!(heap.allocate_zeroed(huge).is_err());
                let small = Layout::new::<[u8; 32]>();
                let one = Known::take(heap.allocate(small).unwrap(), small, 9, 0, false);
                unsafe {
                    assert!(heap.grow(one.block, small, huge).is_err());
                    assert!(heap.grow_zeroed(one.block, small, huge).is_err());
                }
                one.check();
                unsafe { heap.deallocate(one.block, small) };
            }

            /// Resizing never takes a block out of its heap.
            #[test]
            fn blocks_stay_in_their_heap() {
                let heap = Heap::new();
                for align in [1usize, 8, 64, 4096] {
                    let mut layout = Layout::from_size_align(1, align).unwrap();
                    let mut block = heap.allocate(layout).unwrap().cast::<u8>();
                    while layout.size() < 4 << 20 {
                        let new = Layout::from_size_align(layout.size() * 3, align).unwrap();
                        block = unsafe { heap.grow(block, layout, new).unwrap().cast() };
                        layout = new;
                        assert!(heap.contains_address(block.as_ptr()), "{layout:?}");
                    }
                    let new = Layout::from_size_align(10, align).unwrap();
                    block = unsafe { heap.shrink(block, layout, new).unwrap().cast() };
                    assert!(heap.contains_address(block.as_ptr()));
                }
            }
        }
    };
}

#[cfg(feature = "allocator-api2-02")]
of_trait!(allocator_api2_02, allocator_api2::alloc);
#[cfg(feature = "allocator-api2-04")]
of_trait!(allocator_api2_04, ::allocator_api2_04::alloc);
#[cfg(feature = "nightly")]
of_trait!(standard_library, std::alloc);
