//! Real crates on the global allocator, with threads that allocate and free for each other.

use mimalloc_core::MiMalloc;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

fn document(items: usize) -> serde_json::Value {
    let items: Vec<_> = (0..items)
        .map(|i| {
            serde_json::json!({
                "id": i,
                "name": format!("item number {i}"),
                "tags": (0..i % 7).map(|tag| format!("tag{tag}")).collect::<Vec<_>>(),
                "nested": {"values": (0..i % 13).collect::<Vec<_>>(), "text": "x".repeat(i % 200)},
            })
        })
        .collect();
    serde_json::json!({ "items": items })
}

#[test]
fn json_survives_a_round_trip() {
    let threads: Vec<_> = (0..4)
        .map(|i| {
            thread::spawn(move || {
                let before = document(300 + i);
                let text = serde_json::to_string_pretty(&before).unwrap();
                let after: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(before, after);
                (text, after)
            })
        })
        .collect();
    // What was made there is freed here.
    for (i, thread) in threads.into_iter().enumerate() {
        let (text, value) = thread.join().unwrap();
        assert!(mimalloc_core::is_ours(text.as_ptr()));
        assert_eq!(value["items"].as_array().unwrap().len(), 300 + i);
    }
}

#[test]
fn regular_expressions_match() {
    let text: String = (0..2000).map(|i| format!("user{i}@host{}.example ", i % 50)).collect();
    let pattern = regex::Regex::new(r"(?P<user>\w+)@(?P<host>\w+)\.example").unwrap();
    let mut hosts: HashMap<String, Vec<String>> = HashMap::new();
    for found in pattern.captures_iter(&text) {
        hosts.entry(found["host"].to_string()).or_default().push(found["user"].to_string());
    }
    assert_eq!(hosts.len(), 50);
    assert!(hosts.values().all(|users| users.len() == 40));
    let replaced = pattern.replace_all(&text, "$host:$user");
    assert!(replaced.starts_with("host0:user0 host1:user1 "));
}

#[test]
fn work_stealing_threads_agree() {
    let numbers: Vec<u64> = (0..50_000).map(|i| i * 7919 % 65_537).collect();
    let groups: BTreeMap<u64, Vec<String>> = numbers
        .par_iter()
        .fold(BTreeMap::<u64, Vec<String>>::new, |mut map, &number| {
            map.entry(number % 97).or_default().push(number.to_string());
            map
        })
        .reduce(BTreeMap::new, |mut left, right| {
            for (key, mut values) in right {
                left.entry(key).or_default().append(&mut values);
            }
            left
        });
    assert_eq!(groups.values().map(Vec::len).sum::<usize>(), numbers.len());
    let mut sorted = numbers.clone();
    sorted.par_sort_unstable();
    assert!(sorted.windows(2).all(|pair| pair[0] <= pair[1]));
}

/// Many small tasks that are made on one thread, run on another, and wake a third, as in a runtime for
/// asynchronous programs: boxed closures, shared state, channels of one message.
#[test]
fn tasks_move_between_threads() {
    type Task = Box<dyn FnOnce() + Send>;
    const WORKERS: usize = 4;
    const TASKS: u64 = 20_000;
    let queue: Arc<Mutex<VecDeque<Task>>> = Arc::default();
    let (results, all) = mpsc::channel::<(u64, Arc<str>)>();
    let (wake, woken) = mpsc::channel::<()>();
    let woken = Arc::new(Mutex::new(woken));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (queue, woken) = (Arc::clone(&queue), Arc::clone(&woken));
            thread::spawn(move || {
                while { woken.lock().unwrap().recv() }.is_ok() {
                    let task = queue.lock().unwrap().pop_front().unwrap();
                    task();
                }
            })
        })
        .collect();
    for i in 0..TASKS {
        let results = results.clone();
        let state = vec![i; (i % 60) as usize + 1];
        let task: Task = Box::new(move || {
            let sum = state.iter().sum::<u64>();
            results.send((sum, format!("task {i}").into())).unwrap();
        });
        queue.lock().unwrap().push_back(task);
        wake.send(()).unwrap();
    }
    drop((results, wake));
    let mut total = 0;
    for (sum, name) in all {
        assert!(name.starts_with("task "));
        total += sum;
    }
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(total, (0..TASKS).map(|i| i * (i % 60 + 1)).sum::<u64>());
}

#[test]
fn short_threads_leave_nothing_behind() {
    for round in 0..20 {
        let threads: Vec<_> =
            (0..8).map(|i| thread::spawn(move || vec![vec![i as u8; 1000]; 50 + round])).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap().len(), 50 + round);
        }
    }
    let stats = mimalloc_core::stats();
    assert!(stats.threads.total >= 160);
    assert!(stats.threads.current < 60, "{:?}", stats.threads);
}

#[test]
fn what_is_counted_can_be_written_as_json() {
    let _some = String::from("a block of the program");
    let stats = serde_json::to_value(mimalloc_core::stats()).unwrap();
    assert!(stats["heaps"]["current"].as_u64().unwrap() >= 1);
    assert!(stats["mmap_calls"].is_u64());
    let classes = stats["classes"].as_array().unwrap();
    assert!(classes.iter().any(|class| class["blocks"]["current"].as_u64() > Some(0)));
    let raw: serde_json::Value = serde_json::from_str(&mimalloc_core::stats_json()).unwrap();
    assert!(raw.is_object());
    let info = serde_json::to_value(mimalloc_core::process_info()).unwrap();
    assert!(info["current_rss"].as_u64().unwrap() > 1 << 16);
}

#[test]
fn settings_are_those_of_the_library() {
    use mimalloc_core::Setting;
    let names: Vec<String> = Setting::ALL.iter().map(|setting| format!("{setting:?}")).collect();
    assert!(names.contains(&"PurgeDelay".to_string()) && names.len() > 30);
    Setting::MaxErrors.set(7);
    assert_eq!(Setting::MaxErrors.get(), 7);
    Setting::MaxErrors.set_default(9);
    assert_eq!(Setting::MaxErrors.get(), 7, "a default does not replace what was set");
    Setting::Verbose.set_enabled(false);
    assert!(!Setting::Verbose.is_enabled());
}
