//! The entries of keyspaces as they should be: of every key all its versions.
//!
//! Unlike nodes and edges they are kept at all timestamps at once: what a commit does
//! to an entry depends on the state right before it, not on that of its start, and
//! checks that failed ask for a state at no known timestamp.

use std::collections::BTreeMap;
use std::ops::Range;

use super::anomaly::Anomaly;
use super::changes::{Changed, Entity};
use super::judge::Judge;
use super::marks::Item;
use super::txn::{EntryValue, KeyRange, Name, Op, Operation, Timestamp, Txn, stamped};

/// One version of an entry.
#[derive(Clone, Debug)]
pub(super) struct EntryVersion {
    pub(super) at: Timestamp,
    pub(super) by: usize,
    /// `None`: removed.
    pub(super) value: Option<EntryValue>,
}

impl EntryVersion {
    fn stamp(&self) -> Option<Timestamp> {
        self.value.as_ref().map(|_| self.at)
    }
}

/// All versions of all entries, oldest first.
#[derive(Debug, Default)]
pub(super) struct Entries {
    keys: BTreeMap<Name, Vec<EntryVersion>>,
    /// Which entries came, changed and went, in the order of commits, and whether they
    /// are there since.
    pub(super) changes: Vec<(Timestamp, (Name, bool))>,
}

impl Entries {
    pub(super) fn versions(&self, key: &Name) -> &[EntryVersion] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// The versions of an entry of a time.
    pub(super) fn versions_of(
        &self,
        key: &Name,
        time: Range<Timestamp>,
    ) -> impl Iterator<Item = &EntryVersion> {
        let versions = self.versions(key);
        let first = versions.partition_point(|version| version.at < time.start);
        versions[first..].iter().take_while(move |version| version.at < time.end)
    }

    /// How many versions of an entry there were at a timestamp, and the newest of them.
    pub(super) fn at(&self, key: &Name, at: Timestamp) -> (usize, Option<&EntryVersion>) {
        newest(self.versions(key), at)
    }

    /// The commit that wrote an entry as it was at a timestamp, if it existed.
    pub(super) fn stamp_at(&self, key: &Name, at: Timestamp) -> Option<Timestamp> {
        self.at(key, at).1.and_then(EntryVersion::stamp)
    }

    /// The commit that wrote an entry last, if it exists.
    pub(super) fn newest(&self, key: &Name) -> Option<Timestamp> {
        self.versions(key).last().and_then(EntryVersion::stamp)
    }
}

fn newest(versions: &[EntryVersion], at: Timestamp) -> (usize, Option<&EntryVersion>) {
    let count = versions.partition_point(|version| version.at <= at);
    (count, count.checked_sub(1).map(|last| &versions[last]))
}

/// What a transaction has staged for one key: first a value, or nothing, in the place
/// of what there is, then what is computed with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Staged {
    replacement: Option<Option<EntryValue>>,
    steps: Vec<(Operation, u64)>,
    /// Set or removed by a transaction: nobody else may have written it since its
    /// start.
    is_snapshot_write: bool,
}

/// A computation with what is no number.
#[derive(Debug)]
pub(super) struct NotANumber;

impl Staged {
    fn stage(&mut self, op: &Op, is_atomic: bool) {
        let replacement = match op {
            Op::Set { value, .. } => Some(value.clone()),
            Op::Remove { .. } => None,
            Op::Compute { operation, operand, .. } => {
                self.steps.push((*operation, *operand));
                return;
            }
            _ => return,
        };
        let is_snapshot_write = self.is_snapshot_write || !is_atomic;
        *self = Self { replacement: Some(replacement), steps: Vec::new(), is_snapshot_write };
    }

    /// Whether it depends on what there is.
    pub(super) fn is_computed(&self) -> bool {
        self.replacement.is_none()
    }

    /// What there is afterwards.
    pub(super) fn effect(
        &self,
        before: Option<&EntryValue>,
    ) -> Result<Option<EntryValue>, NotANumber> {
        let base = self.replacement.as_ref().map_or(before, Option::as_ref);
        if self.steps.is_empty() {
            return Ok(base.cloned());
        }
        let first = match base {
            None => None,
            Some(EntryValue::Number(number)) => Some(*number),
            Some(EntryValue::Document(_)) => return Err(NotANumber),
        };
        let steps = self.steps.iter();
        let last = steps
            .fold(first, |number, (operation, operand)| Some(operation.apply(number, *operand)));
        Ok(last.map(EntryValue::Number))
    }
}

/// What a transaction has staged so far.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnEntries {
    staged: BTreeMap<Name, Staged>,
    /// What had been staged at each savepoint.
    savepoints: Vec<(usize, BTreeMap<Name, Staged>)>,
}

impl OwnEntries {
    pub(super) fn stage(&mut self, txn: &Txn, op: &Op) {
        match op {
            Op::Set { key, .. } | Op::Remove { key } | Op::Compute { key, .. } => {
                self.staged.entry(key.clone()).or_default().stage(op, txn.is_atomic);
            }
            Op::Savepoint { number } => self.savepoints.push((*number, self.staged.clone())),
            Op::RollbackTo { number } => {
                let place = self.savepoints.iter().rposition(|(known, _)| known == number);
                if let Some(place) = place {
                    self.savepoints.truncate(place + 1);
                    self.staged.clone_from(&self.savepoints[place].1);
                }
            }
            _ => {}
        }
    }

    pub(super) fn get(&self, key: &Name) -> Option<&Staged> {
        self.staged.get(key)
    }

    pub(super) fn keys(&self, range: &KeyRange) -> impl Iterator<Item = &Name> {
        self.staged.keys().filter(|key| range.from <= **key && **key < range.to)
    }
}

impl<'h> Judge<'h> {
    /// Builds all versions of all entries, commit by commit, and judges what follows
    /// from those alone.
    pub(super) fn commit_entries(&mut self) {
        let committed = |txn: &'h Txn| Some((txn.commit()?, txn));
        let mut commits: Vec<_> = self.history.txns.iter().filter_map(committed).collect();
        // One that committed before it began is told of elsewhere.
        commits.retain(|(commit, txn)| *commit > txn.start);
        commits.sort_by_key(|(commit, _)| *commit);
        for (commit, txn) in commits {
            self.checks_held(txn, commit);
            let mut own = OwnEntries::default();
            txn.ops.iter().for_each(|op| own.stage(txn, op));
            for (key, staged) in &own.staged {
                self.commit_entry(txn, commit, key, staged);
            }
            self.stamps(txn, commit);
            self.results(txn);
        }
    }

    /// Whether what a transaction wrote changes entries as they were at its start.
    pub(super) fn changes_entries(&self, txn: &Txn) -> bool {
        let mut own = OwnEntries::default();
        txn.ops.iter().for_each(|op| own.stage(txn, op));
        own.staged.iter().any(|(key, staged)| {
            let before = self.entries.at(key, txn.start).1;
            let before = before.and_then(|version| version.value.as_ref());
            !staged.effect(before).is_ok_and(|after| after.as_ref() == before)
        })
    }

    fn commit_entry(&mut self, txn: &Txn, at: Timestamp, key: &Name, staged: &Staged) {
        let entity = Entity::Entry(key.clone());
        if staged.is_snapshot_write {
            self.overtaken(txn, entity.clone(), Some(&Item::Entry(key.clone())));
        }
        let versions = self.entries.keys.entry(key.clone()).or_default();
        let before = versions.last().and_then(|version| version.value.as_ref());
        let (existed, number) = (before.is_some(), txn.number);
        let Ok(value) = staged.effect(before) else {
            self.findings.add(Anomaly::WrongRefusal, [number], || {
                format!("txn {number} committed at {at} a number computed from entry {key}, which is none")
            });
            return;
        };
        // To remove what there is not is nothing.
        if existed || value.is_some() {
            self.entries.changes.push((at, (key.clone(), value.is_some())));
            versions.push(EntryVersion { at, by: number, value });
            let is_blind = !staged.is_snapshot_write;
            self.changes.change(entity, Changed { at, by: number, is_blind });
        }
    }

    /// The keys that end with the stamp of a commit do.
    fn stamps(&mut self, txn: &Txn, at: Timestamp) {
        for op in txn.standing_ops() {
            let Op::Stamp { prefix, value, key: told } = op else { continue };
            let key = stamped(prefix, at);
            if told.as_ref().is_some_and(|told| *told != key) {
                self.found(Anomaly::WrongStamp, txn, op, || format!("it committed at {at}"));
            }
            let replacement = Some(Some(value.clone()));
            let staged = Staged { replacement, ..Staged::default() };
            self.commit_entry(txn, at, &key, &staged);
        }
    }

    /// The numbers that a commit was told are those that it made.
    fn results(&mut self, txn: &Txn) {
        for op in &txn.ops {
            let Op::Compute { key, result: Some(told), .. } = op else { continue };
            let made = self.entries.versions(key).last().and_then(|version| version.value.clone());
            if made != Some(EntryValue::Number(*told)) {
                let made = made.map_or("none".to_owned(), |made| made.to_string());
                self.found(Anomaly::WrongSum, txn, op, || format!("it is {made}"));
            }
        }
    }
}
