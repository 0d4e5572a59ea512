//! What the global allocator and heaps cost, measured as users have them: optimised, one program
//! each. Instructions are counted by valgrind, so that other load of the machine does not matter.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The programs of this package, built once for all tests.
fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let output = Command::new(env!("CARGO"))
            .args(["build", "--release", "--bins", "--quiet", "--manifest-path"])
            .arg(manifest)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // The folder of this test is target/debug/deps.
        let own = std::env::current_exe().unwrap();
        own.ancestors().nth(3).unwrap().join("release")
    });
    folder.join(name)
}

fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn has_valgrind(test: &str) -> bool {
    let found = Command::new("valgrind").arg("--version").output().is_ok();
    if !found {
        tell(&format!("SKIPPED {test}: valgrind is missing (Debian package valgrind)"));
    }
    found
}

/// Instructions of `pair` for a number of rounds.
fn instructions(kind: &str, rounds: u32) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program("pair"))
        .args([rounds.to_string().as_str(), kind])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let count = text.split("Collected : ").nth(1).expect("callgrind tells what it collected");
    count.split_whitespace().next().unwrap().parse().unwrap()
}

/// The same for one pair, without start-up and without the loop around.
fn instructions_of_a_pair(kind: &str) -> f64 {
    const PAIRS: f64 = 1024.0;
    let (short, long) = (200, 600);
    let of = |kind: &str| {
        (instructions(kind, long) - instructions(kind, short)) / f64::from(long - short)
    };
    (of(kind) - of(&format!("{kind}-loop"))) / PAIRS
}

#[test]
fn a_pair_costs_few_instructions() {
    const LIMIT: f64 = 40.0;
    if cfg!(not(target_arch = "x86_64")) || !has_valgrind("a_pair_costs_few_instructions") {
        return;
    }
    for kind in ["fixed", "sized"] {
        let count = instructions_of_a_pair(kind);
        let told =
            format!("instructions of alloc and dealloc, 16 to 256 bytes, {kind}: {count:.1}");
        tell(&told);
        assert!(count <= LIMIT, "{told}, at most {LIMIT}");
        // Less than the core's two fast paths together: then something else is measured.
        assert!(count >= 25.0, "{told}");
    }
}

fn output_of(name: &str, arguments: &[&str]) -> Vec<f64> {
    let output = Command::new(program(name)).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

#[test]
fn a_heap_for_each_request_is_cheap() {
    const LIMIT: f64 = 2.2;
    // short rounds: some are not interrupted by what else runs on the machine
    let times = output_of("request", &["201", "200"]);
    let [global, one_by_one, at_once, local] = times[..] else { panic!("{times:?}") };
    let told = format!(
        "100 boxes: global {global} ns; in a heap {one_by_one} ns one by one ({:.2}), \
         {at_once} ns at once ({:.2}), {local} ns by the thread's part ({:.2})",
        one_by_one / global,
        at_once / global,
        local / global
    );
    tell(&told);
    for time in [one_by_one, at_once, local] {
        assert!(time <= LIMIT * global, "{told}, at most {LIMIT}");
    }
}

#[test]
fn the_first_object_of_a_heap_takes_little_memory() {
    const LIMIT: f64 = 16.0 * 1024.0;
    let bytes = output_of("first_object", &["200"]);
    let [first, mean] = bytes[..] else { panic!("{bytes:?}") };
    let told = format!("first object in a heap: {first} bytes, mean of 199 more {mean}");
    tell(&told);
    assert!(first <= LIMIT && mean <= LIMIT, "{told}, at most {LIMIT}");
    // A page of the system at least: else it was not touched, or not seen.
    assert!(mean >= 4096.0, "{told}");
}
