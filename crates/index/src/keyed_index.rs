//! The keyed index: an ordered index, and tables that lead from the hash of a key to
//! its entry at once. The protocol is told at the crate root.
#![expect(unsafe_code, reason = "tables and entries are freed by who knows their readers")]

use std::fmt;
use std::ops::Bound;
use std::ptr::NonNull;

use crossbeam_epoch::Guard;

use crate::edit::Edit;
use crate::entry::{self, Block, Entry};
use crate::key_parts::KeyParts;
use crate::key_tables::{KeyTables, LINES_MAX, Replaced};
use crate::ordered_index::OrderedIndex;
use crate::range::Range;

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
    tables: KeyTables<V>,
}

impl<V> KeyedIndex<V> {
    /// An index with no entries. Keys are hashed with `seed`: where strangers choose
    /// the keys it is one that they do not know.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { ordered: OrderedIndex::new(), tables: KeyTables::new(seed, LINES_MAX) }
    }

    /// The same, for values that lead to something that is read with them: `address` says
    /// where it lies, and [`get`](Self::get) asks memory for it together with the entry.
    #[must_use]
    pub fn hinting(self, address: fn(&V) -> *const ()) -> Self {
        Self { tables: self.tables.hinting(address), ..self }
    }

    /// As [`new`](Self::new), over a tree of this node capacity, see
    /// [`OrderedIndex::with_node_capacity`], and with tables that are split when they would
    /// have more lines than that.
    ///
    /// # Panics
    ///
    /// As there.
    #[must_use]
    pub fn with_node_capacity(capacity: usize, seed: u64) -> Self {
        let ordered = OrderedIndex::with_node_capacity(capacity);
        Self { ordered, tables: KeyTables::new(seed, capacity) }
    }

    /// The value of a key. A key that was there before the call and is there after it
    /// is found.
    ///
    /// # Safety
    ///
    /// From this call on, for as long as the value is used, nothing is dropped that
    /// this index hands back after the call has begun.
    #[inline(always)]
    #[must_use]
    pub unsafe fn get<'k>(&self, key: impl Into<KeyParts<'k>>) -> Option<&V> {
        let key = key.into();
        let hash = self.tables.hash(key);
        // SAFETY: by the contract neither a table is freed nor an entry that it has.
        let found = unsafe { self.tables.table(hash)?.find(hash, key) };
        found.map(Entry::value)
    }

    /// Asks memory for what [`get`](Self::get) of these keys will look at, so that the
    /// waits for it overlap.
    ///
    /// # Safety
    ///
    /// As for [`get`](Self::get), during the call.
    pub unsafe fn prefetch<K: AsRef<[u8]>>(&self, keys: &[K]) {
        for keys in keys.chunks(AHEAD) {
            let mut hashes = [0; AHEAD];
            for (hash, key) in hashes.iter_mut().zip(keys) {
                *hash = self.tables.hash(key.as_ref());
                // SAFETY: the caller's contract, here and below.
                let table = unsafe { self.tables.table(*hash) };
                table.into_iter().for_each(|table| table.prefetch(*hash));
            }
            for hash in &hashes[..keys.len()] {
                // SAFETY: as above.
                if let Some(table) = unsafe { self.tables.table(*hash) } {
                    // SAFETY: as above.
                    unsafe { table.prefetch_likely(*hash) };
                }
            }
        }
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
        size_of::<Self>() - size_of::<OrderedIndex<V>>()
            + self.tables.bytes()
            + self.ordered.bytes()
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
        unsafe { self.edit(guard).insert(key, value) }
    }

    /// Begins to insert several entries, see [`OrderedIndex::edit`]. A single key is found
    /// at once, ranges have it when it is published.
    ///
    /// # Panics
    ///
    /// As [`OrderedIndex::edit`].
    ///
    /// # Safety
    ///
    /// As for [`OrderedIndex::edit`].
    #[must_use]
    pub unsafe fn edit<'g>(&'g self, guard: &'g Guard) -> KeyedEdit<'g, V> {
        // SAFETY: the caller's contract.
        KeyedEdit { tables: &self.tables, ordered: unsafe { self.ordered.edit(guard) } }
    }

    /// What the value of an entry leads to lies elsewhere now.
    ///
    /// # Safety
    ///
    /// The caller is the only writer; `value` is in the index under this key.
    pub unsafe fn moved(&self, key: &[u8], value: &V) {
        // SAFETY: the caller's contract; a value is the beginning of its block.
        unsafe { self.tables.hint(self.tables.hash(key), entry::block_of(value)) };
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
        let entry = unsafe { self.ordered.edit(guard) }.remove_entry(key)?;
        // SAFETY: the caller's contract; just taken out of the tree, and not freed.
        let replaced = unsafe { self.tables.remove(self.tables.hash(key), entry) };
        Some(RetiredParts { entry: Some(entry), _replaced: replaced })
    }
}

/// Entries on their way into a [`KeyedIndex`], from [`KeyedIndex::edit`].
pub struct KeyedEdit<'g, V: Send + Sync + 'static> {
    ordered: Edit<'g, V>,
    tables: &'g KeyTables<V>,
}

impl<V: Send + Sync + 'static> KeyedEdit<'_, V> {
    /// As [`KeyedIndex::insert`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    ///
    /// # Safety
    ///
    /// What comes back is kept as long as somebody may be reading from it.
    pub unsafe fn insert(&mut self, key: &[u8], value: V) -> Result<Option<RetiredParts<V>>, V> {
        let entry = self.ordered.insert_entry(key, value)?;
        let hash = self.tables.hash(key);
        // SAFETY: the caller's contract, and that of who began; key and entry are new.
        let replaced = unsafe { self.tables.insert(hash, entry.as_ptr()) };
        Ok((!replaced.is_nothing()).then(|| RetiredParts { entry: None, _replaced: replaced }))
    }

    /// See [`Edit::publish`].
    pub fn publish(&mut self) -> usize {
        self.ordered.publish()
    }
}

impl<V: Send + Sync + 'static> fmt::Debug for KeyedEdit<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyedEdit").field(&self.ordered).finish()
    }
}

impl<V> fmt::Debug for KeyedIndex<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedIndex").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// What left a [`KeyedIndex`], while earlier readers may still be using it: an entry, a
/// table, a directory. Dropping it frees it.
#[must_use = "dropping what was retired frees it under the readers that still use it"]
pub struct RetiredParts<V> {
    entry: Option<NonNull<Block<V>>>,
    _replaced: Replaced<V>,
}

// SAFETY: the only thing it does is to free what nobody uses any more, and the value
// with it, which may be dropped by any thread.
unsafe impl<V: Send> Send for RetiredParts<V> {}
// SAFETY: a shared one gives nothing.
unsafe impl<V: Send> Sync for RetiredParts<V> {}

impl<V> Drop for RetiredParts<V> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            // SAFETY: in neither tree nor table any more, freed here only, and without
            // readers, by the contract of who was handed it.
            unsafe { entry::free(entry) };
        }
    }
}

impl<V> fmt::Debug for RetiredParts<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetiredParts").finish_non_exhaustive()
    }
}
