//! Holding what a transaction read of keyspaces against the state of its start, and its
//! own writes.

use std::collections::{BTreeMap, BTreeSet};

use super::anomaly::Anomaly;
use super::changes::{Entity, How, Seen};
use super::entries::{OwnEntries, Staged};
use super::judge::Judge;
use super::marks::{Item, Sight};
use super::misreading::Misreading;
use super::txn::{EntryValue, KeyRange, Name, Op, Outcome, SeenEntry, Timestamp, Txn};

/// What a transaction has to see under a key, and who wrote it.
struct Expected {
    value: EntryValue,
    version: Option<Timestamp>,
    writer: usize,
}

/// One of the entries that an operation read.
#[derive(Clone, Copy)]
struct Reading<'h> {
    txn: &'h Txn,
    /// Which of its operations.
    index: usize,
    how: How,
}

impl<'h> Judge<'h> {
    pub(super) fn read_entries(&mut self) {
        let is_judged = |txn: &&Txn| !txn.is_atomic && txn.outcome != Outcome::Unknown;
        let mut txns: Vec<_> = self.history.txns.iter().filter(is_judged).collect();
        txns.sort_by_key(|txn| txn.start);
        let (mut there, mut count) = (BTreeSet::new(), 0);
        for txn in txns {
            while let Some((_, (key, is))) =
                self.entries.changes.get(count).filter(|(at, _)| *at <= txn.start)
            {
                if *is {
                    there.insert(key.clone());
                } else {
                    there.remove(key);
                }
                count += 1;
            }
            let mut own = OwnEntries::default();
            for (index, op) in txn.ops.iter().enumerate() {
                match op {
                    Op::Entry { key, seen } => {
                        let reading = Reading { txn, index, how: How::ByName };
                        self.read_entry(reading, &own, key, seen.as_ref());
                    }
                    Op::Range { range, seen } => {
                        let known = self.known(txn, &there, &own, &covered(range, seen));
                        self.read_range((txn, index), &own, &known, (range, seen));
                    }
                    op => own.stage(txn, op),
                }
            }
        }
    }

    /// What is to be seen at the start, own writes included.
    fn expected(&self, txn: &Txn, own: &OwnEntries, key: &Name) -> Option<Expected> {
        let (_, newest) = self.entries.at(key, txn.start);
        let stored = newest.and_then(|version| Some((version, version.value.as_ref()?)));
        let Some(staged) = own.get(key) else {
            return stored.map(|(version, value)| Expected {
                value: value.clone(),
                version: Some(version.at),
                writer: version.by,
            });
        };
        // A sum over a document is refused when it is read: there is nothing to see.
        let value = staged.effect(stored.map(|(_, value)| value)).ok()??;
        Some(Expected { value, version: None, writer: txn.number })
    }

    /// The keys of a range that are there at the start of a transaction, that it wrote
    /// itself, or that come or go beside it.
    fn known(
        &self,
        txn: &Txn,
        there: &BTreeSet<Name>,
        own: &OwnEntries,
        range: &KeyRange,
    ) -> BTreeSet<Name> {
        if range.from >= range.to {
            return BTreeSet::new();
        }
        let there = there.range(range.from.clone()..range.to.clone());
        let beside = self.concurrency.beside(txn, &self.entries.changes);
        let beside = beside.iter().map(|(_, (key, _))| key);
        let beside = beside.filter(|key| range.from <= **key && **key < range.to);
        there.chain(own.keys(range)).chain(beside).cloned().collect()
    }

    fn read_range(
        &mut self,
        (txn, index): (&'h Txn, usize),
        own: &OwnEntries,
        known: &BTreeSet<Name>,
        (range, seen): (&'h KeyRange, &'h [(Name, SeenEntry)]),
    ) {
        let op = &txn.ops[index];
        let is_sorted = seen.windows(2).all(|pair| match range.is_backward {
            true => pair[0].0 > pair[1].0,
            false => pair[0].0 < pair[1].0,
        });
        if !is_sorted {
            self.found(Anomaly::DisorderedRange, txn, op, || "out of order".to_owned());
        }
        let limit = range.limit.unwrap_or(usize::MAX);
        if seen.len() > limit {
            self.found(Anomaly::DisorderedRange, txn, op, || "over its limit".to_owned());
        }
        let seen: BTreeMap<&Name, &SeenEntry> =
            seen.iter().map(|(key, seen)| (key, seen)).collect();
        let (mut more, mut fewer) = (Vec::new(), Vec::new());
        for key in known.iter().chain(seen.keys().copied().filter(|key| !known.contains(*key))) {
            let is_expected = self.expected(txn, own, key).is_some();
            let seen = seen.get(key).copied();
            let reading = Reading { txn, index, how: How::AmongOthers };
            let is_inside = range.from <= *key && *key < range.to;
            match seen {
                Some(_) if !is_expected || !is_inside => more.push(key.clone()),
                None if is_expected => fewer.push(key.clone()),
                _ => {
                    self.read_entry(reading, own, key, seen);
                    continue;
                }
            }
            self.entry_depends(reading, own.get(key), key, seen);
        }
        if !more.is_empty() {
            self.found(Anomaly::Phantom, txn, op, || format!("not there at the start: {more:?}"));
        }
        if !fewer.is_empty() {
            self.found(Anomaly::Hole, txn, op, || format!("there at the start: {fewer:?}"));
        }
    }

    fn read_entry(
        &mut self,
        reading: Reading<'h>,
        own: &OwnEntries,
        key: &Name,
        seen: Option<&'h SeenEntry>,
    ) {
        let Reading { txn, index, .. } = reading;
        self.entry_depends(reading, own.get(key), key, seen);
        let expected = self.expected(txn, own, key);
        let is_same_value = seen.map(|seen| &seen.value) == expected.as_ref().map(|it| &it.value);
        let is_same_version =
            seen.map(|seen| seen.version) == expected.as_ref().map(|it| it.version);
        if is_same_value && is_same_version {
            return;
        }
        let misreading = Misreading { history: self.history, marks: &self.marks, txn, index };
        let own = own.get(key).map(|_| txn.number);
        let writer = own.or(expected.as_ref().map(|expected| expected.writer));
        let as_any = || misreading.name(&Item::Entry(key.clone()), seen.map(Sight::from), writer);
        // Of a document its mark tells who wrote it, of a number its version alone.
        let name = match seen.map(|seen| &seen.value) {
            Some(EntryValue::Document(_)) if is_same_value => Anomaly::WrongVersion,
            None | Some(EntryValue::Document(_)) => as_any(),
            Some(EntryValue::Number(_)) if is_same_version => Anomaly::WrongSum,
            Some(EntryValue::Number(_)) if seen.is_some_and(|seen| self.has_made(key, seen)) => {
                as_any()
            }
            Some(EntryValue::Number(_)) if is_same_value => Anomaly::WrongVersion,
            Some(EntryValue::Number(_)) => Anomaly::InventedRead,
        };
        let mut txns = vec![txn.number];
        txns.extend(seen.and_then(|seen| self.marks.writer_of(seen.into())));
        txns.extend(expected.as_ref().map(|expected| expected.writer));
        let (number, start, op) = (txn.number, txn.start, &txn.ops[index]);
        let what = || {
            let expected =
                expected.map(|Expected { value, version, .. }| SeenEntry { value, version });
            let expected = expected.map_or("none".to_owned(), |expected| expected.to_string());
            format!("txn {number}, from {start}: `{op}`; at {key} was to be read: {expected}")
        };
        self.findings.add(name, txns, what);
    }

    /// Whether there ever was such a number under the key, of that version.
    fn has_made(&self, key: &Name, seen: &SeenEntry) -> bool {
        let Some(at) = seen.version else { return false };
        let (_, newest) = self.entries.at(key, at);
        newest.is_some_and(|newest| newest.at == at && newest.value.as_ref() == Some(&seen.value))
    }

    /// Notes on whose versions the transaction depends, by what it saw.
    fn entry_depends(
        &mut self,
        Reading { txn, how, .. }: Reading<'h>,
        own: Option<&Staged>,
        key: &Name,
        seen: Option<&SeenEntry>,
    ) {
        if !txn.is_committed() || own.is_some_and(|own| !own.is_computed()) {
            return;
        }
        let as_of_start = || Some(Seen::After(self.entries.at(key, txn.start).0));
        let state = match seen {
            Some(SeenEntry { version: Some(at), value: EntryValue::Number(_) }) => {
                let (count, newest) = self.entries.at(key, *at);
                newest.filter(|newest| newest.at == *at).map(|_| Seen::After(count))
            }
            Some(SeenEntry { value: EntryValue::Document(content), .. }) => {
                let writer = self.marks.writer(content).filter(|writer| *writer != txn.number);
                writer.map(Seen::LeftBy)
            }
            // Of a sum that is the transaction's own, what it was computed on; of
            // nothing, why it was not there.
            Some(_) => as_of_start(),
            None if self.entries.stamp_at(key, txn.start).is_some() => None,
            None => as_of_start(),
        };
        if let Some(state) = state {
            self.changes.read(txn.number, Entity::Entry(key.clone()), state, how);
        }
    }
}

/// The part of a range that was read to its end.
fn covered(range: &KeyRange, seen: &[(Name, SeenEntry)]) -> KeyRange {
    let mut covered = range.clone();
    if range.limit.is_some_and(|limit| seen.len() >= limit) {
        match seen.last() {
            Some((last, _)) if range.is_backward => covered.from = last.clone(),
            // The next key after `last`.
            Some((last, _)) => covered.to = format!("{last}\0").into(),
            None => covered.to = covered.from.clone(),
        }
    }
    covered
}
