//! What the standard library does not ask of the system: signals, mounts of one's
//! own, parts of files written out, and the power cut.
#![expect(unsafe_code, reason = "these calls exist in the C library alone")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note_interruption(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// From now on the signals that end a process are noted instead, so that what was
/// mounted is unmounted first.
pub(crate) fn note_signals() {
    let handler: extern "C" fn(libc::c_int) = note_interruption;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler only stores to an atomic, which a handler may.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

/// Whether such a signal came.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Whether this process may mount.
pub(crate) fn is_root() -> bool {
    // SAFETY: it only returns a number.
    unsafe { libc::geteuid() == 0 }
}

/// Mounts of this process and its children are seen by them alone from now on, and
/// end with the last of them, whatever ends it. Before other threads are started.
pub(crate) fn own_mounts() -> io::Result<()> {
    // SAFETY: it touches no memory of this process.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    // SAFETY: the paths are strings that end with a zero; the type and the data are
    // not looked at when only the propagation changes.
    check(unsafe {
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), flags, ptr::null())
    })
}

/// `EXT4_IOC_SHUTDOWN`: `_IOR('X', 125, __u32)`.
const SHUTDOWN: libc::c_ulong = 0x8004_587d;
/// Neither the journal nor anything else is written any more.
const SHUTDOWN_WITHOUT_FLUSH: u32 = 2;

/// Cuts the ext4 file system mounted there off from its disk: what did not reach
/// the disk yet never will.
pub(crate) fn cut_power(mount_point: &Path) -> io::Result<()> {
    let directory = File::open(mount_point)?;
    let how = SHUTDOWN_WITHOUT_FLUSH;
    // SAFETY: the descriptor is open, and the argument points to the u32 that this
    // call reads.
    check(unsafe { libc::ioctl(directory.as_raw_fd(), SHUTDOWN as _, ptr::from_ref(&how)) })
}

/// Has the system write a part of a file to the disk, without anything that it is
/// not obliged to write with it: neither the rest of the file nor its metadata.
pub(crate) fn write_out(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let part = |number| libc::off64_t::try_from(number).map_err(io::Error::other);
    let (offset, bytes) = (part(offset)?, part(bytes)?);
    let how = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: the descriptor is open, and the call touches no memory of this process.
    check(unsafe { libc::sync_file_range(file.as_raw_fd(), offset, bytes, how) })
}

fn check(returned: libc::c_int) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
