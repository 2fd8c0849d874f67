//! Reading at a snapshot, a transaction's own writes included.

use std::borrow::Cow;

use selvedge_index::KeyParts;
use selvedge_mvcc::{SnapshotRef, Version};

use crate::bounds::Bounds;
use crate::entry_range::EntryRange;
use crate::entry_writes::EntryWrites;
use crate::error::ComputationError;
use crate::keyspace::Keyspace;
use crate::time::ReadTime;
use crate::value::EntryValue;

/// The keyspace as one snapshot sees it, overlaid with the writes of one
/// transaction.
///
/// Own computations (`sum`, `min`, `max`) are shown as they turn out on the
/// snapshot's value. The commit evaluates them anew on the latest one, so what
/// is read of them may differ from what is committed, unless the read is
/// validated.
#[derive(Clone, Copy, Debug)]
pub struct EntryView<'a> {
    pub(crate) keyspace: &'a Keyspace,
    pub(crate) at: SnapshotRef<'a>,
    pub(crate) writes: Option<&'a EntryWrites>,
    time: &'a ReadTime,
}

/// How a range is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeOptions {
    /// From the last entry to the first.
    pub reverse: bool,
    /// Entries at most.
    pub limit: usize,
}

impl Default for RangeOptions {
    fn default() -> Self {
        Self { reverse: false, limit: usize::MAX }
    }
}

impl<'a> EntryView<'a> {
    /// The keyspace at a snapshot of its engine, with a transaction's own writes
    /// as far as they are not committed, at a time that its first reader fixes.
    #[must_use]
    #[inline]
    pub fn new(
        keyspace: &'a Keyspace,
        at: SnapshotRef<'a>,
        writes: Option<&'a EntryWrites>,
        time: &'a ReadTime,
    ) -> Self {
        let is_seen = |writes: &&EntryWrites| !writes.committed && !writes.entries.is_empty();
        Self { keyspace, at, writes: writes.filter(is_seen), time }
    }

    /// The time by which entries have expired, or not.
    pub(crate) fn now(&self) -> u64 {
        self.time.get(&self.keyspace.clock)
    }

    /// The value of an entry; `None` if it does not exist.
    ///
    /// # Errors
    /// [`ComputationError`] if a computation that the transaction has staged does not
    /// fit the value.
    pub fn get(&self, key: &[u8]) -> Result<Option<EntryValue<'a>>, ComputationError> {
        let stored = || self.keyspace.read(key, self.at);
        if let Some(writes) = self.writes
            && let Some(staged) = writes.staged(key)
        {
            return staged.effect(&writes.versions, &writes.steps, key, stored, || self.now());
        }
        Ok(stored().and_then(|version| EntryValue::committed(version, || self.now())))
    }

    /// The bytes of the value of an entry; `None` if it does not exist.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn get_bytes(&self, key: &[u8]) -> Result<Option<Cow<'a, [u8]>>, ComputationError> {
        if self.has_writes() {
            return Ok(self.get(key)?.map(EntryValue::into_bytes));
        }
        Ok(self.stored_bytes(key.into()).map(Cow::Borrowed))
    }

    /// The same of a key in parts, by the shortest way; only for who asks when
    /// [nothing is staged](Self::has_writes).
    // Inlined always: where the length of the key is known, hash and comparison are a few
    // instructions, and what is found comes back in registers.
    #[inline(always)]
    #[must_use]
    pub fn stored_bytes(&self, key: KeyParts<'_>) -> Option<&'a [u8]> {
        debug_assert!(!self.has_writes(), "what is staged would be passed over");
        let stored = self.keyspace.read(key, self.at);
        let there = stored.filter(|version| !version.header().has_expired(|| self.now()));
        there.map(Version::bytes)
    }

    /// Whether there are writes of a transaction to be seen.
    #[inline]
    #[must_use]
    pub fn has_writes(&self) -> bool {
        self.writes.is_some()
    }

    /// Asks memory for the entries with these keys, which are to be read next: the
    /// waits for them overlap then.
    pub fn prefetch<K: AsRef<[u8]>>(&self, keys: &[K]) {
        self.keyspace.prefetch(keys, self.at);
    }

    /// The entries between two bounds. Bounds that exclude each other give none.
    #[must_use]
    pub fn range(&self, bounds: Bounds<'_>, options: RangeOptions) -> EntryRange<'a> {
        EntryRange::new(*self, bounds, options)
    }
}
