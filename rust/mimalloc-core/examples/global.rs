//! The allocator of a whole program: two lines, and numbers about what it does.
//!
//!     cargo run --example global

use mimalloc_core::{MiMalloc, Setting};
use std::collections::HashMap;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

fn main() {
    // Free memory goes back to the system after this many milliseconds.
    Setting::PurgeDelay.set(100);

    let mut words: HashMap<String, Vec<usize>> = HashMap::new();
    for i in 0..200_000 {
        words.entry(format!("word{}", i % 5000)).or_default().push(i);
    }
    assert!(mimalloc_core::is_ours(words["word7"].as_ptr()));
    println!("with {} words: {}", words.len(), summary());

    drop(words);
    mimalloc_core::collect(true);
    println!("without: {}", summary());
}

fn summary() -> String {
    let stats = mimalloc_core::stats();
    let info = mimalloc_core::process_info();
    format!(
        "{} blocks, {} KiB in blocks, {} KiB resident",
        stats.live_blocks(),
        stats.live_bytes() / 1024,
        info.current_rss / 1024
    )
}
