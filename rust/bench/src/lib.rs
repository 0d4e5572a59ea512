//! Pieces of Rust programs that allocate much, and the allocator they run on.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

#[cfg(feature = "ours")]
#[global_allocator]
static GLOBAL: mimalloc_core::MiMalloc = mimalloc_core::MiMalloc;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static GLOBAL: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(feature = "snmalloc")]
#[global_allocator]
static GLOBAL: snmalloc_rs::SnMalloc = snmalloc_rs::SnMalloc;

/// Ends the program if the mimalloc that is linked is not of the version that the feature says.
pub fn check_version() {
    #[cfg(feature = "mimalloc")]
    {
        extern "C" {
            fn mi_version() -> std::ffi::c_int;
        }
        // Any call of the crate makes the linker take its library.
        drop(black_box(Box::new(1)));
        let version = unsafe { mi_version() };
        // Version 3 counts in ten thousands, older ones in hundreds.
        let is_three = version >= 30_000;
        assert_eq!(is_three, cfg!(not(feature = "mimalloc-v2")), "mi_version() is {version}");
    }
}

/// Names and functions of all workloads; each does one round.
pub const WORKLOADS: [(&str, fn()); 8] = [
    ("json", json),
    ("words", words),
    ("tree", tree),
    ("boxes", boxes),
    ("growing", growing),
    ("requests", requests),
    ("channel", channel),
    ("parallel", parallel),
];

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize
    }
}

/// Parsing and writing documents of a few hundred KiB.
fn json() {
    let items: Vec<String> = (0..2000)
        .map(|i| {
            let tags = vec!["\"tag\""; i % 7].join(",");
            let text = "x".repeat(i % 120);
            format!("{{\"id\":{i},\"name\":\"item {i}\",\"tags\":[{tags}],\"text\":\"{text}\"}}")
        })
        .collect();
    let text = format!("[{}]", items.join(","));
    for _ in 0..3 {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        black_box(serde_json::to_string(&value).unwrap());
    }
}

/// Counting words: a map of strings to vectors.
fn words() {
    let mut numbers = Numbers(1);
    let mut map: HashMap<String, Vec<u32>> = HashMap::new();
    for i in 0..40_000 {
        let word = format!("word{}", numbers.next() % 6000);
        map.entry(word).or_default().push(i);
    }
    let mut sorted: Vec<(String, usize)> =
        map.iter().map(|(word, places)| (word.clone(), places.len())).collect();
    sorted.sort();
    black_box(sorted);
}

/// An ordered map that grows and shrinks, with boxed values.
fn tree() {
    let mut numbers = Numbers(2);
    let mut map: BTreeMap<usize, Box<[u64]>> = BTreeMap::new();
    for _ in 0..40_000 {
        let key = numbers.next() % 20_000;
        if numbers.next() % 3 == 0 {
            map.remove(&key);
        } else {
            map.insert(key, vec![key as u64; numbers.next() % 20 + 1].into());
        }
    }
    black_box(map);
}

struct Node(#[allow(dead_code)] Option<Box<Node>>, #[allow(dead_code)] Option<Box<Node>>);

/// Binary trees of single boxes.
fn boxes() {
    fn make(depth: u32) -> Option<Box<Node>> {
        (depth > 0).then(|| Box::new(Node(make(depth - 1), make(depth - 1))))
    }
    for depth in 4..14 {
        for _ in 0..1 << (14 - depth) {
            black_box(make(depth));
        }
    }
}

/// Vectors and strings that grow by pushing.
fn growing() {
    for round in 0..6 {
        let mut vectors: Vec<Vec<u64>> = vec![Vec::new(); 100];
        let mut text = String::new();
        for i in 0..120_000u64 {
            vectors[(i * 7 % 100) as usize].push(i);
            text.push((b'a' + ((i + round) % 26) as u8) as char);
        }
        black_box((vectors, text));
    }
}

/// Short-lived blocks of many sizes, as requests of a server have them.
fn requests() {
    let mut numbers = Numbers(3);
    let mut kept: Vec<Vec<u8>> = vec![Vec::new(); 500];
    for _ in 0..1500 {
        let blocks: Vec<Box<[u8]>> =
            (0..100).map(|_| vec![1; 16 + numbers.next() % 600].into()).collect();
        let place = numbers.next() % kept.len();
        kept[place] = blocks[numbers.next() % 100].to_vec();
        black_box(blocks);
    }
    black_box(kept);
}

/// Made on one thread, freed on another.
fn channel() {
    let (sender, receiver) = mpsc::sync_channel::<Vec<Box<[u8]>>>(64);
    let consumer = thread::spawn(move || {
        receiver
            .into_iter()
            .map(|batch| batch.iter().map(|one| one.len()).sum::<usize>())
            .sum::<usize>()
    });
    let mut numbers = Numbers(4);
    for _ in 0..1500 {
        let batch = (0..50).map(|_| vec![7; numbers.next() % 300 + 1].into()).collect();
        sender.send(batch).unwrap();
    }
    drop(sender);
    black_box(consumer.join().unwrap());
}

/// Threads with memory of their own.
fn parallel() {
    let threads: Vec<_> = (0..4u64)
        .map(|seed| {
            thread::spawn(move || {
                let mut numbers = Numbers(seed);
                let mut live: Vec<Vec<u8>> = vec![Vec::new(); 1000];
                for _ in 0..40_000 {
                    let place = numbers.next() % live.len();
                    live[place] = Vec::with_capacity(1 << (numbers.next() % 10));
                }
                live.len()
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 1000));
}
