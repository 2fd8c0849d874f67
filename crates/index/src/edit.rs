//! Several entries that come in one go: nodes that were made for the first are
//! changed in place for the next, and readers see all of them at once.
#![expect(
    unsafe_code,
    reason = "trees are made of raw nodes, which this changes before others know them"
)]

use std::fmt;
use std::ptr::NonNull;

use crossbeam_epoch::Guard;
use selvedge_base::sync::Arc;

use crate::OrderedIndex;
use crate::entry::{self, Entry};
use crate::insert::insert;
use crate::leaf::leaf_of;
use crate::node::{Node, NodePtr};
use crate::ordered_index::KEY_BYTES_MAX;
use crate::path::Path;
use crate::pool::{Retired, Writer};
use crate::remove::remove;

/// A change of an [`OrderedIndex`] under way, from
/// [`edit`](OrderedIndex::edit): readers have the tree of before until it is published,
/// which dropping it does, too.
pub struct Edit<'g, V: Send + Sync + 'static> {
    index: &'g OrderedIndex<V>,
    guard: &'g Guard,
    writer: Writer<'g>,
    root: Option<NodePtr>,
    /// Entries that came and went, and their bytes.
    added: (usize, usize),
    removed: (usize, usize),
}

impl<'g, V: Send + Sync + 'static> Edit<'g, V> {
    /// # Safety
    ///
    /// As [`OrderedIndex::edit`].
    pub(crate) unsafe fn new(index: &'g OrderedIndex<V>, guard: &'g Guard) -> Self {
        let root = index.root(guard).map(Node::as_ptr);
        // SAFETY: the caller's contract; readers come to know its nodes by `publish`, which
        // puts another in its place.
        let writer = unsafe { Writer::new(index.pool(), index.capacity()) };
        Self { index, guard, writer, root, added: (0, 0), removed: (0, 0) }
    }

    /// The path to a key's place in the tree of this edit, and whether it is there.
    fn path(&self, key: &[u8]) -> Option<(Path<'g, V>, bool)> {
        // SAFETY: nodes and entries of type V. What is in the tree that readers have is
        // kept by the guard (O3); the others are this edit's own, and it retires a node
        // after it was used for the last time.
        Some(Path::to(unsafe { Node::from_raw(self.root?) }, key))
    }

    /// Adds an entry; a key that is there already gives the value back.
    ///
    /// # Errors
    ///
    /// The value, when the key is there.
    ///
    /// # Panics
    ///
    /// When the key is longer than [`KEY_BYTES_MAX`].
    pub fn insert(&mut self, key: &[u8], value: V) -> Result<&'g V, V> {
        self.insert_entry(key, value).map(Entry::value)
    }

    /// As [`insert`](Self::insert), for the entry.
    pub(crate) fn insert_entry(&mut self, key: &[u8], value: V) -> Result<Entry<'g, V>, V> {
        assert!(key.len() <= KEY_BYTES_MAX, "keys are checked before they come here");
        let path = match self.path(key) {
            Some((_, true)) => return Err(value),
            Some((path, false)) => Some(path),
            None => None,
        };
        // SAFETY: just allocated, and freed only after this guard.
        let entry = unsafe { Entry::from_raw(entry::allocate(key, value)) };
        let root = match &path {
            Some(path) => insert(&self.writer, path, entry),
            None => Some(leaf_of(&self.writer, &[entry])),
        };
        self.root = root.or(self.root);
        self.added = (self.added.0 + 1, self.added.1 + entry.bytes());
        Ok(entry)
    }

    /// Takes an entry out; it is the caller's to free, behind the readers of the tree that
    /// is published now.
    pub(crate) fn remove_entry(&mut self, key: &[u8]) -> Option<NonNull<entry::Block<V>>> {
        let Some((path, true)) = self.path(key) else { return None };
        let entry = path.entry();
        self.root = remove(&self.writer, &path);
        self.removed = (self.removed.0 + 1, self.removed.1 + entry.bytes());
        Some(entry.as_ptr())
    }

    /// Shows readers what was changed up to now, and goes on behind it. Gives the bytes
    /// of nodes that wait for readers from now on.
    pub fn publish(&mut self) -> usize {
        let (added, removed) = (std::mem::take(&mut self.added), std::mem::take(&mut self.removed));
        if (added.0, removed.0) == (0, 0) {
            return 0;
        }
        // SAFETY: still the only writer; the one before is not used any more.
        let writer = unsafe { Writer::new(self.index.pool(), self.index.capacity()) };
        let writer = std::mem::replace(&mut self.writer, writer);
        let Retired { chain, bytes } = writer.retired();
        let (more, less) = (writer.bytes_made() + added.1, bytes + removed.1);
        self.index.count((added.0, removed.0), (more, less));
        // SAFETY: a complete tree of nodes and entries of this index, with nothing in it
        // that was retired.
        unsafe { self.index.set_root(self.root) };
        if let Some(chain) = chain {
            let pool = Arc::clone(self.index.pool());
            // SAFETY: not in the tree since the root was set, so readers that may still
            // be in the nodes are pinned by now, and this runs after them (O3). All were
            // made with this pool, and are given back once, having left the tree once.
            unsafe { self.guard.defer_unchecked(move || pool.give_back(chain)) };
        }
        bytes
    }
}

impl<V: Send + Sync + 'static> Drop for Edit<'_, V> {
    fn drop(&mut self) {
        self.publish();
    }
}

impl<V: Send + Sync + 'static> fmt::Debug for Edit<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit").field("added", &self.added.0).finish_non_exhaustive()
    }
}
