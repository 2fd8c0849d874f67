//! The ordered index: a copy-on-write B+-tree behind one root pointer. The
//! protocol is told at the crate root.
#![expect(unsafe_code, reason = "trees are published by a raw root pointer and freed by epochs")]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;
use std::ptr::{self, NonNull};

use crossbeam_epoch::{Guard, default_collector};
use selvedge_base::sync::Arc;
use selvedge_base::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::edit::Edit;
use crate::entry;
use crate::node::{Header, Node, NodePtr};
use crate::pool::{self, Pool};
use crate::range::Range;

/// Entries of a leaf and children of an inner node. A write copies one node per
/// level, so wider nodes are fewer levels but more bytes to copy.
const NODE_CAPACITY: usize = 60;
/// Bytes of a key of an [`OrderedIndex`] at most. Far above what the engine lets
/// in, and such that a node of nothing but such keys has offsets that fit.
pub const KEY_BYTES_MAX: usize = 1 << 20;

/// An ordered map from byte keys to values, for one writer and any number of
/// readers that take no lock.
///
/// A value keeps its address while it is in the map, and is shared with readers
/// as `&V`; changing it in place is the business of `V`. Keys have any length up
/// to [`KEY_BYTES_MAX`], and the order of their bytes.
///
/// Readers and the writer pin the epoch of [`crossbeam_epoch::pin`]. Nothing
/// that is removed or replaced can be freed while an older guard is held, and
/// each write replaces a few KiB of nodes: hold guards briefly, read in chunks,
/// and pin anew (or [`repin`](Guard::repin)) between writes.
///
/// # Examples
///
/// ```
/// use std::ops::Bound;
///
/// use selvedge_index::OrderedIndex;
///
/// let index = OrderedIndex::new();
/// for year in [1957_u16, 1969, 1998] {
///     let guard = crossbeam_epoch::pin();
///     // SAFETY: one thread, so there is one writer.
///     unsafe { index.insert(&year.to_be_bytes(), year, &guard) }.expect("a new key");
/// }
/// let guard = crossbeam_epoch::pin();
/// assert_eq!(index.get(&1969_u16.to_be_bytes(), &guard), Some(&1969));
/// let all = index.range((Bound::Unbounded, Bound::Unbounded), &guard);
/// assert_eq!(all.rev().map(|(_, year)| *year).collect::<Vec<_>>(), [1998, 1969, 1957]);
/// ```
///
/// Reading in chunks, each under its own guard: a chunk goes on behind the last
/// key of the one before. Every chunk is consistent in itself, and a key that is
/// there throughout is met once.
///
/// ```
/// use std::ops::Bound;
///
/// use selvedge_index::OrderedIndex;
///
/// let index = OrderedIndex::new();
/// for key in 0..10_u8 {
///     let guard = crossbeam_epoch::pin();
///     // SAFETY: one thread, so there is one writer.
///     unsafe { index.insert(&[key], (), &guard) }.expect("a new key");
/// }
/// let mut last: Option<Vec<u8>> = None;
/// let mut chunks = Vec::new();
/// loop {
///     let guard = crossbeam_epoch::pin();
///     let start = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
///     let range = index.range((start, Bound::Unbounded), &guard);
///     let chunk: Vec<Vec<u8>> = range.take(4).map(|(key, _)| key.to_vec()).collect();
///     drop(guard);
///     // Anything may be done with the chunk here, no guard is held.
///     let Some(key) = chunk.last() else { break };
///     last = Some(key.clone());
///     chunks.push(chunk.len());
/// }
/// assert_eq!(chunks, [4, 4, 2]);
/// ```
pub struct OrderedIndex<V> {
    /// Null when there is no entry.
    root: AtomicPtr<Header>,
    /// Entries. This and `bytes` are written by the writer only and read by
    /// anyone as a hint: Relaxed without a partner, nothing is published by them.
    len: AtomicUsize,
    bytes: AtomicUsize,
    capacity: usize,
    pool: Arc<Pool>,
    values: PhantomData<V>,
}

impl<V> OrderedIndex<V> {
    /// An index with no entries.
    #[must_use]
    pub fn new() -> Self {
        Self::with_node_capacity(NODE_CAPACITY)
    }

    /// An index whose nodes have so many entries or children at most. Tests make
    /// it small, to meet splits and joins; otherwise [`new`](Self::new) knows best.
    ///
    /// # Panics
    ///
    /// When it is not in `4..=1024`.
    #[must_use]
    pub fn with_node_capacity(capacity: usize) -> Self {
        assert!((4..=1024).contains(&capacity), "a node holds 4 to 1024");
        Self {
            root: AtomicPtr::new(ptr::null_mut()),
            len: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            capacity,
            pool: Arc::new(Pool::new()),
            values: PhantomData,
        }
    }

    /// The value of a key.
    ///
    /// # Panics
    ///
    /// When the guard is not one of [`crossbeam_epoch::pin`].
    #[must_use]
    pub fn get<'g>(&'g self, key: &[u8], guard: &'g Guard) -> Option<&'g V> {
        let mut node = self.root(guard)?;
        while node.height() > 0 {
            node = node.child(node.child_for(key));
        }
        let slot = node.find(key).ok()?;
        Some(node.entries()[slot].value())
    }

    /// The entries between two bounds, all of the tree that is current now.
    /// Bounds that exclude each other give an empty range.
    ///
    /// # Panics
    ///
    /// When the guard is not one of [`crossbeam_epoch::pin`].
    #[must_use]
    pub fn range<'g>(
        &'g self,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        guard: &'g Guard,
    ) -> Range<'g, V> {
        Range::new(self.root(guard), bounds)
    }

    /// Entries. Beside a writer: a recent number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the nodes and the entries of the current tree, without what the
    /// allocator adds, what values own elsewhere, what waits for guards to end, and
    /// the free nodes kept for the next writes (1 MiB at most).
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn root<'g>(&'g self, guard: &'g Guard) -> Option<Node<'g, V>> {
        check(guard);
        // Acquire, partner: the Release store in `publish`. (The writer itself reads
        // its own store, or an earlier writer's through the lock between them.)
        let root = NonNull::new(self.root.load(Ordering::Acquire))?;
        // SAFETY: trees are made of nodes and entries of type V. Whatever leaves the
        // tree from now on is freed after this guard (O3), and the index itself is
        // borrowed for as long.
        Some(unsafe { Node::from_raw(root) })
    }
}

impl<V> OrderedIndex<V> {
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Entries of a leaf and children of an inner node at most.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Writer only: entries, and bytes of nodes and entries, that came and went.
    pub(crate) fn count(&self, len: (usize, usize), bytes: (usize, usize)) {
        add(&self.len, len.0, len.1);
        add(&self.bytes, bytes.0, bytes.1);
    }

    /// Makes a tree the current one.
    ///
    /// # Safety
    ///
    /// The caller is the only writer. It is a complete tree with values of type V, made
    /// with this pool, and whoever frees what it has not waits for readers (O3).
    pub(crate) unsafe fn set_root(&self, root: Option<NodePtr>) {
        // Release, partner: the Acquire load in `root`: a reader that sees the new
        // root sees all its nodes and entries as they were written.
        self.root.store(root.map_or(ptr::null_mut(), NonNull::as_ptr), Ordering::Release);
    }
}

impl<V: Send + Sync + 'static> OrderedIndex<V> {
    /// Adds an entry; a key that is there already gives the value back.
    ///
    /// # Errors
    ///
    /// The value, when the key is there.
    ///
    /// # Panics
    ///
    /// When the guard is not one of [`crossbeam_epoch::pin`], or the key is longer
    /// than [`KEY_BYTES_MAX`].
    ///
    /// # Safety
    ///
    /// No other thread writes to this index during the call, and calls by
    /// different threads are ordered by happens-before: the caller holds the lock
    /// of the writer.
    pub unsafe fn insert<'g>(&'g self, key: &[u8], value: V, guard: &'g Guard) -> Result<&'g V, V> {
        // SAFETY: the caller's contract.
        unsafe { self.edit(guard) }.insert(key, value)
    }

    /// Begins to change it: what is inserted is seen by readers once that is published.
    ///
    /// # Examples
    ///
    /// ```
    /// use selvedge_index::OrderedIndex;
    ///
    /// let index = OrderedIndex::new();
    /// let guard = crossbeam_epoch::pin();
    /// // SAFETY: one thread, so there is one writer.
    /// let mut edit = unsafe { index.edit(&guard) };
    /// for key in [b"a", b"b"] {
    ///     edit.insert(key, ()).expect("a new key");
    /// }
    /// assert_eq!(index.get(b"a", &guard), None);
    /// drop(edit);
    /// assert_eq!(index.get(b"a", &guard), Some(&()));
    /// ```
    ///
    /// # Panics
    ///
    /// When the guard is not one of [`crossbeam_epoch::pin`].
    ///
    /// # Safety
    ///
    /// As for [`insert`](Self::insert), until the edit is dropped; nor does this thread
    /// write to the index otherwise.
    #[must_use]
    pub unsafe fn edit<'g>(&'g self, guard: &'g Guard) -> Edit<'g, V> {
        // SAFETY: the caller's contract.
        unsafe { Edit::new(self, guard) }
    }

    /// Takes an entry out; false when the key is not there. The value is dropped,
    /// by whichever thread, when no guard that is now held is held any more.
    ///
    /// # Panics
    ///
    /// When the guard is not one of [`crossbeam_epoch::pin`].
    ///
    /// # Safety
    ///
    /// As for [`insert`](Self::insert).
    pub unsafe fn remove(&self, key: &[u8], guard: &Guard) -> bool {
        // SAFETY: the caller's contract.
        let Some(block) = (unsafe { self.edit(guard) }).remove_entry(key) else { return false };
        // SAFETY: no tree has the entry from now on, so readers that may still hold
        // it are pinned by now, and it is freed after them (O3). V may be dropped by
        // any thread at any time, being Send and 'static.
        unsafe { guard.defer_unchecked(move || entry::free(block)) };
        true
    }
}

/// Writer only: see the fields for the ordering.
fn add(counter: &AtomicUsize, more: usize, less: usize) {
    counter.store(counter.load(Ordering::Relaxed) + more - less, Ordering::Relaxed);
}

/// A guard of another collector would not hold back what this index retires.
fn check(guard: &Guard) {
    let ours = guard.collector().is_none_or(|collector| collector == default_collector());
    assert!(ours, "an ordered index is read and written under `crossbeam_epoch::pin()`");
}

impl<V> Default for OrderedIndex<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> fmt::Debug for OrderedIndex<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderedIndex").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<V> Drop for OrderedIndex<V> {
    fn drop(&mut self) {
        // Relaxed: exclusive access, so whoever wrote last happened before.
        if let Some(root) = NonNull::new(self.root.load(Ordering::Relaxed)) {
            // SAFETY: the tree is ours, and the exclusive borrow proves that no
            // reference into it is left.
            unsafe { free_tree::<V>(root) };
        }
    }
}

/// Frees a node and all that is below it, entries included; as deep as the tree
/// is high.
///
/// # Safety
///
/// `at` is in a tree with values of type `V` that nobody uses any more.
unsafe fn free_tree<V>(at: NodePtr) {
    // SAFETY: alive until freed at the end; each node and each entry has one place
    // in the tree, so each is freed once.
    unsafe {
        let node = Node::<V>::from_raw(at);
        if node.height() > 0 {
            node.children().iter().for_each(|&child| free_tree::<V>(child));
        } else {
            node.entries().iter().for_each(|entry| entry::free(entry.as_ptr()));
        }
        pool::free(at);
    }
}
