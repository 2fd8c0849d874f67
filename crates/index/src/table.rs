//! One table of the hash index: open addressing, linear probing, slots that a
//! single writer fills and any number of readers walk.
#![expect(unsafe_code, reason = "a retired table is owned through a raw pointer, see RetiredTable")]

use std::fmt;
use std::mem::size_of;
use std::ptr::NonNull;

use selvedge_base::sync::atomic::{AtomicU64, Ordering};

/// The id of a slot that was never filled; a walk ends here.
pub(crate) const EMPTY: u64 = 0;
/// The id of a slot whose entry is gone; a walk goes on past it.
pub(crate) const REMOVED: u64 = u64::MAX;

/// A power of two of slots, of which at least one is [`EMPTY`] (H3).
pub(crate) struct Table {
    slots: Box<[Slot]>,
}

/// Aligned to its size, so that an entry never straddles two cache lines.
#[repr(align(16))]
struct Slot {
    hash: AtomicU64,
    id: AtomicU64,
}

/// How [`Table::insert`] found room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Placed {
    /// In a slot that was empty.
    Fresh,
    /// In a removed slot of the same hash.
    Reused,
}

impl Table {
    pub(crate) fn new(capacity: usize) -> Self {
        assert!(capacity.is_power_of_two(), "a table's capacity is a power of two");
        let slot = |_| Slot { hash: AtomicU64::new(0), id: AtomicU64::new(EMPTY) };
        Self { slots: (0..capacity).map(slot).collect() }
    }

    pub(crate) fn bytes(capacity: usize) -> usize {
        capacity * size_of::<Slot>()
    }

    /// Where the walk for `hash` starts. The top bits chose the shard, so the
    /// low bits are still free to choose the slot.
    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// The slots of the walk for `hash`, once round the table.
    fn walk(&self, hash: u64) -> impl Iterator<Item = &Slot> {
        let (wrapped, first) = self.slots.split_at(self.home(hash));
        first.iter().chain(wrapped)
    }

    /// Writer only: adds a pair. The caller has made sure that an empty slot
    /// remains afterwards.
    pub(crate) fn insert(&self, hash: u64, id: u64) -> Placed {
        for slot in self.walk(hash) {
            // Relaxed, twice: only the writer stores to slots, so it reads its own
            // stores (or those of an earlier writer, ordered by the caller's lock).
            let found = slot.id.load(Ordering::Relaxed);
            if found == EMPTY {
                // Relaxed: made visible by the Release of the id.
                slot.hash.store(hash, Ordering::Relaxed);
                // Release, partner: the Acquire of the id in `Candidates::next`.
                slot.id.store(id, Ordering::Release);
                return Placed::Fresh;
            }
            if found == REMOVED && slot.hash.load(Ordering::Relaxed) == hash {
                // Release, partner as above. The slot keeps its hash (H1).
                slot.id.store(id, Ordering::Release);
                return Placed::Reused;
            }
        }
        unreachable!("a table always keeps an empty slot (H3)")
    }

    /// Writer only: marks one slot that holds this pair as removed; false when
    /// there is none.
    pub(crate) fn remove(&self, hash: u64, id: u64) -> bool {
        for slot in self.walk(hash) {
            // Relaxed, twice: as in `insert`.
            let found = slot.id.load(Ordering::Relaxed);
            if found == EMPTY {
                return false;
            }
            if found == id && slot.hash.load(Ordering::Relaxed) == hash {
                // Relaxed, no partner: a reader that sees the mark reads nothing
                // behind it, and one that misses it yields a removed id, as it may.
                slot.id.store(REMOVED, Ordering::Relaxed);
                return true;
            }
        }
        false
    }

    /// Writer only: a new table of `capacity` slots with the live entries.
    pub(crate) fn rebuilt(&self, capacity: usize) -> Self {
        let table = Self::new(capacity);
        for slot in &self.slots {
            // Relaxed, twice: as in `insert`.
            let id = slot.id.load(Ordering::Relaxed);
            if id != EMPTY && id != REMOVED {
                table.insert(slot.hash.load(Ordering::Relaxed), id);
            }
        }
        table
    }
}

/// The ids under one hash, from [`HashIndex::candidates`].
///
/// [`HashIndex::candidates`]: crate::HashIndex::candidates
pub struct Candidates<'a> {
    /// No slots at all when the shard has no table yet.
    slots: &'a [Slot],
    position: usize,
    hash: u64,
}

impl<'a> Candidates<'a> {
    pub(crate) fn new(table: Option<&'a Table>, hash: u64) -> Self {
        match table {
            Some(table) => Self { slots: &table.slots, position: table.home(hash), hash },
            None => Self { slots: &[], position: 0, hash },
        }
    }
}

impl Iterator for Candidates<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        // Ends at an empty slot, and every table keeps one (H3).
        loop {
            let slot = self.slots.get(self.position)?;
            // Acquire, partner: the Release stores of the id in `Table::insert`. The
            // id must be read before the hash: an id read later could belong to an
            // entry whose hash was not yet there when it was read.
            let id = slot.id.load(Ordering::Acquire);
            if id == EMPTY {
                return None;
            }
            self.position = (self.position + 1) & (self.slots.len() - 1);
            // Relaxed: written before the id that was just acquired, and never
            // again in this table (H1).
            if slot.hash.load(Ordering::Relaxed) == self.hash && id != REMOVED {
                return Some(id);
            }
        }
    }
}

impl std::iter::FusedIterator for Candidates<'_> {}

impl fmt::Debug for Candidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidates").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// A table that no new reader can reach, while earlier readers may still be in
/// it. Dropping it frees it, so the writer keeps it until they are done.
#[must_use = "dropping a retired table frees it under the readers that are still in it"]
pub struct RetiredTable {
    /// Raw, because readers hold references into the table while this moves,
    /// which a `Box` would forbid.
    table: NonNull<Table>,
    bytes: usize,
}

// SAFETY: the only thing a `RetiredTable` does is free a table, which is made of
// atomics and a heap block and may be freed by any thread.
unsafe impl Send for RetiredTable {}
// SAFETY: a shared `RetiredTable` gives nothing but a number.
unsafe impl Sync for RetiredTable {}

impl RetiredTable {
    /// Takes over a table that the shard no longer points to.
    ///
    /// # Safety
    ///
    /// `table` came from `Box::into_raw`, nobody else will free it, and readers
    /// that still hold it are done before the result is dropped.
    pub(crate) unsafe fn new(table: NonNull<Table>, bytes: usize) -> Self {
        Self { table, bytes }
    }

    /// Bytes that dropping it gives back.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for RetiredTable {
    fn drop(&mut self) {
        // SAFETY: by the contract of `new`, the table came from `Box::into_raw`, is
        // freed here only, and has no readers left.
        drop(unsafe { Box::from_raw(self.table.as_ptr()) });
    }
}

impl fmt::Debug for RetiredTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetiredTable").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
