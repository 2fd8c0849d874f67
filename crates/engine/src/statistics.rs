//! Statistics: what the engine counts, and how it tells.

use std::time::Duration;

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_storage::{LogPosition, LogStatistics};

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
    /// Log and checkpoints, of a database on disk.
    pub storage: Option<StorageStatistics>,
}

/// What a database on disk has written and read since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageStatistics {
    /// The log.
    pub log: LogStatistics,
    /// Bytes of log that opening would replay now.
    pub log_bytes_to_replay: u64,
    /// The log is durable up to here.
    pub durable: LogPosition,
    /// Bytes of data files.
    pub data_bytes: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// How long the last one took.
    pub checkpoint_time: Duration,
    /// How often the database has been opened for writing.
    pub incarnation: u32,
    /// What opening took.
    pub recovery: RecoveryStatistics,
}

/// What opening a database took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryStatistics {
    /// The time.
    pub time: Duration,
    /// Bytes of log replayed.
    pub log_bytes: u64,
    /// Commits replayed.
    pub commits: u64,
    /// Bytes cut off at the end of the log: of commits that were never
    /// acknowledged as durable.
    pub cut_bytes: u64,
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
    checkpoints: AtomicU64,
    checkpoint_micros: AtomicU64,
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

    /// Counts a checkpoint; the caller is the one who writes it.
    pub(crate) fn count_checkpoint(&self, micros: u64) {
        add(&self.checkpoints, 1, 0);
        self.checkpoint_micros.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn read_storage(&self) -> StorageStatistics {
        let micros = self.checkpoint_micros.load(Ordering::Relaxed);
        StorageStatistics {
            checkpoints: self.checkpoints.load(Ordering::Relaxed),
            checkpoint_time: Duration::from_micros(micros),
            ..StorageStatistics::default()
        }
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
