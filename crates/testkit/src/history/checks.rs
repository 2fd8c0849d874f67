//! Expected versions of entries: those of commits, which held right before them, and
//! those that failed, at a time that nobody was told.

use super::anomaly::Anomaly;
use super::changes::{Entity, How, Seen};
use super::judge::Judge;
use super::txn::{Clash, History, Name, Op, Outcome, Timestamp, Txn};

/// Which states a database was in at some time: what is known of that from outside.
#[derive(Debug)]
pub(super) struct Times {
    /// From a time on this timestamp, or a newer one, was visible.
    visible: Vec<(u64, Timestamp)>,
    /// At a time, and before, none was that is newer than one before this timestamp.
    unasked: Vec<(u64, Timestamp)>,
}

impl Times {
    pub(super) fn of(history: &History) -> Self {
        let (mut visible, mut unasked) = (Vec::new(), Vec::new());
        for txn in &history.txns {
            if !txn.is_atomic && txn.outcome != Outcome::Unknown {
                visible.push((txn.begin.returned, txn.start));
            }
            if let Some(commit) = txn.commit() {
                visible.push((txn.end.returned, commit));
                unasked.push((txn.end.called, commit));
            }
        }
        visible.sort_unstable();
        unasked.sort_unstable();
        let mut newest = Timestamp::ZERO;
        for (_, at) in &mut visible {
            newest = newest.max(*at);
            *at = newest;
        }
        let mut oldest = Timestamp::MAX;
        for (_, at) in unasked.iter_mut().rev() {
            oldest = oldest.min(*at);
            *at = oldest;
        }
        Self { visible, unasked }
    }

    /// The newest timestamp that was surely visible before a time.
    fn visible_before(&self, time: u64) -> Timestamp {
        let count = self.visible.partition_point(|(since, _)| *since < time);
        count.checked_sub(1).map_or(Timestamp::ZERO, |last| self.visible[last].1)
    }

    /// The oldest commit that was not yet asked for at a time.
    fn unasked_at(&self, time: u64) -> Timestamp {
        let first = self.unasked.partition_point(|(called, _)| *called <= time);
        self.unasked.get(first).map_or(Timestamp::MAX, |(_, at)| *at)
    }
}

/// The checks of a transaction that stand, in their order.
fn checks(txn: &Txn) -> impl Iterator<Item = (&Op, &Name, Option<Timestamp>)> {
    txn.standing_ops().filter_map(|op| match op {
        Op::Check { key, expected } => Some((op, key, *expected)),
        _ => None,
    })
}

impl<'h> Judge<'h> {
    /// All checks of a commit held right before it.
    pub(super) fn checks_held(&mut self, txn: &'h Txn, commit: Timestamp) {
        for (op, key, expected) in checks(txn) {
            let (count, found) = (self.entries.versions(key).len(), self.entries.newest(key));
            // The state that the check speaks of, be it that of the commit or not.
            let spoken_of = expected.map_or(count, |expected| self.entries.at(key, expected).0);
            let (entity, seen) = (Entity::Entry(key.clone()), Seen::After(spoken_of));
            self.changes.read(txn.number, entity, seen, How::AtCommit);
            if found != expected {
                self.found(Anomaly::CheckIgnored, txn, op, || {
                    let found = found.map_or("none".to_owned(), |found| found.to_string());
                    format!("right before its commit at {commit} there was {found}")
                });
            }
        }
    }

    /// What failed, failed in some state that the database had meanwhile, and the
    /// rest held in it. Who conflicts over an entry has passed its checks.
    pub(super) fn checks_failed(&mut self) {
        let times = Times::of(self.history);
        for txn in &self.history.txns {
            let failed: &[usize] = match &txn.outcome {
                Outcome::ChecksFailed(failed) => failed,
                Outcome::Conflict(Clash::Entry(_), _) => &[],
                _ => continue,
            };
            let first = times.visible_before(txn.end.called).max(txn.start);
            let end = times.unasked_at(txn.end.returned);
            // What was lost may have been in the way of those of its entries.
            let judged: Vec<_> = checks(txn)
                .enumerate()
                .filter(|(_, (_, key, _))| !self.lost.changed(self.history, txn, key))
                .map(|(index, (_, key, expected))| (key, expected, failed.contains(&index)))
                .collect();
            let is_explained = |at: Timestamp| {
                judged.iter().all(|(key, expected, has_failed)| {
                    *has_failed == (self.entries.stamp_at(key, at) != *expected)
                })
            };
            let changed =
                judged.iter().flat_map(|(key, ..)| self.entries.versions_of(key, first..end));
            let mut states = changed.map(|version| version.at);
            if !is_explained(first) && !states.any(is_explained) {
                let number = txn.number;
                self.findings.add(Anomaly::GroundlessCheckFailure, [number], || {
                    format!("txn {number}: checks {failed:?} failed, between {first} and {end}")
                });
            }
        }
    }
}
