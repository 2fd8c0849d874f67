//! What one transaction writes, expects and, if it asks for that, read.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use selvedge_base::limits::{ENTRY_KEY_BYTES_MAX, ENTRY_VALUE_BYTES_MAX, TRANSACTION_WRITES_MAX};
use selvedge_mvcc::{Mark, VersionBox, WriteSet};

use crate::bounds::{Bounds, exclude_each_other};
use crate::check::{Check, Expected};
use crate::encoding::Encoding;
use crate::entry::EntryHeader;
use crate::error::InputError;
use crate::journal::{Journal, JournalMark};
use crate::mutation::{Mutation, Operation};
use crate::number_steps::NumberSteps;
use crate::read_set::ReadSet;
use crate::staged::Staged;
use crate::staged_versions::StagedVersions;

/// A transaction's part in the keyspace. It is committed once; after a refusal
/// it may be tried again.
///
/// Several changes of a key apply in the order of staging. A key that was ever
/// the target of a snapshot write is subject to first committer wins, whatever
/// else was done to it. Staging fails on bad input only, and then leaves the
/// writes as they were.
#[derive(Debug, Default)]
pub struct EntryWrites {
    pub(crate) entries: WriteSet<Arc<[u8]>, Staged>,
    /// Positions in `entries` by key, for look-ups and ranges.
    order: BTreeMap<Arc<[u8]>, u32>,
    pub(crate) versions: StagedVersions,
    pub(crate) steps: NumberSteps,
    pub(crate) checks: Vec<Check>,
    pub(crate) reads: ReadSet,
    journal: Journal,
    /// The versions went into the store.
    pub(crate) committed: bool,
}

/// A position to which [`EntryWrites`] can be rolled back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryMark {
    journal: JournalMark,
    entries: Mark,
    keys: usize,
    versions: usize,
    steps: usize,
    checks: usize,
}

impl EntryWrites {
    /// Nothing written yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of keys written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is written, expected or to be validated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.checks.is_empty() && self.reads.len() == 0
    }

    /// A snapshot write: gives the entry a value. The commit is a conflict if
    /// anybody else has changed the entry since the start.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn put(&mut self, key: &[u8], encoding: Encoding, bytes: &[u8]) -> Result<(), InputError> {
        self.replace(key, Some((encoding, bytes)), true)
    }

    /// A snapshot write: removes the entry, which may be absent. The commit is a
    /// conflict if anybody else has changed the entry since the start.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn delete(&mut self, key: &[u8]) -> Result<(), InputError> {
        self.replace(key, None, true)
    }

    /// A blind mutation: does not conflict, and is evaluated on the latest state
    /// when the transaction commits.
    ///
    /// # Errors
    /// [`InputError`]. Whether `sum`, `min` or `max` meets a number is judged at
    /// the commit.
    pub fn mutate(&mut self, key: &[u8], mutation: Mutation<'_>) -> Result<(), InputError> {
        match mutation {
            Mutation::Set(encoding, bytes) => self.replace(key, Some((encoding, bytes)), false),
            Mutation::Delete => self.replace(key, None, false),
            Mutation::Sum(operand) => self.compute(key, Operation::Sum, operand),
            Mutation::Min(operand) => self.compute(key, Operation::Min, operand),
            Mutation::Max(operand) => self.compute(key, Operation::Max, operand),
        }
    }

    /// Expects a version of a key, judged against the state before the commit,
    /// whatever this transaction writes. Gives the index under which
    /// [`Refusal::ChecksFailed`](crate::Refusal::ChecksFailed) reports it.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn check(&mut self, key: &[u8], expected: Expected) -> Result<usize, InputError> {
        check_key(key)?;
        room_behind(self.checks.len())?;
        self.checks.push(Check { key: key.into(), expected });
        self.journal.note();
        Ok(self.checks.len() - 1)
    }

    /// Notes that the transaction has read a key, whether it found an entry or
    /// not: the commit is a conflict if anybody else has changed that. Rolling
    /// back does not undo it, since what was read may have led to what follows.
    ///
    /// # Errors
    /// [`InputError::TooMuch`].
    pub fn validate_read(&mut self, key: &[u8]) -> Result<(), InputError> {
        if check_key(key).is_ok() {
            room_behind(self.reads.len())?;
            self.reads.add_point(key);
        }
        // A longer key is absent for good.
        Ok(())
    }

    /// Notes that the transaction has read a range: the commit is a conflict if
    /// anybody else has added, changed or removed an entry there. Not undone by
    /// rolling back either. Costs a walk over the range under the commit lock, so
    /// note no more than was looked at:
    /// [`EntryRange::covered`](crate::EntryRange::covered) tells.
    ///
    /// # Errors
    /// [`InputError::TooMuch`].
    pub fn validate_range(&mut self, bounds: Bounds<'_>) -> Result<(), InputError> {
        room_behind(self.reads.len())?;
        self.reads.add_range(bounds);
        Ok(())
    }

    /// A position to come back to. From the first mark on changes are recorded.
    pub fn mark(&mut self) -> EntryMark {
        EntryMark {
            journal: self.journal.mark(),
            entries: self.entries.mark(),
            keys: self.entries.len(),
            versions: self.versions.mark(),
            steps: self.steps.mark(),
            checks: self.checks.len(),
        }
    }

    /// Undoes every write and check staged since `mark`, a mark of these writes;
    /// false, and nothing happens, if the mark lies in a part that was itself
    /// rolled back.
    pub fn roll_back_to(&mut self, mark: EntryMark) -> bool {
        if !self.journal.roll_back_to(mark.journal) {
            return false;
        }
        for at in mark.keys..self.entries.len() {
            if let Some((key, _)) = self.entries.entry(at) {
                self.order.remove(key);
            }
        }
        let undone = self.entries.roll_back_to(mark.entries);
        debug_assert!(undone && self.entries.len() == mark.keys, "the journal knows every change");
        self.versions.roll_back_to(mark.versions);
        self.steps.roll_back_to(mark.steps);
        self.checks.truncate(mark.checks);
        true
    }

    /// A value or tombstone in the place of what is stored or staged.
    fn replace(
        &mut self,
        key: &[u8],
        value: Option<(Encoding, &[u8])>,
        at_snapshot: bool,
    ) -> Result<(), InputError> {
        let old = self.admit(key, self.versions.len())?;
        let version = match value {
            Some((encoding, bytes)) => {
                check_value(encoding, bytes)?;
                VersionBox::new(EntryHeader { encoding }, &[bytes])
            }
            None => VersionBox::tombstone(EntryHeader::default(), key),
        };
        let replacement = Some(self.versions.put(old.replacement, version));
        let conflicts = old.conflicts || at_snapshot;
        self.stage(key, Staged { conflicts, replacement, steps: None, ..old });
        Ok(())
    }

    /// A computation on what is stored or staged.
    fn compute(
        &mut self,
        key: &[u8],
        operation: Operation,
        operand: u64,
    ) -> Result<(), InputError> {
        let old = self.admit(key, self.steps.len())?;
        // The version that will hold the number, allocated before the lock.
        let result = old.result.unwrap_or_else(|| {
            let header = EntryHeader { encoding: Encoding::LE64 };
            self.versions.put(None, VersionBox::zeroed(header, size_of::<u64>()))
        });
        let steps = Some(self.steps.append(old.steps, operation, operand));
        self.stage(key, Staged { steps, result: Some(result), ..old });
        Ok(())
    }

    /// What is staged for the key so far, if more may be: behind `others` of the
    /// same kind.
    fn admit(&self, key: &[u8], others: usize) -> Result<Staged, InputError> {
        check_key(key)?;
        room_behind(others)?;
        if let Some(old) = self.staged(key) {
            return Ok(old);
        }
        room_behind(self.entries.len())?;
        Ok(Staged::default())
    }

    fn stage(&mut self, key: &[u8], staged: Staged) {
        self.journal.note();
        if let Some((key, _)) = self.order.get_key_value(key) {
            self.entries.put(Arc::clone(key), staged);
            return;
        }
        let key: Arc<[u8]> = key.into();
        let (at, new) = self.entries.put(Arc::clone(&key), staged);
        debug_assert!(new, "the order knows every key");
        self.order.insert(key, u32::try_from(at).expect("the limit on writes is below 2^32"));
    }

    /// What is staged for a key.
    pub(crate) fn staged(&self, key: &[u8]) -> Option<Staged> {
        self.order.get(key).and_then(|at| self.staged_at(*at))
    }

    pub(crate) fn staged_at(&self, at: u32) -> Option<Staged> {
        self.entries.entry(at as usize).map(|(_, staged)| *staged)
    }

    /// The keys written between two bounds, with their positions.
    pub(crate) fn written(&self, bounds: Bounds<'_>) -> btree_map::Range<'_, Arc<[u8]>, u32> {
        if exclude_each_other(bounds) {
            // The map does not take such bounds.
            return btree_map::Range::default();
        }
        self.order.range::<[u8], _>(bounds)
    }
}

fn check_key(key: &[u8]) -> Result<(), InputError> {
    let bytes = key.len();
    if bytes > ENTRY_KEY_BYTES_MAX { Err(InputError::KeyTooLong { bytes }) } else { Ok(()) }
}

fn check_value(encoding: Encoding, value: &[u8]) -> Result<(), InputError> {
    match value.len() {
        bytes if bytes > ENTRY_VALUE_BYTES_MAX => Err(InputError::ValueTooLong { bytes }),
        bytes if encoding == Encoding::LE64 && bytes != size_of::<u64>() => {
            Err(InputError::NotEightBytes { bytes })
        }
        _ => Ok(()),
    }
}

/// Whether one more of something may be staged behind so many.
fn room_behind(others: usize) -> Result<(), InputError> {
    if others >= TRANSACTION_WRITES_MAX { Err(InputError::TooMuch) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Encoding = Encoding::new(3);

    #[test]
    fn meets_every_limit() {
        let mut writes = EntryWrites::new();
        let (key, value) = (vec![1; ENTRY_KEY_BYTES_MAX + 1], vec![2; ENTRY_VALUE_BYTES_MAX + 1]);
        let bytes = key.len();
        assert_eq!(writes.delete(&key), Err(InputError::KeyTooLong { bytes }));
        assert_eq!(writes.mutate(&key, Mutation::Sum(1)), Err(InputError::KeyTooLong { bytes }));
        assert_eq!(writes.check(&key, Expected::Absent), Err(InputError::KeyTooLong { bytes }));
        assert_eq!(writes.validate_read(&key), Ok(()));
        let bytes = value.len();
        assert_eq!(writes.put(b"k", TEXT, &value), Err(InputError::ValueTooLong { bytes }));
        let short = Mutation::Set(Encoding::LE64, b"1234567");
        assert_eq!(writes.mutate(b"k", short), Err(InputError::NotEightBytes { bytes: 7 }));
        assert!(writes.is_empty(), "what fails leaves nothing");
        writes.put(&key[1..], TEXT, &value[1..]).unwrap();
        writes.mutate(b"", Mutation::Set(Encoding::LE64, b"12345678")).unwrap();
        assert_eq!(writes.len(), 2);
        assert_eq!(room_behind(TRANSACTION_WRITES_MAX - 1), Ok(()));
        assert_eq!(room_behind(TRANSACTION_WRITES_MAX), Err(InputError::TooMuch));
    }

    #[test]
    fn a_loop_over_one_key_does_not_grow() {
        let mut writes = EntryWrites::new();
        for round in 0..100_u64 {
            writes.put(b"k", Encoding::LE64, &round.to_le_bytes()).unwrap();
            writes.mutate(b"k", Mutation::Sum(1)).unwrap();
            writes.mutate(b"k", Mutation::Sum(1)).unwrap();
        }
        assert_eq!((writes.len(), writes.versions.len()), (1, 2));
        assert_eq!(writes.steps.len(), 100, "a computation on a new value is a new chain");
    }

    #[test]
    fn rolls_back_keys_values_computations_and_checks() {
        let mut writes = EntryWrites::new();
        writes.mutate(b"n", Mutation::Max(3)).unwrap();
        let mark = writes.mark();
        writes.mutate(b"n", Mutation::Max(4)).unwrap();
        writes.put(b"new", TEXT, b"1").unwrap();
        assert_eq!(writes.check(b"c", Expected::Absent), Ok(0));
        let lost = writes.mark();
        writes.validate_read(b"r").unwrap();
        assert!(writes.roll_back_to(mark));
        assert!(!writes.roll_back_to(lost));
        assert_eq!((writes.len(), writes.versions.len(), writes.steps.len()), (1, 1, 1));
        assert!(writes.staged(b"new").is_none() && writes.checks.is_empty());
        assert_eq!(writes.reads.len(), 1, "reads stay");
        writes.put(b"new", TEXT, b"2").unwrap();
        writes.mutate(b"n", Mutation::Max(5)).unwrap();
        writes.check(b"c", Expected::Absent).unwrap();
        assert!(!writes.roll_back_to(lost), "although as much has been staged again");
        assert!(writes.roll_back_to(mark));
        let staged = writes.staged(b"n").unwrap();
        let effect = staged.effect(&writes.versions, &writes.steps, b"n", || None);
        assert_eq!(effect.unwrap().unwrap().number(), Some(3));
    }
}
