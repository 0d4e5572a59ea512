//! The contract of `GlobalAlloc`, for every kind of layout, while the test program itself runs on it.

use mimalloc_core::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// Sizes around those where the core changes its ways.
const SIZES: [usize; 24] = [
    1, 2, 7, 8, 9, 15, 16, 17, 31, 64, 100, 255, 1023, 1024, 1025, 4096, 5000, 32_768, 32_769,
    70_000, 262_144, 262_145, 1_500_000, 9_000_000,
];
const ALIGNS: [usize; 12] = [1, 2, 4, 8, 16, 32, 64, 256, 4096, 65_536, 131_072, 4_194_304];

fn layouts() -> impl Iterator<Item = Layout> {
    let every = |size| ALIGNS.map(move |align| Layout::from_size_align(size, align).unwrap());
    SIZES.into_iter().flat_map(every)
}

fn fill(block: *mut u8, size: usize, seed: usize) {
    for i in [0, size / 2, size - 1] {
        unsafe { block.add(i).write((i ^ seed) as u8) };
    }
}

fn check(block: *mut u8, size: usize, seed: usize) {
    assert_eq!(unsafe { block.read() }, seed as u8, "first of {size}");
    if size > 1 {
        for i in [size / 2, size - 1] {
            assert_eq!(unsafe { block.add(i).read() }, (i ^ seed) as u8, "byte {i} of {size}");
        }
    }
}

#[test]
fn blocks_fit_their_layouts_and_do_not_overlap() {
    let blocks: Vec<_> =
        layouts().map(|layout| (layout, unsafe { MiMalloc.alloc(layout) })).collect();
    for (seed, &(layout, block)) in blocks.iter().enumerate() {
        assert!(!block.is_null(), "{layout:?}");
        assert_eq!(block as usize % layout.align(), 0, "{layout:?}");
        assert!(unsafe { MiMalloc.usable_size(block) } >= layout.size(), "{layout:?}");
        fill(block, layout.size(), seed);
    }
    for (seed, &(layout, block)) in blocks.iter().enumerate() {
        check(block, layout.size(), seed);
        unsafe { MiMalloc.dealloc(block, layout) };
    }
}

#[test]
fn zeroed_blocks_are_zero_though_dirty_ones_were_freed() {
    for layout in layouts() {
        unsafe {
            let dirty = MiMalloc.alloc(layout);
            dirty.write_bytes(0xa5, layout.size());
            MiMalloc.dealloc(dirty, layout);
            let block = MiMalloc.alloc_zeroed(layout);
            assert_eq!(block as usize % layout.align(), 0, "{layout:?}");
            let bytes = std::slice::from_raw_parts(block, layout.size());
            assert!(bytes.iter().all(|&byte| byte == 0), "{layout:?}");
            MiMalloc.dealloc(block, layout);
        }
    }
}

#[test]
fn resizing_keeps_contents_and_alignment() {
    for align in ALIGNS {
        for (seed, pair) in SIZES.windows(2).enumerate() {
            let [small, large] = [pair[0], pair[1]];
            let layout = Layout::from_size_align(small, align).unwrap();
            unsafe {
                let block = MiMalloc.alloc(layout);
                fill(block, small, seed);
                let grown = MiMalloc.realloc(block, layout, large);
                assert_eq!(grown as usize % align, 0, "{layout:?} to {large}");
                check(grown, small, seed);
                fill(grown, large, seed);
                let layout = Layout::from_size_align(large, align).unwrap();
                let shrunk = MiMalloc.realloc(grown, layout, small);
                assert_eq!(shrunk as usize % align, 0, "{layout:?} to {small}");
                assert_eq!(shrunk.read(), seed as u8);
                MiMalloc.dealloc(shrunk, Layout::from_size_align(small, align).unwrap());
            }
        }
    }
}

#[test]
fn impossible_sizes_yield_null() {
    let layout = Layout::from_size_align(isize::MAX as usize - 15, 16).unwrap();
    unsafe {
        assert!(MiMalloc.alloc(layout).is_null());
        assert!(MiMalloc.alloc_zeroed(layout).is_null());
        let small = Layout::new::<u64>();
        let block = MiMalloc.alloc(small);
        block.write(7);
        assert!(MiMalloc.realloc(block, small, isize::MAX as usize - 15).is_null());
        assert_eq!(block.read(), 7, "the old block stays");
        MiMalloc.dealloc(block, small);
    }
}

#[test]
fn a_size_of_zero_is_harmless() {
    // Not allowed by the trait, but seen in the wild.
    for align in ALIGNS {
        let layout = Layout::from_size_align(0, align).unwrap();
        unsafe {
            let block = MiMalloc.alloc(layout);
            assert!(!block.is_null());
            assert_eq!(block as usize % align, 0);
            MiMalloc.dealloc(block, layout);
        }
    }
}

#[test]
fn the_program_runs_on_it() {
    let text = String::from("hello");
    assert!(mimalloc_core::is_ours(text.as_ptr()));
    let boxed: Box<[u8]> = vec![1; 100_000].into();
    assert!(mimalloc_core::is_ours(boxed.as_ptr()));
    let local = 1;
    assert!(!mimalloc_core::is_ours(&local));
}

#[test]
fn blocks_are_freed_by_other_threads() {
    let (sender, receiver) = std::sync::mpsc::channel::<Vec<u64>>();
    let maker = std::thread::spawn(move || {
        for i in 0..2000u64 {
            sender.send(vec![i; (i % 300) as usize + 1]).unwrap();
        }
    });
    let sum: u64 = receiver.iter().map(|numbers| numbers[0]).sum();
    maker.join().unwrap();
    assert_eq!(sum, 1999 * 2000 / 2);
}

/// Its memory is in an arena already: a second one of the same bytes would hand them out twice.
#[test]
fn a_block_does_not_become_an_arena() {
    let memory = Box::leak(vec![std::mem::MaybeUninit::<u8>::uninit(); 4 << 20].into_boxed_slice());
    assert!(mimalloc_core::Arena::from_slice(memory).is_err());
}
