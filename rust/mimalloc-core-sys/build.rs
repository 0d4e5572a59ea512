//! Builds the C core that comes with the crate, or finds one that is installed.
//!
//! A library of the system is taken only when asked for (feature `system`, `MIMALLOC_CORE_NO_VENDOR`
//! or `MIMALLOC_CORE_LIB_DIR`), and only if it has `mi_free_if_owned`: other libraries of the name
//! mimalloc lack it, and programs that use it would not link.

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const VARIABLES: [&str; 4] = [
    "MIMALLOC_CORE_NO_VENDOR",
    "MIMALLOC_CORE_LIB_DIR",
    "MIMALLOC_CORE_INCLUDE_DIR",
    "MIMALLOC_CORE_STATIC",
];
const MINIMUM: &str = "3.4.3";
const MARKER: &str = "mi_free_if_owned";
const PREFIX: &str = "mimalloc_core_";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(mimalloc_core_prefixed)");
    for name in VARIABLES {
        println!("cargo:rerun-if-env-changed={}", name);
        println!("cargo:rerun-if-env-changed={}", for_target(name));
    }
    let done = match source() {
        Source::Folder(folder) => link_folder(&folder),
        Source::PkgConfig => link_pkg_config(),
        Source::Vendored => build(),
    };
    if let Err(error) = done {
        eprintln!("mimalloc-core-sys: {}", error);
        std::process::exit(1);
    }
}

enum Source {
    Vendored,
    PkgConfig,
    Folder(PathBuf),
}

fn source() -> Source {
    if let Some(folder) = variable("MIMALLOC_CORE_LIB_DIR") {
        Source::Folder(folder.into())
    } else if feature("SYSTEM") || is_set("MIMALLOC_CORE_NO_VENDOR") {
        Source::PkgConfig
    } else {
        Source::Vendored
    }
}

// ---- what cargo and the environment say ----------------------------------------------------------

fn feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", name)).is_some()
}

fn cargo(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// The name of a variable that holds for one target only, as `cc` and `pkg-config` have them.
fn for_target(name: &str) -> String {
    format!("{}_{}", cargo("TARGET").to_uppercase().replace(['-', '.'], "_"), name)
}

fn variable(name: &str) -> Option<String> {
    let value = env::var(for_target(name)).or_else(|_| env::var(name)).ok();
    value.filter(|value| !value.is_empty())
}

fn is_set(name: &str) -> bool {
    variable(name).map_or(false, |value| value != "0")
}

fn out_dir() -> PathBuf {
    cargo("OUT_DIR").into()
}

// ---- a library of the system ---------------------------------------------------------------------

/// What was decided when a library was built, and cannot be had from one that was built otherwise.
fn warn_of_features() {
    for (name, upper) in [("override", "OVERRIDE"), ("local-dynamic-tls", "LOCAL_DYNAMIC_TLS")] {
        if feature(upper) {
            println!(
                "cargo:warning=feature `{}` has no effect on a library that is installed",
                name
            );
        }
    }
}

/// The names that an installed library with the features asked for may have, the best first. It is named
/// after what it has, so that a program that asks for them does not get one without.
fn installed_names() -> &'static [&'static str] {
    match (feature("SECURE"), feature("DEBUG")) {
        (true, true) => &["mimalloc-secure-debug"],
        (true, false) => &["mimalloc-secure", "mimalloc-secure-debug"],
        (false, true) => &["mimalloc-debug", "mimalloc-secure-debug"],
        (false, false) => {
            &["mimalloc", "mimalloc-debug", "mimalloc-secure", "mimalloc-secure-debug"]
        }
    }
}

fn link_folder(folder: &Path) -> Result<()> {
    warn_of_features();
    let is_static = is_set("MIMALLOC_CORE_STATIC");
    let extension = if is_static { "a" } else { "so" };
    let names = installed_names();
    let has = |name: &&&str| folder.join(format!("lib{}.{}", name, extension)).exists();
    let name = names.iter().find(has).ok_or_else(|| {
        format!(
            "no lib{}.{} in {}, which MIMALLOC_CORE_LIB_DIR names",
            names[0],
            extension,
            folder.display()
        )
    })?;
    let include = variable("MIMALLOC_CORE_INCLUDE_DIR").map(PathBuf::from);
    let file = folder.join(format!("lib{}.{}", name, extension));
    require_marker(&[], &[file.display().to_string()], &file.display().to_string())?;
    println!("cargo:rustc-link-search=native={}", folder.display());
    let kind = if is_static { "static" } else { "dylib" };
    println!("cargo:rustc-link-lib={}={}", kind, name);
    if is_static {
        println!("cargo:rustc-link-lib=pthread");
    }
    tell(folder.parent().unwrap_or(folder), include.as_deref(), "");
    Ok(())
}

fn link_pkg_config() -> Result<()> {
    warn_of_features();
    let mut config = pkg_config::Config::new();
    config.atleast_version(MINIMUM).statik(is_set("MIMALLOC_CORE_STATIC"));
    let found = config.cargo_metadata(false).probe("mimalloc").map_err(|error| {
        format!(
            "asked for the library of the system (feature `system` or MIMALLOC_CORE_NO_VENDOR), \
             but pkg-config does not find mimalloc {} or newer:\n{}",
            MINIMUM, error
        )
    })?;
    let mut arguments = Vec::new();
    arguments.extend(found.link_paths.iter().map(|path| format!("-L{}", path.display())));
    arguments.extend(found.libs.iter().map(|name| format!("-l{}", name)));
    let named = format!("mimalloc {}, found by pkg-config", found.version);
    let names = installed_names();
    let asked = feature("SECURE") || feature("DEBUG");
    if asked && !names.iter().any(|name| found.libs.iter().any(|lib| lib == name)) {
        return Err(format!(
            "{}, is lib{}, but the features `secure` and `debug` that were asked for need lib{}. \
             Install that, or build the one that comes with the crate by leaving out feature \
             `system` and MIMALLOC_CORE_NO_VENDOR",
            named,
            found.libs.join(", lib"),
            names[0]
        )
        .into());
    }
    require_marker(&found.include_paths, &arguments, &named)?;
    config.cargo_metadata(true).probe("mimalloc")?;
    let root = pkg_config::get_variable("mimalloc", "prefix").unwrap_or_default();
    tell(Path::new(&root), found.include_paths.first().map(PathBuf::as_path), "");
    Ok(())
}

/// Links a program that calls `mi_free_if_owned`; it is not run, it may be for another machine.
fn require_marker(include: &[PathBuf], arguments: &[String], named: &str) -> Result<()> {
    let source = out_dir().join("marker.c");
    let text = format!(
        "_Bool {0}(void *);\nint main(void) {{ return {0}((void *)0) ? 1 : 0; }}\n",
        MARKER
    );
    fs::write(&source, text)?;
    let mut compiler = cc::Build::new();
    compiler.includes(include).warnings(false).cargo_metadata(false);
    let mut command = compiler.try_get_compiler()?.to_command();
    command.arg(&source).arg("-o").arg(out_dir().join("marker")).args(arguments).arg("-pthread");
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{} cannot be used: a program that calls {}() does not link with it. Another library of \
         the same name? Build the one that comes with the crate by leaving out feature `system`, \
         MIMALLOC_CORE_NO_VENDOR and MIMALLOC_CORE_LIB_DIR.\n{}",
        named,
        MARKER,
        String::from_utf8_lossy(&output.stderr)
    )
    .into())
}

/// For build scripts of dependents: DEP_MIMALLOC_CORE_ROOT, _INCLUDE, _VERSION, _PREFIX.
fn tell(root: &Path, include: Option<&Path>, prefix: &str) {
    println!("cargo:root={}", root.display());
    println!("cargo:version={}", MINIMUM);
    println!("cargo:prefix={}", prefix);
    if let Some(include) = include {
        println!("cargo:include={}", include.display());
    }
}

// ---- the library that comes with the crate -------------------------------------------------------

/// Folders with C sources: in the package, or in the repository on a system without symbolic links.
struct Folders {
    core: PathBuf,
    replacing: [PathBuf; 2],
}

fn folders() -> Folders {
    let package = PathBuf::from(cargo("CARGO_MANIFEST_DIR"));
    let vendor = package.join("vendor");
    if vendor.join("core/src").is_dir() {
        let replacing = [vendor.join("override"), vendor.join("cpp")];
        return Folders { core: vendor.join("core"), replacing };
    }
    let root = package.join("../..");
    let bindings = root.join("bindings");
    Folders {
        core: root.join("core"),
        replacing: [bindings.join("override"), bindings.join("cpp")],
    }
}

fn c_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {}", folder.display(), e))? {
        let path = entry?.path();
        if path.extension().map_or(false, |extension| extension == "c") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// All sources of the core, with the one file of `os` that is for the target.
fn core_files(core: &Path) -> Result<Vec<PathBuf>> {
    let system = cargo("CARGO_CFG_TARGET_OS");
    let own = core.join("src/os").join(format!("{}.c", system));
    if !own.exists() || cargo("CARGO_CFG_TARGET_POINTER_WIDTH") != "64" {
        let target = cargo("TARGET");
        return Err(format!("{} is not supported: the core is for 64-bit Linux", target).into());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(core.join("src"))? {
        let folder = entry?.path();
        if folder.is_dir() {
            files.extend(c_files(&folder)?);
        }
    }
    let systems = ["linux", "darwin", "windows", "freebsd", "android"];
    let other = |path: &PathBuf| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        path.parent() == own.parent() && *path != own && systems.contains(&stem)
    };
    files.retain(|path| !other(path));
    files.sort();
    Ok(files)
}

/// All sources as one: the compiler sees through calls from file to file, and it takes less time.
fn one_file(files: &[PathBuf]) -> Result<PathBuf> {
    let mut text = String::new();
    for file in files {
        text += &format!("#include \"{}\"\n", path_text(&file.canonicalize()?)?);
    }
    let path = out_dir().join("mimalloc-core.c");
    fs::write(&path, text)?;
    Ok(path)
}

fn build() -> Result<()> {
    let folders = folders();
    let (source, include) = (folders.core.join("src"), folders.core.join("include"));
    let prefix_header = out_dir().join("mimalloc-core-prefix.h");
    let is_prefixed = !feature("UNPREFIXED");
    let is_debug = feature("DEBUG");

    let mut compiler = cc::Build::new();
    compiler
        .file(one_file(&core_files(&folders.core)?)?)
        .define("_GNU_SOURCE", None)
        .include(&source)
        .include(&include)
        .pic(true)
        .warnings(false)
        // They would be made on the fast paths, for calls that these do not make.
        .force_frame_pointer(false)
        // An allocator without optimisation slows down every test of its users.
        .opt_level(if is_debug { 1 } else { 2 })
        .flag("-std=gnu17")
        .flag("-fvisibility=hidden")
        .flag("-fno-builtin-malloc")
        .flag("-fno-builtin-calloc")
        .flag("-fno-builtin-realloc")
        .flag("-fno-builtin-free")
        // a new handler may throw through operators new, which are C
        .flag("-fexceptions");
    if feature("LOCAL_DYNAMIC_TLS") || cargo("CARGO_CFG_TARGET_ENV") == "musl" {
        compiler.flag("-ftls-model=local-dynamic");
        if cargo("CARGO_CFG_TARGET_ARCH") == "x86_64" {
            compiler.flag_if_supported("-mtls-dialect=gnu2");
        }
    } else {
        compiler.flag("-ftls-model=initial-exec");
    }
    if feature("OVERRIDE") {
        for folder in &folders.replacing {
            compiler.files(c_files(folder)?);
        }
    }
    if is_prefixed {
        fs::write(&prefix_header, prefix_text(&folders.core)?)?;
        compiler.flag("-include").flag(path_text(&prefix_header)?);
        println!("cargo:rustc-cfg=mimalloc_core_prefixed");
    }
    let bit = |on: bool| if on { "1" } else { "0" };
    compiler
        .define("MIC_MODE_SECURE", bit(feature("SECURE")))
        .define("MIC_MODE_DEBUG", bit(is_debug))
        .define("MIC_OVERRIDE", bit(feature("OVERRIDE")));
    if !is_debug {
        compiler.define("NDEBUG", None);
    }
    compiler.try_compile("mimalloc_core")?;
    println!("cargo:rustc-link-lib=pthread");

    for folder in [&folders.core, &folders.replacing[0], &folders.replacing[1]] {
        // The folder itself, past the symbolic link: cargo looks at the times of what is in it.
        println!("cargo:rerun-if-changed={}", folder.canonicalize()?.display());
    }
    tell(&out_dir(), Some(&include), if is_prefixed { PREFIX } else { "" });
    if is_prefixed {
        println!("cargo:prefix_header={}", prefix_header.display());
    }
    Ok(())
}

// ---- names ---------------------------------------------------------------------------------------

/// A header that renames, when it is included before everything else, whatever other objects could
/// see: each function `mi_` that the headers declare, and each name `mic_` of the sources. (Of the
/// latter types and what is local to a file as well: that does no harm.) Macros keep their names.
fn prefix_text(core: &Path) -> Result<String> {
    let mut names = BTreeSet::new();
    let mut macros = BTreeSet::new();
    let mut folders = vec![core.join("include")];
    for entry in fs::read_dir(core.join("src"))? {
        folders.push(entry?.path());
    }
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder)? {
            let text = fs::read_to_string(entry?.path())?;
            for (before, word, after) in words(&text) {
                if before.ends_with("#define ") {
                    macros.insert(word.to_string());
                } else if word.starts_with("mic_")
                    || word.starts_with("mi_") && after.starts_with('(')
                {
                    names.insert(word.to_string());
                }
            }
        }
    }
    let mut text = String::new();
    for name in names.difference(&macros) {
        let short = if name.starts_with("mic_") { name } else { &name["mi_".len()..] };
        text += &format!("#define {} {}{}\n", name, PREFIX, short);
    }
    Ok(text)
}

/// The identifiers of a text, each with what is before and behind it.
fn words(text: &str) -> Vec<(&str, &str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(offset) = text[start..].find(is_part) {
        let first = start + offset;
        let end = text[first..].find(|c| !is_part(c)).map_or(text.len(), |length| first + length);
        found.push((&text[..first], &text[first..end], &text[end..]));
        start = end;
    }
    found
}

fn path_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| format!("{}: not UTF-8", path.display()).into())
}
