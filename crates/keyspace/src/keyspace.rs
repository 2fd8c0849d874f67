//! The store: entries by key, in the order of their keys' bytes.
#![expect(unsafe_code, reason = "what a snapshot sees is borrowed for as long as it is open")]

use std::fmt;
use std::sync::Arc;

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_env::Env;
use selvedge_index::OrderedIndex;
use selvedge_mvcc::{Pin, SnapshotRef, Version, pin};

use crate::bounds::Bounds;
use crate::entry::{Entry, EntryHeader};
use crate::error::Refusal;
use crate::time::ExpiryClock;
use crate::watchers::Watchers;
use crate::writer::EntryWriter;

/// Ordered keyed entries under snapshots: what an engine commits to.
///
/// Everything is read through an [`EntryView`](crate::EntryView) and written
/// through [`EntryWrites`](crate::EntryWrites) and the engine's commit.
///
/// # Examples
///
/// ```
/// use selvedge_engine::{Engine, EngineOptions};
/// use selvedge_env::Env;
/// use selvedge_keyspace::{Encoding, EntryView, EntryWrites, Keyspace, Mutation, ReadTime};
///
/// let engine = Engine::new(Keyspace::new(Env::real()), EngineOptions::default());
/// let mut writes = EntryWrites::new();
/// writes.put(b"name", Encoding::BYTES, b"Ada")?;
/// writes.mutate(b"visits", Mutation::Sum(1))?;
/// let open = engine.open().expect("few snapshots are open");
/// let commit = engine.commit(open, &mut writes, None).expect("nobody else writes");
///
/// let open = engine.open().expect("few snapshots are open");
/// let time = ReadTime::new();
/// let view = EntryView::new(engine.participant(), engine.at(&open), None, &time);
/// let visits = view.get(b"visits")?.expect("just committed");
/// assert_eq!((visits.version(), visits.number()), (Some(commit), Some(1)));
/// engine.close(open);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Keyspace {
    pub(crate) index: OrderedIndex<Entry>,
    pub(crate) clock: ExpiryClock,
    pub(crate) refused: RefusedCount,
    watchers: Arc<Watchers>,
}

/// Commits that were refused, by why.
#[derive(Debug, Default)]
pub(crate) struct RefusedCount {
    conflicts_write: AtomicU64,
    conflicts_read: AtomicU64,
    checks_failed: AtomicU64,
}

impl RefusedCount {
    pub(crate) fn count(&self, refusal: &Refusal) {
        let counter = match refusal {
            Refusal::Conflict { read: false, .. } => &self.conflicts_write,
            Refusal::Conflict { read: true, .. } => &self.conflicts_read,
            Refusal::ChecksFailed(_) => &self.checks_failed,
            Refusal::Computation(_) => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Keyspace {
    /// A keyspace without entries, in which time passes as `env` says.
    #[must_use]
    pub fn new(env: Env) -> Self {
        let (watchers, refused) = (Arc::default(), RefusedCount::default());
        Self { index: OrderedIndex::new(), clock: ExpiryClock::new(env), refused, watchers }
    }

    /// An empty one in the place of this one, with the same watchers and a clock that
    /// goes on.
    #[must_use]
    pub fn fresh(&self) -> Self {
        let fresh =
            Self { watchers: Arc::clone(&self.watchers), ..Self::new(self.clock.env().clone()) };
        fresh.clock.not_before(self.clock.now());
        fresh
    }

    /// Whether this one and another are the same one, at most in another life.
    #[must_use]
    pub fn is_same_database(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.watchers, &other.watchers)
    }

    /// Who waits for changes.
    #[must_use]
    pub fn watchers(&self) -> &Arc<Watchers> {
        &self.watchers
    }

    /// Now, in milliseconds since the epoch, as entries expire.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Entries, those included that only older snapshots see. Beside a commit: a
    /// recent number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no entry, not even one that only older snapshots see.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Commits that were refused because somebody else wrote an entry first, or one
    /// that was read; and those of which a check failed.
    #[must_use]
    pub fn refused(&self) -> [u64; 3] {
        let RefusedCount { conflicts_write, conflicts_read, checks_failed } = &self.refused;
        [conflicts_write, conflicts_read, checks_failed]
            .map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Bytes of memory that the index takes, keys included and versions not.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.index.bytes()
    }

    /// The version of a key that the snapshot sees, and that is no tombstone.
    pub(crate) fn read<'a>(
        &'a self,
        key: &[u8],
        at: SnapshotRef<'a>,
    ) -> Option<&'a Version<EntryHeader>> {
        let pin = pin();
        let version = self.index.get(key, pin.guard())?.record.read(at)?;
        // SAFETY: seen by the snapshot.
        Some(unsafe { beyond_the_pin(version) })
    }

    /// The entries between two bounds, first to last, or last to first.
    pub(crate) fn walk<'g>(
        &'g self,
        bounds: Bounds<'_>,
        reverse: bool,
        pin: &'g Pin,
    ) -> impl Iterator<Item = (&'g [u8], &'g Entry)> {
        let mut range = self.index.range(bounds, pin.guard());
        std::iter::from_fn(move || if reverse { range.next_back() } else { range.next() })
    }

    /// The newest value of a key, copied, and when it was committed. `writer` proves
    /// that the commit lock is held.
    #[must_use]
    pub fn newest(&self, _writer: &EntryWriter, key: &[u8]) -> Option<(Timestamp, Vec<u8>)> {
        let pin = pin();
        // SAFETY: under the pin.
        let version = unsafe { self.entry(key, &pin)?.record.newest() }?;
        (!version.is_tombstone()).then(|| (version.commit(), version.bytes().to_vec()))
    }

    /// The entry of a key.
    pub(crate) fn entry<'g>(&'g self, key: &[u8], pin: &'g Pin) -> Option<&'g Entry> {
        self.index.get(key, pin.guard())
    }
}

/// Keeps a reference longer than the pin under which it was found.
///
/// # Safety
/// A snapshot that stays open for `'a`, of the engine whose participant the
/// keyspace is, sees a value of an entry, and `seen` is the version with that
/// value, or the key of the entry. (K2: the entry stays in the index, and the
/// version in its record.) The keyspace is borrowed for `'a`.
pub(crate) unsafe fn beyond_the_pin<'a, T: ?Sized>(seen: &T) -> &'a T {
    // SAFETY: by the contract what is seen is not freed during 'a.
    unsafe { &*std::ptr::from_ref(seen) }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyspace").field("len", &self.len()).finish_non_exhaustive()
    }
}
