//! What one transaction writes, expects and, if it asks for that, read.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, btree_map};

use selvedge_base::hash::Map;
use selvedge_base::limits::{ENTRY_KEY_BYTES_MAX, ENTRY_VALUE_BYTES_MAX, TRANSACTION_WRITES_MAX};
use selvedge_mvcc::{Mark, VersionBox, WriteSet};

use crate::bounds::{Bounds, KeptKey, exclude_each_other};
use crate::check::{Check, Expected};
use crate::encoding::Encoding;
use crate::entry::EntryHeader;
use crate::error::InputError;
use crate::journal::{Journal, JournalMark};
use crate::mutation::{Mutation, Operation};
use crate::number::Operand;
use crate::number_steps::NumberSteps;
use crate::read_set::ReadSet;
use crate::staged::Staged;
use crate::staged_versions::StagedVersions;
use crate::stamped_key::STAMP_SUFFIX_BYTES;

/// Checks and the like that emptied writes keep room for.
const ROOM_KEPT: usize = 64;

/// A transaction's part in the keyspace. It is committed once; after a refusal
/// it may be tried again.
///
/// Several changes of a key apply in the order of staging. A key that was ever
/// the target of a snapshot write is subject to first committer wins, whatever
/// else was done to it. Staging fails on bad input only, and then leaves the
/// writes as they were.
#[derive(Debug, Default)]
pub struct EntryWrites {
    pub(crate) entries: WriteSet<KeptKey, Staged>,
    /// Positions in `entries` by key, from the first range on that is read.
    order: OnceCell<BTreeMap<KeptKey, u32>>,
    pub(crate) versions: StagedVersions,
    pub(crate) steps: NumberSteps,
    /// What the computations gave when they were committed, by the positions of their
    /// keys.
    pub(crate) results: Map<u32, (Encoding, Vec<u8>)>,
    pub(crate) stamped: Vec<StampedWrite>,
    pub(crate) checks: Vec<Check>,
    pub(crate) reads: RefCell<ReadSet>,
    /// Those who watch these keys are woken as well, though nothing writes them.
    also_rung: Vec<Box<[u8]>>,
    journal: Journal,
    /// The time by which entries have expired when this is committed.
    pub(crate) time: CommitTime,
    /// The versions went into the store.
    pub(crate) committed: bool,
}

/// A value whose key ends with the stamp of its commit.
#[derive(Debug)]
pub(crate) struct StampedWrite {
    /// What the key begins with; all of it, once committed.
    pub(crate) key: Vec<u8>,
    pub(crate) version: Option<VersionBox<EntryHeader>>,
}

/// By which time a commit judges what has expired, in milliseconds since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CommitTime {
    /// When it was prepared.
    Prepared(u64),
    /// That of an earlier life of the database, in which it was committed.
    Logged(u64),
}

impl Default for CommitTime {
    fn default() -> Self {
        Self::Prepared(0)
    }
}

impl CommitTime {
    pub(crate) fn get(self) -> u64 {
        let (Self::Prepared(now) | Self::Logged(now)) = self;
        now
    }
}

/// A position to which [`EntryWrites`] can be rolled back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryMark {
    journal: JournalMark,
    entries: Mark,
    keys: usize,
    versions: usize,
    steps: usize,
    stamped: usize,
    checks: usize,
}

impl EntryWrites {
    /// Nothing written yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As new, but with the room that a few writes have taken, for the next
    /// transaction.
    pub fn clear(&mut self) {
        let Self { entries, order, versions, steps, results, stamped, checks, reads, .. } = self;
        entries.clear();
        versions.clear();
        empty(stamped);
        empty(checks);
        // Most transactions have none of these.
        drop(order.take());
        if steps.len() != 0 {
            *steps = NumberSteps::default();
        }
        if !results.is_empty() {
            *results = Map::default();
        }
        if reads.get_mut().len() != 0 {
            *reads = RefCell::default();
        }
        empty(&mut self.also_rung);
        self.journal.clear();
        (self.time, self.committed) = (CommitTime::default(), false);
    }

    /// The number of keys written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is written or expected: what was read is consistent in itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes_nothing() && self.checks.is_empty()
    }

    /// A snapshot write: gives the entry a value. The commit is a conflict if
    /// anybody else has changed the entry since the start.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn put(&mut self, key: &[u8], encoding: Encoding, bytes: &[u8]) -> Result<(), InputError> {
        self.put_until(key, encoding, bytes, 0)
    }

    /// As [`put`](Self::put), for a value that is there until a moment, in
    /// milliseconds since the epoch; 0: it stays.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn put_until(
        &mut self,
        key: &[u8],
        encoding: Encoding,
        bytes: &[u8],
        expires: u64,
    ) -> Result<(), InputError> {
        self.replace(key, Some((EntryHeader { encoding, expires }, bytes)), true)
    }

    /// A snapshot write: removes the entry, which may be absent. The commit is a
    /// conflict if anybody else has changed the entry since the start.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn delete(&mut self, key: &[u8]) -> Result<(), InputError> {
        self.replace(key, None, true)
    }

    /// Removes an entry if it has expired when this is committed; blind.
    pub(crate) fn expire(&mut self, key: &[u8]) -> Result<(), InputError> {
        self.replace(key, None, false)?;
        let old = self.staged(key).unwrap_or_default();
        self.stage(key, false, Staged { only_expired: true, ..old });
        Ok(())
    }

    /// Gives a new entry a value, when the transaction commits: its key is `prefix`
    /// with the stamp of the commit as a string behind it, see
    /// [`stamped_key`](crate::stamped_key). Blind.
    /// The transaction itself does not see it.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn set_stamped(
        &mut self,
        prefix: &[u8],
        encoding: Encoding,
        bytes: &[u8],
        expires: u64,
    ) -> Result<(), InputError> {
        let len = prefix.len() + STAMP_SUFFIX_BYTES;
        if len > ENTRY_KEY_BYTES_MAX {
            return Err(InputError::KeyTooLong { bytes: len });
        }
        check_value(encoding, bytes)?;
        room_behind(self.stamped.len())?;
        self.journal.note();
        let mut key = Vec::with_capacity(len);
        key.extend_from_slice(prefix);
        let version = VersionBox::new(EntryHeader { encoding, expires }, &[bytes]);
        self.stamped.push(StampedWrite { key, version: Some(version) });
        Ok(())
    }

    /// The keys that computations gave a number, once committed, and these: each with
    /// its encoding and bytes.
    pub fn computed(&self) -> impl Iterator<Item = (&[u8], Encoding, &[u8])> {
        self.results.iter().filter_map(|(at, (encoding, bytes))| {
            let (key, _) = self.entries.entry(*at as usize)?;
            Some((&**key, *encoding, bytes.as_slice()))
        })
    }

    /// A blind mutation: does not conflict, and is evaluated on the latest state
    /// when the transaction commits.
    ///
    /// # Errors
    /// [`InputError`]. Whether `sum`, `min` or `max` meets a number is judged at
    /// the commit.
    pub fn mutate(&mut self, key: &[u8], mutation: Mutation<'_>) -> Result<(), InputError> {
        match mutation {
            Mutation::Set(encoding, bytes) => {
                self.replace(key, Some((EntryHeader { encoding, expires: 0 }, bytes)), false)
            }
            Mutation::SetUntil(encoding, bytes, expires) => {
                self.replace(key, Some((EntryHeader { encoding, expires }, bytes)), false)
            }
            Mutation::Delete => self.replace(key, None, false),
            Mutation::Sum(operand) => self.compute(key, Operation::Sum, Operand::U64(operand)),
            Mutation::Min(operand) => self.compute(key, Operation::Min, Operand::U64(operand)),
            Mutation::Max(operand) => self.compute(key, Operation::Max, Operand::U64(operand)),
            Mutation::SumV8(sum) => {
                self.compute(key, Operation::Sum, Operand::V8(Box::new(sum.clone())))
            }
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
    pub fn validate_read(&self, key: &[u8]) {
        // A longer key is absent for good.
        if check_key(key).is_ok() {
            self.reads.borrow_mut().add_point(key);
        }
    }

    /// Notes that the transaction has read a range: the commit is a conflict if
    /// anybody else has added, changed or removed an entry there. Not undone by
    /// rolling back either. Costs a walk over the range under the commit lock, so
    /// note no more than was looked at:
    /// [`EntryRange::covered`](crate::EntryRange::covered) tells.
    pub fn validate_range(&self, bounds: Bounds<'_>) {
        self.reads.borrow_mut().add_range(bounds);
    }

    /// Wakes those who watch this key, too, once this is committed.
    pub fn ring_also(&mut self, key: &[u8]) {
        self.also_rung.push(key.into());
    }

    /// The bytes that were staged for a key in the place of what is stored; `None` if
    /// there are none, or they are a tombstone.
    #[must_use]
    pub fn replacement(&self, key: &[u8]) -> Option<&[u8]> {
        let version = self.versions.get(self.staged(key)?.replacement?)?;
        (!version.is_tombstone()).then(|| version.bytes())
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.entries.is_empty() && self.stamped.is_empty()
    }

    /// The value that was staged last for a key expires at a moment, in milliseconds
    /// since the epoch; whether there is one. Not to be used behind a savepoint: it
    /// is not undone.
    pub fn set_expiry(&mut self, key: &[u8], expires: u64) -> bool {
        let staged = self.staged(key).filter(|staged| staged.steps.is_none());
        let version = staged.and_then(|staged| self.versions.get_mut(staged.replacement?));
        let Some(version) = version.filter(|version| !version.is_tombstone()) else { return false };
        version.header_mut().expires = expires;
        true
    }

    /// As [`set_expiry`](Self::set_expiry), for the value of which the key ends with a
    /// stamp that was staged last.
    pub fn set_stamped_expiry(&mut self, expires: u64) -> bool {
        let version = self.stamped.last_mut().and_then(|write| write.version.as_mut());
        let Some(version) = version else { return false };
        version.header_mut().expires = expires;
        true
    }

    /// A position to come back to. From the first mark on changes are recorded.
    pub fn mark(&mut self) -> EntryMark {
        EntryMark {
            journal: self.journal.mark(),
            entries: self.entries.mark(),
            keys: self.entries.len(),
            versions: self.versions.mark(),
            steps: self.steps.mark(),
            stamped: self.stamped.len(),
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
            if let (Some((key, _)), Some(order)) = (self.entries.entry(at), self.order.get_mut()) {
                order.remove(key);
            }
        }
        let undone = self.entries.roll_back_to(mark.entries);
        debug_assert!(undone && self.entries.len() == mark.keys, "the journal knows every change");
        self.versions.roll_back_to(mark.versions);
        self.steps.roll_back_to(mark.steps);
        self.stamped.truncate(mark.stamped);
        self.checks.truncate(mark.checks);
        true
    }

    /// A value or tombstone in the place of what is stored or staged.
    fn replace(
        &mut self,
        key: &[u8],
        value: Option<(EntryHeader, &[u8])>,
        at_snapshot: bool,
    ) -> Result<(), InputError> {
        let (old, is_new) = self.admit(key, self.versions.len())?;
        let version = match value {
            Some((header, bytes)) => {
                check_value(header.encoding, bytes)?;
                VersionBox::new(header, &[bytes])
            }
            None => VersionBox::tombstone(EntryHeader::default(), key),
        };
        let replacement = Some(self.versions.put(old.replacement, version));
        let conflicts = old.conflicts || at_snapshot;
        let only_expired = false;
        let staged = Staged { conflicts, only_expired, replacement, steps: None, ..old };
        self.stage(key, is_new, staged);
        Ok(())
    }

    /// A computation on what is stored or staged.
    pub(crate) fn compute(
        &mut self,
        key: &[u8],
        operation: Operation,
        operand: Operand,
    ) -> Result<(), InputError> {
        let (old, is_new) = self.admit(key, self.steps.len())?;
        // The version that will hold the number, allocated before the lock.
        let result = old.result.unwrap_or_else(|| {
            let header = EntryHeader { encoding: Encoding::LE64, expires: 0 };
            self.versions.put(None, VersionBox::zeroed(header, size_of::<u64>()))
        });
        let steps = Some(self.steps.append(old.steps, operation, operand));
        self.stage(key, is_new, Staged { steps, result: Some(result), ..old });
        Ok(())
    }

    /// What is staged for the key so far, and whether it is new, if more may be staged:
    /// behind `others` of the same kind.
    fn admit(&self, key: &[u8], others: usize) -> Result<(Staged, bool), InputError> {
        check_key(key)?;
        room_behind(others)?;
        if let Some(old) = self.staged(key) {
            return Ok((old, false));
        }
        room_behind(self.entries.len())?;
        Ok((Staged::default(), true))
    }

    /// Stages something for a key that is new, or in the place of what is staged for it.
    fn stage(&mut self, key: &[u8], is_new: bool, staged: Staged) {
        self.journal.note();
        if !is_new {
            let replaced = self.entries.replace(key, staged).is_ok();
            debug_assert!(replaced, "what was found is still there");
            return;
        }
        let at = self.entries.add(KeptKey::from_slice(key), staged);
        if let Some(order) = self.order.get_mut() {
            order.insert(KeptKey::from_slice(key), position(at));
        }
    }

    /// The keys of which watchers are woken: those that are written; those that end with a stamp once they are committed.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let stamped = self.stamped.iter().filter(|_| self.committed);
        let stamped = stamped.map(|write| write.key.as_slice());
        let rung = self.also_rung.iter().map(|key| &**key);
        self.entries.iter().map(|(key, _)| &**key).chain(stamped).chain(rung)
    }

    /// What is staged for a key.
    pub(crate) fn staged(&self, key: &[u8]) -> Option<Staged> {
        self.entries.get(key).copied()
    }

    pub(crate) fn staged_at(&self, at: u32) -> Option<Staged> {
        self.entries.entry(at as usize).map(|(_, staged)| *staged)
    }

    /// The keys written between two bounds, with their positions.
    pub(crate) fn written(&self, bounds: Bounds<'_>) -> btree_map::Range<'_, KeptKey, u32> {
        if exclude_each_other(bounds) {
            // The map does not take such bounds.
            return btree_map::Range::default();
        }
        let order = self.order.get_or_init(|| {
            let keys = self.entries.iter().map(|(key, _)| key.clone());
            keys.enumerate().map(|(at, key)| (key, position(at))).collect()
        });
        order.range::<[u8], _>(bounds)
    }
}

/// Empties a list; it keeps room for a few.
#[inline]
fn empty<T>(list: &mut Vec<T>) {
    if list.capacity() != 0 {
        list.clear();
        list.shrink_to(ROOM_KEPT);
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("the limit on writes is below 2^32")
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
    use std::ops::Bound;

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
        writes.validate_read(&key);
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

    /// Emptied writes are those of the next transaction of the thread.
    #[test]
    fn emptied_writes_are_as_new() {
        let mut writes = EntryWrites::new();
        writes.mark();
        for number in 0..200_u8 {
            writes.put(&[number], TEXT, b"1").unwrap();
            writes.mutate(&[number], Mutation::Sum(1)).unwrap();
            writes.check(&[number], Expected::Absent).unwrap();
            writes.set_stamped(b"log", TEXT, b"1", 0).unwrap();
            writes.ring_also(b"bell");
        }
        writes.validate_read(b"r");
        assert_eq!(writes.written((Bound::Unbounded, Bound::Unbounded)).count(), 200);
        writes.results.insert(0, (TEXT, Vec::new()));
        (writes.committed, writes.time) = (true, CommitTime::Logged(7));
        writes.clear();
        assert_eq!(format!("{writes:?}"), format!("{:?}", EntryWrites::new()));
        assert!(writes.versions.mark() == 0 && writes.checks.capacity() <= ROOM_KEPT);
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
        writes.validate_read(b"r");
        assert!(writes.roll_back_to(mark));
        assert!(!writes.roll_back_to(lost));
        assert_eq!((writes.len(), writes.versions.len(), writes.steps.len()), (1, 1, 1));
        assert!(writes.staged(b"new").is_none() && writes.checks.is_empty());
        assert_eq!(writes.reads.borrow().len(), 1, "reads stay");
        writes.put(b"new", TEXT, b"2").unwrap();
        writes.mutate(b"n", Mutation::Max(5)).unwrap();
        writes.check(b"c", Expected::Absent).unwrap();
        assert!(!writes.roll_back_to(lost), "although as much has been staged again");
        assert!(writes.roll_back_to(mark));
        let staged = writes.staged(b"n").unwrap();
        let effect = staged.effect(&writes.versions, &writes.steps, b"n", || None, || 1);
        assert_eq!(effect.unwrap().unwrap().number(), Some(3));
    }
}
