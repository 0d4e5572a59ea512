//! pair ROUNDS KIND: allocates 1024 blocks of 16, 32, ... 256 bytes through the global allocator and
//! then frees them, as often as told. KIND:
//!
//! * `fixed`: sizes that are constants, as those of most boxes are
//! * `sized`: sizes that are known at run time only
//! * `fixed-loop`, `sized-loop`: what these do beside allocating and freeing

use mimalloc_core::MiMalloc;
use std::alloc::{alloc, dealloc, Layout};
use std::hint::black_box;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

const LIVE: usize = 64; // of each size

type Row = [*mut u8; 16];

/// The layouts are constants in each of the 16 places.
macro_rules! each_size {
    ($row:ident, $slot:ident, $layout:ident, $action:expr) => {{
        each_size!(@ $row $slot $layout $action, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    }};
    (@ $row:ident $slot:ident $layout:ident $action:expr, $($index:literal)*) => {
        $({
            let $slot = &mut $row[$index];
            const LAYOUT: Layout = match Layout::from_size_align(($index + 1) * 16, 8) {
                Ok(layout) => layout,
                Err(_) => unreachable!(),
            };
            let $layout = LAYOUT;
            $action
        })*
    };
}

fn fixed(rows: &mut [Row]) {
    for row in &mut *rows {
        each_size!(row, slot, layout, *slot = unsafe { alloc(layout) });
    }
    for row in rows {
        each_size!(row, slot, layout, unsafe { dealloc(*slot, layout) });
    }
}

fn sized(rows: &mut [Row]) {
    for row in &mut *rows {
        for (i, slot) in row.iter_mut().enumerate() {
            *slot = unsafe { alloc(Layout::from_size_align_unchecked(black_box(i * 16 + 16), 8)) };
        }
    }
    for row in rows {
        for (i, slot) in row.iter_mut().enumerate() {
            unsafe { dealloc(*slot, Layout::from_size_align_unchecked(black_box(i * 16 + 16), 8)) };
        }
    }
}

fn fixed_loop(rows: &mut [Row]) {
    for row in &mut *rows {
        each_size!(row, slot, layout, *slot = nowhere(layout.size()));
    }
    for row in rows {
        each_size!(row, slot, _layout, {
            black_box(*slot);
        });
    }
}

fn sized_loop(rows: &mut [Row]) {
    for row in &mut *rows {
        for (i, slot) in row.iter_mut().enumerate() {
            *slot = nowhere(black_box(i * 16 + 16));
        }
    }
    for row in rows {
        for (i, slot) in row.iter_mut().enumerate() {
            black_box(i * 16 + 16);
            black_box(*slot);
        }
    }
}

fn nowhere(address: usize) -> *mut u8 {
    std::ptr::null_mut::<u8>().wrapping_add(address)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let rounds: usize = arguments[1].parse().expect("ROUNDS is a number");
    let round = match arguments[2].as_str() {
        "fixed" => fixed,
        "sized" => sized,
        "fixed-loop" => fixed_loop,
        "sized-loop" => sized_loop,
        other => panic!("unknown KIND: {other}"),
    };
    let mut rows = vec![[std::ptr::null_mut(); 16]; LIVE];
    for _ in 0..rounds {
        round(black_box(&mut rows));
    }
}
