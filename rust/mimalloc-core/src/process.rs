use crate::ffi;
use core::time::Duration;

/// Times and memory of the process, from [`process_info`]. Memory in bytes.
///
/// ```
/// let info = mimalloc_core::process_info();
/// println!("{} MiB, at most {}", info.current_rss >> 20, info.peak_rss >> 20);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Since the library was loaded.
    pub elapsed: Duration,
    /// Processor time in the program.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
    /// Resident now.
    pub current_rss: usize,
    /// Resident at most so far.
    pub peak_rss: usize,
    /// Committed by the library.
    pub current_commit: usize,
    /// The same, at most so far.
    pub peak_commit: usize,
    /// Number of page faults, minor ones included.
    pub page_faults: usize,
}

/// Times and memory of the process.
///
/// ```
/// let info = mimalloc_core::process_info();
/// assert!(info.current_rss > 0 && info.page_faults > 0);
/// ```
#[must_use]
pub fn process_info() -> ProcessInfo {
    let mut info = ProcessInfo::default();
    let (mut elapsed, mut user, mut system) = (0, 0, 0);
    unsafe {
        ffi::mi_process_info(
            &mut elapsed,
            &mut user,
            &mut system,
            &mut info.current_rss,
            &mut info.peak_rss,
            &mut info.current_commit,
            &mut info.peak_commit,
            &mut info.page_faults,
        );
    }
    let times = [&mut info.elapsed, &mut info.user, &mut info.system];
    for (time, milliseconds) in times.into_iter().zip([elapsed, user, system]) {
        *time = Duration::from_millis(milliseconds as u64);
    }
    info
}

#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl serde::Serialize for ProcessInfo {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("ProcessInfo", 8)?;
        out.serialize_field("elapsed", &self.elapsed)?;
        out.serialize_field("user", &self.user)?;
        out.serialize_field("system", &self.system)?;
        out.serialize_field("current_rss", &self.current_rss)?;
        out.serialize_field("peak_rss", &self.peak_rss)?;
        out.serialize_field("current_commit", &self.current_commit)?;
        out.serialize_field("peak_commit", &self.peak_commit)?;
        out.serialize_field("page_faults", &self.page_faults)?;
        out.end()
    }
}

/// Frees what is empty: what the calling thread keeps for later, and memory whose purge delay has
/// passed. With `force`, that of all threads, and all free memory goes back to the system at once.
///
/// ```
/// # #[global_allocator]
/// # static GLOBAL: mimalloc_core::MiMalloc = mimalloc_core::MiMalloc;
/// drop(vec![1u8; 100 << 20]);
/// mimalloc_core::collect(true);
/// assert!(mimalloc_core::process_info().current_rss < 50 << 20);
/// ```
pub fn collect(force: bool) {
    unsafe { ffi::mi_collect(force) }
}

/// For a thread that is about to wait for long: frees what is empty in its part of the main heap, and
/// gives memory back whose purge delay has passed. Cheap enough for before every wait of a server.
///
/// ```
/// # let (sender, receiver) = std::sync::mpsc::channel();
/// # sender.send(1).unwrap();
/// mimalloc_core::thread_idle();
/// let request = receiver.recv();
/// # assert_eq!(request, Ok(1));
/// ```
pub fn thread_idle() {
    unsafe { ffi::mi_thread_idle() }
}

/// Version of the C interface that the library has: major * 10000 + minor * 100 + patch.
///
/// ```
/// assert!(mimalloc_core::version() >= 30403);
/// ```
#[must_use]
pub fn version() -> u32 {
    unsafe { ffi::mi_version() }.unsigned_abs()
}
