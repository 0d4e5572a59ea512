//! The library answers, in the mode that the features ask for.

#![cfg(not(miri))]

use mimalloc_core_sys::*;
use std::ptr;

#[test]
fn blocks_can_be_had_and_freed() {
    unsafe {
        let mut block = mi_zalloc(10).cast::<u8>();
        assert!((0..10).all(|i| *block.add(i) == 0));
        *block = 7;
        block = mi_realloc(block.cast(), 1 << 20).cast();
        assert_eq!(*block, 7);
        assert!(mi_usable_size(block.cast()) >= 1 << 20);
        assert!(mi_free_if_owned(block.cast()));
        let mut local = 0u8;
        assert!(!mi_free_if_owned(ptr::addr_of_mut!(local).cast()));
    }
}

#[test]
fn the_mode_is_that_of_the_features() {
    // The canary at the end of a block takes 8 bytes in modes that have one.
    let has_canary = cfg!(feature = "secure") || cfg!(feature = "debug");
    if cfg!(feature = "system") {
        return; // whatever that was built as
    }
    assert_eq!(unsafe { mi_good_size(64) }, if has_canary { 72 } else { 64 });
}

#[test]
fn statistics_fill_the_struct() {
    let mut stats = mi_stats_t::new();
    assert!(unsafe { mi_stats_get(&mut stats) });
    assert!(stats.heaps.current >= 1);
    stats.size = 0;
    assert!(!unsafe { mi_stats_get(&mut stats) });
}

/// With feature `override` the C library's own calls arrive here, without it they do not.
#[test]
fn malloc_is_replaced_when_asked_for() {
    extern "C" {
        fn strdup(s: *const c_char) -> *mut c_char;
        fn getline(line: *mut *mut c_char, size: *mut usize, file: *mut c_void) -> isize;
        fn fmemopen(buf: *mut c_void, size: usize, mode: *const c_char) -> *mut c_void;
        fn fclose(file: *mut c_void) -> c_int;
        fn free(p: *mut c_void);
    }
    if cfg!(feature = "system") {
        return; // whatever that was built as
    }
    unsafe {
        let copy = strdup(b"text\0".as_ptr().cast());
        assert_eq!(mi_is_in_heap_region(copy.cast()), cfg!(feature = "override"));
        free(copy.cast());

        let text = *b"a line\n";
        let file = fmemopen(text.as_ptr() as *mut c_void, text.len(), b"r\0".as_ptr().cast());
        let (mut line, mut size) = (ptr::null_mut(), 0);
        assert_eq!(getline(&mut line, &mut size, file), 7);
        assert_eq!(mi_is_in_heap_region(line.cast()), cfg!(feature = "override"));
        fclose(file);
        free(line.cast());
    }
}
