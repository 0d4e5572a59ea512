//! Heaps in use: collections on them, by several threads, walks, ends.

#![cfg_attr(feature = "nightly", feature(allocator_api, btreemap_alloc))]

use allocator_api2::boxed::Box as BoxIn;
use allocator_api2::vec::Vec as VecIn;
use hashbrown::{DefaultHashBuilder, HashMap};
use mimalloc_core::{ArcHeap, Arena, Heap, MiMalloc};
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Barrier};
use std::thread;

type Map<'h> = HashMap<u64, VecIn<u8, &'h Heap>, DefaultHashBuilder, &'h Heap>;

fn map_in(heap: &Heap) -> Map<'_> {
    HashMap::with_hasher_in(DefaultHashBuilder::default(), heap)
}

#[test]
fn a_map_of_vectors_lives_in_a_heap() {
    let heap = Heap::new();
    let mut map = map_in(&heap);
    for i in 0..5000u64 {
        let mut bytes = VecIn::new_in(&heap);
        bytes.resize((i % 300) as usize, i as u8);
        map.insert(i, bytes);
    }
    map.retain(|key, _| key % 3 != 0);
    for (key, bytes) in &map {
        assert_eq!(bytes.len(), (key % 300) as usize);
        assert!(bytes.is_empty() || heap.contains(&bytes[0]));
    }
    assert!(heap.stats().live_blocks() > 3000);
    drop(map);
    assert_eq!(heap.stats().live_blocks(), 0);
}

#[test]
fn threads_share_a_heap_and_free_for_each_other() {
    const THREADS: usize = 4;
    let heap = Heap::new();
    let heap = &heap;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel()).unzip();
    let sum = AtomicUsize::new(0);
    let sum = &sum;
    thread::scope(|scope| {
        for (number, receiver) in receivers.into_iter().enumerate() {
            let next = senders[(number + 1) % THREADS].clone();
            scope.spawn(move || {
                let mut map = map_in(heap);
                for i in 0..3000u64 {
                    let mut bytes = VecIn::new_in(heap);
                    bytes.resize((i % 200) as usize + 1, number as u8);
                    if i % 2 == 0 {
                        next.send(bytes).unwrap();
                    } else {
                        map.insert(i, bytes);
                    }
                }
                drop(next);
                map.retain(|key, _| key % 5 == 0);
            });
            scope.spawn(move || {
                for bytes in receiver {
                    assert!(heap.contains(&bytes[0]));
                    sum.fetch_add(bytes.len(), Ordering::Relaxed);
                }
            });
        }
        drop(senders);
    });
    let each: usize = (0..3000).step_by(2).map(|i| i % 200 + 1).sum();
    assert_eq!(sum.load(Ordering::Relaxed), THREADS * each);
    // All threads have ended, so the numbers are exact; whoever frees may hold a page back a while.
    heap.collect(true);
    assert_eq!(heap.stats().live_blocks(), 0);
}

#[test]
fn memory_of_a_heap_is_free_again_when_it_is_dropped() {
    let committed = || {
        mimalloc_core::collect(true);
        mimalloc_core::stats().page_committed.current
    };
    let before = committed();
    for _ in 0..20 {
        let heap = Heap::new();
        for i in 0..200 {
            std::mem::forget(BoxIn::<[MaybeUninit<u8>], _>::new_uninit_slice_in(i * 500, &heap));
        }
    }
    let after = committed();
    // 20 heaps of 10 MB each; other tests run meanwhile.
    assert!(after < before + (100 << 20), "{before} bytes before, {after} after");
}

#[test]
fn many_heaps_come_and_go_on_many_threads() {
    thread::scope(|scope| {
        for number in 0..4usize {
            scope.spawn(move || {
                for i in 0..300 {
                    let heap = Heap::new();
                    let mut numbers = VecIn::new_in(&heap);
                    numbers.extend(0..i * (number + 1));
                    assert_eq!(numbers.len(), i * (number + 1));
                }
            });
        }
    });
}

#[test]
fn a_shared_heap_goes_with_its_last_owner() {
    let heap = ArcHeap::new();
    let made: Vec<_> = (0..4)
        .map(|i| {
            let heap = heap.clone();
            thread::spawn(move || {
                let mut numbers = VecIn::new_in(heap);
                numbers.extend(std::iter::repeat(i).take(1000));
                numbers
            })
        })
        .collect();
    let vectors: Vec<_> = made.into_iter().map(|thread| thread.join().unwrap()).collect();
    let heap = heap.try_into_heap().unwrap_err(); // the vectors own it as well
    for (i, numbers) in vectors.iter().enumerate() {
        assert!(numbers.iter().all(|&number| number == i));
    }
    drop(vectors);
    let heap = heap.try_into_heap().unwrap();
    assert_eq!(heap.stats().live_blocks(), 0);
}

#[test]
fn a_box_may_own_its_heap() {
    let number = BoxIn::new_in(5, Heap::new());
    assert!(BoxIn::allocator(&number).contains(&*number));
    let mut numbers = VecIn::new_in(Heap::new());
    numbers.extend(0..10_000);
    drop(number);
    assert_eq!(numbers[9_999], 9_999);
}

#[test]
fn blocks_of_a_detached_heap_stay() {
    let heap = Heap::new();
    let raw: Vec<_> =
        (0..1000usize).map(|i| BoxIn::into_raw(BoxIn::new_in([i; 20], &heap))).collect();
    assert!(heap.contains_address(raw[0]));
    heap.detach();
    for (i, raw) in raw.into_iter().enumerate() {
        assert!(mimalloc_core::is_ours(raw));
        let boxed = unsafe { BoxIn::from_raw_in(raw, MiMalloc) };
        assert_eq!(*boxed, [i; 20]);
    }
}

#[test]
fn a_walk_shows_every_block_once() {
    let heap = Heap::new();
    let mut expected: Vec<usize> = Vec::new();
    let boxes: Vec<_> = (0..2000usize)
        .map(|i| BoxIn::<[MaybeUninit<u8>], _>::new_uninit_slice_in(i * 13 % 3000 + 1, &heap))
        .collect();
    expected.extend(boxes.iter().map(|one| one.as_ptr() as usize));
    expected.sort_unstable();

    let (mut found, mut used, mut areas) = (Vec::new(), 0, 0);
    let flow: ControlFlow<()> = heap.visit(|area, block| {
        match block {
            None => {
                areas += 1;
                used += area.used;
            }
            Some(block) => {
                assert!(block.size <= area.full_block_size);
                found.push(block.address.as_ptr() as usize);
            }
        }
        ControlFlow::Continue(())
    });
    assert_eq!(flow, ControlFlow::Continue(()));
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(used, expected.len());
    let stats = heap.stats();
    assert_eq!(stats.pages.current, areas);
    assert_eq!(stats.live_blocks(), 2000);
    assert_eq!(stats.classes().map(|class| class.blocks.current).sum::<u64>(), 2000);
}

#[test]
fn a_visitor_may_stop_and_may_panic() {
    let heap = Heap::new();
    let _boxes: Vec<_> = (0..100).map(|i| BoxIn::new_in(i, &heap)).collect();
    let mut seen = 0;
    let flow = heap.visit(|_, block| {
        seen += 1;
        if block.is_some() {
            ControlFlow::Break(seen)
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(flow, ControlFlow::Break(2));

    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _: ControlFlow<()> = heap.visit(|_, _| panic!("from the visitor"));
    }));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "from the visitor");
    // The heap is as good as before.
    let _another = BoxIn::new_in(1, &heap);
    assert_eq!(heap.stats().live_blocks(), 101);
}

#[test]
fn a_walk_is_safe_while_others_allocate() {
    let heap = Heap::new();
    let done = Barrier::new(3);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut boxes = Vec::new();
                for i in 0..20_000usize {
                    boxes.push(BoxIn::new_in([i; 6], &heap));
                    if i % 3 == 0 {
                        boxes.swap_remove(i % boxes.len());
                    }
                }
                done.wait();
            });
        }
        for _ in 0..30 {
            let _: ControlFlow<()> = heap.visit(|area, block| {
                if let Some(block) = block {
                    assert!(block.size <= area.full_block_size);
                }
                ControlFlow::Continue(())
            });
        }
        done.wait();
    });
}

#[test]
fn a_threads_part_is_of_the_thread_that_asks() {
    let heap = Heap::new();
    thread::scope(|scope| {
        for number in 0..4usize {
            let heap = &heap;
            scope.spawn(move || {
                heap.with_local(|local| {
                    let mut numbers = VecIn::new_in(local);
                    numbers.extend(0..10_000 + number);
                    // And the same within another.
                    let sum: usize = heap.with_local(|inner| {
                        let mut more = VecIn::new_in(inner);
                        more.extend_from_slice(&numbers);
                        more.iter().sum()
                    });
                    let count = 10_000 + number;
                    assert_eq!(sum, count * (count - 1) / 2);
                });
            });
        }
    });
    assert_eq!(heap.stats().live_blocks(), 0);
}

/// Destructors of thread-local variables run when the core may have handed the thread's memory over.
#[test]
fn a_threads_part_may_be_had_at_its_very_end() {
    static HEAP: std::sync::OnceLock<Heap> = std::sync::OnceLock::new();
    static RAN: AtomicUsize = AtomicUsize::new(0);
    struct AtEnd;
    impl Drop for AtEnd {
        fn drop(&mut self) {
            HEAP.get_or_init(Heap::new).with_local(|local| {
                let mut numbers = VecIn::new_in(local);
                numbers.extend(0..1000);
                RAN.fetch_add(numbers.len(), Ordering::Relaxed);
            });
        }
    }
    thread_local!(static AT_END: AtEnd = const { AtEnd });
    for _ in 0..10 {
        thread::spawn(|| AT_END.with(|_| drop(vec![1; 100]))).join().unwrap();
    }
    assert_eq!(RAN.load(Ordering::Relaxed), 10_000);
}

#[test]
fn an_arena_bounds_its_heaps() {
    let arena = Arena::reserve(Arena::min_size()).unwrap();
    let bytes = arena.area().len();
    let heap = arena.heap().unwrap();
    let mut taken = Vec::new();
    while let Ok(block) = VecIn::<u8, _>::try_with_capacity(&heap, 100_000) {
        assert!(arena.contains(block.as_ptr()));
        taken.push(block);
    }
    let all = taken.len() * 100_000;
    assert!(all <= bytes && all > bytes / 2, "{all} bytes of {bytes}");
    drop(taken);
    drop(heap);
    // All of it is there again for the next heap.
    let heap = arena.heap().unwrap();
    let again: Vec<_> = (0..all / 100_000)
        .map(|_| VecIn::<u8, _>::try_with_capacity(&heap, 100_000).expect("as many as before"))
        .collect();
    assert_eq!(again.len() * 100_000, all);
}

/// `Vec::with_capacity_in` that says if there is no memory.
trait TryWithCapacity<'h>: Sized {
    fn try_with_capacity(heap: &'h Heap, capacity: usize) -> Result<Self, ()>;
}

impl<'h> TryWithCapacity<'h> for VecIn<u8, &'h Heap> {
    fn try_with_capacity(heap: &'h Heap, capacity: usize) -> Result<Self, ()> {
        let mut made = VecIn::new_in(heap);
        made.try_reserve_exact(capacity).map_err(drop)?;
        Ok(made)
    }
}

#[test]
fn an_arena_may_be_memory_of_the_program() {
    static mut MEMORY: [MaybeUninit<u8>; 4 << 20] = [MaybeUninit::new(0xff); 4 << 20];
    static mut SMALL: [MaybeUninit<u8>; 1000] = [MaybeUninit::uninit(); 1000];
    let memory = unsafe { &mut *ptr::addr_of_mut!(MEMORY) };
    let range = memory.as_ptr_range();
    let arena = Arena::from_slice(memory).unwrap();
    let heap = arena.heap().unwrap();
    let mut numbers = VecIn::new_in(&heap);
    numbers.extend(0..100_000u32);
    assert!(range.contains(&numbers.as_ptr().cast()));
    let zeroes = BoxIn::<[u8], _>::new_zeroed_slice_in(100_000, &heap);
    let zeroes = unsafe { zeroes.assume_init() };
    assert!(zeroes.iter().all(|&byte| byte == 0), "dirty memory is not taken for zeroes");
    assert!(Arena::from_slice(unsafe { &mut *ptr::addr_of_mut!(SMALL) }).is_err());
}

/// Collections of the standard library.
#[cfg(feature = "nightly")]
#[test]
fn collections_of_the_standard_library_live_in_a_heap() {
    use std::collections::{BTreeMap, VecDeque};
    use std::rc::Rc;
    use std::sync::Arc;

    let heap = Heap::new();
    let mut tree = BTreeMap::new_in(&heap);
    let mut queue = VecDeque::new_in(&heap);
    for i in 0..2000 {
        let mut numbers = Vec::new_in(&heap);
        numbers.extend(0..i % 50);
        tree.insert(i, numbers);
        queue.push_back(Box::new_in(i, &heap));
        if i % 3 == 0 {
            queue.pop_front();
            tree.pop_first();
        }
    }
    let shared = Rc::new_in([1; 100], &heap);
    assert!(heap.contains(&*shared) && heap.contains(queue.back().unwrap().as_ref()));
    drop((tree, queue, shared));
    assert_eq!(heap.stats().live_blocks(), 0);

    thread::scope(|scope| {
        let all: Arc<[u8], &Heap> = Arc::<[u8], _>::from(Vec::from_iter_in_heap(&heap));
        for _ in 0..4 {
            let all = Arc::clone(&all);
            scope.spawn(move || assert_eq!(all.iter().map(|&byte| byte as u32).sum::<u32>(), 4950));
        }
    });
    let pinned = Box::pin_in(1, ArcHeap::new());
    let other: Box<i32, &'static Heap> = Box::new_in(2, Heap::new().leak());
    assert_eq!(*pinned + *Box::into_pin(other), 3);
    let local = heap.with_local(|local| {
        let mut numbers = Vec::new_in(local);
        numbers.extend(0..1000u64);
        numbers.iter().sum::<u64>()
    });
    assert_eq!(local, 499_500);
}

#[cfg(feature = "nightly")]
trait FromHeap<'h> {
    fn from_iter_in_heap(heap: &'h Heap) -> Self;
}

#[cfg(feature = "nightly")]
impl<'h> FromHeap<'h> for Vec<u8, &'h Heap> {
    fn from_iter_in_heap(heap: &'h Heap) -> Self {
        let mut bytes = Vec::new_in(heap);
        bytes.extend(0..100);
        bytes
    }
}

/// Collecting frees what is empty, not the thread's part of the heap that is lent meanwhile; so too
/// when another thread collects, or ends.
#[test]
fn a_heap_is_collected_while_a_thread_has_its_part() {
    let heap = Heap::new();
    heap.with_local(|local| {
        for round in 0..20u64 {
            let kept = BoxIn::new_in([round; 40], local);
            drop(BoxIn::new_in([round; 400], local));
            heap.collect(true);
            mimalloc_core::collect(true);
            std::thread::scope(|scope| {
                scope.spawn(|| drop(BoxIn::new_in([round; 40], &heap)));
            });
            assert_eq!(kept[39], round);
        }
    });
    assert_eq!(heap.stats().live_blocks(), 0);
}

/// A collection that owns its heap and is leaked keeps the heap too.
#[test]
fn what_is_leaked_keeps_its_heap() {
    let leaked: &'static mut [u64; 9] = BoxIn::leak(BoxIn::new_in([5; 9], Heap::new()));
    let list: &'static mut [u64] = {
        let mut list = VecIn::new_in(Heap::new());
        list.extend(0..500u64);
        VecIn::leak(list)
    };
    mimalloc_core::collect(true);
    drop((0..2000u64).map(|i| Box::new([i; 9])).collect::<Vec<_>>());
    assert!(leaked.iter().all(|&number| number == 5));
    assert_eq!(list.iter().sum::<u64>(), 499 * 500 / 2);
}

/// What uses a heap when it is dropped, and tells what it found.
struct Late<'h>(&'h Heap, mpsc::Sender<usize>);

impl Drop for Late<'_> {
    fn drop(&mut self) {
        let sum = self.0.with_local(|local| {
            let mut numbers = VecIn::new_in(local);
            numbers.extend(0..100usize);
            numbers.iter().sum()
        });
        self.1.send(sum).unwrap();
    }
}

/// Destructors of a thread run before the core knows that it ends, and, by keys of the C library that
/// were made later than the core's own, after that.
#[test]
fn destructors_of_ending_threads_use_a_heap() {
    use std::ffi::{c_int, c_uint, c_void};
    extern "C" {
        fn pthread_key_create(key: *mut c_uint, end: Option<extern "C" fn(*mut c_void)>) -> c_int;
        fn pthread_key_delete(key: c_uint) -> c_int;
        fn pthread_setspecific(key: c_uint, value: *const c_void) -> c_int;
    }
    extern "C" fn end(value: *mut c_void) {
        drop(unsafe { Box::from_raw(value.cast::<Late<'static>>()) });
    }
    thread_local!(static EARLY: RefCell<Option<Late<'static>>> = const { RefCell::new(None) });

    // the address sanitizer takes what nothing refers to for lost
    static KEPT: std::sync::Mutex<Option<&'static Heap>> = std::sync::Mutex::new(None);
    let heap: &'static Heap = KEPT.lock().unwrap().insert(Heap::new().leak());
    let mut key = 0;
    assert_eq!(unsafe { pthread_key_create(&mut key, Some(end)) }, 0);
    let (sender, receiver) = mpsc::channel();
    for _ in 0..4 {
        let (early, late) = (Late(heap, sender.clone()), Late(heap, sender.clone()));
        let thread = thread::spawn(move || {
            EARLY.with(|place| *place.borrow_mut() = Some(early));
            let late = Box::into_raw(Box::new(late)).cast();
            assert_eq!(unsafe { pthread_setspecific(key, late) }, 0);
        });
        thread.join().unwrap();
        assert_eq!((receiver.recv(), receiver.recv()), (Ok(4950), Ok(4950)));
    }
    assert_eq!(heap.stats().live_blocks(), 0);
    assert_eq!(unsafe { pthread_key_delete(key) }, 0);
}
