//! The bindings say the same as the C headers: a C file is made of src/*.rs, in which every function
//! type, constant, size and offset is an assertion for the C compiler.

use mimalloc_core_sys::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::mem::{align_of, size_of, MaybeUninit};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, ptr};

const FUNCTIONS: &str = include_str!("../src/functions.rs");
const TYPES: &str = include_str!("../src/types.rs");

fn core() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vendored = package.join("vendor/core");
    if vendored.join("include").is_dir() {
        vendored
    } else {
        package.join("../../core")
    }
}

fn headers() -> String {
    let mut paths: Vec<_> =
        fs::read_dir(core().join("include")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// A function of src/functions.rs: name, types of the parameters, result.
struct Function {
    name: String,
    parameters: Vec<String>,
    result: String,
}

fn functions() -> Vec<Function> {
    let code: String = FUNCTIONS
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && !line.starts_with("#["))
        .collect::<Vec<_>>()
        .join(" ");
    let parse = |text: &str| {
        let (name, rest) = text.split_once('(').unwrap();
        let (parameters, result) = rest.split_once(')').unwrap();
        let parameters = parameters.split(',').map(str::trim).filter(|one| !one.is_empty());
        Function {
            name: name.trim().into(),
            parameters: parameters
                .map(|one| one.split_once(':').unwrap().1.trim().into())
                .collect(),
            result: result.trim().trim_start_matches("->").trim().into(),
        }
    };
    code.split("pub fn ").skip(1).map(|text| parse(text.split_once(';').unwrap().0)).collect()
}

/// A Rust type as C.
fn c_type(rust: &str) -> String {
    if let Some(rest) = rust.strip_prefix("*const ") {
        return format!("{} const *", c_type(rest));
    }
    if let Some(rest) = rust.strip_prefix("*mut ") {
        return format!("{} *", c_type(rest));
    }
    if let Some(rest) = rust.strip_prefix("Option<") {
        return format!("{} *", rest.trim_end_matches('>'));
    }
    let plain = match rust {
        "" | "c_void" => "void",
        "c_char" => "char",
        "c_uchar" => "unsigned char",
        "c_int" => "int",
        "c_long" => "long",
        "c_ulonglong" => "unsigned long long",
        "usize" => "size_t",
        "f64" => "double",
        "i64" => "int64_t",
        other => other, // the same name in C
    };
    plain.into()
}

fn check_by_compiler(name: &str, assertions: &str) {
    let source = Path::new(env!("OUT_DIR")).join(format!("{name}.c"));
    let text = format!(
        "#include <stddef.h>\n#include \"mimalloc.h\"\n#include \"mimalloc-ext.h\"\n{assertions}"
    );
    fs::write(&source, text).unwrap();
    let output = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=gnu17", "-fsyntax-only", "-Wno-deprecated-declarations"])
        .arg("-I")
        .arg(core().join("include"))
        .arg(&source)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{said}", source.display());
}

#[test]
fn every_function_has_the_type_of_the_header() {
    let mut text = String::new();
    for function in functions() {
        let parameters: Vec<_> = function.parameters.iter().map(|one| c_type(one)).collect();
        let parameters = if parameters.is_empty() { "void".into() } else { parameters.join(", ") };
        let (name, result) = (&function.name, c_type(&function.result));
        writeln!(
            text,
            "_Static_assert(__builtin_types_compatible_p(__typeof__(&{name}), \
             {result} (*)({parameters})), \"{name}\");"
        )
        .unwrap();
    }
    assert!(text.lines().count() > 150);
    check_by_compiler("functions", &text);
}

#[test]
fn a_wrong_type_would_be_found() {
    let wrong = "_Static_assert(__builtin_types_compatible_p(__typeof__(&mi_malloc), \
                 void * (*)(int)), \"mi_malloc\");";
    let caught = std::panic::catch_unwind(|| check_by_compiler("wrong", wrong));
    assert!(caught.is_err());
}

#[test]
fn every_function_of_the_headers_is_bound() {
    let headers = headers();
    let mut declared = BTreeSet::new();
    for statement in headers.split("mi_decl_export").skip(1) {
        let statement = statement.split([';', '{']).next().unwrap();
        let name = statement.split('(').next().unwrap().rsplit([' ', '*', '\n']).next().unwrap();
        // What follows the definition of the macro itself are other macros.
        if name.starts_with("mi_") && !name.starts_with("mi_decl_") {
            declared.insert(name.to_string());
        }
    }
    let bound: BTreeSet<_> = functions().into_iter().map(|function| function.name).collect();
    assert!(declared.len() > 150);
    assert_eq!(declared.symmetric_difference(&bound).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_exported_function_is_bound() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/exports.txt");
    let Ok(list) = fs::read_to_string(list) else {
        return; // a package has no list; the test above compares with its headers
    };
    let exported: BTreeSet<_> = list.lines().filter(|name| name.starts_with("mi_")).collect();
    let functions = functions();
    let bound: BTreeSet<_> = functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(exported.symmetric_difference(&bound).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn callbacks_have_the_types_of_the_header() {
    let code = TYPES.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = String::new();
    for part in code.split("pub type ").skip(1) {
        let (name, rest) = part.split_once(" = ").unwrap();
        let Some(signature) = rest.strip_prefix("unsafe extern \"C\" fn(") else { continue };
        let (parameters, rest) = signature.split_once(')').unwrap();
        let result = rest.split(';').next().unwrap().trim().trim_start_matches("->").trim();
        let parameters: Vec<_> = parameters
            .split(',')
            .map(str::trim)
            .filter(|one| !one.is_empty())
            .map(c_type)
            .collect();
        let (result, parameters) = (c_type(result), parameters.join(", "));
        writeln!(
            text,
            "_Static_assert(__builtin_types_compatible_p({name}, {result}({parameters})), \"{name}\");"
        )
        .unwrap();
    }
    assert_eq!(text.lines().count(), 6);
    check_by_compiler("callbacks", &text);
}

#[test]
fn constants_have_the_values_of_the_header() {
    let mut text = String::new();
    let mut names = BTreeSet::new();
    for line in TYPES.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, rest) = line.split_once(':').unwrap();
        let value = rest.split_once('=').unwrap().1.trim_end_matches(';').trim();
        let value = value.replace("core::mem::size_of::<*mut c_void>()", "sizeof(void *)");
        writeln!(text, "_Static_assert({name} == {value}, \"{name}\");").unwrap();
        names.insert(name.to_string());
    }
    check_by_compiler("constants", &text);

    let headers = headers();
    for name in headers.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let is_option =
            name.starts_with("mi_option_") && headers.contains(&format!("    {name} = "));
        assert!(!is_option || names.contains(name), "{name} is missing");
    }
    assert_eq!(mi_option_purge_thread + 1, _mi_option_last);
    assert_eq!(unsafe { mi_version() }, MI_MALLOC_VERSION);
}

/// Assertions on a struct; a field that is left out does not compile.
macro_rules! layout {
    ($text:ident, $type:ident { $($field:ident),* $(,)? }) => {{
        let value = MaybeUninit::<$type>::uninit();
        let base = value.as_ptr();
        writeln!($text, "_Static_assert(sizeof({0}) == {1}, \"size of {0}\");",
            stringify!($type), size_of::<$type>()).unwrap();
        writeln!($text, "_Static_assert(_Alignof({0}) == {1}, \"alignment of {0}\");",
            stringify!($type), align_of::<$type>()).unwrap();
        $(
            let offset = unsafe { ptr::addr_of!((*base).$field) } as usize - base as usize;
            let size = size_of_field(|value: &$type| &value.$field);
            writeln!($text, "_Static_assert(offsetof({0}, {1}) == {2}, \"offset of {0}.{1}\");",
                stringify!($type), stringify!($field), offset).unwrap();
            writeln!($text, "_Static_assert(sizeof((({0} *)0)->{1}) == {2}, \"size of {0}.{1}\");",
                stringify!($type), stringify!($field), size).unwrap();
        )*
        #[allow(dead_code)]
        fn all_fields(value: $type) {
            let $type { $($field: _),* } = value;
        }
    }};
}

fn size_of_field<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

#[test]
fn structs_have_the_layout_of_the_header() {
    let mut text = String::new();
    layout!(text, mi_subproc_id_t { _mi_subproc_id });
    layout!(
        text,
        mi_heap_area_t {
            blocks,
            reserved,
            committed,
            used,
            block_size,
            full_block_size,
            reserved1,
        }
    );
    layout!(text, mi_stat_count_t { total, peak, current });
    layout!(text, mi_stat_counter_t { total });
    layout!(
        text,
        mi_stats_t {
            size,
            version,
            pages,
            reserved,
            committed,
            reset,
            purged,
            page_committed,
            pages_abandoned,
            threads,
            malloc_normal,
            malloc_huge,
            malloc_requested,
            mmap_calls,
            commit_calls,
            reset_calls,
            purge_calls,
            arena_count,
            malloc_normal_count,
            malloc_huge_count,
            malloc_guarded_count,
            arena_rollback_count,
            arena_purges,
            pages_extended,
            pages_retire,
            page_searches,
            page_searches_count,
            segments,
            segments_abandoned,
            segments_cache,
            _segments_reserved,
            heaps,
            theaps,
            pages_reclaim_on_alloc,
            pages_reclaim_on_free,
            pages_reabandon_full,
            pages_unabandon_busy_wait,
            heaps_delete_wait,
            _stat_reserved,
            _counter_reserved,
            malloc_bins,
            page_bins,
            chunk_bins,
        }
    );
    writeln!(
        text,
        "_Static_assert(sizeof(mi_option_t) == {}, \"enum\");",
        size_of::<mi_option_t>()
    )
    .unwrap();
    writeln!(
        text,
        "_Static_assert((wchar_t)-1 == ({})-1, \"wchar_t\");",
        if wchar_t::MIN == 0 { "unsigned int" } else { "int" }
    )
    .unwrap();
    writeln!(
        text,
        "_Static_assert((char)-1 {} 0, \"char\");",
        if c_char::MIN == 0 { ">" } else { "<" }
    )
    .unwrap();
    check_by_compiler("structs", &text);
}
