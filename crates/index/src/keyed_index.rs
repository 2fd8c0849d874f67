//! The keyed index: an ordered index, and tables that lead from the hash of a key to
//! its entry at once. The protocol is told at the crate root.
#![expect(unsafe_code, reason = "tables and entries are freed by who knows their readers")]

use std::fmt;
use std::ops::Bound;
use std::ptr::{self, NonNull};

use ahash::RandomState;
use crossbeam_epoch::Guard;
use selvedge_base::sync::CachePadded;
use selvedge_base::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::entry::{self, Block, Entry};
use crate::key_table::{KeyTable, LINE_SLOTS};
use crate::ordered_index::OrderedIndex;
use crate::range::Range;

/// Tables, chosen by some bits of the hash: a rebuild copies one of them.
const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 6;
/// Where those bits are: below the ones that stand in the slots.
const SHARD_SHIFT: u32 = 42;
/// Keys of which memory is asked for at once.
const AHEAD: usize = 32;

/// An ordered map from byte keys to values, in which a single key is found in one
/// step: by its hash, without a guard and without a walk down the tree. One writer, any
/// number of readers that take no lock.
///
/// The nodes of the tree are freed by epochs, as those of an [`OrderedIndex`]. Entries
/// and tables are handed back when they go, as [`RetiredParts`]; to keep them until
/// their readers are done is the caller's work.
///
/// # Examples
///
/// ```
/// use selvedge_index::KeyedIndex;
///
/// let index = KeyedIndex::new(0x5eed);
/// let guard = crossbeam_epoch::pin();
/// // SAFETY: one thread, so there is one writer, and nobody uses what is dropped.
/// unsafe {
///     drop(index.insert(b"first", 1, &guard).expect("a new key"));
///     drop(index.insert(b"second", 2, &guard).expect("a new key"));
///     assert_eq!(index.get(b"second"), Some(&2));
///     drop(index.remove(b"second", &guard).expect("it was there"));
///     assert_eq!(index.get(b"second"), None);
/// }
/// ```
pub struct KeyedIndex<V> {
    ordered: OrderedIndex<V>,
    hasher: RandomState,
    /// What readers touch: null until the first insert of the shard.
    tables: CachePadded<[AtomicPtr<KeyTable<V>>; SHARDS]>,
    counts: CachePadded<[Counts; SHARDS]>,
}

/// Written by the writer only, read by anyone as a hint: Relaxed without a partner.
#[derive(Default)]
struct Counts {
    live: AtomicUsize,
    /// Slots that are not empty: of the live and of the removed.
    used: AtomicUsize,
    lines: AtomicUsize,
}

impl<V> KeyedIndex<V> {
    /// An index with no entries. Keys are hashed with `seed`: where strangers choose
    /// the keys it is one that they do not know.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::over(OrderedIndex::new(), seed)
    }

    /// As [`new`](Self::new), over a tree of this node capacity, see
    /// [`OrderedIndex::with_node_capacity`].
    ///
    /// # Panics
    ///
    /// As there.
    #[must_use]
    pub fn with_node_capacity(capacity: usize, seed: u64) -> Self {
        Self::over(OrderedIndex::with_node_capacity(capacity), seed)
    }

    fn over(ordered: OrderedIndex<V>, seed: u64) -> Self {
        Self {
            ordered,
            hasher: RandomState::with_seeds(seed, !seed, 0x5e1_7ed6e, 0x6e7a),
            tables: CachePadded::new(std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))),
            counts: CachePadded::new(std::array::from_fn(|_| Counts::default())),
        }
    }

    /// The value of a key. A key that was there before the call and is there after it
    /// is found.
    ///
    /// # Safety
    ///
    /// From this call on, for as long as the value is used, nothing is dropped that
    /// this index hands back after the call has begun.
    #[inline]
    #[must_use]
    pub unsafe fn get(&self, key: &[u8]) -> Option<&V> {
        let hash = self.hash(key);
        // SAFETY: by the contract neither the table is freed nor an entry that it has.
        let found = unsafe { self.table(hash)?.find(hash, key) };
        found.map(Entry::value)
    }

    /// Asks memory for what [`get`](Self::get) of these keys will look at, so that the
    /// waits for it overlap; `next` asks for what lies behind a value. A hint: a value
    /// may be that of another key.
    ///
    /// # Safety
    ///
    /// As for [`get`](Self::get), during the call.
    pub unsafe fn prefetch<K: AsRef<[u8]>>(&self, keys: &[K], next: impl Fn(&V)) {
        for keys in keys.chunks(AHEAD) {
            let mut hashes = [0; AHEAD];
            let mut likely = [None; AHEAD];
            for (hash, key) in hashes.iter_mut().zip(keys) {
                *hash = self.hash(key.as_ref());
                // SAFETY: the caller's contract, here and below.
                unsafe { self.table(*hash) }.into_iter().for_each(|table| table.prefetch(*hash));
            }
            for (entry, hash) in likely.iter_mut().zip(&hashes[..keys.len()]) {
                // SAFETY: as above.
                *entry = unsafe { self.table(*hash).and_then(|table| table.likely(*hash)) };
                if let Some(entry) = entry {
                    entry.prefetch();
                }
            }
            likely.into_iter().flatten().for_each(|entry| next(entry.value()));
        }
    }

    /// # Safety
    ///
    /// As for [`get`](Self::get).
    #[inline]
    unsafe fn table(&self, hash: u64) -> Option<&KeyTable<V>> {
        // Acquire, partner: the Release store in `rebuild`.
        let table = self.tables[shard_of(hash)].load(Ordering::Acquire);
        // SAFETY: null, or a table that was current during this call, which by the
        // contract is not freed meanwhile.
        unsafe { table.as_ref() }
    }

    /// The entries between two bounds, as [`OrderedIndex::range`].
    ///
    /// # Panics
    ///
    /// When the guard is not one of [`crossbeam_epoch::pin`].
    ///
    /// # Safety
    ///
    /// As for [`get`](Self::get), for as long as the range or anything from it is used.
    #[must_use]
    pub unsafe fn range<'g>(
        &'g self,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        guard: &'g Guard,
    ) -> Range<'g, V> {
        self.ordered.range(bounds, guard)
    }

    /// Entries. Beside a writer: a recent number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    /// Bytes of the tables, and of what [`OrderedIndex::bytes`] counts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lines = |counts: &Counts| counts.lines.load(Ordering::Relaxed);
        let tables = self.counts.iter().map(|counts| KeyTable::<V>::bytes(lines(counts)));
        size_of::<Self>() - size_of::<OrderedIndex<V>>()
            + tables.sum::<usize>()
            + self.ordered.bytes()
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        use std::hash::{BuildHasher as _, Hasher as _};
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// Replaces the table of a shard by one that has room for `live` entries: larger,
    /// of the same size but without removed slots, or smaller.
    ///
    /// # Safety
    ///
    /// The caller is the only writer, and keeps what comes back as long as readers may
    /// be in it.
    #[cold]
    unsafe fn rebuild(&self, shard: usize, live: usize) -> Option<NonNull<KeyTable<V>>> {
        let counts = &self.counts[shard];
        let lines = (2 * live).div_ceil(LINE_SLOTS).next_power_of_two();
        // Relaxed: the writer reads its own store.
        let old = NonNull::new(self.tables[shard].load(Ordering::Relaxed));
        let new = match old {
            // SAFETY: the current table, which only the writer, which is here, retires;
            // its entries are in the tree, and so alive.
            Some(old) => unsafe { old.as_ref().rebuilt(lines, |key| self.hash(key)) },
            None => KeyTable::new(lines),
        };
        // Release, partner: the Acquire load in `get`, which then finds it filled.
        self.tables[shard].store(Box::into_raw(Box::new(new)), Ordering::Release);
        counts.used.store(counts.live.load(Ordering::Relaxed), Ordering::Relaxed);
        counts.lines.store(lines, Ordering::Relaxed);
        old
    }

    /// Adds an entry of the tree to its table; the table that this replaces.
    ///
    /// # Safety
    ///
    /// As for [`rebuild`](Self::rebuild); the entry is not in it.
    unsafe fn note(&self, hash: u64, entry: NonNull<Block<V>>) -> Option<NonNull<KeyTable<V>>> {
        let shard = shard_of(hash);
        let counts = &self.counts[shard];
        let (live, used) =
            (counts.live.load(Ordering::Relaxed), counts.used.load(Ordering::Relaxed));
        let full = used + 1 > counts.lines.load(Ordering::Relaxed) * LINE_SLOTS * 3 / 4;
        // SAFETY: the caller's contract.
        let old = if full { unsafe { self.rebuild(shard, live + 1) } } else { None };
        // SAFETY: `rebuild` left a table there if none was, and only the writer, which
        // is here, retires it.
        let table = unsafe { &*self.tables[shard].load(Ordering::Relaxed) };
        let fresh = table.insert(hash, entry);
        counts.live.store(live + 1, Ordering::Relaxed);
        let used = counts.used.load(Ordering::Relaxed) + usize::from(fresh);
        counts.used.store(used, Ordering::Relaxed);
        old
    }

    /// Takes an entry out of its table; the table that this replaces.
    ///
    /// # Safety
    ///
    /// As for [`rebuild`](Self::rebuild); the entry is in it, and alive.
    unsafe fn forget(&self, hash: u64, entry: NonNull<Block<V>>) -> Option<NonNull<KeyTable<V>>> {
        let shard = shard_of(hash);
        let counts = &self.counts[shard];
        // SAFETY: there is a table, with the entry, and only the writer retires it.
        let table = unsafe { &*self.tables[shard].load(Ordering::Relaxed) };
        let emptied = table.remove(hash, entry).expect("an entry of the tree is in its table");
        let live = counts.live.load(Ordering::Relaxed) - 1;
        counts.live.store(live, Ordering::Relaxed);
        let used = counts.used.load(Ordering::Relaxed) - usize::from(emptied);
        counts.used.store(used, Ordering::Relaxed);
        let lines = counts.lines.load(Ordering::Relaxed);
        let sparse = lines > 1 && live < lines * LINE_SLOTS / 8;
        // SAFETY: the caller's contract.
        if sparse { unsafe { self.rebuild(shard, live) } } else { None }
    }
}

impl<V: Send + Sync + 'static> KeyedIndex<V> {
    /// Adds an entry; a key that is there already gives the value back.
    ///
    /// # Errors
    ///
    /// The value, when the key is there.
    ///
    /// # Panics
    ///
    /// As [`OrderedIndex::insert`].
    ///
    /// # Safety
    ///
    /// As for [`OrderedIndex::insert`]; what comes back is kept as long as somebody
    /// may be reading from it.
    pub unsafe fn insert(
        &self,
        key: &[u8],
        value: V,
        guard: &Guard,
    ) -> Result<Option<RetiredParts<V>>, V> {
        // SAFETY: the caller's contract.
        let entry = unsafe { self.ordered.insert_entry(key, value, guard) }?;
        // SAFETY: the caller's contract; the key is new, and so is the entry.
        let old = unsafe { self.note(self.hash(key), entry.as_ptr()) };
        Ok(old.map(|old| RetiredParts { entry: None, table: Some(old) }))
    }

    /// Takes an entry out, and hands it back; `None` when the key is not there.
    ///
    /// # Panics
    ///
    /// As [`OrderedIndex::remove`].
    ///
    /// # Safety
    ///
    /// As for [`insert`](Self::insert).
    pub unsafe fn remove(&self, key: &[u8], guard: &Guard) -> Option<RetiredParts<V>> {
        // SAFETY: the caller's contract.
        let entry = unsafe { self.ordered.remove_entry(key, guard) }?;
        // SAFETY: the caller's contract; just taken out of the tree, and not freed.
        let table = unsafe { self.forget(self.hash(key), entry) };
        Some(RetiredParts { entry: Some(entry), table })
    }
}

#[inline]
fn shard_of(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize & (SHARDS - 1)
}

impl<V> fmt::Debug for KeyedIndex<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedIndex").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<V> Drop for KeyedIndex<V> {
    fn drop(&mut self) {
        for table in self.tables.iter() {
            // Relaxed: exclusive access, so whoever wrote last happened before.
            let table = table.load(Ordering::Relaxed);
            if !table.is_null() {
                // SAFETY: from `Box::into_raw`, still linked and so never retired; the
                // exclusive borrow proves that nobody is in it.
                drop(unsafe { Box::from_raw(table) });
            }
        }
    }
}

/// What left a [`KeyedIndex`], while earlier readers may still be using it: an entry, a
/// table, or both. Dropping it frees it.
#[must_use = "dropping what was retired frees it under the readers that still use it"]
pub struct RetiredParts<V> {
    entry: Option<NonNull<Block<V>>>,
    table: Option<NonNull<KeyTable<V>>>,
}

// SAFETY: the only thing it does is to free what nobody uses any more, and the value
// with it, which may be dropped by any thread.
unsafe impl<V: Send> Send for RetiredParts<V> {}
// SAFETY: a shared one gives nothing.
unsafe impl<V: Send> Sync for RetiredParts<V> {}

impl<V> Drop for RetiredParts<V> {
    fn drop(&mut self) {
        if let Some(table) = self.table {
            // SAFETY: from `Box::into_raw`, unlinked by the writer, freed here only, and
            // without readers, by the contract of who was handed it.
            drop(unsafe { Box::from_raw(table.as_ptr()) });
        }
        if let Some(entry) = self.entry {
            // SAFETY: in neither tree nor table any more; otherwise as above.
            unsafe { entry::free(entry) };
        }
    }
}

impl<V> fmt::Debug for RetiredParts<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetiredParts").finish_non_exhaustive()
    }
}
