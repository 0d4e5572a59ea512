//! What the objects that were built here define: every function that is bound, and, when the names
//! are prefixed, nothing that another library could define as well.

#![cfg(not(miri))]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const FUNCTIONS: &str = include_str!("../src/functions.rs");

/// Global symbols of the archive, None where there is no archive (a library of the system) or no nm.
fn defined() -> Option<BTreeSet<String>> {
    let archive = Path::new(env!("OUT_DIR")).join("libmimalloc_core.a");
    let skip = |reason: &str| {
        let _ = writeln!(std::io::stderr(), "SKIPPED symbols of the archive: {reason}");
        None
    };
    if !archive.exists() {
        return skip("a library of the system is linked");
    }
    let mut nm = Command::new("nm");
    nm.args(["-g", "--defined-only", "-A"]).arg(&archive);
    let Ok(output) = nm.output() else {
        return skip("nm is missing");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| line.rsplit(' ').next().unwrap().to_string()).collect())
}

#[test]
fn every_bound_function_is_defined() {
    let Some(defined) = defined() else { return };
    let mut count = 0;
    for part in FUNCTIONS.split("pub fn ").skip(1) {
        let name = part.split('(').next().unwrap();
        let linked = if cfg!(mimalloc_core_prefixed) {
            format!("mimalloc_core_{}", name.strip_prefix("mi_").unwrap())
        } else {
            name.to_string()
        };
        assert!(defined.contains(&linked), "{linked} is not defined");
        count += 1;
    }
    assert!(count > 150);
}

#[test]
fn no_name_can_clash() {
    let Some(defined) = defined() else { return };
    if !cfg!(mimalloc_core_prefixed) {
        assert!(defined.contains("mi_malloc"));
        return;
    }
    let is_ours = |name: &&String| name.starts_with("mimalloc_core_");
    let others: Vec<_> = defined.iter().filter(|name| !is_ours(name)).collect();
    if cfg!(feature = "override") {
        assert!(others.iter().any(|name| *name == "malloc"));
        assert!(others.iter().all(|name| !name.starts_with("mi")), "{others:?}");
    } else {
        assert_eq!(others, Vec::<&String>::new());
    }
}
