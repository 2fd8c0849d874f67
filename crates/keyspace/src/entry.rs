//! An entry: what the index holds for a key.
#![expect(unsafe_code, reason = "the holder of the commit lock names entries by raw pointer")]

use std::fmt;
use std::ptr::NonNull;

use selvedge_base::mutant;
use selvedge_base::sync::atomic::AtomicU64;
use selvedge_mvcc::{Pin, Record};

use crate::encoding::Encoding;

/// The typed part of a value. A tombstone has the default one, and the key as
/// its bytes: so the pruning that empties a record knows which entry goes, and
/// no entry holds its key twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryHeader {
    pub(crate) encoding: Encoding,
    /// From this moment on the value is not there any more; 0: it stays.
    pub(crate) expires: u64,
}

impl EntryHeader {
    /// Whether the value has expired at `now`.
    pub(crate) fn has_expired(self, now: impl FnOnce() -> u64) -> bool {
        self.expires != 0 && self.expires <= now() && !mutant::is("expired-read")
    }
}

impl Default for EntryHeader {
    fn default() -> Self {
        Self { encoding: Encoding::new(0), expires: 0 }
    }
}

/// The record behind a key.
pub(crate) struct Entry {
    pub(crate) record: Record<EntryHeader>,
    /// The name for pruning, or [`NO_NAME`](crate::entry_names::NO_NAME).
    /// Relaxed: only the holder of the commit lock touches it.
    pub(crate) name: AtomicU64,
}

impl Entry {
    /// Bytes of the newest value.
    pub(crate) fn newest_bytes(&self, _pin: &Pin) -> usize {
        // SAFETY: under the pin.
        unsafe { self.record.newest() }.map_or(0, |newest| newest.bytes().len())
    }

    /// When the newest value expires; 0: it stays, or there is none.
    pub(crate) fn newest_expires(&self, _pin: &Pin) -> u64 {
        // SAFETY: under the pin.
        unsafe { self.record.newest() }.map_or(0, |newest| newest.header().expires)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.record.stamp()).finish()
    }
}

/// Points to an entry of the index, for the holder of the commit lock, who alone
/// takes entries out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryPointer(NonNull<Entry>);

// SAFETY: stands for a shared reference to an entry, which is Sync; whether the
// entry is still there is asked for at each use.
unsafe impl Send for EntryPointer {}
// SAFETY: as above.
unsafe impl Sync for EntryPointer {}

impl EntryPointer {
    pub(crate) fn to(entry: &Entry) -> Self {
        Self(NonNull::from(entry))
    }

    /// The entry.
    ///
    /// # Safety
    /// It is not freed during `'e`: it was in the index at some moment at which
    /// the caller held the commit lock, and the caller has held the lock ever since
    /// and for `'e`, without freeing what waits for snapshots (K5).
    pub(crate) unsafe fn entry<'e>(self) -> &'e Entry {
        // SAFETY: entries keep their address while they are in the index; whoever
        // takes them out, and whoever frees them, holds the commit lock.
        unsafe { self.0.as_ref() }
    }
}

const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<Entry>();
};
