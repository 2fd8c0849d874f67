//! Who runs beside whom, and what changes meanwhile.
//!
//! Who reads a range depends on what is not in it, too: on who took something away, and on
//! who brings something. Of all that ever was in the range only that counts which
//! changes beside the reader, or beside somebody who commits beside the reader:
//!
//! ```text
//!              after                                  until
//! reader                     start |---------| commit
//! others         |---------------------|
//!                                        |--------------|
//! changes    x       o         o           o            o     x   too early, too late
//! ```
//!
//! A cycle of dependencies through a change outside has a step elsewhere that is an
//! anomaly by itself: a read that was written over, or concurrent writes.

use super::txn::{History, Timestamp, Txn};

/// When transactions that committed were running.
pub(super) struct Concurrency {
    /// By start: the newest commit of all who began before, or then.
    commits: Vec<(Timestamp, Timestamp)>,
    /// By commit: the oldest start of all who committed then, or behind.
    starts: Vec<(Timestamp, Timestamp)>,
}

impl Concurrency {
    pub(super) fn of(history: &History) -> Self {
        // An atomic operation runs at its commit alone.
        let committed = history.txns.iter().filter(|txn| !txn.is_atomic);
        let mut commits: Vec<_> =
            committed.filter_map(|txn| Some((txn.start, txn.commit()?))).collect();
        let mut starts: Vec<_> = commits.iter().map(|(start, commit)| (*commit, *start)).collect();
        commits.sort_unstable();
        let mut newest = Timestamp::ZERO;
        for (_, commit) in &mut commits {
            newest = newest.max(*commit);
            *commit = newest;
        }
        starts.sort_unstable();
        let mut oldest = Timestamp::MAX;
        for (_, start) in starts.iter_mut().rev() {
            oldest = oldest.min(*start);
            *start = oldest;
        }
        Self { commits, starts }
    }

    /// Behind which timestamp, and up to which one, changes count for a transaction.
    fn around(&self, txn: &Txn) -> (Timestamp, Timestamp) {
        let end = txn.commit().unwrap_or(txn.start);
        let first = self.starts.partition_point(|(commit, _)| *commit <= txn.start);
        let after = self.starts.get(first).map_or(txn.start, |(_, start)| *start);
        let count = self.commits.partition_point(|(start, _)| *start < end);
        let until = count.checked_sub(1).map_or(end, |last| self.commits[last].1);
        (after.min(txn.start), until.max(end))
    }

    /// Of changes in the order of time, those that count for a transaction.
    pub(super) fn beside<'c, T>(
        &self,
        txn: &Txn,
        changes: &'c [(Timestamp, T)],
    ) -> &'c [(Timestamp, T)] {
        let (after, until) = self.around(txn);
        let first = changes.partition_point(|(at, _)| *at <= after);
        let end = changes.partition_point(|(at, _)| *at <= until);
        &changes[first..end.max(first)]
    }
}
