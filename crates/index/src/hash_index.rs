//! The hash index: a multimap from 64-bit hashes to ids, in shards that grow and
//! shrink on their own. The protocol is told at the crate root.
#![expect(unsafe_code, reason = "shards publish their tables through raw pointers")]

use std::fmt;
use std::ptr::{self, NonNull};

use selvedge_base::sync::CachePadded;
use selvedge_base::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::table::{Candidates, EMPTY, Placed, REMOVED, RetiredTable, Table};

/// Shards, chosen by the top bits of the hash: a rebuild copies one of them.
const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 6;
/// The smallest table; one this small does not shrink, so that a shard that
/// goes back and forth between zero and one entries does not allocate.
const CAPACITY_MIN: usize = 8;

/// A multimap from a 64-bit hash to ids, for one writer and any number of
/// readers that take no lock.
///
/// It maps to candidates only: comparing the real key, and deciding whether a
/// snapshot may see the record, is the caller's work. The hash must be well
/// mixed in its top bits (they choose the shard) and its low bits (they choose
/// the slot). Ids are neither 0 nor `u64::MAX`.
///
/// A few ids may share one hash; thousands are correct but slow, since a call
/// walks over all of them.
///
/// # Examples
///
/// ```
/// use selvedge_index::HashIndex;
///
/// let index = HashIndex::new();
/// // SAFETY: one thread, so there is one writer and no reader beside it.
/// unsafe {
///     drop(index.insert(0x5eed, 7));
///     assert_eq!(index.candidates(0x5eed).collect::<Vec<_>>(), [7]);
///     let (removed, retired) = index.remove(0x5eed, 7);
///     drop(retired);
///     assert!(removed);
/// }
/// assert!(index.is_empty());
/// ```
///
/// With readers beside the writer, an epoch can keep the retired tables:
///
/// ```
/// use selvedge_index::HashIndex;
///
/// let index = HashIndex::new();
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         for id in 1..1_000_u64 {
///             // SAFETY: the only writer; the epoch frees the table only after
///             // every reader that was pinned before has gone.
///             if let Some(retired) = unsafe { index.insert(id << 40, id) } {
///                 crossbeam_epoch::pin().defer(move || drop(retired));
///             }
///         }
///     });
///     scope.spawn(|| {
///         let guard = crossbeam_epoch::pin();
///         // SAFETY: pinned for as long as the iterator lives.
///         let found = unsafe { index.candidates(5 << 40) }.next();
///         assert!(found.is_none_or(|id| id == 5));
///         drop(guard);
///     });
/// });
/// ```
pub struct HashIndex {
    /// What readers touch: null until the first insert of the shard. Apart from
    /// the counts, so that the writer's counting does not take these lines away.
    tables: CachePadded<[AtomicPtr<Table>; SHARDS]>,
    counts: CachePadded<[Counts; SHARDS]>,
}

/// Written by the writer only, read by anyone as a hint. All accesses are
/// Relaxed without a partner: nothing is published through them, and writers
/// are ordered among themselves by the lock that makes them one at a time.
#[derive(Default)]
struct Counts {
    live: AtomicUsize,
    /// Slots that are not empty: the live and the removed ones.
    used: AtomicUsize,
    capacity: AtomicUsize,
}

impl HashIndex {
    /// An index with no entries and no tables.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tables: CachePadded::new(std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))),
            counts: CachePadded::new(std::array::from_fn(|_| Counts::default())),
        }
    }

    /// The ids under `hash`, in no particular order.
    ///
    /// Yields every id that was inserted before the call and is not removed
    /// before the iterator ends, and never an id of another hash. An id that is
    /// inserted or removed meanwhile may or may not come; one that is removed
    /// and inserted again meanwhile may come twice.
    ///
    /// # Safety
    ///
    /// From this call until the iterator is dropped, no [`RetiredTable`] that
    /// this index hands back after the call has begun may be dropped. (One
    /// handed back earlier is no concern: an insert or removal that returned
    /// before the call, in the happens-before sense, has hidden its table.)
    /// Pinning an epoch before the call and unpinning after the iterator does
    /// it when the writer defers each drop through that same epoch.
    #[must_use]
    pub unsafe fn candidates(&self, hash: u64) -> Candidates<'_> {
        // Acquire, partner: the Release store in `rebuild`.
        let table = self.tables[shard_of(hash)].load(Ordering::Acquire);
        // SAFETY: null, or a table that was current during this call. It is freed by
        // dropping the index, which the borrow rules out, or its `RetiredTable`,
        // which the caller rules out.
        Candidates::new(unsafe { table.as_ref() }, hash)
    }

    /// Adds a pair. The pair must not be there already, or it will be yielded
    /// twice and need two removals.
    ///
    /// # Panics
    ///
    /// When `id` is 0 or `u64::MAX`.
    ///
    /// # Safety
    ///
    /// No other thread writes to this index during the call, and calls by
    /// different threads are ordered by happens-before: the caller holds the
    /// lock of the writer. A table handed back is not dropped before every
    /// iterator that [`candidates`](Self::candidates) gave before, or gives
    /// during, this call is dropped.
    #[must_use = "a retired table is kept until its readers are done"]
    pub unsafe fn insert(&self, hash: u64, id: u64) -> Option<RetiredTable> {
        assert!(id != EMPTY && id != REMOVED, "0 and u64::MAX are not ids");
        let shard = shard_of(hash);
        let counts = &self.counts[shard];
        let live = counts.live.load(Ordering::Relaxed);
        let full = counts.used.load(Ordering::Relaxed) + 1
            > used_max(counts.capacity.load(Ordering::Relaxed));
        // SAFETY: the caller's promises are those of `rebuild`.
        let retired = if full { unsafe { self.rebuild(shard, live + 1) } } else { None };
        // Relaxed: the writer reads its own store.
        let table = self.tables[shard].load(Ordering::Relaxed);
        // SAFETY: `rebuild` left a table there if none was, and only the writer,
        // which is here, retires it.
        let placed = unsafe { &*table }.insert(hash, id);
        if placed == Placed::Fresh {
            counts.used.store(counts.used.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        counts.live.store(live + 1, Ordering::Relaxed);
        retired
    }

    /// Takes one occurrence of a pair out; false when it was not there.
    ///
    /// # Safety
    ///
    /// As for [`insert`](Self::insert).
    #[must_use = "a retired table is kept until its readers are done"]
    pub unsafe fn remove(&self, hash: u64, id: u64) -> (bool, Option<RetiredTable>) {
        // The marks of empty and removed slots are not ids and match none.
        if id == EMPTY || id == REMOVED {
            return (false, None);
        }
        let shard = shard_of(hash);
        let counts = &self.counts[shard];
        // Relaxed: the writer reads its own store.
        let table = self.tables[shard].load(Ordering::Relaxed);
        // SAFETY: null or the current table, which only the writer, which is here,
        // retires.
        let removed = unsafe { table.as_ref() }.is_some_and(|table| table.remove(hash, id));
        if !removed {
            return (false, None);
        }
        let live = counts.live.load(Ordering::Relaxed) - 1;
        counts.live.store(live, Ordering::Relaxed);
        let capacity = counts.capacity.load(Ordering::Relaxed);
        let sparse = capacity > CAPACITY_MIN && live < capacity / 8;
        // SAFETY: the caller's promises are those of `rebuild`.
        let retired = if sparse { unsafe { self.rebuild(shard, live) } } else { None };
        (true, retired)
    }

    /// Entries. Beside a writer: a recent number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.iter().map(|counts| counts.live.load(Ordering::Relaxed)).sum()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held, without the tables that were handed back as retired.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let capacity = |counts: &Counts| counts.capacity.load(Ordering::Relaxed);
        size_of::<Self>()
            + self.counts.iter().map(|counts| Table::bytes(capacity(counts))).sum::<usize>()
    }

    /// Replaces the table of a shard by one that has room for `live` entries:
    /// larger, of the same size but without removed slots, or smaller.
    ///
    /// # Safety
    ///
    /// As for [`insert`](Self::insert).
    #[cold]
    unsafe fn rebuild(&self, shard: usize, live: usize) -> Option<RetiredTable> {
        let counts = &self.counts[shard];
        let capacity = capacity_for(live);
        // Relaxed: the writer reads its own store.
        let old = NonNull::new(self.tables[shard].load(Ordering::Relaxed));
        let new = match old {
            // SAFETY: the current table, which only the writer, which is here, retires.
            Some(old) => unsafe { old.as_ref() }.rebuilt(capacity),
            None => Table::new(capacity),
        };
        // Release, partner: the Acquire load in `candidates`, which then finds the
        // filled table.
        self.tables[shard].store(Box::into_raw(Box::new(new)), Ordering::Release);
        counts.used.store(counts.live.load(Ordering::Relaxed), Ordering::Relaxed);
        let capacity_old = counts.capacity.load(Ordering::Relaxed);
        counts.capacity.store(capacity, Ordering::Relaxed);
        // SAFETY: tables come from `Box::into_raw` above, this one was just unlinked
        // and is handed to nobody else, and the caller keeps the result while
        // readers may be in it.
        old.map(|old| unsafe { RetiredTable::new(old, Table::bytes(capacity_old)) })
    }
}

fn shard_of(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARD_BITS)) as usize
}

/// Slots in use at most. Below the capacity, so that an empty one ends each walk.
fn used_max(capacity: usize) -> usize {
    capacity / 10 * 7 + capacity % 10 * 7 / 10
}

/// At most half full: a fifth of the slots can be used up before the next
/// rebuild, so each operation pays for a few slots of it.
fn capacity_for(live: usize) -> usize {
    (live * 2).next_power_of_two().max(CAPACITY_MIN)
}

impl Default for HashIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HashIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashIndex").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Drop for HashIndex {
    fn drop(&mut self) {
        for table in self.tables.iter() {
            // Relaxed: exclusive access, so whoever wrote last happened before.
            let table = table.load(Ordering::Relaxed);
            if !table.is_null() {
                // SAFETY: from `Box::into_raw`, still linked and so never retired; the
                // exclusive borrow proves that no iterator is left.
                drop(unsafe { Box::from_raw(table) });
            }
        }
    }
}
