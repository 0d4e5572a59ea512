//! What users get: the packages, unpacked somewhere else and built without a network, by this compiler
//! and by the oldest one that the raw bindings are for; and the choice of a library of the system.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::{env, fs};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn skip(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// An empty folder for one test, below target/.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A command without what cargo tells this test about itself.
fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_") && text != "CARGO_HOME" || text == "RUSTC" || text == "CARGO"
        {
            command.env_remove(&name);
        }
    }
    command.env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// The cargo that runs this test, of the same toolchain.
fn cargo() -> Command {
    command(env!("CARGO"))
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{said}");
    output
}

/// Makes the packages once and unpacks them; the folder with both.
fn unpacked() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = folder("unpacked");
        let target = folder.join("target");
        succeed(
            cargo()
                .current_dir(workspace())
                .args(["package", "--offline", "--no-verify", "--allow-dirty", "--quiet"])
                .args(["-p", "mimalloc-core-sys", "-p", "mimalloc-core", "--target-dir"])
                .arg(&target),
        );
        for name in ["mimalloc-core-sys", "mimalloc-core"] {
            let package = target.join(format!("package/{name}-{VERSION}.crate"));
            succeed(command("tar").arg("-xzf").arg(package).arg("-C").arg(&folder));
        }
        folder
    })
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        assert!(!entry.file_type().unwrap().is_symlink(), "{} is a link", entry.path().display());
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}

#[test]
fn the_package_has_all_sources_of_the_core() {
    let package = unpacked().join(format!("mimalloc-core-sys-{VERSION}"));
    let root = workspace().parent().unwrap().to_path_buf();
    let mut compared = 0;
    for (packed, original) in [
        ("vendor/core", "core"),
        ("vendor/override", "bindings/override"),
        ("vendor/cpp", "bindings/cpp"),
    ] {
        let (packed, original) = (package.join(packed), root.join(original));
        for file in files_below(&original) {
            let inside = file.strip_prefix(&original).unwrap();
            assert!(fs::read(packed.join(inside)).ok() == fs::read(&file).ok(), "{inside:?}");
            compared += 1;
        }
    }
    assert!(compared > 80);
    let all = files_below(unpacked());
    for name in ["LICENSE", "README.md"] {
        assert_eq!(all.iter().filter(|path| path.ends_with(name)).count(), 2, "{name}");
    }
}

/// An empty workspace with a folder `user/src` for a package that depends on both packages: they are
/// found beside each other, as if they had come from the registry.
fn user_workspace(name: &str) -> PathBuf {
    let workspace = folder(name);
    let text = format!(
        "[workspace]\nresolver = \"2\"\nmembers = [\"user\"]\n\n[patch.crates-io]\n\
         mimalloc-core-sys = {{ path = \"{0}/mimalloc-core-sys-{VERSION}\" }}\n\
         mimalloc-core = {{ path = \"{0}/mimalloc-core-{VERSION}\" }}\n",
        unpacked().display()
    );
    fs::write(workspace.join("Cargo.toml"), text).unwrap();
    // The versions that were downloaded for the tests.
    fs::copy(self::workspace().join("Cargo.lock"), workspace.join("Cargo.lock")).unwrap();
    fs::create_dir_all(workspace.join("user/src")).unwrap();
    workspace
}

#[test]
fn the_packages_build_without_a_network() {
    let workspace = user_workspace("offline");
    let manifest = format!(
        "[package]\nname = \"user\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n\
         [dependencies]\nmimalloc-core = \"{VERSION}\"\nmimalloc-core-sys = \"{VERSION}\"\n"
    );
    fs::write(workspace.join("user/Cargo.toml"), manifest).unwrap();
    fs::write(
        workspace.join("user/src/main.rs"),
        "#[global_allocator]\n\
         static GLOBAL: mimalloc_core::MiMalloc = mimalloc_core::MiMalloc;\n\
         fn main() {\n\
             let text = format!(\"is ours: {}\", mimalloc_core::is_ours(vec![1].as_ptr()));\n\
             println!(\"{text}\");\n\
         }\n",
    )
    .unwrap();
    // What build scripts of direct dependents are told.
    fs::write(
        workspace.join("user/build.rs"),
        "fn main() {\n\
             let include = std::env::var(\"DEP_MIMALLOC_CORE_INCLUDE\").unwrap();\n\
             assert!(std::path::Path::new(&include).join(\"mimalloc.h\").exists());\n\
             let header = std::env::var(\"DEP_MIMALLOC_CORE_PREFIX_HEADER\").unwrap();\n\
             assert!(std::path::Path::new(&header).exists());\n\
             assert_eq!(std::env::var(\"DEP_MIMALLOC_CORE_PREFIX\").unwrap(), \"mimalloc_core_\");\n\
             assert_eq!(std::env::var(\"DEP_MIMALLOC_CORE_VERSION\").unwrap(), \"3.4.3\");\n\
             assert!(std::env::var(\"DEP_MIMALLOC_CORE_ROOT\").is_ok());\n\
         }\n",
    )
    .unwrap();
    let output = succeed(cargo().current_dir(&workspace).args(["run", "--offline", "--quiet"]));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "is ours: true\n");
}

/// Global symbols that a program defines; None without nm.
fn defined_by(program: &Path) -> Option<String> {
    let output = Command::new("nm").arg("--defined-only").arg(program).output().ok()?;
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split_once(" T ").map(|(_, name)| name));
    Some(names.fold(String::from(" "), |all, name| all + name + " "))
}

/// The example for users as their own program, where all of malloc is ours, and where the names are
/// those of the headers: it links, it works, and the symbols are there.
#[test]
fn the_example_runs_with_each_choice_of_names() {
    let workspace = user_workspace("names");
    let example = unpacked().join(format!("mimalloc-core-{VERSION}/examples/global.rs"));
    fs::copy(example, workspace.join("user/src/main.rs")).unwrap();
    for (features, profile, present, absent) in [
        ("\"unprefixed\"", "dev", &["mi_malloc"][..], &["malloc", "mimalloc_core_malloc"][..]),
        ("\"override\"", "dev", &["malloc", "_Znwm", "mimalloc_core_malloc"], &["mi_malloc"]),
        ("\"override\", \"unprefixed\"", "release", &["malloc", "_Znwm", "mi_malloc"], &[]),
    ] {
        let manifest = format!(
            "[package]\nname = \"user\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n[dependencies]\n\
             mimalloc-core = {{ version = \"{VERSION}\", features = [{features}] }}\n"
        );
        fs::write(workspace.join("user/Cargo.toml"), manifest).unwrap();
        let mut run = cargo();
        run.current_dir(&workspace).args(["run", "--offline", "--quiet", "--profile", profile]);
        let said = succeed(&mut run).stdout;
        let said = String::from_utf8_lossy(&said);
        assert!(said.starts_with("with 5000 words: "), "{features}: {said}");
        let folder = if profile == "dev" { "debug" } else { profile };
        let Some(names) = defined_by(&workspace.join("target").join(folder).join("user")) else {
            return skip("symbols of the example", "nm is missing");
        };
        let has = |name: &str| names.contains(&format!(" {name} "));
        assert!(present.iter().all(|name| has(name)), "{features}: not all of {present:?}");
        assert!(!absent.iter().any(|name| has(name)), "{features}: one of {absent:?}");
    }
}

/// With feature `override` a library that is loaded with the program allocates here, too: its own
/// calls of C's malloc, what the C library does for it, and its Rust code.
#[test]
fn override_reaches_libraries_that_the_program_loads() {
    let workspace = user_workspace("dylib");
    fs::write(
        workspace.join("user/Cargo.toml"),
        format!(
            "[package]\nname = \"user\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n[dependencies]\n\
             mimalloc-core = {{ version = \"{VERSION}\", features = [\"override\"] }}\n\
             loaded = {{ path = \"loaded\" }}\n"
        ),
    )
    .unwrap();
    fs::create_dir_all(workspace.join("user/loaded/src")).unwrap();
    fs::write(
        workspace.join("user/loaded/Cargo.toml"),
        "[package]\nname = \"loaded\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n\
         [lib]\ncrate-type = [\"dylib\"]\n",
    )
    .unwrap();
    fs::write(
        workspace.join("user/loaded/src/lib.rs"),
        "use std::ffi::{c_char, c_void};\n\
         extern \"C\" {\n\
             fn malloc(size: usize) -> *mut c_void;\n\
             fn strdup(text: *const c_char) -> *mut c_char;\n\
         }\n\
         pub fn blocks() -> [*mut c_void; 3] {\n\
             let vector = Box::leak(Box::new([1u8; 20]));\n\
             unsafe { [malloc(10), strdup(c\"text\".as_ptr()).cast(), vector.as_mut_ptr().cast()] }\n\
         }\n",
    )
    .unwrap();
    fs::write(
        workspace.join("user/src/main.rs"),
        "#[global_allocator]\n\
         static GLOBAL: mimalloc_core::MiMalloc = mimalloc_core::MiMalloc;\n\
         fn main() {\n\
             println!(\"{:?}\", loaded::blocks().map(|block| mimalloc_core::is_ours(block)));\n\
         }\n",
    )
    .unwrap();
    let mut run = cargo();
    run.current_dir(&workspace).args(["run", "--offline", "--quiet"]);
    // Or there were two copies of Rust's library, of which only one can be linked.
    let said = succeed(run.env("RUSTFLAGS", "-C prefer-dynamic")).stdout;
    assert_eq!(String::from_utf8_lossy(&said), "[true, true, true]\n");
}

/// Debian's compiler is the one that `rust-version` of the raw bindings names.
#[test]
fn the_oldest_compiler_builds_the_bindings() {
    let test = "the_oldest_compiler_builds_the_bindings";
    let Ok(rustc) = Command::new("/usr/bin/rustc").arg("--version").output() else {
        return skip(test, "there is no /usr/bin/rustc (Debian package rustc)");
    };
    if !Path::new("/usr/bin/cargo").exists() {
        return skip(test, "there is no /usr/bin/cargo (Debian package cargo)");
    }
    let version = String::from_utf8_lossy(&rustc.stdout).trim().to_string();
    let work = folder("oldest");
    let package = work.join("package");
    fs::rename(unpacked_copy(&work), &package).unwrap();

    // Its cargo reads neither today's index nor today's lock files: the dependencies lie beside it.
    let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
    fs::write(package.join("Cargo.toml"), manifest + "\n[workspace]\n").unwrap();
    fs::copy(workspace().join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    succeed(cargo().current_dir(&package).args(["vendor", "--offline", "--quiet", "deps"]));
    fs::remove_file(package.join("Cargo.lock")).unwrap();
    fs::create_dir_all(package.join(".cargo")).unwrap();
    fs::write(
        package.join(".cargo/config.toml"),
        "[source.crates-io]\nreplace-with = \"beside\"\n\n[source.beside]\ndirectory = \"deps\"\n",
    )
    .unwrap();
    for arguments in [&["build", "--offline"][..], &["test", "--offline", "--test", "calls"]] {
        succeed(
            command("/usr/bin/cargo")
                .current_dir(&package)
                .args(arguments)
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTDOC", "/usr/bin/rustdoc")
                .env("CARGO_HOME", work.join("home")),
        );
    }
    let _ = writeln!(std::io::stderr(), "built and tested with {version}");
}

/// A second copy of the unpacked bindings, to be written to.
fn unpacked_copy(work: &Path) -> PathBuf {
    let name = format!("mimalloc-core-sys-{VERSION}");
    let copied = command("cp").arg("-r").arg(unpacked().join(&name)).arg(work).status().unwrap();
    assert!(copied.success());
    work.join(name)
}

// ---- a library of the system -----------------------------------------------------------------------

/// Builds or tests the bindings in a folder of their own.
fn bindings(arguments: &[&str], target: &Path) -> Command {
    let mut command = cargo();
    command.current_dir(workspace()).args(arguments).args(["--offline", "-p", "mimalloc-core-sys"]);
    command.arg("--target-dir").arg(target);
    command
}

/// The shared library that CMake builds; `make test` has built it by then.
fn installed_library(test: &str) -> Option<PathBuf> {
    let folder = workspace().parent().unwrap().join("build/release");
    if folder.join("libmimalloc.so").exists() {
        return Some(folder);
    }
    skip(test, "there is no build/release/libmimalloc.so (make build)");
    None
}

#[test]
fn a_library_in_a_folder_is_linked() {
    let Some(library) = installed_library("a_library_in_a_folder_is_linked") else { return };
    let target = folder("system-target");
    succeed(
        bindings(&["test", "--test", "calls", "--quiet"], &target)
            .args(["--features", "system"])
            .env("MIMALLOC_CORE_LIB_DIR", &library)
            .env("LD_LIBRARY_PATH", &library),
    );
}

/// pkg-config finds a library; with another one of the name the build ends with a clear message.
#[test]
fn a_library_of_the_name_is_not_enough() {
    if Command::new("pkg-config").arg("--version").output().is_err() {
        return skip("a_library_of_the_name_is_not_enough", "pkg-config is missing");
    }
    let work = folder("other");
    fs::write(
        work.join("other.c"),
        "void *mi_malloc(unsigned long n) { return (void *)(n & 0); }\n",
    )
    .unwrap();
    succeed(command("cc").current_dir(&work).args([
        "-shared",
        "-fPIC",
        "other.c",
        "-o",
        "libmimalloc.so",
    ]));
    let description = "Name: mimalloc\nDescription: another one\nVersion: 3.9.9\n";
    fs::write(
        work.join("mimalloc.pc"),
        format!("{description}Libs: -L{} -lmimalloc\nCflags:\n", work.display()),
    )
    .unwrap();
    let target = work.join("target");
    let fails = |command: &mut Command, expected: &str| {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{command:?}");
        assert!(said.contains(expected), "no `{expected}` in:\n{said}");
    };
    fails(
        bindings(&["build", "--features", "system"], &target).env("PKG_CONFIG_PATH", &work),
        "a program that calls mi_free_if_owned() does not link with it",
    );
    fails(
        bindings(&["build"], &target).env("MIMALLOC_CORE_LIB_DIR", &work),
        "a program that calls mi_free_if_owned() does not link with it",
    );
    fails(
        bindings(&["build"], &target).env("MIMALLOC_CORE_LIB_DIR", work.join("nowhere")),
        "no libmimalloc.so in",
    );
    fails(
        bindings(&["build"], &target)
            .env("MIMALLOC_CORE_NO_VENDOR", "1")
            .env("PKG_CONFIG_LIBDIR", work.join("nowhere")),
        "pkg-config does not find mimalloc",
    );
}

/// A program that asks for a secure allocator does not get a library that is none.
#[test]
fn a_library_without_a_feature_is_not_taken_for_it() {
    let test = "a_library_without_a_feature_is_not_taken_for_it";
    if Command::new("pkg-config").arg("--version").output().is_err() {
        return skip(test, "pkg-config is missing");
    }
    let work = folder("plain");
    let code = "_Bool mi_free_if_owned(void *p) { return p == 0; }\n";
    fs::write(work.join("plain.c"), code).unwrap();
    let make = |name: &str| {
        let library = format!("lib{name}.so");
        let arguments = ["-shared", "-fPIC", "plain.c", "-o", &library];
        succeed(command("cc").current_dir(&work).args(arguments));
        let description = "Name: mimalloc\nDescription: plain\nVersion: 3.4.3\n";
        let places = format!("Libs: -L{} -l{name}\nCflags:\n", work.display());
        fs::write(work.join("mimalloc.pc"), format!("{description}{places}")).unwrap();
    };
    let target = work.join("target");
    let build = |features: &str| {
        let mut command = bindings(&["build", "--features", features], &target);
        command.env("PKG_CONFIG_PATH", &work);
        command
    };
    let fails = |command: &mut Command, expected: &str| {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{command:?}");
        assert!(said.contains(expected), "no `{expected}` in:\n{said}");
    };
    make("mimalloc");
    fails(&mut build("system,secure"), "need libmimalloc-secure.");
    fails(&mut build("system,debug"), "need libmimalloc-debug.");
    fails(build("secure").env("MIMALLOC_CORE_LIB_DIR", &work), "no libmimalloc-secure.so in");
    make("mimalloc-secure");
    succeed(&mut build("system,secure"));
    succeed(build("secure").env("MIMALLOC_CORE_LIB_DIR", &work));
    fails(&mut build("system,secure,debug"), "need libmimalloc-secure-debug.");
}

#[test]
fn pkg_config_finds_a_library() {
    let test = "pkg_config_finds_a_library";
    let Some(library) = installed_library(test) else { return };
    if Command::new("pkg-config").arg("--version").output().is_err() {
        return skip(test, "pkg-config is missing");
    }
    let work = folder("found");
    fs::write(
        work.join("mimalloc.pc"),
        format!(
            "prefix={0}\nName: mimalloc\nDescription: ours\nVersion: 3.4.3\nLibs: -L{0} -lmimalloc\n",
            library.display()
        ),
    )
    .unwrap();
    succeed(
        bindings(&["test", "--test", "calls", "--quiet"], &folder("found-target"))
            .args(["--features", "system"])
            .env("PKG_CONFIG_PATH", &work)
            .env("LD_LIBRARY_PATH", &library),
    );
}
