//! Raw bindings to a memory allocator with the interface of mimalloc 3.4.3 and more.
//!
//! Every function of the library is here, under the name and with the contract that the C headers
//! give it. The crate `mimalloc-core` has a safe interface and the global allocator.
//!
//! ```
//! use mimalloc_core_sys::{mi_free, mi_malloc, mi_usable_size};
//!
//! let block = unsafe { mi_malloc(100) };
//! assert!(!block.is_null());
//! assert!(unsafe { mi_usable_size(block) } >= 100);
//! unsafe { mi_free(block) };
//! ```
//!
//! # Which library
//!
//! The C sources come with the crate and are compiled by its build script with the crate `cc`; no
//! CMake is needed. Their names are prefixed then (`mi_malloc` is `mimalloc_core_malloc` in the
//! object files), so that a program may contain another library with the names of mimalloc.
//!
//! | feature | effect |
//! |---|---|
//! | `secure` | canaries, random order of blocks, a stop on double frees |
//! | `debug` | assertions in the core, every call is checked |
//! | `override` | `malloc`, `free`, `operator new` and the rest of the program are replaced as well |
//! | `local-dynamic-tls` | for libraries that are loaded late (`dlopen`) |
//! | `unprefixed` | C names as in the header |
//! | `system` | no compilation: pkg-config finds a library that is installed |
//!
//! Environment variables, each of which may carry a target in front
//! (`X86_64_UNKNOWN_LINUX_GNU_MIMALLOC_CORE_LIB_DIR`):
//!
//! * `MIMALLOC_CORE_NO_VENDOR=1`: the same as feature `system`
//! * `MIMALLOC_CORE_LIB_DIR`: the folder with `libmimalloc.so`; pkg-config is not asked
//! * `MIMALLOC_CORE_INCLUDE_DIR`: the folder with `mimalloc.h`, for dependents
//! * `MIMALLOC_CORE_STATIC=1`: link the archive of the system
//!
//! A library of the system is taken only if it has `mi_free_if_owned`. Other libraries of the name
//! mimalloc do not, and the build fails and says so. With feature `secure` it must be
//! `libmimalloc-secure`, with `debug` one whose name ends in `-debug`; `override` and
//! `local-dynamic-tls` are as that library was built.
//!
//! Build scripts of crates that depend on this one directly get `DEP_MIMALLOC_CORE_INCLUDE`,
//! `_ROOT`, `_VERSION`, `_PREFIX`, and `_PREFIX_HEADER`: C code that is to call the same library
//! includes that header first (`-include`).
//!
//! # Systems
//!
//! 64-bit Linux.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(non_camel_case_types, non_upper_case_globals)]
#![warn(missing_docs)]

mod functions;
mod types;

pub use functions::*;
pub use types::*;

// Replacing works only if the objects that define malloc and operator new are linked, which nothing
// in a Rust program asks for by name before the C library is looked at.
#[cfg(all(feature = "override", not(miri)))]
mod replacing {
    use crate::{c_int, c_void};

    extern "C" {
        fn malloc(size: usize) -> *mut c_void;
        fn malloc_trim(pad: usize) -> c_int;
        fn _Znwm(size: usize) -> *mut c_void;
    }
    #[used]
    static MALLOC: unsafe extern "C" fn(usize) -> *mut c_void = malloc;
    #[used]
    static GLIBC: unsafe extern "C" fn(usize) -> c_int = malloc_trim; // bindings/override/glibc.c
    #[used]
    static OPERATORS: unsafe extern "C" fn(usize) -> *mut c_void = _Znwm;
}
