//! One or two nodes that take the place of others: what a change at one level of
//! the tree hands to the level above.

use crate::entry::Entry;
use crate::inner::Children;
use crate::leaf::leaf_of;
use crate::node::NodePtr;
use crate::pool::Writer;
use crate::prefix::separator;

/// Nodes of one height that nobody else knows yet.
pub(crate) enum Pieces {
    One(NodePtr),
    /// The separator is above all keys on the left, and not above any on the right.
    Two(NodePtr, Box<[u8]>, NodePtr),
}

impl Pieces {
    /// A leaf of these entries, or two when they are too many for one, the left
    /// one of `cut` entries.
    pub(crate) fn leaves<V>(writer: &Writer<'_>, entries: &[Entry<'_, V>], cut: usize) -> Self {
        if entries.len() <= writer.capacity() {
            return Self::One(leaf_of(writer, entries));
        }
        let (left, right) = entries.split_at(cut);
        let separator = separator(left[cut - 1].key(), right[0].key());
        Self::Two(leaf_of(writer, left), separator.into(), leaf_of(writer, right))
    }

    /// An inner node of these children, or two when they are too many for one,
    /// the left one of `cut` children.
    pub(crate) fn inners(
        writer: &Writer<'_>,
        children: &Children,
        height: usize,
        cut: usize,
    ) -> Self {
        let len = children.len();
        if len <= writer.capacity() {
            return Self::One(children.node(writer, height, 0..len));
        }
        Self::Two(
            children.node(writer, height, 0..cut),
            children.separator(cut - 1).into(),
            children.node(writer, height, cut..len),
        )
    }
}
