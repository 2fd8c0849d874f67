//! A range of the ordered index: the entries between two bounds, from both ends,
//! all of one tree.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;

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
