//! The smallest database: a few records, and the protocol of the engine's
//! commit path.

use std::sync::atomic::{AtomicU64, Ordering};

use loom::model::Builder;
use loom::sync::Arc;
use selvedge_base::Timestamp;
use selvedge_mvcc::{
    Fate, OpenSlot, Oracle, PruneOutcome, Record, Registry, SlotIndex, SnapshotRef, VersionBox, pin,
};

/// Runs `model` through every schedule with at most `preemptions` forced
/// switches of threads. Most known races need two; the bound keeps a model
/// within seconds, and `LOOM_MAX_PREEMPTIONS` overrides it.
pub(crate) fn check(preemptions: usize, model: impl Fn(Met) + Send + Sync + 'static) -> Met {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    let met = Met::default();
    let tell = met.clone();
    builder.check(move || model(tell.clone()));
    met
}

/// What the schedules of one model met, taken together: a model that never
/// meets the case it was written for checks nothing.
#[derive(Clone, Default)]
pub(crate) struct Met(std::sync::Arc<Counts>);

#[derive(Default)]
struct Counts {
    /// A bit for each start timestamp that a snapshot had.
    starts: AtomicU64,
    kept: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
}

impl Met {
    pub(crate) fn refused(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Snapshots began at each of `starts`.
    pub(crate) fn assert_starts(&self, starts: &[u64]) {
        let met = self.0.starts.load(Ordering::Relaxed);
        assert!(starts.iter().all(|start| met & 1 << start != 0), "starts met: {met:b}");
    }

    /// Pruning kept versions for snapshots, and dropped versions.
    pub(crate) fn assert_pruned(&self) {
        let Counts { kept, dropped, .. } = &*self.0;
        assert!(kept.load(Ordering::Relaxed) > 0, "nothing was ever kept");
        assert!(dropped.load(Ordering::Relaxed) > 0, "nothing was ever dropped");
    }

    /// A commit was refused.
    pub(crate) fn assert_refused(&self) {
        assert!(self.0.refused.load(Ordering::Relaxed) > 0, "no commit was ever refused");
    }
}

impl PruneOutcome for &Met {
    fn kept(&mut self, _version: Fate, _blocker: Timestamp) {
        self.0.kept.fetch_add(1, Ordering::Relaxed);
    }
    fn dropped(&mut self, _version: Fate) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
    fn emptied(&mut self) {}
}

/// What a record holds: a number, or nothing (a tombstone).
pub(crate) type Value = Option<u64>;

/// The version that holds `value`, once in the header and once in the bytes.
pub(crate) fn version(value: Value) -> VersionBox<u64> {
    match value {
        Some(value) => VersionBox::new(value, &[&value.to_le_bytes()]),
        None => VersionBox::tombstone(0, &[]),
    }
}

pub(crate) struct Database {
    pub(crate) oracle: Oracle,
    pub(crate) registry: Registry,
    pub(crate) records: [Record<u64>; 2],
    met: Met,
}

impl Database {
    /// A database whose records hold 1, committed at 1.
    pub(crate) fn new(met: &Met) -> Arc<Self> {
        let database = Self {
            oracle: Oracle::new(Timestamp::ZERO),
            registry: Registry::new(),
            records: std::array::from_fn(|_| Record::default()),
            met: met.clone(),
        };
        database.commit(&[(0, Some(1)), (1, Some(1))], None);
        Arc::new(database)
    }

    /// Commits `writes` and prunes what they superseded, as the engine does.
    /// The caller is the only thread that commits, or holds the commit lock.
    pub(crate) fn commit(&self, writes: &[(usize, Value)], own: Option<SlotIndex>) {
        let pin = pin();
        let commit = self.oracle.stamp();
        for (at, value) in writes {
            // SAFETY: the caller holds the lock; published below.
            unsafe { self.records[*at].install(version(*value), commit) };
        }
        self.oracle.publish(commit);
        let active = self.registry.active(own);
        for (at, _) in writes {
            // SAFETY: the caller holds the lock; scanned after publication.
            unsafe { self.records[*at].prune(&active, &pin, &mut &self.met) };
        }
    }

    /// Begins to commit, and gets no further than installing one version: as a commit
    /// that panics. The engine commits nothing on top of it.
    pub(crate) fn fail_half_way(&self, at: usize, value: Value) {
        let commit = self.oracle.stamp();
        // SAFETY: as in `commit`, but for the publication: nobody commits any more.
        unsafe { self.records[at].install(version(value), commit) };
    }
}

/// An open snapshot, closed when dropped.
pub(crate) struct Snapshot {
    database: Arc<Database>,
    open: Option<OpenSlot>,
}

impl Snapshot {
    pub(crate) fn begin(database: &Arc<Database>) -> Self {
        let open = database.registry.open(&database.oracle).expect("fewer threads than slots");
        database.met.0.starts.fetch_or(1 << open.start().get(), Ordering::Relaxed);
        Self { database: Arc::clone(database), open: Some(open) }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn open(&self) -> &OpenSlot {
        self.open.as_ref().expect("open until dropped")
    }

    pub(crate) fn start(&self) -> u64 {
        self.open().start().get()
    }

    /// What the snapshot sees in the record; touches all of the version, which
    /// fails the model if it is freed, or not safe from being freed.
    pub(crate) fn read(&self, at: usize) -> Value {
        // SAFETY: the slot holds this start until the snapshot is dropped.
        let at_start = unsafe { SnapshotRef::new(self.open().start()) };
        value(&self.database.records[at], at_start)
    }

    pub(crate) fn exists(&self, at: usize) -> bool {
        // SAFETY: as above.
        let at_start = unsafe { SnapshotRef::new(self.open().start()) };
        self.database.records[at].exists(at_start)
    }
}

/// Reads a record that was written with [`version`].
pub(crate) fn value(record: &Record<u64>, at: SnapshotRef<'_>) -> Value {
    let version = record.read(at)?;
    assert_eq!(version.bytes(), version.header().to_le_bytes(), "a version of one piece");
    Some(*version.header())
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.database.registry.close(open);
        }
    }
}
