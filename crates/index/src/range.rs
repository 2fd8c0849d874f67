//! A range of the ordered index: the entries between two bounds, from both ends,
//! all of one tree.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;

use crate::entry::Entry;
use crate::node::Node;
use crate::path::Path;

/// The entries between two bounds in key order, from [`OrderedIndex::range`].
///
/// All come from the tree that was current when the range was made: later
/// insertions and removals do not show in it.
///
/// [`OrderedIndex::range`]: crate::OrderedIndex::range
pub struct Range<'g, V> {
    /// The first and the last entry left to give; none when there are none.
    ends: Option<(Path<'g, V>, Path<'g, V>)>,
}

impl<'g, V> Range<'g, V> {
    pub(crate) fn new(root: Option<Node<'g, V>>, bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> Self {
        let ends = root.and_then(|root| {
            let first = first(root, bounds.0)?;
            let last = last(root, bounds.1)?;
            (first.position(&last) != Ordering::Greater).then_some((first, last))
        });
        Self { ends }
    }
}

impl<'g, V> Range<'g, V> {
    /// Takes the next entries, `most` of them at most, from the start or in reverse
    /// from the end, and asks memory for each; `take` is told of them in this order.
    pub fn take_entries(
        &mut self,
        reverse: bool,
        mut most: usize,
        mut take: impl FnMut(Entry<'g, V>),
    ) {
        // Ends: every turn takes an entry at least, and there are so many.
        while let Some((first, last)) = self.ends.as_mut().filter(|_| most > 0) {
            let (near, far) = if reverse { (last, first) } else { (first, last) };
            let leaf = near.leaf;
            let is_last = leaf == far.leaf;
            let edge = match (is_last, reverse) {
                (true, _) => far.slot,
                (false, false) => leaf.len() - 1,
                (false, true) => 0,
            };
            let count = (edge.abs_diff(near.slot) + 1).min(most);
            most -= count;
            let mut each = |entry: &Entry<'g, V>| {
                entry.prefetch();
                take(*entry);
            };
            let left = edge.abs_diff(near.slot) + 1 - count;
            if reverse {
                leaf.entries()[near.slot + 1 - count..=near.slot].iter().rev().for_each(&mut each);
            } else {
                leaf.entries()[near.slot..near.slot + count].iter().for_each(&mut each);
            }
            match (left, is_last) {
                (0, true) => self.ends = None,
                (0, false) if reverse => _ = near.previous_leaf(),
                (0, false) => _ = near.next_leaf(),
                _ if reverse => near.slot -= count,
                _ => near.slot += count,
            }
        }
    }
}

/// The path to the first entry within the lower bound.
fn first<'g, V>(root: Node<'g, V>, bound: Bound<&[u8]>) -> Option<Path<'g, V>> {
    let mut path = match bound {
        Bound::Unbounded => Path::first(root),
        Bound::Included(key) => Path::to(root, key).0,
        Bound::Excluded(key) => {
            let (mut path, found) = Path::to(root, key);
            path.slot += usize::from(found);
            path
        }
    };
    (path.slot < path.leaf.len() || path.next_leaf()).then_some(path)
}

/// The path to the last entry within the upper bound.
fn last<'g, V>(root: Node<'g, V>, bound: Bound<&[u8]>) -> Option<Path<'g, V>> {
    let mut path = match bound {
        Bound::Unbounded => Path::end(root),
        Bound::Excluded(key) => Path::to(root, key).0,
        Bound::Included(key) => {
            let (mut path, found) = Path::to(root, key);
            path.slot += usize::from(found);
            path
        }
    };
    if path.slot > 0 {
        path.slot -= 1;
        return Some(path);
    }
    path.previous_leaf().then_some(path)
}

impl<'g, V> Iterator for Range<'g, V> {
    type Item = (&'g [u8], &'g V);

    fn next(&mut self) -> Option<Self::Item> {
        let (first, last) = self.ends.as_mut()?;
        let entry = first.entry();
        if first.leaf == last.leaf && first.slot == last.slot {
            self.ends = None;
        } else if first.slot + 1 < first.leaf.len() {
            first.slot += 1;
        } else {
            first.next_leaf();
        }
        Some((entry.key(), entry.value()))
    }
}

impl<V> DoubleEndedIterator for Range<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (first, last) = self.ends.as_mut()?;
        let entry = last.entry();
        if first.leaf == last.leaf && first.slot == last.slot {
            self.ends = None;
        } else if last.slot > 0 {
            last.slot -= 1;
        } else {
            last.previous_leaf();
        }
        Some((entry.key(), entry.value()))
    }
}

impl<V> std::iter::FusedIterator for Range<'_, V> {}

impl<V> fmt::Debug for Range<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Range").finish_non_exhaustive()
    }
}
