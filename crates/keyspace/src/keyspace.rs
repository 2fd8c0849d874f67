//! The store: entries by key, in the order of their keys' bytes.
#![expect(unsafe_code, reason = "what a snapshot sees is borrowed for as long as it is open")]

use std::fmt;
use std::sync::Arc;

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_env::Env;
use selvedge_index::{Entry as Indexed, KeyParts, KeyedIndex};
use selvedge_mvcc::{Pin, SnapshotRef, Version};

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
    pub(crate) index: KeyedIndex<Entry>,
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
        let index = KeyedIndex::new(env.random_up_to(u64::MAX));
        let index = index.hinting(|entry: &Entry| entry.record.newest_address());
        Self { index, clock: ExpiryClock::new(env), refused, watchers }
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
    #[inline(always)]
    pub(crate) fn read<'a, 'k>(
        &'a self,
        key: impl Into<KeyParts<'k>>,
        at: SnapshotRef<'a>,
    ) -> Option<&'a Version<EntryHeader>> {
        // SAFETY: the snapshot is open, and what leaves the index waits for those (K5).
        unsafe { self.index.get(key) }?.record.read(at)
    }

    /// Asks memory for what reading these keys will look at.
    pub(crate) fn prefetch<K: AsRef<[u8]>>(&self, keys: &[K], _open: SnapshotRef<'_>) {
        // SAFETY: as in `read`.
        unsafe { self.index.prefetch(keys) };
    }

    /// The entries between two bounds, first to last, or last to first.
    ///
    /// # Safety
    /// As for [`entry`](Self::entry).
    pub(crate) unsafe fn walk<'g>(
        &'g self,
        bounds: Bounds<'_>,
        reverse: bool,
        pin: &'g Pin,
    ) -> impl Iterator<Item = (&'g [u8], &'g Entry)> {
        // SAFETY: the caller's contract.
        let mut range = unsafe { self.index.range(bounds, pin.guard()) };
        std::iter::from_fn(move || if reverse { range.next_back() } else { range.next() })
    }

    /// The newest value of a key, copied, and when it was committed. `writer` proves
    /// that the commit lock is held.
    #[must_use]
    pub fn newest(&self, _writer: &EntryWriter, key: &[u8]) -> Option<(Timestamp, Vec<u8>)> {
        let pin = selvedge_mvcc::pin();
        // SAFETY: under the commit lock, and the pin; nothing is freed in here.
        let version = unsafe { self.entry(key, &pin)?.record.newest() }?;
        (!version.is_tombstone()).then(|| (version.commit(), version.bytes().to_vec()))
    }

    /// The entry of a key.
    ///
    /// # Safety
    /// The caller holds the commit lock, and does not free what waits for snapshots,
    /// or has a snapshot open, as long as what is found is used (K5).
    pub(crate) unsafe fn entry<'g>(&'g self, key: &[u8], _pin: &'g Pin) -> Option<&'g Entry> {
        // SAFETY: the caller's contract.
        unsafe { self.index.get(key) }
    }
}

/// Keeps an entry longer than the pin under which it was found.
///
/// # Safety
/// A snapshot of the engine whose participant the keyspace is was open when the entry
/// was found, and stays open for `'a`: nothing that leaves the index meanwhile is freed
/// before its end (K5). The keyspace is borrowed for `'a`.
pub(crate) unsafe fn kept_for<'a>(found: Indexed<'_, Entry>) -> Indexed<'a, Entry> {
    // SAFETY: types that differ in a lifetime; by the contract the entry outlives it.
    unsafe { std::mem::transmute(found) }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyspace").field("len", &self.len()).finish_non_exhaustive()
    }
}
