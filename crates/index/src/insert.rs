//! The tree with one more entry: the leaf and the nodes above it anew, split
//! where they are full.

use crate::entry::Entry;
use crate::inner::Children;
use crate::node::{Draft, Node, NodePtr};
use crate::path::Path;
use crate::pieces::Pieces;
use crate::pool::Writer;

/// Makes the nodes of the tree with `entry` at the end of `path`, and gives its
/// root. The nodes of the path are not in that tree.
pub(crate) fn insert<V>(writer: &Writer<'_>, path: &Path<'_, V>, entry: Entry<'_, V>) -> NodePtr {
    let mut pieces = grow_leaf(writer, path.leaf, path.slot, entry);
    let mut height = 1;
    for (node, child) in path.upwards() {
        pieces = match pieces {
            Pieces::One(below) => Pieces::One(Draft::with_child(writer, node, child, below)),
            Pieces::Two(left, separator, right) => {
                let mut children = Children::of(node);
                children.set(child, left);
                children.insert_right(child, &separator, right);
                let cut = cut(children.len(), child + 1, 2);
                Pieces::inners(writer, &children, height, cut)
            }
        };
        height += 1;
    }
    match pieces {
        Pieces::One(root) => root,
        Pieces::Two(left, separator, right) => {
            Children::two(left, &separator, right).node(writer, height, 0..2)
        }
    }
}

fn grow_leaf<V>(
    writer: &Writer<'_>,
    leaf: Node<'_, V>,
    slot: usize,
    entry: Entry<'_, V>,
) -> Pieces {
    if leaf.len() < writer.capacity() {
        return Pieces::One(leaf.with_entry(writer, slot, entry));
    }
    let (before, after) = leaf.entries().split_at(slot);
    let entries = [before, &[entry], after].concat();
    Pieces::leaves(writer, &entries, cut(entries.len(), slot, 1))
}

/// Where to cut a list that the item `new` made too long: in the middle, or
/// `least` items from an end when the new one is at that end. Keys that come in
/// order thus leave full nodes behind.
fn cut(len: usize, new: usize, least: usize) -> usize {
    if new + 1 == len {
        len - least
    } else if new < least {
        least
    } else {
        len / 2
    }
}
