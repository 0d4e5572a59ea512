//! A heap for each request beside bumpalo and the global allocator: 100 boxes of 16 to 216 bytes.
//! `cargo bench --bench heaps --features heaps`

use allocator_api2::alloc::{Allocator, Global};
use allocator_api2::boxed::Box as BoxIn;
use bumpalo::Bump;
use mimalloc_core::Heap;
use std::hint::black_box;
use std::mem::{ManuallyDrop, MaybeUninit};

fn main() {
    // Brings the global allocator along.
    mimalloc_core_bench::check_version();
    divan::main();
}

fn boxes<A: Allocator + Copy>(allocator: A) -> [BoxIn<[MaybeUninit<u8>], A>; 100] {
    std::array::from_fn(|i| {
        let mut one = BoxIn::new_uninit_slice_in(16 + i * 37 % 201, allocator);
        one[0].write(i as u8);
        one
    })
}

#[divan::bench]
fn global_allocator() {
    black_box(&boxes(Global));
}

#[divan::bench]
fn heap_dropped_one_by_one() {
    let heap = Heap::new();
    black_box(&boxes(&heap));
}

#[divan::bench]
fn heap_dropped_at_once() {
    let heap = Heap::new();
    black_box(&ManuallyDrop::new(boxes(&heap)));
}

#[divan::bench]
fn threads_part_dropped_at_once() {
    let heap = Heap::new();
    heap.with_local(|local| {
        black_box(&ManuallyDrop::new(boxes(local)));
    });
}

#[divan::bench]
fn bump_dropped_at_once() {
    let bump = Bump::new();
    black_box(&ManuallyDrop::new(boxes(&bump)));
}

#[divan::bench]
fn bump_reset(bencher: divan::Bencher) {
    let mut bump = Bump::new();
    bencher.bench_local(|| {
        black_box(&ManuallyDrop::new(boxes(&bump)));
        bump.reset();
    });
}
