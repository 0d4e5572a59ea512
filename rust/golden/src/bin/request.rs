//! request ROUNDS REQUESTS: what a heap for each request costs, beside the global allocator. A request
//! makes 100 boxes of 16 to 216 bytes, touches each, and drops them. Prints the best time of a request
//! over all rounds, in nanoseconds, of four kinds by turns:
//!
//! * boxes through the global allocator
//! * boxes in a heap of the request, dropped one by one, then the heap
//! * boxes in a heap of the request, which frees them when it is dropped
//! * the same through the thread's part of the heap (`Heap::with_local`)

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box as BoxIn;
use mimalloc_core::{Heap, MiMalloc};
use std::hint::black_box;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::time::Instant;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

const BOXES: usize = 100;

fn size(i: usize) -> usize {
    16 + i * 37 % 201
}

/// The boxes are kept in an array on the stack, as with the global allocator.
#[inline(always)]
fn boxes<A: Allocator + Copy>(allocator: A) -> [BoxIn<[MaybeUninit<u8>], A>; BOXES] {
    std::array::from_fn(|i| {
        let mut one = BoxIn::new_uninit_slice_in(size(i), allocator);
        one[0].write(i as u8);
        one
    })
}

fn global() {
    let all: [Box<[MaybeUninit<u8>]>; BOXES] = std::array::from_fn(|i| {
        let mut one = Box::new_uninit_slice(size(i));
        one[0].write(i as u8);
        one
    });
    black_box(&all);
}

fn one_by_one() {
    let heap = Heap::new();
    black_box(&boxes(&heap));
}

fn at_once() {
    let heap = Heap::new();
    black_box(&ManuallyDrop::new(boxes(&heap)));
}

fn local_at_once() {
    let heap = Heap::new();
    heap.with_local(|local| {
        black_box(&ManuallyDrop::new(boxes(local)));
    });
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|one| one.parse::<u32>().expect("a number"));
    let (rounds, requests) = (numbers.next().unwrap(), numbers.next().unwrap());
    let kinds: [fn(); 4] = [global, one_by_one, at_once, local_at_once];
    let mut best = [f64::INFINITY; 4];
    for _ in 0..rounds {
        for (kind, best) in kinds.iter().zip(&mut best) {
            let start = Instant::now();
            (0..requests).for_each(|_| kind());
            *best = best.min(start.elapsed().as_nanos() as f64 / f64::from(requests));
        }
    }
    println!("{:.0} {:.0} {:.0} {:.0}", best[0], best[1], best[2], best[3]);
}
