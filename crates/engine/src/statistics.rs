//! Statistics: what the engine counts, and how it tells.

use std::time::Duration;

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::{AtomicU64, Ordering};

/// A reading of the engine's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Commits that wrote something.
    pub commits: u64,
    /// Times a record got a version chain: an older version had to stay because
    /// an open snapshot needed it.
    pub chains_created: u64,
    /// Records that have a version chain now.
    pub chains_retained: u64,
    /// Versions that ever had to stay after they were superseded.
    pub versions_created: u64,
    /// Versions that stay now although they are superseded.
    pub versions_retained: u64,
    /// Bytes of memory that these versions take.
    pub bytes_retained: u64,
    /// Snapshots and transactions open now.
    pub snapshots_open: u64,
    /// The open snapshot with the oldest start timestamp.
    pub oldest_snapshot: Option<OldestSnapshot>,
}

/// The open snapshot that reaches furthest back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OldestSnapshot {
    /// Its start timestamp.
    pub start: Timestamp,
    /// How long it has been open. A transaction or view that runs as a closure
    /// is timed from the first version that it held back.
    pub age: Duration,
    /// The label that its owner gave it.
    pub label: Option<String>,
}

/// The counters. Written by the holder of the commit lock alone, read by anyone,
/// so plain loads and stores do; they order nothing.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    chains_created: AtomicU64,
    chains_retained: AtomicU64,
    versions_created: AtomicU64,
    versions_retained: AtomicU64,
    bytes_retained: AtomicU64,
}

/// Changes of one settling to what is retained.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RetainedCount {
    chains_created: u64,
    chains_ended: u64,
    versions_created: u64,
    versions_ended: u64,
    bytes_created: u64,
    bytes_ended: u64,
}

impl RetainedCount {
    pub(crate) fn retained(&mut self, bytes: usize) {
        self.versions_created += 1;
        self.bytes_created += bytes as u64;
    }

    pub(crate) fn released(&mut self, bytes: usize) {
        self.versions_ended += 1;
        self.bytes_ended += bytes as u64;
    }

    pub(crate) fn chain(&mut self, before: bool, after: bool) {
        self.chains_created += u64::from(!before && after);
        self.chains_ended += u64::from(before && !after);
    }
}

fn add(counter: &AtomicU64, more: u64, less: u64) {
    if more != less {
        let now = counter.load(Ordering::Relaxed) + more;
        counter.store(now.saturating_sub(less), Ordering::Relaxed);
    }
}

impl Counters {
    pub(crate) fn count_commit(&self) {
        add(&self.commits, 1, 0);
    }

    pub(crate) fn count_retained(&self, count: RetainedCount) {
        add(&self.chains_created, count.chains_created, 0);
        add(&self.chains_retained, count.chains_created, count.chains_ended);
        add(&self.versions_created, count.versions_created, 0);
        add(&self.versions_retained, count.versions_created, count.versions_ended);
        add(&self.bytes_retained, count.bytes_created, count.bytes_ended);
    }

    pub(crate) fn read(&self) -> Statistics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            commits: get(&self.commits),
            chains_created: get(&self.chains_created),
            chains_retained: get(&self.chains_retained),
            versions_created: get(&self.versions_created),
            versions_retained: get(&self.versions_retained),
            bytes_retained: get(&self.bytes_retained),
            ..Statistics::default()
        }
    }
}
