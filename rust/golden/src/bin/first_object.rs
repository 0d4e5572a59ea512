//! first_object HEAPS: makes heaps, then one object of 64 bytes in each. Prints how many bytes of
//! resident memory the first heap's object took, and the mean of all.

use allocator_api2::boxed::Box as BoxIn;
use mimalloc_core::{Heap, MiMalloc};

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// Anonymous resident memory in bytes: code that is read for the first time is no memory of a heap.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn main() {
    let count: usize = std::env::args().nth(1).unwrap().parse().expect("HEAPS is a number");
    let mut objects = Vec::with_capacity(count);
    // The start of the program itself: its buffers, and what the reading needs.
    (0..3).for_each(|_| assert!(resident() > 0));

    let before = resident();
    objects.push(BoxIn::new_in([1u8; 64], Heap::new().leak()));
    let first = resident() - before;

    let before = resident();
    objects.extend((1..count).map(|_| BoxIn::new_in([1u8; 64], Heap::new().leak())));
    let mean = (resident() - before) / (count - 1);
    println!("{first} {mean}");
}
