//! The catalog: names of labels and edge types, and what hangs on each.
//!
//! A name becomes part of the database with the first commit that uses it. Until
//! then transactions that use it share a *reservation*, which goes with the last
//! of them: a rollback leaves no trace, and two transactions that use a new name
//! at the same time agree on its number without a conflict.
#![expect(unsafe_code, reason = "the current catalog is shared by raw pointer")]

use std::fmt;
use std::sync::{Arc, OnceLock};

use selvedge_base::hash::Map;
use selvedge_base::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use selvedge_base::sync::{LockRank, Mutex, mutex};
use selvedge_base::{EdgeTypeId, LabelId, Timestamp};
use selvedge_mvcc::{Record, Retired, SnapshotRef, Table};

use crate::edge_type::EdgeTypeDef;
use crate::graph::LEAF_IDS;

/// Identifiers in one word of a label's members.
pub(crate) const MEMBERS_PER_WORD: u64 = 64;
/// Words in a leaf of a label's members: those of one leaf of nodes.
const MEMBER_WORDS: usize = LEAF_IDS / MEMBERS_PER_WORD as usize;

/// What the database keeps for each label.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) id: LabelId,
    pub(crate) name: Arc<str>,
    /// When the label came to be; set by the commit that first uses it.
    pub(crate) created: OnceLock<Timestamp>,
    /// The number of nodes, by commit.
    pub(crate) count: Record<u64>,
    /// When a node with this label was last inserted or deleted.
    pub(crate) changed: AtomicU64,
    /// A bit for each node that has, or had until it is pruned, this label.
    pub(crate) members: Table<AtomicU64, MEMBER_WORDS>,
}

/// What the database keeps for each edge type.
#[derive(Debug)]
pub(crate) struct EdgeType {
    pub(crate) id: EdgeTypeId,
    pub(crate) name: Arc<str>,
    /// When the type came to be, and as what.
    pub(crate) created: OnceLock<(Timestamp, EdgeTypeDef)>,
    /// The number of edges, by commit.
    pub(crate) count: Record<u64>,
}

/// A kind of name: labels or edge types.
pub(crate) trait Named: Send + Sync {
    /// The entry of a name that is not in the database yet.
    fn reserve(number: u32, name: Arc<str>) -> Self;
    fn number(&self) -> u32;
    fn name(&self) -> &Arc<str>;
}

impl Named for Label {
    fn reserve(number: u32, name: Arc<str>) -> Self {
        Self {
            id: LabelId::new(number),
            name,
            created: OnceLock::new(),
            count: Record::default(),
            changed: AtomicU64::new(0),
            members: Table::new(),
        }
    }

    fn number(&self) -> u32 {
        self.id.get()
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }
}

impl Named for EdgeType {
    fn reserve(number: u32, name: Arc<str>) -> Self {
        let (created, count) = (OnceLock::new(), Record::default());
        Self { id: EdgeTypeId::new(number), name, created, count }
    }

    fn number(&self) -> u32 {
        self.id.get()
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }
}

/// Up to so many names are searched one by one.
const NAMES_SEARCHED: usize = 4;

/// The names of one kind that are in the database, at one moment; immutable.
pub(crate) struct NameTable<E> {
    by_name: Map<Arc<str>, Arc<E>>,
    by_number: Vec<Option<Arc<E>>>,
}

impl<E: Named> NameTable<E> {
    fn new() -> Self {
        Self { by_name: Map::default(), by_number: Vec::new() }
    }

    #[inline]
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<E>> {
        if self.by_number.len() <= NAMES_SEARCHED {
            // Comparing a few names is cheaper than hashing one.
            return self.iter().find(|entry| **entry.name() == *name);
        }
        self.by_name.get(name)
    }

    pub(crate) fn by_number(&self, number: u32) -> Option<&Arc<E>> {
        self.by_number.get(number as usize)?.as_ref()
    }

    /// All entries, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<E>> {
        self.by_number.iter().flatten()
    }

    fn with(&self, entries: &[Arc<E>]) -> Self {
        let mut new = Self { by_name: self.by_name.clone(), by_number: self.by_number.clone() };
        for entry in entries {
            let at = entry.number() as usize;
            if new.by_number.len() <= at {
                new.by_number.resize_with(at + 1, || None);
            }
            new.by_number[at] = Some(Arc::clone(entry));
            new.by_name.insert(Arc::clone(entry.name()), Arc::clone(entry));
        }
        new
    }
}

/// Names that some open transaction uses and no commit has used yet.
struct Reservations<E> {
    by_name: Map<Arc<str>, (Arc<E>, usize)>,
    next: u32,
    /// Numbers whose reservation ended without a commit.
    free: Vec<u32>,
}

/// The names of one kind: labels or edge types.
pub(crate) struct Names<E> {
    /// Replaced as a whole; the old table is retired through the limbo, so that
    /// an open snapshot reads it without a pin.
    current: AtomicPtr<NameTable<E>>,
    reservations: Mutex<Reservations<E>>,
    limit: usize,
}

/// There are as many names of this kind as there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamesFull {
    pub(crate) limit: usize,
}

impl<E: Named + 'static> Names<E> {
    pub(crate) fn new(limit: usize) -> Self {
        let reservations = Reservations { by_name: Map::default(), next: 0, free: Vec::new() };
        Self {
            current: AtomicPtr::new(Box::into_raw(Box::new(NameTable::new()))),
            reservations: mutex(LockRank::NameReservations, reservations),
            limit,
        }
    }

    /// The names in the database now. Newer than the snapshot perhaps: what an
    /// entry holds is versioned itself.
    #[inline]
    pub(crate) fn table<'s>(&'s self, _at: SnapshotRef<'s>) -> &'s NameTable<E> {
        // SAFETY: the snapshot was open before the load.
        unsafe { self.current() }
    }

    /// The names in the database now.
    ///
    /// # Safety
    /// For `'w` a snapshot is open, or the commit lock is held.
    #[inline]
    pub(crate) unsafe fn current<'w>(&self) -> &'w NameTable<E> {
        // SAFETY: never null; retired tables outlive open snapshots, and the
        // holder of the commit lock is the one who retires.
        // Acquire: partner of the Release store in `publish`.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    /// The entry of `name` for a transaction that will write with it: of the
    /// database, or reserved; `true` for reserved, which must be released.
    pub(crate) fn reserve(
        &self,
        name: &str,
        at: SnapshotRef<'_>,
    ) -> Result<(Arc<E>, bool), NamesFull> {
        if let Some(entry) = self.table(at).by_name(name) {
            return Ok((Arc::clone(entry), false));
        }
        let mut reservations = self.reservations.lock();
        // Again, under the mutex that every publication takes: the name is in
        // the database, or reserved, or in neither.
        if let Some(entry) = self.table(at).by_name(name) {
            return Ok((Arc::clone(entry), false));
        }
        if let Some((entry, users)) = reservations.by_name.get_mut(name) {
            *users += 1;
            return Ok((Arc::clone(entry), true));
        }
        let number = match reservations.free.pop() {
            Some(number) => number,
            None if (reservations.next as usize) < self.limit => {
                reservations.next += 1;
                reservations.next - 1
            }
            None => return Err(NamesFull { limit: self.limit }),
        };
        let name: Arc<str> = name.into();
        let entry = Arc::new(E::reserve(number, Arc::clone(&name)));
        reservations.by_name.insert(name, (Arc::clone(&entry), 1));
        Ok((entry, true))
    }

    /// Reserves `name` under a number that it had in an earlier life of the
    /// database.
    pub(crate) fn reserve_as(&self, number: u32, name: &str) -> Arc<E> {
        let mut reservations = self.reservations.lock();
        reservations.next = reservations.next.max(number + 1);
        let name: Arc<str> = name.into();
        let entry = Arc::new(E::reserve(number, Arc::clone(&name)));
        reservations.by_name.insert(name, (Arc::clone(&entry), 1));
        entry
    }

    /// Ends one transaction's use of a reservation.
    pub(crate) fn release(&self, entry: &Arc<E>) {
        let mut reservations = self.reservations.lock();
        // A published entry has no reservation any more.
        let Some((_, users)) = reservations.by_name.get_mut(entry.name()) else { return };
        *users -= 1;
        if *users == 0 {
            reservations.by_name.remove(entry.name());
            reservations.free.push(entry.number());
        }
    }

    /// The number of reserved names.
    pub(crate) fn reserved(&self) -> usize {
        self.reservations.lock().by_name.len()
    }

    /// Makes reserved entries part of the database; gives the old table.
    ///
    /// # Safety
    /// The caller holds the commit lock, and puts what it gets into the limbo.
    pub(crate) unsafe fn publish(&self, entries: &[Arc<E>]) -> Retired {
        let mut reservations = self.reservations.lock();
        // SAFETY: the commit lock is held.
        let new = Box::into_raw(Box::new(unsafe { self.current() }.with(entries)));
        // Partner: the Acquire load in `current`.
        let old = self.current.swap(new, Ordering::AcqRel);
        for entry in entries {
            reservations.by_name.remove(entry.name());
        }
        // SAFETY: made by Box, unlinked just now.
        Retired::new(unsafe { Box::from_raw(old) })
    }
}

impl<E> Drop for Names<E> {
    fn drop(&mut self) {
        // SAFETY: owned alone; made by Box.
        drop(unsafe { Box::from_raw(self.current.load(Ordering::Acquire)) });
    }
}

impl<E> fmt::Debug for Names<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("limit", &self.limit).finish_non_exhaustive()
    }
}
