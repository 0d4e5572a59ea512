//! What programs that use this crate do under Miri: `cargo miri test --test interpreted`.

use allocator_api2::boxed::Box as BoxIn;
use allocator_api2::vec::Vec as VecIn;
use mimalloc_core::{ArcHeap, Heap, MiMalloc};

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

#[test]
fn the_global_allocator_works() {
    let mut numbers: Vec<u32> = (0..100).collect();
    numbers.shrink_to_fit();
    let text: String = numbers.iter().map(u32::to_string).collect();
    assert_eq!(text.len(), 190);
    let other = std::thread::spawn(move || numbers.len()).join().unwrap();
    assert_eq!(other, 100);
}

#[test]
fn heaps_work() {
    let heap = Heap::new();
    let mut numbers = VecIn::new_in(&heap);
    numbers.extend(0..100);
    numbers.truncate(10);
    numbers.shrink_to_fit();
    assert!(heap.contains(&numbers[9]));
    std::mem::forget(BoxIn::new_in([1; 10], &heap)); // goes with the heap
    let sum: i32 = heap.with_local(|local| {
        let mut more = VecIn::new_in(local);
        more.extend(numbers.iter().copied());
        more.iter().sum()
    });
    assert_eq!(sum, 45);
    let shared = ArcHeap::new();
    let boxed = BoxIn::into_pin(BoxIn::new_in(1, shared.clone()));
    drop(shared);
    assert_eq!(*boxed, 1);
}

#[test]
fn a_detached_heap_leaves_its_blocks() {
    let heap = Heap::new();
    let raw = BoxIn::into_raw(BoxIn::new_in(5, &heap));
    heap.detach();
    assert_eq!(*unsafe { BoxIn::from_raw_in(raw, MiMalloc) }, 5);
}

#[test]
fn threads_that_resize_lose_no_block() {
    let heap = Heap::new();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let mut numbers = VecIn::with_capacity_in(2, &heap);
                    numbers.extend([1u64; 8]); // an address that another thread may get at once
                    std::mem::forget(numbers); // goes with the heap, or Miri finds it left
                }
            });
        }
    });
}
